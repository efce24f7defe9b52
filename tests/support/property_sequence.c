/* property_sequence: a sequence of changes and runs, and what a run without faults must come to. */
#include <stdio.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "tests/support/property.h"

enum { MOST = CELLS, RUNS = 2 };

static const int64_t begin_us = INT64_C(1704067200) * 1000000; /* 2024-01-01, a Monday: every grid begins with it */

/* A run as it was asked for, and the slices that it must plan for each fact by time. */
struct asked {
	struct run run;
	bool has[TABLES];
	struct wanted slices[TABLES][MOST];
	size_t counts[TABLES];
};

static void
must(struct world *world, bool ok)
{
	if (ok)
		return;
	(void)fprintf(stderr, "%s\n%s\n", world->said.data, ctx_failure(world->own)->message);
	ASSERT(!"a run was not accepted");
}

static const struct length {
	const char *slice;
	int64_t us;
} lengths[] = {{NULL, CLOCK_DAY_US}, {NULL, CLOCK_DAY_US}, {"PT12H", CLOCK_DAY_US / 2}, {"P1W", 7 * CLOCK_DAY_US},
    {"P1W", 7 * CLOCK_DAY_US}};

static size_t
cut(const struct run *run, int64_t now_us, int64_t length_us, struct wanted *slices)
{
	bool range = text_equal(run->type, "range");
	int64_t at_us = range ? run->from_us : begin_us, end_us = range ? run->to_us : now_us;
	size_t count = 0;

	while (at_us < end_us) {
		int64_t next_us = begin_us + ((at_us - begin_us) / length_us + 1) * length_us;

		if (range && next_us > end_us)
			next_us = end_us;
		slices[count++] = (struct wanted){.from_us = at_us, .to_us = next_us};
		at_us = next_us;
	}
	return count;
}

static void
foresee(struct world *world, struct asked *asked, enum table table, int64_t length_us)
{
	struct question question = {.table = table, .mode = asked->run.mode, .lookback = table == FACT_SALE ? 1 : 0};
	struct pg_rows rows = world_ask(world, world->control,
	    ctx_printf(world->own,
		"SELECT slice_from, slice_to FROM control.step WHERE status = 'failed' AND table_name = '%s'",
		property_tables[table]));
	struct wanted *failed = ctx_alloc_array(world->own, (size_t)rows.count + 1, sizeof(*failed));

	for (int i = 0; i < rows.count; i++)
		failed[question.failed_count++] =
		    (struct wanted){.from_us = pg_time_us(&rows, i, 0), .to_us = pg_time_us(&rows, i, 1)};
	question.failed = failed;
	asked->counts[table] = cut(&asked->run, world->source.now_us, length_us, asked->slices[table]);
	asked->counts[table] =
	    model_plan(&world->model, &world->source, &question, asked->slices[table], asked->counts[table]);
}

static void
choose_range(struct world *world, struct run *run)
{
	int64_t cell_us = CLOCK_DAY_US / CELLS_A_DAY;
	int64_t cells = (world->source.now_us - begin_us) / cell_us + 2, from = world_random(world, cells);

	run->from_us = begin_us + from * cell_us;
	run->to_us = run->from_us + (1 + world_random(world, cells - from)) * cell_us;
}

static void
choose_tables(struct world *world, struct asked *asked)
{
	bool some = world_chance(world, 94);
	json_t *names = json_new_array(world->own);

	for (int i = 0; i < TABLES; i++) {
		asked->has[i] = !some || world_chance(world, i == FACT_SALE ? 75 : 12);
		if (some && asked->has[i])
			json_add_string(world->own, names, property_tables[i]);
		if (text_equal(asked->run.type, "dimensions") ? i >= FACT_SALE
							      : i < FACT_SALE && !text_equal(asked->run.type, "full"))
			asked->has[i] = false;
	}
	asked->run.tables = json_array_size(names) > 0 ? names : json_null();
	if (json_array_size(names) == 0)
		for (int i = 0; i < TABLES; i++)
			asked->has[i] = text_equal(asked->run.type, "full") ||
					text_equal(asked->run.type, "dimensions") == (i < FACT_SALE);
}

