#include "server/exchange.h"

#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/uuid.h"

enum {
	KEPT_FACTOR = 4, /* growing a text keeps its old blocks */
	CTX_SPARE_BYTES = 1024 * 1024,
	SWALLOW_FACTOR = 8, /* of the limit: how much of a body that is too large is read to answer 413 */
};

static struct http_server *
server_of(const struct exchange *exchange)
{
	return exchange->listener->server;
}

static struct exchange *
exchange_new(struct http_listener *listener, struct MHD_Connection *connection, const char *url, const char *method)
{
	struct ctx *ctx = ctx_new("request", KEPT_FACTOR * http_body_limit(listener->server) + CTX_SPARE_BYTES);
	struct exchange *exchange = ctx_alloc(ctx, sizeof(*exchange));

	exchange->ctx = ctx;
	exchange->listener = listener;
	exchange->connection = connection;
	exchange->method_name = method;
	exchange->path = url;
	exchange->started_us = clock_monotonic_us();
	exchange->route = "none";
	text_init(&exchange->body, ctx);
	intake_tags(exchange);
	ctx_set_tags(ctx, &exchange->tags);
	return exchange;
}

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (value != NULL)
		(void)MHD_add_response_header(response, name, value);
}

/* What a page of another origin may see; to a preflight, what it may ask. */
static void
add_cors(const struct exchange *exchange, struct MHD_Response *response, const struct reply *reply)
{
	const struct edge *edge = http_edge(server_of(exchange));
	const char *allowed;

	if (!edge_has_origins(edge))
		return;
	add_header(response, "Vary", "Origin");
	allowed = edge_allow_origin(edge, MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Origin"));
	if (allowed == NULL)
		return;
	add_header(response, "Access-Control-Allow-Origin", allowed);
	add_header(response, "Access-Control-Expose-Headers", "Allow, ETag, Location, Retry-After, X-Request-Id");
	if (exchange->method != HTTP_OPTIONS || reply->status != 204)
		return;
	add_header(response, "Access-Control-Allow-Methods", reply->allow);
	add_header(response, "Access-Control-Allow-Headers",
	    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id, traceparent");
	add_header(response, "Access-Control-Max-Age", "600");
}

void
exchange_add_headers(const struct exchange *exchange, struct MHD_Response *response, const struct reply *reply)
{
	CTX_SCOPE(tmp, exchange->ctx);

	add_header(response, "Content-Type", reply->content_type);
	add_header(response, "ETag", reply->etag);
	add_header(response, "Location", reply->location);
	add_header(response, "Allow", reply->allow);
	add_header(response, "WWW-Authenticate", reply->authenticate ? "Bearer" : NULL);
	if (reply->retry_after_s > 0)
		add_header(response, "Retry-After", text_from_i64(tmp, reply->retry_after_s));
	add_header(response, "Cache-Control", reply->etag != NULL ? "no-cache" : "no-store");
	add_header(response, "X-Content-Type-Options", "nosniff");
	add_header(response, "X-Request-Id", exchange->request_id);
	add_cors(exchange, response, reply);
	if (http_is_draining(server_of(exchange)))
		add_header(response, "Connection", "close");
}

void
exchange_respond(struct exchange *exchange, const struct reply *reply)
{
	/* The library does not write to a body that it copies. */
	exchange->response =
	    MHD_create_response_from_buffer(reply->length, (void *)(uintptr_t)reply->body, MHD_RESPMEM_MUST_COPY);
	ASSERT(exchange->response != NULL);
	exchange->status = reply->status;
	exchange_add_headers(exchange, exchange->response, reply);
}

/* Counted before the client can see the answer, so that who reads the metrics next finds it. */
static void
count(const struct exchange *exchange, bool with_time)
{
	char status[8];
	double seconds = (double)(clock_monotonic_us() - exchange->started_us) / (double)CLOCK_SECOND_US;
	enum http_method method;
	bool known = http_method_find(exchange->method_name, &method);

	(void)snprintf(status, sizeof(status), "%d", exchange->status);
	metrics_add(METRIC_HTTP_REQUESTS,
	    METRIC_LABELS(exchange->route, known ? exchange->method_name : "other", status), 1);
	if (with_time)
		metrics_observe(METRIC_HTTP_DURATION, METRIC_LABELS(exchange->route), seconds);
}

static enum MHD_Result
send_response(struct exchange *exchange)
{
	enum MHD_Result queued =
	    MHD_queue_response(exchange->connection, (unsigned)exchange->status, exchange->response);

	MHD_destroy_response(exchange->response);
	exchange->response = NULL;
	exchange->state = EXCHANGE_SENT;
	return queued;
}

/* Answers from the library's own thread with the failure of the exchange's ctx, and closes the connection. */
static enum MHD_Result
refuse(struct exchange *exchange, struct reply *reply)
{
	reply->route = NULL;
	reply_problem(exchange->ctx, &(struct request){.path = exchange->path}, reply);
	exchange_respond(exchange, reply);
	add_header(exchange->response, "Connection", "close");
	count(exchange, true);
	exchange->owed = true;
	http_owes(server_of(exchange));
	return send_response(exchange);
}

/* Keeps what is within the limit, swallows somewhat more to be able to answer, and gives up on the rest. */
static enum MHD_Result
receive(struct exchange *exchange, const char *upload, size_t *size)
{
	size_t limit = http_body_limit(server_of(exchange));

	exchange->body_received += *size;
	if (exchange->body_received <= limit)
		text_add_bytes(&exchange->body, upload, *size);
	*size = 0;
	return exchange->body_received <= SWALLOW_FACTOR * limit ? MHD_YES : MHD_NO;
}

static struct reaper_entry *
entry_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

void
exchange_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
    enum MHD_ConnectionNotificationCode what)
{
	const struct http_listener *listener = cls;
	struct reaper *reaper = http_reaper(listener->server);
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		reaper_remove(reaper, *socket_context);
		*socket_context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		*socket_context = reaper_add(reaper, info->connect_fd);
}

/* The first line of a request is there. The answer is the request's first state: none. */
void *
exchange_begins(void *cls, const char *uri, struct MHD_Connection *connection)
{
	const struct http_listener *listener = cls;

	(void)uri;
	reaper_enter(http_reaper(listener->server), entry_of(connection), REAPER_READING);
	return NULL;
}

/* What is answered at once, from memory, whoever else waits for a database: probes, and runs that are on the board. */
static bool
is_quick(const struct exchange *exchange)
{
	static const char run[] = "/v1/runs/";
	const char *path = exchange->path, *id = path + strlen(run);
	struct http_server *server = server_of(exchange);
	CTX_SCOPE(tmp, exchange->ctx);

	if (strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0)
		return true;
	return (exchange->method == HTTP_GET || exchange->method == HTTP_HEAD) &&
	       strncmp(path, run, strlen(run)) == 0 && uuid_is_valid(id) &&
	       http_server_backend(server)->page(tmp, http_app(server), id) != NULL;
}

/* The request is whole. */
static enum MHD_Result
dispatch(struct exchange *exchange)
{
	struct reply reply = {0};
	size_t limit = http_body_limit(server_of(exchange));
	const struct http_listener *listener = exchange->listener;

	reaper_enter(http_reaper(listener->server), entry_of(exchange->connection), REAPER_ANSWERING);
	if (exchange->body_received > limit) {
		(void)fail(exchange->ctx, FAIL_PAYLOAD_TOO_LARGE, "a body may have %zu bytes", limit);
		return refuse(exchange, &reply);
	}
	if (!http_may_suspend(server_of(exchange))) {
		(void)fail(exchange->ctx, FAIL_DRAINING, "this replica has shut down");
		return refuse(exchange, &reply);
	}
	exchange->owed = true;
	http_owes(server_of(exchange));
	exchange->state = EXCHANGE_ANSWERING;
	MHD_suspend_connection(exchange->connection);
	handler_pool_push(is_quick(exchange) ? listener->quick : listener->pool, &exchange->job);
	return MHD_YES;
}

enum MHD_Result
exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **state)
{
	struct exchange *exchange = *state;
	struct reply reply = {0};

	(void)version;
	if (exchange == NULL) {
		*state = exchange = exchange_new(cls, connection, url, method);
		return intake_check(exchange, &reply) ? MHD_YES : refuse(exchange, &reply);
	}
	switch (exchange->state) {
	case EXCHANGE_RECEIVING: return *upload_size > 0 ? receive(exchange, upload, upload_size) : dispatch(exchange);
	case EXCHANGE_READY: return send_response(exchange);
	case EXCHANGE_ANSWERING:
	case EXCHANGE_SENT: *upload_size = 0; break;
	}
	return MHD_YES;
}

