#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/run_request.h"
#include "handlers/access.h"
#include "handlers/dry_run.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/run_store.h"

enum { WAIT_MOST_MS = 55 * 1000 };

static bool
reply_run(struct ctx *ctx, struct reply *reply, int status, const struct run *run)
{
	reply->location = ctx_printf(ctx, "/v1/runs/%s", run->id);
	return reply_json(ctx, reply, status, run_to_json(ctx, run));
}

/* After a change: who asks this replica next must not see the picture of before, which the board's tail has yet to
 * replace. */
static bool
reply_changed_run(struct ctx *ctx, struct app *app, struct pg *db, const struct run *run, struct reply *reply)
{
	const struct board_page *page;
	bool found;

	return board_load(ctx, app->board, db, run->id, &page, &found) && reply_run(ctx, reply, 202, run);
}

/* POST /v1/runs: accept a run. The same Idempotency-Key gives the same run. */
static bool
accept_run(struct ctx *ctx, const struct request *request, struct pg *db, const struct run_request *want,
    struct reply *reply)
{
	struct run_acceptance how = {.fingerprint = want->fingerprint, .on_duplicate = want->on_duplicate};
	struct run run;
	bool existed;

	if (!request_idempotency_key(ctx, request, &how.idempotency_key) ||
	    !run_accept(ctx, db, &want->run, &how, &run, &existed))
		return false;
	return reply_run(ctx, reply, existed ? 200 : 202, &run);
}

/* A pipeline that is not there is a wrong field of the body, not a wrong path. */
static bool
find_spec(struct ctx *ctx, struct app *app, struct pg *db, const char *pipeline, const struct spec **spec)
{
	if (catalog_find(ctx, app->catalog, db, pipeline, NULL, spec))
		return true;
	if (ctx_failure(ctx)->code != FAIL_NOT_FOUND)
		return false;
	fail_clear(ctx);
	return fail_field(ctx, "/pipeline", "there is no pipeline %s", pipeline);
}

bool
runs_submit(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	struct run_request want;
	const struct spec *spec;
	struct pg *db;
	json_t *body;

	if (atomic_load(&app->draining))
		return fail(ctx, FAIL_DRAINING, "this replica accepts no more runs");
	if (!request_json(ctx, request, &body) || !run_request_parse(ctx, body, &want) ||
	    !auth_may(ctx, request->who, SCOPE_RUNS_WRITE, want.pipeline) || !pool_take(ctx, app->control, &db) ||
	    !find_spec(ctx, app, db, want.pipeline, &spec) || !run_request_check(ctx, spec, &want))
		return false;
	want.run.requested_by = request->who->subject;
	want.run.trigger_kind = "api";
	want.run.spec_version = spec->hash;
	if (want.dry_run)
		return dry_run_plan(ctx, app, spec, &want, reply);
	return accept_run(ctx, request, db, &want, reply);
}

static bool
is_type(const char *s)
{
	return text_equal(s, "full") || text_equal(s, "dimensions") || text_equal(s, "facts") || text_equal(s, "range");
}

static bool
is_status(const char *s)
{
	enum run_status status;

	return run_status_find(s, &status);
}

static void
read_label(struct ctx *ctx, const struct request *request, struct run_filter *filter)
{
	const char *label = request_query(request, "label");
	const char *colon = label != NULL ? strchr(label, ':') : NULL;

	if (label == NULL)
		return;
	if (colon == NULL || colon == label) {
		(void)fail_field(ctx, "?label", "must be key:value");
		return;
	}
	filter->label_key = ctx_strndup(ctx, label, (size_t)(colon - label));
	filter->label_value = colon + 1;
}

static bool
read_filter(struct ctx *ctx, const struct request *request, struct run_filter *filter)
{
	*filter = (struct run_filter){
	    .pipelines = access_pipelines(ctx, request, SCOPE_RUNS_READ),
	    .types = param_list(ctx, request, "type", is_type),
	    .statuses = param_list(ctx, request, "status", is_status),
	    .table = param_one(ctx, request, "table", text_is_name),
	    .requested_by = request_query(request, "requested_by"),
	    .since_us = param_time_us(ctx, request, "since"),
	    .until_us = param_time_us(ctx, request, "until"),
	    .limit = param_limit(ctx, request),
	};
	read_label(ctx, request, filter);
	(void)cursor_read(ctx, request, &filter->before_us, 1, &filter->before_id);
	return !ctx_failed(ctx);
}

