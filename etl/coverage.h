/*
 * coverage: what of a table is loaded, missing, failed, running or stale: the answer of GET …/coverage.
 *
 * Computed whenever it is asked: loads from the warehouse's ledger, running and failed steps from the control database. At each
 * point of time the committed load with the highest load_id counts. Steps and loads are compared by load_id, never by clocks.
 */
#ifndef ETL_COVERAGE_H
#define ETL_COVERAGE_H

#include "base/config.h"
#include "etl/spec.h"
#include "sql/pg.h"

struct coverage_question {
	const struct config *config; /* where the folders are of tables that are fed by files */
	const struct spec *spec;     /* the active version: what a load is compared with */
	const struct spec_table *table;
	int64_t from_us, to_us; /* 0: from the first slice, to the end of the last one that should be there */
	int64_t epoch;          /* of this control database's load ids */
};

/* {pipeline, table, from, to, items, spans, source_error}: an item for each load, failure or gap that counts somewhere; spans: the same, neighbours of
 * one state joined. A table without time is one item from null to null; one that is fed by files has an item for each batch; source_error
 * says why its folder could not be listed. FAIL_INVALID_REQUEST: more than 20,000 items. */
bool coverage_answer(struct ctx *ctx, const struct coverage_question *question, struct pg *warehouse,
    struct pg *control, json_t **answer) MUST_CHECK;

/* Whether another declaration made a load. declaration NULL: the load is older than fingerprints, and any other version counts. */
bool coverage_is_stale(const struct spec *spec, const char *fingerprint, const char *spec_hash,
    const char *declaration);

#endif
