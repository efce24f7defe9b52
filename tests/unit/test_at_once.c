/* What is answered at once is what a handler would have answered, and it asks no database: here it has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours: base/fail.h */

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/routes.h"
#include "tests/support/stores.h"

#define SECRET "0123456789abcdef0123456789abcdef"

enum { PATIENCE_MS = 15000 };

struct fixture {
	struct ctx *ctx, *lasting; /* lasting: outlives board and pool */
	struct config config;
	struct app app, alone; /* alone: the same service without a control database */
	const char *names[3], *values[3];
};

/* $R and $F in it stand for a running and for a finished run, $E for the ETag of the finished one. */
struct question {
	const char *line;
	const char *scopes;        /* NULL: no token */
	const char *header, *text; /* NULL: none */
	bool at_once;
	int status; /* 0: it waits */
};

static const char *
filled(const struct fixture *f, const char *s)
{
	struct text all;

	text_init(&all, f->ctx);
	for (; *s != '\0'; s++) {
		const char *value = NULL;

		for (size_t i = 0; s[0] == '$' && i < LENGTH_OF(f->names); i++)
			value = s[1] == *f->names[i] ? f->values[i] : value;
		if (value != NULL)
			text_add(&all, value);
		else
			text_add_bytes(&all, s, 1);
		s += value != NULL;
	}
	return all.data;
}

static void
read_query(struct ctx *ctx, const char *mark, struct request *request)
{
	while (mark != NULL && *mark != '\0') {
		size_t name = strcspn(++mark, "="), value = strcspn(mark + name + 1, "&");

		request->query[request->query_count++] =
		    (struct http_pair){ctx_strndup(ctx, mark, name), ctx_strndup(ctx, mark + name + 1, value)};
		mark += name + 1 + value;
	}
}

static struct request
make(const struct fixture *f, const struct question *question)
{
	struct request request = {.body = "",
	    .headers = ctx_alloc_array(f->ctx, 2, sizeof(struct http_pair)),
	    .query = ctx_alloc_array(f->ctx, 4, sizeof(struct http_pair))};
	const char *line = filled(f, question->line), *space = strchr(line, ' '), *mark = strchr(line, '?');
	char *token;

	assert_true(http_method_find(ctx_strndup(f->ctx, line, (size_t)(space - line)), &request.method));
	request.path = mark == NULL ? space + 1 : ctx_strndup(f->ctx, space + 1, (size_t)(mark - space - 1));
	read_query(f->ctx, mark, &request);
	if (question->scopes != NULL) {
		assert_true(
		    auth_issue(f->ctx, &f->config.jwt_secret, "dana", question->scopes, 600, NULL, NULL, &token));
		request.headers[request.header_count++] =
		    (struct http_pair){"Authorization", ctx_printf(f->ctx, "Bearer %s", token)};
	}
	if (question->header != NULL)
		request.headers[request.header_count++] =
		    (struct http_pair){question->header, filled(f, question->text)};
	return request;
}

/* The board has both runs: each is asked for once, the usual way. */
static void
fill_board(struct fixture *f)
{
	struct pg *db = stores_open(f->ctx);
	struct run running, finished;
	const struct board_page *page;
	bool found;

	stores_reset(f->ctx, db);
	running = stores_accept(f->ctx, db);
	finished = stores_plan(f->ctx, db, NULL, 0);
	for (int ms = 0; ms < PATIENCE_MS && board_lag_seconds(f->app.board) > 1; ms += 5)
		clock_sleep_ms(5);
	assert_true(board_load(f->ctx, f->app.board, db, running.id, &page, &found) && found);
	assert_true(board_load(f->ctx, f->app.board, db, finished.id, &page, &found) && found && page->final);
	memcpy(f->names, (const char *[]){"R", "F", "E"}, sizeof(f->names));
	memcpy(f->values, (const char *[]){running.id, finished.id, page->etag}, sizeof(f->values));
}

static int
start(void **state)
{
	struct ctx *lasting = ctx_new("lasting", 0);
	struct fixture *f = ctx_alloc(lasting, sizeof(*f));

	f->lasting = lasting;
	f->ctx = ctx_new("test", 0);
	f->config = (struct config){.auth = "jwt", .jwt_secret = secret_make(f->lasting, SECRET)};
	f->app.config = &f->config;
	(void)stores_open(f->ctx);
	f->app.control = pool_new(stores_url(), 4);
	f->app.board = board_start(f->app.control, NULL, NULL);
	*state = f;
	if (!auth_new(f->ctx, &f->config, &f->app.auth))
		return -1;
	fill_board(f);
	f->alone.config = &f->config;
	f->alone.board = f->app.board;
	f->alone.auth = f->app.auth;
	return 0;
}

static int
stop(void **state)
{
	struct fixture *f = *state;

	ctx_free(f->ctx);
	board_stop(f->app.board);
	pool_free(f->app.control);
	ctx_free(f->lasting);
	return 0;
}

static void
assert_same_text(const char *a, const char *b)
{
	assert_true(text_equal(a, b));
}

static void
assert_same(const struct reply *a, const struct reply *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->status, b->status);
	assert_same_text(a->content_type, b->content_type);
	assert_int_equal(a->length, b->length);
	assert_same_text(a->body, b->body);
	assert_same_text(a->etag, b->etag);
	assert_same_text(a->location, b->location);
	assert_same_text(a->allow, b->allow);
	assert_int_equal(a->retry_after_s, b->retry_after_s);
	assert_int_equal(a->authenticate, b->authenticate);
	assert_same_text(a->route, b->route);
	assert_same_text(a->run_id, b->run_id);
	assert_int_equal(a->wait_ms, b->wait_ms);
}

