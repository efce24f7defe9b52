/* The HTTP server against sockets: waits, streams, slow and leaving clients, and its end. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"
#include "tests/support/fake_http.h"

enum { WAITERS = 1000 };

static void
a_thousand_wait_and_all_hear_of_a_change(void **state)
{
	struct fake_http *fixture = *state;
	static int fds[WAITERS];
	char *probe;

	for (int i = 0; i < WAITERS; i++) {
		fds[i] = connect_to(fixture->port);
		send_text(fds[i], WAIT);
	}
	probe = exchange_text(fixture, fixture->port, "GET /alive HTTP/1.1\r\n" HOST CLOSE "\r\n");
	assert_status(probe, 200); /* they hold no thread */
	atomic_store(&fake_version, 2);
	http_run_changed(fixture->server, FAKE_RUN);
	for (int i = 0; i < WAITERS; i++) {
		char *answer = read_until(fixture->ctx, fds[i], "{\"version\":2}");

		assert_status(answer, 200);
		assert_non_null(strcasestr(answer, "ETag: \"2\""));
		assert_non_null(strstr(answer, "Cache-Control: no-cache"));
		(void)close(fds[i]);
	}
}

/* A wait that began on the library's thread. */
static void
a_wait_begun_at_once_hears_of_a_change(void **state)
{
	struct fake_http *fixture = *state;
	int fds[50];

	for (size_t i = 0; i < LENGTH_OF(fds); i++) {
		fds[i] = connect_to(fixture->port);
		send_text(fds[i], "GET /wait?now HTTP/1.1\r\n" HOST "If-None-Match: \"1\"\r\n\r\n");
	}
	assert_status(exchange_text(fixture, fixture->port, "GET /x?now HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200);
	for (int version = 2; version <= 3; version++) {
		atomic_store(&fake_version, version);
		http_run_changed(fixture->server, FAKE_RUN);
		for (size_t i = 0; i < LENGTH_OF(fds); i++) {
			const char *body = ctx_printf(fixture->ctx, "{\"version\":%d}", version);

			assert_non_null(strstr(read_until(fixture->ctx, fds[i], body), body));
			send_text(fds[i],
			    ctx_printf(fixture->ctx, "GET /wait?now HTTP/1.1\r\n" HOST "If-None-Match: \"%d\"\r\n\r\n",
				version));
		}
	}
	http_drain(fixture->server);
	for (size_t i = 0; i < LENGTH_OF(fds); i++) {
		assert_status(read_until(fixture->ctx, fds[i], NULL), 304);
		(void)close(fds[i]);
	}
}

static void
a_wait_ends_at_its_deadline(void **state)
{
	struct fake_http *fixture = *state;
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
	struct fake_http *fixture = *state;

	atomic_store(&fake_version, 7);
	assert_status(exchange_text(fixture, fixture->port,
			  "GET /wait HTTP/1.1\r\n" HOST CLOSE "If-None-Match: \"1\"\r\n\r\n"),
	    200);
}

static void
streams_follow_and_end(void **state)
{
	struct fake_http *fixture = *state;
	int plain = connect_to(fixture->port), events = connect_to(fixture->port);
	char *answer;

	send_text(plain, "GET /stream HTTP/1.1\r\n" HOST CLOSE "\r\n");
	send_text(events, "GET /stream?sse&after=2 HTTP/1.1\r\n" HOST CLOSE "\r\n");
	assert_non_null(strstr(read_until(fixture->ctx, plain, "{\"id\":3}"), "{\"id\":1}\n{\"id\":2}\n"));
	assert_non_null(strstr(read_until(fixture->ctx, events, "{\"id\":3}"), "id: 3\nevent: log\ndata: "));
	atomic_store(&fake_line_count, 20000);
	atomic_store(&fake_finished, true);
	http_run_changed(fixture->server, FAKE_RUN);
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
	struct fake_http *fixture = *state;
	int slow = connect_to(fixture->port), half = connect_to(fixture->port);
	char *answer;

	atomic_store(&fake_line_count, 200000);
	atomic_store(&fake_finished, true);
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
	struct fake_http *fixture = *state;

	for (int i = 0; i < 200; i++) {
		int fd = connect_to(fixture->port), half = connect_to(fixture->port);

		send_text(half, "POST /half HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc");
		(void)close(half);
		send_text(fd, i % 2 == 0 ? WAIT : "GET /stream HTTP/1.1\r\n" HOST "\r\n");
		(void)close(fd);
	}
	atomic_store(&fake_version, 2);
	atomic_store(&fake_finished, true);
	http_run_changed(fixture->server, FAKE_RUN);
	assert_status(exchange_text(fixture, fixture->port, "GET /x HTTP/1.1\r\n" HOST CLOSE "\r\n"), 200);
}

static void
a_draining_server_still_answers(void **state)
{
	struct fake_http *fixture = *state;
	char *answer;

	http_drain(fixture->server);
	answer = exchange_text(fixture, fixture->port, "GET /x HTTP/1.1\r\n" HOST "\r\n");
	assert_status(answer, 200);
	assert_non_null(strstr(answer, "Connection: close"));
	answer = exchange_text(fixture, fixture->port, WAIT);
	assert_status(answer, 304);
	assert_non_null(strstr(answer, "Retry-After: 1"));
	answer = exchange_text(fixture, fixture->port, "GET /stream?sse HTTP/1.1\r\n" HOST "\r\n");
	assert_true(text_ends_with(answer, "\r\n0\r\n\r\n") && strstr(answer, "event: end") == NULL);
	answer = exchange_text(fixture, fixture->port, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
	assert_status(answer, 200);
	assert_false(text_ends_with(answer, "0\r\n\r\n")); /* it would pass for the whole log */
}

/* The library aborts when it is stopped with a suspended connection: http_stop must not let that happen. */
static void
stops_with_everything_suspended(void **state)
{
	struct fake_http *fixture = *state;
	int waiting[50], following[50], slow = connect_to(fixture->port);

	for (int i = 0; i < 50; i++) {
		waiting[i] = connect_to(fixture->port);
		following[i] = connect_to(fixture->port);
		send_text(waiting[i], WAIT);
		send_text(following[i],
		    i % 2 == 0 ? "GET /stream HTTP/1.1\r\n" HOST "\r\n" : "GET /stream?sse HTTP/1.1\r\n" HOST "\r\n");
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
		assert_int_equal(text_ends_with(read_until(fixture->ctx, following[i], NULL), "0\r\n\r\n"), i % 2);
		(void)close(waiting[i]);
		(void)close(following[i]);
	}
	(void)close(slow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FAKE_HTTP_TEST(a_thousand_wait_and_all_hear_of_a_change),
	    FAKE_HTTP_TEST(a_wait_begun_at_once_hears_of_a_change),
	    FAKE_HTTP_TEST(a_wait_ends_at_its_deadline),
	    FAKE_HTTP_TEST(a_change_before_the_wait_is_not_missed),
	    FAKE_HTTP_TEST(streams_follow_and_end),
	    FAKE_HTTP_TEST(a_slow_client_stops_nobody),
	    FAKE_HTTP_TEST(clients_that_leave_are_forgotten),
	    FAKE_HTTP_TEST(a_draining_server_still_answers),
	    FAKE_HTTP_TEST(stops_with_everything_suspended),
	};
	struct rlimit files;

	(void)signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return cmocka_run_group_tests_name("http waits", tests, NULL, NULL);
}
