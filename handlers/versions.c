/* versions: specifications are applied, listed and activated again. */
#include "base/fail.h"
#include "base/text.h"
#include "etl/apply.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/pipeline_store.h"

static bool
is_hash(const char *s)
{
	static const char prefix[] = "sha256:";
	size_t digits = 0;

	if (!text_starts_with(s, prefix))
		return false;
	for (s += sizeof(prefix) - 1; (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'f'); s++)
		digits++;
	return *s == '\0' && digits == 64;
}

/* The body: {"files": {path: text}}. */
static bool
take_files(struct ctx *ctx, const struct request *request, struct spec_files *files)
{
	json_t *body, *value;
	const char *name;

	if (!param_body(ctx, request, "files", &body))
		return false;
	value = json_object_get(body, "files");
	if (!json_is_object(value))
		return fail_field(ctx, "/files", "must be an object: the text of each file by its path");
	json_object_foreach(value, name, body)
		if (!json_is_string(body) || (!text_equal(name, "pipeline.yaml") && !text_ends_with(name, ".sql")))
			(void)fail_field(ctx, json_pointer(ctx, "/files", name),
			    "must be the text of pipeline.yaml or of an SQL file");
	return !ctx_failed(ctx) && spec_files_from_json(ctx, value, files);
}

/* Every finding as a field: the file it is in, and its place as file:line:column. */
static bool
read_spec(struct ctx *ctx, const struct request *request, struct spec **spec)
{
	struct spec_error *errors = NULL;
	struct spec_files files;

	if (!take_files(ctx, request, &files))
		return false;
	if (spec_parse(ctx, &files, spec, &errors))
		return true;
	for (; errors != NULL; errors = errors->next)
		(void)fail_field(ctx, json_pointer(ctx, "/files", errors->place.file), "%s:%d:%d: %s",
		    errors->place.file, errors->place.line, errors->place.column, errors->message);
	return false;
}

/* Whether one of the tables is another pipeline's, too: in the same warehouse and schema. */
static bool
shares_table(const struct spec *spec, const struct spec *other, const char **table)
{
	if (!text_equal(spec->warehouse, other->warehouse) || !text_equal(spec->schema, other->schema))
		return false;
	for (size_t i = 0; i < spec->table_count; i++) {
		*table = spec->tables[i].name;
		if (spec_find_table(other, *table) != NULL)
			return true;
	}
	return false;
}

/* Who may write some pipelines may not take the tables of others by declaring them. A version that cannot be read loads nothing. */
static bool
check_tables_are_free(struct ctx *ctx, struct app *app, const struct request *request, struct pg *db,
    const struct spec *spec)
{
	const char *const *reached = auth_pipelines(ctx, request->who, SCOPE_PIPELINES_WRITE);
	const struct spec *other;
	struct pipeline_row *rows;
	const char *table = "";
	size_t count;

	if (reached == NULL)
		return true;
	if (!pipeline_list(ctx, db, &rows, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (access_reaches(reached, rows[i].name))
			continue;
		if (catalog_find(ctx, app->catalog, db, rows[i].name, rows[i].hash, &other)) {
			if (shares_table(spec, other, &table))
				return fail(ctx, FAIL_SPEC_REFUSED, "%s: another pipeline has a table %s.%s",
				    spec->pipeline, spec->schema, table);
		} else if (ctx_failure(ctx)->code != FAIL_SPEC_INVALID) {
			return false;
		}
		fail_clear(ctx);
	}
	return true;
}

static bool
reply_applied(struct ctx *ctx, struct reply *reply, const struct applied *applied, bool dry_run)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "name", applied->pipeline);
	json_put_string(ctx, object, "version", applied->hash);
	json_put_string(ctx, object, "before", applied->before);
	json_put_bool(object, "changed", applied->changed);
	json_put_bool(object, "allowed", !applied->difference.loses && applied->ddl_refused == NULL);
	json_put_bool(object, "dry_run", dry_run);
	json_put(object, "changes", difference_to_json(ctx, &applied->difference));
	if (applied->ddl != NULL)
		json_put(object, "ddl", applied->ddl);
	else
		json_put_null(object, "ddl");
	return reply_json(ctx, reply, 200, object);
}

