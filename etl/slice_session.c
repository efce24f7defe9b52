/* slice_session: sessions of a slice: opened, registered, ended. */
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"
#include "sql/step_waits.h"

enum {
	IDLE_IN_TRANSACTION_MS = 60 * 1000,
	SESSION_END_MS = 30 * 1000,
	SESSION_POLL_MS = 20,
	NAME_PART = 12,
};

static const char *
tail(const char *id)
{
	size_t length = strlen(id);

	return length > NAME_PART ? id + length - NAME_PART : id;
}

/* Up to the attempt, which slice_end_orphans compares. */
char *
application_prefix(struct ctx *ctx, const struct step_claim *claim)
{
	return ctx_printf(ctx, "loadstar/%s/%s/", tail(claim->run_id), tail(claim->id));
}

char *
slice_application_name(struct ctx *ctx, const struct step_claim *claim, int64_t attempt)
{
	return ctx_printf(ctx, "%s%lld", application_prefix(ctx, claim), (long long)attempt);
}

const struct spec_timeouts *
slice_timeouts(const struct slice_job *job)
{
	return job->table != NULL ? &job->table->timeouts : &job->spec->timeouts;
}

static void
wait_for(const struct slice_job *job, enum wait_kind kind, const char *detail)
{
	if (job->waits.tell != NULL)
		job->waits.tell(job->waits.arg, wait_kind_name(kind), detail);
}

static void
wait_no_more(const struct slice_job *job)
{
	if (job->waits.tell != NULL)
		job->waits.tell(job->waits.arg, NULL, NULL);
}

static bool
open_connection(struct ctx *ctx, const struct slice_job *job, const char *connection, struct pg_options options,
    struct pg **pg)
{
	const struct spec_timeouts *timeouts = slice_timeouts(job);
	struct secret url;
	bool ok;

	options.application_name = slice_application_name(ctx, job->claim, job->claim->attempt);
	options.time_zone = job->spec->timezone;
	options.statement_timeout_ms = timeouts->statement_ms;
	options.lock_timeout_ms = timeouts->lock_ms;
	options.idle_in_transaction_timeout_ms = IDLE_IN_TRANSACTION_MS;
	wait_for(job, WAIT_CONNECTION, connection);
	ok = config_connection_of(ctx, job->config, job->spec->pipeline, connection, &url) &&
	     pg_open(ctx, &url, &options, pg);
	wait_no_more(job);
	return ok;
}

/* A load sorts and hashes whole slices; compiling its statements costs more than it gives. */
bool
open_warehouse(struct ctx *ctx, const struct slice_job *job, struct pg **pg)
{
	return open_connection(ctx, job, job->spec->warehouse, (struct pg_options){.what = "warehouse"}, pg) &&
	       pg_run(ctx, *pg, "SET work_mem = '64MB'; SET jit = off; SET client_min_messages = warning");
}

bool
open_source(struct ctx *ctx, const struct slice_job *job, struct pg **pg)
{
	const struct spec_source *source = job->table->source;

	if (!open_connection(ctx, job, source->connection,
		(struct pg_options){.what = ctx_printf(ctx, "source %s", source->name), .read_only = true}, pg))
		return false;
	return job->table->stage == NULL ||
	       pg_run(ctx, *pg, ctx_printf(ctx, "SET search_path = %s", pg_identifier(ctx, job->spec->schema)));
}

void
loading_init(struct ctx *ctx, struct loading *loading, const struct slice_job *job, struct slice_outcome *outcome)
{
	*outcome = (struct slice_outcome){0};
	*loading = (struct loading){
	    .job = job,
	    .outcome = outcome,
	    .table = job->claim->table != NULL ? generate_table_name(ctx, job->spec, job->claim->table) : NULL,
	    .from = clock_format(ctx, job->claim->from_us),
	    .to = clock_format(ctx, job->claim->to_us),
	    .load_id = text_from_i64(ctx, job->load_id),
	    .changes = json_new_array(ctx),
	    .trace = json_new_array(ctx),
	    .since_us = clock_monotonic_us(),
	};
}

bool
bookkeeping_exists(struct ctx *ctx, struct pg *pg, bool *exists)
{
	struct pg_rows rows;

	if (!warehouse_query(ctx, pg, "bookkeeping_find", PG_NO_PARAMS, &rows))
		return false;
	*exists = pg_bool(&rows, 0, 0);
	return true;
}

bool
is_claimed_since(struct ctx *ctx, const struct slice_job *job, int64_t highest, bool *since)
{
	int64_t number;

	*since = highest >> 40 == job->epoch;
	if (!*since || job->numbers.next == NULL)
		return true;
	if (!job->numbers.next(job->numbers.arg, ctx, &number))
		return false;
	*since = highest < (job->epoch << 40) + number;
	return true;
}

