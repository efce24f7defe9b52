/*
 * DESIGN. The keyring's thread alone reads sources, parses keys and builds sets; requests take the pointer of the last set
 * under a lock that nobody holds while reading, parsing or verifying. A request whose token names an unknown key may
 * ask for a reading out of turn and waits for it, for issuers sign with new keys the moment they publish them. As
 * strangers can name keys too, such readings are rationed, and few requests may wait at once: others are told to come again.
 */
#include "handlers/auth_keyring.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "handlers/auth_source.h"

const struct auth_pace auth_pace_default = {
    .url_ms = INT64_C(5) * 60 * 1000,
    .file_ms = 10 * 1000,
    .retry_ms = 1000,
    .stale_ms = INT64_C(24) * 3600 * 1000,
    .fetch_ms = 5000,
    .wait_ms = 3000,
    .refill_ms = 15 * 1000,
    .at_once = 2,
    .waiting = 2,
};

enum { SOURCES = 2 };

struct auth_keyring {
	const struct auth_pace *pace;
	/* the thread's alone, once it runs */
	struct auth_source sources[SOURCES];
	size_t source_count;
	struct ctx_cancel cancel;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	/* under the lock */
	struct auth_keys *keys;
	bool stopping;
	bool wanted;       /* a request wants the key sets read again */
	bool reading;      /* which the thread does */
	uint64_t readings; /* that it has done */
	int waiting;       /* requests that wait for one */
	int64_t spent_us;  /* the ration of readings out of turn: at this time it is whole again */
	pthread_cond_t woken, read;
};

static void
lock(struct auth_keyring *ring)
{
	ASSERT(pthread_mutex_lock(&ring->lock) == 0);
}

static void
unlock(struct auth_keyring *ring)
{
	ASSERT(pthread_mutex_unlock(&ring->lock) == 0);
}

/* False when the time has come. */
static bool
wait_until(struct auth_keyring *ring, pthread_cond_t *changed, int64_t until_us)
{
	struct timespec until = {.tv_sec = until_us / CLOCK_SECOND_US, .tv_nsec = until_us % CLOCK_SECOND_US * 1000};
	int error = pthread_cond_timedwait(changed, &ring->lock, &until);

	ASSERT(error == 0 || error == ETIMEDOUT);
	return error == 0;
}

static void
publish(struct auth_keyring *ring, struct auth_keys *keys)
{
	struct auth_keys *before;

	lock(ring);
	before = ring->keys;
	keys->generation = before != NULL ? before->generation + 1 : 1;
	ring->keys = keys;
	unlock(ring);
	auth_keys_drop(before);
}

/* The set of what the sources have. */
static bool
build(struct ctx *ctx, struct auth_keyring *ring)
{
	struct auth_keys *keys = auth_keys_new();

	keys->complete = true;
	for (size_t i = 0; i < ring->source_count; i++) {
		if (!auth_source_add(ctx, &ring->sources[i], keys)) {
			auth_keys_drop(keys);
			return false;
		}
		keys->complete = keys->complete && ring->sources[i].text.data != NULL;
	}
	publish(ring, keys);
	return true;
}

/* Reads a source; what is new in it counts once a set was built of it. */
static bool
read_source(struct ctx *ctx, struct auth_keyring *ring, struct auth_source *source)
{
	struct auth_source_text fresh, before = source->text;

	if (!auth_source_fetch(ctx, source, ring->pace->fetch_ms, &fresh))
		return false;
	if (auth_source_same(&before, &fresh)) {
		ctx_free(fresh.ctx);
		return true;
	}
	source->text = fresh;
	if (!build(ctx, ring)) {
		source->text = before;
		ctx_free(fresh.ctx);
		return false;
	}
	ctx_free(before.ctx);
	return true;
}

/* A source that has been silent for so long may hide that its keys were revoked. */
static void
expire(struct ctx *ctx, struct auth_keyring *ring, struct auth_source *source, int64_t now_us)
{
	struct ctx *old = source->text.ctx;

	if (source->text.data == NULL || now_us - source->read_us < ring->pace->stale_ms * 1000)
		return;
	source->text = (struct auth_source_text){0};
	log_line(ctx, LOG_ERROR, "keys are dropped: their source has been silent for too long", "source",
	    source->setting, NULL);
	fail_clear(ctx);
	(void)build(ctx, ring);
	ctx_free(old);
}

