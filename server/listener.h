/*
 * listener: one address we listen on, and the library's daemons that serve it.
 *
 * A daemon keeps the certificate it was started with. A renewed one gets a daemon of its own on the same socket; the one before takes no
 * more connections, and is stopped when the last of its own has gone. Threads: one at a time.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "server/edge.h"
#include "server/handler_pool.h"

struct http_server;
struct listener_daemon;

struct listener_needs {
	const char *variable, *address;
	unsigned daemon_threads, connections;
	int handler_threads, quick_threads;
};

struct http_listener {
	struct http_server *server;
	struct listener_needs needs;
	struct listener_daemon *daemons; /* the newest first: it alone takes connections */
	struct handler_pool *pool;
	struct handler_pool *quick; /* for answers that ask nobody, so that they never queue behind those that do */
	const char *url;
	bool admin; /* serves health and metrics alone; plain: what asks it knows no certificates */
};

/* Before the first one starts: what the library says goes to the log. */
void listener_prepare_library(void);

/* Binds and serves. certificate.chain NULL: plain HTTP. Texts and pools live in the ctx. */
bool listener_start(struct ctx *ctx, struct http_listener *listener, const struct listener_needs *needs,
    const struct edge_certificate *certificate) MUST_CHECK;

/* New connections get this certificate from now on. False: the library refuses it, and the one before stays. */
bool listener_renew(struct ctx *ctx, struct http_listener *listener,
    const struct edge_certificate *certificate) MUST_CHECK;

/* Stops daemons of earlier certificates that have no connection any more. */
void listener_bury(struct http_listener *listener);

/* Takes no more connections; those that are there go on. */
void listener_quiesce(struct http_listener *listener);

/* Ends threads and connections; none may be suspended. Right also when it was never started. */
void listener_stop(struct http_listener *listener);

#endif
