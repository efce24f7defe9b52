#include "handlers/routes.h"

#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/rate.h"
#include "handlers/uri.h"

const struct route routes[] = {
#define ROUTE(method_, path_, scope_, query_, produces_, source_, handler_, operation_) \
	{.method = HTTP_##method_, \
	    .path = path_, \
	    .scope = SCOPE_##scope_, \
	    .query = query_, \
	    .produces = produces_, \
	    .source = FROM_##source_, \
	    .handler = handler_, \
	    .operation = operation_},
#include "handlers/routes.def"
#undef ROUTE
};
const size_t routes_count = LENGTH_OF(routes);

/* Walks template and path side by side; values hold the raw {…} segments. */
static bool
path_fits(const char *template, const char *path, struct http_pair values[HTTP_MAX_PATH_VALUES])
{
	size_t count = 0;

	while (*template == '/' && *path == '/') {
		size_t expected = strcspn(++template, "/"), length = strcspn(++path, "/");

		if (*template == '{') {
			if (length == 0)
				return false;
			ASSERT(count < HTTP_MAX_PATH_VALUES);
			values[count++] = (struct http_pair){path, path + length};
		} else if (expected != length || strncmp(template, path, length) != 0) {
			return false;
		}
		template += expected;
		path += length;
	}
	return *template == '\0' && *path == '\0';
}

static bool
decode_values(struct ctx *ctx, const struct http_pair *raw, struct request *request)
{
	for (size_t i = 0; i < HTTP_MAX_PATH_VALUES && raw[i].name != NULL; i++) {
		char *value;

		if (!uri_decode(ctx, raw[i].name, (size_t)(raw[i].value - raw[i].name), &value))
			return false;
		request->path_values[i] = value;
	}
	return true;
}

const struct route *
routes_match(struct ctx *ctx, enum http_method method, const char *path, struct request *request, const char **allow)
{
	enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;
	bool known[HTTP_METHOD_COUNT] = {false};
	bool any = false;

	*allow = NULL;
	for (size_t i = 0; i < routes_count; i++) {
		struct http_pair raw[HTTP_MAX_PATH_VALUES] = {{NULL, NULL}};

		if (!path_fits(routes[i].path, path, raw))
			continue;
		if (routes[i].method == wanted)
			return request == NULL || decode_values(ctx, raw, request) ? &routes[i] : NULL;
		known[routes[i].method] = true;
		any = true;
	}
	if (any)
		*allow = ctx_printf(ctx, "%s%sOPTIONS", known[HTTP_GET] ? "GET, HEAD, " : "",
		    known[HTTP_POST] ? "POST, " : "");
	return NULL;
}

/* The methods of a path for OPTIONS, as routes_match lists them for a method it does not have. */
static bool
answer_options(struct ctx *ctx, const struct request *request, struct reply *reply)
{
	if (strcmp(request->path, "*") == 0)
		reply->allow = "GET, HEAD, POST, OPTIONS";
	else
		(void)routes_match(ctx, HTTP_OPTIONS, request->path, NULL, &reply->allow);
	if (reply->allow == NULL)
		return fail(ctx, FAIL_NOT_FOUND, "there is no such path");
	return reply_text(reply, 204, NULL, "");
}

/* True when one of the words, separated by spaces, is s. */
static bool
has_word(const char *words, const char *s)
{
	size_t want = strlen(s);

	while (*words != '\0') {
		size_t length = strcspn(words, " ");

		if (length == want && strncmp(words, s, length) == 0)
			return true;
		words += length;
		words += strspn(words, " ");
	}
	return false;
}

static bool
check_query(struct ctx *ctx, const struct route *route, const struct request *request)
{
	for (size_t i = 0; i < request->query_count; i++) {
		const char *name = request->query[i].name;
		const char *pointer = ctx_printf(ctx, "?%s", name);

		if (!has_word(route->query, name) && !has_word(route->query, "*"))
			(void)fail_field(ctx, pointer, "is not a parameter of this path");
		else if (request_query(request, name) != request->query[i].value)
			(void)fail_field(ctx, pointer, "is given twice");
	}
	return !ctx_failed(ctx);
}

static bool
check_accept(struct ctx *ctx, const struct route *route, const struct request *request)
{
	const char *s = route->produces;

	if (*s == '\0')
		return true;
	while (*s != '\0') {
		size_t length = strcspn(s, " ");

		if (request_accepts(request, ctx_strndup(ctx, s, length)))
			return true;
		s += length;
		s += strspn(s, " ");
	}
	return fail(ctx, FAIL_NOT_ACCEPTABLE, "this path gives %s", route->produces);
}

static bool
take_write(struct ctx *ctx, const struct app *app, const struct principal *who, struct reply *reply)
{
	if (app->rates == NULL)
		return true;
	reply->retry_after_s = rates_take(app->rates, who->subject, clock_monotonic_us());
	return reply->retry_after_s == 0 || fail(ctx, FAIL_RATE_LIMITED, "%s may write %lld times a second",
						who->subject, (long long)app->config->write_rate);
}

/* Who sends the request; at once only when the token was verified before. */
static bool
know(struct ctx *ctx, const struct app *app, const struct request *request, struct principal **who)
{
	const char *authorization = request_header(request, "Authorization");

	return request->at_once ? auth_recall(ctx, app->auth, authorization, who)
				: auth_verify(ctx, app->auth, authorization, who);
}

/* Who asks, and whether the scope is held for any pipeline at all; handlers narrow it to the one concerned. */
static bool
admit(struct ctx *ctx, const struct app *app, const struct route *route, struct request *request, struct reply *reply)
{
	struct principal *who;
	struct ctx_tags tags;

	if (route->scope == SCOPE_PUBLIC || (route->scope == SCOPE_METRICS_READ && !app->config->metrics_auth))
		return true;
	if (!know(ctx, app, request, &who))
		return false;
	request->who = who;
	tags = *ctx_get_tags(ctx);
	tags.subject = who->subject;
	ctx_set_tags(ctx, &tags);
	return auth_may(ctx, who, (enum scope)route->scope, NULL) &&
	       (request->method != HTTP_POST || take_write(ctx, app, who, reply));
}

static bool
serve(struct ctx *ctx, struct app *app, const struct route *route, struct request *request, struct reply *reply)
{
	reply->route = route->path;
	return admit(ctx, app, route, request, reply) && check_query(ctx, route, request) &&
	       check_accept(ctx, route, request) && route->handler(ctx, app, request, reply) && !ctx_failed(ctx);
}

static bool
answer(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply)
{
	const struct route *route;

	if (request->method == HTTP_OPTIONS)
		return answer_options(ctx, request, reply);
	route = routes_match(ctx, request->method, request->path, request, &reply->allow);
	if (route == NULL && reply->allow != NULL)
		return fail(ctx, FAIL_METHOD_NOT_ALLOWED, "this path knows %s", reply->allow);
	if (route == NULL)
		return fail(ctx, FAIL_NOT_FOUND, "there is no such path");
	return serve(ctx, app, route, request, reply);
}

bool
routes_answer_at_once(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply)
{
	const struct route *route = routes_match(ctx, request->method, request->path, request, &reply->allow);

	*reply = (struct reply){.kind = REPLY_BODY};
	request->at_once = true;
	return route != NULL && route->source == FROM_MEMORY && serve(ctx, app, route, request, reply);
}

void
routes_answer(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply)
{
	*reply = (struct reply){.kind = REPLY_BODY, .route = "none"};
	request->at_once = false;
	if (!answer(ctx, app, request, reply))
		reply_problem(ctx, request, reply);
}
