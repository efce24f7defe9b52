/*
 * keeper: the lease of this replica, and the one who tells workers to stop.
 *
 * Its session serves nothing else, so that a slow load never costs the lease. Which attempts it judges by what the control
 * database says is decided before it asks: a step claimed meanwhile is not missing, only unseen.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "etl/engine_room.h"
#include "sql/replica_store.h"

enum { TICK_MS = 200, HOLDINGS_MS = 1000, AFTER_FAILURE_MS = 500 };

struct keeper {
	struct engine *engine;
	int64_t heartbeat_us; /* monotonic time of the last one that succeeded */
	int64_t holdings_us;  /* … of the last look at our steps */
};

static void
stop_overdue(struct engine *engine)
{
	int64_t now_us = clock_monotonic_us();

	(void)pthread_mutex_lock(&engine->lock);
	for (struct attempt *attempt = engine->attempts; attempt != NULL; attempt = attempt->next) {
		int64_t deadline_us = atomic_load(&attempt->deadline_us);

		if (deadline_us != 0 && now_us > deadline_us)
			(void)ctx_cancel_set(&attempt->cancel, CANCEL_DEADLINE);
	}
	(void)pthread_mutex_unlock(&engine->lock);
}

static bool
beat(struct ctx *ctx, struct keeper *keeper, struct pg *db)
{
	struct engine *engine = keeper->engine;
	int64_t lease_ms = engine->options.config->lease_ms;
	int64_t asked_us = clock_monotonic_us();
	bool alive;

	if (asked_us - keeper->heartbeat_us < lease_ms * 1000 / 3)
		return true;
	if (!replica_heartbeat(ctx, db, engine->options.boot_id, lease_ms, &alive))
		return false;
	if (!alive) {
		log_line(ctx, LOG_WARN, "declared dead by another replica; starting over", NULL);
		engine_cancel_all(engine, CANCEL_SUPERSEDED);
		if (!replica_register(ctx, db, engine->options.boot_id, "", lease_ms))
			return false;
	}
	keeper->heartbeat_us = asked_us; /* when it was asked: the lease counts from no later */
	return true;
}

/* What the database says of one attempt. */
static enum cancel_reason
verdict(const struct attempt *attempt, const struct step_holding *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (text_equal(items[i].id, attempt->claim->id) && items[i].load_number == attempt->claim->load_number)
			return items[i].wanted ? CANCEL_NONE : CANCEL_REQUESTED;
	}
	return CANCEL_SUPERSEDED;
}

static bool
stop_unwanted(struct ctx *ctx, struct keeper *keeper, struct pg *db)
{
	struct engine *engine = keeper->engine;
	struct step_holding *items = NULL;
	int64_t newest = 0; /* claims up to this number were committed before the question */
	size_t count = 0;

	if (clock_monotonic_us() - keeper->holdings_us < HOLDINGS_MS * 1000)
		return true;
	(void)pthread_mutex_lock(&engine->lock);
	for (struct attempt *attempt = engine->attempts; attempt != NULL; attempt = attempt->next)
		newest = attempt->claim->load_number > newest ? attempt->claim->load_number : newest;
	(void)pthread_mutex_unlock(&engine->lock);
	if (newest > 0 && !step_holdings(ctx, db, engine->options.boot_id, &items, &count))
		return false;
	(void)pthread_mutex_lock(&engine->lock);
	for (struct attempt *attempt = engine->attempts; attempt != NULL; attempt = attempt->next) {
		enum cancel_reason reason;

		if (attempt->claim->load_number > newest || attempt->claim->end_as != NULL)
			continue;
		reason = verdict(attempt, items, count);
		if (reason != CANCEL_NONE)
			(void)ctx_cancel_set(&attempt->cancel, reason);
	}
	(void)pthread_mutex_unlock(&engine->lock);
	keeper->holdings_us = clock_monotonic_us();
	return true;
}

static bool
keep(struct ctx *ctx, struct keeper *keeper)
{
	struct engine *engine = keeper->engine;
	struct pg_options options = {
	    .what = "control database",
	    .application_name = "loadstar keeper",
	    .statement_timeout_ms = engine->options.config->lease_ms / 3,
	};
	struct pg *db;

	if (!pg_open(ctx, pool_url(engine->options.pool), &options, &db))
		return false;
	while (!atomic_load(&engine->stopping)) {
		CTX_SCOPE(tmp, ctx);

		if (!beat(tmp, keeper, db) || !stop_unwanted(tmp, keeper, db))
			return false;
		stop_overdue(engine);
		clock_sleep_ms(TICK_MS);
	}
	return true;
}

void *
keeper_main(void *arg)
{
	struct engine *engine = arg;
	struct keeper keeper = {.engine = engine, .heartbeat_us = clock_monotonic_us()};
	int64_t lease_us = engine->options.config->lease_ms * 1000;

	while (!atomic_load(&engine->stopping)) {
		struct ctx *ctx = ctx_new("keeper", 0);

		if (!keep(ctx, &keeper)) {
			log_failure(ctx, "the lease cannot be extended");
			if (clock_monotonic_us() - keeper.heartbeat_us > lease_us)
				engine_cancel_all(engine, CANCEL_SUPERSEDED);
			stop_overdue(engine);
			clock_sleep_ms(AFTER_FAILURE_MS);
		}
		ctx_free(ctx);
	}
	return NULL;
}
