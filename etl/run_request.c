#include "etl/run_request.h"

#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/fail.h"
#include "base/text.h"

/*
 * DESIGN. One table of fields reads the body: each row names a field, the type of its JSON and the function that takes it. The
 * functions add findings by fail_field and go on, so that the answer lists every wrong field at once.
 */

enum {
	MOST_LABELS = 20,
	MOST_LABEL_KEY = 63,
	MOST_LABEL_VALUE = 255,
	MOST_NOTE = 2000,
	MOST_TABLES = 500,
	MOST_PARALLEL = 64
};

struct field {
	const char *name;
	json_type type; /* JSON_TRUE: a boolean */
	void (*take)(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request);
};

static size_t
count_characters(const char *s)
{
	size_t count = 0;

	for (; *s != '\0'; s++)
		count += (*s & 0xc0) != 0x80;
	return count;
}

/* The value as one of the names, which outlive everything; NULL after a finding that lists them. */
static const char *
take_choice(struct ctx *ctx, const char *pointer, json_t *value, const char *const *names)
{
	struct text list;

	text_init(&list, ctx);
	for (size_t i = 0; names[i] != NULL; i++) {
		if (json_is_string(value) && strcmp(names[i], json_string_value(value)) == 0)
			return names[i];
		text_addf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
	}
	(void)fail_field(ctx, pointer, "must be one of %s", list.data);
	return NULL;
}

static int64_t
take_count(struct ctx *ctx, const char *pointer, json_t *value, int64_t least, int64_t most)
{
	int64_t n = json_integer_value(value);

	if (n < least || n > most)
		(void)fail_field(ctx, pointer, "must be from %lld to %lld", (long long)least, (long long)most);
	return n;
}

static void
take_pipeline(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	request->pipeline = request->run.pipeline = json_string_value(value);
	if (!text_is_name(request->pipeline))
		(void)fail_field(ctx, pointer, "is not the name of a pipeline");
}

static void
take_type(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	static const char *const names[] = {"full", "dimensions", "facts", "range", NULL};

	request->run.type = take_choice(ctx, pointer, value, names);
}

static void
take_mode(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	static const char *const names[] = {"auto", "all", "missing", "failed", NULL};

	request->run.mode = take_choice(ctx, pointer, value, names);
}

static void
take_order(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	static const char *const names[] = {"asc", "desc", NULL};

	request->run.descending = text_equal(take_choice(ctx, pointer, value, names), "desc");
}

static void
take_on_duplicate(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	static const char *const names[] = {"queue", "return", "reject", NULL};

	request->on_duplicate = take_choice(ctx, pointer, value, names);
}

/* A date or RFC 3339; 0 means none in a run, so the time must be after 1970 began. */
static int64_t
take_time(struct ctx *ctx, const char *pointer, const char *text)
{
	int64_t at_us;

	if (!clock_parse(text, &at_us) || at_us == CLOCK_INFINITY || at_us == CLOCK_MINUS_INFINITY ||
	    strchr(text, ' ') != NULL)
		(void)fail_field(ctx, pointer,
		    "must be a date such as 2024-01-31 or a time such as 2024-01-31T00:00:00Z");
	else if (at_us <= 0)
		(void)fail_field(ctx, pointer, "must be after 1970-01-01T00:00:00Z");
	else
		return at_us;
	return 0;
}

static void
take_from(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	request->from_text = json_string_value(value);
	request->run.from_us = take_time(ctx, pointer, request->from_text);
}

static void
take_to(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	request->to_text = json_string_value(value);
	request->run.to_us = take_time(ctx, pointer, request->to_text);
}

static void
take_slice(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	request->run.slice = json_string_value(value);
	if (!spec_slice_parse(request->run.slice, &(struct period){0}))
		(void)fail_field(ctx, pointer,
		    "must be a period of one unit that divides the calendar, such as P1D, P1M or PT6H");
}

static void
take_tables(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	json_t *item, *other;
	size_t i, k;

	request->run.tables = value;
	if (json_array_size(value) == 0 || json_array_size(value) > MOST_TABLES)
		(void)fail_field(ctx, pointer, "must name 1 to %d tables", MOST_TABLES);
	json_array_foreach(value, i, item) {
		char *place = ctx_printf(ctx, "%s/%zu", pointer, i);

		if (i == MOST_TABLES)
			break;
		if (!json_is_string(item) || !text_is_name(json_string_value(item))) {
			(void)fail_field(ctx, place, "must be the name of a table");
			continue;
		}
		json_array_foreach(value, k, other) {
			if (k >= i)
				break;
			if (json_equal(item, other) == 1)
				(void)fail_field(ctx, place, "is here twice");
		}
	}
}

static void
take_params(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	const char *name;
	json_t *item;

	request->run.params = value;
	json_object_foreach(value, name, item) {
		if (!text_is_name(name))
			(void)fail_field(ctx, json_pointer(ctx, pointer, name), "is not the name of a parameter");
		else if (!json_is_string(item) && !json_is_integer(item) && !json_is_boolean(item))
			(void)fail_field(ctx, json_pointer(ctx, pointer, name),
			    "must be a text, a whole number or a boolean");
	}
}

static void
take_priority(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	request->run.priority = take_count(ctx, pointer, value, -100, 100);
}

static void
take_max_parallel(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	request->run.max_parallel = take_count(ctx, pointer, value, 1, MOST_PARALLEL);
}

static void
take_allow(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	static const char *const names[] = {"shrink", "close", "change", "empty", NULL};
	json_t *item;
	size_t i;

	request->run.allow = value;
	if (json_array_size(value) >= LENGTH_OF(names)) {
		(void)fail_field(ctx, pointer, "must be some of shrink, close, change, empty, each once");
		return;
	}
	json_array_foreach(value, i, item)
		(void)take_choice(ctx, ctx_printf(ctx, "%s/%zu", pointer, i), item, names);
}

