/* When schedules fire: cases by others (expression, time, answer), and the days on which clocks are changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "etl/cron.h"

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

static struct cron
cron(struct ctx *ctx, const char *text)
{
	const char *fault;
	struct cron cron;

	if (!cron_parse(ctx, text, &cron, &fault))
		fail_msg("%s: %s", text, fault);
	return cron;
}

static int64_t
at(const char *s)
{
	int64_t us;

	assert_true(clock_parse(s, &us));
	return us;
}

static const char *
next(struct ctx *ctx, const char *text, const char *zone_name, int64_t after_us)
{
	struct cron parsed = cron(ctx, text);
	const struct zone *zone;
	int64_t next_us;

	assert_true(zone_load(ctx, zone_name, &zone));
	return cron_next(&parsed, zone, after_us, &next_us) ? clock_format(ctx, next_us) : "never";
}

static char *
data(struct ctx *ctx, const char *name)
{
	const char *given = getenv("LOADSTAR_TEST_DATA"), *folder = given != NULL ? given : "../shared/data";
	char *path = ctx_printf(ctx, "%s/cron/%s", folder, name), *text;

	if (!file_exists(path))
		return NULL;
	assert_true(file_read(ctx, path, 1024 * 1024, &text, NULL));
	return text;
}

/* "Mon Jul 9 15:00 2012", with or without seconds; the weekday is not believed. */
static int64_t
written_time(struct ctx *ctx, const char *s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char month[4], clock[9], *found;
	int day, year;

	assert_int_equal(sscanf(s, "%*3s %3s %d %8s %d", month, &day, clock, &year), 4);
	found = strstr(months, month);
	assert_non_null(found);
	return at(ctx_printf(ctx, "%d-%02d-%02dT%s%sZ", year, (int)(found - months) / 3 + 1, day, clock,
	    strlen(clock) == 5 ? ":00" : ""));
}

/* One field of a CSV line, quoted or not; moves on. */
static char *
take_field(struct ctx *ctx, char **line)
{
	bool quoted = **line == '"';
	char *start = *line + quoted;
	size_t length = strcspn(start, quoted ? "\"" : ",");

	*line = start + length + quoted;
	*line += **line == ',';
	return ctx_strndup(ctx, start, length);
}

static bool
matches(struct ctx *ctx, const char *text, int64_t at_us)
{
	return text_equal(next(ctx, text, "UTC", at_us - 1), clock_format(ctx, at_us));
}

/* Ours have no field of seconds: a case with one is ours when it says second 0. */
static bool
check_case(struct ctx *ctx, char *line)
{
	const char *group = take_field(ctx, &line), *fields = take_field(ctx, &line);
	const char *base = take_field(ctx, &line), *text = take_field(ctx, &line), *want = take_field(ctx, &line);
	const char *got;

	if (text_equal(group, "TestActivation")) {
		if (matches(ctx, text, written_time(ctx, base)) != text_equal(want, "true"))
			fail_msg("%s at %s: wanted %s", text, base, want);
		return true;
	}
	if (!text_equal(group, "TestNext") || !text_equal(fields, "second") || !text_starts_with(text, "0 ") ||
	    strchr(base, 'T') != NULL)
		return false;
	got = next(ctx, text + 2, "UTC", written_time(ctx, base));
	want = *want == '\0' ? "never" : clock_format(ctx, written_time(ctx, want));
	if (!text_equal(got, want))
		fail_msg("%s after %s: %s, wanted %s", text, base, got, want);
	return true;
}

static void
test_cases_of_others(void **state)
{
	char *text = data(*state, "robfig_cases.csv"), *end;
	int checked = 0;

	for (; text != NULL && *text != '\0'; text = end + 1) {
		end = text + strcspn(text, "\n");
		if (*end == '\0')
			break;
		*end = '\0';
		checked += check_case(*state, text);
	}
	assert_true(text == NULL || checked >= 40);
}

static void
test_refusals_of_others(void **state)
{
	char *text = data(*state, "invalid_expressions.txt"), *end;
	const char *fault;
	struct cron parsed;
	int checked = 0;

	for (; text != NULL && *text != '\0'; text = end + 1, checked++) {
		end = text + strcspn(text, "\n");
		if (*end == '\0')
			break;
		*end = '\0';
		if (cron_parse(*state, text, &parsed, &fault))
			fail_msg("taken: %s", text);
		assert_true(strlen(fault) > 10);
	}
	assert_true(text == NULL || checked >= 19);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *text, *fault;
	} cases[] = {
	    {"", "it must have five fields: minute hour day month weekday"},
	    {"* * * * * *", "it must have five fields: minute hour day month weekday"},
	    {"0 3 * * 8", "'8' is no weekday: 0 to 7, as in 1, 1-5, 1,3, */2"},
	    {"? 3 * * *", "'?' is no minute: 0 to 59, as in 1, 1-5, 1,3, */2"},
	    {"0 3 * monday *", "'monday' is no month: 1 to 12, as in 1, 1-5, 1,3, */2"},
	    {"0 3,, * * *", "'3,,' is no hour: 0 to 23, as in 1, 1-5, 1,3, */2"},
	    {"0 99999999999999999999 * * *", "'99999999999999999999' is no hour: 0 to 23, as in 1, 1-5, 1,3, */2"},
	    {"0 3 L5 * *", "'L5' is no day: 1 to 31, as in 1, 1-5, 1,3, */2"},
	};
	const char *fault;
	struct cron parsed;

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		assert_false(cron_parse(*state, cases[i].text, &parsed, &fault));
		assert_string_equal(fault, cases[i].fault);
	}
}

