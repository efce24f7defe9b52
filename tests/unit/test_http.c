/* Requests read and replies written as plain data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours: base/fail.h */

#include "base/bug.h"
#include "base/fail.h"
#include "handlers/http.h"

static int
start(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
stop(void **state)
{
	ctx_free(*state);
	return 0;
}

static json_t *
problem_of(struct ctx *ctx, struct reply *reply)
{
	struct request request = {.path = "/v1/runs"};
	json_t *problem;

	reply_problem(ctx, &request, reply);
	fail_clear(ctx);
	assert_true(json_parse(ctx, reply->body, reply->length, &problem));
	assert_int_equal(json_int_or(problem, "status", 0), reply->status);
	return problem;
}

static void
problems_name_every_wrong_field(void **state)
{
	struct ctx *ctx = *state;
	struct reply reply = {0};
	json_t *problem, *errors;

	(void)fail_field(ctx, "/from", "must be a date");
	(void)fail_field(ctx, "/tables/0", "there is no table \"x\xff\"");
	problem = problem_of(ctx, &reply);
	errors = json_object_get(problem, "errors");
	assert_int_equal(reply.status, 422);
	assert_string_equal(json_string_or(problem, "code", ""), "invalid_request");
	assert_string_equal(json_string_or(problem, "instance", ""), "/v1/runs");
	assert_int_equal(json_array_size(errors), 2);
	assert_string_equal(json_string_or(json_array_get(errors, 0), "pointer", ""), "/from");
	assert_string_equal(json_string_or(json_array_get(errors, 1), "detail", ""), "there is no table \"x?\"");
}

static void
problems_tell_no_insides(void **state)
{
	static const enum fail_code inner[] = {FAIL_INTERNAL, FAIL_SQL_ERROR, FAIL_DATABASE_UNREACHABLE, FAIL_IO};
	struct ctx *ctx = *state;

	for (size_t i = 0; i < LENGTH_OF(inner); i++) {
		struct reply reply = {0};

		(void)fail(ctx, inner[i], "db.internal:5432: SELECT secret");
		assert_null(strstr(json_string_or(problem_of(ctx, &reply), "detail", ""), "secret"));
	}
}

static void
problems_keep_what_the_dispatcher_knew(void **state)
{
	struct ctx *ctx = *state;
	struct reply reply = {.allow = "GET", .route = "/x", .etag = "\"1\"", .kind = REPLY_WAIT, .location = "/y"};

	(void)fail(ctx, FAIL_UNAUTHORIZED, "no");
	reply_problem(ctx, NULL, &reply);
	assert_string_equal(reply.allow, "GET");
	assert_string_equal(reply.route, "/x");
	assert_true(reply.authenticate);
	assert_null(reply.etag);
	assert_null(reply.location);
	assert_int_equal(reply.kind, REPLY_BODY);
}

static struct request
with_header(struct http_pair *header, const char *name, const char *value)
{
	*header = (struct http_pair){name, value};
	return (struct request){.headers = header, .header_count = 1, .body = "{}", .body_length = 2};
}

static void
accept_headers(void **state)
{
	static const struct {
		const char *accept;
		bool accepts, asks;
	} cases[] = {
	    {"application/json", true, true},
	    {"APPLICATION/JSON", true, true},
	    {"application/json; charset=utf-8", true, true},
	    {"application/*", true, false},
	    {"*/*", true, false},
	    {"text/html, application/json;q=0.5", true, true},
	    {"text/html,*/*;q=0.1", true, false},
	    {"application/json;q=0", false, false},
	    {"application/json; q=0.000, */*", false, false},
	    {"application/json;q=0.001", true, true},
	    {"application/jsonx", false, false},
	    {"text/*", false, false},
	    {"", false, false},
	    {",,;", false, false},
	};
	struct http_pair header;
	struct request none = {0};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct request request = with_header(&header, "accept", cases[i].accept);

		if (request_accepts(&request, "application/json") != cases[i].accepts)
			print_error("%s\n", cases[i].accept);
		assert_int_equal(request_accepts(&request, "application/json"), cases[i].accepts);
		assert_int_equal(request_asks_for(&request, "application/json"), cases[i].asks);
	}
	assert_true(request_accepts(&none, "application/json"));
	assert_false(request_asks_for(&none, "application/json"));
}

static void
etags(void **state)
{
	static const struct {
		const char *sent;
		bool has;
	} cases[] = {
	    {"\"a\"", true},
	    {"W/\"a\"", true},
	    {"\"b\", \"a\"", true},
	    {"*", true},
	    {"\"b\"", false},
	    {"a", false},
	    {"", false},
	    {"\"a", false},
	};
	struct http_pair header;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct request request = with_header(&header, "if-none-match", cases[i].sent);

		assert_int_equal(request_has_etag(&request, "\"a\""), cases[i].has);
	}
}

static void
bodies(void **state)
{
	static const char *const right[] = {"application/json", "Application/JSON; charset=utf-8"};
	static const char *const wrong[] = {"text/plain", "application/jsonp", "application/*", "*/*", ""};
	struct ctx *ctx = *state;
	struct http_pair header;
	struct request request;
	json_t *body;

	for (size_t i = 0; i < LENGTH_OF(right); i++) {
		request = with_header(&header, "Content-Type", right[i]);
		assert_true(request_json(ctx, &request, &body));
	}
	for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
		request = with_header(&header, "Content-Type", wrong[i]);
		assert_false(request_json(ctx, &request, &body));
		assert_int_equal(ctx_failure(ctx)->code, FAIL_UNSUPPORTED_MEDIA_TYPE);
		fail_clear(ctx);
	}
	request = with_header(&header, "Content-Type", "application/json");
	request.body = "{\"a\":1,\"a\":2}";
	request.body_length = strlen(request.body);
	assert_false(request_json(ctx, &request, &body));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_MALFORMED_JSON);
}

static void
idempotency_keys(void **state)
{
	static const struct {
		const char *sent, *key; /* key NULL: refused */
	} cases[] = {
	    {"abc", "abc"},
	    {"\"abc\"", "abc"},
	    {"\"", "\""},
	    {"\"\"", NULL},
	    {"", NULL},
	    {"a b", NULL},
	    {"a\xc3\xa9", NULL},
	};
	struct ctx *ctx = *state;
	struct request none = {0};
	struct http_pair header;
	const char *key;
	char longest[258];

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct request request = with_header(&header, "Idempotency-Key", cases[i].sent);

		assert_int_equal(request_idempotency_key(ctx, &request, &key), cases[i].key != NULL);
		if (cases[i].key != NULL)
			assert_string_equal(key, cases[i].key);
		fail_clear(ctx);
	}
	memset(longest, 'x', sizeof(longest));
	longest[255] = '\0';
	none = with_header(&header, "Idempotency-Key", longest);
	assert_true(request_idempotency_key(ctx, &none, &key));
	longest[255] = 'x';
	longest[256] = '\0';
	assert_false(request_idempotency_key(ctx, &none, &key));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(problems_name_every_wrong_field, start, stop),
	    cmocka_unit_test_setup_teardown(problems_tell_no_insides, start, stop),
	    cmocka_unit_test_setup_teardown(problems_keep_what_the_dispatcher_knew, start, stop),
	    cmocka_unit_test_setup_teardown(accept_headers, start, stop),
	    cmocka_unit_test_setup_teardown(etags, start, stop),
	    cmocka_unit_test_setup_teardown(bodies, start, stop),
	    cmocka_unit_test_setup_teardown(idempotency_keys, start, stop),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
