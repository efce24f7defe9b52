/* Time as texts and as calendar periods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#include <cmocka.h>

static int64_t
at(const char *s)
{
	int64_t us = -1;

	assert_true(clock_parse(s, &us));
	return us;
}

static struct period
period(const char *s)
{
	struct period p;

	assert_true(period_parse(s, &p));
	return p;
}

static void
test_parse(void **state)
{
	static const char *const same[][2] = {
	    {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
	    {"2024-02-29", "2024-02-29T00:00:00Z"},
	    {"2024-01-31T09:15:00.123456Z", "2024-01-31T09:15:00.123456Z"},
	    {"2024-01-31t09:15:00.1z", "2024-01-31T09:15:00.100000Z"},
	    {"2024-01-31T09:15:00.123456789Z", "2024-01-31T09:15:00.123456Z"},
	    {"2024-01-31 09:15:00.5+00", "2024-01-31T09:15:00.500000Z"},
	    {"2024-01-01T00:30:00+05:30", "2023-12-31T19:00:00Z"},
	    {"2024-01-01T00:00:00-0530", "2024-01-01T05:30:00Z"},
	    {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
	    {"0001-01-01", "0001-01-01T00:00:00Z"},
	    {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
	    {"2000-02-29", "2000-02-29T00:00:00Z"},
	    {"infinity", "infinity"},
	    {"-infinity", "-infinity"},
	};
	struct ctx *ctx = ctx_new("test", 0);

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_string_equal(clock_format(ctx, at(same[i][0])), same[i][1]);
	assert_true(at("1970-01-01") == 0 && at("1970-01-02") == CLOCK_DAY_US);
	assert_true(at("2024-01-01T00:00:00Z") == INT64_C(1704067200) * CLOCK_SECOND_US);
	ctx_free(ctx);
}

static void
test_refuse(void **state)
{
	static const char *const wrong[] = {"", "2024", "2024-01", "2024-1-1", "2024-00-01", "2024-13-01", "2024-02-30",
	    "2023-02-29", "1900-02-29", "2024-04-31", "2024-01-01T", "2024-01-01T00:00", "2024-01-01T24:00:00Z",
	    "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z",
	    "2024-01-01T00:00:00ZZ", "2024-01-01T00:00:00+", "2024-01-01T00:00:00+1", "2024-01-01T00:00:00+24",
	    "2024-01-01T00:00:00+01:", "2024-01-01T00:00:00+01:60", "2024-01-01T00:00:00+01:5", "2024-01-01 ",
	    " 2024-01-01", "2024-01-01x00:00:00Z", "+2024-01-01", "Infinity", "infinity ", "12024-01-01", "2024-01-01Z",
	    "0044-03-15 BC"};
	int64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (clock_parse(wrong[i], &us))
			fail_msg("%s was read", wrong[i]);
	assert_true(clock_is_date("2024-02-29"));
	assert_false(clock_is_date("2023-02-29") || clock_is_date("2024-02-29T00:00:00Z") || clock_is_date(""));
}

/* Every day of 400 years and more, there and back, each a day after the one before. */
static void
test_calendar(void **state)
{
	int64_t expected = at("1899-12-31"), begin = at("1900-01-01"), end = at("2330-01-01");

	(void)state;
	for (int64_t day = begin; day < end; day += CLOCK_DAY_US) {
		struct ctx *ctx = ctx_new("day", 0);

		assert_true(at(clock_format(ctx, day)) == day);
		assert_true(day == expected + CLOCK_DAY_US);
		expected = day;
		ctx_free(ctx);
	}
}

static void
test_period_parse(void **state)
{
	static const char *const wrong[] = {"", "P", "1D", "PT", "P1", "PD", "P1DT", "P1D1M", "PT1S1M", "P1H", "PT1D",
	    "P-1D", "P1.5D", "P1D ", "P1D1D", "PT1M1H", "p1d", "P1234567890D", "PT1HT1M"};
	struct period p = period("P1Y2M3W4DT5H6M7S");

	(void)state;
	assert_true(p.months == 14 && p.days == 25);
	assert_true(p.us == ((5 * 60 + 6) * 60 + 7) * CLOCK_SECOND_US);
	p = period("PT1M");
	assert_true(p.months == 0 && p.us == 60 * CLOCK_SECOND_US);
	p = period("P0D");
	assert_true(period_is_zero(&p) && !period_is_grid(&p));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (period_parse(wrong[i], &p))
			fail_msg("%s was read", wrong[i]);
}

