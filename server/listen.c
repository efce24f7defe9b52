#include "server/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/text.h"

enum { BACKLOG = 1024 };

/* host and port around the last colon; brackets of IPv6 taken off. */
static bool
split(struct ctx *ctx, const char *address, char **host, char **port)
{
	const char *colon = strrchr(address, ':');
	size_t length = colon != NULL ? (size_t)(colon - address) : 0;
	int64_t number;

	if (length == 0 || !text_to_i64(colon + 1, &number) || number < 0 || number > 65535)
		return false;
	*port = ctx_strdup(ctx, colon + 1);
	if (address[0] == '[' && address[length - 1] == ']')
		*host = ctx_strndup(ctx, address + 1, length - 2);
	else
		*host = ctx_strndup(ctx, address, length);
	return true;
}

static int
open_socket(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int
port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {0};
	socklen_t length = sizeof(address);

	if (getsockname(fd, &address.any, &length) != 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

bool
listen_open(struct ctx *ctx, const char *variable, const char *address, int *fd, const char **place)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char *host, *port;
	int reason;

	if (!split(ctx, address, &host, &port))
		return fail(ctx, FAIL_CONFIG_INVALID, "%s is %s, but must be address:port", variable, address);
	reason = getaddrinfo(host, port, &hints, &found);
	if (reason != 0)
		return fail(ctx, FAIL_CONFIG_INVALID, "%s is %s: %s", variable, address, gai_strerror(reason));
	*fd = -1;
	for (const struct addrinfo *info = found; info != NULL && *fd < 0; info = info->ai_next)
		*fd = open_socket(info);
	reason = errno;
	freeaddrinfo(found);
	if (*fd < 0)
		return fail(ctx, FAIL_CONFIG_INVALID, "%s: cannot listen on %s: %s", variable, address,
		    strerrordesc_np(reason));
	*place = ctx_printf(ctx, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host, port_of(*fd));
	return true;
}