void
exchange_completed(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
	struct exchange *exchange = *state;
	struct http_listener *listener = cls;
	bool owed;

	(void)why;
	reaper_enter(http_reaper(listener->server), entry_of(connection), REAPER_IDLE);
	if (exchange == NULL)
		return;
	owed = exchange->owed;
	if (exchange->response != NULL)
		MHD_destroy_response(exchange->response);
	ctx_free(exchange->ctx);
	*state = NULL;
	if (owed)
		http_paid(listener->server);
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
	exchange_respond(exchange, &reply);
	count(exchange, false);
	hand_back(exchange);
}

static void
stream_out(struct exchange *exchange, const struct reply *reply)
{
	exchange->response = streams_open(http_streams(server_of(exchange)), exchange->connection, reply);
	exchange->status = reply->status;
	exchange_add_headers(exchange, exchange->response, reply);
	add_header(exchange->response, "X-Accel-Buffering", "no");
	count(exchange, false);
	hand_back(exchange);
}

static void
note(struct ctx *ctx, const struct exchange *exchange, const struct reply *reply)
{
	if (reply->status >= 500 && ctx_failure(ctx)->code != FAIL_DRAINING)
		log_failure(ctx, "a request failed");
	else
		log_line(ctx, LOG_DEBUG, "request", "method", exchange->method_name, "path", exchange->path, "status",
		    text_from_i64(ctx, reply->status), "request_id", exchange->request_id, NULL);
}

