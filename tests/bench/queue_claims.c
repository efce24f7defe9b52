/*
 * queue_claims: claims and ends of steps a second, by one session, without executing anything.
 *
 * The floor is a queue with nothing but a state: UPDATE … (SELECT … FOR UPDATE SKIP LOCKED), and one UPDATE that ends an item, on
 * the same cluster, in turns.
 *
 * usage: queue_claims STEPS ROUNDS     prints lines: claims floor_claims ends floor_ends (a second)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"
#include "tests/support/stores.h"

enum { BATCH = 8 };

struct times {
	int64_t claims_us, ends_us;
};

static void
make_queue(struct ctx *ctx, struct pg *db, int steps)
{
	struct step_plan *plans = ctx_alloc_array(ctx, (size_t)steps, sizeof(*plans));

	stores_reset(ctx, db);
	for (int i = 0; i < steps; i++)
		plans[i] = stores_step(ctx, "fact_a", 1, i);
	(void)stores_plan(ctx, db, plans, (size_t)steps);
	stores_do(ctx, db,
	    ctx_printf(ctx,
		"DROP TABLE IF EXISTS floor; CREATE TABLE floor (id bigint PRIMARY KEY, state text NOT NULL);"
		"INSERT INTO floor SELECT n, 'queued' FROM generate_series(1, %d) n;"
		"CREATE INDEX ON floor (id) WHERE state = 'queued'; ANALYZE floor; ANALYZE",
		steps));
}

static int
claim_once(struct pg *db, struct times *times)
{
	struct ctx *ctx = ctx_new("claim", 0);
	int64_t since_us = clock_monotonic_us();
	struct step_claims claims = stores_claim_many(ctx, db, BATCH);
	int count = (int)claims.count;

	times->claims_us += clock_monotonic_us() - since_us;
	since_us = clock_monotonic_us();
	for (int i = 0; i < count; i++) {
		struct step_result result = {0};
		bool mine;

		ASSERT(step_succeed(ctx, db, &claims.items[i], STORES_BOOT, &result, &mine) && mine);
	}
	times->ends_us += clock_monotonic_us() - since_us;
	ctx_free(ctx);
	return count;
}

static int
floor_once(struct pg *db, struct times *times)
{
	static const char claim[] = "UPDATE floor SET state = 'running' WHERE id IN (SELECT id FROM floor "
				    "WHERE state = 'queued' ORDER BY id LIMIT 8 FOR UPDATE SKIP LOCKED) RETURNING id";
	struct ctx *ctx = ctx_new("floor", 0);
	int64_t since_us = clock_monotonic_us();
	struct pg_rows rows, ended;
	int count;

	ASSERT(pg_query_prepared(ctx, db, "floor_claim", claim, PG_NO_PARAMS, &rows));
	times->claims_us += clock_monotonic_us() - since_us;
	count = rows.count;
	since_us = clock_monotonic_us();
	for (int i = 0; i < count; i++)
		ASSERT(pg_query_prepared(ctx, db, "floor_end",
		    "UPDATE floor SET state = 'succeeded' WHERE id = $1::bigint", PG_PARAMS(pg_value(&rows, i, 0)),
		    &ended));
	times->ends_us += clock_monotonic_us() - since_us;
	ctx_free(ctx);
	return count;
}

static double
per_second(int steps, int64_t us)
{
	return (double)steps * 1e6 / (double)us;
}

int
main(int argc, char **argv)
{
	struct ctx *ctx = ctx_new("bench", 0);
	int64_t steps = 0, rounds = 0;
	struct pg *db;

	if (argc != 3 || !text_to_i64(argv[1], &steps) || !text_to_i64(argv[2], &rounds)) {
		fprintf(stderr, "usage: queue_claims STEPS ROUNDS\n");
		return 1;
	}
	db = stores_open(ctx);
	for (int64_t i = 0; i < rounds; i++) {
		struct ctx *round = ctx_new("round", 0);
		struct times ours = {0}, theirs = {0};
		int done = 0, floored = 0, some = 1;

		make_queue(round, db, (int)steps);
		while (some > 0) { /* in turns */
			some = claim_once(db, &ours);
			done += some;
			floored += floor_once(db, &theirs);
		}
		ASSERT(done == steps && floored == steps);
		printf("%.0f %.0f %.0f %.0f\n", per_second(done, ours.claims_us), per_second(floored, theirs.claims_us),
		    per_second(done, ours.ends_us), per_second(floored, theirs.ends_us));
		(void)fflush(stdout);
		ctx_free(round);
	}
	ctx_free(ctx);
	return 0;
}
