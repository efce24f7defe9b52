#include "server/waiters.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"

enum { BUCKETS = 1024, TICK_MS = 250 };

struct waiters {
	struct waiters_options options;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct waiter *buckets[BUCKETS]; /* by run */
	size_t count;
	uint64_t changes; /* calls of waiters_changed so far */
	bool work;        /* a waiter is marked changed */
	bool draining;
	bool stopping;
	bool started;
	pthread_t thread;
};

static struct waiter **
bucket_of(struct waiters *waiters, const char *run_id)
{
	uint32_t hash = 2166136261U;

	for (; *run_id != '\0'; run_id++)
		hash = (hash ^ (unsigned char)*run_id) * 16777619U;
	return &waiters->buckets[hash % BUCKETS];
}

struct waiters *
waiters_new(struct ctx *ctx, const struct waiters_options *options)
{
	struct waiters *waiters = ctx_alloc(ctx, sizeof(*waiters));
	pthread_condattr_t monotonic;

	waiters->options = *options;
	ASSERT(pthread_mutex_init(&waiters->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&monotonic) == 0);
	ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&waiters->changed, &monotonic) == 0);
	return waiters;
}

static void
insert(struct waiters *waiters, struct waiter *waiter)
{
	struct waiter **bucket = bucket_of(waiters, waiter->run_id);

	waiter->next = *bucket;
	*bucket = waiter;
	waiters->count++;
}

void
waiters_add(struct waiters *waiters, struct waiter *waiter, const char *run_id, const char *etag, int64_t wait_ms)
{
	(void)snprintf(waiter->run_id, sizeof(waiter->run_id), "%s", run_id);
	(void)snprintf(waiter->etag, sizeof(waiter->etag), "%s", etag);
	waiter->deadline_us = clock_monotonic_us() + wait_ms * 1000;
	waiter->changed = true; /* it may have changed since the handler looked */
	pthread_mutex_lock(&waiters->lock);
	insert(waiters, waiter);
	waiters->work = true;
	pthread_cond_signal(&waiters->changed);
	pthread_mutex_unlock(&waiters->lock);
}

void
waiters_changed(struct waiters *waiters, const char *run_id)
{
	pthread_mutex_lock(&waiters->lock);
	waiters->changes++;
	for (struct waiter *w = *bucket_of(waiters, run_id); w != NULL; w = w->next) {
		if (!w->changed && strcmp(w->run_id, run_id) == 0) {
			w->changed = true;
			waiters->work = true;
		}
	}
	if (waiters->work)
		pthread_cond_signal(&waiters->changed);
	pthread_mutex_unlock(&waiters->lock);
}

/* Under the lock: takes out those that have to be looked at now. */
static struct waiter *
take_due(struct waiters *waiters, int64_t now_us)
{
	struct waiter *due = NULL;

	for (size_t i = 0; i < BUCKETS && waiters->count > 0; i++) {
		struct waiter **link = &waiters->buckets[i];

		while (*link != NULL) {
			struct waiter *waiter = *link;

			if (!waiter->changed && !waiters->draining && waiter->deadline_us > now_us) {
				link = &waiter->next;
				continue;
			}
			*link = waiter->next;
			waiters->count--;
			waiter->next = due;
			due = waiter;
		}
	}
	waiters->work = false;
	return due;
}

/* Waits for work or the tick; true while the thread should go on. */
static bool
wait_for_work(struct waiters *waiters)
{
	struct timespec until;
	int64_t until_us = clock_monotonic_us() + TICK_MS * 1000;

	until.tv_sec = until_us / CLOCK_SECOND_US;
	until.tv_nsec = until_us % CLOCK_SECOND_US * 1000;
	if (waiters->count == 0 && !waiters->stopping)
		pthread_cond_wait(&waiters->changed, &waiters->lock);
	else if (!waiters->work && !waiters->stopping)
		(void)pthread_cond_timedwait(&waiters->changed, &waiters->lock, &until);
	return !waiters->stopping || waiters->count > 0;
}

/* Answers a waiter whose run differs or whose time is over; false: it goes on waiting. */
static bool
settle(struct waiters *waiters, struct waiter *waiter, const struct board_page *page, int64_t now_us, bool draining)
{
	if (page != NULL && strcmp(page->etag, waiter->etag) != 0)
		waiters->options.answer(waiter, page);
	else if (draining || waiter->deadline_us <= now_us)
		waiters->options.answer(waiter, NULL);
	else
		return false;
	return true;
}

/* Outside the lock; gives back those that go on waiting. Neighbours mostly wait for the same run: its page is asked for
 * once. */
static struct waiter *
settle_all(struct waiters *waiters, struct waiter *due, int64_t now_us, bool draining)
{
	struct ctx *ctx = ctx_new("waiters", 0);
	char run_id[UUID_TEXT_LENGTH + 1] = "";
	const struct board_page *page = NULL;
	struct waiter *rest = NULL;

	while (due != NULL) {
		struct waiter *waiter = due;

		due = due->next;
		if (strcmp(run_id, waiter->run_id) != 0) {
			memcpy(run_id, waiter->run_id, sizeof(run_id));
			page = waiters->options.page(ctx, waiters->options.arg, run_id);
		}
		if (settle(waiters, waiter, page, now_us, draining))
			continue;
		waiter->next = rest;
		rest = waiter;
	}
	ctx_free(ctx);
	return rest;
}

/* Under the lock. A change said while they were out may have been theirs: then they are looked at again. */
static void
put_back(struct waiters *waiters, struct waiter *rest, bool again)
{
	while (rest != NULL) {
		struct waiter *waiter = rest;

		rest = rest->next;
		waiter->changed = again;
		waiters->work = waiters->work || again;
		insert(waiters, waiter);
	}
}

static void *
run_waiters(void *arg)
{
	struct waiters *waiters = arg;

	pthread_mutex_lock(&waiters->lock);
	while (wait_for_work(waiters)) {
		int64_t now_us = clock_monotonic_us();
		struct waiter *due = take_due(waiters, now_us);
		uint64_t changes = waiters->changes;
		bool draining = waiters->draining;

		if (due == NULL)
			continue;
		pthread_mutex_unlock(&waiters->lock);
		due = settle_all(waiters, due, now_us, draining);
		pthread_mutex_lock(&waiters->lock);
		put_back(waiters, due, changes != waiters->changes);
	}
	pthread_mutex_unlock(&waiters->lock);
	return NULL;
}

void
waiters_start(struct waiters *waiters)
{
	ASSERT(pthread_create(&waiters->thread, NULL, run_waiters, waiters) == 0);
	waiters->started = true;
}

static void
set_ending(struct waiters *waiters, bool stopping)
{
	pthread_mutex_lock(&waiters->lock);
	waiters->draining = true;
	waiters->work = true;
	waiters->stopping = waiters->stopping || stopping;
	pthread_cond_signal(&waiters->changed);
	pthread_mutex_unlock(&waiters->lock);
}

void
waiters_drain(struct waiters *waiters)
{
	set_ending(waiters, false);
}

void
waiters_stop(struct waiters *waiters)
{
	set_ending(waiters, true);
	if (waiters->started)
		pthread_join(waiters->thread, NULL);
	waiters->started = false;
}
