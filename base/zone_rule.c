/* zone_rule: the POSIX TZ text that ends a TZif file, such as "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1". */
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/zone.h"

enum { DAY_S = 86400, HOUR_S = 3600 };

/* At least three letters, or anything but > between < and >. */
static bool
skip_name(const char **s)
{
	const char *start = *s;

	if (**s == '<') {
		const char *end = strchr(*s, '>');

		if (end == NULL)
			return false;
		*s = end + 1;
		return true;
	}
	while (isalpha((unsigned char)**s))
		(*s)++;
	return *s - start >= 3;
}

static bool
take_number(const char **s, int64_t most, int64_t *value)
{
	if (!isdigit((unsigned char)**s))
		return false;
	for (*value = 0; isdigit((unsigned char)**s) && *value <= most; (*s)++)
		*value = *value * 10 + (**s - '0');
	return *value <= most;
}

/* [+|-]hh[:mm[:ss]]; up to 167 hours, as files of today have them. */
static bool
take_time(const char **s, int64_t *seconds)
{
	int64_t sign = **s == '-' ? -1 : 1, hours, part = 0;

	if (**s == '-' || **s == '+')
		(*s)++;
	if (!take_number(s, 167, &hours))
		return false;
	*seconds = hours * HOUR_S;
	for (int64_t unit = 60; **s == ':' && unit > 0; unit /= 60) {
		(*s)++;
		if (!take_number(s, 59, &part))
			return false;
		*seconds += part * unit;
	}
	*seconds *= sign;
	return true;
}

static bool
take_dot(const char **s)
{
	return *(*s)++ == '.';
}

static bool
take_change(const char **s, struct zone_change *change)
{
	if (*(*s)++ != ',')
		return false;
	change->kind = **s == 'M' || **s == 'J' ? *(*s)++ : '0';
	change->time_s = 2 * HOUR_S;
	if (change->kind != 'M' && !take_number(s, 365, &change->day))
		return false;
	if (change->kind == 'M' &&
	    (!take_number(s, 12, &change->month) || !take_dot(s) || !take_number(s, 5, &change->week) || !take_dot(s) ||
		!take_number(s, 6, &change->day) || change->month == 0 || change->week == 0))
		return false;
	if (**s != '/')
		return true;
	(*s)++;
	return take_time(s, &change->time_s);
}

bool
zone_rule_parse(const char *s, struct zone_rule *rule)
{
	int64_t west_s;

	*rule = (struct zone_rule){0};
	if (!skip_name(&s) || !take_time(&s, &west_s))
		return false;
	rule->offset_s = -west_s;
	rule->summer_offset_s = rule->offset_s + HOUR_S;
	if (*s == '\0')
		return true;
	rule->has_summer = true;
	if (!skip_name(&s))
		return false;
	if (*s != ',') {
		if (!take_time(&s, &west_s))
			return false;
		rule->summer_offset_s = -west_s;
	}
	return take_change(&s, &rule->start) && take_change(&s, &rule->end) && *s == '\0';
}

/* The day's midnight, local. */
static int64_t
day_of(const struct zone_change *change, int64_t year)
{
	int64_t first, weekday, day;

	if (change->kind == '0')
		return (clock_days(year, 1, 1) + change->day) * DAY_S;
	if (change->kind == 'J') /* February 29 is not counted */
		return (clock_days(year, 1, 1) + change->day - 1 +
			   (change->day >= 60 && clock_days_in_month(year, 2) == 29)) *
		       DAY_S;
	first = clock_days(year, change->month, 1);
	weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
	day = (change->day - weekday + 7) % 7 + (change->week - 1) * 7;
	while (day >= clock_days_in_month(year, change->month))
		day -= 7;
	return (first + day) * DAY_S;
}

void
zone_rule_year(const struct zone_rule *rule, int64_t year, int64_t *start_s, int64_t *end_s)
{
	*start_s = day_of(&rule->start, year) + rule->start.time_s - rule->offset_s;
	*end_s = day_of(&rule->end, year) + rule->end.time_s - rule->summer_offset_s;
}
