/* coverage: what of a table is loaded, asked of the ledger and of the steps. */
#include "etl/coverage.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/warehouse.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/pipeline_store.h"

/* A date alone is midnight in the pipeline's time zone, of which only UTC's is known here; as for runs. */
static void
check_zone(struct ctx *ctx, const struct request *request, const struct spec *spec, const char *name)
{
	const char *text = request_query(request, name);
	bool utc = text_equal(spec->timezone, "UTC") || text_equal(spec->timezone, "Etc/UTC");

	if (text != NULL && !utc && clock_is_date(text))
		(void)fail_field(ctx, ctx_printf(ctx, "?%s", name),
		    "the pipeline's time zone is %s: write the time with its offset", spec->timezone);
}

static bool
read_question(struct ctx *ctx, const struct request *request, const struct spec *spec,
    struct coverage_question *question)
{
	const char *table = param_one(ctx, request, "table", text_is_name);

	*question = (struct coverage_question){.spec = spec,
	    .table = table != NULL ? spec_find_table(spec, table) : NULL,
	    .from_us = param_time_us(ctx, request, "from"),
	    .to_us = param_time_us(ctx, request, "to")};
	if (table == NULL && request_query(request, "table") == NULL)
		(void)fail_field(ctx, "?table", "is required: coverage is of one table");
	else if (table != NULL && question->table == NULL)
		(void)fail_field(ctx, "?table", "the pipeline declares no table of this name");
	check_zone(ctx, request, spec, "from");
	check_zone(ctx, request, spec, "to");
	if (question->from_us != 0 && question->to_us != 0 && question->from_us >= question->to_us)
		(void)fail_field(ctx, "?to", "must be later than from");
	return !ctx_failed(ctx);
}

static bool
ask(struct ctx *ctx, struct app *app, const struct coverage_question *question, json_t **answer)
{
	CTX_SCOPE(tmp, ctx);
	struct coverage_question whole = *question;
	struct pg *warehouse, *control;

	whole.config = app->config;
	return warehouse_open_reader(tmp, app->config, question->spec, "coverage", &warehouse) &&
	       pool_take(tmp, app->control, &control) &&
	       pipeline_epoch(tmp, control, question->spec->pipeline, &whole.epoch) &&
	       coverage_answer(ctx, &whole, warehouse, control, answer);
}

/* GET /v1/pipelines/{pipeline}/coverage?table= */
bool
coverage_get(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *pipeline = request->path_values[0];
	struct coverage_question question;
	const struct spec *spec;
	json_t *answer;

	if (!text_is_name(pipeline))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (!access_pipeline(ctx, request, SCOPE_RUNS_READ, pipeline) || !access_spec(ctx, app, pipeline, &spec) ||
	    !read_question(ctx, request, spec, &question) || !ask(ctx, app, &question, &answer))
		return false;
	return reply_json(ctx, reply, 200, answer);
}
