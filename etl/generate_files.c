/*
 * generate_files: what is special in the statements of tables that are fed by files.
 *
 * A row belongs to one file, its file_id. Two files may hold a row of the same key: it is the later file's, by the date of its batch,
 * then by the time the file was written, then by its name. So it does not matter in which order files are loaded.
 */
#include "base/text.h"
#include "etl/generate_sql.h"
#include "sql/pg.h"

char *
sql_newer_file(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *holder,
    const char *mine)
{
	return ctx_printf(ctx,
	    "EXISTS (SELECT FROM loadstar.file_ledger h, loadstar_files f\n"
	    "              WHERE h.table_name = %s AND h.file_id = %s.file_id AND h.state = 'loaded' AND f.file_id = %s.file_id\n"
	    "                AND (COALESCE(h.batch_at, '-infinity'), h.arrived_at, h.identity COLLATE \"C\")\n"
	    "                  > (COALESCE(f.batch_at, '-infinity'), f.arrived_at, f.identity COLLATE \"C\"))",
	    pg_literal(ctx, generate_table_name(ctx, spec, table->name)), holder, mine);
}

/* Rows of keys that a later file holds are not this load's to write. */
void
generate_yield(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, struct load_statements *out)
{
	struct load_statement *statement = statement_add(ctx, out, "leave rows to later files",
	    ctx_printf(ctx,
		"DELETE FROM loadstar_stage s USING %s d\n"
		" WHERE %s AND d.file_id <> ALL (:file_ids)\n"
		"   AND %s",
		sql_table(ctx, spec, table), sql_equal(ctx, names_keys(table), "d", "s"),
		sql_newer_file(ctx, spec, table, "d", "s")));

	statement->counter = COUNT_AFFECTED;
	statement->field = "deduplicated";
}

/* Columns that are not declared are none of the file's. */
static char *
row_as_text(struct ctx *ctx)
{
	return ctx_printf(ctx, "(to_jsonb(gone) - '{stage_row,loadstar_line,file_id}'::text[])::text");
}

/* A row that lacks what it must have is a reject, as one whose text cannot be read is. */
void
generate_reject_incomplete(struct ctx *ctx, const struct spec_table *table, const char *rule, struct names required,
    struct load_statements *out)
{
	struct text any, which;

	if (required.count == 0)
		return;
	text_init(&any, ctx);
	text_init(&which, ctx);
	for (size_t i = 0; i < required.count; i++) {
		const char *column = pg_identifier(ctx, required.items[i]);

		text_addf(&any, "%s%s IS NULL", i == 0 ? "" : " OR ", column);
		text_addf(&which, "\n            WHEN gone.%s IS NULL THEN %s", column,
		    pg_literal(ctx, required.items[i]));
	}
	statement_add(ctx, out, ctx_printf(ctx, "reject rows: %s", rule),
	    ctx_printf(ctx,
		"WITH gone AS (DELETE FROM loadstar_stage WHERE %s RETURNING *)\n"
		"INSERT INTO loadstar_rejects (stage_row, file_id, file, line, column_name, rule, raw_text, row_time)\n"
		"SELECT gone.stage_row, gone.file_id, (SELECT f.path FROM loadstar_files f WHERE f.file_id = gone.file_id),\n"
		"       gone.loadstar_line,\n"
		"       CASE%s END,\n"
		"       %s, %s, %s\n"
		"  FROM gone",
		any.data, which.data, pg_literal(ctx, rule), row_as_text(ctx),
		table->kind == TABLE_FACT && table->time != NULL
		    ? ctx_printf(ctx, "gone.%s", pg_identifier(ctx, table->time))
		    : "NULL"));
}

struct names
names_not_null(struct ctx *ctx, const struct spec_table *table)
{
	struct names names = {.items = ctx_alloc_array(ctx, table->column_count + 1, sizeof(char *))};

	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].not_null && !table->columns[i].key)
			names.items[names.count++] = table->columns[i].name;
	return names;
}
