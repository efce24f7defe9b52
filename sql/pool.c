#include "sql/pool.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "sql/pg_internal.h"

enum {
	WAIT_US = 5 * 1000 * 1000,
	STATEMENT_TIMEOUT_MS = 10 * 1000, /* sql/board.c counts on these two: no control transaction is long */
	IDLE_TRANSACTION_TIMEOUT_MS = 10 * 1000,
};
#define IDLE_LIMIT_US (INT64_C(300) * 1000 * 1000)

struct session {
	struct session *next; /* in pool.idle, the youngest first; or in a list to end */
	struct ctx *ctx;      /* its own: holds this struct and the pg */
	struct pool *pool;
	struct pg *db;
	int64_t idle_us; /* since when, monotonic */
};

struct pool {
	struct ctx *ctx; /* its own: holds this struct */
	const struct secret *url;
	int limit;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	/* under lock: */
	struct session *idle;
	int open; /* idle and taken ones, and those being opened */
};

static const struct pg_options options = {
    .what = "control database",
    .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
    .idle_in_transaction_timeout_ms = IDLE_TRANSACTION_TIMEOUT_MS,
};

struct pool *
pool_new(const struct secret *url, int limit)
{
	struct ctx *ctx = ctx_new("pool", 0);
	struct pool *pool = ctx_alloc(ctx, sizeof(*pool));
	pthread_condattr_t attributes;

	ASSERT(limit > 0);
	pool->ctx = ctx;
	pool->url = url;
	pool->limit = limit;
	ASSERT(pthread_mutex_init(&pool->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&attributes) == 0);
	ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&pool->freed, &attributes) == 0);
	(void)pthread_condattr_destroy(&attributes);
	return pool;
}

const struct secret *
pool_url(const struct pool *pool)
{
	return pool->url;
}

static void
lock(struct pool *pool)
{
	ASSERT(pthread_mutex_lock(&pool->lock) == 0);
}

static void
unlock(struct pool *pool)
{
	ASSERT(pthread_mutex_unlock(&pool->lock) == 0);
}

/* Ends sessions that are in no list any more; outside the lock, for closing talks to the network.
 * */
static void
end_sessions(struct session *session)
{
	while (session != NULL) {
		struct session *next = session->next;

		ctx_free(session->ctx);
		session = next;
	}
}

void
pool_free(struct pool *pool)
{
	int idle = 0;

	for (struct session *s = pool->idle; s != NULL; s = s->next)
		idle++;
	ASSERT(idle == pool->open); /* every session is back */
	end_sessions(pool->idle);
	(void)pthread_cond_destroy(&pool->freed);
	(void)pthread_mutex_destroy(&pool->lock);
	ctx_free(pool->ctx);
}

/* Under the lock: takes out those that have been idle for too long. The list is in order of age. */
static struct session *
take_old(struct pool *pool, int64_t now_us)
{
	struct session **link = &pool->idle, *old;

	while (*link != NULL && now_us - (*link)->idle_us <= IDLE_LIMIT_US)
		link = &(*link)->next;
	old = *link;
	*link = NULL;
	for (struct session *s = old; s != NULL; s = s->next)
		pool->open--;
	return old;
}

/* The release of a taken session. */
static void
give_back(void *handle)
{
	struct session *session = handle, *ended;
	struct pool *pool = session->pool;
	bool good = pg_is_idle(session->db);

	session->next = NULL;
	session->idle_us = clock_monotonic_us();
	lock(pool);
	ended = take_old(pool, session->idle_us);
	if (good) {
		session->next = pool->idle;
		pool->idle = session;
	} else {
		pool->open--;
	}
	(void)pthread_cond_signal(&pool->freed);
	unlock(pool);
	if (!good)
		end_sessions(session);
	end_sessions(ended);
}

/* Under the lock: waits one tick for a session to come back. */
static void
wait_tick(struct pool *pool)
{
	int64_t until_us = clock_monotonic_us() + PG_TICK_MS * 1000;
	struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	int error = pthread_cond_timedwait(&pool->freed, &pool->lock, &until);

	ASSERT(error == 0 || error == ETIMEDOUT);
}

/* An idle session, or NULL and the right to open one. */
static bool
reserve(struct ctx *ctx, struct pool *pool, struct session **session)
{
	int64_t deadline_us = clock_monotonic_us() + WAIT_US;
	bool late = false, cancelled = false, got;

	lock(pool);
	while (pool->idle == NULL && pool->open >= pool->limit && !late && !cancelled) {
		wait_tick(pool);
		late = clock_monotonic_us() > deadline_us;
		cancelled = ctx_cancelled(ctx) != CANCEL_NONE;
	}
	*session = pool->idle;
	got = *session != NULL || pool->open < pool->limit;
	if (*session != NULL)
		pool->idle = (*session)->next;
	else if (got)
		pool->open++;
	unlock(pool);
	if (got)
		return true;
	if (cancelled)
		return pg_fail_reason(ctx, ctx_cancelled(ctx), options.what);
	return fail(ctx, FAIL_DATABASE_UNREACHABLE, "%s: all %d sessions were busy for 5 s", options.what, pool->limit);
}

static void
unreserve(struct pool *pool)
{
	lock(pool);
	pool->open--;
	(void)pthread_cond_signal(&pool->freed);
	unlock(pool);
}

static bool
open_session(struct ctx *ctx, struct pool *pool, struct session **session)
{
	struct ctx *own = ctx_new("control session", 0);
	const struct failure *failure = ctx_failure(own);
	struct session *fresh = ctx_alloc(own, sizeof(*fresh));

	fresh->ctx = own;
	fresh->pool = pool;
	if (pg_open(own, pool->url, &options, &fresh->db)) {
		*session = fresh;
		return true;
	}
	unreserve(pool);
	(void)fail_sql(ctx, failure->code, failure->sqlstate, "%s", failure->message);
	ctx_free(own);
	return false;
}

bool
pool_take(struct ctx *ctx, struct pool *pool, struct pg **db)
{
	struct session *session;

	if (!reserve(ctx, pool, &session))
		return false;
	/* An idle session may have died with a restart of its server: then the next, at last a
	 * fresh one. */
	while (session != NULL && !pg_is_idle(session->db)) {
		session->next = NULL;
		end_sessions(session);
		unreserve(pool);
		if (!reserve(ctx, pool, &session))
			return false;
	}
	if (session == NULL && !open_session(ctx, pool, &session))
		return false;
	*db = session->db;
	ctx_defer(ctx, give_back, session);
	return true;
}
