/*
 * zone: the rules of a time zone, from the system's tzdata (TZif files, RFC 8536) without touching the process's TZ.
 *
 * A zone is cut into stretches in which local time runs on without a jump: those a file lists, then those of the rule in its
 * footer, for ever. Instants are seconds since 1970 in UTC; a local time is what a clock on the wall shows, counted as if it were UTC.
 * A zone lives in the ctx it was loaded in and is immutable: any thread may read it. "UTC" needs no file.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/ctx.h"

struct zone;

/* "Europe/Zurich". FAIL_NOT_FOUND: the system knows no such zone; FAIL_IO: its file cannot be understood. */
bool zone_load(struct ctx *ctx, const char *name, const struct zone **zone) MUST_CHECK;

/* The stretch that holds an instant: [from_s, until_s), INT64_MIN and INT64_MAX where there is no jump. */
struct zone_stretch {
	int64_t from_s, until_s;
	int64_t offset_s;        /* local time - UTC */
	int64_t offset_before_s; /* of the stretch before; offset_s when there is none */
};
void zone_stretch_at(const struct zone *zone, int64_t at_s, struct zone_stretch *stretch);

/* The instant of a local time: the first one of a time that comes twice, the end of the gap for one that is skipped. */
int64_t zone_instant(const struct zone *zone, int64_t local_s);

/* The rule of a footer, as of POSIX's TZ: "CET-1CEST,M3.5.0,M10.5.0/3". */
struct zone_change {
	char kind; /* 'M': month, week, day; 'J': day 1 to 365 without February 29; '0': day 0 to 365 */
	int64_t month, week, day;
	int64_t time_s; /* local, from that day's midnight; may lie outside the day */
};
struct zone_rule {
	int64_t offset_s, summer_offset_s;
	bool has_summer;
	struct zone_change start, end; /* of summer time */
};
bool zone_rule_parse(const char *text, struct zone_rule *rule) MUST_CHECK;

/* The instants at which summer time starts and ends in a year. */
void zone_rule_year(const struct zone_rule *rule, int64_t year, int64_t *start_s, int64_t *end_s);

#endif
