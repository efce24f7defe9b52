#include "etl/slice_files.h"

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"

enum { SMALL_NUMBER = 20, PERMIL = 1000 };

/* A file that cannot be read fails the slice, or is left out and recorded. */
bool
files_leave_out(struct ctx *ctx, const struct loading *loading, struct slice_file *file)
{
	json_t *fields;

	if (loading->job->table->source->bad_fails)
		return false;
	file->error = ctx_strdup(ctx, ctx_failure(ctx)->message);
	fail_clear(ctx);
	fields = json_new_object(ctx);
	json_put_string(ctx, fields, "file", file->entry.path);
	json_put_string(ctx, fields, "error", file->error);
	log_event(ctx, loading->job, LOG_WARN, "a file cannot be read, and is left out", fields);
	return true;
}

static bool
look(struct ctx *ctx, struct loading *loading, struct slice_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		struct slice_file *file = &files->items[i];

		if (!files_look(ctx, files->root, &file->entry, &file->real_path)) {
			file->real_path = NULL;
			if (ctx_failure(ctx)->code != FAIL_FILE_UNREADABLE || !files_leave_out(ctx, loading, file))
				return false;
		} else if (!text_equal(file->entry.etag, file->planned_etag)) {
			json_t *fields = json_new_object(ctx);

			json_put_string(ctx, fields, "file", file->entry.path);
			log_event(ctx, loading->job, LOG_WARN,
			    "a file changed since the plan: what it holds now is loaded", fields);
		}
	}
	return true;
}

/* Before they are looked at: who records a version later than this is seen by PUBLISH. */
static bool
identify(struct ctx *ctx, struct loading *loading, struct slice_files *files)
{
	const struct slice_job *job = loading->job;
	const char **identities = ctx_alloc_array(ctx, files->count + 1, sizeof(*identities)), *list;
	struct pg_rows rows;

	for (size_t i = 0; i < files->count; i++)
		identities[i] = file_identity(ctx, job->table->source, files->items[i].entry.path);
	list = pg_text_array(ctx, identities, files->count);
	if (!warehouse_query(ctx, loading->warehouse, "files_register", PG_PARAMS(job->spec->pipeline, list), NULL) ||
	    !warehouse_query(ctx, loading->warehouse, "files_begin",
		PG_PARAMS(job->spec->pipeline, loading->table, list), &rows))
		return false;
	ASSERT((size_t)rows.count == files->count);
	for (size_t i = 0; i < files->count; i++) {
		files->items[i].id = pg_i64(&rows, (int)i, 0);
		files->items[i].seen = pg_i64(&rows, (int)i, 1);
	}
	return true;
}

bool
files_pin(struct ctx *ctx, struct loading *loading, struct slice_files *files)
{
	const struct slice_job *job = loading->job;
	const json_t *planned = job->claim->files, *list = json_object_get(planned, "files"), *item;
	size_t i;

	*files = (struct slice_files){.count = json_array_size(list),
	    .batch = json_string_or(planned, "batch", NULL),
	    .batch_at = json_string_or(planned, "batch_at", NULL)};
	files->items = ctx_alloc_array(ctx, files->count + 1, sizeof(*files->items));
	json_array_foreach(list, i, item) {
		files->items[i].entry.path = json_string_or(item, "path", "");
		files->items[i].planned_etag = files->items[i].entry.etag = json_string_or(item, "etag", "");
		files->items[i].entry.size_bytes = json_int_or(item, "size", 0);
		if (!clock_parse(json_string_or(item, "arrived_at", ""), &files->items[i].entry.arrived_us))
			files->items[i].entry.arrived_us = 0;
	}
	return files_root(ctx, job->config, job->spec->pipeline, job->table->source, &files->root) &&
	       identify(ctx, loading, files) && files_tell_session(ctx, loading, files) && look(ctx, loading, files) &&
	       files_tell_session(ctx, loading, files);
}

bool
files_look_again(struct ctx *ctx, const struct slice_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		CTX_SCOPE(tmp, ctx);
		struct file_entry now = files->items[i].entry;
		const char *real_path;

		if (files->items[i].error != NULL)
			continue;
		if (!files_look(tmp, files->root, &now, &real_path)) {
			fail_clear(ctx);
			return fail(ctx, FAIL_FILE_CHANGED, "%s went away while it was read", now.path);
		}
		if (!text_equal(now.etag, files->items[i].entry.etag))
			return fail(ctx, FAIL_FILE_CHANGED, "%s changed while it was read", now.path);
	}
	return true;
}

static json_t *
file_to_json(struct ctx *ctx, const struct slice_files *files, const struct slice_file *file,
    const struct spec_source *source)
{
	json_t *object = json_new_object(ctx);

	json_put_int(object, "file_id", file->id);
	json_put_string(ctx, object, "path", file->entry.path);
	json_put_string(ctx, object, "identity", file_identity(ctx, source, file->entry.path));
	json_put_string(ctx, object, "etag", file->entry.etag);
	json_put_int(object, "size", file->entry.size_bytes);
	json_put_string(ctx, object, "batch", files->batch);
	json_put_string(ctx, object, "batch_at", files->batch_at);
	json_put_time(ctx, object, "arrived_at", file->entry.arrived_us);
	if (file->seen != 0)
		json_put_int(object, "seen", file->seen);
	json_put_int(object, "rows", file->rows);
	json_put_int(object, "rejected", file->rejected);
	json_put_string(ctx, object, "error", file->error);
	return object;
}

