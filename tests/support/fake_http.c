#include "tests/support/fake_http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"

enum { ANSWER_LIMIT = 1024 * 1024 };

atomic_int fake_version;
atomic_int fake_line_count;
atomic_bool fake_finished;

static struct board_page *
picture(struct ctx *ctx)
{
	struct board_page *page = ctx_alloc(ctx, sizeof(*page));

	(void)snprintf(page->etag, sizeof(page->etag), "\"%d\"", atomic_load(&fake_version));
	page->run_id = FAKE_RUN;
	page->body = ctx_printf(ctx, "{\"version\":%d}", atomic_load(&fake_version));
	page->length = strlen(page->body);
	return page;
}

static const struct board_page *
fake_page(struct ctx *ctx, struct app *app, const char *run_id)
{
	(void)app;
	return strcmp(run_id, FAKE_RUN) == 0 ? picture(ctx) : NULL;
}

static bool
fake_lines(struct ctx *ctx, struct app *app, const struct log_filter *filter, struct log_lines *lines, bool *final)
{
	int64_t count;

	(void)app;
	*final = atomic_load(&fake_finished);
	count = atomic_load(&fake_line_count);
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
		    .run_id = FAKE_RUN,
		    .wait_ms = request_query(request, "short") != NULL ? 300 : 50000,
		    .etag = ctx_printf(ctx, "%s", request_header(request, "If-None-Match")),
		};
	} else if (strcmp(request->path, "/stream") == 0) {
		*reply = (struct reply){
		    .kind = REPLY_STREAM,
		    .status = 200,
		    .run_id = FAKE_RUN,
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

static bool
fake_answer_at_once(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply)
{
	if (request_query(request, "now") == NULL)
		return false;
	fake_answer(ctx, app, request, reply);
	return true;
}

static const struct http_backend fake = {fake_answer, fake_answer_at_once, fake_page, fake_lines};

int
fake_http_start(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct fake_http *fixture = ctx_alloc(ctx, sizeof(*fixture));

	atomic_store(&fake_version, 1);
	atomic_store(&fake_line_count, 3);
	atomic_store(&fake_finished, false);
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

int
fake_http_stop(void **state)
{
	struct fake_http *fixture = *state;
	int64_t before_us = clock_monotonic_us();
	int64_t took_us;

	http_stop(fixture->server);
	took_us = clock_monotonic_us() - before_us;
	ctx_free(fixture->ctx);
	return took_us < 3 * CLOCK_SECOND_US ? 0 : -1; /* nothing was left open until the drain's end */
}

int
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

void
send_text(int fd, const char *s)
{
	assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL), (ssize_t)strlen(s));
}

char *
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

char *
exchange_text(struct fake_http *fixture, int port, const char *request)
{
	int fd = connect_to(port);
	char *answer;

	send_text(fd, request);
	answer = read_until(fixture->ctx, fd, NULL);
	(void)close(fd);
	return answer;
}

void
assert_status(const char *answer, int status)
{
	char want[32];

	(void)snprintf(want, sizeof(want), "HTTP/1.1 %d ", status);
	if (strncmp(answer, want, strlen(want)) != 0)
		print_error("expected %s, got: %.300s\n", want, answer);
	assert_int_equal(strncmp(answer, want, strlen(want)), 0);
}
