#include "sql/log_store.h"

#include "base/clock.h"
#include "base/text.h"
#include "sql/statement.h"

/* One array parameter per column. */
struct columns {
	const char **runs, **levels, **steps, **messages, **fields;
};

static void
columns_init(struct ctx *ctx, struct columns *columns, size_t count)
{
	columns->runs = ctx_alloc_array(ctx, count, sizeof(char *));
	columns->levels = ctx_alloc_array(ctx, count, sizeof(char *));
	columns->steps = ctx_alloc_array(ctx, count, sizeof(char *));
	columns->messages = ctx_alloc_array(ctx, count, sizeof(char *));
	columns->fields = ctx_alloc_array(ctx, count, sizeof(char *));
}

static void
columns_set(struct ctx *ctx, struct columns *columns, size_t i, const char *run_id, const struct log_entry *entry)
{
	columns->runs[i] = run_id;
	columns->levels[i] = text_from_i64(ctx, entry->level);
	columns->steps[i] = entry->step_id;
	columns->messages[i] = text_sanitize(ctx, entry->message);
	columns->fields[i] = entry->fields == NULL ? NULL : json_text(ctx, entry->fields);
}

bool
log_write_runs(struct ctx *ctx, struct pg *db, const char *const *run_ids, const struct log_entry *entries,
    size_t count, bool tell)
{
	CTX_SCOPE(tmp, ctx);
	struct columns columns;
	struct pg_rows rows;

	if (count == 0)
		return true;
	columns_init(tmp, &columns, count);
	for (size_t i = 0; i < count; i++)
		columns_set(tmp, &columns, i, run_ids[i], &entries[i]);
	return sql_run(tmp, db, SQL_LOG_WRITE,
	    PG_PARAMS(pg_text_array(tmp, columns.runs, count), pg_text_array(tmp, columns.levels, count),
		pg_text_array(tmp, columns.steps, count), pg_text_array(tmp, columns.messages, count),
		pg_text_array(tmp, columns.fields, count), text_from_bool(tell)),
	    &rows);
}

bool
log_write(struct ctx *ctx, struct pg *db, const char *run_id, const struct log_entry *entries, size_t count)
{
	CTX_SCOPE(tmp, ctx);
	const char **run_ids = ctx_alloc_array(tmp, count + 1, sizeof(char *));

	for (size_t i = 0; i < count; i++)
		run_ids[i] = run_id;
	return log_write_runs(tmp, db, run_ids, entries, count, true);
}

static const char *
line_text(struct ctx *ctx, const char *run_id, const struct pg_rows *rows, int row)
{
	const char *step_id = pg_value(rows, row, 3), *fields = pg_value(rows, row, 5);
	struct text line;

	text_init(&line, ctx);
	text_addf(&line,
	    "{\"id\":%s,\"at\":\"%s\",\"level\":\"%s\",\"run_id\":\"%s\",\"step_id\":", pg_value(rows, row, 0),
	    clock_format(ctx, pg_time_us(rows, row, 1)), log_level_name((enum log_level)pg_i64(rows, row, 2)), run_id);
	if (step_id == NULL)
		text_add(&line, "null");
	else
		json_quote(&line, step_id);
	text_add(&line, ",\"message\":");
	json_quote(&line, pg_value(rows, row, 4));
	text_addf(&line, ",\"fields\":%s}", fields == NULL ? "{}" : fields);
	return line.data;
}

/* The statement whose index finds the lines that are asked for. */
static enum statement
page_statement(const struct log_filter *filter, enum log_level level)
{
	if (filter->step_id != NULL)
		return SQL_LOG_PAGE_OF_STEP;
	return level >= LOG_WARN ? SQL_LOG_PAGE_NOT_QUIET : SQL_LOG_PAGE;
}

bool
log_page(struct ctx *ctx, struct pg *db, const struct log_filter *filter, struct log_lines *page)
{
	enum log_level level = LOG_DEBUG;
	struct pg_rows rows;

	if (filter->level != NULL && !log_level_parse(filter->level, &level))
		level = LOG_DEBUG;
	if (!sql_run(ctx, db, page_statement(filter, level),
		PG_PARAMS(filter->run_id, text_from_i64(ctx, filter->after), text_from_i64(ctx, level), filter->step_id,
		    text_from_i64(ctx, filter->limit + 1)),
		&rows))
		return false;
	page->more = rows.count > filter->limit;
	page->count = (size_t)(page->more ? filter->limit : rows.count);
	page->lines = ctx_alloc_array(ctx, page->count + 1, sizeof(char *));
	page->ids = ctx_alloc_array(ctx, page->count + 1, sizeof(int64_t));
	for (size_t i = 0; i < page->count; i++) {
		page->ids[i] = pg_i64(&rows, (int)i, 0);
		page->lines[i] = line_text(ctx, filter->run_id, &rows, (int)i);
	}
	return true;
}
