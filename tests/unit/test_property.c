/*
 * A property of the whole engine: whatever runs are asked for, and whatever fails meanwhile, the warehouse holds what the
 * reference in memory says, and a reader never sees half of anything or a row that a gate refuses.
 *
 * LOADSTAR_SEED=n begins with that sequence, LOADSTAR_SEQUENCES=n says how many. One more has its seed from the clock. A failure
 * prints its seed and all that was done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/clock.h"
#include "base/log.h"
#include "tests/support/property.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEQUENCES = 60 };
#else
enum { SEQUENCES = 1000 };
#endif

enum { WORLDS = 2 };

static _Atomic int64_t next_place, all_looks;
static atomic_int wrong;
static int64_t first_seed, sequences;
static uint64_t clock_seed;

static int64_t
setting(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	int64_t value;

	return text != NULL && text_to_i64(text, &value) ? value : otherwise;
}

static void
play_one(struct world *world, struct reader *reader, uint64_t seed)
{
	int64_t before, looks;
	const char *seen = reader_saw(reader, &before);

	(void)property_run(world, seed);
	seen = reader_saw(reader, &looks);
	atomic_fetch_add(&all_looks, looks - before);
	if (seen != NULL)
		world_wrong(world, "a reader saw: %s", seen);
	if (world->wrong != NULL && atomic_fetch_add(&wrong, 1) == 0)
		(void)fprintf(stderr, "LOADSTAR_SEED=%llu LOADSTAR_SEQUENCES=1\n%s%s\n", (unsigned long long)seed,
		    world->said.data, world->wrong);
	world_end(world);
}

static void *
play(void *arg)
{
	struct world *world = arg;
	struct reader *reader = reader_start(world->ctx, world);
	int64_t place;

	while ((place = atomic_fetch_add(&next_place, 1)) <= sequences && atomic_load(&wrong) == 0)
		play_one(world, reader, place == sequences ? clock_seed : (uint64_t)(first_seed + place));
	reader_stop(reader);
	return NULL;
}

static void
test_sequences(void **state)
{
	struct ctx *ctxs[WORLDS];
	struct world *worlds[WORLDS];
	pthread_t threads[WORLDS];

	(void)state;
	for (int i = 0; i < WORLDS; i++) {
		ctxs[i] = ctx_new("world", 0);
		worlds[i] = world_new(ctxs[i], i);
		property_make_tables(worlds[i]);
	}
	for (int i = 0; i < WORLDS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, play, worlds[i]), 0);
	for (int i = 0; i < WORLDS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < WORLDS; i++) {
		world_free(worlds[i]);
		ctx_free(ctxs[i]);
	}
	print_message("%lld sequences, a reader looked %lld times\n", (long long)sequences + 1,
	    (long long)atomic_load(&all_looks));
	assert_int_equal(atomic_load(&wrong), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences)};

	log_set_level(LOG_ERROR + 1);
	first_seed = setting("LOADSTAR_SEED", 1);
	sequences = setting("LOADSTAR_SEQUENCES", SEQUENCES);
	clock_seed = (uint64_t)clock_now_us();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
