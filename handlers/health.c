#include "base/fail.h"
#include "handlers/routes.h"

static const double LAG_LIMIT_S = 15;

/* GET /healthz: this process answers. It never asks a database, or one that is away would restart every replica. */
bool
health_live(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	(void)ctx;
	(void)app;
	(void)request;
	return reply_text(reply, 200, "application/json", "{\"status\":\"alive\"}");
}

/* GET /readyz: clients may be sent here. */
bool
health_ready(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	(void)request;
	if (atomic_load(&app->draining))
		return fail(ctx, FAIL_DRAINING, "this replica is shutting down");
	if (board_lag_seconds(app->board) > LAG_LIMIT_S)
		return fail(ctx, FAIL_DATABASE_UNREACHABLE, "the control database has not answered for %.0f s",
		    board_lag_seconds(app->board));
	return reply_text(reply, 200, "application/json", "{\"status\":\"ready\"}");
}
