/*
 * peer: the address of who really asks, when proxies are in between. Pure.
 *
 * Proxies that LOADSTAR_TRUSTED_PROXIES names are believed what they say of the side they are asked from, nobody else is:
 * the chain is walked from our end, and the first address that is no such proxy is the client.
 */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include <sys/socket.h>

#include "base/ctx.h"

struct peer_network {
	unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
	int bits;
};

struct peers {
	struct peer_network *networks;
	size_t count;
};

/* "10.0.0.0/8, 192.0.2.1, fd00::/8"; NULL: nobody. FAIL_CONFIG_INVALID names the part that is no network. */
bool peers_parse(struct ctx *ctx, const char *text, struct peers *trusted) MUST_CHECK;

/* The client's address as text, "" when the socket has none. forwarded_for: X-Forwarded-For, several joined with commas;
 * forwarded: Forwarded (RFC 7239); NULL: not sent. When both are sent and disagree, the proxy passes on what it did not
 * write, and its own address is given. */
const char *peers_client(struct ctx *ctx, const struct peers *trusted, const struct sockaddr *peer,
    const char *forwarded_for, const char *forwarded);

#endif
