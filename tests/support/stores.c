#include "tests/support/stores.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/uuid.h"
#include "tests/support/pg_cluster.h"

enum { LEASE_MS = 600000 };

static struct ctx *process;
static struct secret control_url;

static void
end_process(void)
{
	ctx_free(process);
}

static void
start(void)
{
	process = ctx_new("stores", 0);
	control_url = pg_cluster_control(process, "loadstar");
	ASSERT(atexit(end_process) == 0);
}

struct pg *
stores_open(struct ctx *ctx)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct pg_options options = {.what = "control database", .statement_timeout_ms = 10000};
	struct pg *db;

	ASSERT(pthread_once(&once, start) == 0);
	ASSERT(pg_open(ctx, &control_url, &options, &db));
	return db;
}

const struct secret *
stores_url(void)
{
	return &control_url;
}

void
stores_reset(struct ctx *ctx, struct pg *db)
{
	stores_do(ctx, db,
	    "TRUNCATE control.run, control.run_facet, control.step, control.attempt, control.idempotency, control.log, control.log_counter, "
	    "control.outbox, control.replica, control.pipeline, control.pipeline_version, control.schedule, control.fire, "
	    "control.incident, control.notice, control.pipeline_activation, control.quality");
	ASSERT(replica_register(ctx, db, STORES_BOOT, "here", LEASE_MS));
}

const char *
stores_ask(struct ctx *ctx, struct pg *db, const char *sql)
{
	struct pg_rows rows;
	const char *value;

	ASSERT(pg_query(ctx, db, sql, PG_NO_PARAMS, &rows));
	ASSERT(rows.count == 1);
	value = pg_value(&rows, 0, 0);
	return value == NULL ? "" : value;
}

void
stores_do(struct ctx *ctx, struct pg *db, const char *sql)
{
	ASSERT(pg_run(ctx, db, sql));
}

struct run
stores_accept(struct ctx *ctx, struct pg *db)
{
	struct run want = {.pipeline = "p",
	    .type = "full",
	    .mode = "auto",
	    .requested_by = "tester",
	    .trigger_kind = "api",
	    .spec_version = "sha256:1"};
	struct run_acceptance how = {.fingerprint = "f", .on_duplicate = "queue"};
	struct run run;
	bool existed;

	ASSERT(run_accept(ctx, db, &want, &how, &run, &existed));
	ASSERT(!existed);
	return run;
}

struct run
stores_plan(struct ctx *ctx, struct pg *db, const struct step_plan *steps, size_t count)
{
	struct run run = stores_accept(ctx, db);
	struct step_claim claim;
	bool mine;

	/* Its plan goes ahead of everything that is queued already. */
	stores_do(ctx, db, ctx_printf(ctx, "UPDATE control.run SET priority = 1000 WHERE id = '%s'", run.id));
	claim = stores_claim(ctx, db);
	stores_do(ctx, db, ctx_printf(ctx, "UPDATE control.run SET priority = 0 WHERE id = '%s'", run.id));
	ASSERT(text_equal(claim.run_id, run.id) && text_equal(claim.kind, "plan"));
	ASSERT(step_finish_plan(ctx, db, &claim, STORES_BOOT, steps, count, 0, &mine));
	ASSERT(mine);
	return stores_find(ctx, db, run.id);
}

struct step_plan
stores_step(struct ctx *ctx, const char *table, int64_t wave, int day)
{
	int64_t start_us = 0;
	struct step_plan step =
	    {.id = uuid_make(ctx), .kind = "fact", .table = table, .wave = wave, .ordinal = day, .fail_run = true};

	ASSERT(clock_parse("2024-01-01", &start_us));
	step.scope = day < 0 ? "table" : "time";
	step.from_us = day < 0 ? CLOCK_MINUS_INFINITY : start_us + day * CLOCK_DAY_US;
	step.to_us = day < 0 ? CLOCK_INFINITY : step.from_us + CLOCK_DAY_US;
	step.slice = day < 0 ? "table"
			     : ctx_printf(ctx, "%s/%s", clock_format(ctx, step.from_us), clock_format(ctx, step.to_us));
	return step;
}

struct step_claims
stores_claim_many(struct ctx *ctx, struct pg *db, int limit)
{
	struct step_claims claims;

	ASSERT(step_claim(ctx, db, STORES_BOOT, false, limit, &claims));
	return claims;
}

struct step_claim
stores_claim(struct ctx *ctx, struct pg *db)
{
	struct step_claims claims = stores_claim_many(ctx, db, 1);

	ASSERT(claims.count == 1);
	return claims.items[0];
}

struct run
stores_find(struct ctx *ctx, struct pg *db, const char *id)
{
	struct run run;
	bool found;

	ASSERT(run_find(ctx, db, id, &run, &found));
	ASSERT(found);
	return run;
}