bool
runs_list(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	json_t *items = json_new_array(ctx);
	struct run_filter filter;
	struct run_list list;
	const char *next = NULL;
	struct pg *db;

	if (!read_filter(ctx, request, &filter))
		return false;
	if (filter.pipelines != NULL && filter.pipelines[0] == NULL)
		return reply_page(ctx, reply, items, NULL);
	if (!pool_take(ctx, app->control, &db) || !run_list(ctx, db, &filter, &list))
		return false;
	for (size_t i = 0; i < list.count; i++)
		json_add(items, run_to_json(ctx, &list.items[i]));
	if (list.more)
		next = cursor_make(ctx, request, &list.next_us, 1, list.next_id);
	return reply_page(ctx, reply, items, next);
}

static bool
read_wait(struct ctx *ctx, const struct request *request, int64_t *wait_ms)
{
	const char *s = request_query(request, "wait");

	*wait_ms = 0;
	if (s == NULL || (duration_parse_ms(s, wait_ms) && *wait_ms >= 0 && *wait_ms <= WAIT_MOST_MS))
		return true;
	return fail_field(ctx, "?wait", "must be a duration of at most 55s, such as 30s");
}

/* GET /v1/runs/{id}: from memory; held while nothing changes when the client asks to wait. */
bool
runs_get(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const struct board_page *page;
	int64_t wait_ms;

	if (!read_wait(ctx, request, &wait_ms) || !access_run_page(ctx, app, request, SCOPE_RUNS_READ, &page))
		return false;
	reply->etag = page->etag;
	if (!request_has_etag(request, page->etag)) {
		reply->status = 200;
		reply->content_type = "application/json";
		reply->body = page->body;
		reply->length = page->length;
		return true;
	}
	if (wait_ms == 0 || page->final)
		return reply_text(reply, 304, NULL, "");
	reply->kind = REPLY_WAIT;
	reply->run_id = page->run_id;
	reply->wait_ms = wait_ms;
	return true;
}

bool
runs_cancel(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *id;
	struct run run;
	json_t *options;
	struct pg *db;

	if (!param_body(ctx, request, "", &options) || !access_run(ctx, app, request, SCOPE_RUNS_WRITE, &id) ||
	    !pool_take(ctx, app->control, &db) || !run_cancel(ctx, db, id, request->who->subject, &run))
		return false;
	return reply_changed_run(ctx, app, db, &run, reply);
}

/* {"spec": "current"} moves the run to the active version; "pinned" and nothing keep its own. */
static bool
read_spec_choice(struct ctx *ctx, const struct request *request, bool *current)
{
	json_t *options;
	const char *spec;

	*current = false;
	if (!param_body(ctx, request, "spec", &options))
		return false;
	if (json_object_get(options, "spec") == NULL)
		return true;
	spec = json_string_or(options, "spec", "");
	*current = text_equal(spec, "current");
	return *current || text_equal(spec, "pinned") || fail_field(ctx, "/spec", "must be pinned or current");
}

bool
runs_retry(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const struct board_page *page;
	const struct spec *spec;
	const char *version = NULL;
	struct run run;
	struct pg *db;
	bool current;

	if (!read_spec_choice(ctx, request, &current) || !access_run_page(ctx, app, request, SCOPE_RUNS_WRITE, &page) ||
	    !pool_take(ctx, app->control, &db))
		return false;
	if (current) {
		if (!catalog_find(ctx, app->catalog, db, page->pipeline, NULL, &spec))
			return false;
		version = spec->hash;
	}
	if (!run_retry(ctx, db, page->run_id, version, request->who->subject, &run))
		return false;
	return reply_changed_run(ctx, app, db, &run, reply);
}

static bool
set_paused(struct ctx *ctx, struct app *app, const struct request *request, bool pause, struct reply *reply)
{
	const char *id;
	struct run run;
	json_t *options;
	struct pg *db;

	if (!param_body(ctx, request, "", &options) || !access_run(ctx, app, request, SCOPE_RUNS_WRITE, &id) ||
	    !pool_take(ctx, app->control, &db) || !run_pause(ctx, db, id, pause, &run))
		return false;
	return reply_changed_run(ctx, app, db, &run, reply);
}

bool
runs_pause(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	return set_paused(ctx, app, request, true, reply);
}

bool
runs_resume(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	return set_paused(ctx, app, request, false, reply);
}
