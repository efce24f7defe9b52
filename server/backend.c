#include "handlers/routes.h"
#include "server/http.h"
#include "sql/run_store.h"

static const struct board_page *
backend_page(struct ctx *ctx, struct app *app, const char *run_id)
{
	return board_take(ctx, app->board, run_id);
}

/* Whether the run is finished is asked before its lines are: what is read then is all there will be. */
static bool
is_final(struct ctx *ctx, struct app *app, struct pg *db, const char *run_id, bool *final)
{
	const struct board_page *page = board_take(ctx, app->board, run_id);
	struct run run;
	bool found;

	if (page != NULL) {
		*final = page->final;
		return true;
	}
	if (!run_find(ctx, db, run_id, &run, &found))
		return false;
	*final = !found || run_status_is_final(run.status);
	return true;
}

static bool
backend_lines(struct ctx *ctx, struct app *app, const struct log_filter *filter, struct log_lines *lines, bool *final)
{
	struct pg *db;

	return pool_take(ctx, app->control, &db) && is_final(ctx, app, db, filter->run_id, final) &&
	       log_page(ctx, db, filter, lines);
}

const struct http_backend http_backend = {
    .answer = routes_answer,
    .answer_at_once = routes_answer_at_once,
    .page = backend_page,
    .lines = backend_lines,
};
