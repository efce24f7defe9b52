/* listen: an address as people write it, as a listening socket. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "base/ctx.h"

/* "127.0.0.1:8080", "[::1]:0", "localhost:8080". variable names the setting in failures. fd: listening, non-blocking; place: host:port with the
 * port it got. */
bool listen_open(struct ctx *ctx, const char *variable, const char *address, int *fd, const char **place) MUST_CHECK;

#endif
