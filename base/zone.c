/*
 * DESIGN. A TZif file is read by its second block (64 bit); what it lists becomes an array of jumps, without those that change
 * nothing but a name. After the last of them the footer's rule answers for the years around the instant asked for.
 */
#include "base/zone.h"

#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"

enum { HEADER_BYTES = 44, TYPE_BYTES = 6, MOST_FILE_BYTES = 1024 * 1024, DAY_S = 86400 };

static const char folder[] = "/usr/share/zoneinfo";

struct jump {
	int64_t at_s, offset_s; /* the offset from then on */
};
struct zone {
	int64_t first_offset_s;
	struct jump *jumps;
	size_t count;
	bool has_rule;
	struct zone_rule rule; /* after the last jump */
};

/* The six counts of a header. */
struct counts {
	int64_t utc, standard, leap, time, type, name;
};

static int64_t
read_big_endian(const char *bytes, int width)
{
	uint64_t value = (bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;

	for (int i = 0; i < width; i++)
		value = value << 8 | (unsigned char)bytes[i];
	return (int64_t)value;
}

static bool
read_counts(const char *header, size_t left, struct counts *counts)
{
	int64_t *const fields[] = {&counts->utc, &counts->standard, &counts->leap, &counts->time, &counts->type,
	    &counts->name};

	if (left < HEADER_BYTES || memcmp(header, "TZif", 4) != 0)
		return false;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		*fields[i] = read_big_endian(header + 20 + 4 * i, 4);
		if (*fields[i] < 0 || *fields[i] > MOST_FILE_BYTES)
			return false;
	}
	return true;
}

/* Bytes of the block below a header; width: of its times. */
static size_t
block_bytes(const struct counts *n, size_t width)
{
	return (size_t)n->time * (width + 1) + (size_t)n->type * TYPE_BYTES + (size_t)n->name +
	       (size_t)n->leap * (width + 4) + (size_t)n->standard + (size_t)n->utc;
}

static bool
read_jumps(struct ctx *ctx, const char *block, const struct counts *n, struct zone *zone)
{
	const char *types = block + n->time * 8, *offsets = types + n->time;
	int64_t offset_s;

	if (n->type == 0 || n->leap != 0)
		return false;
	zone->jumps = ctx_alloc_array(ctx, (size_t)n->time + 1, sizeof(*zone->jumps));
	zone->first_offset_s = offset_s = read_big_endian(offsets, 4);
	for (int64_t i = 0; i < n->time; i++) {
		int64_t type = (unsigned char)types[i];
		struct jump jump = {.at_s = read_big_endian(block + i * 8, 8)};

		if (type >= n->type || (i > 0 && jump.at_s <= read_big_endian(block + (i - 1) * 8, 8)))
			return false;
		jump.offset_s = read_big_endian(offsets + type * TYPE_BYTES, 4);
		if (jump.offset_s < -2 * DAY_S || jump.offset_s > 2 * DAY_S)
			return false;
		if (jump.offset_s != offset_s)
			zone->jumps[zone->count++] = jump;
		offset_s = jump.offset_s;
	}
	return true;
}

/* "\nRULE\n"; an empty one: what the file lists is all that is known. */
static bool
read_footer(struct ctx *ctx, const char *footer, size_t left, struct zone *zone)
{
	const char *end;

	if (left < 2 || footer[0] != '\n' || (end = memchr(footer + 1, '\n', left - 1)) == NULL)
		return false;
	zone->has_rule = end > footer + 1;
	return !zone->has_rule ||
	       zone_rule_parse(ctx_strndup(ctx, footer + 1, (size_t)(end - footer - 1)), &zone->rule);
}

static bool
read_file(struct ctx *ctx, const char *bytes, size_t length, struct zone *zone)
{
	struct counts n;
	size_t at, block;

	if (!read_counts(bytes, length, &n) || bytes[4] < '2')
		return false;
	at = HEADER_BYTES + block_bytes(&n, 4);
	if (at > length || !read_counts(bytes + at, length - at, &n))
		return false;
	at += HEADER_BYTES;
	block = block_bytes(&n, 8);
	return block <= length - at && read_jumps(ctx, bytes + at, &n, zone) &&
	       read_footer(ctx, bytes + at + block, length - at - block, zone);
}

