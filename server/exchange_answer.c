/* exchange_answer: what the rest of the service says to a request, on a handler's thread or at once on the library's. */
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "server/exchange.h"

static struct http_server *
server_of(const struct exchange *exchange)
{
	return exchange->listener->server;
}

/* Counted before the client can see the answer, so that who reads the metrics next finds it. */
void
exchange_count(const struct exchange *exchange, bool with_time)
{
	double seconds = (double)(clock_monotonic_us() - exchange->started_us) / (double)CLOCK_SECOND_US;
	enum http_method method;
	bool known = http_method_find(exchange->method_name, &method);

	metrics_add(METRIC_HTTP_REQUESTS,
	    METRIC_LABELS(exchange->route, known ? exchange->method_name : "other",
		text_from_i64(exchange->ctx, exchange->status)),
	    1);
	if (with_time)
		metrics_observe(METRIC_HTTP_DURATION, METRIC_LABELS(exchange->route), seconds);
}

static void
note(struct ctx *ctx, struct exchange *exchange, const struct reply *reply)
{
	exchange->route = reply->route != NULL ? reply->route : "none";
	if (reply->status >= 500 && ctx_failure(ctx)->code != FAIL_DRAINING)
		log_failure(ctx, "a request failed");
	else
		log_line(ctx, LOG_DEBUG, "request", "method", exchange->method_name, "path", exchange->path, "status",
		    text_from_i64(ctx, reply->status), "request_id", exchange->request_id, NULL);
}

static bool
is_served(const struct http_listener *listener, const char *path)
{
	return !listener->admin || strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0 ||
	       strcmp(path, "/metrics") == 0;
}

/* The request as plain data, and who sent it in the tags of the ctx. */
static bool
read_request(struct ctx *ctx, const struct exchange *exchange, struct request *request)
{
	struct ctx_tags tags = {.trace_id = ctx_strdup(ctx, exchange->tags.trace_id)};
	bool readable = intake_request(ctx, exchange, request);

	tags.client = request->client;
	ctx_set_tags(ctx, &tags);
	return readable;
}

static void
ask_backend(struct ctx *ctx, struct exchange *exchange, struct reply *reply)
{
	struct http_server *server = server_of(exchange);
	struct request request;

	if (!read_request(ctx, exchange, &request)) {
		reply_problem(ctx, &request, reply);
	} else if (!is_served(exchange->listener, request.path)) {
		(void)fail(ctx, FAIL_NOT_FOUND, "this listener serves /healthz, /readyz and /metrics alone");
		reply_problem(ctx, &request, reply);
	} else {
		http_server_backend(server)->answer(ctx, http_app(server), &request, reply);
	}
}

static bool
ask_memory(struct ctx *ctx, struct exchange *exchange, struct reply *reply)
{
	struct http_server *server = server_of(exchange);
	struct request request;

	return is_served(exchange->listener, exchange->path) && read_request(ctx, exchange, &request) &&
	       http_server_backend(server)->answer_at_once(ctx, http_app(server), &request, reply);
}

/* The last look at the exchange from this thread: the library's may free it from now on. */
static void
hand_back(struct exchange *exchange)
{
	exchange->state = EXCHANGE_READY;
	http_resume(server_of(exchange), exchange->connection);
}

void
exchange_answer_waiter(struct waiter *waiter, const struct board_page *page)
{
	struct exchange *exchange = (struct exchange *)(void *)((char *)waiter - offsetof(struct exchange, waiter));
	struct reply reply = {
	    .status = 304,
	    .etag = waiter->etag,
	    .body = "",
	    .retry_after_s = http_is_draining(server_of(exchange)) ? 1 : 0, /* not at once again */
	};

	if (page != NULL)
		reply = (struct reply){
		    .status = 200,
		    .etag = page->etag,
		    .content_type = "application/json",
		    .body = page->body,
		    .length = page->length,
		};
	response_make(exchange, &reply);
	exchange_count(exchange, false);
	hand_back(exchange);
}

static void
stream_out(struct exchange *exchange, const struct reply *reply)
{
	exchange->response = streams_open(http_streams(server_of(exchange)), exchange->connection, reply);
	exchange->status = reply->status;
	response_add_headers(exchange, exchange->response, reply);
	(void)MHD_add_response_header(exchange->response, "X-Accel-Buffering", "no");
	exchange_count(exchange, false);
	hand_back(exchange);
}

static void
hold(struct exchange *exchange, const struct reply *reply)
{
	waiters_add(http_waiters(server_of(exchange)), &exchange->waiter, reply->run_id, reply->etag, reply->wait_ms);
}

static void
make_body(struct exchange *exchange, const struct reply *reply)
{
	response_make(exchange, reply);
	exchange_count(exchange, true);
}

static void
carry_out(struct exchange *exchange, const struct reply *reply)
{
	switch (reply->kind) {
	case REPLY_BODY:
		make_body(exchange, reply);
		hand_back(exchange);
		break;
	case REPLY_WAIT: hold(exchange, reply); break;
	case REPLY_STREAM: stream_out(exchange, reply); break;
	}
}

void
exchange_run(struct handler_job *job)
{
	struct exchange *exchange = (struct exchange *)(void *)job;
	struct ctx *ctx =
	    ctx_new("request", 0); /* sessions and memory go back before a slow client has read the answer */
	struct reply reply = {0};

	ask_backend(ctx, exchange, &reply);
	note(ctx, exchange, &reply);
	carry_out(exchange, &reply);
	ctx_free(ctx);
}

bool
exchange_run_at_once(struct exchange *exchange, bool *ready)
{
	struct ctx *ctx = ctx_new("request", 0);
	struct reply reply = {0};
	bool answered = ask_memory(ctx, exchange, &reply);

	*ready = reply.kind == REPLY_BODY;
	ASSERT(reply.kind != REPLY_STREAM);
	if (answered && !*ready)
		answered = exchange_suspend(exchange);
	if (answered) {
		note(ctx, exchange, &reply);
		metrics_add(METRIC_HTTP_AT_ONCE, METRIC_LABELS(exchange->route), 1);
		if (*ready)
			make_body(exchange, &reply);
		else
			hold(exchange, &reply);
	}
	ctx_free(ctx);
	return answered;
}