static bool
is_admin_path(const char *path)
{
	return strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0 || strcmp(path, "/metrics") == 0;
}

static void
ask_backend(struct ctx *ctx, struct exchange *exchange, struct reply *reply)
{
	struct http_server *server = server_of(exchange);
	struct ctx_tags tags = *ctx_get_tags(ctx);
	struct request request;
	bool readable = intake_request(ctx, exchange, &request);

	tags.client = request.client;
	ctx_set_tags(ctx, &tags);
	if (!readable) {
		reply_problem(ctx, &request, reply);
	} else if (exchange->listener->admin && !is_admin_path(request.path)) {
		(void)fail(ctx, FAIL_NOT_FOUND, "this listener serves /healthz, /readyz and /metrics alone");
		reply_problem(ctx, &request, reply);
	} else {
		http_server_backend(server)->answer(ctx, http_app(server), &request, reply);
	}
	exchange->route = reply->route != NULL ? reply->route : "none";
}

static void
carry_out(struct exchange *exchange, const struct reply *reply)
{
	switch (reply->kind) {
	case REPLY_BODY:
		exchange_respond(exchange, reply);
		count(exchange, true);
		hand_back(exchange);
		break;
	case REPLY_WAIT:
		waiters_add(http_waiters(server_of(exchange)), &exchange->waiter, reply->run_id, reply->etag,
		    reply->wait_ms);
		break;
	case REPLY_STREAM: stream_out(exchange, reply); break;
	}
}

void
exchange_run(struct handler_job *job)
{
	struct exchange *exchange = (struct exchange *)(void *)job;
	struct ctx *ctx =
	    ctx_new("request", 0); /* sessions and memory go back before a slow client has read the answer */
	struct ctx_tags tags = {.trace_id = ctx_strdup(ctx, exchange->tags.trace_id)};
	struct reply reply = {0};

	ctx_set_tags(ctx, &tags);
	ask_backend(ctx, exchange, &reply);
	note(ctx, exchange, &reply);
	carry_out(exchange, &reply);
	ctx_free(ctx);
}
