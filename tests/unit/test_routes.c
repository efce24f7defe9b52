/* What the dispatcher decides before a handler is called, and handlers that ask nothing but the request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours: base/fail.h */

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/routes.h"
#include "handlers/uri.h"

#define SECRET "0123456789abcdef0123456789abcdef"

struct fixture {
	struct ctx *ctx;
	struct config config;
	struct app app;
};

static int
start(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct fixture *f = ctx_alloc(ctx, sizeof(*f));

	f->ctx = ctx;
	f->config = (struct config){.auth = "jwt", .jwt_secret = secret_make(ctx, SECRET)};
	f->app.config = &f->config;
	*state = f;
	return auth_new(ctx, &f->config, &f->app.auth) ? 0 : -1;
}

static int
stop(void **state)
{
	ctx_free(((struct fixture *)*state)->ctx);
	return 0;
}

/* "GET /path?a=b&c=d" with scopes (NULL: no token) and an Accept header (NULL: none). */
static struct reply
ask(struct fixture *f, const char *line, const char *scopes, const char *accept)
{
	struct ctx *ctx = f->ctx;
	struct http_pair headers[4], query[8];
	struct request request = {.headers = headers, .query = query, .body = ""};
	const char *space = strchr(line, ' '), *mark = strchr(line, '?');
	struct reply reply;
	char *token;

	fail_clear(ctx);
	assert_true(http_method_find(ctx_strndup(ctx, line, (size_t)(space - line)), &request.method));
	request.path = mark == NULL ? space + 1 : ctx_strndup(ctx, space + 1, (size_t)(mark - space - 1));
	while (mark != NULL && *mark != '\0') {
		size_t name = strcspn(++mark, "="), value = strcspn(mark + name + 1, "&");

		query[request.query_count++] =
		    (struct http_pair){ctx_strndup(ctx, mark, name), ctx_strndup(ctx, mark + name + 1, value)};
		mark += name + 1 + value;
	}
	if (scopes != NULL) {
		assert_true(auth_issue(ctx, &f->config.jwt_secret, "dana", scopes, 60, NULL, NULL, &token));
		headers[request.header_count++] =
		    (struct http_pair){"Authorization", ctx_printf(ctx, "Bearer %s", token)};
	}
	if (accept != NULL)
		headers[request.header_count++] = (struct http_pair){"accept", accept};
	routes_answer(ctx, &f->app, &request, &reply);
	return reply;
}

#define ID "019a2f10-7c00-7abc-8def-0123456789ab"

