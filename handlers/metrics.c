#include "base/metrics.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/version.h"
#include "handlers/routes.h"
#include "sql/quality_store.h"
#include "sql/run_store.h"
#include "sql/step_store.h"

static const int64_t REFRESH_US = 5 * CLOCK_SECOND_US;

/* When the gauges that come from the control database were last asked for; one scrape at a time asks. */
static pthread_mutex_t refresh_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t refreshed_us;

static void
set_when_known(enum metric metric, const struct pg_rows *rows, int row, int column)
{
	const char *value = pg_value(rows, row, column);

	if (value != NULL)
		metrics_set(metric, METRIC_LABELS(pg_value(rows, row, 0)), strtod(value, NULL));
}

static bool
refresh_runs(struct ctx *ctx, struct pg *db)
{
	struct pg_rows rows;

	if (!run_gauges(ctx, db, &rows))
		return false;
	metrics_clear(METRIC_RUN_AGE);
	metrics_clear(METRIC_LAST_SUCCESS);
	for (int i = 0; i < rows.count; i++) {
		set_when_known(METRIC_RUN_AGE, &rows, i, 1);
		set_when_known(METRIC_LAST_SUCCESS, &rows, i, 2);
	}
	return true;
}

static bool
refresh_freshness(struct ctx *ctx, struct pg *db)
{
	struct pg_rows rows;

	if (!quality_freshness(ctx, db, &rows))
		return false;
	metrics_clear(METRIC_TABLE_FRESHNESS);
	for (int i = 0; i < rows.count; i++)
		metrics_set(METRIC_TABLE_FRESHNESS, METRIC_LABELS(pg_value(&rows, i, 0), pg_value(&rows, i, 1)),
		    strtod(pg_value(&rows, i, 2), NULL));
	return true;
}

static bool
refresh_queue(struct ctx *ctx, struct app *app)
{
	struct pg_rows rows;
	struct pg *db;

	if (!pool_take(ctx, app->control, &db) || !refresh_runs(ctx, db) || !refresh_freshness(ctx, db) ||
	    !step_queue_depth(ctx, db, &rows))
		return false;
	metrics_clear(METRIC_QUEUE_DEPTH);
	metrics_clear(METRIC_QUEUE_AGE);
	for (int i = 0; i < rows.count; i++) {
		const char *pipeline = pg_value(&rows, i, 0);
		const char *age = pg_value(&rows, i, 2);

		metrics_set(METRIC_QUEUE_DEPTH, METRIC_LABELS(pipeline), (double)pg_i64(&rows, i, 1));
		metrics_set(METRIC_QUEUE_AGE, METRIC_LABELS(pipeline), age != NULL ? strtod(age, NULL) : 0);
	}
	return true;
}

/* GET /metrics: the page is given even when the control database is away; its gauges then stay as they were. */
bool
metrics_page(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	/* The page tells of every pipeline. */
	if (request->who != NULL && auth_pipelines(ctx, request->who, SCOPE_METRICS_READ) != NULL)
		return fail(ctx, FAIL_FORBIDDEN, "the scope metrics:read must not be of one pipeline");
	if (pthread_mutex_trylock(&refresh_lock) == 0) {
		int64_t now_us = clock_monotonic_us();

		if (refreshed_us == 0 || now_us - refreshed_us >= REFRESH_US) {
			struct ctx *asking = ctx_new("metrics", 0);

			(void)refresh_queue(asking, app);
			ctx_free(asking);
			refreshed_us = now_us;
		}
		pthread_mutex_unlock(&refresh_lock);
	}
	metrics_set(METRIC_BUILD_INFO, METRIC_LABELS(loadstar_version()), 1);
	return reply_text(reply, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_render(ctx));
}
