/*
 * Coverage against the simplest possible reference: an array of hours. Histories are random: slices of hours, days, weeks, months and the
 * whole table, loaded over each other, open or stale, undone, failed; LOADSTAR_SEED repeats one. Ledger and steps are written, not loaded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "etl/coverage.h"
#include "etl/plan.h"
#include "tests/support/loads.h"
#include "tests/support/stores.h"

#include <cmocka.h>

enum { HOURS = 24 * 62, LAYERS = 40, HISTORIES = 60, QUESTIONS = 12 };

struct layer {
	int from, to; /* hours from the first of January */
	bool whole, failed, open, stale, undone;
};

struct world {
	struct loads *loads;
	struct pg *control;
	struct ctx *ctx; /* of one history */
	struct layer layers[LAYERS];
	int load[HOURS], failure[HOURS]; /* the layer that counts; -1: none */
};

static int
pick(int below)
{
	return (int)(random() % below);
}

static int64_t
hour_us(int hour)
{
	int64_t at_us = 0;

	assert_true(clock_parse("2024-01-01", &at_us));
	return at_us + hour * INT64_C(3600) * CLOCK_SECOND_US;
}

static struct layer
make_layer(void)
{
	static const int lengths[] = {1, 24, 24, 24, 7 * 24, 31 * 24};
	int length = lengths[pick(6)];
	struct layer layer = {.from = pick(HOURS / length) * length,
	    .failed = pick(5) == 0,
	    .open = pick(6) == 0,
	    .stale = pick(6) == 0,
	    .undone = pick(4) == 0,
	    .whole = pick(60) == 0};

	layer.to = layer.from + length < HOURS ? layer.from + length : HOURS;
	if (layer.whole) {
		layer.from = 0;
		layer.to = HOURS;
	}
	return layer;
}

static const char *
slice_of(struct world *world, const struct layer *layer)
{
	return layer->whole ? "table" : plan_slice_name(world->ctx, hour_us(layer->from), hour_us(layer->to));
}

static const char *
bounds_of(struct world *world, const struct layer *layer)
{
	return layer->whole ? "'-infinity', 'infinity'"
			    : ctx_printf(world->ctx, "'%s', '%s'", clock_format(world->ctx, hour_us(layer->from)),
				  clock_format(world->ctx, hour_us(layer->to)));
}

/* Layer i has load number i + 1; its undo comes after all of them. */
static void
write_ledger(struct world *world, const char *fingerprint)
{
	struct text sql;

	text_init(&sql, world->ctx);
	text_add(&sql, "TRUNCATE loadstar.slice_ledger");
	for (int i = 0; i < LAYERS; i++) {
		const struct layer *layer = &world->layers[i];
		const char *head = ctx_printf(world->ctx,
		    "; INSERT INTO loadstar.slice_ledger SELECT gen_random_uuid(), gen_random_uuid(), 'shop', 'public.fact_sale',"
		    " '%s', '%s', %s",
		    slice_of(world, layer), layer->whole ? "table" : "time", bounds_of(world, layer));

		if (layer->failed)
			continue;
		text_addf(&sql,
		    "%s, (1::bigint << 40) + %d, '%s', 'sha256:0', jsonb_build_object('snapshot_at', now(), 'declaration', '%s')",
		    head, i + 1, layer->open ? "open" : "loaded", layer->stale ? "another" : fingerprint);
		if (layer->undone)
			text_addf(&sql,
			    "%s, (1::bigint << 40) + %d, 'undo', 'sha256:0', "
			    "jsonb_build_object('undoes', ((1::bigint << 40) + %d)::text)",
			    head, LAYERS + i + 1, i + 1);
	}
	loads_do(world->loads, sql.data);
}

static void
write_steps(struct world *world)
{
	struct text sql;

	text_init(&sql, world->ctx);
	text_add(&sql, "DELETE FROM control.step");
	for (int i = 0; i < LAYERS; i++) {
		const struct layer *layer = &world->layers[i];

		if (layer->failed)
			text_addf(&sql,
			    "; INSERT INTO control.step (id, run_id, pipeline, kind, table_name, wave, scope, slice, slice_from,"
			    " slice_to, status, load_number) SELECT gen_random_uuid(), id, 'shop', 'fact', 'fact_sale', 3, '%s', '%s',"
			    " %s, 'failed', %d FROM control.run",
			    layer->whole ? "table" : "time", slice_of(world, layer), bounds_of(world, layer), i + 1);
	}
	stores_do(world->ctx, world->control, sql.data);
}

static void
paint(struct world *world)
{
	for (int hour = 0; hour < HOURS; hour++) {
		world->load[hour] = world->failure[hour] = -1;
		for (int i = 0; i < LAYERS; i++) {
			const struct layer *layer = &world->layers[i];

			if (hour < layer->from || hour >= layer->to)
				continue;
			if (layer->failed)
				world->failure[hour] = i;
			else if (!layer->undone)
				world->load[hour] = i;
		}
	}
}

