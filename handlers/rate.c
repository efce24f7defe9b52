/*
 * DESIGN. Subjects are known by a 64-bit hash; whoever has a token cannot choose his subject, so nobody makes collisions. A
 * set of slots is looked through; a subject that is not in it takes the slot that was used longest ago: full again by then, or
 * more subjects write at once than there are slots, and each is forgiven some writes.
 */
#include "handlers/rate.h"

#include <pthread.h>

#include "base/bug.h"
#include "base/clock.h"

enum { SETS = 512, SLOTS = 8, BURST_S = 10 };

struct bucket {
	uint64_t subject; /* 0: unused */
	int64_t level_us; /* writes left, each worth cost_us */
	int64_t at_us;    /* when level was right */
};

struct rates {
	pthread_mutex_t lock; /* of the buckets */
	int64_t cost_us;      /* 0: no limit */
	struct bucket buckets[SETS][SLOTS];
};

struct rates *
rates_new(struct ctx *ctx, int64_t per_second)
{
	struct rates *rates = ctx_alloc(ctx, sizeof(*rates));

	ASSERT(pthread_mutex_init(&rates->lock, NULL) == 0);
	rates->cost_us = per_second > 0 ? CLOCK_SECOND_US / per_second : 0;
	if (per_second > 0 && rates->cost_us == 0)
		rates->cost_us = 1;
	return rates;
}

static uint64_t
hash_of(const char *subject)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *subject != '\0'; subject++)
		hash = (hash ^ (unsigned char)*subject) * UINT64_C(1099511628211);
	return hash != 0 ? hash : 1;
}

static struct bucket *
bucket_of(struct rates *rates, uint64_t subject, int64_t now_us)
{
	struct bucket *set = rates->buckets[subject % SETS], *oldest = set;

	for (int i = 0; i < SLOTS; i++) {
		if (set[i].subject == subject)
			return &set[i];
		if (set[i].subject == 0 || (oldest->subject != 0 && set[i].at_us < oldest->at_us))
			oldest = &set[i];
	}
	*oldest = (struct bucket){.subject = subject, .level_us = BURST_S * CLOCK_SECOND_US, .at_us = now_us};
	return oldest;
}

int64_t
rates_take(struct rates *rates, const char *subject, int64_t now_us)
{
	const int64_t full_us = BURST_S * CLOCK_SECOND_US;
	struct bucket *bucket;
	int64_t wait_us;

	if (rates->cost_us == 0)
		return 0;
	pthread_mutex_lock(&rates->lock);
	bucket = bucket_of(rates, hash_of(subject), now_us);
	bucket->level_us += now_us - bucket->at_us;
	if (bucket->level_us > full_us)
		bucket->level_us = full_us;
	bucket->at_us = now_us;
	wait_us = rates->cost_us - bucket->level_us;
	if (wait_us <= 0)
		bucket->level_us -= rates->cost_us;
	pthread_mutex_unlock(&rates->lock);
	return wait_us <= 0 ? 0 : (wait_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US;
}
