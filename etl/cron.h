/*
 * cron: when a schedule fires. "minute hour day month weekday", each *, a number or name, a range a-b, a list a,b, with steps a-b/n, a/n
 * (from a on) or * / n (without the blanks); ? is * in the two fields of days; L is the month's last day; Sunday is 0 and 7; @hourly @daily
 * @midnight @weekly @monthly @yearly @annually are short for what they say. When both fields of days are restricted, a day of either
 * counts; a star with a step is restricted.
 *
 * Times are local times of a zone. A time that a clock set forward skips fires once, at the first instant after the gap; a time that a
 * clock set back shows twice fires the first time. A cron of every hour follows the clock as it runs instead: it fires in each
 * hour that passes and makes up for none.
 */
#ifndef ETL_CRON_H
#define ETL_CRON_H

#include "base/zone.h"

struct cron {
	uint64_t minutes;
	uint32_t hours, days, months, weekdays; /* bits; days and months from 1 */
	bool last_day;                          /* L */
	bool any_day, any_weekday;              /* the field restricts nothing */
};

/* False: *fault says what is wrong. */
bool cron_parse(struct ctx *ctx, const char *text, struct cron *cron, const char **fault) MUST_CHECK;

/* The first fire after an instant. False: there is none in the next years, so never. */
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_us, int64_t *next_us) MUST_CHECK;

#endif
