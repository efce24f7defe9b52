#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/step_store.h"

static bool
is_status(const char *s)
{
	enum step_status status;

	return step_status_find(s, &status);
}

static bool
read_filter(struct ctx *ctx, const struct request *request, struct step_filter *filter)
{
	int64_t place[2];

	*filter = (struct step_filter){
	    .run_id = request->path_values[0],
	    .status = param_one(ctx, request, "status", is_status),
	    .table = param_one(ctx, request, "table", text_is_name),
	    .limit = param_limit(ctx, request),
	};
	if (cursor_read(ctx, request, place, LENGTH_OF(place), &filter->after_id)) {
		filter->after_wave = place[0];
		filter->after_ordinal = place[1];
	}
	return !ctx_failed(ctx);
}

/* GET /v1/runs/{id}/steps: in order of execution. */
bool
steps_list(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	json_t *items = json_new_array(ctx);
	struct step_filter filter, next = {0};
	const char *id, *cursor = NULL;
	struct pg *db;
	bool more;

	if (!read_filter(ctx, request, &filter) || !access_run(ctx, app, request, SCOPE_RUNS_READ, &id) ||
	    !pool_take(ctx, app->control, &db) || !step_list(ctx, db, &filter, items, &more, &next))
		return false;
	if (more)
		cursor = cursor_make(ctx, request, (int64_t[]){next.after_wave, next.after_ordinal}, 2, next.after_id);
	return reply_page(ctx, reply, items, cursor);
}
