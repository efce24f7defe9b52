/* What of a table is loaded, missing, failed, running or stale. Days are of January 2024; what is loaded is by load number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "etl/coverage.h"
#include "tests/support/loads.h"
#include "tests/support/stores.h"

#include <cmocka.h>

struct world {
	struct loads *loads;
	struct pg *control;
};

static int
setup(void **state)
{
	struct loads *loads = loads_new();
	struct world *world = ctx_alloc(loads->ctx, sizeof(*world));

	world->loads = loads;
	world->control = stores_open(loads->ctx);
	stores_reset(loads->ctx, world->control);
	loads_source(loads, "INSERT INTO kind VALUES (1, 'x')");
	(void)loads_load(loads, "dim_kind", -1);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	loads_free(((struct world *)*state)->loads);
	return 0;
}

static int64_t
day_us(int day)
{
	int64_t at_us = 0;

	assert_true(clock_parse("2024-01-01", &at_us));
	return at_us + day * CLOCK_DAY_US;
}

static void
load_days(struct loads *loads, int from, int to)
{
	struct slice_job job = loads_job(loads, "fact_sale", 0);
	struct step_claim claim = *job.claim;
	struct slice_outcome outcome;

	claim.from_us = day_us(from);
	claim.to_us = day_us(to);
	claim.slice = ctx_printf(loads->ctx, "%s/%s", clock_format(loads->ctx, claim.from_us),
	    clock_format(loads->ctx, claim.to_us));
	job.claim = &claim;
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
}

static json_t *
ask(struct world *world, const char *table, int from, int to)
{
	struct loads *loads = world->loads;
	struct coverage_question question = {.spec = loads->spec,
	    .table = spec_find_table(loads->spec, table),
	    .epoch = 1};
	json_t *answer;

	if (from < to) {
		question.from_us = day_us(from);
		question.to_us = day_us(to);
	}
	assert_true(coverage_answer(loads->ctx, &question, loads->warehouse, world->control, &answer));
	return answer;
}

/* "state from-to number" for each item, days as numbers; the load's number, or - */
static const char *
items(struct world *world, int from, int to)
{
	struct ctx *ctx = world->loads->ctx;
	json_t *answer = ask(world, "fact_sale", from, to), *item;
	struct text out;
	size_t i;

	text_init(&out, ctx);
	json_array_foreach(json_object_get(answer, "items"), i, item) {
		const char *load = json_string_or(item, "load_id", NULL);
		int64_t from_us, to_us, number = 0;

		assert_true(clock_parse(json_string_or(item, "from", ""), &from_us));
		assert_true(clock_parse(json_string_or(item, "to", ""), &to_us));
		assert_true(load == NULL || text_to_i64(load, &number));
		text_addf(&out, "%s%s %lld-%lld %lld", i > 0 ? ", " : "", json_string_or(item, "state", ""),
		    (long long)((from_us - day_us(0)) / CLOCK_DAY_US), (long long)((to_us - day_us(0)) / CLOCK_DAY_US),
		    (long long)(number & ((INT64_C(1) << 40) - 1)));
	}
	return out.data;
}

/* A step of the control database that loads days, or failed to, as load number n. */
static void
put_step(struct world *world, const char *status, int from, int to, int number)
{
	struct ctx *ctx = world->loads->ctx;
	const char *run = uuid_make(ctx);

	stores_do(ctx, world->control,
	    ctx_printf(ctx,
		"INSERT INTO control.run (id, pipeline, type, mode, status, requested_by, trigger_kind, spec_version)"
		" VALUES ('%s', 'shop', 'range', 'all', 'running', 'me', 'api', 'sha256:0')",
		run));
	stores_do(ctx, world->control,
	    ctx_printf(ctx,
		"INSERT INTO control.step (id, run_id, pipeline, kind, table_name, wave, scope, slice, slice_from, slice_to, status,"
		" load_number, error) VALUES ('%s', '%s', 'shop', 'fact', 'fact_sale', 3, 'time', 's', '%s', '%s', '%s', %d,"
		" '{\"code\": \"sql_data\"}')",
		uuid_make(ctx), run, clock_format(ctx, day_us(from)), clock_format(ctx, day_us(to)), status, number));
}

