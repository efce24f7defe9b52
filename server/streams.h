/*
 * streams: log lines sent as they come.
 *
 * The library asks a stream for bytes; one that has none suspends its connection. One pump thread fills them all: for
 * streams that may be behind (told so, or once a second) it reads a page of lines, once for all that stand at the same place,
 * and puts it into a bounded buffer; a full one waits until its client has read. A stream ends when its run is final and all
 * lines are in it, and when the server drains: events then without the event `end`, lines with an answer that is broken off. An idle one gets an empty line (NDJSON) or comment (SSE) every 15 s, which
 * is how a client that went away is found.
 */
#ifndef SERVER_STREAMS_H
#define SERVER_STREAMS_H

#include "handlers/http.h"
#include "sql/log_store.h"

struct streams_options {
	bool (
	    *lines)(struct ctx *ctx, void *arg, const struct log_filter *filter, struct log_lines *lines, bool *final);
	void *arg;
};

struct streams;
struct MHD_Connection;
struct MHD_Response;

/* Memory in ctx. streams_changed may be called before streams_start. */
struct streams *streams_new(struct ctx *ctx, const struct streams_options *options);
void streams_start(struct streams *streams);

/* A response that sends what reply describes to this connection; the library frees it. */
struct MHD_Response *streams_open(struct streams *streams, struct MHD_Connection *connection,
    const struct reply *reply);

/* Any thread; does not block. */
void streams_changed(struct streams *streams, const char *run_id);

/* Ends all streams and those that are opened later; none is suspended afterwards. */
void streams_drain(struct streams *streams);

/* Drains and joins the thread, when there is one. */
void streams_stop(struct streams *streams);

#endif
