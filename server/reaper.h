/*
 * reaper: ends connections whose request does not become whole in time, or whose answer is not taken in time, or whose client went
 * meanwhile. libmicrohttpd's timeout is idle time alone: a client that sends or takes a byte now and then would keep its connection
 * for ever.
 *
 * A connection is reading from its start, or from the first line of its next request, until the request is whole; it is
 * idle between the end of an answer and the next first line, which then is all that may drip. It is sending while an answer that is whole
 * is on its way. While it waits for its answer, and while it follows a stream, its time is its own.
 */
#ifndef SERVER_REAPER_H
#define SERVER_REAPER_H

#include "base/ctx.h"

struct reaper;
struct reaper_entry;

enum reaper_phase { REAPER_READING, REAPER_ANSWERING, REAPER_SENDING, REAPER_IDLE, REAPER_PHASE_COUNT };

struct reaper_limits {
	int64_t us[REAPER_PHASE_COUNT]; /* 0: none */
};
extern const struct reaper_limits reaper_limits;

/* Lives in ctx, as the limits. */
struct reaper *reaper_new(struct ctx *ctx, const struct reaper_limits *limits);

/* Ends what is overdue, once a second, from a thread of its own. */
void reaper_start(struct reaper *reaper);
void reaper_stop(struct reaper *reaper);

/* A connection that reads on fd; removed before fd is closed. */
struct reaper_entry *reaper_add(struct reaper *reaper, int fd);
void reaper_remove(struct reaper *reaper, struct reaper_entry *entry);

/* Begins a phase. entry may be NULL. */
void reaper_enter(struct reaper *reaper, struct reaper_entry *entry, enum reaper_phase phase);

#endif
