/*
 * engine: the threads of one replica that execute runs.
 *
 * One claimer (claims in batches, hurried by LISTEN, polls every second; sweeps expired leases and deadlines), N workers (steps.c),
 * one lease keeper (heartbeat each third of the lease on a session of its own; tells workers whose step was taken or
 * cancelled, or whose time is over; stops them all when the lease cannot be extended), one scheduler (decides fires, schedule.h), one
 * notifier (delivers notices, sql/notice_store.h), one sweeper (lets go of what is kept no longer, sql/retention_store.h).
 */
#ifndef ETL_ENGINE_H
#define ETL_ENGINE_H

#include "base/config.h"
#include "etl/catalog.h"

struct engine;

struct engine_options {
	const struct config *config;
	struct pool *pool;
	struct catalog *catalog;
	const char *boot_id;
	const char *control_id;
	int workers;
};

bool engine_start(struct ctx *ctx, const struct engine_options *options, struct engine **engine) MUST_CHECK;

/* Stops claiming, lets steps finish within drain_ms, hands the rest back, joins all threads, leaves the replica table. */
void engine_stop(struct engine *engine, int64_t drain_ms);

/* Stops claiming; running steps go on. First half of a drain. */
void engine_quiesce(struct engine *engine);

#endif
