#include "sql/pipeline_store.h"

#include "sql/statement.h"

static bool
apply(struct ctx *ctx, struct pg *db, const struct pipeline_version *version, bool *changed)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_PIPELINE_VERSION_INSERT,
		PG_PARAMS(version->pipeline, version->hash, json_text(ctx, version->files),
		    version->notify != NULL ? json_text(ctx, version->notify) : "[]"),
		NULL) ||
	    !sql_run(ctx, db, SQL_PIPELINE_ACTIVATE, PG_PARAMS(version->pipeline, version->hash), &rows))
		return false;
	*changed = rows.count > 0;
	return true;
}

bool
pipeline_apply(struct ctx *ctx, struct pg *db, const struct pipeline_version *version, bool *changed)
{
	if (!pg_begin(ctx, db))
		return false;
	if (apply(ctx, db, version, changed))
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
