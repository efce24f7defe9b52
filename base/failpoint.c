#include "base/failpoint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/fail.h"
#include "base/text.h"

#ifndef LOADSTAR_FAILPOINTS

bool
failpoint_load(struct ctx *ctx, const struct config *config)
{
	if (config->failpoints == NULL || *config->failpoints == '\0')
		return true;
	return fail(ctx, FAIL_CONFIG_INVALID,
	    "LOADSTAR_FAILPOINTS is set, but this build has none (make FAILPOINTS=1)");
}

#else

enum { POINTS = 32, NAME_BYTES = 48, EXIT_STATUS = 86 };

enum action { ACTION_EXIT, ACTION_ERROR, ACTION_SLEEP, ACTION_DROP };

/* Written by failpoint_load before threads start. */
static struct point {
	char name[NAME_BYTES];
	enum action action;
	int64_t sleep_ms;
	int64_t one_in; /* 1: always */
} points[POINTS];
static size_t point_count;

static bool
parse_action(const char *text, struct point *point)
{
	char number[16] = "";
	size_t digits;

	point->one_in = 1;
	if (text_starts_with(text, "1in")) {
		digits = strspn(text + 3, "0123456789");
		if (digits == 0 || digits >= sizeof(number) || text[3 + digits] != ':')
			return false;
		memcpy(number, text + 3, digits);
		if (!text_to_i64(number, &point->one_in) || point->one_in < 1)
			return false;
		text += 3 + digits + 1;
	}
	if (text_starts_with(text, "sleep:")) {
		point->action = ACTION_SLEEP;
		return duration_parse_ms(text + strlen("sleep:"), &point->sleep_ms);
	}
	point->action = text_equal(text, "exit") ? ACTION_EXIT : text_equal(text, "error") ? ACTION_ERROR : ACTION_DROP;
	return point->action != ACTION_DROP || text_equal(text, "drop");
}

static bool
parse_point(struct ctx *ctx, const char *text, size_t length)
{
	char *copy = ctx_strndup(ctx, text, length), *equals = strchr(copy, '=');
	struct point *point = &points[point_count];

	if (equals != NULL)
		*equals = '\0';
	if (equals == NULL || strlen(copy) >= NAME_BYTES || point_count == POINTS || !parse_action(equals + 1, point))
		return fail(ctx, FAIL_CONFIG_INVALID,
		    "LOADSTAR_FAILPOINTS: %.*s is not name=exit, name=error, name=drop, name=sleep:500ms or name=1in20:exit",
		    (int)length, text);
	memcpy(point->name, copy, strlen(copy) + 1);
	point_count++;
	return true;
}

bool
failpoint_load(struct ctx *ctx, const struct config *config)
{
	const char *at = config->failpoints;

	point_count = 0;
	while (at != NULL && *at != '\0') {
		size_t length = strcspn(at, ", ");

		if (length > 0 && !parse_point(ctx, at, length))
			return false;
		at += length + (at[length] != '\0');
	}
	return true;
}

static const struct point *
find(const char *name)
{
	for (size_t i = 0; i < point_count; i++) {
		uint32_t dice;

		if (strcmp(points[i].name, name) != 0)
			continue;
		crypto_random((unsigned char *)&dice, sizeof(dice));
		if (points[i].one_in == 1 || dice % (uint64_t)points[i].one_in == 0)
			return &points[i];
	}
	return NULL;
}

bool
failpoint(struct ctx *ctx, const char *name)
{
	const struct point *point = find(name);

	if (point == NULL)
		return true;
	if (point->action == ACTION_EXIT)
		_exit(EXIT_STATUS);
	if (point->action == ACTION_SLEEP)
		clock_sleep_ms(point->sleep_ms);
	return point->action != ACTION_ERROR || fail(ctx, FAIL_CONNECTION_LOST, "failpoint %s", name);
}

bool
failpoint_drops(const char *name)
{
	const struct point *point = find(name);

	return point != NULL && point->action == ACTION_DROP;
}

#endif