static bool
is_sane_name(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";

	return *name != '\0' && *name != '/' && strlen(name) <= 64 && name[strspn(name, good)] == '\0';
}

bool
zone_load(struct ctx *ctx, const char *name, const struct zone **loaded)
{
	struct zone *zone = ctx_alloc(ctx, sizeof(*zone));
	char *path = ctx_printf(ctx, "%s/%s", folder, name), *bytes;
	size_t length;

	*loaded = zone;
	if (text_equal(name, "UTC") || text_equal(name, "Etc/UTC"))
		return true;
	if (!is_sane_name(name) || !file_exists(path) || file_is_folder(path))
		return fail(ctx, FAIL_NOT_FOUND, "there is no time zone %s on this system", name);
	if (!file_read(ctx, path, MOST_FILE_BYTES, &bytes, &length))
		return false;
	return read_file(ctx, bytes, length, zone) ||
	       fail(ctx, FAIL_IO, "%s is no time zone that can be understood", path);
}

/* Narrows the stretch by a jump. Jumps come in the order of time. */
static void
see(struct zone_stretch *stretch, int64_t at_s, const struct jump *jump)
{
	if (jump->at_s <= at_s) {
		stretch->from_s = jump->at_s;
		stretch->offset_before_s = stretch->offset_s;
		stretch->offset_s = jump->offset_s;
	} else if (jump->at_s < stretch->until_s) {
		stretch->until_s = jump->at_s;
	}
}

/* The jumps of the years around, as far as they lie after the last listed one. */
static void
see_rule(const struct zone *zone, int64_t at_s, struct zone_stretch *stretch)
{
	int64_t listed_s = zone->count > 0 ? zone->jumps[zone->count - 1].at_s : INT64_MIN;
	int64_t year, month, day;

	clock_civil(at_s / DAY_S, &year, &month, &day);
	for (int64_t y = year - 1; y <= year + 1; y++) {
		struct jump first = {.offset_s = zone->rule.summer_offset_s},
			    second = {.offset_s = zone->rule.offset_s};

		zone_rule_year(&zone->rule, y, &first.at_s, &second.at_s);
		if (second.at_s < first.at_s) {
			struct jump swap = first;

			first = second;
			second = swap;
		}
		if (first.at_s > listed_s)
			see(stretch, at_s, &first);
		if (second.at_s > listed_s)
			see(stretch, at_s, &second);
	}
}

void
zone_stretch_at(const struct zone *zone, int64_t at_s, struct zone_stretch *stretch)
{
	size_t low = 0, high = zone->count; /* the first jump after at_s */

	*stretch = (struct zone_stretch){.from_s = INT64_MIN,
	    .until_s = INT64_MAX,
	    .offset_s = zone->first_offset_s,
	    .offset_before_s = zone->first_offset_s};
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->jumps[middle].at_s <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low >= 2)
		stretch->offset_s = zone->jumps[low - 2].offset_s;
	if (low >= 1)
		see(stretch, at_s, &zone->jumps[low - 1]);
	if (low < zone->count)
		see(stretch, at_s, &zone->jumps[low]);
	else if (zone->has_rule && zone->rule.has_summer)
		see_rule(zone, at_s, stretch);
	else if (zone->has_rule && zone->count == 0)
		stretch->offset_s = stretch->offset_before_s = zone->rule.offset_s;
}

int64_t
zone_instant(const struct zone *zone, int64_t local_s)
{
	struct zone_stretch stretch;

	/* No zone is further from UTC than two days. */
	zone_stretch_at(zone, local_s - 2 * DAY_S, &stretch);
	while (stretch.until_s != INT64_MAX && local_s >= stretch.until_s + stretch.offset_s) {
		zone_stretch_at(zone, stretch.until_s, &stretch);
		if (local_s < stretch.from_s + stretch.offset_s) /* it lies in the gap before this stretch */
			return stretch.from_s;
	}
	return local_s - stretch.offset_s;
}
