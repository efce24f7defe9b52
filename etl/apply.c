#include "etl/apply.h"

#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "etl/table_changes.h"
#include "etl/warehouse.h"
#include "sql/pipeline_store.h"

enum { MOST_TRIES = 5 };

/* Which of the tables that were declared are in the warehouse. */
static bool
find_tables(struct ctx *ctx, const struct apply *apply, const struct spec *spec, const char ***names, size_t *count)
{
	CTX_SCOPE(tmp, ctx);
	const char **declared = ctx_alloc_array(tmp, spec->table_count + 1, sizeof(*declared));
	struct pg_rows rows;
	struct pg *pg;

	for (size_t i = 0; i < spec->table_count; i++)
		declared[i] = spec->tables[i].name;
	if (!warehouse_open_reader(tmp, apply->config, spec, "apply", &pg) ||
	    !warehouse_query(tmp, pg, "tables_existing",
		PG_PARAMS(spec->schema, pg_text_array(tmp, declared, spec->table_count)), &rows))
		return false;
	*count = (size_t)rows.count;
	*names = ctx_alloc_array(ctx, *count + 1, sizeof(**names));
	for (int i = 0; i < rows.count; i++)
		(*names)[i] = ctx_strdup(ctx, pg_value(&rows, i, 0));
	return true;
}

/* An active version that this service does not understand any more can run nothing, and is no reason to keep it: *spec is NULL. */
static bool
find_before(struct ctx *ctx, const struct apply *apply, const struct applied *applied, const struct spec **spec)
{
	*spec = NULL;
	if (catalog_find(ctx, apply->catalog, apply->db, applied->pipeline, applied->before, spec))
		return true;
	if (ctx_failure(ctx)->code != FAIL_SPEC_INVALID)
		return false;
	log_failure(ctx, "the active version cannot be compared with");
	fail_clear(ctx);
	return true;
}

static bool
judge(struct ctx *ctx, const struct apply *apply, const struct spec *spec, struct applied *applied)
{
	const struct spec *before = NULL;
	const char **tables;
	size_t count;
	bool stored;

	*applied = (struct applied){.pipeline = spec->pipeline, .hash = spec->hash};
	if (!pipeline_known(ctx, apply->db, spec->pipeline, spec->hash, &applied->before, &stored) ||
	    (applied->before != NULL && !find_before(ctx, apply, applied, &before)))
		return false;
	applied->changed = !text_equal(applied->before, spec->hash);
	difference_find(ctx, before, spec, &applied->difference);
	if (before == NULL || !applied->difference.loses)
		return true;
	if (!find_tables(ctx, apply, before, &tables, &count))
		return false;
	difference_keep_tables(&applied->difference, tables, count);
	return true;
}

/* What the next run would do to the tables. A warehouse that cannot be asked now is no reason to refuse: the ddl step asks again. */
static bool
plan_ddl(struct ctx *ctx, const struct apply *apply, const struct spec *spec, struct applied *applied)
{
	json_t *ddl = json_new_array(ctx);
	struct table_changes changes;
	struct pg *pg;

	if (!warehouse_open_reader(ctx, apply->config, spec, "apply", &pg)) {
		log_failure(ctx, "the warehouse cannot be asked what a version means for its tables");
		fail_clear(ctx);
		return true;
	}
	for (size_t i = 0; i < spec->table_count; i++) {
		if (!table_changes_find(ctx, pg, spec, &spec->tables[i], &changes))
			return false;
		for (size_t k = 0; k < changes.count; k++) {
			json_add(ddl, table_change_to_json(ctx, &changes, &changes.items[k]));
			if (applied->ddl_refused == NULL && changes.items[k].refused != NULL)
				applied->ddl_refused = table_change_refusal(ctx, &changes, &changes.items[k]);
		}
	}
	applied->ddl = ddl;
	pg_close(pg);
	return true;
}

/* The first change as the message, all of them as fields. */
static bool
refuse(struct ctx *ctx, const struct applied *applied)
{
	for (size_t i = 0; i < applied->difference.count; i++) {
		const struct spec_change *change = &applied->difference.items[i];

		if (change->loses == NULL)
			continue;
		(void)fail(ctx, FAIL_SPEC_REFUSED, "%s: %s: %s: %s", applied->pipeline, change->at, change->path,
		    change->loses);
		(void)fail_field(ctx, change->path, "%s: %s", change->at, change->loses);
	}
	return false;
}

static bool
activate(struct ctx *ctx, const struct apply *apply, const struct spec *spec, struct applied *applied, bool only_new)
{
	struct pipeline_offer offer = {
	    .pipeline = applied->pipeline,
	    .hash = applied->hash,
	    .files = spec_files_to_json(ctx, &spec->files),
	    .notify = spec_notify_to_json(ctx, spec),
	    .by = apply->by,
	    .expected = applied->before,
	    .only_new = only_new,
	};

	if (apply->dry_run)
		return true;
	if (applied->difference.loses)
		return refuse(ctx, applied);
	if (applied->ddl_refused != NULL)
		return fail(ctx, FAIL_SPEC_REFUSED, "%s: %s", applied->pipeline, applied->ddl_refused);
	if (!pipeline_apply(ctx, apply->db, &offer, &applied->changed))
		return false;
	if (applied->changed)
		log_line(ctx, LOG_INFO, "pipeline version activated", "pipeline", applied->pipeline, "version",
		    applied->hash, "before", applied->before, "by", apply->by, NULL);
	return true;
}