static void
take_dry_run(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	(void)ctx, (void)pointer;
	request->dry_run = json_is_true(value);
}

static void
take_labels(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	const char *name;
	json_t *item;

	request->run.labels = value;
	if (json_object_size(value) > MOST_LABELS) {
		(void)fail_field(ctx, pointer, "must be at most %d labels", MOST_LABELS);
		return;
	}
	json_object_foreach(value, name, item) {
		if (*name == '\0' || count_characters(name) > MOST_LABEL_KEY)
			(void)fail_field(ctx, json_pointer(ctx, pointer, name),
			    "the name of a label has 1 to %d characters", MOST_LABEL_KEY);
		if (!json_is_string(item) || count_characters(json_string_value(item)) > MOST_LABEL_VALUE)
			(void)fail_field(ctx, json_pointer(ctx, pointer, name),
			    "must be a text of at most %d characters", MOST_LABEL_VALUE);
	}
}

static void
take_note(struct ctx *ctx, const char *pointer, json_t *value, struct run_request *request)
{
	request->run.note = json_string_value(value);
	if (count_characters(request->run.note) > MOST_NOTE)
		(void)fail_field(ctx, pointer, "must be at most %d characters", MOST_NOTE);
}

static const struct field fields[] = {
    {"pipeline", JSON_STRING, take_pipeline},
    {"type", JSON_STRING, take_type},
    {"mode", JSON_STRING, take_mode},
    {"from", JSON_STRING, take_from},
    {"to", JSON_STRING, take_to},
    {"slice", JSON_STRING, take_slice},
    {"tables", JSON_ARRAY, take_tables},
    {"params", JSON_OBJECT, take_params},
    {"priority", JSON_INTEGER, take_priority},
    {"order", JSON_STRING, take_order},
    {"max_parallel", JSON_INTEGER, take_max_parallel},
    {"on_duplicate", JSON_STRING, take_on_duplicate},
    {"allow", JSON_ARRAY, take_allow},
    {"dry_run", JSON_TRUE, take_dry_run},
    {"labels", JSON_OBJECT, take_labels},
    {"note", JSON_STRING, take_note},
};

static void
take_field(struct ctx *ctx, const char *name, json_t *value, struct run_request *request)
{
	static const char *const types[] = {[JSON_OBJECT] = "an object",
	    [JSON_ARRAY] = "an array",
	    [JSON_STRING] = "a text",
	    [JSON_INTEGER] = "a whole number",
	    [JSON_TRUE] = "true or false"};
	const char *names[LENGTH_OF(fields)], *nearest;
	char *pointer = json_pointer(ctx, "", name);

	for (size_t i = 0; i < LENGTH_OF(fields); i++) {
		json_type type = json_is_false(value) ? JSON_TRUE : json_typeof(value);

		names[i] = fields[i].name;
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (type == fields[i].type)
			fields[i].take(ctx, pointer, value, request);
		else if (type != JSON_NULL) /* null says what an absent field says */
			(void)fail_field(ctx, pointer, "must be %s", types[fields[i].type]);
		return;
	}
	nearest = text_nearest(name, names, LENGTH_OF(names));
	if (nearest != NULL)
		(void)fail_field(ctx, pointer, "is not a known field; did you mean %s?", nearest);
	else
		(void)fail_field(ctx, pointer, "is not a known field");
}

static bool
is_absent(const json_t *body, const char *name)
{
	const json_t *value = json_object_get(body, name);

	return value == NULL || json_is_null(value);
}

/* What fields say about each other without a spec. */
static void
check_together(struct ctx *ctx, const json_t *body, struct run_request *request)
{
	struct run *run = &request->run;
	bool range = text_equal(run->type, "range");

	if (is_absent(body, "pipeline"))
		(void)fail_field(ctx, "/pipeline", "is required");
	if (is_absent(body, "type"))
		(void)fail_field(ctx, "/type", "is required: full, dimensions, facts or range");
	if (run->type == NULL)
		return;
	if (range && is_absent(body, "from"))
		(void)fail_field(ctx, "/from", "is required for a range");
	if (range && is_absent(body, "to"))
		(void)fail_field(ctx, "/to", "is required for a range");
	if (!range && !is_absent(body, "from"))
		(void)fail_field(ctx, "/from", "belongs to type range alone");
	if (!range && !is_absent(body, "to"))
		(void)fail_field(ctx, "/to", "belongs to type range alone");
	if (run->from_us != 0 && run->to_us != 0 && run->from_us >= run->to_us)
		(void)fail_field(ctx, "/to", "must be after from");
	if (text_equal(run->type, "dimensions") && !is_absent(body, "slice"))
		(void)fail_field(ctx, "/slice", "dimensions have no slices");
	if (is_absent(body, "mode"))
		run->mode = range ? "all" : "auto";
}

bool
run_request_parse(struct ctx *ctx, const json_t *body, struct run_request *request)
{
	const char *name;
	json_t *value;

	*request = (struct run_request){.on_duplicate = "queue"};
	request->run.tables = json_null();
	request->run.params = json_new_object(ctx);
	request->run.labels = json_new_object(ctx);
	request->run.allow = json_new_array(ctx);
	request->run.steps_total = -1;
	if (!json_is_object(body))
		return fail_field(ctx, "", "must be an object");
	json_object_foreach((json_t *)(uintptr_t)body, name, value)
		take_field(ctx, name, value, request);
	check_together(ctx, body, request);
	request->fingerprint = crypto_sha256_text(ctx, json_text_sorted(ctx, body));
	return !ctx_failed(ctx);
}
