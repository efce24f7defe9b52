#include "sql/pipeline_store.h"

#include "base/fail.h"
#include "base/text.h"
#include "sql/audit_store.h"
#include "sql/statement.h"

bool
pipeline_known(struct ctx *ctx, struct pg *db, const char *pipeline, const char *hash, const char **active,
    bool *stored)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_PIPELINE_KNOWN, PG_PARAMS(pipeline, hash), &rows))
		return false;
	*active = pg_value(&rows, 0, 0);
	*stored = pg_bool(&rows, 0, 1);
	return true;
}

static bool
note(struct ctx *ctx, struct pg *db, const struct pipeline_offer *offer, const char *before)
{
	json_t *detail = json_new_object(ctx);

	json_put_string(ctx, detail, "before", before);
	return audit_write(ctx, db,
	    &(struct audit_entry){.action = "pipeline.activate",
		.pipeline = offer->pipeline,
		.target = offer->hash,
		.subject = offer->by,
		.detail = detail});
}

/* Under the pipeline's lock. */
static bool
apply(struct ctx *ctx, struct pg *db, const struct pipeline_offer *offer, bool *changed)
{
	const char *pipeline = offer->pipeline, *hash = offer->hash, *active;
	bool stored;

	*changed = false;
	if (!sql_run(ctx, db, SQL_PIPELINE_LOCK, PG_PARAMS(pipeline), NULL) ||
	    !pipeline_known(ctx, db, pipeline, hash, &active, &stored))
		return false;
	if (text_equal(active, hash) || (stored && offer->only_new))
		return true;
	if (!text_equal(active, offer->expected))
		return fail(ctx, FAIL_CONFLICT, "another version of %s was activated meanwhile: %s", pipeline, active);
	if (!stored && offer->files == NULL)
		return fail(ctx, FAIL_NOT_FOUND, "pipeline %s has no version %s", pipeline, hash);
	if (!stored && !sql_run(ctx, db, SQL_PIPELINE_VERSION_INSERT,
			   PG_PARAMS(pipeline, hash, json_text(ctx, offer->files),
			       offer->notify != NULL ? json_text(ctx, offer->notify) : "[]", offer->by),
			   NULL))
		return false;
	*changed = true;
	return sql_run(ctx, db, SQL_PIPELINE_ACTIVATE, PG_PARAMS(pipeline, hash, offer->by), NULL) &&
	       note(ctx, db, offer, active);
}

bool
pipeline_apply(struct ctx *ctx, struct pg *db, const struct pipeline_offer *offer, bool *changed)
{
	if (!pg_begin(ctx, db))
		return false;
	if (apply(ctx, db, offer, changed))
		return pg_commit(ctx, db);
	pg_rollback(db);
	return false;
}

bool
pipeline_find(struct ctx *ctx, struct pg *db, const char *pipeline, const char *hash, const char **found_hash,
    json_t **files, bool *found)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_PIPELINE_FIND, PG_PARAMS(pipeline, hash), &rows))
		return false;
	*found = rows.count > 0;
	if (*found) {
		*found_hash = pg_value(&rows, 0, 0);
		*files = json_trusted(ctx, pg_value(&rows, 0, 1));
	}
	return true;
}

static struct pipeline_row
read_row(const struct pg_rows *rows, int row)
{
	return (struct pipeline_row){
	    .name = pg_value(rows, row, 0),
	    .hash = pg_value(rows, row, 1),
	    .applied_us = pg_time_us(rows, row, 2),
	    .paused_us = pg_time_us(rows, row, 3),
	    .paused_by = pg_value(rows, row, 4),
	};
}

bool
pipeline_list(struct ctx *ctx, struct pg *db, struct pipeline_row **list, size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_PIPELINE_LIST, PG_PARAMS(NULL), &rows))
		return false;
	*count = (size_t)rows.count;
	*list = ctx_alloc_array(ctx, *count + 1, sizeof(**list));
	for (int i = 0; i < rows.count; i++)
		(*list)[i] = read_row(&rows, i);
	return true;
}

bool
pipeline_find_row(struct ctx *ctx, struct pg *db, const char *pipeline, struct pipeline_row *row, bool *found)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_PIPELINE_LIST, PG_PARAMS(pipeline), &rows))
		return false;
	*found = rows.count > 0;
	if (*found)
		*row = read_row(&rows, 0);
	return true;
}

bool
pipeline_versions(struct ctx *ctx, struct pg *db, const char *pipeline, int64_t before_id, int64_t limit,
    struct pipeline_version_row **list, size_t *count)
{
	const char *before = before_id > 0 ? text_from_i64(ctx, before_id) : NULL;
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_PIPELINE_VERSIONS, PG_PARAMS(pipeline, before, text_from_i64(ctx, limit)), &rows))
		return false;
	*count = (size_t)rows.count;
	*list = ctx_alloc_array(ctx, *count + 1, sizeof(**list));
	for (int i = 0; i < rows.count; i++)
		(*list)[i] = (struct pipeline_version_row){
		    .id = pg_i64(&rows, i, 0),
		    .hash = pg_value(&rows, i, 1),
		    .created_us = pg_time_us(&rows, i, 2),
		    .created_by = pg_value(&rows, i, 3),
		    .active = pg_bool(&rows, i, 4),
		    .activated_us = pg_time_us(&rows, i, 5),
		    .activated_by = pg_value(&rows, i, 6),
		};
	return true;
}

bool
pipeline_epoch(struct ctx *ctx, struct pg *db, const char *pipeline, int64_t *epoch)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_PIPELINE_EPOCH, PG_PARAMS(pipeline), &rows))
		return false;
	*epoch = pg_i64(&rows, 0, 0);
	return true;
}

bool
pipeline_set_epoch(struct ctx *ctx, struct pg *db, const char *pipeline, int64_t epoch)
{
	struct pg_rows rows;

	return sql_run(ctx, db, SQL_PIPELINE_ADOPT, PG_PARAMS(pipeline, text_from_i64(ctx, epoch)), &rows);
}