static void
submit(struct world *world, struct asked *asked)
{
	static const char *const types[] = {"full", "full", "range", "range", "facts", "dimensions"};
	static const char *const modes[] = {"auto", "auto", "auto", "all", "all", "missing", "failed"};
	const struct length *length = &lengths[world_random(world, LENGTH_OF(lengths))];
	struct run_acceptance how = {.fingerprint = "f", .on_duplicate = "queue"};
	struct run run = {.pipeline = "shop",
	    .type = types[world_random(world, LENGTH_OF(types))],
	    .mode = modes[world_random(world, LENGTH_OF(modes))],
	    .slice = length->slice,
	    .requested_by = "tester",
	    .trigger_kind = "api",
	    .spec_version = world->spec_hash,
	    .descending = world_chance(world, 30),
	    .max_parallel = world_random(world, 3)};
	bool existed;

	*asked = (struct asked){0};
	if (text_equal(run.type, "range"))
		choose_range(world, &run);
	asked->run = run;
	choose_tables(world, asked);
	for (enum table i = 0; i < TABLES; i++)
		if (asked->has[i] && (i == FACT_SALE || i == FACT_SEEN))
			foresee(world, asked, i, length->us);
	world_say(world, "run: %s %s %s of %s, %s to %s", run.type, run.mode, run.slice == NULL ? "P1D" : run.slice,
	    json_text(world->own, asked->run.tables), clock_format(world->own, run.from_us),
	    clock_format(world->own, run.to_us));
	must(world, run_accept(world->own, world->control, &asked->run, &how, &run, &existed));
	asked->run.id = run.id;
	WORLD_DO(world->control, "UPDATE control.run SET created_at = '%s' WHERE id = '%s'",
	    clock_format(world->own, world->source.now_us), run.id);
}

/* The slice itself, or one that overlaps it. */
static void
overlap(struct world *world, const struct step_claim *claim, struct run *run)
{
	int64_t cell_us = CLOCK_DAY_US / CELLS_A_DAY;

	run->type = "range";
	run->slice = "P1W";
	run->from_us = claim->from_us;
	run->to_us = claim->to_us;
	if (world_chance(world, 50) && run->from_us > begin_us)
		run->from_us -= cell_us;
	else if (world_chance(world, 50))
		run->to_us += cell_us;
}

void
property_rival(struct world *world, const struct step_claim *claim)
{
	struct run_acceptance how = {.fingerprint = "f", .on_duplicate = "queue"};
	struct run run, want = {.pipeline = "shop",
			    .type = "full",
			    .mode = "all",
			    .requested_by = "tester",
			    .trigger_kind = "api",
			    .spec_version = world->spec_hash,
			    .priority = 1000};
	bool existed;

	if (claim->table == NULL)
		return;
	want.tables = json_new_array(world->own);
	json_add_string(world->own, want.tables, claim->table);
	if (text_equal(claim->scope, "time"))
		overlap(world, claim, &want);
	world_say(world, "a rival run of %s, %s to %s", claim->table, clock_format(world->own, want.from_us),
	    clock_format(world->own, want.to_us));
	must(world, run_accept(world->own, world->control, &want, &how, &run, &existed));
}

/* ---- a run by itself, without faults */

static void
compare_plan(struct world *world, const struct asked *asked, enum table table)
{
	struct pg_rows rows = world_ask(world, world->control,
	    ctx_printf(world->own,
		"SELECT slice_from, slice_to FROM control.step WHERE run_id = '%s' AND table_name = '%s' ORDER BY 1",
		asked->run.id, property_tables[table]));
	bool same = (size_t)rows.count == asked->counts[table];

	for (int i = 0; i < rows.count && same; i++)
		same = pg_time_us(&rows, i, 0) == asked->slices[table][i].from_us &&
		       pg_time_us(&rows, i, 1) == asked->slices[table][i].to_us;
	if (same)
		return;
	for (size_t i = 0; i < asked->counts[table]; i++)
		world_say(world, "must be planned: %s to %s", clock_format(world->own, asked->slices[table][i].from_us),
		    clock_format(world->own, asked->slices[table][i].to_us));
	for (int i = 0; i < rows.count; i++)
		world_say(world, "is planned: %s to %s", pg_value(&rows, i, 0), pg_value(&rows, i, 1));
	world_wrong(world, "%s: other slices are planned than the mode means", property_tables[table]);
}

