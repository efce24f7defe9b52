#include "base/fail.h"
#include "base/text.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/audit_store.h"

/* The one pipeline asked for, or all that the token administers; NULL: everything, what concerns no pipeline too. */
static bool
read_pipelines(struct ctx *ctx, const struct request *request, const char *const **pipelines)
{
	const char *asked = param_one(ctx, request, "pipeline", text_is_name);
	const char **one;

	*pipelines = auth_pipelines(ctx, request->who, SCOPE_ADMIN);
	if (asked == NULL || ctx_failed(ctx))
		return !ctx_failed(ctx);
	one = ctx_alloc_array(ctx, 2, sizeof(*one));
	one[0] = asked;
	*pipelines = one;
	return access_pipeline(ctx, request, SCOPE_ADMIN, asked);
}

/* The chain is one for all pipelines, so it is for those who administer all. */
static bool
add_chain(struct ctx *ctx, const struct request *request, struct pg *db, json_t *page)
{
	json_t *chain;

	if (auth_pipelines(ctx, request->who, SCOPE_ADMIN) != NULL)
		return fail(ctx, FAIL_FORBIDDEN, "?verify asks for the scope admin of every pipeline");
	if (!audit_verify(ctx, db, &chain))
		return false;
	json_put(page, "chain", chain);
	return true;
}

/* GET /v1/audit: who did what, newest first. */
bool
audit_page(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	struct audit_filter filter = {
	    .subject = request_query(request, "subject"),
	    .action = request_query(request, "action"),
	    .since_us = param_time_us(ctx, request, "since"),
	    .limit = param_limit(ctx, request),
	};
	json_t *page = json_new_object(ctx), *items = json_new_array(ctx);
	bool verify = param_flag(ctx, request, "verify");
	int64_t next = 0;
	struct pg *db;

	(void)cursor_read(ctx, request, &filter.before_id, 1, NULL);
	if (!read_pipelines(ctx, request, &filter.pipelines) || !pool_take(ctx, app->control, &db) ||
	    !audit_list(ctx, db, &filter, items, &next))
		return false;
	json_put(page, "items", items);
	json_put_string(ctx, page, "next_cursor", next != 0 ? cursor_make(ctx, request, &next, 1, NULL) : NULL);
	return (!verify || add_chain(ctx, request, db, page)) && reply_json(ctx, reply, 200, page);
}
