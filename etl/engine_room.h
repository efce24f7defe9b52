/*
 * engine_room: what the engine's threads share. Not for others: engine.h is the door.
 *
 * One lock guards the queue of claimed steps and the list of attempts in progress; everything else is immutable after
 * engine_start or atomic. Decide under the lock, act outside it.
 */
#ifndef ETL_ENGINE_ROOM_H
#define ETL_ENGINE_ROOM_H

#include <pthread.h>

#include "etl/engine.h"
#include "sql/step_store.h"

/* Steps claimed together share one ctx; the last one to end frees it. Immutable once queued. */
struct batch {
	struct ctx *ctx;
	atomic_int left;
};

/* For what an attempt waits. The worker says it, the claimer tells the control database what lasts, so that a worker never asks
 * anybody while it holds locks of the warehouse. Guarded by engine.lock. */
struct attempt_wait {
	const char *kind; /* a name of sql/step_waits.h; NULL: nothing */
	char detail[128];
	int64_t since_us; /* monotonic; 0: it does not wait */
	int64_t told_us;  /* since_us of what the control database knows; 0: it knows of none */
};

/* One claimed step from the claim to its report. */
struct attempt {
	struct attempt *next; /* in engine.attempts; guarded by engine.lock */
	struct batch *batch;
	const struct step_claim *claim;
	bool taken; /* by a worker; guarded by engine.lock */
	struct ctx_cancel cancel;
	_Atomic int64_t deadline_us; /* monotonic; 0: none yet */
	struct attempt_wait wait;
};

struct engine {
	struct engine_options options;
	pthread_mutex_t lock;
	pthread_cond_t wake_claimer;
	pthread_cond_t wake_workers;
	struct attempt *attempts;  /* claimed and not yet reported, oldest claim first; guarded by lock */
	int busy;                  /* length of attempts; guarded by lock */
	bool hurry;                /* something may be claimable; guarded by lock */
	atomic_bool quiescing;     /* claim nothing more */
	atomic_bool stopping;      /* threads end */
	struct ctx_cancel threads; /* wakes waits of the listener, the claimer and the keeper at the end */
	pthread_t claimer, listener, keeper, scheduler, notifier, sweeper;
	pthread_t *workers;
	int worker_count; /* one more than options.workers: a slot that only revocations may fill */
};

/* Threads; each takes the engine. */
void *claimer_main(void *engine);
void *listener_main(void *engine);
void *keeper_main(void *engine);
void *worker_main(void *engine);
void *scheduler_main(void *engine);
void *notifier_main(void *engine);
void *sweeper_main(void *engine);

/* Sleeps that long; false as soon as the engine is stopping. */
bool engine_pause(struct engine *engine, int64_t ms);

/* Wakes the claimer: a step may be claimable or a worker is free. */
void engine_hurry(struct engine *engine);

/* Hands claimed steps to the workers. */
void engine_enlist(struct engine *engine, struct ctx *batch_ctx, const struct step_claims *claims);

/* The next attempt for a worker; waits. NULL: the engine is stopping and nothing is left to do. */
struct attempt *engine_next(struct engine *engine);

/* An attempt is reported: off the list, its batch released, the claimer woken. */
void engine_forget(struct engine *engine, struct attempt *attempt);

/* Cancels every attempt in progress. */
void engine_cancel_all(struct engine *engine, enum cancel_reason reason);

#endif
