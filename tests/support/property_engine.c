/*
 * property_engine: what replicas do, on one thread: claim, execute, report, by the service's own functions.
 *
 * A fault waits for the n-th statement that the claimed steps send to the warehouse or the source. What interferes then happens within it: the
 * first replica stands still between two statements, its lease ends or its run is cancelled, another one works, and then it
 * goes on as if nothing had been.
 */
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/uuid.h"
#include "sql/replica_store.h"
#include "tests/support/property.h"

enum { LEASE_MS = 600000, ROUNDS = 400, STATEMENTS = 45, BEFORE_PUBLISH = 24 };

enum kind { NOTHING, LOST, UNHEARD, RACING, REFUSED, DIES, TAKEN_OVER, PASSED_BY, CANCELLED, CHANGED, FAULTS };

static const char *const kinds[FAULTS] = {"nothing", "the session is lost", "the answer is lost",
    "the session is lost meanwhile", "the statement is refused", "the worker dies", "the lease ends, others go on",
    "the lease ends, and somebody else wants the same", "the run is cancelled", "the source changes"};

struct fault {
	struct world *world;
	int engine;
	enum kind kind;
	enum wire_fate fate; /* of the statement at which the worker dies */
	int at, count;
	bool fired, dead;
	const char *run_id; /* of the first claim */
};

static bool take(struct world *world, int engine, int limit, bool calm);

static void
must(struct world *world, struct ctx *ctx, bool ok)
{
	if (ok)
		return;
	(void)fprintf(stderr, "%s\n%s\n", world->said.data, ctx_failure(ctx)->message);
	ASSERT(!"the control database failed without a fault");
}

/* ---- leases */

static void
lose(struct world *world, int engine)
{
	world->lost[engine] = true;
	WORLD_DO(world->control,
	    "UPDATE control.replica SET lease_until = now() - interval '1 second' WHERE boot_id = '%s'",
	    world->boots[engine]);
}

static void
expire(struct world *world)
{
	int64_t lost;

	must(world, world->own, step_expire_leases(world->own, world->control, &lost));
	world_say(world, "leases end: %d steps are free", (int)lost);
}

static void
start(struct world *world, int engine)
{
	if (!world->lost[engine])
		return;
	world->boots[engine] = uuid_make(world->own);
	world->engines[engine].options.boot_id = world->boots[engine];
	must(world, world->own, replica_register(world->own, world->control, world->boots[engine], "here", LEASE_MS));
	world->lost[engine] = false;
}

/* ---- faults */

static struct extraction *
find_extraction(struct world *world, PGconn *conn)
{
	const char *name = PQparameterStatus(conn, "application_name");
	struct extraction *e;

	for (e = world->extractions; e != NULL && name != NULL; e = e->next)
		if (text_ends_with(name, e->name))
			return e;
	return NULL;
}

static void
note_extraction(struct world *world, PGconn *conn, const char *sql)
{
	struct extraction *e = find_extraction(world, conn);

	if (e == NULL || sql == NULL)
		return;
	if (strstr(sql, "clock_timestamp()") != NULL)
		e->snapshot_us = world->source.now_us;
	if (strncmp(sql, "COPY", 4) != 0)
		return;
	e->source = world->source;
	e->serial = ++world->serial;
}

static void
interfere(struct fault *fault)
{
	struct world *world = fault->world;
	int other = (fault->engine + 1) % ENGINES;

	world->depth++;
	if (fault->kind == CHANGED)
		for (int64_t i = 1 + world_random(world, 2); i > 0; i--)
			source_change(world);
	if ((fault->kind == TAKEN_OVER || fault->kind == PASSED_BY) && !world->lost[fault->engine]) {
		lose(world, fault->engine);
		expire(world);
	}
	if (fault->kind == PASSED_BY) {
		property_rival(world, world->engines[fault->engine].attempts->claim);
		source_change(world);
	}
	if (fault->kind == CANCELLED) {
		struct run run;
		struct ctx *ctx = ctx_new("cancel", 0);
		bool ok = run_cancel(ctx, world->control, fault->run_id, "tester", &run);

		must(world, ctx, ok || ctx_failure(ctx)->code == FAIL_RUN_FINISHED);
		ctx_free(ctx);
	}
	for (int64_t i = fault->kind == PASSED_BY ? 3 : world_random(world, 4); fault->kind != CHANGED && i > 0; i--)
		(void)take(world, other, 1, world_chance(world, 80));
	world->depth--;
}

static enum wire_fate
fire(struct fault *fault)
{
	static const enum wire_fate fates[] =
	    {[LOST] = WIRE_LOST, [UNHEARD] = WIRE_UNHEARD, [RACING] = WIRE_RACING, [REFUSED] = WIRE_REFUSED};
	const struct wire *mine;

	fault->fired = true;
	fault->world->calm = false;
	world_say(fault->world, "at statement %d: %s", fault->count, kinds[fault->kind]);
	if (fault->kind == DIES) {
		fault->dead = true;
		return fault->fate;
	}
	if (fault->kind < DIES)
		return fates[fault->kind];
	mine = wire_set(NULL);
	interfere(fault);
	(void)wire_set(mine);
	return WIRE_PASS;
}

