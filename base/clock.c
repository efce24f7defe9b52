#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "base/text.h"

static const struct clock *fake; /* written before threads start, see clock_set */

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	ASSERT(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * CLOCK_SECOND_US + ts.tv_nsec / 1000;
}

int64_t
clock_now_us(void)
{
	return fake != NULL ? fake->now_us(fake->arg) : read_us(CLOCK_REALTIME);
}

int64_t
clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

void
clock_set(const struct clock *clock)
{
	fake = clock;
}

void
clock_sleep_ms(int64_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
}

/* Days from 1970-01-01 of a civil date and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
int64_t
clock_days(int64_t year, int64_t month, int64_t day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

void
clock_civil(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted = (5 * day_of_year + 2) / 153;

	*day = day_of_year - (153 * shifted + 2) / 5 + 1;
	*month = shifted + (shifted < 10 ? 3 : -9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

char *
clock_format(struct ctx *ctx, int64_t at_us)
{
	int64_t days, us, year, month, day;
	char *s;

	if (at_us == CLOCK_INFINITY || at_us == CLOCK_MINUS_INFINITY)
		return ctx_strdup(ctx, at_us == CLOCK_INFINITY ? "infinity" : "-infinity");
	days = floor_div(at_us, CLOCK_DAY_US);
	us = at_us - days * CLOCK_DAY_US;
	clock_civil(days, &year, &month, &day);
	s = ctx_printf(ctx, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld", (long long)year, (long long)month,
	    (long long)day, (long long)(us / (3600 * CLOCK_SECOND_US)), (long long)(us / (60 * CLOCK_SECOND_US) % 60),
	    (long long)(us / CLOCK_SECOND_US % 60));
	if (us % CLOCK_SECOND_US == 0)
		return ctx_printf(ctx, "%sZ", s);
	return ctx_printf(ctx, "%s.%06lldZ", s, (long long)(us % CLOCK_SECOND_US));
}

/* Exactly n digits at *s; moves on. */
static bool
take_digits(const char **s, int n, int64_t *value)
{
	*value = 0;
	for (int i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return false;
		*value = *value * 10 + (**s - '0');
	}
	return true;
}

static bool
take_char(const char **s, const char *set)
{
	if (**s == '\0' || strchr(set, **s) == NULL)
		return false;
	(*s)++;
	return true;
}

