/*
 * slice_view_grants: who may read a view, carried over its being dropped and made again in one transaction.
 *
 * Default privileges give a new view to whom they name, also to those from whom it had been taken: so all is taken first, and what there
 * was is given. A grant on a column that the new view lacks goes. Who granted it is the owner now.
 */
#include "base/text.h"
#include "etl/slice_internal.h"

bool
read_view_grants(struct ctx *ctx, struct pg *pg, const char *view, json_t **grants)
{
	struct pg_rows rows, there;

	*grants = NULL;
	if (!warehouse_query(ctx, pg, "view_state", PG_PARAMS(view), &there) ||
	    !warehouse_query(ctx, pg, "view_grants", PG_PARAMS(view), &rows))
		return false;
	if (there.count == 0)
		return true;
	*grants = json_new_array(ctx);
	for (int i = 0; i < rows.count; i++) {
		json_t *grant = json_new_object(ctx);

		json_put_string(ctx, grant, "column", pg_value(&rows, i, 0));
		json_put_string(ctx, grant, "sql", pg_value(&rows, i, 1));
		json_add(*grants, grant);
	}
	return true;
}

static bool
has_column(const struct pg_rows *columns, const char *name)
{
	for (int i = 0; i < columns->count; i++)
		if (name == NULL || text_equal(pg_value(columns, i, 0), name))
			return true;
	return false;
}

bool
give_view_grants(struct ctx *ctx, struct pg *pg, const char *view, const json_t *grants)
{
	struct pg_rows strangers, columns;
	const json_t *grant;
	size_t k;

	if (grants == NULL)
		return true; /* it is new: default privileges are right */
	if (!warehouse_query(ctx, pg, "view_strangers", PG_PARAMS(view), &strangers) ||
	    !warehouse_query(ctx, pg, "table_columns", PG_PARAMS(view), &columns))
		return false;
	for (int i = 0; i < strangers.count; i++)
		if (!pg_query(ctx, pg, pg_value(&strangers, i, 0), PG_NO_PARAMS, NULL))
			return false;
	json_array_foreach(grants, k, grant) {
		if (has_column(&columns, json_string_or(grant, "column", NULL)) &&
		    !pg_query(ctx, pg, json_string_or(grant, "sql", ""), PG_NO_PARAMS, NULL))
			return false;
	}
	return true;
}