/* A ghost ends silently and comes again with a newer number. No number of ours passes a registration of another epoch or of a sequence
 * that is ahead: that would go on for ever. */
static bool
fail_passed(struct ctx *ctx, struct loading *loading)
{
	const char *names[] = {loading->table};
	struct pg_rows rows;
	bool since;

	if (!warehouse_query(ctx, loading->warehouse, "fence_highest", PG_PARAMS(pg_text_array(ctx, names, 1)),
		&rows) ||
	    !is_claimed_since(ctx, loading->job, pg_i64(&rows, 0, 0), &since))
		return false;
	if (since)
		return fail(ctx, FAIL_FENCED, "a newer attempt than load_id %s is registered for %s %s",
		    loading->load_id, loading->table, loading->job->claim->slice);
	return fail(ctx, FAIL_FOREIGN_OWNER,
	    "a load of %s is registered as %s, above every number of this control database: it is behind the one that made it "
	    "(`loadstar adopt`)",
	    loading->table, pg_value(&rows, 0, 0));
}

bool
register_slice(struct ctx *ctx, struct loading *loading)
{
	const struct step_claim *claim = loading->job->claim;
	struct pg_rows rows;

	if (!warehouse_query(ctx, loading->warehouse, "slice_register",
		PG_PARAMS(loading->table, claim->slice, claim->scope, loading->from, loading->to, loading->load_id,
		    claim->id),
		&rows))
		return false;
	if (rows.count == 0)
		return fail_passed(ctx, loading);
	loading->pid = ctx_strdup(ctx, pg_value(&rows, 0, 0));
	loading->started = ctx_strdup(ctx, pg_value(&rows, 0, 1));
	return true;
}

bool
find_committed(struct ctx *ctx, struct loading *loading, bool *found)
{
	CTX_SCOPE(tmp, ctx);
	struct pg_rows rows;

	if (!warehouse_query(tmp, loading->warehouse, "ledger_find", PG_PARAMS(loading->job->claim->id), &rows))
		return false;
	*found = rows.count > 0;
	if (!*found)
		return true;
	*loading->outcome = (struct slice_outcome){.found = true,
	    .committed_us = pg_time_us(&rows, 0, 1),
	    .checks = loading->outcome->checks,
	    .guards = loading->outcome->guards};
	result_from_json(json_trusted(tmp, pg_value(&rows, 0, 0)), loading->outcome);
	return true;
}

bool
end_session(struct ctx *ctx, struct pg *pg, const char *pid, const char *started)
{
	int64_t deadline_us = clock_monotonic_us() + SESSION_END_MS * INT64_C(1000);
	struct pg_rows rows;

	while (pid != NULL) {
		CTX_SCOPE(tmp, ctx);

		if (!warehouse_query(tmp, pg, "session_end", PG_PARAMS(pid, started), &rows))
			return false;
		if (pg_i64(&rows, 0, 0) == 0)
			return true;
		if (clock_monotonic_us() > deadline_us)
			return fail(ctx, FAIL_SQL_CONFLICT, "warehouse session %s did not end within %d s", pid,
			    SESSION_END_MS / 1000);
		clock_sleep_ms(SESSION_POLL_MS);
	}
	return true;
}

bool
take_locks(struct ctx *ctx, struct loading *loading, const struct load_lock *locks, size_t count)
{
	struct pg *pg = loading->warehouse;
	bool ok = true;

	if (!pg_run(ctx, pg, "SET LOCAL lock_timeout = 0"))
		return false;
	for (size_t i = 0; ok && i < count; i++) {
		wait_for(loading->job, WAIT_LOCK, locks[i].table);
		ok = warehouse_query(ctx, pg, locks[i].exclusive ? "lock_exclusive" : "lock_shared",
		    PG_PARAMS(locks[i].table), NULL);
	}
	wait_no_more(loading->job);
	return ok &&
	       pg_run(ctx, pg,
		   ctx_printf(ctx, "SET LOCAL lock_timeout = %lld", (long long)slice_timeouts(loading->job)->lock_ms));
}

bool
read_under_lock(struct ctx *ctx, struct loading *loading, bool *found)
{
	struct load_lock lock = {.table = loading->table, .exclusive = true};
	bool ok = pg_begin(ctx, loading->warehouse) && take_locks(ctx, loading, &lock, 1) &&
		  find_committed(ctx, loading, found);

	pg_rollback(loading->warehouse);
	return ok;
}