static void
refusals(void **state)
{
	static const struct {
		const char *line, *scopes, *accept;
		int status;
		const char *says;
	} cases[] = {
	    {"GET /", NULL, NULL, 404, "not_found"},
	    {"GET /v1/runs/", "admin", NULL, 404, "not_found"},
	    {"GET /v1//runs", "admin", NULL, 404, "not_found"},
	    {"GET /v1/runs/" ID "/steps/x", "admin", NULL, 404, "not_found"},
	    {"GET /v1/runs/%ff", "admin", NULL, 400, "bad_request"},
	    {"GET /v1/runs/not-an-id", "admin", NULL, 404, "not_found"},
	    {"POST /healthz", NULL, NULL, 405, "method_not_allowed"},
	    {"POST /v1/runs/" ID, "admin", NULL, 405, "method_not_allowed"},
	    {"GET /v1/runs/" ID "/cancel", "admin", NULL, 405, "method_not_allowed"},
	    {"GET /v1/runs", NULL, NULL, 401, "unauthorized"},
	    {"POST /v1/runs", "runs:read", NULL, 403, "runs:write"},
	    {"GET /v1/runs?frm=x", "admin", NULL, 422, "\"?frm\""},
	    {"GET /v1/runs?limit=1&limit=2", "admin", NULL, 422, "is given twice"},
	    {"GET /v1/runs", "admin", "text/html", 406, "not_acceptable"},
	    {"GET /v1/runs", "admin", "application/json;q=0", 406, "not_acceptable"},
	    {"GET /v1/runs", "admin", "application/json;q=0, */*", 406, "not_acceptable"},
	    {"GET /v1/runs?limit=0", "admin", NULL, 422, "\"?limit\""},
	    {"GET /v1/runs?limit=1001", "admin", NULL, 422, "\"?limit\""},
	    {"GET /v1/runs?limit=1e2", "admin", NULL, 422, "\"?limit\""},
	    {"GET /v1/runs?status=queued,done", "admin", NULL, 422, "done"},
	    {"GET /v1/runs?type=", "admin", NULL, 422, "\"?type\""},
	    {"GET /v1/runs?since=yesterday", "admin", NULL, 422, "\"?since\""},
	    {"GET /v1/runs?label=nocolon", "admin", NULL, 422, "\"?label\""},
	    {"GET /v1/runs?cursor=%20", "admin", NULL, 422, "\"?cursor\""},
	    {"GET /v1/runs?cursor=MTIzfHg", "admin", NULL, 422, "\"?cursor\""},
	    {"GET /v1/runs/" ID "?wait=56s", "admin", NULL, 422, "\"?wait\""},
	    {"GET /v1/runs/" ID "/logs?after=-1", "admin", NULL, 422, "\"?after\""},
	    {"GET /v1/runs/" ID "/logs?level=loud", "admin", NULL, 422, "\"?level\""},
	    {"GET /v1/runs/" ID "/steps?status=done", "admin", NULL, 422, "\"?status\""},
	    {"POST /v1/runs", "admin", NULL, 415, "unsupported_media_type"},
	    {"GET /v1/pipelines/Nope", "admin", NULL, 404, "not_found"},
	    {"GET /v1/pipelines/other", "runs:read:med", NULL, 404, "not_found"},
	    {"GET /v1/pipelines/med/views/v", "runs:read", NULL, 403, "data:read"},
	    {"GET /v1/pipelines/other/views/v", "data:read:med", NULL, 404, "not_found"},
	    {"GET /v1/pipelines/Nope/views/v", "data:read", "text/csv", 404, "not_found"},
	    {"GET /v1/pipelines/med/views/v?limit=1001", "data:read", NULL, 422, "\"?limit\""},
	    {"GET /v1/pipelines/med/views/v?cursor=x", "data:read", NULL, 422, "\"?cursor\""},
	    {"GET /v1/pipelines/med/views/v", "data:read", "text/html", 406, "not_acceptable"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct reply reply = ask(f, cases[i].line, cases[i].scopes, cases[i].accept);

		if (reply.status != cases[i].status || strstr(reply.body, cases[i].says) == NULL)
			print_error("%s: %d %s\n", cases[i].line, reply.status, reply.body);
		assert_int_equal(reply.status, cases[i].status);
		assert_string_equal(reply.content_type, "application/problem+json");
		assert_non_null(strstr(reply.body, cases[i].says));
	}
}

static void
all_wrong_parameters_are_named(void **state)
{
	struct reply reply = ask(*state, "GET /v1/runs?limit=x&since=y&label=z", "admin", NULL);

	assert_non_null(strstr(reply.body, "\"?limit\""));
	assert_non_null(strstr(reply.body, "\"?since\""));
	assert_non_null(strstr(reply.body, "\"?label\""));
}

static void
methods_of_a_path(void **state)
{
	struct fixture *f = *state;
	struct reply reply = ask(f, "OPTIONS /v1/runs", NULL, NULL);

	assert_int_equal(reply.status, 204);
	assert_string_equal(reply.allow, "GET, HEAD, POST, OPTIONS");
	assert_string_equal(ask(f, "POST /healthz", NULL, NULL).allow, "GET, HEAD, OPTIONS");
	assert_string_equal(ask(f, "GET /v1/runs/x/cancel", NULL, NULL).allow, "POST, OPTIONS");
	assert_int_equal(ask(f, "OPTIONS /nowhere", NULL, NULL).status, 404);
	assert_int_equal(ask(f, "OPTIONS *", NULL, NULL).status, 204);
}

static void
public_paths_need_no_token(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "GET /healthz", NULL, "application/vnd.probe").status, 200);
	assert_int_equal(ask(f, "HEAD /healthz", NULL, NULL).status, 200);
	assert_string_equal(ask(f, "GET /healthz", NULL, NULL).route, "/healthz");
	atomic_store(&f->app.draining, true);
	assert_int_equal(ask(f, "GET /healthz", NULL, NULL).status, 200);
	assert_int_equal(ask(f, "GET /readyz", NULL, NULL).status, 503);
	assert_true(ask(f, "GET /readyz", NULL, NULL).retry_after_s > 0);
	assert_int_equal(ask(f, "POST /v1/runs", "admin", NULL).status, 503);
}

