/* sweeper: the thread that lets go of what is kept no longer. One replica at a time; a sweep that was broken off goes on with the next. */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "etl/engine_room.h"
#include "sql/retention_store.h"

enum { FIRST_MS = 1000, PERIOD_LEASES = 4, PAUSE_MS = 100, STATEMENT_MS = 60 * 1000, LOCK_MS = 2000 };

static struct retention
keep_of(const struct config *config)
{
	return (struct retention){
	    .runs_ms = config->retention_runs_ms,
	    .logs_ms = config->retention_logs_ms,
	    .quality_ms = config->retention_quality_ms,
	    .audit_ms = config->retention_audit_ms,
	};
}

/* Batch after batch of one kind, with room for others in between. */
static bool
sweep_kind(struct ctx *ctx, struct engine *engine, struct pg *db, enum retention_kind kind)
{
	struct retention keep = keep_of(engine->options.config);
	int64_t rows = 0, all = 0;

	do {
		if (!retention_sweep(ctx, db, kind, &keep, &rows))
			return false;
		all += rows;
		metrics_add(METRIC_SWEPT_ROWS, METRIC_LABELS(retention_kind_name(kind)), (double)rows);
	} while (rows > 0 && engine_pause(engine, PAUSE_MS));
	if (all > 0 && kind != RETENTION_OUTBOX)
		log_line(ctx, LOG_INFO, "swept", "what", retention_kind_name(kind), "rows", text_from_i64(ctx, all),
		    NULL);
	return true;
}

static bool
sweep_audit(struct ctx *ctx, struct engine *engine, struct pg *db)
{
	struct retention keep = keep_of(engine->options.config);
	bool moved = true;

	while (moved && !atomic_load(&engine->stopping))
		if (!retention_move_audit(ctx, db, &keep, &moved))
			return false;
	return true;
}

static bool
sweep(struct ctx *ctx, struct engine *engine)
{
	struct pg_options options = {
	    .what = "control database",
	    .application_name = "loadstar sweeper",
	    .statement_timeout_ms = STATEMENT_MS,
	    .lock_timeout_ms = LOCK_MS,
	};
	struct pg *db;
	bool mine;

	if (!pg_open(ctx, pool_url(engine->options.pool), &options, &db) || !retention_lock(ctx, db, &mine))
		return false;
	if (!mine)
		return true;
	for (int kind = 0; kind < RETENTION_AUDIT; kind++)
		if (!sweep_kind(ctx, engine, db, (enum retention_kind)kind))
			return false;
	if (!sweep_audit(ctx, engine, db))
		return false;
	for (int kind = RETENTION_AUDIT; kind < RETENTION_KIND_COUNT; kind++)
		if (!sweep_kind(ctx, engine, db, (enum retention_kind)kind))
			return false;
	if (!atomic_load(&engine->stopping))
		metrics_set(METRIC_LAST_SWEEP, METRIC_LABELS(NULL), (double)clock_now_us() / 1e6);
	return true;
}

void *
sweeper_main(void *arg)
{
	struct engine *engine = arg;
	int64_t pause_ms = FIRST_MS;

	while (engine_pause(engine, pause_ms)) {
		struct ctx *ctx;

		pause_ms = engine->options.config->lease_ms * PERIOD_LEASES;
		if (atomic_load(&engine->quiescing))
			continue;
		ctx = ctx_new("sweeper", 0);
		ctx_watch_cancel(ctx, &engine->threads);
		if (!sweep(ctx, engine) && !atomic_load(&engine->stopping))
			log_failure(ctx, "cannot sweep what is kept no longer");
		ctx_free(ctx);
	}
	return NULL;
}
