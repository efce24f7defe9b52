/* value_time: dates and times as ISO 8601 and PostgreSQL write them. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "etl/duck/value.h"

struct cursor {
	const char *at, *end;
};

static bool
take_digits(struct cursor *cursor, int count, int64_t *number)
{
	if (cursor->end - cursor->at < count)
		return false;
	*number = 0;
	for (int i = 0; i < count; i++, cursor->at++) {
		if (*cursor->at < '0' || *cursor->at > '9')
			return false;
		*number = *number * 10 + (*cursor->at - '0');
	}
	return true;
}

static bool
take(struct cursor *cursor, char c)
{
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; the year begins in March, so that a leap day is its last one. */
static int64_t
days_from_civil(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y % 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool
take_date(struct cursor *cursor, int64_t *days)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t year, month, day, last;

	if (!take_digits(cursor, 4, &year) || !take(cursor, '-') || !take_digits(cursor, 2, &month) ||
	    !take(cursor, '-') || !take_digits(cursor, 2, &day) || year < 1 || month < 1 || month > 12)
		return false;
	last = lengths[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
	*days = days_from_civil(year, month, day);
	return day >= 1 && day <= last;
}

/* ".123456789": the seventh digit rounds, as PostgreSQL does. */
static bool
take_fraction(struct cursor *cursor, int64_t *us)
{
	int64_t unit = 100000;
	const char *first;

	if (!take(cursor, '.'))
		return true;
	first = cursor->at;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		if (unit > 0)
			*us += (*cursor->at - '0') * unit;
		else if (cursor->at - first == 6 && *cursor->at >= '5')
			*us += 1;
		unit /= 10;
	}
	return cursor->at > first;
}

static bool
take_clock(struct cursor *cursor, int64_t *us)
{
	int64_t hour, minute, second = 0;

	if (!take_digits(cursor, 2, &hour) || !take(cursor, ':') || !take_digits(cursor, 2, &minute))
		return false;
	*us = 0;
	if (take(cursor, ':') && (!take_digits(cursor, 2, &second) || !take_fraction(cursor, us)))
		return false;
	*us += ((hour * 60 + minute) * 60 + second) * CLOCK_SECOND_US;
	return hour < 24 && minute < 60 && second < 60;
}

/* "Z", "+02", "+02:00", "+0200"; nothing is fine, too. */
static bool
take_zone(struct cursor *cursor, int64_t *offset_us, bool *zone, bool *utc)
{
	int64_t hours, minutes = 0;
	bool west;

	*offset_us = 0;
	*zone = cursor->at < cursor->end;
	*utc = true;
	if (!*zone || take(cursor, 'Z') || take(cursor, 'z'))
		return true;
	west = *cursor->at == '-';
	if ((!take(cursor, '+') && !take(cursor, '-')) || !take_digits(cursor, 2, &hours))
		return false;
	if (cursor->at < cursor->end && ((void)take(cursor, ':'), !take_digits(cursor, 2, &minutes)))
		return false;
	*offset_us = (hours * 60 + minutes) * 60 * CLOCK_SECOND_US * (west ? -1 : 1);
	*utc = *offset_us == 0;
	return hours < 16 && minutes < 60;
}

static bool
take_infinity(const char *s, size_t length, int64_t *value)
{
	*value = length == 9 ? -INT64_MAX : INT64_MAX;
	return (length == 8 && strncasecmp(s, "infinity", 8) == 0) ||
	       (length == 9 && strncasecmp(s, "-infinity", 9) == 0);
}

bool
value_parse_date(const char *s, size_t length, int64_t *days)
{
	struct cursor cursor = {s, s + length};

	return (take_date(&cursor, days) && cursor.at == cursor.end) || take_infinity(s, length, days);
}

bool
value_parse_time(const char *s, size_t length, int64_t *us, bool *zone, bool *utc)
{
	struct cursor cursor = {s, s + length};
	int64_t days, clock_us = 0, offset_us = 0;

	*zone = *utc = false;
	if (take_infinity(s, length, us))
		return true;
	if (!take_date(&cursor, &days))
		return false;
	if (cursor.at < cursor.end) {
		if (!take(&cursor, 'T') && !take(&cursor, ' ') && !take(&cursor, 't'))
			return false;
		if (!take_clock(&cursor, &clock_us))
			return false;
		(void)take(&cursor, ' ');
		if (!take_zone(&cursor, &offset_us, zone, utc))
			return false;
	}
	*us = days * CLOCK_DAY_US + clock_us - offset_us;
	return cursor.at == cursor.end;
}