/* Metrics have the template as their label, never the path: labels must stay few. */
static void
routes_are_templates(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(ask(f, "GET /v1/runs/not-an-id", "admin", NULL).route, "/v1/runs/{id}");
	assert_string_equal(ask(f, "GET /what/ever", "admin", NULL).route, "none");
	assert_true(ask(f, "GET /v1/runs", NULL, NULL).authenticate);
}

static void
path_values_are_decoded(void **state)
{
	struct fixture *f = *state;
	struct request request = {.method = HTTP_GET};
	const char *allow;
	const struct route *route = routes_match(f->ctx, HTTP_GET, "/v1/pipelines/m%65d%20x", &request, &allow);

	assert_string_equal(route->operation, "getPipeline");
	assert_string_equal(request.path_values[0], "med x");
}

static void
every_row_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < routes_count; i++) {
		assert_true(routes[i].path[0] == '/');
		assert_true(routes[i].scope <= SCOPE_PUBLIC);
		assert_non_null(routes[i].handler);
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(routes[i].operation, routes[k].operation);
			assert_false(
			    routes[i].method == routes[k].method && text_equal(routes[i].path, routes[k].path));
		}
	}
}

static void
sane_paths(void **state)
{
	static const char *const sane[] = {"/", "/v1/runs", "/a/b%20c", "/...", "/a/..b", "/%41"};
	static const char *const insane[] = {"/\xc3\xa9", "/a b", "/a\x7f", "", "x", "*", "http://h/x", "/a%00", "/%2F",
	    "/a/%2fb", "/..", "/a/../b", "/./b", "/%2e%2e/x", "/.%2E"};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(sane); i++)
		assert_true(uri_path_is_sane(sane[i]));
	for (size_t i = 0; i < LENGTH_OF(insane); i++)
		assert_false(uri_path_is_sane(insane[i]));
}

static void
strict_decoding(void **state)
{
	static const char *const wrong[] = {"%", "%4", "%zz", "%00", "%0a", "%7f", "%ff", "%c0%af", "%ed%a0%80",
	    "a%g1"};
	struct fixture *f = *state;
	char *decoded;

	for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
		assert_false(uri_decode(f->ctx, wrong[i], strlen(wrong[i]), &decoded));
		fail_clear(f->ctx);
	}
	assert_true(uri_decode(f->ctx, "a%20%c3%a9+rest", 10, &decoded));
	assert_string_equal(decoded, "a \xc3\xa9");
	assert_true(uri_decode(f->ctx, "", 0, &decoded));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(refusals, start, stop),
	    cmocka_unit_test_setup_teardown(all_wrong_parameters_are_named, start, stop),
	    cmocka_unit_test_setup_teardown(methods_of_a_path, start, stop),
	    cmocka_unit_test_setup_teardown(public_paths_need_no_token, start, stop),
	    cmocka_unit_test_setup_teardown(routes_are_templates, start, stop),
	    cmocka_unit_test_setup_teardown(path_values_are_decoded, start, stop),
	    cmocka_unit_test_setup_teardown(every_row_is_whole, start, stop),
	    cmocka_unit_test_setup_teardown(sane_paths, start, stop),
	    cmocka_unit_test_setup_teardown(strict_decoding, start, stop),
	};

	return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