/* Days, then a longer span over them, then a shorter one in it. */
static void
newest_load_counts(void **state)
{
	struct world *world = *state;
	struct loads *loads = world->loads;
	const json_t *spans;
	int64_t before = loads->number;

	assert_string_equal(items(world, 0, 40), "missing 0-40 0");
	for (int day = 0; day < 4; day++)
		load_days(loads, day, day + 1);
	loads->number = before + 10;
	load_days(loads, 1, 31);
	load_days(loads, 7, 14);
	assert_string_equal(items(world, 0, 40),
	    ctx_printf(loads->ctx,
		"loaded 0-1 %lld, loaded 1-7 %lld, loaded 7-14 %lld, loaded 14-31 %lld, missing 31-40 0",
		(long long)before + 1, (long long)before + 11, (long long)before + 12, (long long)before + 11));
	spans = json_object_get(ask(world, "fact_sale", 0, 40), "spans");
	assert_int_equal(json_array_size(spans), 2);
	assert_int_equal(json_int_or(json_array_get(spans, 0), "loads", 0), 4);
	assert_string_equal(json_string_or(json_array_get(spans, 1), "from", ""), "2024-02-01T00:00:00Z");
	assert_string_equal(items(world, 8, 20), ctx_printf(loads->ctx, "loaded 8-14 %lld, loaded 14-20 %lld",
						     (long long)before + 12, (long long)before + 11));
}

/* What fails counts until something newer is loaded there; what runs counts before all. */
static void
steps_show_through(void **state)
{
	struct world *world = *state;
	struct loads *loads = world->loads;

	loads->number = 100;
	load_days(loads, 0, 3);
	put_step(world, "failed", 2, 5, 50);
	assert_string_equal(items(world, 0, 6), "loaded 0-3 101, failed 3-5 0, missing 5-6 0");
	put_step(world, "failed", 1, 2, 150);
	assert_string_equal(items(world, 0, 6),
	    "loaded 0-1 101, failed 1-2 101, loaded 2-3 101, failed 3-5 0, missing 5-6 0");
	put_step(world, "running", 0, 2, 160);
	assert_string_equal(items(world, 0, 6), "running 0-2 101, loaded 2-3 101, failed 3-5 0, missing 5-6 0");
	assert_string_equal(
	    json_string_or(json_object_get(json_object_get(json_array_get(json_object_get(ask(world, "fact_sale", 3, 5),
									      "items"),
							       0),
					       "step"),
			       "error"),
		"code", ""),
	    "sql_data");
}

/* Nothing is missing before the first slice or after the last; what is loaded there is shown. */
static void
window_is_what_should_be_there(void **state)
{
	struct world *world = *state;
	struct loads *loads = world->loads;
	json_t *answer, *spans;

	loads->number = 200;
	load_days(loads, -3, -1);
	load_days(loads, 0, 1);
	assert_string_equal(items(world, -5, 2), "loaded -3--1 201, loaded 0-1 202, missing 1-2 0");
	answer = ask(world, "fact_sale", 0, 0);
	spans = json_object_get(answer, "spans");
	assert_string_equal(json_string_or(answer, "from", ""), "2023-12-29T00:00:00Z");
	assert_int_equal(json_array_size(spans), 3);
	assert_string_equal(json_string_or(json_array_get(spans, 2), "to", ""), json_string_or(answer, "to", "-"));
	assert_string_equal(json_string_or(answer, "to", ""),
	    clock_format(loads->ctx, (clock_now_us() / CLOCK_DAY_US + 1) * CLOCK_DAY_US));
}

/* A load of today is open. */
static void
open_until_its_end(void **state)
{
	struct world *world = *state;
	int today = (int)((clock_now_us() - day_us(0)) / CLOCK_DAY_US);

	world->loads->number = 300;
	load_days(world->loads, today - 1, today + 1);
	assert_string_equal(items(world, today - 2, today + 1),
	    ctx_printf(world->loads->ctx, "missing %d-%d 0, open %d-%d 301", today - 2, today - 1, today - 1,
		today + 1));
}

