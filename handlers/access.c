#include "handlers/access.h"

#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "handlers/params.h"

static bool
no_run(struct ctx *ctx)
{
	return fail(ctx, FAIL_NOT_FOUND, "there is no such run");
}

/* The session goes back at once: a handler that takes another must not hold two. */
static bool
load_page(struct ctx *ctx, struct app *app, const char *id, const struct board_page **page)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *db;
	bool found;

	if (!pool_take(tmp, app->control, &db) || !board_load(ctx, app->board, db, id, page, &found))
		return false;
	return found || no_run(ctx);
}

bool
access_run_page(struct ctx *ctx, struct app *app, const struct request *request, enum scope scope,
    const struct board_page **page)
{
	const char *id = request->path_values[0];

	if (!uuid_is_valid(id))
		return no_run(ctx);
	*page = board_take(ctx, app->board, id);
	if (*page == NULL && (request->at_once || !load_page(ctx, app, id, page)))
		return false;
	if (auth_may(ctx, request->who, scope, (*page)->pipeline))
		return true;
	fail_clear(ctx);
	return no_run(ctx);
}

bool
access_run(struct ctx *ctx, struct app *app, const struct request *request, enum scope scope, const char **id)
{
	const struct board_page *page;

	if (!access_run_page(ctx, app, request, scope, &page))
		return false;
	*id = request->path_values[0];
	return true;
}

bool
access_pipeline(struct ctx *ctx, const struct request *request, enum scope scope, const char *pipeline)
{
	if (auth_may(ctx, request->who, scope, pipeline))
		return true;
	fail_clear(ctx);
	return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
}

const char *const *
access_pipelines(struct ctx *ctx, const struct request *request, enum scope scope)
{
	const char *const *asked = param_list(ctx, request, "pipeline", text_is_name);
	const char *const *reached = auth_pipelines(ctx, request->who, scope);
	const char **both;
	size_t count = 0;

	if (asked == NULL || reached == NULL)
		return asked != NULL ? asked : reached;
	for (size_t i = 0; asked[i] != NULL; i++)
		count++;
	both = ctx_alloc_array(ctx, count + 1, sizeof(*both));
	count = 0;
	for (size_t i = 0; asked[i] != NULL; i++)
		for (size_t k = 0; reached[k] != NULL; k++)
			if (text_equal(asked[i], reached[k]))
				both[count++] = asked[i];
	return both;
}

bool
access_spec(struct ctx *ctx, struct app *app, const char *pipeline, const struct spec **spec)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *db;

	return pool_take(tmp, app->control, &db) && catalog_find(ctx, app->catalog, db, pipeline, NULL, spec);
}

bool
access_reaches(const char *const *reached, const char *pipeline)
{
	if (reached == NULL)
		return true;
	for (; *reached != NULL; reached++)
		if (text_equal(*reached, pipeline))
			return true;
	return false;
}
