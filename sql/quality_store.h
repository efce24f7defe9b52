/*
 * quality_store: results of quality checks in the control database.
 *
 * They are written in the transaction that ends the attempt which asked, once, whether its slice was published or not. A run's numbers
 * (checks_passed …) count each step by the attempt that counts: a retry's results take over.
 */
#ifndef SQL_QUALITY_STORE_H
#define SQL_QUALITY_STORE_H

#include "sql/change.h"
#include "sql/step_store.h"

/* Writes results, adds them to change->run, and logs those that did not pass. checks: an array of the contract's results without run_id
 * and pipeline, with `attempt` and `error`; NULL or null: nothing; empty: none, and those of the step's other attempts count no more. */
bool quality_write(struct change *change, const struct step_claim *claim, const json_t *checks) MUST_CHECK;

/* A run's results in the order they were kept, each an object of the contract. after_id 0: from the start; next_id: of the last
 * one given, 0 when there are no more. */
bool quality_of_run(struct ctx *ctx, struct pg *db, const char *run_id, int64_t after_id, int64_t limit, json_t *items,
    int64_t *next_id) MUST_CHECK;

/* Results over time, newest first. A page may hold fewer than limit, even none, though there is more: what is read for one is bounded. */
struct quality_filter {
	const char *const *pipelines;       /* NULL terminated; NULL: all */
	const char *table, *check, *status; /* NULL: any */
	int64_t since_us, until_us;         /* 0: any */
	int64_t before_us, before_id;       /* the last result seen; 0: from the newest */
	int64_t limit;
};
bool quality_list(struct ctx *ctx, struct pg *db, const struct quality_filter *filter, json_t *items, bool *more,
    struct quality_filter *next) MUST_CHECK;

/* pipeline, table, seconds since the last load of each table was committed. */
bool quality_freshness(struct ctx *ctx, struct pg *db, struct pg_rows *rows) MUST_CHECK;

#endif