static const char *
expected_state(const struct world *world, int hour)
{
	int load = world->load[hour];

	if (world->failure[hour] > load)
		return "failed";
	if (load < 0)
		return "missing";
	return world->layers[load].open ? "open" : world->layers[load].stale ? "stale" : "loaded";
}

static void
compare_items(struct world *world, int from, int to)
{
	const struct spec *spec = world->loads->spec;
	struct coverage_question question = {.spec = spec,
	    .table = spec_find_table(spec, "fact_sale"),
	    .from_us = hour_us(from),
	    .to_us = hour_us(to),
	    .epoch = 1};
	json_t *answer, *item;
	int hour = from;
	size_t i;

	assert_true(coverage_answer(world->ctx, &question, world->loads->warehouse, world->control, &answer));
	json_array_foreach(json_object_get(answer, "items"), i, item) {
		int64_t to_us = 0, number = (INT64_C(1) << 40);

		assert_true(clock_parse(json_string_or(item, "to", ""), &to_us));
		assert_string_equal(json_string_or(item, "from", ""), clock_format(world->ctx, hour_us(hour)));
		if (!json_is_null(json_object_get(item, "load_id")))
			assert_true(text_to_i64(json_string_or(item, "load_id", ""), &number));
		for (; hour_us(hour) < to_us; hour++) {
			assert_string_equal(json_string_or(item, "state", ""), expected_state(world, hour));
			assert_int_equal(number - (INT64_C(1) << 40), world->load[hour] + 1);
		}
		assert_int_equal(hour_us(hour), to_us);
	}
	assert_int_equal(hour, to);
}

/* What a plan asks: loaded and open, of slices. */
static void
compare_intervals(struct world *world, const int (*ranges)[2])
{
	struct slice_job job = loads_job(world->loads, "fact_sale", -1);
	struct slice_interval intervals[QUESTIONS];

	for (int i = 0; i < QUESTIONS; i++)
		intervals[i] =
		    (struct slice_interval){.from_us = hour_us(ranges[i][0]), .to_us = hour_us(ranges[i][1])};
	assert_true(slice_coverage(world->ctx, &job, intervals, QUESTIONS, false));
	for (int i = 0; i < QUESTIONS; i++) {
		bool covered = true, open = false;

		for (int hour = ranges[i][0]; hour < ranges[i][1]; hour++) {
			covered = covered && world->load[hour] >= 0;
			open = open || (world->load[hour] >= 0 && world->layers[world->load[hour]].open);
		}
		assert_int_equal(intervals[i].loaded, covered && !open);
		assert_int_equal(intervals[i].open, covered && open);
	}
}

static void
tell_history(struct world *world)
{
	int ranges[QUESTIONS][2];

	write_ledger(world,
	    spec_table_fingerprint(world->ctx, world->loads->spec, spec_find_table(world->loads->spec, "fact_sale")));
	write_steps(world);
	paint(world);
	compare_items(world, 0, HOURS);
	for (int i = 0; i < QUESTIONS; i++) {
		ranges[i][0] = pick(HOURS);
		ranges[i][1] = ranges[i][0] + 1 + pick(i % 2 == 0 ? 24 : HOURS - ranges[i][0]);
		if (ranges[i][1] > HOURS)
			ranges[i][1] = HOURS;
	}
	compare_items(world, ranges[1][0], ranges[1][1]);
	compare_intervals(world, ranges);
}

static void
any_history_is_an_array_of_hours(void **state)
{
	struct loads *loads = loads_new();
	struct world world = {.loads = loads, .control = stores_open(loads->ctx)};
	const char *text = getenv("LOADSTAR_SEED");
	unsigned seed = text != NULL ? (unsigned)strtoul(text, NULL, 10) : (unsigned)time(NULL);

	(void)state;
	print_message("LOADSTAR_SEED=%u\n", seed);
	srandom(seed);
	stores_reset(loads->ctx, world.control);
	stores_do(loads->ctx, world.control,
	    "INSERT INTO control.run (id, pipeline, type, mode, status, requested_by, trigger_kind, spec_version)"
	    " VALUES (gen_random_uuid(), 'shop', 'range', 'all', 'running', 'me', 'api', 'sha256:0')");
	for (int i = 0; i < HISTORIES; i++) {
		world.ctx = ctx_new("history", 0);
		for (int k = 0; k < LAYERS; k++)
			world.layers[k] = make_layer();
		tell_history(&world);
		ctx_free(world.ctx);
	}
	loads_free(loads);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_history_is_an_array_of_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
