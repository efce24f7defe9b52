#include "etl/run_log.h"

#include "sql/log_store.h"

struct run_log {
	struct pool *pool;
	const struct step_claim *claim;
};

/* In a ctx of its own: neither a failure nor a cancel of the attempt may be mixed up with the log's. */
static void
write_line(void *arg, struct ctx *ctx, enum log_level level, const char *message, json_t *fields)
{
	const struct run_log *run_log = arg;
	struct log_entry entry = {.level = level, .step_id = run_log->claim->id, .message = message, .fields = fields};
	struct ctx *own = ctx_new("run log", 0);
	struct pg *db;

	ctx_set_tags(own, ctx_get_tags(ctx));
	if (!pool_take(own, run_log->pool, &db) || !log_write(own, db, run_log->claim->run_id, &entry, 1)) {
		log_failure(own, "a line of a run's log was not stored");
		log_line(own, level, message, NULL);
	}
	ctx_free(own);
}

struct slice_log
run_log_to(struct ctx *ctx, struct pool *pool, const struct step_claim *claim)
{
	struct run_log *run_log = ctx_alloc(ctx, sizeof(*run_log));

	*run_log = (struct run_log){.pool = pool, .claim = claim};
	return (struct slice_log){.write = write_line, .arg = run_log};
}
