/*
 * waiters: requests that are held until their run changes or their time is over.
 *
 * One thread looks at those whose run was said to have changed, and at all of them each 250 ms for their deadline; it asks
 * for the run's picture and answers. No database, no thread and no handler is held. Answers are given outside the lock.
 */
#ifndef SERVER_WAITERS_H
#define SERVER_WAITERS_H

#include "base/uuid.h"
#include "sql/board.h"

/* Part of what waits. Filled by waiters_add, owned by waiters until answered. */
struct waiter {
	struct waiter *next;
	char run_id[UUID_TEXT_LENGTH + 1];
	char etag[48];       /* of the picture the client has */
	int64_t deadline_us; /* monotonic */
	bool changed;        /* look at it now */
};

struct waiters_options {
	const struct board_page *(*page)(struct ctx *ctx, void *arg, const char *run_id); /* NULL: not known now */
	void (*answer)(struct waiter *waiter, const struct board_page *page);             /* NULL: nothing changed */
	void *arg;
};

struct waiters;

/* Memory in ctx. waiters_changed may be called before waiters_start. */
struct waiters *waiters_new(struct ctx *ctx, const struct waiters_options *options);
void waiters_start(struct waiters *waiters);

/* From now on the waiter belongs to waiters, which answers it exactly once; at once when they are stopping. */
void waiters_add(struct waiters *waiters, struct waiter *waiter, const char *run_id, const char *etag, int64_t wait_ms);

/* Any thread; does not block. */
void waiters_changed(struct waiters *waiters, const char *run_id);

/* Answers all that wait with what is known, and from now on all that come. */
void waiters_drain(struct waiters *waiters);

/* Drains and joins the thread, when there is one. */
void waiters_stop(struct waiters *waiters);

#endif
