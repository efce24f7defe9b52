#include "etl/file_ledger.h"

#include "base/bug.h"
#include "base/text.h"
#include "etl/slice_internal.h"

char *
file_identity(struct ctx *ctx, const struct spec_source *source, const char *path)
{
	return ctx_printf(ctx, "%s/%s", source->connection, path);
}

static bool
ask_seen(struct ctx *ctx, struct pg *pg, const struct slice_job *job, const struct file_entries *entries,
    struct file_seen *seen)
{
	CTX_SCOPE(tmp, ctx);
	const char **identities = ctx_alloc_array(tmp, entries->count + 1, sizeof(*identities));
	struct pg_rows rows;

	if (!warehouse_query(tmp, pg, "files_ledger_exists", PG_NO_PARAMS, &rows))
		return false;
	if (!pg_bool(&rows, 0, 0))
		return true; /* nothing was ever loaded from files here */
	for (size_t i = 0; i < entries->count; i++)
		identities[i] = file_identity(tmp, job->table->source, entries->items[i].path);
	if (!warehouse_query(tmp, pg, "files_seen",
		PG_PARAMS(job->spec->pipeline, generate_table_name(tmp, job->spec, job->table->name),
		    pg_text_array(tmp, identities, entries->count)),
		&rows))
		return false;
	for (int i = 0; i < rows.count; i++) {
		int64_t place = pg_i64(&rows, i, 0);

		ASSERT(place >= 1 && (size_t)place <= entries->count);
		seen[place - 1].etag = ctx_strdup(ctx, pg_value(&rows, i, 1));
		seen[place - 1].failed = text_equal(pg_value(&rows, i, 2), "failed");
		seen[place - 1].loaded = pg_bool(&rows, i, 3);
		seen[place - 1].waits = pg_bool(&rows, i, 4);
	}
	return true;
}

static bool
ask_dates(struct ctx *ctx, struct pg *pg, const struct slice_job *job, const struct file_entries *entries,
    struct file_seen *seen)
{
	CTX_SCOPE(tmp, ctx);
	const char *date = job->table->source->batch_date;
	const char **locals = ctx_alloc_array(tmp, entries->count + 1, sizeof(*locals));
	char local[PATH_LOCAL_ROOM];
	struct pg_rows rows;

	for (size_t i = 0; i < entries->count; i++) {
		const char *batch = entries->items[i].batch;

		seen[i].batch_us = CLOCK_MINUS_INFINITY;
		if (date != NULL && batch != NULL) {
			ASSERT(path_date_parse(date, batch, local)); /* or it would not be listed */
			locals[i] = ctx_strdup(tmp, local);
		}
	}
	if (date == NULL || entries->count == 0)
		return true;
	if (!warehouse_query(tmp, pg, "files_dates", PG_PARAMS(pg_text_array(tmp, locals, entries->count)), &rows))
		return false;
	for (int i = 0; i < rows.count; i++)
		if (pg_value(&rows, i, 0) != NULL)
			seen[i].batch_us = pg_time_us(&rows, i, 0);
	return true;
}

bool
file_ledger_look(struct ctx *ctx, struct pg *pg, const struct slice_job *job, const struct file_entries *entries,
    struct file_seen **seen)
{
	*seen = ctx_alloc_array(ctx, entries->count + 1, sizeof(**seen));
	return ask_dates(ctx, pg, job, entries, *seen) && ask_seen(ctx, pg, job, entries, *seen);
}

bool
file_ledger_ask(struct ctx *ctx, const struct slice_job *job, const struct file_entries *entries,
    struct file_seen **seen)
{
	CTX_SCOPE(own, ctx);
	struct pg *pg;

	return open_warehouse(own, job, &pg) && file_ledger_look(ctx, pg, job, entries, seen);
}