static bool
is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int64_t
clock_days_in_month(int64_t year, int64_t month)
{
	static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static bool
take_date(const char **s, int64_t *days)
{
	int64_t year, month, day;

	if (!take_digits(s, 4, &year) || !take_char(s, "-") || !take_digits(s, 2, &month) || !take_char(s, "-") ||
	    !take_digits(s, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > clock_days_in_month(year, month))
		return false;
	*days = clock_days(year, month, day);
	return true;
}

static bool
take_time(const char **s, int64_t *us)
{
	int64_t hour, minute, second, unit = CLOCK_SECOND_US;

	if (!take_digits(s, 2, &hour) || !take_char(s, ":") || !take_digits(s, 2, &minute) || !take_char(s, ":") ||
	    !take_digits(s, 2, &second) || hour > 23 || minute > 59 || second > 59)
		return false;
	*us = ((hour * 60 + minute) * 60 + second) * CLOCK_SECOND_US;
	if (!take_char(s, "."))
		return true;
	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		unit /= 10;
		*us += (**s - '0') * unit;
	}
	return true;
}

/* "Z", "+02", "+02:00", "-0530" as microseconds east of UTC. */
static bool
take_offset(const char **s, int64_t *us)
{
	int64_t hour, minute = 0, sign;

	*us = 0;
	if (take_char(s, "Zz"))
		return true;
	if (**s != '+' && **s != '-')
		return false;
	sign = *(*s)++ == '-' ? -1 : 1;
	if (!take_digits(s, 2, &hour))
		return false;
	if (take_char(s, ":") ? !take_digits(s, 2, &minute)
			      : isdigit((unsigned char)**s) && !take_digits(s, 2, &minute))
		return false;
	if (hour > 23 || minute > 59)
		return false;
	*us = sign * (hour * 60 + minute) * 60 * CLOCK_SECOND_US;
	return true;
}

bool
clock_parse(const char *s, int64_t *at_us)
{
	int64_t days, us = 0, offset_us = 0;

	if (strcmp(s, "infinity") == 0 || strcmp(s, "-infinity") == 0) {
		*at_us = *s == '-' ? CLOCK_MINUS_INFINITY : CLOCK_INFINITY;
		return true;
	}
	if (!take_date(&s, &days))
		return false;
	if (*s != '\0' && (!take_char(&s, "Tt ") || !take_time(&s, &us) || !take_offset(&s, &offset_us)))
		return false;
	if (*s != '\0')
		return false;
	*at_us = days * CLOCK_DAY_US + us - offset_us;
	return true;
}

bool
clock_is_date(const char *s)
{
	int64_t days;

	return take_date(&s, &days) && *s == '\0';
}

static bool
take_number(const char **s, int64_t *value)
{
	int digits = 0;

	*value = 0;
	for (; isdigit((unsigned char)**s) && digits < 9; (*s)++, digits++)
		*value = *value * 10 + (**s - '0');
	return digits > 0 && !isdigit((unsigned char)**s);
}

/* One "12M" of a period; units are in order, each at most once. */
static bool
take_unit(const char **s, bool in_time, const char **units, struct period *period)
{
	const char *unit;
	int64_t n;

	if (!take_number(s, &n) || **s == '\0' || (unit = strchr(*units, **s)) == NULL)
		return false;
	*units = unit + 1;
	switch (*(*s)++) {
	case 'Y': period->months += n * 12; break;
	case 'W': period->days += n * 7; break;
	case 'D': period->days += n; break;
	case 'H': period->us += n * 3600 * CLOCK_SECOND_US; break;
	case 'S': period->us += n * CLOCK_SECOND_US; break;
	default:
		if (in_time)
			period->us += n * 60 * CLOCK_SECOND_US;
		else
			period->months += n;
	}
	return true;
}

bool
period_parse(const char *s, struct period *period)
{
	const char *units = "YMWD";
	bool in_time = false;

	*period = (struct period){0};
	if (*s++ != 'P' || *s == '\0')
		return false;
	while (*s != '\0') {
		if (*s == 'T' && !in_time && s[1] != '\0') {
			in_time = true;
			units = "HMS";
			s++;
			continue;
		}
		if (!take_unit(&s, in_time, &units, period))
			return false;
	}
	return true;
}

bool
period_is_zero(const struct period *period)
{
	return period->months == 0 && period->days == 0 && period->us == 0;
}

int64_t
period_add(int64_t at_us, const struct period *period, int64_t count)
{
	int64_t days = floor_div(at_us, CLOCK_DAY_US);
	int64_t us = at_us - days * CLOCK_DAY_US;
	int64_t year, month, day, months;

	clock_civil(days, &year, &month, &day);
	months = year * 12 + month - 1 + period->months * count;
	year = floor_div(months, 12);
	month = months - year * 12 + 1;
	if (day > clock_days_in_month(year, month))
		day = clock_days_in_month(year, month);
	days = clock_days(year, month, day) + period->days * count;
	return days * CLOCK_DAY_US + us + period->us * count;
}

bool
period_is_grid(const struct period *period)
{
	int kinds = (period->months > 0) + (period->days > 0) + (period->us > 0);

	return kinds == 1 && (period->us == 0 || CLOCK_DAY_US % period->us == 0);
}

int64_t
period_floor(int64_t at_us, const struct period *period)
{
	int64_t days = floor_div(at_us, CLOCK_DAY_US);
	int64_t year, month, day, months, origin;

	ASSERT(period_is_grid(period));
	if (period->us > 0)
		return floor_div(at_us, period->us) * period->us;
	if (period->days > 0) {
		origin = period->days % 7 == 0 ? 4 : 0; /* 1970-01-05 was a Monday */
		return (floor_div(days - origin, period->days) * period->days + origin) * CLOCK_DAY_US;
	}
	clock_civil(days, &year, &month, &day);
	months = floor_div((year - 1970) * 12 + month - 1, period->months) * period->months;
	return clock_days(1970 + floor_div(months, 12), months - floor_div(months, 12) * 12 + 1, 1) * CLOCK_DAY_US;
}

bool
duration_parse_ms(const char *s, int64_t *ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	int64_t n;

	if (!take_number(&s, &n))
		return false;
	for (size_t i = 0; i < LENGTH_OF(units); i++) {
		if (strcmp(s, units[i].unit) == 0) {
			*ms = n * units[i].ms;
			return true;
		}
	}
	return false;
}
