/*
 * DESIGN. cron_next walks the stretches of a zone. Within one, local time runs on, and the next fire is a question of the calendar
 * alone (next_local); at its borders are the gap and the repeated hours, each looked at once.
 */
#include "etl/cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"

enum { DAY_S = 86400, YEARS_TO_LOOK = 9 /* February 29 skips 1900 and 2100 */ };

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
    "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct field {
	const char *name;
	int64_t least, most;
	int64_t end; /* what * and a/n go up to: 7 is Sunday again */
	const char *const *names;
} fields[] = {
    {"minute", 0, 59, 59, NULL},
    {"hour", 0, 23, 23, NULL},
    {"day", 1, 31, 31, NULL},
    {"month", 1, 12, 12, month_names},
    {"weekday", 0, 7, 6, weekday_names},
};
enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct {
	const char *name, *text;
} short_forms[] = {
    {"@hourly", "0 * * * *"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

/* A number or a name of the field at *s. */
static bool
take_value(const struct field *field, const char **s, int64_t *value)
{
	for (int i = 0; field->names != NULL && field->names[i] != NULL; i++) {
		if (strncasecmp(*s, field->names[i], 3) == 0 && !isalnum((unsigned char)(*s)[3])) {
			*s += 3;
			*value = field->least + i;
			return true;
		}
	}
	if (!isdigit((unsigned char)**s))
		return false;
	for (*value = 0; isdigit((unsigned char)**s) && *value < 1000; (*s)++)
		*value = *value * 10 + (**s - '0');
	return *value >= field->least && *value <= field->most;
}

static bool
take_range(const struct field *field, const char **s, int64_t *from, int64_t *to, bool *star)
{
	*star = **s == '*' || (**s == '?' && (field == &fields[DAY] || field == &fields[WEEKDAY]));
	if (*star) {
		(*s)++;
		*from = field->least;
		*to = field->end;
		return true;
	}
	if (!take_value(field, s, from))
		return false;
	*to = *from;
	if (**s != '-')
		return **s != '/' || (*to = *from > field->end ? *from : field->end, true);
	(*s)++;
	return take_value(field, s, to) && *to >= *from;
}

/* One part of a list. any: it restricts nothing. */
static bool
take_part(const struct field *field, const char **s, uint64_t *bits, bool *any)
{
	int64_t from, to, step = 1;
	bool star;

	if (!take_range(field, s, &from, &to, &star))
		return false;
	if (**s == '/') {
		(*s)++;
		if (!isdigit((unsigned char)**s))
			return false;
		for (step = 0; isdigit((unsigned char)**s) && step < 1000; (*s)++)
			step = step * 10 + (**s - '0');
		if (step == 0 || step > field->most)
			return false;
	}
	for (int64_t i = from; i <= to; i += step)
		*bits |= UINT64_C(1) << (field == &fields[WEEKDAY] && i == 7 ? 0 : i);
	*any = *any || (star && step == 1);
	return true;
}

static bool
read_field(const struct field *field, const char *s, struct cron *cron)
{
	uint64_t bits = 0;
	bool any = false;

	for (;; s++) {
		if (field == &fields[DAY] && (*s == 'L' || *s == 'l')) {
			cron->last_day = true;
			s++;
		} else if (!take_part(field, &s, &bits, &any)) {
			return false;
		}
		if (*s != ',')
			break;
	}
	switch (field - fields) {
	case MINUTE: cron->minutes = bits; break;
	case HOUR: cron->hours = (uint32_t)bits; break;
	case DAY:
		cron->days = (uint32_t)bits;
		cron->any_day = any;
		break;
	case MONTH: cron->months = (uint32_t)bits; break;
	default: cron->weekdays = (uint32_t)bits; cron->any_weekday = any;
	}
	return *s == '\0';
}

static const char *
long_form(const char *text)
{
	for (size_t i = 0; i < LENGTH_OF(short_forms); i++)
		if (strcmp(short_forms[i].name, text) == 0)
			return short_forms[i].text;
	return text;
}

bool
cron_parse(struct ctx *ctx, const char *text, struct cron *cron, const char **fault)
{
	static const char blanks[] = " \t";
	const char *s = long_form(text);
	int count = 0;

	*cron = (struct cron){0};
	*fault = "it must have five fields: minute hour day month weekday";
	for (s += strspn(s, blanks); *s != '\0'; s += strspn(s, blanks), count++) {
		size_t length = strcspn(s, blanks);
		char *field = ctx_strndup(ctx, s, length);

		s += length;
		if (count == FIELDS)
			return false;
		if (!read_field(&fields[count], field, cron)) {
			*fault = ctx_printf(ctx, "'%s' is no %s: %lld to %lld, as in 1, 1-5, 1,3, */2", field,
			    fields[count].name, (long long)fields[count].least, (long long)fields[count].most);
			return false;
		}
	}
	return count == FIELDS;
}

static bool
is_day(const struct cron *cron, int64_t days)
{
	int64_t year, month, day;
	bool by_day, by_weekday;

	clock_civil(days, &year, &month, &day);
	if ((cron->months >> month & 1) == 0)
		return false;
	by_day = (cron->days >> day & 1) != 0 || (cron->last_day && day == clock_days_in_month(year, month));
	by_weekday = (cron->weekdays >> (((days + 4) % 7 + 7) % 7) & 1) != 0;
	return cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

static bool
next_minute(const struct cron *cron, int64_t *minute)
{
	for (; *minute < 24 * 60; (*minute)++)
		if ((cron->hours >> *minute / 60 & 1) != 0 && (cron->minutes >> *minute % 60 & 1) != 0)
			return true;
	return false;
}

/* The first local time of the cron at or after a local time. */
static bool
next_local(const struct cron *cron, int64_t local_s, int64_t *found_s)
{
	int64_t day = local_s / DAY_S - (local_s % DAY_S < 0), minute = (local_s - day * DAY_S + 59) / 60;

	for (int64_t last = day + YEARS_TO_LOOK * 366; day <= last; day++, minute = 0) {
		if (!is_day(cron, day) || !next_minute(cron, &minute))
			continue;
		*found_s = day * DAY_S + minute * 60;
		return true;
	}
	return false;
}

/* The first fire of a stretch, at or after at_s, which lies in it. */
static bool
next_in_stretch(const struct cron *cron, const struct zone_stretch *stretch, int64_t at_s, int64_t *fire_s, bool *never)
{
	static const uint32_t every_hour = (1U << 24) - 1;
	int64_t local_s = at_s + stretch->offset_s, found_s, seen_s;
	bool jumped = stretch->from_s != INT64_MIN && cron->hours != every_hour;

	*never = false;
	if (jumped) {
		seen_s = stretch->from_s + stretch->offset_before_s; /* local times the stretches before have shown */
		if (at_s == stretch->from_s && seen_s < local_s && next_local(cron, seen_s, &found_s) &&
		    found_s < local_s) {
			*fire_s = at_s;
			return true;
		}
		local_s = seen_s > local_s ? seen_s : local_s;
	}
	*never = !next_local(cron, local_s, &found_s);
	*fire_s = *never ? 0 : found_s - stretch->offset_s;
	return !*never && *fire_s < stretch->until_s;
}

bool
cron_next(const struct cron *cron, const struct zone *zone, int64_t after_us, int64_t *next_us)
{
	int64_t at_s = after_us / CLOCK_SECOND_US - (after_us % CLOCK_SECOND_US < 0) + 1;
	int64_t last_s = at_s + (int64_t)YEARS_TO_LOOK * 366 * DAY_S, fire_s;
	struct zone_stretch stretch;
	bool never;

	while (at_s < last_s) {
		zone_stretch_at(zone, at_s, &stretch);
		if (next_in_stretch(cron, &stretch, at_s, &fire_s, &never)) {
			*next_us = fire_s * CLOCK_SECOND_US;
			return true;
		}
		if (never)
			return false;
		at_s = stretch.until_s;
	}
	return false;
}
