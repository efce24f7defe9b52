/* The HTTP server against sockets: what it reads, refuses and tells. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/text.h"
#include "tests/support/fake_http.h"

static void
keeps_alive_and_pipelines(void **state)
{
	struct fake_http *fixture = *state;
	int fd = connect_to(fixture->port);
	char *answer;

	send_text(fd, "GET /one HTTP/1.1\r\n" HOST "\r\nGET /two HTTP/1.1\r\n" HOST "\r\n");
	answer = read_until(fixture->ctx, fd, "GET /two 0");
	assert_non_null(strstr(answer, "GET /one 0"));
	send_text(fd, "POST /three HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n{b}");
	answer = read_until(fixture->ctx, fd, "POST /three 3");
	assert_status(answer, 200);
	assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff"));
	assert_non_null(strstr(answer, "Cache-Control: no-store"));
	assert_non_null(strstr(answer, "X-Request-Id: "));
	send_text(fd, "POST /four HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
	assert_non_null(strstr(read_until(fixture->ctx, fd, "POST /four 5"), "POST /four 5"));
	(void)close(fd);
}

/* A header without a name ends the head to the library, and what it has left over would be the next request. */
static void
does_not_go_on_after_what_may_be_torn(void **state)
{
	static const char *const requests[] = {
	    "POST /one HTTP/1.1\r\n" HOST "Content-Length: 4\r\n: x\r\n\r\n{}",
	    "POST /one HTTP/1.1\r\n" HOST "Content-Length: 8\r\n:\r\nA: b\r\n\r\n",
	    "GET /one HTTP/1.1\r\n" HOST "Content-Length: 4\r\n: x\r\n\r\n{}",
	    "POST /one HTTP/1.1\r\n" HOST ": x\r\n",
	};
	struct fake_http *fixture = *state;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		char *answer = exchange_text(fixture, fixture->port,
		    ctx_printf(fixture->ctx, "%sGET /two HTTP/1.1\r\n" HOST "\r\n", requests[i]));

		assert_non_null(strstr(answer, " /one "));
		assert_non_null(strstr(answer, "Connection: close"));
		assert_null(strstr(answer, "/two"));
	}
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
	struct fake_http *fixture = *state;

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
	struct fake_http *fixture = *state;
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