static const struct {
	const char *text, *zone, *after, *next[4];
} walks[] = {
    {"0 3 * * *", "UTC", "2024-02-28T03:00:00Z",
	{"2024-02-29T03:00:00Z", "2024-03-01T03:00:00Z", "2024-03-02T03:00:00Z"}},
    {"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", {"2104-02-29T00:00:00Z"}},
    {"0 6 L * *", "UTC", "2024-01-31T06:00:00Z", {"2024-02-29T06:00:00Z", "2024-03-31T06:00:00Z"}},
    {"0 6 13 * fri", "UTC", "2024-09-07T00:00:00Z", {"2024-09-13T06:00:00Z", "2024-09-20T06:00:00Z"}},
    {"0 12 * * 7", "UTC", "2024-01-01T00:00:00Z", {"2024-01-07T12:00:00Z", "2024-01-14T12:00:00Z"}},
    {"0 12 * * 5-7", "UTC", "2024-01-01T00:00:00Z",
	{"2024-01-05T12:00:00Z", "2024-01-06T12:00:00Z", "2024-01-07T12:00:00Z"}},
    {"0 0 30 2 *", "UTC", "2024-01-01T00:00:00Z", {"never"}},
    {"0 3 * * *", "Asia/Kolkata", "2024-01-01T00:00:00Z", {"2024-01-01T21:30:00Z"}},
    /* A time that is skipped: once, at the first instant after the gap; the next day as ever. */
    {"30 2 * * *", "Europe/Zurich", "2024-03-30T12:00:00Z", {"2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"}},
    {"0,30 2-3 * * *", "Europe/Zurich", "2024-03-30T12:00:00Z",
	{"2024-03-31T01:00:00Z", "2024-03-31T01:30:00Z", "2024-04-01T00:00:00Z"}},
    {"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", {"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
    {"0 9 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z", {"2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"}},
    /* A time that comes twice: the first one alone. */
    {"30 2 * * *", "Europe/Zurich", "2024-10-26T12:00:00Z", {"2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"}},
    {"0 1 * * *", "America/New_York", "2012-11-03T12:00:00Z", {"2012-11-04T05:00:00Z", "2012-11-05T06:00:00Z"}},
    {"*/30 1-2 * * *", "America/New_York", "2012-11-04T05:00:00Z",
	{"2012-11-04T05:30:00Z", "2012-11-04T07:00:00Z", "2012-11-04T07:30:00Z", "2012-11-05T06:00:00Z"}},
    /* Every hour: as the clock runs, through both. */
    {"0 * * * *", "America/New_York", "2012-11-04T04:30:00Z",
	{"2012-11-04T05:00:00Z", "2012-11-04T06:00:00Z", "2012-11-04T07:00:00Z"}},
    {"30 * * * *", "Europe/Zurich", "2024-03-31T00:00:00Z", {"2024-03-31T00:30:00Z", "2024-03-31T01:30:00Z"}},
    {"0 * * * *", "Australia/Lord_Howe", "2024-04-06T14:00:00Z", {"2024-04-06T15:30:00Z", "2024-04-06T16:30:00Z"}},
};

static void
test_walks(void **state)
{
	struct ctx *ctx = *state;

	for (size_t i = 0; i < LENGTH_OF(walks); i++) {
		int64_t now_us = at(walks[i].after);

		for (int k = 0; k < 4 && walks[i].next[k] != NULL; k++) {
			const char *got = next(ctx, walks[i].text, walks[i].zone, now_us);

			if (!text_equal(got, walks[i].next[k]))
				fail_msg("%s in %s after %s: %s, wanted %s", walks[i].text, walks[i].zone,
				    clock_format(ctx, now_us), got, walks[i].next[k]);
			if (!text_equal(got, "never"))
				now_us = at(got);
		}
	}
}

/* What a walk finds is what a minute-by-minute look at the wall clock finds, over a year of two changes. */
static void
test_against_the_wall(void **state)
{
	struct cron every = cron(*state, "*/20 1-3 * * *");
	const struct zone *zone;
	int64_t next_us, from_us = at("2024-01-01T00:00:00Z") - 1, fires = 0;

	assert_true(zone_load(*state, "Europe/Zurich", &zone));
	for (next_us = from_us; cron_next(&every, zone, next_us, &next_us) && next_us < at("2025-01-01T00:00:00Z");
	     fires++) {
		struct zone_stretch stretch;
		int64_t local_minute;

		zone_stretch_at(zone, next_us / CLOCK_SECOND_US, &stretch);
		local_minute = (next_us / CLOCK_SECOND_US + stretch.offset_s) / 60 % (24 * 60);
		assert_true(local_minute >= 60 && local_minute < 240 && local_minute % 20 == 0);
	}
	assert_int_equal(fires, 366 * 9 - 3); /* three skipped times and 03:00 are one fire */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_cases_of_others, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refusals_of_others, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_walks, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_against_the_wall, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
