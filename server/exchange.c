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

static struct reaper_entry *
entry_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static enum MHD_Result
send_response(struct exchange *exchange)
{
	enum MHD_Result queued =
	    MHD_queue_response(exchange->connection, (unsigned)exchange->status, exchange->response);

	if (exchange->large)
		reaper_enter(http_reaper(server_of(exchange)), entry_of(exchange->connection), REAPER_SENDING);
	MHD_destroy_response(exchange->response);
	exchange->response = NULL;
	exchange->state = EXCHANGE_SENT;
	return queued;
}

static void
owe(struct exchange *exchange)
{
	if (!exchange->owed)
		http_owes(server_of(exchange));
	exchange->owed = true;
}

/* Answers from the library's own thread with the failure of the exchange's ctx, and closes the connection. */
static enum MHD_Result
refuse(struct exchange *exchange, struct reply *reply)
{
	reply->route = NULL;
	reply_problem(exchange->ctx, &(struct request){.path = exchange->path}, reply);
	response_make(exchange, reply);
	(void)MHD_add_response_header(exchange->response, "Connection", "close");
	exchange_count(exchange, true);
	owe(exchange);
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

bool
exchange_suspend(struct exchange *exchange)
{
	if (!http_may_suspend(server_of(exchange)))
		return false;
	exchange->state = EXCHANGE_ANSWERING;
	MHD_suspend_connection(exchange->connection);
	return true;
}

/* What asks nobody and still was not answered at once: probes that say no, runs on the board asked for with a token that is
 * new, or wrongly. It never waits behind those who ask a database. */
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
	bool ready;

	reaper_enter(http_reaper(listener->server), entry_of(exchange->connection), REAPER_ANSWERING);
	if (exchange->body_received > limit) {
		(void)fail(exchange->ctx, FAIL_PAYLOAD_TOO_LARGE, "a body may have %zu bytes", limit);
		return refuse(exchange, &reply);
	}
	owe(exchange);
	if (exchange_run_at_once(exchange, &ready))
		return ready ? send_response(exchange) : MHD_YES;
	if (!exchange_suspend(exchange)) {
		(void)fail(exchange->ctx, FAIL_DRAINING, "this replica has shut down");
		return refuse(exchange, &reply);
	}
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
