/*
 * exchange: one request and its answer, between libmicrohttpd's threads and the handler pool.
 *
 * DESIGN. States: RECEIVING (the library's thread reads head and body) → ANSWERING (the connection is suspended; the exchange
 * belongs to a handler thread, then perhaps to waiters) → READY (response is set, the connection resumed) → SENT (the
 * library's thread queued the response). An answer that is in memory goes from RECEIVING to SENT without a change of thread:
 * two of those cost more than the answer. Responses are queued by the library's own thread alone: queueing from another one
 * races with the end of the call that suspended. Memory is freed when the library says the request is over.
 */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <microhttpd.h>

#include "base/text.h"
#include "server/handler_pool.h"
#include "server/http.h"
#include "server/listener.h"
#include "server/reaper.h"
#include "server/streams.h"
#include "server/waiters.h"

enum exchange_state { EXCHANGE_RECEIVING, EXCHANGE_ANSWERING, EXCHANGE_READY, EXCHANGE_SENT };

struct exchange {
	struct handler_job job; /* first: a job is its exchange */
	struct waiter waiter;
	struct ctx *ctx; /* owns the exchange too */
	struct http_listener *listener;
	struct MHD_Connection *connection;
	enum exchange_state state;
	const char *method_name; /* as sent */
	enum http_method method;
	const char *path; /* raw */
	struct text body;
	size_t body_received; /* more than the limit: not kept */
	int64_t started_us;   /* monotonic */
	struct ctx_tags tags;
	const char *request_id;
	const char *route; /* static: for metrics */
	struct MHD_Response *response;
	bool large; /* a whole answer that a slow client takes its time for */
	bool owed;  /* http_owes was told */
	int status;
};

/* libmicrohttpd's callbacks; cls is the listener. */
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **state);
void exchange_completed(void *cls, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode why);

void exchange_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
    enum MHD_ConnectionNotificationCode what);
void *exchange_begins(void *cls, const char *uri, struct MHD_Connection *connection);

/* The handler pool's work, and waiters' end of it. */
void exchange_run(struct handler_job *job);
void exchange_answer_waiter(struct waiter *waiter, const struct board_page *page);

/* Answers on the library's own thread what is in memory. False: nothing has happened, a handler has to. *ready: the response
 * is there to be queued; else the exchange is suspended and belongs to the waiters. */
bool exchange_run_at_once(struct exchange *exchange, bool *ready) MUST_CHECK;

/* From now on the exchange belongs to others, until its connection is resumed; false once the server stops. */
bool exchange_suspend(struct exchange *exchange) MUST_CHECK;

/* Tells the metrics of an answer. with_time: of how long it took, too. */
void exchange_count(const struct exchange *exchange, bool with_time);

/* Sets response and status from a reply whose kind is REPLY_BODY; the body is copied. */
void response_make(struct exchange *exchange, const struct reply *reply);

/* Headers every answer has. */
void response_add_headers(const struct exchange *exchange, struct MHD_Response *response, const struct reply *reply);

/* What is wrong with a request head, before its body is read: a failure in exchange->ctx and what it allows. */
bool intake_check(struct exchange *exchange, struct reply *reply) MUST_CHECK;

/* True when the library may have taken a part of the head for the body, so that what comes after the request is the rest of it. */
bool intake_may_be_torn(const struct exchange *exchange);

/* The request as plain data: query and client decoded strictly. */
bool intake_request(struct ctx *ctx, const struct exchange *exchange, struct request *request) MUST_CHECK;

/* Request id and trace of the log lines: the client's where they are well-formed, else new ones. */
void intake_tags(struct exchange *exchange);

/* Of the server, for exchanges. */
struct app *http_app(const struct http_server *server);
const struct http_backend *http_server_backend(const struct http_server *server);
struct waiters *http_waiters(const struct http_server *server);
struct streams *http_streams(const struct http_server *server);
struct reaper *http_reaper(const struct http_server *server);
const struct edge *http_edge(const struct http_server *server);
bool http_is_draining(const struct http_server *server);
size_t http_body_limit(const struct http_server *server);

/* Counts an exchange from the end of its request to the end of its answer. A request that is not whole is owed nothing: the
 * library does not see that its client left before the idle timeout. */
void http_owes(struct http_server *server);
void http_paid(struct http_server *server);

/* Permission to suspend a connection; false once the server stops. Each true is followed by http_resume. */
bool http_may_suspend(struct http_server *server) MUST_CHECK;
void http_resume(struct http_server *server, struct MHD_Connection *connection);

#endif
