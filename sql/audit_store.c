#include "sql/audit_store.h"

#include "base/text.h"
#include "sql/run_row.h"
#include "sql/statement.h"

enum { MATCHED = 9, LAST, OVER }; /* columns after the entry's own */
enum { READS = 5000 };            /* of a page, whatever its filters throw away */

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

/* The statement whose index reads least of what the other filters throw away. */
static enum statement
statement_for(const struct audit_filter *filter)
{
	if (filter->subject != NULL)
		return SQL_AUDIT_LIST_OF_SUBJECT;
	if (filter->pipelines != NULL)
		return SQL_AUDIT_LIST_OF_PIPELINES;
	return filter->action != NULL ? SQL_AUDIT_LIST_OF_ACTION : SQL_AUDIT_LIST;
}

/* What matches of the page; the id after which the next goes on, 0: there is none. */
static int64_t
read_page(struct ctx *ctx, const struct pg_rows *rows, int64_t limit, json_t *items)
{
	int64_t count = 0, next = 0;

	for (int i = 0; i < rows->count; i++) {
		if (pg_bool(rows, i, OVER))
			return 0; /* this and all that come are from before `since` */
		if (count == limit)
			return next;
		next = pg_i64(rows, i, 0);
		if (pg_bool(rows, i, MATCHED)) {
			json_add(items, entry_json(ctx, rows, i));
			count++;
		}
		if (pg_bool(rows, i, LAST))
			return next;
	}
	return 0;
}

bool
audit_list(struct ctx *ctx, struct pg *db, const struct audit_filter *filter, json_t *items, int64_t *next)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, statement_for(filter),
		PG_PARAMS(filter->subject, filter->action, array_of(ctx, filter->pipelines),
		    run_row_time(ctx, filter->since_us),
		    text_from_i64(ctx, filter->before_id != 0 ? filter->before_id : INT64_MAX),
		    text_from_i64(ctx, filter->limit + 1), text_from_i64(ctx, READS)),
		&rows))
		return false;
	*next = read_page(ctx, &rows, filter->limit, items);
	return true;
}

bool
audit_verify(struct ctx *ctx, struct pg *db, json_t **chain)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_AUDIT_VERIFY, PG_NO_PARAMS, &rows))
		return false;
	*chain = json_new_object(ctx);
	json_put_bool(*chain, "intact", pg_value(&rows, 0, 2) == NULL);
	json_put_int(*chain, "seals", pg_i64(&rows, 0, 0));
	json_put_int(*chain, "sealed_to", pg_i64(&rows, 0, 1));
	if (pg_value(&rows, 0, 2) != NULL)
		json_put_int(*chain, "broken_at", pg_i64(&rows, 0, 2));
	else
		json_put_null(*chain, "broken_at");
	json_put_int(*chain, "unsealed", pg_i64(&rows, 0, 3));
	json_put_time(ctx, *chain, "unsealed_since", pg_value(&rows, 0, 4) != NULL ? pg_time_us(&rows, 0, 4) : 0);
	return true;
}

bool
audit_seal(struct ctx *ctx, struct pg *db)
{
	return sql_run(ctx, db, SQL_AUDIT_SEAL, PG_NO_PARAMS, NULL);
}
