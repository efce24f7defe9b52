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
#include "server/listen.h"

enum {
	DAEMON_THREADS = 2,
	ADMIN_THREADS = 2,
	QUICK_THREADS = 2,
	ADMIN_CONNECTIONS = 128,
	MEMORY_LIMIT_BYTES = 64 * 1024,
	IDLE_TIMEOUT_S = 60,
	DRAIN_MS = 5000,
};

static const char tls_versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

struct http_server {
	struct ctx *ctx;
	struct app *app;
	const struct http_backend *backend;
	struct waiters *waiters;
	struct streams *streams;
	struct reaper *reaper;
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
	server->api = (struct http_listener){.server = server, .quiesced_fd = -1};
	server->admin = (struct http_listener){.server = server, .quiesced_fd = -1, .admin = true};
	ASSERT(pthread_mutex_init(&server->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&monotonic) == 0);
	ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&server->changed, &monotonic) == 0);
	server->waiters = waiters_new(ctx,
	    &(struct waiters_options){.page = find_page, .answer = exchange_answer_waiter, .arg = server});
	server->streams = streams_new(ctx, &(struct streams_options){.lines = read_lines, .arg = server});
	server->reaper = reaper_new(ctx);
	return server;
}

struct http_server *
http_new(struct ctx *ctx, struct app *app)
{
	return http_new_with(ctx, app, &http_backend);
}

/* Paths and queries stay as they were sent: the library would cut them at %00. */
static size_t
keep_raw(void *cls, struct MHD_Connection *connection, char *s)
{
	(void)cls;
	(void)connection;
	return strlen(s);
}

static void log_library(void *cls, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

/* Mostly clients that left. */
static void
log_library(void *cls, const char *fmt, va_list args)
{
	struct ctx *ctx = ctx_new("libmicrohttpd", 0);
	char *message = ctx_vprintf(ctx, fmt, args);

	(void)cls;
	message[strcspn(message, "\n")] = '\0';
	log_line(ctx, LOG_DEBUG, "HTTP library", "detail", message, NULL);
	ctx_free(ctx);
}

static void
library_panic(void *cls, const char *file, unsigned line, const char *reason)
{
	(void)cls;
	log_line(NULL, LOG_ERROR, "HTTP library gave up", "file", file, "reason", reason, NULL);
	bug(reason != NULL ? reason : "libmicrohttpd", file, (int)line);
}

/* Probes stay plain: what asks them knows no certificates. */
static bool
speaks_tls(const struct http_listener *listener)
{
	return !listener->admin && http_edge(listener->server)->certificate != NULL;
}

static struct MHD_Daemon *
start_daemon(struct http_listener *listener, int fd, unsigned threads, unsigned connections)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem more[5];
	size_t count = 0;

	if (threads > 1)
		more[count++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, threads, NULL};
	if (speaks_tls(listener)) {
		const struct edge *edge = http_edge(listener->server);

		flags |= MHD_USE_TLS;
		more[count++] =
		    (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)edge->certificate};
		more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)edge->key};
		more[count++] =
		    (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_versions};
	}
	more[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	return MHD_start_daemon(flags, 0, NULL, NULL, exchange_handle, listener, MHD_OPTION_EXTERNAL_LOGGER,
	    log_library, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_UNESCAPE_CALLBACK, keep_raw, NULL, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, listener,
	    MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_LIMIT_BYTES,
	    MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, listener, MHD_OPTION_URI_LOG_CALLBACK, exchange_begins,
	    listener, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

struct listener_needs {
	const char *variable, *address;
	unsigned daemon_threads, connections;
	int handler_threads;
};

static bool
start_listener(struct ctx *ctx, struct http_listener *listener, const struct listener_needs *needs)
{
	const char *place;
	int fd;

	if (!listen_open(ctx, needs->variable, needs->address, &fd, &place))
		return false;
	listener->url = ctx_printf(ctx, "%s://%s", speaks_tls(listener) ? "https" : "http", place);
	listener->pool = handler_pool_start(listener->server->ctx, needs->handler_threads, exchange_run);
	listener->quick = handler_pool_start(listener->server->ctx, QUICK_THREADS, exchange_run);
	listener->daemon = start_daemon(listener, fd, needs->daemon_threads, needs->connections);
	if (listener->daemon != NULL)
		return true;
	(void)close(fd);
	return fail(ctx, FAIL_CONFIG_INVALID, "%s: the HTTP library does not start on %s%s", needs->variable,
	    needs->address, speaks_tls(listener) ? ": do LOADSTAR_TLS_CERT and LOADSTAR_TLS_KEY fit?" : "");
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
	};
	struct listener_needs admin = {
	    .variable = "LOADSTAR_ADMIN_LISTEN",
	    .address = config->admin_listen,
	    .daemon_threads = 1,
	    .connections = ADMIN_CONNECTIONS,
	    .handler_threads = ADMIN_THREADS,
	};

	if (!edge_open(ctx, config, &server->edge))
		return false;
	MHD_set_panic_func(library_panic, NULL);
	waiters_start(server->waiters);
	streams_start(server->streams);
	reaper_start(server->reaper);
	return (config->admin_listen == NULL || start_listener(ctx, &server->admin, &admin)) &&
	       start_listener(ctx, &server->api, &api);
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

static void
quiesce(struct http_listener *listener)
{
	if (listener->daemon != NULL && listener->quiesced_fd < 0)
		listener->quiesced_fd = MHD_quiesce_daemon(listener->daemon);
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

static void
stop_listener(struct http_listener *listener)
{
	if (listener->daemon != NULL)
		MHD_stop_daemon(listener->daemon);
	if (listener->quiesced_fd >= 0)
		(void)close(listener->quiesced_fd);
	if (listener->pool != NULL)
		handler_pool_stop(listener->pool);
	if (listener->quick != NULL)
		handler_pool_stop(listener->quick);
	*listener = (struct http_listener){.server = listener->server, .quiesced_fd = -1, .admin = listener->admin};
}

void
http_stop(struct http_server *server)
{
	http_drain(server);
	quiesce(&server->api);
	quiesce(&server->admin);
	wait_for_none(server, &server->owed, DRAIN_MS);
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pthread_mutex_unlock(&server->lock);
	wait_for_none(server, &server->suspended, 0);
	stop_listener(&server->api);
	stop_listener(&server->admin);
	waiters_stop(server->waiters);
	streams_stop(server->streams);
	reaper_stop(server->reaper);
}