bool
apply_spec(struct ctx *ctx, const struct apply *apply, const struct spec *spec, struct applied *applied)
{
	return judge(ctx, apply, spec, applied) && plan_ddl(ctx, apply, spec, applied) &&
	       activate(ctx, apply, spec, applied, false);
}

bool
apply_stored(struct ctx *ctx, const struct apply *apply, const char *pipeline, const char *hash,
    struct applied *applied)
{
	const struct spec *spec;

	if (!catalog_find(ctx, apply->catalog, apply->db, pipeline, hash, &spec) || !judge(ctx, apply, spec, applied))
		return false;
	difference_go_back(&applied->difference);
	return activate(ctx, apply, spec, applied, false);
}

/* A folder that was read and is right. */
struct folder {
	const char *path;
	const struct spec *spec;
	struct folder *next;
};

static bool
read_folder(struct ctx *ctx, const char *path, struct folder **folders)
{
	CTX_SCOPE(tmp, ctx);
	struct folder *folder = ctx_alloc(ctx, sizeof(*folder));
	struct spec_files files;
	struct spec_error *errors = NULL;
	struct spec *spec;
	size_t count = 0;

	if (!spec_read_folder(ctx, path, &files))
		return false;
	if (!spec_parse(ctx, &files, &spec, &errors)) {
		for (const struct spec_error *error = errors; error != NULL; error = error->next)
			count++;
		if (errors == NULL)
			return false;
		fail_clear(ctx);
		return fail(ctx, FAIL_SPEC_INVALID, "%s/%s:%d:%d: %s%s", path, errors->place.file, errors->place.line,
		    errors->place.column, errors->message,
		    count > 1 ? ctx_printf(tmp, " (and %zu more: loadstar check %s)", count - 1, path) : "");
	}
	for (const struct folder *other = *folders; other != NULL; other = other->next)
		if (strcmp(other->spec->pipeline, spec->pipeline) == 0)
			return fail(ctx, FAIL_SPEC_INVALID, "%s and %s both declare the pipeline %s", other->path, path,
			    spec->pipeline);
	*folder = (struct folder){.path = path, .spec = spec, .next = *folders};
	*folders = folder;
	return true;
}

static bool
is_pipeline(struct ctx *ctx, const char *path)
{
	return file_is_folder(path) && file_exists(ctx_printf(ctx, "%s/pipeline.yaml", path));
}

/* path itself, or what is below it. */
static bool
read_folders(struct ctx *ctx, const char *path, struct folder **folders)
{
	char **names;
	size_t count;

	*folders = NULL;
	if (is_pipeline(ctx, path))
		return read_folder(ctx, path, folders);
	if (!file_list(ctx, path, &names, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		char *below = ctx_printf(ctx, "%s/%s", path, names[i]);

		if (is_pipeline(ctx, below) && !read_folder(ctx, below, folders))
			return false;
	}
	return true;
}

/* One folder at start. */
static bool
apply_if_new(struct ctx *ctx, const struct apply *apply, const struct spec *spec)
{
	struct applied applied;
	const char *active;
	bool stored;

	if (!pipeline_known(ctx, apply->db, spec->pipeline, spec->hash, &active, &stored))
		return false;
	if (stored) {
		if (!text_equal(active, spec->hash))
			log_line(ctx, LOG_WARN, "the folder's version is not the active one", "pipeline",
			    spec->pipeline, "version", spec->hash, "active", active, NULL);
		return true;
	}
	if (!judge(ctx, apply, spec, &applied))
		return false;
	if (applied.difference.loses)
		return refuse(ctx, &applied);
	return activate(ctx, apply, spec, &applied, true);
}

/* Another replica may activate something else in between; then it is judged against that. */
static bool
apply_folder(struct ctx *ctx, const struct apply *apply, const struct spec *spec)
{
	for (int tries = 0; tries < MOST_TRIES; tries++) {
		fail_clear(ctx);
		if (apply_if_new(ctx, apply, spec))
			return true;
		if (ctx_failure(ctx)->code != FAIL_CONFLICT)
			return false;
	}
	return false;
}

/* What would lose data, or cannot be judged now, is no reason not to serve what is active. */
static bool
go_on_without(struct ctx *ctx, const struct apply *apply)
{
	enum fail_code code = ctx_failure(ctx)->code;

	if (apply->dry_run ||
	    (code != FAIL_SPEC_REFUSED && code != FAIL_CONNECTION_MISSING && !fail_kind(code)->retryable))
		return false;
	log_failure(ctx, "a folder's version is not applied; the active one stays");
	fail_clear(ctx);
	return true;
}

/* Parsed now rather than by the first request. */
static bool
warm_up(struct ctx *ctx, const struct apply *apply, const struct spec *folder)
{
	const struct spec *active;

	if (catalog_find(ctx, apply->catalog, apply->db, folder->pipeline, NULL, &active))
		return true;
	if (ctx_failure(ctx)->code != FAIL_SPEC_INVALID && ctx_failure(ctx)->code != FAIL_NOT_FOUND)
		return false;
	log_failure(ctx, "a pipeline has no version that can run");
	fail_clear(ctx);
	return true;
}

bool
apply_folders(struct ctx *ctx, const struct apply *apply, const char *path, size_t *count)
{
	struct folder *folders;

	*count = 0;
	if (!read_folders(ctx, path, &folders))
		return false;
	for (const struct folder *folder = folders; folder != NULL; folder = folder->next, (*count)++)
		if (!apply_folder(ctx, apply, folder->spec) && !go_on_without(ctx, apply))
			return false;
	for (const struct folder *folder = folders; folder != NULL; folder = folder->next)
		if (!apply->dry_run && !warm_up(ctx, apply, folder->spec))
			return false;
	return true;
}
