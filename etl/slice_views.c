/*
 * slice_views: the declared views, in one transaction under the lock of the ddl step.
 *
 * A view is touched when its text is another one than was applied, when somebody changed it since, or when what it is made of has other
 * columns. Then it is tried in place first, so that whatever others built on it stays. PostgreSQL refuses that when a column
 * went away or changed its name or type; then the view is dropped together with the declared views after it, which may be
 * made of it, last first, and made again with the grants it had. Nothing is dropped that is not declared here: a stranger's view on
 * top makes the step fail.
 */
#include "base/crypto.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"

static const char cannot_replace[] = "42P16"; /* invalid_table_definition */

/* The views of one transaction. */
struct views {
	const struct slice_job *job;
	struct pg *pg;
	json_t *grants; /* by name, of views that were dropped */
	int64_t changed, dropped;
};

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

static const char *
name_of(struct ctx *ctx, const struct spec *spec, const struct spec_view *view)
{
	return generate_table_identifier(ctx, spec, view->name);
}

/* NULL: there is no such view. */
static bool
read_state(struct ctx *ctx, struct pg *pg, const char *name, const char **state)
{
	struct pg_rows rows;

	if (!warehouse_query(ctx, pg, "view_state", PG_PARAMS(name), &rows))
		return false;
	*state = rows.count > 0 ? pg_value(&rows, 0, 0) : NULL;
	return true;
}

/* Whether the view is what this text made of these columns: there is nothing to do then, and nobody who reads it has to wait. */
static bool
look_for_change(struct ctx *ctx, struct views *views, const struct spec_view *view, bool *changed)
{
	const char *name = name_of(ctx, views->job->spec, view), *state;
	struct pg_rows rows;

	if (!read_state(ctx, views->pg, name, &state) ||
	    !warehouse_query(ctx, views->pg, "view_applied", PG_PARAMS(name), &rows))
		return false;
	*changed = state == NULL || rows.count == 0 || !text_equal(pg_value(&rows, 0, 1), state) ||
		   !text_equal(pg_value(&rows, 0, 0), crypto_sha256_text(ctx, view->statement));
	return true;
}

static bool
record(struct ctx *ctx, struct views *views, const struct spec_view *view)
{
	const struct slice_job *job = views->job;
	const char *name = name_of(ctx, job->spec, view), *state;

	return read_state(ctx, views->pg, name, &state) &&
	       warehouse_query(ctx, views->pg, "view_record",
		   PG_PARAMS(name, job->spec->pipeline, crypto_sha256_text(ctx, view->statement), state,
		       job->claim->run_id),
		   NULL);
}

/* The view `first` and the declared ones after it; who may read them is kept by their names. */
static bool
drop_views(struct ctx *ctx, struct views *views, size_t first)
{
	const struct spec *spec = views->job->spec;

	for (size_t i = spec->view_count; i-- > first;) {
		const struct spec_view *view = &spec->views[i];
		const char *name = name_of(ctx, spec, view);
		json_t *grants;

		if (!read_view_grants(ctx, views->pg, name, &grants))
			return false;
		if (grants != NULL)
			json_put(views->grants, view->name, grants);
		if (!pg_run(ctx, views->pg, ctx_printf(ctx, "DROP VIEW IF EXISTS %s", name)))
			return blame(ctx, view);
	}
	return true;
}

/* In place, or once one could not be: anew. */
static bool
apply_view(struct ctx *ctx, struct views *views, size_t i)
{
	const struct spec *spec = views->job->spec;
	const struct spec_view *view = &spec->views[i];
	bool changed = true, replaced = views->dropped == 0;

	if (replaced && !look_for_change(ctx, views, view, &changed))
		return false;
	if (!changed)
		return true;
	views->changed++;
	if (replaced && !replace_view(ctx, views->pg, view, &replaced))
		return false;
	if (!replaced && views->dropped++ == 0 && !drop_views(ctx, views, i))
		return false;
	return (replaced || create_view(ctx, views->pg, view)) &&
	       give_view_grants(ctx, views->pg, name_of(ctx, spec, view), json_object_get(views->grants, view->name)) &&
	       record(ctx, views, view);
}

static bool
apply(struct ctx *ctx, struct views *views)
{
	for (size_t i = 0; i < views->job->spec->view_count; i++) {
		CTX_SCOPE(tmp, ctx);

		if (!apply_view(tmp, views, i))
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
slice_drop_views(struct ctx *ctx, const struct slice_job *job, struct pg *pg, json_t **grants)
{
	struct views views = {.job = job, .pg = pg, .grants = json_new_object(ctx)};

	*grants = views.grants;
	return look_in_schema(ctx, job, pg) && drop_views(ctx, &views, 0);
}

bool
slice_create_views(struct ctx *ctx, const struct slice_job *job, struct pg *pg, json_t *grants)
{
	struct views views = {.job = job, .pg = pg, .grants = grants};

	return look_in_schema(ctx, job, pg) && apply(ctx, &views);
}

static bool
begin(struct ctx *ctx, const struct slice_job *job, struct pg *pg)
{
	return pg_begin(ctx, pg) && warehouse_query(ctx, pg, "bookkeeping_lock", PG_NO_PARAMS, NULL) &&
	       warehouse_query(ctx, pg, "bookkeeping_view", PG_NO_PARAMS, NULL) && claim_pipeline(ctx, job, pg) &&
	       look_in_schema(ctx, job, pg);
}

bool
slice_apply_views(struct ctx *ctx, const struct slice_job *job)
{
	CTX_SCOPE(own, ctx);
	struct views views = {.job = job, .grants = json_new_object(own)};
	json_t *fields = json_new_object(own);

	if (!open_warehouse(own, job, &views.pg))
		return false;
	if (!begin(own, job, views.pg) || !apply(own, &views) || !pg_commit(own, views.pg)) {
		pg_rollback(views.pg);
		return false;
	}
	json_put_int(fields, "views", (int64_t)job->spec->view_count);
	json_put_int(fields, "changed", views.changed);
	json_put_int(fields, "made_again", views.dropped);
	log_event(own, job, LOG_INFO, "views are as declared", fields);
	return true;
}
