/* quality: what checks came to, of a run or over time. */
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/quality_store.h"

/* Samples are rows of the warehouse: for those who may read its data. */
static void
hide_samples(struct ctx *ctx, const struct request *request, json_t *items)
{
	const char *const *reached = NULL;
	json_t *item;
	size_t i;

	if (auth_may(ctx, request->who, SCOPE_DATA_READ, NULL)) {
		reached = auth_pipelines(ctx, request->who, SCOPE_DATA_READ);
		if (reached == NULL)
			return;
	} else {
		fail_clear(ctx);
	}
	json_array_foreach(items, i, item) {
		bool may = false;

		for (size_t k = 0; reached != NULL && reached[k] != NULL; k++)
			may = may || text_equal(reached[k], json_string_or(item, "pipeline", ""));
		if (!may)
			json_put_null(item, "sample");
	}
}

/* GET /v1/runs/{id}/quality: each check of each slice, in the order the results were kept. */
bool
quality_of_run_list(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	json_t *items = json_new_array(ctx);
	int64_t limit = param_limit(ctx, request), place[1] = {0}, next;
	struct pg *db;
	const char *id;

	if (!cursor_read(ctx, request, place, LENGTH_OF(place), NULL))
		place[0] = 0;
	if (ctx_failed(ctx) || !access_run(ctx, app, request, SCOPE_RUNS_READ, &id) ||
	    !pool_take(ctx, app->control, &db) || !quality_of_run(ctx, db, id, place[0], limit, items, &next))
		return false;
	hide_samples(ctx, request, items);
	return reply_page(ctx, reply, items, next != 0 ? cursor_make(ctx, request, &next, 1, NULL) : NULL);
}

static bool
is_status(const char *s)
{
	static const char *const statuses[] = {"passed", "warned", "failed", "error"};

	for (size_t i = 0; i < LENGTH_OF(statuses); i++)
		if (text_equal(statuses[i], s))
			return true;
	return false;
}

static bool
read_filter(struct ctx *ctx, const struct request *request, struct quality_filter *filter)
{
	int64_t place[2];

	*filter = (struct quality_filter){
	    .pipelines = access_pipelines(ctx, request, SCOPE_RUNS_READ),
	    .table = param_one(ctx, request, "table", text_is_name),
	    .check = param_one(ctx, request, "check", text_is_name),
	    .status = param_one(ctx, request, "status", is_status),
	    .since_us = param_time_us(ctx, request, "since"),
	    .until_us = param_time_us(ctx, request, "until"),
	    .limit = param_limit(ctx, request),
	};
	if (cursor_read(ctx, request, place, LENGTH_OF(place), NULL)) {
		filter->before_us = place[0];
		filter->before_id = place[1];
	}
	return !ctx_failed(ctx);
}

/* GET /v1/quality: results over time, newest first. */
bool
quality_results(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	json_t *items = json_new_array(ctx);
	struct quality_filter filter, next;
	const char *cursor = NULL;
	struct pg *db;
	bool more;

	if (!read_filter(ctx, request, &filter) || !pool_take(ctx, app->control, &db) ||
	    !quality_list(ctx, db, &filter, items, &more, &next))
		return false;
	hide_samples(ctx, request, items);
	if (more)
		cursor = cursor_make(ctx, request, (int64_t[]){next.before_us, next.before_id}, 2, NULL);
	return reply_page(ctx, reply, items, cursor);
}
