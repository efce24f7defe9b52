/*
 * adopt: a pipeline's tables change hands (protocol rule 17).
 *
 * loadstar.control names the control database that owns them. A restored one, or another one, is refused until somebody adopts: the
 * pipeline gets an epoch above every one its tables have seen, so that each number of the sequence is above every load of the past,
 * and the owner's row is rewritten; whoever owned the tables before cannot publish any more. Replicas learn of it with their next
 * claim. Intervals of a table that somebody else filled are marked as loaded by a row of the ledger.
 */
#ifndef ETL_ADOPT_H
#define ETL_ADOPT_H

#include "base/config.h"
#include "etl/spec.h"
#include "sql/pg.h"

struct adoption {
	const struct config *config;
	const struct spec *spec;
	struct pg *control;
	const char *control_id;
	const char *by;
	bool force; /* end sessions that are alive; else they are a FAIL_CONFLICT */
};

struct adopted {
	const char *before_id; /* NULL: nobody owned the tables */
	int64_t before_epoch, epoch;
	bool changed; /* false: they were ours, and are */
	int64_t sessions_ended;
};

bool adopt_pipeline(struct ctx *ctx, const struct adoption *adoption, struct adopted *adopted) MUST_CHECK;

/* The rows of [from, to) are what a load would have brought. The pipeline must be ours (FAIL_FOREIGN_OWNER), the table there
 * (FAIL_CONFLICT). */
bool adopt_mark(struct ctx *ctx, const struct adoption *adoption, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const char **state) MUST_CHECK;

#endif
