/* scheduler: the thread that looks at schedules. Every replica has one; the control database lets each fire be decided once. */
#include "base/clock.h"
#include "base/log.h"
#include "etl/engine_room.h"
#include "etl/schedule.h"
#include "sql/notice_store.h"
#include "sql/schedule_store.h"

enum { LOOK_MS = 1000, SWEEP_MS = 3600 * 1000 };

static bool
sweep(struct ctx *ctx, struct pool *pool)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *db;

	return pool_take(tmp, pool, &db) && schedule_sweep(tmp, db) && notice_sweep(tmp, db);
}

void *
scheduler_main(void *arg)
{
	struct engine *engine = arg;
	const struct engine_options *options = &engine->options;
	int64_t next_sweep_us = 0;

	while (engine_pause(engine, LOOK_MS)) {
		struct ctx *ctx;

		if (!options->config->scheduler || atomic_load(&engine->quiescing))
			continue;
		ctx = ctx_new("scheduler", 0);
		if (!schedule_tick(ctx, options->catalog, options->pool))
			log_failure(ctx, "cannot look at schedules");
		else if (clock_monotonic_us() >= next_sweep_us && sweep(ctx, options->pool))
			next_sweep_us = clock_monotonic_us() + SWEEP_MS * INT64_C(1000);
		ctx_free(ctx);
	}
	return NULL;
}
