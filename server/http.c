/*
 * DESIGN. libmicrohttpd aborts the process when it is stopped while a connection is suspended, and it
 * stops without finishing answers. So the end has steps. Draining: waiting requests and streams end, none begins, every
 * answer closes its connection; new connections are still taken, because a probe must hear 503 and not
 * hang. Stop: the listening sockets are taken from the daemons, owed answers run out or out of
 * time; then nothing may suspend any more, and a wait without limit until no connection is suspended, which ends because
 * handlers end; only then the daemons are stopped.
 */
#include "server/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "server/exchange.h"
#include "server/renewal.h"

enum {
	DAEMON_THREADS = 2,
	ADMIN_THREADS = 2,
	QUICK_THREADS = 2,
	ADMIN_CONNECTIONS = 128,
	DRAIN_MS = 5000,
};

struct http_server {
	struct ctx *ctx;
	struct app *app;
	const struct http_backend *backend;
	struct waiters *waiters;
	struct streams *streams;
	struct reaper *reaper;
	struct renewal *renewal; /* NULL: plain HTTP */
	struct edge edge;
	struct http_listener api, admin;
	atomic_bool draining;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t owed;      /* answers to whole requests */
	size_t suspended; /* connections given to handlers or waiters */
	bool stopping;
};

struct app *
http_app(const struct http_server *server)
{
	return server->app;
}

const struct http_backend *
http_server_backend(const struct http_server *server)
{
	return server->backend;
}

struct waiters *
http_waiters(const struct http_server *server)
{
	return server->waiters;
}

struct streams *
http_streams(const struct http_server *server)
{
	return server->streams;
}

struct reaper *
http_reaper(const struct http_server *server)
{
	return server->reaper;
}

const struct edge *
http_edge(const struct http_server *server)
{
	return &server->edge;
}

bool
http_is_draining(const struct http_server *server)
{
	return atomic_load(&server->draining) || atomic_load(&server->app->draining);
}

size_t
http_body_limit(const struct http_server *server)
{
	return (size_t)server->app->config->http_body_bytes;
}

void
http_owes(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->owed++;
	pthread_mutex_unlock(&server->lock);
}

void
http_paid(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->owed--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

bool
http_may_suspend(struct http_server *server)
{
	bool may;

	pthread_mutex_lock(&server->lock);
	may = !server->stopping;
	if (may)
		server->suspended++;
	pthread_mutex_unlock(&server->lock);
	return may;
}

void
http_resume(struct http_server *server, struct MHD_Connection *connection)
{
	MHD_resume_connection(connection);
	pthread_mutex_lock(&server->lock);
	server->suspended--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static const struct board_page *
find_page(struct ctx *ctx, void *arg, const char *run_id)
{
	struct http_server *server = arg;

	return server->backend->page(ctx, server->app, run_id);
}

static bool
read_lines(struct ctx *ctx, void *arg, const struct log_filter *filter, struct log_lines *lines, bool *final)
{
	struct http_server *server = arg;

	return server->backend->lines(ctx, server->app, filter, lines, final);
}

struct http_server *
http_new_with(struct ctx *ctx, struct app *app, const struct http_backend *backend)
{
	struct http_server *server = ctx_alloc(ctx, sizeof(*server));
	pthread_condattr_t monotonic;

	server->ctx = ctx;
	server->app = app;
	server->backend = backend;
	server->api = (struct http_listener){.server = server};
	server->admin = (struct http_listener){.server = server, .admin = true};
	ASSERT(pthread_mutex_init(&server->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&monotonic) == 0);
	ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&server->changed, &monotonic) == 0);
	server->waiters = waiters_new(ctx,
	    &(struct waiters_options){.page = find_page, .answer = exchange_answer_waiter, .arg = server});
	server->streams = streams_new(ctx, &(struct streams_options){.lines = read_lines, .arg = server});
	server->reaper = reaper_new(ctx, &reaper_limits);
	return server;
}

struct http_server *
http_new(struct ctx *ctx, struct app *app)
{
	return http_new_with(ctx, app, &http_backend);
}

/* At least one, and what libmicrohttpd can share among its threads. */
static int64_t
at_least(int64_t value, int64_t least)
{
	return value > least ? value : least;
}

bool
http_start(struct ctx *ctx, struct http_server *server)
{
	const struct config *config = server->app->config;
	struct listener_needs api = {
	    .variable = "LOADSTAR_LISTEN",
	    .address = config->listen,
	    .daemon_threads = DAEMON_THREADS,
	    .connections = (unsigned)at_least(config->http_connections, DAEMON_THREADS),
	    .handler_threads = (int)at_least(config->http_threads, 1),
	    .quick_threads = QUICK_THREADS,
	};
	struct listener_needs admin = {
	    .variable = "LOADSTAR_ADMIN_LISTEN",
	    .address = config->admin_listen,
	    .daemon_threads = 1,
	    .connections = ADMIN_CONNECTIONS,
	    .handler_threads = ADMIN_THREADS,
	    .quick_threads = QUICK_THREADS,
	};

	if (!edge_open(ctx, config, &server->edge))
		return false;
	listener_prepare_library();
	waiters_start(server->waiters);
	streams_start(server->streams);
	reaper_start(server->reaper);
	if ((config->admin_listen != NULL &&
		!listener_start(ctx, &server->admin, &admin, &(struct edge_certificate){NULL, NULL})) ||
	    !listener_start(ctx, &server->api, &api, &server->edge.certificate))
		return false;
	if (server->edge.certificate.chain != NULL)
		server->renewal = renewal_start(ctx, config, &server->api, &server->edge.certificate);
	return true;
}

const char *
http_url(const struct http_server *server)
{
	return server->api.url;
}

const char *
http_admin_url(const struct http_server *server)
{
	return server->admin.url;
}

void
http_run_changed(void *arg, const char *run_id)
{
	struct http_server *server = arg;

	waiters_changed(server->waiters, run_id);
	streams_changed(server->streams, run_id);
}

/* Until *count is 0, or out of time when there is a limit. */
static void
wait_for_none(struct http_server *server, const size_t *count, int64_t limit_ms)
{
	int64_t until_us = clock_monotonic_us() + limit_ms * 1000;
	struct timespec until = {until_us / CLOCK_SECOND_US, until_us % CLOCK_SECOND_US * 1000};
	int waited = 0;

	pthread_mutex_lock(&server->lock);
	while (*count > 0 && waited == 0) {
		if (limit_ms > 0)
			waited = pthread_cond_timedwait(&server->changed, &server->lock, &until);
		else
			pthread_cond_wait(&server->changed, &server->lock);
	}
	pthread_mutex_unlock(&server->lock);
}

void
http_drain(struct http_server *server)
{
	atomic_store(&server->draining, true);
	waiters_drain(server->waiters);
	streams_drain(server->streams);
}

void
http_stop(struct http_server *server)
{
	http_drain(server);
	renewal_stop(server->renewal);
	server->renewal = NULL;
	listener_quiesce(&server->api);
	listener_quiesce(&server->admin);
	wait_for_none(server, &server->owed, DRAIN_MS);
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pthread_mutex_unlock(&server->lock);
	wait_for_none(server, &server->suspended, 0);
	listener_stop(&server->api);
	listener_stop(&server->admin);
	waiters_stop(server->waiters);
	streams_stop(server->streams);
	reaper_stop(server->reaper);
}
