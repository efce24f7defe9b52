#include "server/reaper.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

static const int64_t TICK_US = CLOCK_SECOND_US;

const struct reaper_limits reaper_limits = {{
    [REAPER_READING] = 30 * CLOCK_SECOND_US,
    [REAPER_SENDING] = 300 * CLOCK_SECOND_US, /* the largest page, over the slowest line that is of use */
    [REAPER_IDLE] = 120 * CLOCK_SECOND_US,    /* beyond the library's idle timeout */
}};

struct reaper_entry {
	struct reaper_entry *next, **link;
	int fd;
	enum reaper_phase phase;
	int64_t since_us; /* monotonic */
	bool left;        /* the peer had closed its side at the last tick of this phase */
	bool ended;
};

struct reaper {
	const struct reaper_limits *limits;
	pthread_mutex_t lock; /* of everything below and in every entry */
	pthread_cond_t changed;
	struct reaper_entry *first;
	bool stopping, started;
	pthread_t thread;
};

struct reaper *
reaper_new(struct ctx *ctx, const struct reaper_limits *limits)
{
	struct reaper *reaper = ctx_alloc(ctx, sizeof(*reaper));
	pthread_condattr_t monotonic;

	reaper->limits = limits;
	ASSERT(pthread_mutex_init(&reaper->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&monotonic) == 0);
	ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&reaper->changed, &monotonic) == 0);
	return reaper;
}

struct reaper_entry *
reaper_add(struct reaper *reaper, int fd)
{
	struct reaper_entry *entry = calloc(1, sizeof(*entry));

	ASSERT(entry != NULL);
	entry->fd = fd;
	entry->since_us = clock_monotonic_us();
	pthread_mutex_lock(&reaper->lock);
	entry->next = reaper->first;
	entry->link = &reaper->first;
	if (entry->next != NULL)
		entry->next->link = &entry->next;
	reaper->first = entry;
	pthread_mutex_unlock(&reaper->lock);
	return entry;
}

void
reaper_remove(struct reaper *reaper, struct reaper_entry *entry)
{
	if (entry == NULL)
		return;
	pthread_mutex_lock(&reaper->lock);
	*entry->link = entry->next;
	if (entry->next != NULL)
		entry->next->link = entry->link;
	pthread_mutex_unlock(&reaper->lock);
	free(entry);
}

void
reaper_enter(struct reaper *reaper, struct reaper_entry *entry, enum reaper_phase phase)
{
	if (entry == NULL)
		return;
	pthread_mutex_lock(&reaper->lock);
	entry->phase = phase;
	entry->left = false;
	entry->since_us = clock_monotonic_us();
	pthread_mutex_unlock(&reaper->lock);
}

static bool
is_overdue(const struct reaper *reaper, const struct reaper_entry *entry, int64_t now_us)
{
	int64_t limit_us = reaper->limits->us[entry->phase];

	return !entry->ended && limit_us != 0 && now_us - entry->since_us >= limit_us;
}

/* The library does not see in every state that its peer has closed. Who has, and has not sent a whole request, will not: but
 * what it sent may just be on its way to the library, so it counts when it is still so a tick later. Who has sent one may close its
 * side and read on. */
static bool
has_left(struct reaper_entry *entry)
{
	struct pollfd side = {.fd = entry->fd, .events = POLLRDHUP};
	bool before = entry->left;

	if (entry->ended || entry->phase == REAPER_ANSWERING || entry->phase == REAPER_SENDING)
		return false;
	entry->left = poll(&side, 1, 0) > 0;
	return before && entry->left;
}

/* Under the lock, so that no fd is closed and used again meanwhile. The library sees the end and closes. */
static size_t
end_overdue(struct reaper *reaper)
{
	int64_t now_us = clock_monotonic_us();
	size_t count = 0;

	for (struct reaper_entry *entry = reaper->first; entry != NULL; entry = entry->next) {
		if (!is_overdue(reaper, entry, now_us) && !has_left(entry))
			continue;
		entry->ended = true;
		(void)shutdown(entry->fd, SHUT_RDWR);
		count++;
	}
	return count;
}

static void
note(size_t count)
{
	struct ctx *ctx = ctx_new("reaper", 0);

	log_line(ctx, LOG_DEBUG, "slow or silent connections ended", "count", text_from_i64(ctx, (int64_t)count), NULL);
	ctx_free(ctx);
}

static void *
run_reaper(void *arg)
{
	struct reaper *reaper = arg;

	pthread_mutex_lock(&reaper->lock);
	while (!reaper->stopping) {
		int64_t until_us = clock_monotonic_us() + TICK_US;
		struct timespec until = {until_us / CLOCK_SECOND_US, until_us % CLOCK_SECOND_US * 1000};
		size_t count = end_overdue(reaper);

		if (count > 0) {
			pthread_mutex_unlock(&reaper->lock);
			note(count);
			pthread_mutex_lock(&reaper->lock);
		}
		if (!reaper->stopping)
			(void)pthread_cond_timedwait(&reaper->changed, &reaper->lock, &until);
	}
	pthread_mutex_unlock(&reaper->lock);
	return NULL;
}

void
reaper_start(struct reaper *reaper)
{
	ASSERT(pthread_create(&reaper->thread, NULL, run_reaper, reaper) == 0);
	reaper->started = true;
}

void
reaper_stop(struct reaper *reaper)
{
	pthread_mutex_lock(&reaper->lock);
	reaper->stopping = true;
	pthread_cond_signal(&reaper->changed);
	pthread_mutex_unlock(&reaper->lock);
	if (reaper->started)
		pthread_join(reaper->thread, NULL);
	reaper->started = false;
}
