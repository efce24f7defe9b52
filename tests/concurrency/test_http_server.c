/*
 * The HTTP server against sockets, with handlers of its own: what a service must survive whatever its database does.
 * Asserts run in the main thread alone: cmocka cannot fail elsewhere.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours: base/fail.h */

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "server/http.h"

#define RUN "0190a000-0000-7000-8000-000000000001"

enum { WAITERS = 1000, BODY_LIMIT = 64 * 1024, ANSWER_LIMIT = 1024 * 1024 };

struct fixture {
	struct ctx *ctx;
	struct config config;
	struct app app;
	struct http_server *server;
	int port;
};

/* What the fake knows of the one run. */
static atomic_int version;
static atomic_int line_count;
static atomic_bool finished;

static struct board_page *
picture(struct ctx *ctx)
{
	struct board_page *page = ctx_alloc(ctx, sizeof(*page));

	(void)snprintf(page->etag, sizeof(page->etag), "\"%d\"", atomic_load(&version));
	page->run_id = RUN;
	page->body = ctx_printf(ctx, "{\"version\":%d}", atomic_load(&version));
	page->length = strlen(page->body);
	return page;
}

static const struct board_page *
fake_page(struct ctx *ctx, struct app *app, const char *run_id)
{
	(void)app;
	return strcmp(run_id, RUN) == 0 ? picture(ctx) : NULL;
}

static bool
fake_lines(struct ctx *ctx, struct app *app, const struct log_filter *filter, struct log_lines *lines, bool *final)
{
	int64_t count;

	(void)app;
	*final = atomic_load(&finished);
	count = atomic_load(&line_count);
	lines->lines = ctx_alloc_array(ctx, (size_t)filter->limit, sizeof(*lines->lines));
	lines->ids = ctx_alloc_array(ctx, (size_t)filter->limit, sizeof(*lines->ids));
	for (int64_t id = filter->after + 1; id <= count && (int64_t)lines->count < filter->limit; id++) {
		lines->ids[lines->count] = id;
		lines->lines[lines->count++] = ctx_printf(ctx, "{\"id\":%lld}", (long long)id);
	}
	lines->more = filter->after + (int64_t)lines->count < count;
	return true;
}

static void
fake_answer(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply)
{
	const char *after = request_query(request, "after");

	(void)app;
	*reply = (struct reply){.route = "/fake"};
	if (strcmp(request->path, "/wait") == 0) {
		*reply = (struct reply){
		    .kind = REPLY_WAIT,
		    .run_id = RUN,
		    .wait_ms = request_query(request, "short") != NULL ? 300 : 50000,
		    .etag = ctx_printf(ctx, "%s", request_header(request, "If-None-Match")),
		};
	} else if (strcmp(request->path, "/stream") == 0) {
		*reply = (struct reply){
		    .kind = REPLY_STREAM,
		    .status = 200,
		    .run_id = RUN,
		    .after = after != NULL ? atoll(after) : 0,
		    .format = request_query(request, "sse") != NULL ? STREAM_SSE : STREAM_NDJSON,
		    .content_type = "application/x-ndjson",
		};
	} else if (strcmp(request->path, "/slow") == 0) {
		clock_sleep_ms(300);
		(void)reply_text(reply, 200, "text/plain", "slow");
	} else if (strcmp(request->path, "/broken") == 0) {
		(void)fail(ctx, FAIL_INTERNAL, "secret detail");
		reply_problem(ctx, request, reply);
	} else {
		(void)reply_text(reply, 200, "text/plain",
		    ctx_printf(ctx, "%s %s %zu", http_method_name(request->method), request->path,
			request->body_length));
	}
}

static const struct http_backend fake = {fake_answer, fake_page, fake_lines};

static int
start(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct fixture *fixture = ctx_alloc(ctx, sizeof(*fixture));

	atomic_store(&version, 1);
	atomic_store(&line_count, 3);
	atomic_store(&finished, false);
	fixture->ctx = ctx;
	fixture->config = (struct config){
	    .listen = "127.0.0.1:0",
	    .admin_listen = "127.0.0.1:0",
	    .http_threads = 4,
	    .http_connections = 2048,
	    .http_body_bytes = BODY_LIMIT,
	};
	fixture->app.config = &fixture->config;
	fixture->server = http_new_with(ctx, &fixture->app, &fake);
	if (!http_start(ctx, fixture->server))
		return -1;
	fixture->port = atoi(strrchr(http_url(fixture->server), ':') + 1);
	*state = fixture;
	return 0;
}

static int
stop(void **state)
{
	struct fixture *fixture = *state;
	int64_t before_us = clock_monotonic_us();
	int64_t took_us;

	http_stop(fixture->server);
	took_us = clock_monotonic_us() - before_us;
	ctx_free(fixture->ctx);
	return took_us < 3 * CLOCK_SECOND_US ? 0 : -1; /* nothing was left open until the drain's end */
}

