#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/log.h"
#include "server/exchange.h"
#include "server/listen.h"

enum {
	/* A connection's: a request's head must fit, and the library clears it each time. */
	MEMORY_LIMIT_BYTES = 32 * 1024,
	IDLE_TIMEOUT_S = 60,
};

static const char tls_versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

struct listener_daemon {
	struct listener_daemon *next;
	struct ctx *ctx; /* owns this, and the certificate, which the library does not copy */
	struct MHD_Daemon *daemon;
	int fd; /* the library's own until it is quiesced, then closed after the daemon's end */
	bool quiesced;
};

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

void
listener_prepare_library(void)
{
	MHD_set_panic_func(library_panic, NULL);
}

static struct MHD_OptionItem
text_option(enum MHD_OPTION option, const char *text)
{
	return (struct MHD_OptionItem){option, 0, (void *)(uintptr_t)text};
}

static struct MHD_Daemon *
start_daemon(struct http_listener *listener, int fd, const struct edge_certificate *certificate)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	const struct listener_needs *needs = &listener->needs;
	struct MHD_OptionItem more[5];
	size_t count = 0;

	if (needs->daemon_threads > 1)
		more[count++] =
		    (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)needs->daemon_threads, NULL};
	if (certificate->chain != NULL) {
		flags |= MHD_USE_TLS;
		more[count++] = text_option(MHD_OPTION_HTTPS_MEM_CERT, certificate->chain);
		more[count++] = text_option(MHD_OPTION_HTTPS_MEM_KEY, certificate->key);
		more[count++] = text_option(MHD_OPTION_HTTPS_PRIORITIES, tls_versions);
	}
	more[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	return MHD_start_daemon(flags, 0, NULL, NULL, exchange_handle, listener, MHD_OPTION_EXTERNAL_LOGGER,
	    log_library, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_UNESCAPE_CALLBACK, keep_raw, NULL, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, listener,
	    MHD_OPTION_CONNECTION_LIMIT, needs->connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)MEMORY_LIMIT_BYTES, MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, listener,
	    MHD_OPTION_URI_LOG_CALLBACK, exchange_begins, listener, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

/* Puts a daemon on fd before the others. False: fd is still the caller's. */
static bool
add_daemon(struct http_listener *listener, int fd, const struct edge_certificate *certificate)
{
	struct ctx *ctx = ctx_new("listener", 0);
	struct listener_daemon *added = ctx_alloc(ctx, sizeof(*added));
	struct edge_certificate own = {ctx_strdup(ctx, certificate->chain), ctx_strdup(ctx, certificate->key)};

	*added = (struct listener_daemon){.next = listener->daemons, .ctx = ctx, .fd = fd};
	added->daemon = start_daemon(listener, fd, &own);
	if (added->daemon == NULL) {
		ctx_free(ctx);
		return false;
	}
	listener->daemons = added;
	return true;
}

bool
listener_start(struct ctx *ctx, struct http_listener *listener, const struct listener_needs *needs,
    const struct edge_certificate *certificate)
{
	bool secure = certificate->chain != NULL;
	const char *place;
	int fd;

	listener->needs = *needs;
	if (!listen_open(ctx, needs->variable, needs->address, &fd, &place))
		return false;
	listener->url = ctx_printf(ctx, "%s://%s", secure ? "https" : "http", place);
	listener->pool = handler_pool_start(ctx, needs->handler_threads, exchange_run);
	listener->quick = handler_pool_start(ctx, needs->quick_threads, exchange_run);
	if (add_daemon(listener, fd, certificate))
		return true;
	(void)close(fd);
	return fail(ctx, FAIL_CONFIG_INVALID, "%s: the HTTP library does not start on %s%s", needs->variable,
	    needs->address, secure ? ": do LOADSTAR_TLS_CERT and LOADSTAR_TLS_KEY fit?" : "");
}

static void
quiesce(struct listener_daemon *daemon)
{
	if (!daemon->quiesced)
		daemon->quiesced = MHD_quiesce_daemon(daemon->daemon) != MHD_INVALID_SOCKET;
}

static void
end_daemon(struct listener_daemon *daemon)
{
	MHD_stop_daemon(daemon->daemon);
	if (daemon->quiesced)
		(void)close(daemon->fd);
	ctx_free(daemon->ctx);
}

bool
listener_renew(struct ctx *ctx, struct http_listener *listener, const struct edge_certificate *certificate)
{
	struct listener_daemon *before = listener->daemons;
	int fd = fcntl(before->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return fail(ctx, FAIL_IO, "the listening socket cannot be shared: %s", strerror(errno));
	if (!add_daemon(listener, fd, certificate)) {
		(void)close(fd);
		return fail(ctx, FAIL_CONFIG_INVALID, "the HTTP library refuses it: do certificate and key fit?");
	}
	quiesce(before);
	return true;
}

static bool
is_left(const struct listener_daemon *daemon)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info != NULL && info->num_connections == 0;
}

void
listener_bury(struct http_listener *listener)
{
	struct listener_daemon **link = &listener->daemons->next;

	while (*link != NULL) {
		struct listener_daemon *daemon = *link;

		if (!is_left(daemon)) {
			link = &daemon->next;
			continue;
		}
		*link = daemon->next;
		end_daemon(daemon);
	}
}

void
listener_quiesce(struct http_listener *listener)
{
	if (listener->daemons != NULL)
		quiesce(listener->daemons);
}

void
listener_stop(struct http_listener *listener)
{
	while (listener->daemons != NULL) {
		struct listener_daemon *daemon = listener->daemons;

		listener->daemons = daemon->next;
		end_daemon(daemon);
	}
	if (listener->pool != NULL)
		handler_pool_stop(listener->pool);
	if (listener->quick != NULL)
		handler_pool_stop(listener->quick);
	*listener = (struct http_listener){.server = listener->server, .admin = listener->admin};
}
