/* handler_pool: threads that answer requests, first come first served. Jobs are parts of what they are about. */
#ifndef SERVER_HANDLER_POOL_H
#define SERVER_HANDLER_POOL_H

#include "base/ctx.h"

struct handler_job {
	struct handler_job *next;
};

struct handler_pool;

/* run is called once a job, on one of the threads. Lives in ctx. */
struct handler_pool *handler_pool_start(struct ctx *ctx, int threads, void (*run)(struct handler_job *job));
void handler_pool_push(struct handler_pool *pool, struct handler_job *job);

/* Runs what is queued, joins. */
void handler_pool_stop(struct handler_pool *pool);

#endif