static int
connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval limit = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
send_text(int fd, const char *s)
{
	assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL), (ssize_t)strlen(s));
}

/* Reads until the text is there, or the end; "" at once when the peer has closed. */
static char *
read_until(struct ctx *ctx, int fd, const char *wanted)
{
	struct text all;
	char some[8192];

	text_init(&all, ctx);
	while (all.length < ANSWER_LIMIT && (wanted == NULL || strstr(all.data, wanted) == NULL)) {
		ssize_t n = recv(fd, some, sizeof(some), 0);

		if (n <= 0)
			break;
		text_add_bytes(&all, some, (size_t)n);
	}
	return all.data;
}

/* Sends a request, returns all that comes until the connection ends. */
static char *
exchange_text(struct fixture *fixture, int port, const char *request)
{
	int fd = connect_to(port);
	char *answer;

	send_text(fd, request);
	answer = read_until(fixture->ctx, fd, NULL);
	(void)close(fd);
	return answer;
}

static void
assert_status(const char *answer, int status)
{
	char want[32];

	(void)snprintf(want, sizeof(want), "HTTP/1.1 %d ", status);
	if (strncmp(answer, want, strlen(want)) != 0)
		print_error("expected %s, got: %.300s\n", want, answer);
	assert_int_equal(strncmp(answer, want, strlen(want)), 0);
}

#define HOST "Host: x\r\n"
#define CLOSE "Connection: close\r\n"