static enum wire_fate
decide(void *arg, PGconn *conn, const char *sql)
{
	struct fault *fault = arg;
	bool interferes = fault->kind > DIES, origin = text_starts_with(PQdb(conn), "source");
	enum wire_fate fate = WIRE_PASS;

	if (fault->dead)
		return WIRE_LOST;
	if (!origin && !text_starts_with(PQdb(conn), "warehouse"))
		return WIRE_PASS;
	fault->count++;
	/* Who holds locks would be waited for by what happens within, and it for that. */
	if (!fault->fired && fault->kind != NOTHING && fault->count >= fault->at &&
	    (!interferes || PQtransactionStatus(conn) == PQTRANS_IDLE))
		fate = fire(fault);
	/* What the source answered before its session broke is read all the same. */
	if (origin && fate != WIRE_LOST && fate != WIRE_REFUSED)
		note_extraction(fault->world, conn, sql);
	return fate;
}

/* ---- claims */

static struct fault
choose_fault(struct world *world, int engine, const struct step_claims *claims, bool calm)
{
	static const enum wire_fate deaths[] = {WIRE_LOST, WIRE_UNHEARD, WIRE_RACING};
	static const enum kind alone[] = {LOST, UNHEARD, RACING, REFUSED, DIES, TAKEN_OVER, PASSED_BY, PASSED_BY,
	    PASSED_BY, CANCELLED, CHANGED};
	struct fault fault = {.world = world, .engine = engine, .run_id = claims->items[0].run_id};

	if (calm || !world_chance(world, 45))
		return fault;
	fault.kind = alone[world_random(world, world->depth == 0 ? (int64_t)LENGTH_OF(alone) : DIES)];
	fault.at = 1 + (int)world_random(world, STATEMENTS * ((int64_t)claims->count - 1) +
						    (fault.kind > DIES ? BEFORE_PUBLISH : STATEMENTS));
	fault.fate = deaths[world_random(world, 3)];
	return fault;
}

static void
note_claim(struct world *world, const struct step_claim *claim)
{
	struct extraction *e = ctx_alloc(world->own, sizeof(*e));

	world_say(world, "claims %s %s %s, attempt %d, number %d%s%s", claim->kind,
	    claim->table == NULL ? "" : claim->table, claim->slice == NULL ? "" : claim->slice, (int)claim->attempt,
	    (int)claim->load_number, claim->end_as != NULL ? ", to be " : "",
	    claim->end_as != NULL ? claim->end_as : "");
	for (int i = 0; i < TABLES; i++)
		if (text_equal(claim->table, property_tables[i]))
			e->table = (enum table)i;
	e->number = claim->load_number;
	e->name = ctx_printf(world->own, "%s/%d", claim->id + UUID_TEXT_LENGTH - 12, (int)claim->attempt);
	e->next = world->extractions;
	world->extractions = e;
}

/* True when there was something to do. */
static bool
take(struct world *world, int engine, int limit, bool calm)
{
	struct ctx *batch = ctx_new("claim", 0);
	struct step_claims claims;
	struct fault fault;
	const struct wire wire = {.fate = decide, .arg = &fault};

	start(world, engine);
	must(world, batch, step_claim(batch, world->control, world->boots[engine], false, limit, &claims));
	if (claims.count == 0) {
		ctx_free(batch);
		return false;
	}
	for (size_t i = 0; i < claims.count; i++)
		note_claim(world, &claims.items[i]);
	fault = choose_fault(world, engine, &claims, calm);
	engine_enlist(&world->engines[engine], batch, &claims);
	(void)wire_set(&wire);
	(void)worker_main(&world->engines[engine]);
	(void)wire_set(NULL);
	if (fault.dead && !world->lost[engine]) {
		lose(world, engine);
		if (world_chance(world, 50))
			expire(world);
	}
	return true;
}

/* Waits are over, and so are leases of the dead. */
static bool
let_time_pass(struct world *world)
{
	struct pg_rows rows = world_ask(world, world->control,
	    "UPDATE control.step SET retry_at = now() WHERE status = 'queued' AND retry_at > now() RETURNING 1");

	if (rows.count > 0)
		return true;
	rows = world_ask(world, world->control, "SELECT 1 FROM control.step WHERE status = 'running' LIMIT 1");
	if (rows.count == 0)
		return false;
	expire(world);
	return true;
}

void
engine_settle(struct world *world, bool calm)
{
	for (int i = 0; i < ROUNDS; i++) {
		int engine = (int)world_random(world, ENGINES), limit = 1 + (int)world_random(world, 3);

		if (!take(world, engine, limit, calm) && !let_time_pass(world))
			return;
	}
	world_wrong(world, "the runs do not come to an end");
}
