#include "base/text.h"
#include "sql/run_row.h"
#include "sql/statement.h"

bool
run_find(struct ctx *ctx, struct pg *db, const char *id, struct run *run, bool *found)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_RUN_FIND, PG_PARAMS(id), &rows))
		return false;
	*found = rows.count > 0;
	if (*found)
		run_row_read(ctx, &rows, 0, run);
	return true;
}

static const char *
array_of(struct ctx *ctx, const char *const *items)
{
	size_t count = 0;

	if (items == NULL)
		return NULL;
	while (items[count] != NULL)
		count++;
	return pg_text_array(ctx, items, count);
}

/* The statement whose index gives the newest first without reading what the filter throws away. */
static enum statement
statement_for(const struct run_filter *filter)
{
	if (filter->pipelines != NULL)
		return SQL_RUN_LIST_OF_PIPELINES;
	return filter->statuses != NULL ? SQL_RUN_LIST_OF_STATUSES : SQL_RUN_LIST;
}

bool
run_list(struct ctx *ctx, struct pg *db, const struct run_filter *filter, struct run_list *list)
{
	bool paged = filter->before_id != NULL;
	struct pg_rows rows;

	if (!sql_run(ctx, db, statement_for(filter),
		PG_PARAMS(array_of(ctx, filter->pipelines), array_of(ctx, filter->statuses),
		    array_of(ctx, filter->types), filter->table, filter->label_key, filter->label_value,
		    filter->requested_by, run_row_time(ctx, filter->since_us), run_row_time(ctx, filter->until_us),
		    paged ? run_row_time(ctx, filter->before_us) : NULL, filter->before_id,
		    text_from_i64(ctx, filter->limit + 1)),
		&rows))
		return false;
	list->more = rows.count > filter->limit;
	list->count = (size_t)(list->more ? filter->limit : rows.count);
	list->items = ctx_alloc_array(ctx, list->count + 1, sizeof(*list->items));
	for (size_t i = 0; i < list->count; i++)
		run_row_read(ctx, &rows, (int)i, &list->items[i]);
	return true;
}

bool
run_gauges(struct ctx *ctx, struct pg *db, struct pg_rows *rows)
{
	return sql_run(ctx, db, SQL_RUN_GAUGES, PG_NO_PARAMS, rows);
}