/* What is swallowed to be able to answer has a limit, too: then there is no answer, and no end of the body is waited for. */
static void
gives_up_on_a_body_that_does_not_end(void **state)
{
	struct fake_http *fixture = *state;
	static char chunk[BODY_LIMIT + 32];
	int fd = connect_to(fixture->port), length = snprintf(chunk, sizeof(chunk), "%x\r\n", BODY_LIMIT);
	int sent = 0;

	memset(chunk + length, 'x', BODY_LIMIT);
	memcpy(chunk + length + BODY_LIMIT, "\r\n", 3);
	send_text(fd, "POST /endless HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	while (sent < 1000 && send(fd, chunk, strlen(chunk), MSG_NOSIGNAL) > 0)
		sent++;
	assert_in_range(sent, 8, 999); /* the sockets hold some that nobody has read */
	assert_string_equal(read_until(fixture->ctx, fd, NULL), "");
	assert_status(exchange_text(fixture, fixture->port, "GET /x HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200);
	(void)close(fd);
}

static void
wrong_queries_are_400(void **state)
{
	struct fake_http *fixture = *state;

	assert_status(exchange_text(fixture, fixture->port, "GET /a?b=%ff HTTP/1.1\r\n" HOST CLOSE "\r\n"), 400);
	assert_status(exchange_text(fixture, fixture->port, "GET /a?b=%zz HTTP/1.1\r\n" HOST CLOSE "\r\n"), 400);
	assert_status(exchange_text(fixture, fixture->port, "GET /a?b=%00 HTTP/1.1\r\n" HOST CLOSE "\r\n"), 400);
	assert_status(exchange_text(fixture, fixture->port, "GET /a?b=c+d&e HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200);
}

static void
tells_no_insides(void **state)
{
	struct fake_http *fixture = *state;
	char *answer = exchange_text(fixture, fixture->port, "GET /broken HTTP/1.1\r\n" HOST CLOSE "\r\n");

	assert_status(answer, 500);
	assert_null(strstr(answer, "secret detail"));
}

static void
head_has_no_body(void **state)
{
	struct fake_http *fixture = *state;
	char *answer = exchange_text(fixture, fixture->port, "HEAD /x HTTP/1.1\r\n" HOST CLOSE "\r\n");

	assert_status(answer, 200);
	assert_non_null(strstr(answer, "Content-Length: 9"));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void
the_admin_listener_serves_probes_alone(void **state)
{
	struct fake_http *fixture = *state;
	int port = atoi(strrchr(http_admin_url(fixture->server), ':') + 1);

	assert_status(exchange_text(fixture, port, "GET /healthz HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200);
	assert_status(exchange_text(fixture, port, "GET /v1/runs HTTP/1.1\r\n" HOST CLOSE "\r\n"), 404);
	assert_status(exchange_text(fixture, port, "GET /v1/runs?now HTTP/1.1\r\n" HOST CLOSE "\r\n"), 404);
}

/* The bytes of an answer without its date. */
static const char *
dateless(struct ctx *ctx, char *answer)
{
	char *date = strstr(answer, "\r\nDate: ");

	assert_non_null(date);
	return ctx_printf(ctx, "%.*s%s", (int)(date - answer), answer, strstr(date + 2, "\r\n"));
}

/* ?now is answered on the library's thread. */
static void
answers_at_once_what_a_handler_answers(void **state)
{
	static const char *const methods[] = {"GET", "HEAD"};
	static const char *const more[] = {"", "Accept: */*\r\nOrigin: https://dash\r\n",
	    "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\n"};
	struct fake_http *fixture = *state;
	struct ctx *ctx = fixture->ctx;

	for (size_t i = 0; i < LENGTH_OF(methods) * LENGTH_OF(more); i++) {
		const char *method = methods[i % LENGTH_OF(methods)], *head = more[i / LENGTH_OF(methods)];
		char *answers[2];

		for (size_t k = 0; k < 2; k++)
			answers[k] = exchange_text(fixture, fixture->port,
			    ctx_printf(ctx, "%s /x?%s HTTP/1.1\r\n" HOST CLOSE "X-Request-Id: one\r\n%s\r\n", method,
				k == 0 ? "now" : "later", head));
		assert_status(answers[0], 200);
		assert_string_equal(dateless(ctx, answers[0]), dateless(ctx, answers[1]));
	}
	assert_int_equal(metrics_value(METRIC_HTTP_AT_ONCE, METRIC_LABELS("/fake")), 6);
}

static void
answers_at_once_while_every_handler_is_busy(void **state)
{
	struct fake_http *fixture = *state;
	int64_t before_us = clock_monotonic_us();
	int slow[16], fd = connect_to(fixture->port);

	for (size_t i = 0; i < LENGTH_OF(slow); i++) {
		slow[i] = connect_to(fixture->port);
		send_text(slow[i], "GET /slow HTTP/1.1\r\n" HOST "\r\n");
	}
	for (int i = 0; i < 20; i++) { /* the connection lives on */
		send_text(fd, "GET /x?now HTTP/1.1\r\n" HOST "\r\n");
		assert_non_null(strstr(read_until(fixture->ctx, fd, "GET /x 0"), "GET /x 0"));
	}
	assert_true(clock_monotonic_us() - before_us < CLOCK_SECOND_US); /* sixteen times 300 ms on four threads */
	send_text(fd, "GET /x?now HTTP/1.1\r\n" HOST "\r\nGET /y?now HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(read_until(fixture->ctx, fd, "GET /y 0"), "GET /x 0"));
	for (size_t i = 0; i < LENGTH_OF(slow); i++) {
		assert_non_null(strstr(read_until(fixture->ctx, slow[i], "slow"), "slow"));
		(void)close(slow[i]);
	}
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FAKE_HTTP_TEST(keeps_alive_and_pipelines),
	    FAKE_HTTP_TEST(does_not_go_on_after_what_may_be_torn),
	    FAKE_HTTP_TEST(refuses_what_can_be_read_in_two_ways),
	    FAKE_HTTP_TEST(answers_413_for_a_chunked_body_over_the_limit),
	    FAKE_HTTP_TEST(gives_up_on_a_body_that_does_not_end),
	    FAKE_HTTP_TEST(wrong_queries_are_400),
	    FAKE_HTTP_TEST(tells_no_insides),
	    FAKE_HTTP_TEST(head_has_no_body),
	    FAKE_HTTP_TEST(the_admin_listener_serves_probes_alone),
	    FAKE_HTTP_TEST(answers_at_once_what_a_handler_answers),
	    FAKE_HTTP_TEST(answers_at_once_while_every_handler_is_busy),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("http server", tests, NULL, NULL);
}
