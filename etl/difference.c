#include "etl/difference.h"

#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"

enum { DEPTH_MOST = 8 };

/* Way down to a value: names of members, and of the items of lists that have names. */
struct path {
	const char *parts[DEPTH_MOST];
	size_t depth;
};

struct walk {
	struct ctx *ctx;
	struct difference *out;
	const struct spec *after;
	const struct node *document; /* of after */
	size_t room;
	struct path path;
};

/* Both are there for a value that changed; one is NULL for a member that came or went. */
typedef bool rule_test(const json_t *before, const json_t *after);

static bool
always(const json_t *before, const json_t *after)
{
	(void)before;
	(void)after;
	return true;
}

static bool
when_it_was_there(const json_t *before, const json_t *after)
{
	(void)after;
	return before != NULL;
}

/* Versions live in the log, which the other kinds do not have. */
static bool
when_versions_come_or_go(const json_t *before, const json_t *after)
{
	return json_integer_value(before) == 2 || json_integer_value(after) == 2;
}

/* A column that is tracked no more, as a whole or by itself: its rows are made of the log anew, without it. */
static bool
when_tracked(const json_t *before, const json_t *after)
{
	if (json_is_boolean(before))
		return json_is_true(before);
	return after == NULL && json_is_true(json_object_get(before, "tracked"));
}

static bool
when_narrower(const json_t *before, const json_t *after)
{
	struct spec_type from, to;

	return before != NULL && after != NULL &&
	       !(spec_type_parse(json_string_value(before), &from) && spec_type_parse(json_string_value(after), &to) &&
		   type_widens(&from, &to));
}

static const struct rule {
	const char *path; /* a star is any name */
	rule_test *loses;
	const char *why;
} rules[] = {
    {"schema", always,
	"the tables and their ledger stay in the schema they are in; give the other schema a pipeline of its own"},
    {"warehouse", always,
	"the tables and their ledger stay in the warehouse they are in; keep the connection's name, or declare a new pipeline"},
    {"tables/*/kind", always, "the table holds rows of the other kind; declare a new table beside it"},
    {"tables/*/key", always,
	"rows and surrogate keys belong to the key they were loaded by; declare a new table beside it"},
    {"tables/*/grain", always, "rows belong to the grain they were loaded by; declare a new table beside it"},
    {"tables/*/surrogate", always,
	"rows are referred to by this column; keep its name, or declare a new table beside it"},
    {"tables/*/history/scd", when_versions_come_or_go,
	"versions are kept in a log from the first load on; declare a new table beside it"},
    {"tables/*/time", when_it_was_there,
	"the ledger tells what is loaded by this column's intervals; declare a new table beside it"},
    {"tables/*/columns/*/type", when_narrower,
	"types only widen (smallint, integer, bigint, numeric; more digits): declare a new column, or keep the type"},
    {"tables/*/columns/*", when_tracked,
	"versions that differ by this column alone would become one; keep it, or declare a new table beside this one"},
    {"tables/*/columns/*/tracked", when_tracked,
	"versions that differ by this column alone would become one; keep it tracked, or declare a new table beside this one"},
    {"tables/*/lookups/*/dimension", always, "rows hold keys of the other table; give the lookup a column of its own"},
    {"tables/*/lookups/*/fact", always, "rows hold keys of the other table; give the lookup a column of its own"},
};

/* What follows from something else, or is no part of what was declared. */
static const char *const derived[] = {"version", "params_schema", "lineage", "links", "tables/*/wave"};

static bool
fits(const char *pattern, const struct path *path)
{
	for (size_t i = 0; i < path->depth; i++) {
		size_t length = strcspn(pattern, "/");
		bool any = length == 1 && *pattern == '*';

		if (!any && (strlen(path->parts[i]) != length || strncmp(pattern, path->parts[i], length) != 0))
			return false;
		pattern += length;
		if ((*pattern == '/') != (i + 1 < path->depth))
			return false;
		pattern += *pattern == '/';
	}
	return *pattern == '\0';
}

static bool
is_derived(const struct path *path)
{
	for (size_t i = 0; i < sizeof(derived) / sizeof(*derived); i++)
		if (fits(derived[i], path))
			return true;
	return false;
}

