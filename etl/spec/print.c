#include "etl/spec.h"

#include "base/text.h"

static const char *const kind_names[] = {"dimension", "fact"};
static const char *const write_names[] = {"replace_range", "append", "upsert", "replace_all"};
static const char *const dimension_write_names[] = {"merge", "replace", "append"};
static const char *const format_names[] = {"ndjson", "json", "csv", "parquet"};
static const char *const missing_names[] = {"unknown", "fail", "infer", "quarantine"};

static json_t *
names_to_json(struct ctx *ctx, const char *const *names, size_t count)
{
	json_t *array = json_new_array(ctx);

	for (size_t i = 0; i < count; i++)
		json_add_string(ctx, array, names[i]);
	return array;
}

static json_t *
column_to_json(struct ctx *ctx, const struct spec_column *column)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "name", column->name);
	json_put_string(ctx, object, "type", spec_type_name(ctx, &column->type));
	json_put_bool(object, "key", column->key);
	json_put_bool(object, "tracked", column->tracked);
	json_put_bool(object, "not_null", column->not_null);
	json_put_string(ctx, object, "default", column->default_text);
	json_put_string(ctx, object, "comment", column->comment);
	return object;
}

static json_t *
lookup_to_json(struct ctx *ctx, const struct spec_lookup *lookup)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "column", lookup->column);
	json_put_string(ctx, object, lookup->dimension->kind == TABLE_FACT ? "fact" : "dimension",
	    lookup->dimension->name);
	json_put(object, "match", names_to_json(ctx, lookup->match, lookup->dimension->key_count));
	json_put_string(ctx, object, "as_of", lookup->as_of);
	json_put_string(ctx, object, "missing", missing_names[lookup->missing]);
	json_put_string(ctx, object, "before_first", lookup->before_first_missing ? "missing" : "first");
	return object;
}

static json_t *
history_to_json(struct ctx *ctx, const struct spec_table *table)
{
	json_t *object = json_new_object(ctx);

	json_put_int(object, "scd", table->scd);
	json_put_string(ctx, object, "valid_from", table->valid_from);
	json_put_string(ctx, object, "ties", table->ties_first ? "first" : "last");
	json_put_string(ctx, object, "deletes", table->deletes == DELETES_CLOSE ? "close" : "ignore");
	return object;
}

/* "-P1M10D": as it may stand in a specification, in months, days and seconds. */
static const char *
begin_text(struct ctx *ctx, const struct spec_table *table)
{
	const struct period *before = &table->begin_before;
	struct text out;

	if (period_is_zero(before))
		return ctx_strndup(ctx, clock_format(ctx, table->begin_us), sizeof("YYYY-MM-DD") - 1);
	text_init(&out, ctx);
	text_add(&out, "-P");
	if (before->months > 0)
		text_addf(&out, "%lldM", (long long)before->months);
	if (before->days > 0)
		text_addf(&out, "%lldD", (long long)before->days);
	if (before->us > 0)
		text_addf(&out, "T%lldS", (long long)(before->us / CLOCK_SECOND_US));
	return out.data;
}

static void
put_fact(struct ctx *ctx, json_t *object, const struct spec_table *table)
{
	json_put_string(ctx, object, "write", write_names[table->write]);
	json_put_string(ctx, object, "time", table->time);
	if (table->time == NULL || spec_table_is_fed_by_files(table))
		return;
	json_put_string(ctx, object, "begin", begin_text(ctx, table));
	json_put_string(ctx, object, "slice", table->slice_text);
	json_put_int(object, "lag_seconds", table->lag_ms / 1000);
	json_put_int(object, "lookback", table->lookback);
	json_put_string(ctx, object, "changed_by", table->changed_by);
	json_put_string(ctx, object, "reconcile", table->reconcile_text);
}

json_t *
spec_table_to_json(struct ctx *ctx, const struct spec_table *table)
{
	json_t *object = json_new_object(ctx), *columns = json_new_array(ctx), *lookups = json_new_array(ctx);
	json_t *source = json_new_object(ctx);

	for (size_t i = 0; i < table->column_count; i++)
		json_add(columns, column_to_json(ctx, &table->columns[i]));
	for (size_t i = 0; i < table->lookup_count; i++)
		json_add(lookups, lookup_to_json(ctx, &table->lookups[i]));
	if (table->calendar.kind != CALENDAR_NONE) {
		json_put_string(ctx, source, "generate", table->calendar.kind == CALENDAR_DATE ? "date" : "time");
	} else {
		json_put_string(ctx, source, table->stage != NULL ? "stage" : "from", table->source->name);
		json_put_string(ctx, source, "query", table->query_path);
	}
	if (spec_table_is_fed_by_files(table))
		json_put_string(ctx, object, "transform", table->transform_path);
	json_put_string(ctx, object, "name", table->name);
	json_put_string(ctx, object, "kind", table->is_stage ? "stage" : kind_names[table->kind]);
	json_put_string(ctx, object, "comment", table->comment);
	json_put(object, "source", source);
	json_put_string(ctx, object, "surrogate", table->surrogate);
	json_put(object, table->kind == TABLE_FACT ? "grain" : "key",
	    names_to_json(ctx, table->keys, table->key_count));
	json_put(object, "columns", columns);
	if (table->kind == TABLE_DIMENSION) {
		json_put_string(ctx, object, "write", dimension_write_names[table->dimension_write]);
		json_put(object, "history", history_to_json(ctx, table));
	} else {
		put_fact(ctx, object, table);
	}
	json_put(object, "lookups", lookups);
	json_put(object, "guards", spec_guards_to_json(ctx, table));
	json_put_string(ctx, object, "on_error", table->fail_run ? "fail" : "continue");
	json_put_int(object, "wave", table->wave);
	return object;
}