static void
keeps_alive_and_pipelines(void **state)
{
	struct fixture *fixture = *state;
	int fd = connect_to(fixture->port);
	char *answer;

	send_text(fd, "GET /one HTTP/1.1\r\n" HOST "\r\nGET /two HTTP/1.1\r\n" HOST "\r\n");
	answer = read_until(fixture->ctx, fd, "GET /two 0");
	assert_non_null(strstr(answer, "GET /one 0"));
	send_text(fd, "POST /three HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc");
	answer = read_until(fixture->ctx, fd, "POST /three 3");
	assert_status(answer, 200);
	assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff"));
	assert_non_null(strstr(answer, "Cache-Control: no-store"));
	assert_non_null(strstr(answer, "X-Request-Id: "));
	send_text(fd, "POST /four HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
	assert_non_null(strstr(read_until(fixture->ctx, fd, "POST /four 5"), "POST /four 5"));
	(void)close(fd);
}

static void
refuses_what_can_be_read_in_two_ways(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
	    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
	    {"POST / HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\nabc", 400},
	    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
	    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
	    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
	    {"GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n", 400},
	    {"GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 400},
	    {"GET /a%2fb HTTP/1.1\r\n" HOST "\r\n", 400},
	    {"GET /a/../b HTTP/1.1\r\n" HOST "\r\n", 400},
	    {"GET /a/%2e%2E/b HTTP/1.1\r\n" HOST "\r\n", 400},
	    {"GET http://evil/x HTTP/1.1\r\n" HOST "\r\n", 400},
	    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n", 413},
	    {"BREW / HTTP/1.1\r\n" HOST "\r\n", 501},
	    {"DELETE /v1/runs HTTP/1.1\r\n" HOST "\r\n", 405},
	    {"DELETE /nowhere HTTP/1.1\r\n" HOST "\r\n", 404},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *answer = exchange_text(fixture, fixture->port, cases[i].request);

		assert_status(answer, cases[i].status);
		assert_non_null(strstr(answer, "application/problem+json"));
		assert_non_null(strstr(answer, "Connection: close"));
		assert_null(strstr(strstr(answer, "\r\n\r\n"), "HTTP/1.1")); /* one answer, no second request */
	}
}

static void
answers_413_for_a_chunked_body_over_the_limit(void **state)
{
	struct fixture *fixture = *state;
	static char block[BODY_LIMIT + 1];
	int fd = connect_to(fixture->port);
	char *answer;

	memset(block, 'x', BODY_LIMIT);
	send_text(fd, "POST /big HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		send_text(fd, "10000\r\n");
		send_text(fd, block);
		send_text(fd, "\r\n");
	}
	send_text(fd, "0\r\n\r\n");
	answer = read_until(fixture->ctx, fd, NULL);
	assert_status(answer, 413);
	(void)close(fd);
}

static void
wrong_queries_are_400(void **state)
{
	struct fixture *fixture = *state;

	assert_status(exchange_text(fixture, fixture->port, "GET /a?b=%ff HTTP/1.1\r\n" HOST CLOSE "\r\n"), 400);
	assert_status(exchange_text(fixture, fixture->port, "GET /a?b=%zz HTTP/1.1\r\n" HOST CLOSE "\r\n"), 400);
	assert_status(exchange_text(fixture, fixture->port, "GET /a?b=%00 HTTP/1.1\r\n" HOST CLOSE "\r\n"), 400);
	assert_status(exchange_text(fixture, fixture->port, "GET /a?b=c+d&e HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200);
}

static void
tells_no_insides(void **state)
{
	struct fixture *fixture = *state;
	char *answer = exchange_text(fixture, fixture->port, "GET /broken HTTP/1.1\r\n" HOST CLOSE "\r\n");

	assert_status(answer, 500);
	assert_null(strstr(answer, "secret detail"));
}

static void
head_has_no_body(void **state)
{
	struct fixture *fixture = *state;
	char *answer = exchange_text(fixture, fixture->port, "HEAD /x HTTP/1.1\r\n" HOST CLOSE "\r\n");

	assert_status(answer, 200);
	assert_non_null(strstr(answer, "Content-Length: 9"));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void
the_admin_listener_serves_probes_alone(void **state)
{
	struct fixture *fixture = *state;
	int port = atoi(strrchr(http_admin_url(fixture->server), ':') + 1);

	assert_status(exchange_text(fixture, port, "GET /healthz HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200);
	assert_status(exchange_text(fixture, port, "GET /v1/runs HTTP/1.1\r\n" HOST CLOSE "\r\n"), 404);
}

#define WAIT "GET /wait HTTP/1.1\r\n" HOST "If-None-Match: \"1\"\r\n\r\n"

static void
a_thousand_wait_and_all_hear_of_a_change(void **state)
{
	struct fixture *fixture = *state;
	static int fds[WAITERS];
	char *probe;

	for (int i = 0; i < WAITERS; i++) {
		fds[i] = connect_to(fixture->port);
		send_text(fds[i], WAIT);
	}
	probe = exchange_text(fixture, fixture->port, "GET /alive HTTP/1.1\r\n" HOST CLOSE "\r\n");
	assert_status(probe, 200); /* they hold no thread */
	atomic_store(&version, 2);
	http_run_changed(fixture->server, RUN);
	for (int i = 0; i < WAITERS; i++) {
		char *answer = read_until(fixture->ctx, fds[i], "{\"version\":2}");

		assert_status(answer, 200);
		assert_non_null(strcasestr(answer, "ETag: \"2\""));
		assert_non_null(strstr(answer, "Cache-Control: no-cache"));
		(void)close(fds[i]);
	}
}

static void
a_wait_ends_at_its_deadline(void **state)
{
	struct fixture *fixture = *state;
	int64_t before_us = clock_monotonic_us();
	char *answer = exchange_text(fixture, fixture->port,
	    "GET /wait?short HTTP/1.1\r\n" HOST CLOSE "If-None-Match: \"1\"\r\n\r\n");
	int64_t waited_ms = (clock_monotonic_us() - before_us) / 1000;

	assert_status(answer, 304);
	assert_in_range(waited_ms, 299, 2000);
}

static void
a_change_before_the_wait_is_not_missed(void **state)
{
	struct fixture *fixture = *state;

	atomic_store(&version, 7);
	assert_status(exchange_text(fixture, fixture->port,
			  "GET /wait HTTP/1.1\r\n" HOST CLOSE "If-None-Match: \"1\"\r\n\r\n"),
	    200);
}

static void
streams_follow_and_end(void **state)
{
	struct fixture *fixture = *state;
	int plain = connect_to(fixture->port), events = connect_to(fixture->port);
	char *answer;

	send_text(plain, "GET /stream HTTP/1.1\r\n" HOST CLOSE "\r\n");
	send_text(events, "GET /stream?sse&after=2 HTTP/1.1\r\n" HOST CLOSE "\r\n");
	assert_non_null(strstr(read_until(fixture->ctx, plain, "{\"id\":3}"), "{\"id\":1}\n{\"id\":2}\n"));
	assert_non_null(strstr(read_until(fixture->ctx, events, "{\"id\":3}"), "id: 3\nevent: log\ndata: "));
	atomic_store(&line_count, 20000);
	atomic_store(&finished, true);
	http_run_changed(fixture->server, RUN);
	answer = read_until(fixture->ctx, plain, NULL);
	assert_non_null(strstr(answer, "{\"id\":4}"));
	assert_non_null(strstr(answer, "{\"id\":20000}"));
	assert_true(text_ends_with(answer, "0\r\n\r\n"));
	answer = read_until(fixture->ctx, events, NULL);
	assert_non_null(strstr(answer, "event: end"));
	(void)close(plain);
	(void)close(events);
}

/* A client that reads nothing holds its own buffer, nobody else. */
static void
a_slow_client_stops_nobody(void **state)
{
	struct fixture *fixture = *state;
	int slow = connect_to(fixture->port), half = connect_to(fixture->port);
	char *answer;

	atomic_store(&line_count, 200000);
	atomic_store(&finished, true);
	send_text(slow, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
	send_text(half, "GET /half HTTP/1.1\r\nHo");
	answer = exchange_text(fixture, fixture->port, "GET /stream?after=199990 HTTP/1.1\r\n" HOST CLOSE "\r\n");
	assert_non_null(strstr(answer, "{\"id\":200000}"));
	(void)close(slow);
	(void)close(half);
}

static void
clients_that_leave_are_forgotten(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 200; i++) {
		int fd = connect_to(fixture->port), half = connect_to(fixture->port);

		send_text(half, "POST /half HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc");
		(void)close(half);
		send_text(fd, i % 2 == 0 ? WAIT : "GET /stream HTTP/1.1\r\n" HOST "\r\n");
		(void)close(fd);
	}
	atomic_store(&version, 2);
	atomic_store(&finished, true);
	http_run_changed(fixture->server, RUN);
	assert_status(exchange_text(fixture, fixture->port, "GET /x HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200);
}

static void
a_draining_server_still_answers(void **state)
{
	struct fixture *fixture = *state;
	char *answer;

	http_drain(fixture->server);
	answer = exchange_text(fixture, fixture->port, "GET /x HTTP/1.1\r\n" HOST "\r\n");
	assert_status(answer, 200);
	assert_non_null(strstr(answer, "Connection: close"));
	answer = exchange_text(fixture, fixture->port, WAIT);
	assert_status(answer, 304);
	assert_non_null(strstr(answer, "Retry-After: 1"));
	answer = exchange_text(fixture, fixture->port, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
	assert_true(text_ends_with(answer, "\r\n0\r\n\r\n"));
}

/* The library aborts when it is stopped with a suspended connection: http_stop must not let that happen. */
static void
stops_with_everything_suspended(void **state)
{
	struct fixture *fixture = *state;
	int waiting[50], following[50], slow = connect_to(fixture->port);

	for (int i = 0; i < 50; i++) {
		waiting[i] = connect_to(fixture->port);
		following[i] = connect_to(fixture->port);
		send_text(waiting[i], WAIT);
		send_text(following[i], "GET /stream HTTP/1.1\r\n" HOST "\r\n");
		(void)read_until(fixture->ctx, following[i], "{\"id\":3}");
	}
	send_text(slow, "GET /slow HTTP/1.1\r\n" HOST "\r\n");
	(void)exchange_text(fixture, fixture->port, "GET /x HTTP/1.1\r\n" HOST CLOSE "\r\n");
	http_stop(fixture->server);
	assert_non_null(strstr(read_until(fixture->ctx, slow, NULL), "slow")); /* answered, not cut off */
	for (int i = 0; i < 50; i++) {
		char *answer = read_until(fixture->ctx, waiting[i], NULL);

		assert_status(answer, 304);
		assert_non_null(strstr(answer, "Connection: close"));
		assert_true(text_ends_with(read_until(fixture->ctx, following[i], NULL), "0\r\n\r\n"));
		(void)close(waiting[i]);
		(void)close(following[i]);
	}
	(void)close(slow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(keeps_alive_and_pipelines, start, stop),
	    cmocka_unit_test_setup_teardown(refuses_what_can_be_read_in_two_ways, start, stop),
	    cmocka_unit_test_setup_teardown(answers_413_for_a_chunked_body_over_the_limit, start, stop),
	    cmocka_unit_test_setup_teardown(wrong_queries_are_400, start, stop),
	    cmocka_unit_test_setup_teardown(tells_no_insides, start, stop),
	    cmocka_unit_test_setup_teardown(head_has_no_body, start, stop),
	    cmocka_unit_test_setup_teardown(the_admin_listener_serves_probes_alone, start, stop),
	    cmocka_unit_test_setup_teardown(a_thousand_wait_and_all_hear_of_a_change, start, stop),
	    cmocka_unit_test_setup_teardown(a_wait_ends_at_its_deadline, start, stop),
	    cmocka_unit_test_setup_teardown(a_change_before_the_wait_is_not_missed, start, stop),
	    cmocka_unit_test_setup_teardown(streams_follow_and_end, start, stop),
	    cmocka_unit_test_setup_teardown(a_slow_client_stops_nobody, start, stop),
	    cmocka_unit_test_setup_teardown(clients_that_leave_are_forgotten, start, stop),
	    cmocka_unit_test_setup_teardown(a_draining_server_still_answers, start, stop),
	    cmocka_unit_test_setup_teardown(stops_with_everything_suspended, start, stop),
	};
	struct rlimit files;

	(void)signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return cmocka_run_group_tests_name("http server", tests, NULL, NULL);
}
