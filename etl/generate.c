#include "etl/generate.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "etl/generate_sql.h"
#include "sql/pg.h"

/* The difference of a kind of table. */
static bool
generate_difference(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope,
    struct load_statements *out)
{
	if (table->kind == TABLE_FACT)
		return generate_publish_fact(ctx, spec, table, scope, out);
	if (table->scd == 2)
		generate_publish_history(ctx, spec, table, out);
	else
		generate_publish_current(ctx, spec, table, out);
	return !ctx_failed(ctx);
}

bool
generate_publish(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope,
    struct load_statements *out)
{
	*out = (struct load_statements){0};
	generate_guards_before(ctx, spec, table, scope, out);
	if (!generate_difference(ctx, spec, table, scope, out))
		return false;
	generate_guards_after(ctx, table, out);
	return !ctx_failed(ctx);
}

/* Over what the rows say, not over our keys: the declared columns, and of each lookup whether it found its member (which one is
 * said by the columns it matches by). hash_record_extended hashes a row as it is; its text would cost as much as loading it. */
char *
generate_content_hash(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope)
{
	const char *where;
	struct text values;

	text_init(&values, ctx);
	text_add(&values, sql_list(ctx, names_declared(ctx, table), "t"));
	for (size_t i = 0; i < table->lookup_count; i++)
		text_addf(&values, ", t.%s = " UNKNOWN_KEY, pg_identifier(ctx, table->lookups[i].column));
	if (table->kind == TABLE_DIMENSION) {
		text_add(&values, ", t.effective_from, t.effective_to");
		where = ctx_printf(ctx, "t.%s <> " UNKNOWN_KEY, pg_identifier(ctx, table->surrogate));
	} else {
		where = sql_slice(ctx, table, scope, "t");
	}
	return ctx_printf(ctx,
	    "SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(%s), 0)), 0)\n  FROM %s t\n WHERE %s",
	    values.data, sql_table(ctx, spec, table), where);
}

static int
lock_order(const void *a, const void *b)
{
	return strcmp(((const struct load_lock *)a)->table, ((const struct load_lock *)b)->table);
}

static void
lock_add(struct load_lock *locks, size_t *count, const char *table, bool exclusive)
{
	for (size_t i = 0; i < *count; i++) {
		if (text_equal(locks[i].table, table)) {
			locks[i].exclusive = locks[i].exclusive || exclusive;
			return;
		}
	}
	locks[(*count)++] = (struct load_lock){.table = table, .exclusive = exclusive};
}

static bool
refers_to(const struct spec_table *table, const struct spec_table *dimension)
{
	for (size_t i = 0; i < table->lookup_count; i++)
		if (text_equal(table->lookups[i].dimension->name, dimension->name))
			return true;
	return false;
}

/* Whoever writes a table points the facts to it that look it up. */
static void
lock_referring(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, struct load_lock *locks,
    size_t *count)
{
	for (size_t i = 0; i < spec->table_count; i++)
		if (refers_to(&spec->tables[i], table))
			lock_add(locks, count, generate_table_name(ctx, spec, spec->tables[i].name), true);
}

void
generate_locks(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, struct load_lock **locks,
    size_t *count)
{
	*count = 0;
	*locks = ctx_alloc_array(ctx, 2 + spec->table_count + table->lookup_count, sizeof(**locks));
	lock_add(*locks, count, generate_table_name(ctx, spec, table->name), true);
	lock_referring(ctx, spec, table, *locks, count);
	if (table->stage != NULL)
		lock_add(*locks, count, generate_table_name(ctx, spec, table->stage->name), false);
	for (size_t i = 0; i < table->lookup_count; i++) {
		const struct spec_lookup *lookup = &table->lookups[i];

		lock_add(*locks, count, generate_table_name(ctx, spec, lookup->dimension->name),
		    lookup->missing == MISSING_INFER);
		if (lookup->missing == MISSING_INFER)
			lock_referring(ctx, spec, lookup->dimension, *locks, count);
	}
	qsort(*locks, *count, sizeof(**locks), lock_order);
}
