/*
 * http: the HTTP server: libmicrohttpd in front of handlers that are plain data.
 *
 * The library's threads read requests and write answers and never block: they answer what is in memory themselves, such as a
 * poll; any other whole request suspends its connection and goes to the handler pool; the answer is put beside it and
 * the connection resumed. Answers that wait for a run's change
 * (waiters.c) and streams of log lines (streams.c) hold no thread. The admin listener has a pool of its own, so that probes
 * never queue behind clients.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "handlers/app.h"
#include "handlers/http.h"
#include "sql/log_store.h"

struct http_server;

/* What the server asks of the rest. http_backend is the real one; tests have another. */
struct http_backend {
	void (*answer)(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply);
	/* From memory, on the library's thread: a body or a wait. False: not so; answer is asked, with a ctx of its own. */
	bool (*answer_at_once)(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply);
	/* The run's picture without asking a database, by ctx; NULL: not known now. */
	const struct board_page *(*page)(struct ctx *ctx, struct app *app, const char *run_id);
	/* A page of log lines. final: the run was finished before they were read. */
	bool (*lines)(struct ctx *ctx, struct app *app, const struct log_filter *filter, struct log_lines *lines,
	    bool *final);
};
extern const struct http_backend http_backend;

/* The server, not listening yet. Lives in ctx, which must outlive every caller of http_run_changed. */
struct http_server *http_new(struct ctx *ctx, struct app *app);
struct http_server *http_new_with(struct ctx *ctx, struct app *app, const struct http_backend *backend);

/* Binds and serves. The ctx outlives the server. FAIL_CONFIG_INVALID names the address that cannot be had. */
bool http_start(struct ctx *ctx, struct http_server *server) MUST_CHECK;

/* "http://127.0.0.1:8080", https with a certificate, with the port that was picked; NULL before start or without an admin listener. */
const char *http_url(const struct http_server *server);
const char *http_admin_url(const struct http_server *server);

/* A board_listener: wakes who waits for the run. Any thread, at any time of the server's memory. */
void http_run_changed(void *server, const char *run_id);

/* Waiting requests and streams end, every answer closes its connection. Connections are still taken, so that probes
 * and clients hear 503 while the rest of the service ends. Returns at once; idempotent. */
void http_drain(struct http_server *server);

/* Drains, takes no more connections, gives answers in flight 5 s, then ends all threads and connections. Right also when http_start was never called or failed. */
void http_stop(struct http_server *server);

#endif