/* POST /v1/pipelines: a version becomes the active one, or is only compared with it. */
bool
versions_apply(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	struct apply apply = {.config = app->config, .catalog = app->catalog, .by = request->who->subject};
	struct applied applied;
	struct spec *spec;

	apply.dry_run = param_flag(ctx, request, "dry_run");
	if (ctx_failed(ctx) || !read_spec(ctx, request, &spec) ||
	    !auth_may(ctx, request->who, SCOPE_PIPELINES_WRITE, spec->pipeline) ||
	    !pool_take(ctx, app->control, &apply.db) || !check_tables_are_free(ctx, app, request, apply.db, spec) ||
	    !apply_spec(ctx, &apply, spec, &applied))
		return false;
	return reply_applied(ctx, reply, &applied, apply.dry_run);
}

/* POST /v1/pipelines/{pipeline}/versions/{hash}/activate: back to a version, or forth. */
bool
versions_activate(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	struct apply apply = {.config = app->config, .catalog = app->catalog, .by = request->who->subject};
	const char *pipeline = request->path_values[0], *hash = request->path_values[1];
	struct applied applied;
	json_t *nothing;

	if (!text_is_name(pipeline))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (!access_pipeline(ctx, request, SCOPE_PIPELINES_WRITE, pipeline))
		return false;
	if (!is_hash(hash))
		return fail(ctx, FAIL_NOT_FOUND, "pipeline %s has no such version", pipeline);
	if (!param_body(ctx, request, "", &nothing) || !pool_take(ctx, app->control, &apply.db) ||
	    !apply_stored(ctx, &apply, pipeline, hash, &applied))
		return false;
	return reply_applied(ctx, reply, &applied, false);
}

static json_t *
version_to_json(struct ctx *ctx, const char *pipeline, const struct pipeline_version_row *row)
{
	json_t *version = json_new_object(ctx), *links = json_new_object(ctx);

	json_put_string(ctx, version, "version", row->hash);
	json_put_bool(version, "active", row->active);
	json_put_time(ctx, version, "applied_at", row->created_us);
	json_put_string(ctx, version, "applied_by", row->created_by);
	json_put_time(ctx, version, "activated_at", row->activated_us);
	json_put_string(ctx, version, "activated_by", row->activated_by);
	json_put_string(ctx, links, "activate",
	    ctx_printf(ctx, "/v1/pipelines/%s/versions/%s/activate", pipeline, row->hash));
	json_put(version, "links", links);
	return version;
}

/* GET /v1/pipelines/{pipeline}/versions: newest first. */
bool
versions_list(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *pipeline = request->path_values[0], *next = NULL;
	int64_t place[1] = {0}, limit = param_limit(ctx, request);
	json_t *items = json_new_array(ctx);
	struct pipeline_version_row *rows;
	struct pg *db;
	size_t count;

	(void)cursor_read(ctx, request, place, 1, NULL);
	if (ctx_failed(ctx))
		return false;
	if (!text_is_name(pipeline))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (!access_pipeline(ctx, request, SCOPE_RUNS_READ, pipeline) || !pool_take(ctx, app->control, &db) ||
	    !pipeline_versions(ctx, db, pipeline, place[0], limit + 1, &rows, &count))
		return false;
	if (count == 0 && place[0] == 0)
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline %s", pipeline);
	for (size_t i = 0; i < count && (int64_t)i < limit; i++)
		json_add(items, version_to_json(ctx, pipeline, &rows[i]));
	if ((int64_t)count > limit)
		next = cursor_make(ctx, request, (int64_t[]){rows[limit - 1].id}, 1, NULL);
	return reply_page(ctx, reply, items, next);
}
