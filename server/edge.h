/*
 * edge: what the settings say of clients: which pages of other origins may ask (CORS), which proxies are believed, and the
 * certificate we show. Read once, immutable.
 *
 * Cross-origin answers never allow credentials: a page sends its token in Authorization, there are no cookies.
 */
#ifndef SERVER_EDGE_H
#define SERVER_EDGE_H

#include "base/config.h"
#include "server/peer.h"

struct edge_certificate {
	const char *chain, *key; /* PEM; NULL: plain HTTP */
};

struct edge {
	const char **origins;
	size_t origin_count;
	bool any_origin; /* "*" */
	struct peers trusted;
	struct edge_certificate certificate;
};

/* FAIL_CONFIG_INVALID names the variable. Texts live in ctx. */
bool edge_open(struct ctx *ctx, const struct config *config, struct edge *edge) MUST_CHECK;

/* The files of LOADSTAR_TLS_CERT and LOADSTAR_TLS_KEY as they are now. */
bool edge_read_certificate(struct ctx *ctx, const struct config *config,
    struct edge_certificate *certificate) MUST_CHECK;

/* Whether there is CORS at all, and the Access-Control-Allow-Origin for an Origin header; NULL: not allowed. */
bool edge_has_origins(const struct edge *edge);
const char *edge_allow_origin(const struct edge *edge, const char *origin);

#endif