static const char *
find_loss(const struct path *path, const json_t *before, const json_t *after)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (fits(rules[i].path, path) && rules[i].loses(before, after))
			return rules[i].why;
	return NULL;
}

static struct spec_change *
new_change(struct walk *walk)
{
	struct difference *out = walk->out;
	struct spec_change *items;

	if (out->count == walk->room) {
		walk->room = walk->room * 2 + 16;
		items = ctx_alloc_array(walk->ctx, walk->room, sizeof(*items));
		if (out->count > 0)
			memcpy(items, out->items, out->count * sizeof(*items));
		out->items = items;
	}
	return &out->items[out->count++];
}

static void
add_change(struct walk *walk, json_t *before, json_t *after)
{
	const struct path *path = &walk->path;
	bool of_table = path->depth >= 2 && strcmp(path->parts[0], "tables") == 0;
	bool of_column = of_table && path->depth >= 4 && strcmp(path->parts[2], "columns") == 0;
	struct spec_change *change;
	char *pointer = ctx_strdup(walk->ctx, "");
	struct spec_place place;

	for (size_t i = 0; i < path->depth; i++)
		pointer = json_pointer(walk->ctx, pointer, path->parts[i]);
	place = spec_place_find(walk->ctx, walk->after, walk->document, pointer);
	change = new_change(walk);
	*change = (struct spec_change){
	    .path = pointer,
	    .at = ctx_printf(walk->ctx, "%s:%d:%d", place.file, place.line, place.column),
	    .table = of_table ? path->parts[1] : NULL,
	    .column = of_column ? path->parts[3] : NULL,
	    .before = before,
	    .after = after,
	    .loses = find_loss(path, before, after),
	};
	walk->out->loses = walk->out->loses || change->loses != NULL;
}

static void compare(struct walk *walk, json_t *before, json_t *after);

static void
compare_member(struct walk *walk, const char *name, json_t *before, json_t *after)
{
	if (walk->path.depth == DEPTH_MOST)
		return;
	walk->path.parts[walk->path.depth++] = name;
	if (!is_derived(&walk->path))
		compare(walk, before, after);
	walk->path.depth--;
}

static void
compare_objects(struct walk *walk, json_t *before, json_t *after)
{
	const char *name;
	json_t *value;

	json_object_foreach(before, name, value)
		compare_member(walk, name, value, json_object_get(after, name));
	json_object_foreach(after, name, value)
		if (json_object_get(before, name) == NULL)
			compare_member(walk, name, NULL, value);
}

/* What an item of a list is called; NULL: the list is a value as a whole. */
static const char *
item_name(const json_t *item)
{
	return json_string_or(item, "name", json_string_or(item, "column", NULL));
}

static bool
is_named(const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (item_name(item) == NULL)
			return false;
	return true;
}

/* The list as an object by name: order means nothing. */
static json_t *
by_name(struct walk *walk, const json_t *list)
{
	json_t *object = json_new_object(walk->ctx), *item;
	size_t i;

	json_array_foreach(list, i, item)
		json_put(object, item_name(item), item);
	return object;
}

static bool
is_null(const json_t *value)
{
	return value == NULL || json_is_null(value);
}

static void
compare(struct walk *walk, json_t *before, json_t *after)
{
	if (is_null(before) && is_null(after))
		return;
	if (is_null(before) || is_null(after))
		add_change(walk, is_null(before) ? NULL : before, is_null(after) ? NULL : after);
	else if (json_is_object(before) && json_is_object(after))
		compare_objects(walk, before, after);
	else if (json_is_array(before) && json_is_array(after) && is_named(before) && is_named(after))
		compare_objects(walk, by_name(walk, before), by_name(walk, after));
	else if (!json_equal(before, after))
		add_change(walk, before, after);
}

/* A file by what is in it: its texts are too long to show. */
static json_t *
files_to_json(struct ctx *ctx, const struct spec *spec)
{
	json_t *object = json_new_object(ctx);

	for (size_t i = 0; i < spec->files.count; i++)
		if (strcmp(spec->files.items[i].path, "pipeline.yaml") != 0)
			json_put_string(ctx, object, spec->files.items[i].path,
			    spec_files_hash(ctx, &(struct spec_files){.items = &spec->files.items[i], .count = 1}));
	return object;
}