static void
note_reading(struct auth_keyring *ring, struct auth_source *source, bool ok)
{
	int64_t now_us = clock_monotonic_us(), usual_ms = source->is_url ? ring->pace->url_ms : ring->pace->file_ms;

	source->pause_ms = ok ? usual_ms : source->broken ? source->pause_ms * 2 : ring->pace->retry_ms;
	if (source->pause_ms > usual_ms)
		source->pause_ms = usual_ms;
	source->broken = !ok;
	source->due_us = now_us + source->pause_ms * 1000;
	if (ok)
		source->read_us = now_us;
	metrics_add(METRIC_AUTH_KEY_READS, METRIC_LABELS(ok ? "ok" : "failed"), 1);
}

static void
read_one(struct auth_keyring *ring, struct auth_source *source)
{
	struct ctx *ctx = ctx_new("keys", 0);
	bool ok;

	ctx_watch_cancel(ctx, &ring->cancel);
	ok = read_source(ctx, ring, source);
	if (ctx_cancelled(ctx) == CANCEL_NONE) {
		if (!ok)
			log_line(ctx, LOG_WARN, "keys cannot be read; those there are stay", "source", source->setting,
			    "why", ctx_failure(ctx)->message, NULL);
		note_reading(ring, source, ok);
		expire(ctx, ring, source, clock_monotonic_us());
	}
	ctx_free(ctx);
}

static int64_t
next_due_us(const struct auth_keyring *ring)
{
	int64_t due_us = INT64_MAX;

	for (size_t i = 0; i < ring->source_count; i++)
		if (!ring->sources[i].is_fixed && ring->sources[i].due_us < due_us)
			due_us = ring->sources[i].due_us;
	return due_us;
}

static void
read_due(struct auth_keyring *ring, bool out_of_turn)
{
	int64_t now_us = clock_monotonic_us();

	for (size_t i = 0; i < ring->source_count; i++) {
		struct auth_source *source = &ring->sources[i];

		if (!source->is_fixed && (source->due_us <= now_us || (out_of_turn && source->is_set)))
			read_one(ring, source);
	}
}

static void *
keep(void *arg)
{
	struct auth_keyring *ring = arg;

	lock(ring);
	while (!ring->stopping) {
		bool wanted = ring->wanted;

		if (!wanted && clock_monotonic_us() < next_due_us(ring)) {
			(void)wait_until(ring, &ring->woken, next_due_us(ring));
			continue;
		}
		ring->wanted = false;
		ring->reading = true;
		unlock(ring);
		read_due(ring, wanted);
		lock(ring);
		ring->reading = false;
		ring->readings++;
		(void)pthread_cond_broadcast(&ring->read);
	}
	unlock(ring);
	return NULL;
}

static void
release_ring(void *handle)
{
	struct auth_keyring *ring = handle;

	lock(ring);
	ring->stopping = true;
	(void)ctx_cancel_set(&ring->cancel, CANCEL_SHUTDOWN);
	(void)pthread_cond_signal(&ring->woken);
	(void)pthread_cond_broadcast(&ring->read);
	unlock(ring);
	if (ring->running)
		ASSERT(pthread_join(ring->thread, NULL) == 0);
	for (size_t i = 0; i < ring->source_count; i++)
		ctx_free(ring->sources[i].text.ctx);
	auth_keys_drop(ring->keys);
	(void)pthread_cond_destroy(&ring->woken);
	(void)pthread_cond_destroy(&ring->read);
	(void)pthread_mutex_destroy(&ring->lock);
}

static void
prepare(struct auth_keyring *ring)
{
	pthread_condattr_t monotonic;

	ASSERT(pthread_mutex_init(&ring->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&monotonic) == 0);
	ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&ring->woken, &monotonic) == 0 && pthread_cond_init(&ring->read, &monotonic) == 0);
	(void)pthread_condattr_destroy(&monotonic);
}

static size_t
count_keys(const struct auth_keyring *ring)
{
	ASSERT(ring->keys != NULL);
	return ring->keys->count;
}