bool
files_tell_session(struct ctx *ctx, struct loading *loading, const struct slice_files *files)
{
	json_t *list = json_new_array(ctx);
	struct text ids;

	text_init(&ids, ctx);
	text_add(&ids, "{");
	for (size_t i = 0; i < files->count; i++) {
		json_add(list, file_to_json(ctx, files, &files->items[i], loading->job->table->source));
		if (files->items[i].error == NULL)
			text_addf(&ids, "%s%lld", ids.length > 1 ? "," : "", (long long)files->items[i].id);
	}
	text_add(&ids, "}");
	loading->file_ids = ids.data;
	return warehouse_query(ctx, loading->warehouse, "files_stage_clear", PG_NO_PARAMS, NULL) &&
	       warehouse_query(ctx, loading->warehouse, "files_stage", PG_NO_PARAMS, NULL) &&
	       warehouse_query(ctx, loading->warehouse, "files_stage_fill", PG_PARAMS(json_text(ctx, list)), NULL);
}

/* More rejects than the table allows. */
static bool
check_rejects(struct ctx *ctx, struct loading *loading, const struct slice_files *files)
{
	const struct spec_table *table = loading->job->table;
	int64_t all = loading->outcome->counts.read, rejected;
	struct pg_rows rows;

	if (!warehouse_query(ctx, loading->warehouse, "rejects_count", PG_NO_PARAMS, &rows))
		return false;
	rejected = pg_i64(&rows, 0, 0) + files->rejects_untold;
	if (rejected > table->rejects_rows)
		return fail(ctx, FAIL_FILE_REJECTS, "%lld of %lld rows were rejected, more than %lld",
		    (long long)rejected, (long long)all, (long long)table->rejects_rows);
	if (rejected > 0 && rejected * PERMIL > all * table->rejects_permil && (all >= SMALL_NUMBER || rejected == all))
		return fail(ctx, FAIL_FILE_REJECTS, "%lld of %lld rows were rejected, more than %.1f%%",
		    (long long)rejected, (long long)all, (double)table->rejects_permil / 10);
	return true;
}

bool
stage_files(struct ctx *ctx, struct loading *loading)
{
	struct slice_files files;
	struct load_statements statements;
	struct pg_rows rows;

	if (!warehouse_query(ctx, loading->warehouse, "source_time", PG_NO_PARAMS, &rows))
		return false;
	loading->snapshot_at = clock_format(ctx, pg_time_us(&rows, 0, 0));
	return files_pin(ctx, loading, &files) && files_read(ctx, loading, &files) && files_look_again(ctx, &files) &&
	       files_tell_session(ctx, loading, &files) &&
	       generate_stage_checks(ctx, loading->job->spec, loading->job->table, &statements) &&
	       run_statements(ctx, loading, &statements) && check_rejects(ctx, loading, &files);
}

bool
check_files(struct ctx *ctx, struct loading *loading)
{
	struct pg_rows rows;

	if (loading->file_ids == NULL)
		return true;
	if (!warehouse_query(ctx, loading->warehouse, "files_check", PG_PARAMS(loading->table), &rows))
		return false;
	return pg_i64(&rows, 0, 0) == 0 ||
	       fail(ctx, FAIL_STALE_SNAPSHOT, "other versions of %lld files were loaded since they were read: %s",
		   (long long)pg_i64(&rows, 0, 0), pg_value(&rows, 0, 1));
}

bool
publish_files(struct ctx *ctx, struct loading *loading)
{
	const struct slice_job *job = loading->job;

	return loading->file_ids == NULL || warehouse_query(ctx, loading->warehouse, "files_publish",
						PG_PARAMS(loading->table, job->spec->pipeline, job->table->source->name,
						    job->claim->run_id, loading->load_id),
						NULL);
}

void
keep_failed_files(struct ctx *ctx, struct loading *loading)
{
	const struct slice_job *job = loading->job;
	const struct failure *failure = ctx_failure(ctx);
	struct ctx *own;

	if (loading->file_ids == NULL || !pg_is_open(loading->warehouse) || ctx_cancelled(ctx) != CANCEL_NONE ||
	    fail_kind(failure->code)->retryable)
		return;
	own = ctx_new("failed files", 0); /* the failure stays the ctx's */
	ctx_set_tags(own, ctx_get_tags(ctx));
	if (!warehouse_query(own, loading->warehouse, "files_failed",
		PG_PARAMS(loading->table, job->spec->pipeline, job->table->source->name, job->claim->run_id,
		    loading->load_id, failure->message),
		NULL))
		log_failure(own, "the files of a failed slice could not be recorded");
	ctx_free(own);
}
