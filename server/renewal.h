/*
 * renewal: looks at the files of the certificate every few seconds, and hands a changed pair to the listener.
 *
 * Certificates are renewed by others, one file after the other: a pair that does not fit is told once and tried again when a file
 * changes. Until then, and for connections that are there, the one before stays.
 */
#ifndef SERVER_RENEWAL_H
#define SERVER_RENEWAL_H

#include "base/config.h"
#include "server/listener.h"

struct renewal;

/* From here to renewal_stop the listener's daemons belong to its thread. Memory in ctx; config outlives it. */
struct renewal *renewal_start(struct ctx *ctx, const struct config *config, struct http_listener *listener,
    const struct edge_certificate *certificate);
void renewal_stop(struct renewal *renewal); /* NULL: nothing */

#endif