static void
compare_end(struct world *world, const struct asked *asked)
{
	const struct extraction now = {.source = world->source};
	struct pg_rows rows = world_ask(world, world->control,
	    ctx_printf(world->own,
		"SELECT r.status, EXISTS (SELECT FROM control.step s WHERE s.run_id = r.id AND s.kind IN ('dimension', 'fact')"
		"                     AND s.status = 'succeeded') FROM control.run r WHERE r.id = '%s'",
		asked->run.id));
	const char *want = "succeeded";

	for (size_t i = 0; asked->has[FACT_SALE] && i < asked->counts[FACT_SALE]; i++)
		if (model_is_refused(&now, FACT_SALE, asked->slices[FACT_SALE][i].from_us,
			asked->slices[FACT_SALE][i].to_us))
			want = pg_bool(&rows, 0, 1) ? "partial" : "failed";
	if (!text_equal(pg_value(&rows, 0, 0), want))
		world_wrong(world, "the run without faults is %s, and must be %s", pg_value(&rows, 0, 0), want);
}

/* ---- a sequence */

static void
retry(struct world *world, const struct asked *asked)
{
	struct pg_rows rows = world_ask(world, world->control,
	    ctx_printf(world->own, "SELECT status = 'succeeded' FROM control.run WHERE id = '%s'", asked->run.id));
	struct run run;

	if (pg_bool(&rows, 0, 0) || !world_chance(world, 45))
		return;
	if (world_chance(world, 60))
		source_heal(world);
	world_say(world, "retry");
	must(world, run_retry(world->own, world->control, asked->run.id, NULL, "tester", &run));
	engine_settle(world, world_chance(world, 50));
	compare_all(world);
}

static void
play(struct world *world)
{
	struct asked asked[RUNS];
	int runs = world_chance(world, 12) ? 2 : 1;
	bool calm = world_chance(world, 45);

	for (int64_t i = world_random(world, 5); i > 0; i--)
		source_change(world);
	if (world_chance(world, 30))
		source_pass(world, world_random(world, 30) * 3600 * CLOCK_SECOND_US);
	for (int i = 0; i < runs; i++)
		submit(world, &asked[i]);
	world->calm = true;
	engine_settle(world, calm);
	compare_all(world);
	if (runs == 1 && world->calm) {
		compare_end(world, &asked[0]);
		for (enum table i = FACT_SALE; i < TABLES; i++)
			if (asked[0].has[i] && i != FACT_TOTAL)
				compare_plan(world, &asked[0], i);
	}
	if (world->wrong == NULL)
		retry(world, &asked[0]);
}

void
property_make_tables(struct world *world)
{
	struct run_acceptance how = {.fingerprint = "f", .on_duplicate = "queue"};
	struct run run, want = {.pipeline = "shop",
			    .type = "full",
			    .mode = "failed",
			    .tables = json_null(),
			    .requested_by = "tester",
			    .trigger_kind = "api",
			    .spec_version = world->spec_hash};
	bool existed;

	world_begin(world, 0);
	must(world, run_accept(world->own, world->control, &want, &how, &run, &existed));
	engine_settle(world, true);
	world_end(world);
}

bool
property_run(struct world *world, uint64_t seed)
{
	int64_t runs;

	world_begin(world, seed);
	runs = 2 + world_chance(world, 60);
	for (int64_t i = 0; i < runs && world->wrong == NULL; i++)
		play(world);
	return world->wrong == NULL;
}
