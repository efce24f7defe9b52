/* Version 7 identifiers: their form, their order within a thread, and that no two threads make the same. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/uuid.h"

enum { THREADS = 4, EACH = 5000 };

struct maker {
	pthread_t thread;
	struct ctx *ctx;
	char *made[EACH];
};

static void *
make(void *arg)
{
	struct maker *maker = arg;

	for (int i = 0; i < EACH; i++)
		maker->made[i] = uuid_make(maker->ctx);
	return NULL;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
ascend_in_a_thread_and_differ_between_them(void **state)
{
	static struct maker makers[THREADS];
	static char *all[THREADS * EACH];

	(void)state;
	for (int t = 0; t < THREADS; t++) {
		makers[t].ctx = ctx_new("uuid", 0);
		assert_int_equal(pthread_create(&makers[t].thread, NULL, make, &makers[t]), 0);
	}
	for (int t = 0; t < THREADS; t++) {
		assert_int_equal(pthread_join(makers[t].thread, NULL), 0);
		for (int i = 0; i < EACH; i++) {
			assert_true(i == 0 || strcmp(makers[t].made[i - 1], makers[t].made[i]) < 0);
			all[t * EACH + i] = makers[t].made[i];
		}
	}
	qsort(all, THREADS * EACH, sizeof(*all), by_text);
	for (int i = 1; i < THREADS * EACH; i++)
		assert_string_not_equal(all[i - 1], all[i]);
	for (int t = 0; t < THREADS; t++)
		ctx_free(makers[t].ctx);
}

static void
tell_their_time_and_version(void **state)
{
	struct ctx *ctx = ctx_new("uuid", 0);
	int64_t before_ms = clock_now_us() / 1000;
	char *uuid = uuid_make(ctx), *digits = uuid;
	int64_t ms;

	(void)state;
	assert_true(uuid_is_valid(uuid));
	assert_int_equal(uuid[14], '7');
	assert_non_null(strchr("89ab", uuid[19]));
	memmove(digits + 8, digits + 9, 4);
	digits[12] = '\0';
	ms = strtoll(digits, NULL, 16);
	assert_in_range(ms, before_ms, before_ms + 5000);
	ctx_free(ctx);
}

static void
other_texts_are_none(void **state)
{
	static const char *const wrong[] = {"", "x", "0190A000-0000-7000-8000-000000000001",
	    "0190a000-0000-7000-8000-00000000000", "0190a000-0000-7000-8000-0000000000011",
	    "0190a00000000-7000-8000-000000000001", "0190a000-0000-7000-8000-00000000000g"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(uuid_is_valid(wrong[i]));
	assert_true(uuid_is_valid("0190a000-0000-7000-8000-000000000001"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ascend_in_a_thread_and_differ_between_them),
	    cmocka_unit_test(tell_their_time_and_version),
	    cmocka_unit_test(other_texts_are_none),
	};

	return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
