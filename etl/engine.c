/*
 * DESIGN. The control database is the queue; the claimer takes no more than can run now, so that a step is either
 * executing here or free for any replica. Workers never touch each other: a claim comes to them as an attempt with its own
 * cancel flag, and goes back as one report. The keeper is the only one who speaks for all of them (the lease) and to all
 * of them (the flags). One slot more than there are workers is kept for revocations, so that a cancel never waits for a load.
 */
#include "etl/engine.h"

#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "etl/engine_room.h"
#include "etl/slice.h"
#include "sql/replica_store.h"

void
engine_hurry(struct engine *engine)
{
	(void)pthread_mutex_lock(&engine->lock);
	engine->hurry = true;
	(void)pthread_cond_signal(&engine->wake_claimer);
	(void)pthread_mutex_unlock(&engine->lock);
}

bool
engine_pause(struct engine *engine, int64_t ms)
{
	int64_t until_us = clock_monotonic_us() + ms * 1000;

	while (!atomic_load(&engine->stopping) && clock_monotonic_us() < until_us)
		clock_sleep_ms(100);
	return !atomic_load(&engine->stopping);
}

static void
batch_release(struct batch *batch)
{
	if (atomic_fetch_sub(&batch->left, 1) == 1)
		ctx_free(batch->ctx); /* its attempts and the batch itself live in it */
}

void
engine_enlist(struct engine *engine, struct ctx *batch_ctx, const struct step_claims *claims)
{
	struct batch *batch = ctx_alloc(batch_ctx, sizeof(*batch));
	struct attempt *attempts = ctx_alloc_array(batch_ctx, claims->count, sizeof(*attempts));
	struct attempt **end;

	batch->ctx = batch_ctx;
	atomic_init(&batch->left, (int)claims->count);
	(void)pthread_mutex_lock(&engine->lock);
	for (end = &engine->attempts; *end != NULL; end = &(*end)->next)
		continue;
	for (size_t i = 0; i < claims->count; i++) {
		attempts[i].batch = batch;
		attempts[i].claim = &claims->items[i];
		*end = &attempts[i];
		end = &attempts[i].next;
	}
	engine->busy += (int)claims->count;
	metrics_set(METRIC_STEPS_RUNNING, METRIC_LABELS(NULL), engine->busy);
	(void)pthread_cond_broadcast(&engine->wake_workers);
	(void)pthread_mutex_unlock(&engine->lock);
}

struct attempt *
engine_next(struct engine *engine)
{
	struct attempt *attempt;

	(void)pthread_mutex_lock(&engine->lock);
	for (;;) {
		for (attempt = engine->attempts; attempt != NULL && attempt->taken; attempt = attempt->next)
			continue;
		if (attempt != NULL || atomic_load(&engine->stopping))
			break;
		(void)pthread_cond_wait(&engine->wake_workers, &engine->lock);
	}
	if (attempt != NULL)
		attempt->taken = true;
	(void)pthread_mutex_unlock(&engine->lock);
	return attempt;
}

void
engine_forget(struct engine *engine, struct attempt *attempt)
{
	struct attempt **link;

	(void)pthread_mutex_lock(&engine->lock);
	for (link = &engine->attempts; *link != attempt; link = &(*link)->next)
		continue;
	*link = attempt->next;
	engine->busy--;
	engine->hurry = true;
	metrics_set(METRIC_STEPS_RUNNING, METRIC_LABELS(NULL), engine->busy);
	(void)pthread_cond_signal(&engine->wake_claimer);
	(void)pthread_mutex_unlock(&engine->lock);
	batch_release(attempt->batch);
}

void
engine_cancel_all(struct engine *engine, enum cancel_reason reason)
{
	(void)pthread_mutex_lock(&engine->lock);
	for (struct attempt *attempt = engine->attempts; attempt != NULL; attempt = attempt->next)
		(void)ctx_cancel_set(&attempt->cancel, reason);
	(void)pthread_mutex_unlock(&engine->lock);
}

