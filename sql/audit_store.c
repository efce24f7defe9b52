#include "sql/audit_store.h"

#include "base/text.h"
#include "sql/run_row.h"
#include "sql/statement.h"

bool
audit_write(struct ctx *ctx, struct pg *db, const struct audit_entry *entry)
{
	const struct ctx_tags *tags = ctx_get_tags(ctx);
	const char *subject = entry->subject != NULL ? entry->subject : tags->subject;

	return sql_run(ctx, db, SQL_AUDIT_INSERT,
	    PG_PARAMS(subject != NULL ? subject : "loadstar", tags->client, tags->trace_id, entry->action,
		entry->pipeline, entry->target, run_row_json(ctx, entry->detail)),
	    NULL);
}

static json_t *
entry_json(struct ctx *ctx, const struct pg_rows *rows, int row)
{
	json_t *entry = json_new_object(ctx);

	json_put_int(entry, "id", pg_i64(rows, row, 0));
	json_put_time(ctx, entry, "at", pg_time_us(rows, row, 1));
	json_put_string(ctx, entry, "subject", pg_value(rows, row, 2));
	json_put_string(ctx, entry, "client", pg_value(rows, row, 3));
	json_put_string(ctx, entry, "trace_id", pg_value(rows, row, 4));
	json_put_string(ctx, entry, "action", pg_value(rows, row, 5));
	json_put_string(ctx, entry, "pipeline", pg_value(rows, row, 6));
	json_put_string(ctx, entry, "target", pg_value(rows, row, 7));
	json_put(entry, "detail", json_trusted(ctx, pg_value(rows, row, 8)));
	return entry;
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

bool
audit_list(struct ctx *ctx, struct pg *db, const struct audit_filter *filter, json_t *items, int64_t *next)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_AUDIT_LIST,
		PG_PARAMS(filter->subject, filter->action, array_of(ctx, filter->pipelines),
		    run_row_time(ctx, filter->since_us),
		    filter->before_id != 0 ? text_from_i64(ctx, filter->before_id) : NULL,
		    text_from_i64(ctx, filter->limit + 1)),
		&rows))
		return false;
	for (int i = 0; i < rows.count && i < filter->limit; i++)
		json_add(items, entry_json(ctx, &rows, i));
	*next = rows.count > filter->limit ? pg_i64(&rows, (int)filter->limit - 1, 0) : 0;
	return true;
}

bool
audit_seal(struct ctx *ctx, struct pg *db)
{
	return sql_run(ctx, db, SQL_AUDIT_SEAL, PG_NO_PARAMS, NULL);
}