static void
test_period_add(void **state)
{
	static const struct {
		const char *from, *period;
		int64_t count;
		const char *to;
	} cases[] = {
	    {"2024-01-31", "P1M", 1, "2024-02-29"},
	    {"2023-01-31", "P1M", 1, "2023-02-28"},
	    {"2024-01-31", "P1M", 2, "2024-03-31"},
	    {"2024-02-29", "P1Y", 1, "2025-02-28"},
	    {"2024-03-31", "P1M", -1, "2024-02-29"},
	    {"2024-01-15", "P1M", -1, "2023-12-15"},
	    {"1970-01-01", "P1D", -1, "1969-12-31"},
	    {"2024-12-31", "P1W", 1, "2025-01-07"},
	    {"2024-01-01T23:30:00Z", "PT1H", 1, "2024-01-02T00:30:00Z"},
	    {"2024-01-31T12:00:00Z", "P1M1DT1H", 1, "2024-03-01T13:00:00Z"},
	    {"2024-01-01", "P1M", 0, "2024-01-01"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct period p = period(cases[i].period);

		assert_true(period_add(at(cases[i].from), &p, cases[i].count) == at(cases[i].to));
	}
}

static void
test_period_floor(void **state)
{
	static const struct {
		const char *at, *period, *floor;
	} cases[] = {
	    {"2024-02-29T23:59:59Z", "P1M", "2024-02-01"},
	    {"2024-02-01", "P1M", "2024-02-01"},
	    {"2024-05-15", "P3M", "2024-04-01"},
	    {"2024-05-15", "P1Y", "2024-01-01"},
	    {"1969-12-31T23:59:59Z", "P1M", "1969-12-01"},
	    {"1969-12-31T23:59:59Z", "P1Y", "1969-01-01"},
	    {"1969-05-05", "P3M", "1969-04-01"},
	    {"0001-01-01", "P1Y", "0001-01-01"},
	    {"2024-01-07T12:00:00Z", "P1W", "2024-01-01"},
	    {"2024-01-08", "P1W", "2024-01-08"},
	    {"1970-01-01", "P1W", "1969-12-29"},
	    {"1970-01-02", "P2D", "1970-01-01"},
	    {"1969-12-31T01:00:00Z", "P1D", "1969-12-31"},
	    {"2024-01-01T13:59:59.999999Z", "PT1H", "2024-01-01T13:00:00Z"},
	    {"2024-01-01T13:59:00Z", "PT6H", "2024-01-01T12:00:00Z"},
	    {"1969-12-31T23:59:59Z", "PT15M", "1969-12-31T23:45:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct period p = period(cases[i].period);

		assert_true(period_is_grid(&p));
		if (period_floor(at(cases[i].at), &p) != at(cases[i].floor))
			fail_msg("floor of %s by %s", cases[i].at, cases[i].period);
	}
}

/* Whatever the grid: the floor is at or before, the next slice after, and a floor is its own floor. */
static void
test_grid_law(void **state)
{
	static const char *const grids[] = {"P1M", "P2M", "P5M", "P1Y", "P1W", "P2W", "P1D", "P10D", "PT1H", "PT8H",
	    "PT90S"};
	static const char *const no_grids[] = {"P1M1D", "P1DT1H", "PT7H", "P0D", "PT36H"};

	(void)state;
	for (size_t g = 0; g < sizeof(grids) / sizeof(*grids); g++) {
		struct period p = period(grids[g]);

		for (int64_t i = -5000; i < 5000; i++) {
			int64_t us = i * (CLOCK_DAY_US * 7 / 3 + 12345);
			int64_t floor = period_floor(us, &p);

			assert_true(floor <= us && us < period_add(floor, &p, 1));
			assert_true(period_floor(floor, &p) == floor);
			assert_true(period_floor(period_add(floor, &p, 1), &p) == period_add(floor, &p, 1));
		}
	}
	for (size_t g = 0; g < sizeof(no_grids) / sizeof(*no_grids); g++) {
		struct period p = period(no_grids[g]);

		assert_false(period_is_grid(&p));
	}
}

static void
test_duration(void **state)
{
	static const char *const wrong[] = {"", "5", "s", "-5s", "5 s", "1.5s", "5S", "5w", "12345678901s"};
	int64_t ms;

	(void)state;
	assert_true(duration_parse_ms("250ms", &ms) && ms == 250);
	assert_true(duration_parse_ms("15s", &ms) && ms == 15000);
	assert_true(duration_parse_ms("2h", &ms) && ms == 7200000);
	assert_true(duration_parse_ms("30d", &ms) && ms == INT64_C(2592000000));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(duration_parse_ms(wrong[i], &ms));
}

static int64_t
stopped(void *arg)
{
	return *(int64_t *)arg;
}

static void
test_fake(void **state)
{
	int64_t now_us = 42;
	struct clock fake = {stopped, &now_us};

	(void)state;
	clock_set(&fake);
	assert_true(clock_now_us() == 42);
	assert_true(clock_monotonic_us() != 42);
	clock_set(NULL);
	assert_true(clock_now_us() > at("2024-01-01"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_refuse),
	    cmocka_unit_test(test_calendar),
	    cmocka_unit_test(test_period_parse),
	    cmocka_unit_test(test_period_add),
	    cmocka_unit_test(test_period_floor),
	    cmocka_unit_test(test_grid_law),
	    cmocka_unit_test(test_duration),
	    cmocka_unit_test(test_fake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
