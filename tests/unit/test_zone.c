/* Time zones: as the C library understands the same files, and at the borders of stretches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/zone.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static const struct zone *
load(struct ctx *ctx, const char *name)
{
	const struct zone *zone;

	assert_true(zone_load(ctx, name, &zone));
	return zone;
}

static int64_t
seconds(const char *s)
{
	int64_t us;

	assert_true(clock_parse(s, &us));
	return us / CLOCK_SECOND_US;
}

/* Offsets of many instants from 1890 to 2140: listed jumps, footers of every shape, negative summer time, changes of days. */
static void
test_as_the_c_library(void **state)
{
	static const char *const names[] = {"UTC", "Europe/Zurich", "America/New_York", "Europe/Dublin",
	    "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kolkata", "Pacific/Apia",
	    "America/Nuuk", "Africa/Cairo", "Asia/Gaza", "Antarctica/Troll", "America/St_Johns", "Etc/GMT+5",
	    "EST5EDT"};
	struct ctx *ctx = *state;

	for (size_t i = 0; i < LENGTH_OF(names); i++) {
		const struct zone *zone = load(ctx, names[i]);

		assert_int_equal(setenv("TZ", names[i], 1), 0);
		tzset();
		for (int64_t at_s = seconds("1890-01-01"); at_s < seconds("2140-01-01"); at_s += 40 * 3600) {
			time_t at = (time_t)at_s;
			struct zone_stretch stretch;
			struct tm local;

			assert_non_null(localtime_r(&at, &local));
			zone_stretch_at(zone, at_s, &stretch);
			if (stretch.offset_s != local.tm_gmtoff)
				fail_msg("%s at %lld: %lld, but the C library says %ld", names[i], (long long)at_s,
				    (long long)stretch.offset_s, local.tm_gmtoff);
			assert_true(stretch.from_s <= at_s && at_s < stretch.until_s);
		}
	}
}

/* Every stretch ends where the next one begins, with the offset it says it had. */
static void
test_stretches_meet(void **state)
{
	const struct zone *zone = load(*state, "Europe/Zurich");
	struct zone_stretch before, after;
	int jumps = 0;

	zone_stretch_at(zone, seconds("1960-01-01"), &before);
	for (; before.until_s < seconds("2200-01-01"); before = after, jumps++) {
		zone_stretch_at(zone, before.until_s, &after);
		assert_int_equal(after.from_s, before.until_s);
		assert_int_equal(after.offset_before_s, before.offset_s);
		assert_int_not_equal(after.offset_s, before.offset_s);
	}
	assert_int_equal(jumps, 2 * (2199 - 1981 + 1));
}

static void
test_local_times(void **state)
{
	static const struct {
		const char *zone, *local, *instant;
	} cases[] = {
	    {"UTC", "2024-03-31T02:30:00Z", "2024-03-31T02:30:00Z"},
	    {"Europe/Zurich", "2024-01-15T00:00:00Z", "2024-01-14T23:00:00Z"},
	    {"Europe/Zurich", "2024-07-15T00:00:00Z", "2024-07-14T22:00:00Z"},
	    {"Europe/Zurich", "2024-03-31T02:30:00Z", "2024-03-31T01:00:00Z"},     /* skipped */
	    {"Europe/Zurich", "2024-10-27T02:30:00Z", "2024-10-27T00:30:00Z"},     /* twice */
	    {"Europe/Zurich", "2124-10-29T02:30:00Z", "2124-10-29T00:30:00Z"},     /* by the footer */
	    {"Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"},      /* a day that was not */
	    {"America/Sao_Paulo", "2018-11-04T00:00:00Z", "2018-11-04T03:00:00Z"}, /* no midnight */
	    {"Asia/Kolkata", "2024-01-01T00:00:00Z", "2023-12-31T18:30:00Z"},
	};

	for (size_t i = 0; i < LENGTH_OF(cases); i++)
		assert_int_equal(zone_instant(load(*state, cases[i].zone), seconds(cases[i].local)),
		    seconds(cases[i].instant));
}

static void
test_refusals(void **state)
{
	static const char *const names[] = {"", "Europe/Zurick", "Europe", "/etc/passwd", "../../../etc/passwd",
	    "tzdata.zi"};
	static const char *const rules[] = {"", "C-1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0",
	    "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
	    "CET-1CEST,M3.5.0,M10.5.0x", "CET-168", "<CET-1"};
	struct ctx *ctx = *state;
	const struct zone *zone;
	struct zone_rule rule;

	for (size_t i = 0; i < LENGTH_OF(names); i++) {
		assert_false(zone_load(ctx, names[i], &zone));
		assert_int_equal(ctx_failure(ctx)->code, FAIL_NOT_FOUND);
		fail_clear(ctx);
	}
	for (size_t i = 0; i < LENGTH_OF(rules); i++)
		assert_false(zone_rule_parse(rules[i], &rule));
}

/* Days that a rule counts: 'J' without February 29, '0' with it. */
static void
test_rule_days(void **state)
{
	static const struct {
		const char *rule;
		int64_t year;
		const char *start, *end;
	} cases[] = {
	    {"AAA0BBB,J59/0,J60/0", 2024, "2024-02-28T00:00:00Z", "2024-02-29T23:00:00Z"},
	    {"AAA0BBB,J59/0,J60/0", 2023, "2023-02-28T00:00:00Z", "2023-02-28T23:00:00Z"},
	    {"AAA0BBB,59/0,60/0", 2024, "2024-02-29T00:00:00Z", "2024-02-29T23:00:00Z"},
	    {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", 2024, "2024-03-31T01:00:00Z", "2024-10-27T01:00:00Z"},
	    {"IST-1GMT0,M10.5.0,M3.5.0/1", 2024, "2024-10-27T01:00:00Z", "2024-03-31T01:00:00Z"},
	};
	struct zone_rule rule;
	int64_t start_s, end_s;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		assert_true(zone_rule_parse(cases[i].rule, &rule));
		zone_rule_year(&rule, cases[i].year, &start_s, &end_s);
		assert_int_equal(start_s, seconds(cases[i].start));
		assert_int_equal(end_s, seconds(cases[i].end));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_as_the_c_library, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stretches_meet, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_local_times, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rule_days, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
