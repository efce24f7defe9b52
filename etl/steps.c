/* steps: the whole business on one screen. */
#include "etl/steps.h"

#include "base/bug.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "etl/run_log.h"
#include "sql/replica_store.h"

typedef bool step_function(struct ctx *ctx, const struct step_work *work, struct step_done *done);

static step_function make_plan, apply_ddl, load_slice, run_script, apply_views, ask_checks, revoke_slice, end_sessions;

static const struct step_kind {
	const char *name;
	step_function *execute;
	step_function *revoke; /* before the step may be cancelled or failed for good */
} kinds[] = {
    {"plan", make_plan, end_sessions},
    {"ddl", apply_ddl, end_sessions},
    {"stage", load_slice, revoke_slice},
    {"dimension", load_slice, revoke_slice},
    {"fact", load_slice, revoke_slice},
    {"sql", run_script, revoke_slice},
    {"view", apply_views, end_sessions},
    {"check", ask_checks, end_sessions},
};

/* What the run means: slices, pinned in one transaction when the plan is reported. */
static bool
make_plan(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	done->plan = ctx_alloc(ctx, sizeof(*done->plan));
	return plan_make(ctx, &work->job, work->options->pool, done->plan);
}

/* Bookkeeping and tables, from the declarations. */
static bool
apply_ddl(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	const struct spec_table **tables;
	size_t count;

	(void)done;
	plan_tables(ctx, work->job.spec, work->claim, &tables, &count);
	return slice_apply_ddl(ctx, &work->job, tables, count);
}

/* What was planned because it was not loaded may be so by now (docs/protocol.md). */
static bool
is_loaded_meanwhile(struct ctx *ctx, const struct step_work *work, bool *loaded)
{
	const struct step_claim *claim = work->claim;
	struct slice_interval interval = {.from_us = claim->from_us, .to_us = claim->to_us};
	bool asked = text_equal(claim->scope, "time") &&
		     (text_equal(claim->mode, "missing") || text_equal(claim->mode, "failed"));

	*loaded = false;
	if (asked && !slice_coverage(ctx, &work->job, &interval, 1, false))
		return false;
	*loaded = asked && interval.loaded;
	return true;
}

/* One slice of one table, exactly once: OPEN, STAGE, PUBLISH. */
static bool
load_slice(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	int64_t ended = 0;

	if (!is_loaded_meanwhile(ctx, work, &done->skipped))
		return false;
	if (done->skipped) /* or an earlier attempt of this step did it, which the revocation finds out */
		return revoke_slice(ctx, work, done);
	if (work->claim->attempt > 1 && !slice_end_orphans(ctx, &work->job, &ended))
		return false;
	done->has_counts = true;
	return slice_load(ctx, &work->job, &done->outcome);
}

/* SQL of the owners' own, exactly once: OPEN, PUBLISH. */
static bool
run_script(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	int64_t ended = 0;

	if (work->claim->attempt > 1 && !slice_end_orphans(ctx, &work->job, &ended))
		return false;
	return slice_run_script(ctx, &work->job, &done->outcome);
}

/* What the owners look at, from the declarations. */
static bool
apply_views(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	(void)done;
	return slice_apply_views(ctx, &work->job);
}

/* What must hold across tables, now that they are loaded; or of one table, before others are built on it. */
static bool
ask_checks(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	const struct spec_check **checks;
	size_t count;

	plan_checks(ctx, work->job.spec, work->claim, &checks, &count);
	return slice_ask_checks(ctx, &work->job, checks, count, &done->outcome);
}

/* Nobody will publish this slice any more; was it published? An extraction that still runs can do no harm, so a source that
 * cannot be asked to end it does not hold up the answer. */
static bool
revoke_slice(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	bool committed = false;
	int64_t ended = 0;

	if (!slice_revoke(ctx, &work->job, &done->outcome, &committed))
		return false;
	done->revoked = !committed;
	done->has_counts = committed && work->job.script == NULL;
	if (!slice_end_orphans(ctx, &work->job, &ended)) {
		log_failure(ctx, "sessions of a revoked attempt may go on for a while");
		fail_clear(ctx);
	}
	return true;
}

