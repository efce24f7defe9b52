/*
 * log_store: what users read about a run.
 *
 * Lines of one run have ids 1, 2, 3 … without gaps, given under a lock on the run's counter row, so that a reader who
 * has seen line n has seen all before it. Writers use transactions of their own or the state change's.
 */
#ifndef SQL_LOG_STORE_H
#define SQL_LOG_STORE_H

#include "base/json.h"
#include "base/log.h"
#include "sql/pg.h"

struct log_entry {
	enum log_level level;
	const char *step_id; /* NULL: of the run */
	const char *message;
	json_t *fields; /* object or NULL */
};
bool log_write(struct ctx *ctx, struct pg *db, const char *run_id, const struct log_entry *entries,
    size_t count) MUST_CHECK;

/* The same for lines of several runs, run_ids[i] for entries[i]. tell: write an outbox row and notify; a change of the run
 * in the same transaction does that itself. */
bool log_write_runs(struct ctx *ctx, struct pg *db, const char *const *run_ids, const struct log_entry *entries,
    size_t count, bool tell) MUST_CHECK;

/* Lines with id > after, in order: one JSON object each, as the contract has them. */
struct log_filter {
	const char *run_id;
	int64_t after;
	const char *level;   /* least level; NULL: all */
	const char *step_id; /* NULL: all */
	int64_t limit;
};
struct log_lines {
	const char **lines; /* compact JSON texts without line end */
	int64_t *ids;
	size_t count;
	bool more;
};
bool log_page(struct ctx *ctx, struct pg *db, const struct log_filter *filter, struct log_lines *page) MUST_CHECK;

#endif
