#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/run_request.h"

enum { MOST_SLICES = 100000 };

/* True when a run of this type may load the table. */
static bool
fits_type(const char *type, const struct spec_table *table)
{
	if (table->is_stage)
		return true;
	if (strcmp(type, "dimensions") == 0)
		return table->kind == TABLE_DIMENSION;
	if (strcmp(type, "facts") == 0)
		return table->kind == TABLE_FACT;
	return strcmp(type, "full") == 0 || spec_table_has_slices(table);
}

static bool
is_selected(const struct run *run, const struct spec_table *table)
{
	json_t *item;
	size_t i;

	if (!fits_type(run->type, table))
		return false;
	if (json_is_null(run->tables))
		return true;
	json_array_foreach(run->tables, i, item)
		if (strcmp(json_string_value(item), table->name) == 0)
			return true;
	return false;
}

static void
check_tables(struct ctx *ctx, const struct spec *spec, const struct run *run)
{
	const char **names = ctx_alloc_array(ctx, spec->table_count, sizeof(*names));
	size_t i, fitting = 0;
	json_t *item;

	for (i = 0; i < spec->table_count; i++) {
		names[i] = spec->tables[i].name;
		fitting += !spec->tables[i].is_stage && fits_type(run->type, &spec->tables[i]);
	}
	if (fitting == 0)
		(void)fail_field(ctx, "/type", "the pipeline has no table that a run of type %s loads", run->type);
	if (json_is_null(run->tables))
		return;
	json_array_foreach(run->tables, i, item) {
		const struct spec_table *table = spec_find_table(spec, json_string_value(item));
		const char *nearest = text_nearest(json_string_value(item), names, spec->table_count);

		if (table == NULL)
			(void)fail_field(ctx, ctx_printf(ctx, "/tables/%zu", i), "there is no table %s%s%s%s",
			    json_string_value(item), nearest != NULL ? "; did you mean " : "",
			    nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
		else if (!fits_type(run->type, table))
			(void)fail_field(ctx, ctx_printf(ctx, "/tables/%zu", i),
			    "%s is a %s%s: a run of type %s does not load it", table->name,
			    table->kind == TABLE_DIMENSION ? "dimension" : "fact",
			    table->kind == TABLE_FACT && !spec_table_has_slices(table) ? " without time" : "",
			    run->type);
	}
}

static const char *
value_text(struct ctx *ctx, const json_t *value)
{
	if (json_is_string(value))
		return json_string_value(value);
	return json_is_boolean(value) ? text_from_bool(json_is_true(value))
				      : text_from_i64(ctx, json_integer_value(value));
}

static bool
value_fits(struct ctx *ctx, const struct spec_param *param, const json_t *value)
{
	if (param->type.kind == TYPE_TEXT && !json_is_string(value))
		return false;
	return spec_param_accepts(ctx, param, value_text(ctx, value));
}

static void
check_param(struct ctx *ctx, const struct spec_param *param, const json_t *given, json_t *taken)
{
	const json_t *value = json_object_get(given, param->name);
	char *pointer = ctx_printf(ctx, "/params/%s", param->name);

	if (value == NULL && param->default_text == NULL) {
		if (spec_param_is_required(param))
			(void)fail_field(ctx, pointer, "is required");
	} else if (value == NULL)
		json_put_string(ctx, taken, param->name, param->default_text);
	else if (!value_fits(ctx, param, value))
		(void)fail_field(ctx, pointer, "must be %s%s%s", spec_type_name(ctx, &param->type),
		    param->pattern != NULL ? " matching " : "", param->pattern != NULL ? param->pattern : "");
	else
		json_put_string(ctx, taken, param->name, value_text(ctx, value));
}

/* Every declared parameter with its value as text, defaults filled in: what the run is pinned to. */
static void
check_params(struct ctx *ctx, const struct spec *spec, struct run *run)
{
	json_t *taken = json_new_object(ctx), *value;
	const char *name;

	for (size_t i = 0; i < spec->param_count; i++)
		check_param(ctx, &spec->params[i], run->params, taken);
	json_object_foreach(run->params, name, value) {
		bool known = false;

		for (size_t i = 0; i < spec->param_count; i++)
			known = known || strcmp(spec->params[i].name, name) == 0;
		if (!known)
			(void)fail_field(ctx, ctx_printf(ctx, "/params/%s", name),
			    "the pipeline has no such parameter");
	}
	run->params = taken;
}

/* A date alone means midnight in the pipeline's time zone. */
static int64_t
at_midnight(const struct spec *spec, const char *text, int64_t at_us)
{
	if (text == NULL || !clock_is_date(text))
		return at_us;
	return zone_instant(spec->zone, at_us / CLOCK_SECOND_US) * CLOCK_SECOND_US;
}

static void
check_range(struct ctx *ctx, const struct spec *spec, struct run_request *request)
{
	struct run *run = &request->run;

	run->from_us = at_midnight(spec, request->from_text, run->from_us);
	run->to_us = at_midnight(spec, request->to_text, run->to_us);
	if (run->from_us <= 0)
		(void)fail_field(ctx, "/from", "must be after 1970-01-01T00:00:00Z");
	else if (run->from_us >= run->to_us)
		(void)fail_field(ctx, "/to", "must be after from");
}

/* As the specification's own slices (etl/spec/check.c). */
static bool
divides(const struct spec_table *table, const struct period *slice)
{
	const struct spec_column *time = table->time != NULL ? spec_find_column(table, table->time) : NULL;

	return slice->us == 0 || time == NULL || time->type.kind != TYPE_DATE;
}

static void
check_slices(struct ctx *ctx, const struct spec *spec, const struct run *run)
{
	int64_t count = 0;

	for (size_t i = 0; i < spec->table_count; i++) {
		const struct spec_table *table = &spec->tables[i];
		struct period slice = table->slice;
		int64_t at_us;

		if (!is_selected(run, table) || table->is_stage || spec_table_is_fed_by_files(table) ||
		    (run->slice != NULL && !spec_slice_parse(run->slice, &slice)))
			continue;
		if (!divides(table, &slice)) {
			(void)fail_field(ctx, "/slice",
			    "%s has a date as its time, which %s does not divide: P1D is the shortest", table->name,
			    run->slice);
			continue;
		}
		for (at_us = period_floor(run->from_us, &slice); at_us < run->to_us && count <= MOST_SLICES; count++)
			at_us = period_add(at_us, &slice, 1);
	}
	if (count > MOST_SLICES)
		(void)fail_field(ctx, run->slice != NULL ? "/slice" : "/to", "this makes more than %d slices",
		    MOST_SLICES);
}

bool
run_request_check(struct ctx *ctx, const struct spec *spec, struct run_request *request)
{
	struct run *run = &request->run;

	check_tables(ctx, spec, run);
	check_params(ctx, spec, run);
	if (strcmp(run->type, "range") == 0)
		check_range(ctx, spec, request);
	if (!ctx_failed(ctx) && strcmp(run->type, "range") == 0)
		check_slices(ctx, spec, run);
	run->deadline_us = clock_now_us() + spec->timeouts.run_ms * 1000;
	return !ctx_failed(ctx);
}