static json_t *
whole(struct ctx *ctx, const struct spec *spec)
{
	json_t *object = spec_to_json(ctx, spec);

	json_put(object, "files", files_to_json(ctx, spec));
	return object;
}

void
difference_find(struct ctx *ctx, const struct spec *before, const struct spec *after, struct difference *out)
{
	struct walk walk = {.ctx = ctx, .out = out, .after = after, .document = spec_document(ctx, after)};
	json_t *nothing = json_new_object(ctx), *everything;

	*out = (struct difference){0};
	if (before != NULL) {
		compare(&walk, whole(ctx, before), whole(ctx, after));
		return;
	}
	json_put(nothing, "tables", json_new_array(ctx));
	everything = json_new_object(ctx);
	json_put(everything, "tables", json_object_get(spec_to_json(ctx, after), "tables"));
	compare(&walk, nothing, everything);
}

void
difference_keep_tables(struct difference *difference, const char *const *exists, size_t count)
{
	difference->loses = false;
	for (size_t i = 0; i < difference->count; i++) {
		struct spec_change *change = &difference->items[i];
		bool is_there = change->table == NULL && count > 0;

		for (size_t k = 0; k < count && !is_there; k++)
			is_there = text_equal(exists[k], change->table);
		if (!is_there)
			change->loses = NULL;
		difference->loses = difference->loses || change->loses != NULL;
	}
}

/* The type a column had before it was widened. */
static bool
is_narrower_again(const struct spec_change *change)
{
	struct spec_type before, after;

	return change->column != NULL && change->before != NULL && change->after != NULL &&
	       text_ends_with(change->path, "/type") && spec_type_parse(json_string_value(change->before), &before) &&
	       spec_type_parse(json_string_value(change->after), &after) && type_widens(&after, &before);
}

void
difference_go_back(struct difference *difference)
{
	difference->loses = false;
	for (size_t i = 0; i < difference->count; i++) {
		struct spec_change *change = &difference->items[i];

		if (is_narrower_again(change))
			change->loses = NULL;
		difference->loses = difference->loses || change->loses != NULL;
	}
}

static const char *
change_name(const struct spec_change *change)
{
	if (change->before == NULL)
		return "added";
	return change->after == NULL ? "removed" : "changed";
}

json_t *
difference_to_json(struct ctx *ctx, const struct difference *difference)
{
	json_t *array = json_new_array(ctx);

	for (size_t i = 0; i < difference->count; i++) {
		const struct spec_change *change = &difference->items[i];
		json_t *object = json_new_object(ctx);

		json_put_string(ctx, object, "path", change->path);
		json_put_string(ctx, object, "at", change->at);
		json_put_string(ctx, object, "change", change_name(change));
		json_put_string(ctx, object, "table", change->table);
		json_put_string(ctx, object, "column", change->column);
		if (change->before != NULL)
			json_put(object, "before", change->before);
		else
			json_put_null(object, "before");
		if (change->after != NULL)
			json_put(object, "after", change->after);
		else
			json_put_null(object, "after");
		json_put_bool(object, "allowed", change->loses == NULL);
		json_put_string(ctx, object, "reason", change->loses);
		json_add(array, object);
	}
	return array;
}

/* Decimal digits that every value of a whole number's type fits in. */
static int
digits(const struct spec_type *type)
{
	switch (type->kind) {
	case TYPE_SMALLINT: return 5;
	case TYPE_INTEGER: return 10;
	case TYPE_BIGINT: return 19;
	default: return 0;
	}
}

bool
type_widens(const struct spec_type *from, const struct spec_type *to)
{
	bool bounded = to->kind == TYPE_NUMERIC && to->precision > 0;

	if (digits(from) > 0 && digits(to) > 0)
		return digits(to) > digits(from);
	if (digits(from) > 0 && to->kind == TYPE_NUMERIC)
		return !bounded || to->precision - to->scale >= digits(from);
	if (from->kind != TYPE_NUMERIC || from->precision == 0 || to->kind != TYPE_NUMERIC)
		return false;
	return !bounded || (to->scale >= from->scale && to->precision - to->scale >= from->precision - from->scale &&
			       to->precision > from->precision);
}