/* A step without a slice has nothing to revoke but its sessions. */
static bool
end_sessions(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	int64_t ended = 0;

	done->revoked = true;
	return slice_end_orphans(ctx, &work->job, &ended);
}

static const struct step_kind *
find_kind(const char *name)
{
	for (size_t i = 0; i < LENGTH_OF(kinds); i++)
		if (text_equal(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

static bool
next_number(void *pool, struct ctx *ctx, int64_t *number)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *db;

	return pool_take(tmp, pool, &db) && control_next_load_number(tmp, db, number);
}

/* A retry with the current spec may meet a table that is not declared any more, or declared as something that the step was not
 * planned for. What was begun can still be revoked. */
static bool
check_declared(struct ctx *ctx, const struct step_claim *claim, const struct slice_job *job)
{
	const struct spec_table *table = job->table;
	const char *what = NULL;

	if (claim->end_as != NULL || claim->table == NULL || job->script != NULL)
		return true;
	if (table == NULL)
		return fail(ctx, FAIL_NOT_FOUND, "version %s of %s has no table %s: submit a new run without it",
		    job->spec->hash, job->spec->pipeline, claim->table);
	if (claim->scope == NULL)
		return true;
	if (text_equal(claim->kind, "dimension") != (table->kind == TABLE_DIMENSION))
		what = table->kind == TABLE_DIMENSION ? "a dimension" : "no dimension";
	else if (text_equal(claim->scope, "files") != spec_table_is_fed_by_files(table))
		what = spec_table_is_fed_by_files(table) ? "fed by files" : "not fed by files";
	else if (text_equal(claim->scope, "time") && table->time == NULL)
		what = "without time";
	return what == NULL ||
	       fail(ctx, FAIL_CONFLICT,
		   "version %s of %s declares %s as %s, which this step was not planned for: submit a new run",
		   job->spec->hash, job->spec->pipeline, claim->table, what);
}

bool
step_prepare(struct ctx *ctx, const struct engine_options *options, const struct step_claim *claim,
    struct step_work *work)
{
	CTX_SCOPE(tmp, ctx);
	const struct spec *spec;
	struct pg *db;

	if (!pool_take(tmp, options->pool, &db) ||
	    !catalog_find(ctx, options->catalog, db, claim->pipeline, claim->spec_version, &spec))
		return false;
	*work = (struct step_work){.options = options, .claim = claim};
	work->job = (struct slice_job){
	    .config = options->config,
	    .spec = spec,
	    .table = claim->table != NULL ? spec_find_table(spec, claim->table) : NULL,
	    .script = claim->table != NULL ? spec_find_script(spec, claim->table) : NULL,
	    .claim = claim,
	    .control_id = options->control_id,
	    .epoch = claim->epoch,
	    .load_id = claim->epoch * (INT64_C(1) << 40) + claim->load_number,
	    .log = run_log_to(ctx, options->pool, claim),
	    .numbers = {.next = next_number, .arg = options->pool},
	};
	work->timeouts = work->job.table != NULL ? &work->job.table->timeouts : &spec->timeouts;
	work->retry = work->job.table != NULL ? &work->job.table->retry : &spec->retry;
	return check_declared(ctx, claim, &work->job);
}

bool
step_execute(struct ctx *ctx, const struct step_work *work, struct step_done *done)
{
	const struct step_kind *kind = find_kind(work->claim->kind);

	*done = (struct step_done){0};
	if (kind == NULL)
		return fail(ctx, FAIL_INTERNAL, "this version of the service knows no step of kind %s",
		    work->claim->kind);
	if (work->claim->end_as != NULL)
		return kind->revoke(ctx, work, done);
	return kind->execute(ctx, work, done);
}
