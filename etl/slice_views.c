/*
 * slice_views: the declared views, in one transaction under the lock of the ddl step.
 *
 * Each is tried in place first, so that grants and whatever others built on it stay. PostgreSQL refuses that when a column
 * went away or changed its name or type; then the view is dropped together with the declared views after it, which may be
 * made of it, last first. Nothing is dropped that is not declared here: a stranger's view on top makes the step fail.
 */
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"

static const char cannot_replace[] = "42P16"; /* invalid_table_definition */

/* The failure, told again with the view it is about. */
static bool
blame(struct ctx *ctx, const struct spec_view *view)
{
	struct failure failure = *ctx_failure(ctx);

	if (failure.code != FAIL_SQL_ERROR && failure.code != FAIL_SQL_DATA)
		return false;
	fail_clear(ctx);
	return fail_sql(ctx, failure.code, failure.sqlstate, "view %s (%s:%d): %s", view->name, view->path,
	    view->place.line, failure.message);
}

static bool
create_view(struct ctx *ctx, struct pg *pg, const struct spec_view *view)
{
	return pg_query(ctx, pg, view->statement, PG_NO_PARAMS, NULL) || blame(ctx, view);
}

/* replaced: false when only dropping helps. */
static bool
replace_view(struct ctx *ctx, struct pg *pg, const struct spec_view *view, bool *replaced)
{
	*replaced = false;
	if (!pg_run(ctx, pg, "SAVEPOINT before_view"))
		return false;
	if (create_view(ctx, pg, view)) {
		*replaced = true;
		return pg_run(ctx, pg, "RELEASE SAVEPOINT before_view");
	}
	if (!text_equal(ctx_failure(ctx)->sqlstate, cannot_replace))
		return false;
	fail_clear(ctx);
	return pg_run(ctx, pg, "ROLLBACK TO SAVEPOINT before_view");
}

/* The view `first` and the declared ones after it. */
static bool
drop_views(struct ctx *ctx, struct pg *pg, const struct spec *spec, size_t first)
{
	for (size_t i = spec->view_count; i-- > first;) {
		const struct spec_view *view = &spec->views[i];

		if (!pg_run(ctx, pg, ctx_printf(ctx, "DROP VIEW IF EXISTS %s", pg_identifier(ctx, view->name))))
			return blame(ctx, view);
	}
	return true;
}

/* dropped: how many were not replaced in place. */
static bool
apply(struct ctx *ctx, struct pg *pg, const struct spec *spec, int64_t *dropped)
{
	*dropped = 0;
	for (size_t i = 0; i < spec->view_count; i++) {
		CTX_SCOPE(tmp, ctx);
		bool replaced = *dropped == 0;

		if (replaced && !replace_view(tmp, pg, &spec->views[i], &replaced))
			return false;
		if (replaced)
			continue;
		if ((*dropped)++ == 0 && !drop_views(tmp, pg, spec, i))
			return false;
		if (!create_view(tmp, pg, &spec->views[i]))
			return false;
	}
	return true;
}

static bool
look_in_schema(struct ctx *ctx, const struct slice_job *job, struct pg *pg)
{
	return warehouse_query(ctx, pg, "view_search_path", PG_PARAMS(pg_identifier(ctx, job->spec->schema)), NULL);
}

bool
slice_drop_views(struct ctx *ctx, const struct slice_job *job, struct pg *pg)
{
	return look_in_schema(ctx, job, pg) && drop_views(ctx, pg, job->spec, 0);
}

bool
slice_create_views(struct ctx *ctx, const struct slice_job *job, struct pg *pg)
{
	int64_t dropped;

	return look_in_schema(ctx, job, pg) && apply(ctx, pg, job->spec, &dropped);
}

static bool
begin(struct ctx *ctx, const struct slice_job *job, struct pg *pg)
{
	return pg_begin(ctx, pg) && warehouse_query(ctx, pg, "bookkeeping_lock", PG_NO_PARAMS, NULL) &&
	       claim_pipeline(ctx, job, pg) && look_in_schema(ctx, job, pg);
}

bool
slice_apply_views(struct ctx *ctx, const struct slice_job *job)
{
	CTX_SCOPE(own, ctx);
	json_t *fields = json_new_object(own);
	int64_t dropped;
	struct pg *pg;

	if (!open_warehouse(own, job, &pg))
		return false;
	if (!begin(own, job, pg) || !apply(own, pg, job->spec, &dropped) || !pg_commit(own, pg)) {
		pg_rollback(pg);
		return false;
	}
	json_put_int(fields, "views", (int64_t)job->spec->view_count);
	json_put_int(fields, "made_again", dropped);
	log_event(own, job, LOG_INFO, "views are as declared", fields);
	return true;
}