#define READ "runs:read"
#define NONE NULL, NULL

static const struct question questions[] = {
    {"GET /v1/runs/$R", READ, NONE, true, 200},
    {"HEAD /v1/runs/$R", READ, NONE, true, 200},
    {"GET /v1/runs/$F", READ, NONE, true, 200},
    {"GET /v1/runs/$F", "admin", NONE, true, 200},
    {"GET /v1/runs/$F", "runs:read:p", NONE, true, 200},
    {"GET /v1/runs/$F", "data:read runs:read:q runs:read:p", NONE, true, 200},
    {"GET /v1/runs/$F", "runs:read:q", NONE, false, 404},
    {"GET /v1/runs/$F", "runs:write", NONE, false, 403},
    {"GET /v1/runs/$F", NULL, NONE, false, 401},
    {"GET /v1/runs/$F", READ, "If-None-Match", "$E", true, 304},
    {"HEAD /v1/runs/$F", READ, "If-None-Match", "$E", true, 304},
    {"GET /v1/runs/$F", READ, "If-None-Match", "\"x\", W/$E ,\"y\"", true, 304},
    {"GET /v1/runs/$F", READ, "If-None-Match", "*", true, 304},
    {"GET /v1/runs/$F", READ, "If-None-Match", "\"x\", \"y\"", true, 200},
    {"GET /v1/runs/$F", READ, "If-None-Match", "", true, 200},
    {"GET /v1/runs/$F?wait=30s", READ, "If-None-Match", "$E", true, 304},
    {"GET /v1/runs/$R?wait=30s", READ, NONE, true, 200},
    {"GET /v1/runs/$R?wait=30s", READ, "If-None-Match", "*", true, 0},
    {"GET /v1/runs/$R?wait=56s", READ, NONE, false, 422},
    {"GET /v1/runs/$R?wait=0s&wait=0s", READ, NONE, false, 422},
    {"GET /v1/runs/$R?weight=0s", READ, NONE, false, 422},
    {"GET /v1/runs/$R", READ, "Accept", "text/html;q=0.5, application/*", true, 200},
    {"GET /v1/runs/$R", READ, "Accept", "text/html", false, 406},
    {"POST /v1/runs/$R", READ, NONE, false, 405},
    {"OPTIONS /v1/runs/$R", READ, NONE, false, 204},
    {"GET /v1/runs/00000000-0000-7000-8000-000000000000", READ, NONE, false, 404},
    {"GET /v1/runs/$Rx", READ, NONE, false, 404},
    {"GET /v1/runs/%ff", READ, NONE, false, 400},
    {"GET /v1/runs/$R/steps", READ, NONE, false, 200},
    {"GET /v1/runs", READ, NONE, false, 200},
    {"GET /healthz", NULL, NONE, true, 200},
    {"HEAD /healthz", NULL, NONE, true, 200},
    {"GET /healthz?x=1", NULL, NONE, false, 422},
    {"GET /readyz", NULL, NONE, true, 200},
    {"GET /openapi.yaml", NULL, NONE, true, 200},
    {"GET /nowhere", READ, NONE, false, 404},
};

static void
equal_answers(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(questions); i++) {
		const struct question *question = &questions[i];
		struct request request = make(f, question);
		struct reply usual, quick;
		bool at_once;
		struct ctx *ctx;

		fail_clear(f->ctx);
		routes_answer(f->ctx, &f->app, &request, &usual);
		if (usual.kind != REPLY_WAIT)
			assert_int_equal(usual.status, question->status);
		ctx = ctx_new("at once", 0);
		at_once = routes_answer_at_once(ctx, &f->alone, &request, &quick);
		if (at_once != question->at_once)
			print_error("%s %s: %d\n", question->line, question->scopes, at_once);
		assert_int_equal(at_once, question->at_once);
		if (at_once)
			assert_same(&quick, &usual);
		ctx_free(ctx);
	}
}

/* A token is verified where one may wait for keys; from then on it is known. */
static void
a_new_token_is_not_for_now(void **state)
{
	struct fixture *f = *state;
	struct question question = {"GET /v1/runs/$R", "runs:read data:read", NONE, true, 200};
	struct request request = make(f, &question);
	struct ctx *ctx = ctx_new("at once", 0);
	struct reply reply;

	assert_false(routes_answer_at_once(ctx, &f->alone, &request, &reply));
	assert_false(ctx_failed(ctx));
	routes_answer(f->ctx, &f->app, &request, &reply);
	assert_int_equal(reply.status, 200);
	assert_true(routes_answer_at_once(ctx, &f->alone, &request, &reply));
	ctx_free(ctx);
}

static void
a_draining_replica_is_not_ready(void **state)
{
	struct fixture *f = *state;
	struct question ready = {"GET /readyz", NULL, NONE, false, 503},
			alive = {"GET /healthz", NULL, NONE, true, 200};
	struct request request = make(f, &ready);
	struct ctx *ctx = ctx_new("at once", 0);
	struct reply reply;

	atomic_store(&f->alone.draining, true);
	assert_false(routes_answer_at_once(ctx, &f->alone, &request, &reply));
	fail_clear(ctx);
	request = make(f, &alive);
	assert_true(routes_answer_at_once(ctx, &f->alone, &request, &reply));
	ctx_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(equal_answers, start, stop),
	    cmocka_unit_test_setup_teardown(a_new_token_is_not_for_now, start, stop),
	    cmocka_unit_test_setup_teardown(a_draining_replica_is_not_ready, start, stop),
	};

	return cmocka_run_group_tests_name("at once", tests, NULL, NULL);
}
