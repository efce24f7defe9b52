#include <string.h>

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

enum { MATCHED = 39, LAST, OVER }; /* columns after the run's own */
enum { LEAST_READS = 200 };
#define LEAST_ID "00000000-0000-0000-0000-000000000000"

/* The statement whose index gives the newest first and reads least of what the other filters throw away. */
static enum statement
statement_for(const struct run_filter *filter)
{
	if (filter->label_key != NULL || filter->table != NULL)
		return SQL_RUN_LIST_OF_FACET;
	if (filter->requested_by != NULL)
		return SQL_RUN_LIST_OF_REQUESTER;
	if (filter->pipelines != NULL)
		return filter->statuses != NULL ? SQL_RUN_LIST_OF_PIPELINES_IN : SQL_RUN_LIST_OF_PIPELINES;
	if (filter->statuses != NULL)
		return SQL_RUN_LIST_OF_STATUSES;
	return filter->types != NULL ? SQL_RUN_LIST_OF_TYPES : SQL_RUN_LIST;
}

/* Up to limit rows that match, and where the next page goes on. A stream that has read enough says where it is with its last row: what
 * comes after that row is not whole. */
static void
read_page(struct ctx *ctx, const struct pg_rows *rows, int64_t limit, struct run_list *list)
{
	struct run run;

	*list = (struct run_list){.items = ctx_alloc_array(ctx, (size_t)rows->count + 1, sizeof(*list->items))};
	for (int i = 0; i < rows->count && !list->more; i++) {
		if (pg_bool(rows, i, OVER))
			break; /* this and all that come are from before `since` */
		if (list->count == (size_t)limit) {
			list->more = true;
			return;
		}
		run_row_read(ctx, rows, i, &run);
		list->next_us = run.created_us;
		list->next_id = run.id;
		if (pg_bool(rows, i, MATCHED))
			list->items[list->count++] = run;
		list->more = pg_bool(rows, i, LAST);
	}
	if (!list->more)
		list->next_id = NULL;
}

/* As control.run_facets writes them. */
static const char *
table_facet(struct ctx *ctx, const struct run_filter *filter)
{
	return filter->table != NULL ? ctx_printf(ctx, "table:%s", filter->table) : NULL;
}

static const char *
label_facet(struct ctx *ctx, const struct run_filter *filter)
{
	if (filter->label_key == NULL)
		return NULL;
	return ctx_printf(ctx, "label:%zu:%s:%s", strlen(filter->label_key), filter->label_key, filter->label_value);
}

static int64_t
count_of(const char *const *items)
{
	int64_t count = 0;

	while (items != NULL && items[count] != NULL)
		count++;
	return count > 0 ? count : 1;
}

/* How much each of a statement's streams may read. */
static int64_t
reads_of(const struct run_filter *filter, enum statement statement)
{
	int64_t streams = 1, reads;

	if (statement == SQL_RUN_LIST_OF_PIPELINES || statement == SQL_RUN_LIST_OF_PIPELINES_IN)
		streams = count_of(filter->pipelines);
	if (statement == SQL_RUN_LIST_OF_STATUSES || statement == SQL_RUN_LIST_OF_PIPELINES_IN)
		streams *= count_of(filter->statuses);
	if (statement == SQL_RUN_LIST_OF_TYPES)
		streams = count_of(filter->types);
	reads = RUN_LIST_READS / streams;
	return reads > LEAST_READS ? reads : LEAST_READS;
}

/* A time that is always there: 0 is how it is when nothing was asked. */
static const char *
bound(struct ctx *ctx, int64_t at_us, const char *otherwise)
{
	return at_us != 0 ? run_row_time(ctx, at_us) : otherwise;
}

bool
run_list(struct ctx *ctx, struct pg *db, const struct run_filter *filter, struct run_list *list)
{
	enum statement statement = statement_for(filter);
	/* The page ends before the cursor, or before `until` where that is earlier. */
	bool paged = filter->before_id != NULL && (filter->until_us == 0 || filter->before_us < filter->until_us);
	int64_t end_us = paged ? filter->before_us : filter->until_us;
	const char *label = label_facet(ctx, filter), *table = table_facet(ctx, filter);
	struct pg_params params = PG_PARAMS(array_of(ctx, filter->pipelines), array_of(ctx, filter->statuses),
	    array_of(ctx, filter->types), filter->requested_by, bound(ctx, filter->since_us, "-infinity"),
	    bound(ctx, end_us, "infinity"), paged ? filter->before_id : LEAST_ID, text_from_i64(ctx, filter->limit + 1),
	    text_from_i64(ctx, reads_of(filter, statement)), label != NULL ? label : table,
	    label != NULL ? table : NULL);
	struct pg_rows rows;

	if (statement != SQL_RUN_LIST_OF_FACET)
		params.count -= 2;
	if (!sql_run(ctx, db, statement, params, &rows))
		return false;
	read_page(ctx, &rows, filter->limit, list);
	return true;
}

bool
run_gauges(struct ctx *ctx, struct pg *db, struct pg_rows *rows)
{
	return sql_run(ctx, db, SQL_RUN_GAUGES, PG_NO_PARAMS, rows);
}
