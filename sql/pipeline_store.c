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

bool
pipeline_list(struct ctx *ctx, struct pg *db, struct pipeline_row **list, size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_PIPELINE_LIST, PG_NO_PARAMS, &rows))
		return false;
	*count = (size_t)rows.count;
	*list = ctx_alloc_array(ctx, *count + 1, sizeof(**list));
	for (int i = 0; i < rows.count; i++)
		(*list)[i] = (struct pipeline_row){
		    .name = pg_value(&rows, i, 0),
		    .hash = pg_value(&rows, i, 1),
		    .applied_us = pg_time_us(&rows, i, 2),
		};
	return true;
}