static json_t *
param_to_json(struct ctx *ctx, const struct spec_param *param)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "name", param->name);
	json_put_string(ctx, object, "type", spec_type_name(ctx, &param->type));
	json_put_string(ctx, object, "pattern", param->pattern);
	json_put_string(ctx, object, "default", param->default_text);
	json_put_bool(object, "required", spec_param_is_required(param));
	json_put_string(ctx, object, "column", param->column);
	return object;
}

json_t *
spec_source_to_json(struct ctx *ctx, const struct spec_source *source)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "name", source->name);
	json_put_string(ctx, object, "type", source->type);
	json_put_string(ctx, object, "connection", source->connection);
	if (source->kind != SOURCE_FILES)
		return object;
	json_put_string(ctx, object, "path", source->path);
	json_put_string(ctx, object, "format", format_names[source->format]);
	json_put_string(ctx, object, "batch_date", source->batch_date);
	json_put_string(ctx, object, "on_bad_file", source->bad_fails ? "fail" : "quarantine");
	return object;
}

static json_t *
scripts_to_json(struct ctx *ctx, const struct spec *spec)
{
	json_t *scripts = json_new_array(ctx);

	for (size_t i = 0; i < spec->script_count; i++) {
		json_t *script = json_new_object(ctx);

		json_put_string(ctx, script, "name", spec->scripts[i].name);
		json_put_string(ctx, script, "file", spec->scripts[i].path);
		json_put_string(ctx, script, "sql", spec->scripts[i].text);
		json_add(scripts, script);
	}
	return scripts;
}

static json_t *
views_to_json(struct ctx *ctx, const struct spec *spec)
{
	json_t *views = json_new_array(ctx);

	for (size_t i = 0; i < spec->view_count; i++) {
		json_t *view = json_new_object(ctx);

		json_put_string(ctx, view, "name", spec->views[i].name);
		json_put_string(ctx, view, "file", spec->views[i].path);
		json_put_string(ctx, view, "sql", spec->views[i].statement);
		json_add(views, view);
	}
	return views;
}

static json_t *
queries_to_json(struct ctx *ctx, const struct spec *spec)
{
	json_t *queries = json_new_array(ctx);

	for (size_t i = 0; i < spec->query_count; i++) {
		json_t *query = json_new_object(ctx);

		json_put_string(ctx, query, "name", spec->queries[i].name);
		json_put_string(ctx, query, "file", spec->queries[i].path);
		json_put_string(ctx, query, "question", spec->queries[i].question);
		json_put_string(ctx, query, "sql", spec->queries[i].text);
		json_add(queries, query);
	}
	return queries;
}

json_t *
spec_schedule_to_json(struct ctx *ctx, const struct spec *spec)
{
	const struct spec_schedule *schedule = spec->schedule;
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "cron", schedule->cron_text);
	json_put_string(ctx, object, "timezone", schedule->timezone);
	json_put_string(ctx, object, "run", spec_run_types[schedule->run]);
	json_put_string(ctx, object, "mode", spec_run_modes[schedule->mode]);
	json_put_string(ctx, object, "overlap", spec_overlap_modes[schedule->overlap]);
	json_put_string(ctx, object, "catchup", spec_catchup_modes[schedule->catchup]);
	if (schedule->window_ms > 0)
		json_put_int(object, "window_seconds", schedule->window_ms / 1000);
	else
		json_put_null(object, "window_seconds");
	json_put(object, "params",
	    json_trusted(ctx, json_text(ctx, schedule->params))); /* the spec's is shared by threads */
	return object;
}

json_t *
spec_notify_to_json(struct ctx *ctx, const struct spec *spec)
{
	json_t *list = json_new_array(ctx);

	for (size_t i = 0; i < spec->notify_count; i++) {
		json_t *item = json_new_object(ctx);

		json_put_string(ctx, item, "to", spec->notify[i].to);
		json_put(item, "events", names_to_json(ctx, spec->notify[i].events, spec->notify[i].event_count));
		json_add(list, item);
	}
	return list;
}

json_t *
spec_to_json(struct ctx *ctx, const struct spec *spec)
{
	json_t *object = json_new_object(ctx), *params = json_new_array(ctx), *sources = json_new_array(ctx);
	json_t *tables = json_new_array(ctx);

	for (size_t i = 0; i < spec->param_count; i++)
		json_add(params, param_to_json(ctx, &spec->params[i]));
	for (size_t i = 0; i < spec->source_count; i++)
		json_add(sources, spec_source_to_json(ctx, &spec->sources[i]));
	for (size_t i = 0; i < spec->table_count; i++)
		json_add(tables, spec_table_to_json(ctx, &spec->tables[i]));
	json_put_string(ctx, object, "pipeline", spec->pipeline);
	json_put_string(ctx, object, "version", spec->hash);
	json_put_string(ctx, object, "comment", spec->comment);
	json_put_string(ctx, object, "warehouse", spec->warehouse);
	json_put_string(ctx, object, "schema", spec->schema);
	json_put_string(ctx, object, "timezone", spec->timezone);
	if (spec->schedule != NULL)
		json_put(object, "schedule", spec_schedule_to_json(ctx, spec));
	else
		json_put_null(object, "schedule");
	json_put(object, "notify", spec_notify_to_json(ctx, spec));
	json_put(object, "params", params);
	json_put(object, "sources", sources);
	json_put(object, "tables", tables);
	json_put(object, "post_load", scripts_to_json(ctx, spec));
	json_put(object, "checks", spec_checks_to_json(ctx, spec));
	json_put(object, "views", views_to_json(ctx, spec));
	json_put(object, "queries", queries_to_json(ctx, spec));
	return object;
}