/* The first reading: what a person has to mend ends the start, an issuer that is away does not. */
static bool
read_first(struct ctx *ctx, struct auth_keyring *ring, struct auth_source *source)
{
	size_t before = count_keys(ring);

	if (source->is_url) {
		read_one(ring, source);
		return true;
	}
	if (!read_source(ctx, ring, source)) {
		struct failure *failure = ctx_failure(ctx);
		char *message = ctx_printf(ctx, "%s: %s", source->setting, failure->message);

		fail_clear(ctx);
		return fail(ctx, FAIL_CONFIG_INVALID, "%s", message);
	}
	note_reading(ring, source, true);
	return count_keys(ring) > before ||
	       fail(ctx, FAIL_CONFIG_INVALID, "%s has no key that RS256 or ES256 can be verified with",
		   source->setting);
}

bool
auth_keyring_new(struct ctx *ctx, const struct config *config, const struct auth_pace *pace, struct auth_keyring **made)
{
	struct auth_keyring *ring = ctx_alloc(ctx, sizeof(*ring));

	prepare(ring);
	ring->pace = pace;
	ctx_defer(ctx, release_ring, ring);
	if (!auth_source_list(ctx, config, ring->sources, &ring->source_count) || !build(ctx, ring))
		return false;
	for (size_t i = 0; i < ring->source_count; i++)
		if (!read_first(ctx, ring, &ring->sources[i]))
			return false;
	if (next_due_us(ring) != INT64_MAX) {
		ASSERT(pthread_create(&ring->thread, NULL, keep, ring) == 0);
		ring->running = true;
	}
	*made = ring;
	return true;
}

bool
auth_keyring_is_used(const struct auth_keyring *ring)
{
	return ring->source_count > 0;
}

const struct auth_keys *
auth_keyring_take(struct ctx *ctx, struct auth_keyring *ring)
{
	struct auth_keys *keys;

	lock(ring);
	keys = auth_keys_hold(ring->keys);
	unlock(ring);
	ctx_defer(ctx, auth_keys_drop, keys);
	return keys;
}

uint64_t
auth_keyring_generation(struct auth_keyring *ring)
{
	uint64_t generation;

	lock(ring);
	generation = ring->keys->generation;
	unlock(ring);
	return generation;
}

/* Under the lock: whether the ration allows one more reading out of turn, and if so, takes it. */
static bool
take_ration(struct auth_keyring *ring)
{
	int64_t now_us = clock_monotonic_us(), refill_us = ring->pace->refill_ms * 1000;
	int64_t from_us = ring->spent_us > now_us ? ring->spent_us : now_us;

	if (from_us + refill_us > now_us + ring->pace->at_once * refill_us)
		return false;
	ring->spent_us = from_us + refill_us;
	return true;
}

/* Under the lock. */
static enum auth_news
wait_for_reading(struct auth_keyring *ring, uint64_t generation)
{
	int64_t until_us = clock_monotonic_us() + ring->pace->wait_ms * 1000;
	uint64_t seen = ring->readings;

	if (ring->waiting >= ring->pace->waiting)
		return AUTH_NEWS_LATER;
	ring->waiting++;
	while (!ring->stopping && ring->readings == seen && wait_until(ring, &ring->read, until_us))
		continue;
	ring->waiting--;
	if (ring->keys->generation != generation)
		return AUTH_NEWS;
	return ring->readings == seen ? AUTH_NEWS_LATER : AUTH_NO_NEWS;
}

enum auth_news
auth_keyring_ask(struct auth_keyring *ring, uint64_t generation)
{
	enum auth_news news = AUTH_NO_NEWS;
	bool has_set = false;

	for (size_t i = 0; i < ring->source_count; i++)
		has_set = has_set || ring->sources[i].is_set;
	if (!has_set)
		return AUTH_NO_NEWS;
	lock(ring);
	if (ring->keys->generation != generation) {
		news = AUTH_NEWS;
	} else if (ring->wanted || ring->reading || take_ration(ring)) {
		if (!ring->reading && !ring->wanted) {
			ring->wanted = true;
			(void)pthread_cond_signal(&ring->woken);
		}
		news = wait_for_reading(ring, generation);
	}
	unlock(ring);
	return news;
}