static int
attempts_left(struct engine *engine)
{
	int busy;

	(void)pthread_mutex_lock(&engine->lock);
	busy = engine->busy;
	(void)pthread_mutex_unlock(&engine->lock);
	return busy;
}

static bool
register_replica(struct ctx *ctx, const struct engine_options *options)
{
	CTX_SCOPE(tmp, ctx);
	char host[256] = "";
	struct pg *db;

	(void)gethostname(host, sizeof(host) - 1);
	return pool_take(tmp, options->pool, &db) &&
	       replica_register(tmp, db, options->boot_id, host, options->config->lease_ms);
}

static void
start_thread(pthread_t *thread, void *(*body)(void *), struct engine *engine)
{
	ASSERT(pthread_create(thread, NULL, body, engine) == 0);
}

bool
engine_start(struct ctx *ctx, const struct engine_options *options, struct engine **started)
{
	struct engine *engine = ctx_alloc(ctx, sizeof(*engine));
	pthread_condattr_t monotonic;

	engine->options = *options;
	engine->worker_count = options->workers > 0 ? options->workers + 1 : 0;
	engine->workers = ctx_alloc_array(ctx, (size_t)engine->worker_count, sizeof(pthread_t));
	ASSERT(pthread_mutex_init(&engine->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&monotonic) == 0);
	ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0); /* a clock set back stops no poll */
	ASSERT(pthread_cond_init(&engine->wake_claimer, &monotonic) == 0);
	(void)pthread_condattr_destroy(&monotonic);
	ASSERT(pthread_cond_init(&engine->wake_workers, NULL) == 0);
	*started = engine;
	if (options->workers == 0)
		return true;
	if (!register_replica(ctx, options))
		return false;
	slice_sweep(ctx, options->config);
	start_thread(&engine->keeper, keeper_main, engine);
	for (int i = 0; i < engine->worker_count; i++)
		start_thread(&engine->workers[i], worker_main, engine);
	start_thread(&engine->listener, listener_main, engine);
	start_thread(&engine->claimer, claimer_main, engine);
	start_thread(&engine->scheduler, scheduler_main, engine);
	start_thread(&engine->notifier, notifier_main, engine);
	start_thread(&engine->sweeper, sweeper_main, engine);
	return true;
}

void
engine_quiesce(struct engine *engine)
{
	atomic_store(&engine->quiescing, true);
	engine_hurry(engine);
}

static void
join_threads(struct engine *engine)
{
	(void)pthread_mutex_lock(&engine->lock);
	atomic_store(&engine->stopping, true);
	(void)pthread_cond_broadcast(&engine->wake_workers);
	(void)pthread_cond_broadcast(&engine->wake_claimer);
	(void)pthread_mutex_unlock(&engine->lock);
	(void)ctx_cancel_set(&engine->threads, CANCEL_SHUTDOWN);
	(void)pthread_join(engine->claimer, NULL);
	(void)pthread_join(engine->listener, NULL);
	(void)pthread_join(engine->scheduler, NULL);
	(void)pthread_join(engine->notifier, NULL);
	(void)pthread_join(engine->sweeper, NULL);
	for (int i = 0; i < engine->worker_count; i++)
		(void)pthread_join(engine->workers[i], NULL);
	(void)pthread_join(engine->keeper, NULL);
}

static void
leave(struct engine *engine)
{
	struct ctx *ctx = ctx_new("engine stop", 0);
	struct pg *db;

	if (!pool_take(ctx, engine->options.pool, &db) || !replica_leave(ctx, db, engine->options.boot_id))
		log_failure(ctx, "leaving without a word: the lease will tell");
	ctx_free(ctx);
}

void
engine_stop(struct engine *engine, int64_t drain_ms)
{
	int64_t deadline_us = clock_monotonic_us() + drain_ms * 1000;

	if (engine->options.workers == 0)
		return;
	engine_quiesce(engine);
	while (attempts_left(engine) > 0 && clock_monotonic_us() < deadline_us)
		clock_sleep_ms(20);
	engine_cancel_all(engine, CANCEL_SHUTDOWN);
	join_threads(engine);
	leave(engine);
}
