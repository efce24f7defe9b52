/* claimer: fills idle workers from the queue, and sweeps what other replicas left behind. */
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "etl/engine_room.h"
#include "sql/audit_store.h"
#include "sql/run_store.h"

enum { POLL_MS = 1000, AFTER_FAILURE_MS = 500, LASTING_MS = 1000 };

/* Until something may be claimable, a worker is free, or POLL_MS passed. */
static void
wait_for_work(struct engine *engine, int64_t timeout_ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until); /* as wake_claimer counts */
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&engine->lock);
	while (!engine->hurry && !atomic_load(&engine->stopping)) {
		if (pthread_cond_timedwait(&engine->wake_claimer, &engine->lock, &until) != 0)
			break;
	}
	engine->hurry = false;
	(void)pthread_mutex_unlock(&engine->lock);
}

static int
idle_workers(struct engine *engine)
{
	int idle;

	(void)pthread_mutex_lock(&engine->lock);
	idle = engine->worker_count - engine->busy;
	(void)pthread_mutex_unlock(&engine->lock);
	return idle;
}

static void
observe_delays(const struct step_claims *claims)
{
	for (size_t i = 0; i < claims->count; i++) {
		int64_t delay_us = clock_now_us() - claims->items[i].ready_us;

		metrics_observe(METRIC_STEP_START_DELAY, METRIC_LABELS(NULL),
		    delay_us > 0 ? (double)delay_us / 1e6 : 0);
	}
}

/* One claim. True when as many came as were asked for: there may be more. */
static bool
claim_once(struct engine *engine, int limit, bool revocations_only)
{
	struct ctx *batch_ctx = ctx_new("claim", 0);
	struct step_claims claims = {0};
	struct pg *db;
	bool ok;

	{
		CTX_SCOPE(tmp, batch_ctx);
		ok = pool_take(tmp, engine->options.pool, &db) &&
		     step_claim(batch_ctx, db, engine->options.boot_id, revocations_only, limit, &claims);
	}
	if (!ok) {
		log_failure(batch_ctx, "cannot claim steps");
		clock_sleep_ms(AFTER_FAILURE_MS);
	}
	if (!ok || claims.count == 0) {
		ctx_free(batch_ctx);
		return false;
	}
	observe_delays(&claims);
	engine_enlist(engine, batch_ctx, &claims);
	return claims.count == (size_t)limit;
}

/* The last idle slot is for revocations, which may also fill the others. */
static void
claim(struct engine *engine)
{
	int idle = idle_workers(engine);

	while (idle > 1 && claim_once(engine, idle - 1, false))
		idle = idle_workers(engine);
	if (idle_workers(engine) > 0)
		(void)claim_once(engine, 1, true);
}

static bool
is_in_progress(struct engine *engine, const struct step_holding *held)
{
	bool found = false;

	(void)pthread_mutex_lock(&engine->lock);
	for (struct attempt *attempt = engine->attempts; attempt != NULL && !found; attempt = attempt->next)
		found = text_equal(attempt->claim->id, held->id) && attempt->claim->load_number == held->load_number;
	(void)pthread_mutex_unlock(&engine->lock);
	return found;
}

/*
 * A claim whose COMMIT was not answered may have been made: its steps are ours, our lease keeps them so, and nobody works on
 * them. Only this thread claims, so a step that is ours and not in progress is one of those, or its attempt ended since the
 * question: then its load number is not the holder's any more and nothing changes.
 */
