/*
 * table_shape: a table that is declared again as another one than it was made as.
 *
 * Versions of a specification are compared with each other (difference.h), but a table that was left out and comes back, or is declared
 * by another pipeline, has no version beside it. What it was made as is told by the indexes that the engine gave it then; a table that
 * somebody made by hand has none of them, and is taken as it is.
 */
#include <string.h>

#include "base/text.h"
#include "etl/generate_sql.h"
#include "etl/spec/parse.h"
#include "etl/table_changes.h"
#include "etl/warehouse.h"

struct shape {
	struct ctx *ctx;
	const struct spec *spec;
	const struct spec_table *table;
	struct pg_rows indexes;
	bool log_exists;
	struct table_changes *out;
};

/* The columns of one of our indexes; NULL: there is none. */
static const char *
index_columns(const struct shape *shape, const char *suffix)
{
	const char *name = sql_bookkeeping(shape->ctx, shape->table, suffix);

	for (int i = 0; i < shape->indexes.count; i++)
		if (text_equal(pg_identifier(shape->ctx, pg_value(&shape->indexes, i, 0)), name))
			return pg_value(&shape->indexes, i, 1);
	return NULL;
}

static const char *
primary_columns(const struct shape *shape)
{
	for (int i = 0; i < shape->indexes.count; i++)
		if (pg_bool(&shape->indexes, i, 2))
			return pg_value(&shape->indexes, i, 1);
	return NULL;
}

static void
refuse(const struct shape *shape, const char *key, const char *before, const char *after, const char *why)
{
	struct table_changes *out = shape->out;
	struct table_change *items = ctx_alloc_array(shape->ctx, out->count + 1, sizeof(*items));
	struct ctx *ctx = shape->ctx;
	struct spec_place place = spec_place_find(ctx, shape->spec, spec_document(ctx, shape->spec),
	    ctx_printf(ctx, "/tables/%s/%s", shape->table->name, key));

	if (out->count > 0)
		memcpy(items, out->items, out->count * sizeof(*items));
	items[out->count] = (struct table_change){
	    .change = "shape",
	    .before = before,
	    .after = after,
	    .place = place,
	    .refused = ctx_printf(shape->ctx, "'%s' was %s when it was made, and is %s now: %s", key,
		before != NULL ? before : "not there", after != NULL ? after : "not there", why),
	};
	out->items = items;
	out->count++;
}

static const char *
key_columns(const struct shape *shape)
{
	struct text out;

	text_init(&out, shape->ctx);
	for (size_t i = 0; i < shape->table->key_count; i++)
		text_addf(&out, "%s%s", i == 0 ? "" : ", ", shape->table->keys[i]);
	return out.length > 0 ? out.data : NULL;
}

static const char another_table[] = "declare a new table beside it, or drop this one";

static void
compare_dimension(const struct shape *shape, const char *versions)
{
	const char *key = key_columns(shape), *surrogate = primary_columns(shape);
	bool had_log = shape->log_exists, has_log = shape->table->scd == 2;

	if (!text_equal(versions, ctx_printf(shape->ctx, "%s, effective_from", key)))
		refuse(shape, "key",
		    ctx_printf(shape->ctx, "%.*s", (int)(strlen(versions) - strlen(", effective_from")), versions), key,
		    another_table);
	if (surrogate != NULL && !text_equal(surrogate, shape->table->surrogate))
		refuse(shape, "surrogate", surrogate, shape->table->surrogate, another_table);
	if (had_log != has_log)
		refuse(shape, "history", had_log ? "scd 2" : "without versions", has_log ? "scd 2" : "without versions",
		    another_table);
}

static void
compare_fact(const struct shape *shape)
{
	const char *grain = index_columns(shape, "grain"), *surrogate = index_columns(shape, "surrogate"),
		   *time = index_columns(shape, "time");

	if (grain != NULL && !text_equal(grain, key_columns(shape)))
		refuse(shape, "grain", grain, key_columns(shape), another_table);
	if (surrogate != NULL && !text_equal(surrogate, shape->table->surrogate))
		refuse(shape, "surrogate", surrogate, shape->table->surrogate, another_table);
	if (surrogate == NULL && grain != NULL && shape->table->surrogate != NULL)
		refuse(shape, "surrogate", NULL, shape->table->surrogate, another_table);
	if (time != NULL && !text_equal(time, shape->table->time))
		refuse(shape, "time", time, shape->table->time, another_table);
}

static void
compare(const struct shape *shape)
{
	bool dimension = shape->table->kind == TABLE_DIMENSION;
	const char *versions = index_columns(shape, "versions"), *grain = index_columns(shape, "grain");

	if (dimension && versions == NULL && grain != NULL)
		refuse(shape, "kind", "fact", "dimension", another_table);
	else if (!dimension && versions != NULL)
		refuse(shape, "kind", "dimension", "fact", another_table);
	else if (dimension && versions != NULL)
		compare_dimension(shape, versions);
	else if (!dimension)
		compare_fact(shape);
}

bool
table_shape_find(struct ctx *ctx, struct pg *pg, const struct spec *spec, const struct spec_table *table,
    struct table_changes *changes)
{
	const char *log = ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, "log"));
	struct shape shape = {.ctx = ctx, .spec = spec, .table = table, .out = changes};
	struct table_column *columns;
	size_t count;

	if (!changes->exists)
		return true;
	if (!table_columns_find(ctx, pg, log, &columns, &count) ||
	    !warehouse_query(ctx, pg, "table_shape", PG_PARAMS(sql_table(ctx, spec, table)), &shape.indexes))
		return false;
	shape.log_exists = count > 0;
	compare(&shape);
	return true;
}
