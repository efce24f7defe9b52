/*
 * clock: time as int64 microseconds since 1970-01-01T00:00:00Z, RFC 3339 texts, and calendar periods.
 *
 * Everything that decides by time asks clock_now_us, so that a test can walk a fake clock. Deadlines inside one process
 * use clock_monotonic_us, which no test and no administrator moves. The control database's own time decides leases.
 * Calendar arithmetic is proleptic Gregorian in UTC; time zones are zone.h's business.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/ctx.h"

#define CLOCK_SECOND_US INT64_C(1000000)
#define CLOCK_DAY_US (INT64_C(86400) * CLOCK_SECOND_US)
#define CLOCK_MINUS_INFINITY INT64_MIN
#define CLOCK_INFINITY INT64_MAX

struct clock {
	int64_t (*now_us)(void *arg);
	void *arg;
};

int64_t clock_now_us(void);
int64_t clock_monotonic_us(void);
void clock_sleep_ms(int64_t ms);

/* Tests only, before threads start: NULL restores the system's clock. The clock must outlive its use. */
void clock_set(const struct clock *clock);

/* "2024-01-31T09:15:00.123456Z", no fraction when it is 0; "infinity" / "-infinity" as PostgreSQL writes them. */
char *clock_format(struct ctx *ctx, int64_t at_us);

/* RFC 3339 with any offset, a date alone (midnight UTC), or PostgreSQL's "2024-01-31 09:15:00.5+00" and infinities.
 * False for anything else; no failure is recorded. */
bool clock_parse(const char *s, int64_t *at_us) MUST_CHECK;

/* True for exactly YYYY-MM-DD with a real day. */
bool clock_is_date(const char *s) MUST_CHECK;

/* Days from 1970-01-01 of a civil date (month from 1; the day may lie outside the month), and back. */
int64_t clock_days(int64_t year, int64_t month, int64_t day);
void clock_civil(int64_t days, int64_t *year, int64_t *month, int64_t *day);
int64_t clock_days_in_month(int64_t year, int64_t month);

/* A calendar period: ISO 8601 PnYnMnWnD or PTnHnMnS (whole numbers). Months and days are kept apart. */
struct period {
	int64_t months;
	int64_t days;
	int64_t us;
};

bool period_parse(const char *s, struct period *period) MUST_CHECK;
bool period_is_zero(const struct period *period);

/* at + count periods; the day of the month is clamped (Jan 31 + P1M = Feb 28/29). */
int64_t period_add(int64_t at_us, const struct period *period, int64_t count);

/* The start of the slice that holds at, on the grid of the period: months from 1970-01, weeks from Monday
 * 1970-01-05, days and shorter from the epoch. Periods that mix units are refused by period_is_grid. */
int64_t period_floor(int64_t at_us, const struct period *period);
bool period_is_grid(const struct period *period);

/* "15s", "250ms", "5m", "2h", "30d" -> milliseconds. */
bool duration_parse_ms(const char *s, int64_t *ms) MUST_CHECK;

#endif