static bool
give_back_lost_claims(struct ctx *ctx, struct engine *engine, struct pg *db)
{
	const char *boot_id = engine->options.boot_id;
	struct step_holding *items;
	size_t count;

	if (!step_holdings(ctx, db, boot_id, &items, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct step_claim claim = {.id = items[i].id,
		    .run_id = items[i].run_id,
		    .load_number = items[i].load_number};
		bool mine = false;

		if (is_in_progress(engine, &items[i]))
			continue;
		if (!step_hand_back(ctx, db, &claim, boot_id, &mine))
			return false;
		if (mine)
			log_line(ctx, LOG_WARN, "gave back a step whose claim was not answered", "step_id", items[i].id,
			    NULL);
	}
	return true;
}

/* An attempt whose wait is to be told, or told to be over; taken: marked as told. */
static bool
find_untold(struct ctx *ctx, struct engine *engine, struct step_claim *claim, const char **kind, const char **detail)
{
	int64_t lasting_us = clock_monotonic_us() - LASTING_MS * 1000;
	bool found = false;

	(void)pthread_mutex_lock(&engine->lock);
	for (struct attempt *attempt = engine->attempts; attempt != NULL && !found; attempt = attempt->next) {
		struct attempt_wait *wait = &attempt->wait;
		int64_t since_us = wait->since_us <= lasting_us ? wait->since_us : 0;

		if (since_us == wait->told_us)
			continue;
		found = true;
		wait->told_us = since_us;
		*claim = (struct step_claim){.id = ctx_strdup(ctx, attempt->claim->id),
		    .run_id = ctx_strdup(ctx, attempt->claim->run_id),
		    .boot_id = engine->options.boot_id,
		    .load_number = attempt->claim->load_number};
		*kind = since_us != 0 ? wait->kind : NULL;
		*detail = ctx_strdup(ctx, wait->detail);
	}
	(void)pthread_mutex_unlock(&engine->lock);
	return found;
}

static void
tell_waits(struct engine *engine)
{
	struct ctx *ctx = ctx_new("waits", 0);
	const char *kind, *detail;
	struct step_claim claim;
	struct pg *db = NULL;

	while (find_untold(ctx, engine, &claim, &kind, &detail)) {
		if ((db != NULL || pool_take(ctx, engine->options.pool, &db)) &&
		    step_wait_for(ctx, db, &claim, kind, detail))
			continue;
		log_failure(ctx, "cannot tell for what a step waits");
		break;
	}
	ctx_free(ctx);
}

static void
sweep(struct engine *engine)
{
	struct ctx *ctx = ctx_new("sweep", 0);
	int64_t lost = 0, expired = 0;
	struct pg *db;

	if (!pool_take(ctx, engine->options.pool, &db) || !step_expire_leases(ctx, db, &lost) ||
	    !give_back_lost_claims(ctx, engine, db) || !run_expire_deadlines(ctx, db, &expired) || !audit_seal(ctx, db))
		log_failure(ctx, "cannot sweep");
	if (lost > 0)
		log_line(ctx, LOG_WARN, "took over steps of a lost replica", "steps", text_from_i64(ctx, lost), NULL);
	ctx_free(ctx);
}

void *
claimer_main(void *arg)
{
	struct engine *engine = arg;
	int64_t period_us = engine->options.config->lease_ms * 1000 / 3;
	int64_t next_sweep_us = 0;

	while (!atomic_load(&engine->stopping)) {
		if (!atomic_load(&engine->quiescing)) {
			if (clock_monotonic_us() >= next_sweep_us) {
				sweep(engine);
				next_sweep_us = clock_monotonic_us() + period_us;
			}
			claim(engine);
		}
		tell_waits(engine);
		wait_for_work(engine, POLL_MS);
	}
	return NULL;
}

/* Turns notifications into hurry. Without it the claimer's polling is enough. */
static bool
listen_on(struct ctx *ctx, struct engine *engine)
{
	struct pg_options options = {.what = "control database", .application_name = "loadstar listener"};
	struct pg *db;
	bool notified;

	ctx_watch_cancel(ctx, &engine->threads);
	if (!pg_open(ctx, pool_url(engine->options.pool), &options, &db) || !pg_run(ctx, db, "LISTEN loadstar_work"))
		return false;
	engine_hurry(engine); /* what came while nobody listened */
	while (!atomic_load(&engine->stopping)) {
		if (!pg_wait_notify(ctx, db, 30000, &notified) || (!notified && !pg_run(ctx, db, "SELECT 1")))
			return false;
		if (notified)
			engine_hurry(engine);
	}
	return true;
}

void *
listener_main(void *arg)
{
	struct engine *engine = arg;

	while (!atomic_load(&engine->stopping)) {
		struct ctx *ctx = ctx_new("listener", 0);

		if (!listen_on(ctx, engine) && !atomic_load(&engine->stopping)) {
			log_failure(ctx, "not listening for work; polling goes on");
			clock_sleep_ms(AFTER_FAILURE_MS);
		}
		ctx_free(ctx);
	}
	return NULL;
}