/* Replaces part of a file of the pipeline. */
static struct loads_pipeline
changed(struct ctx *ctx, const struct spec *spec, const char *path, const char *old, const char *new)
{
	struct loads_pipeline pipeline = {.files = ctx_alloc_array(ctx, spec->files.count, sizeof(*pipeline.files)),
	    .count = spec->files.count};

	for (size_t i = 0; i < pipeline.count; i++) {
		struct spec_file *file = &pipeline.files[i];
		const char *at = strstr(spec->files.items[i].text, old);

		*file = spec->files.items[i];
		if (!text_equal(file->path, path))
			continue;
		assert_non_null(at);
		file->text = ctx_printf(ctx, "%.*s%s%s", (int)(at - file->text), file->text, new, at + strlen(old));
	}
	return pipeline;
}

static void
stale_is_what_another_declaration_loaded(void **state)
{
	struct world *world = *state;
	struct loads *loads = world->loads;
	const struct spec *first = loads->spec;
	struct loads_pipeline pipeline;

	loads->number = 400;
	load_days(loads, 0, 2);
	pipeline = changed(loads->ctx, first, "pipeline.yaml", "    lag: 0s\n", "    lag: 1s\n    comment: new\n");
	loads_redeclare(loads, &pipeline);
	pipeline = changed(loads->ctx, loads->spec, "tag.sql", "SELECT *", "SELECT  *");
	loads_redeclare(loads, &pipeline);
	assert_string_not_equal(first->hash, loads->spec->hash);
	assert_string_equal(items(world, 0, 3), "loaded 0-2 401, missing 2-3 0");
	pipeline = changed(loads->ctx, loads->spec, "sale.sql", "SELECT *", "SELECT  *");
	loads_redeclare(loads, &pipeline);
	assert_string_equal(items(world, 0, 3), "stale 0-2 401, missing 2-3 0");
	loads->number = 500;
	load_days(loads, 1, 2);
	assert_string_equal(items(world, 0, 3), "stale 0-1 401, loaded 1-2 501, missing 2-3 0");
	pipeline = changed(loads->ctx, first, "pipeline.yaml", "missing: fail", "missing: unknown");
	loads_redeclare(loads, &pipeline);
	assert_string_equal(items(world, 0, 3), "stale 0-1 401, stale 1-2 501, missing 2-3 0");
}

static void
whole_tables_are_one_item(void **state)
{
	struct world *world = *state;
	json_t *items_of = json_object_get(ask(world, "dim_kind", 0, 0), "items"), *item = json_array_get(items_of, 0);

	assert_int_equal(json_array_size(items_of), 1);
	assert_string_equal(json_string_or(item, "state", ""), "loaded");
	assert_int_equal(json_int_or(item, "rows", -1), 1);
	assert_true(json_is_null(json_object_get(item, "from")) && json_is_null(json_object_get(item, "to")));
	items_of = json_object_get(ask(world, "dim_tag", 0, 0), "items");
	assert_int_equal(json_array_size(items_of), 1);
	assert_string_equal(json_string_or(json_array_get(items_of, 0), "state", ""), "missing");
	loads_do(world->loads, "DROP SCHEMA loadstar CASCADE");
	item = json_array_get(json_object_get(ask(world, "dim_kind", 0, 0), "items"), 0);
	assert_string_equal(json_string_or(item, "state", ""), "missing");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(newest_load_counts, setup, teardown),
	    cmocka_unit_test_setup_teardown(steps_show_through, setup, teardown),
	    cmocka_unit_test_setup_teardown(window_is_what_should_be_there, setup, teardown),
	    cmocka_unit_test_setup_teardown(open_until_its_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(stale_is_what_another_declaration_loaded, setup, teardown),
	    cmocka_unit_test_setup_teardown(whole_tables_are_one_item, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
