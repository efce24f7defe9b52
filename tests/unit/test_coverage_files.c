/* Coverage of tables that are fed by files: batches that are loaded, were never seen, changed, failed, run; and what an undo leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "etl/coverage.h"
#include "etl/duck/duck.h"
#include "tests/support/file_loads.h"
#include "tests/support/stores.h"

#include <cmocka.h>

#define POINT(robot, at) "{\"robot_id\":\"" robot "\",\"timestamp\":\"" at "\",\"value\":1}\n"

struct world {
	struct file_loads *f;
	struct pg *control;
	json_t *answer; /* the last one */
};

static int
setup(void **state)
{
	struct file_loads *f = file_loads_new();
	struct world *world = ctx_alloc(f->loads->ctx, sizeof(*world));

	world->f = f;
	world->control = stores_open(f->loads->ctx);
	stores_reset(f->loads->ctx, world->control);
	file_loads_write(f, "points/20240115/a.json", POINT("r1", "2024-01-15T08:00:00Z"));
	file_loads_write(f, "points/20240115/b.json", POINT("r2", "2024-01-15T08:00:00Z"));
	file_loads_write(f, "points/20240116/a.json", POINT("r1", "2024-01-16T08:00:00Z"));
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	file_loads_free(((struct world *)*state)->f);
	return 0;
}

static int64_t
at(const char *time)
{
	int64_t at_us = 0;

	assert_true(time == NULL || clock_parse(time, &at_us));
	return at_us;
}

/* "batch state seen/failed/missing/changed" for each item */
static const char *
items(struct world *world, const char *table, const char *from, const char *to)
{
	struct loads *loads = world->f->loads;
	struct coverage_question question = {.config = &loads->config,
	    .spec = loads->spec,
	    .table = spec_find_table(loads->spec, table),
	    .from_us = at(from),
	    .to_us = at(to),
	    .epoch = 1};
	struct text out;
	json_t *item;
	size_t i;

	assert_true(coverage_answer(loads->ctx, &question, loads->warehouse, world->control, &world->answer));
	text_init(&out, loads->ctx);
	json_array_foreach(json_object_get(world->answer, "items"), i, item)
		text_addf(&out, "%s%s %s %lld/%lld/%lld/%lld", i > 0 ? ", " : "", json_string_or(item, "batch", "-"),
		    json_string_or(item, "state", ""), (long long)json_int_or(item, "files", -1),
		    (long long)json_int_or(item, "files_failed", -1), (long long)json_int_or(item, "files_missing", -1),
		    (long long)json_int_or(item, "files_changed", -1));
	return out.data;
}

static const char *
points(struct world *world)
{
	return items(world, "fact_point", NULL, NULL);
}

/* A step of the control database that works on a batch, as load number n. */
static void
put_step(struct world *world, const char *status, const char *batch, int number)
{
	struct ctx *ctx = world->f->loads->ctx;
	const char *run = uuid_make(ctx), *step = uuid_make(ctx);

	stores_do(ctx, world->control,
	    ctx_printf(ctx,
		"INSERT INTO control.run (id, pipeline, type, mode, status, requested_by, trigger_kind, spec_version)"
		" VALUES ('%s', 'files', 'full', 'auto', 'running', 'me', 'api', 'sha256:0')",
		run));
	stores_do(ctx, world->control,
	    ctx_printf(ctx,
		"INSERT INTO control.step (id, run_id, pipeline, kind, table_name, wave, scope, slice, slice_from, slice_to, status,"
		" load_number, error, files) VALUES ('%s', '%s', 'files', 'fact', 'fact_point', 3, 'files', 'files:%s', '-infinity',"
		" '-infinity', '%s', %d, '{\"code\": \"worker_lost\"}',"
		" '{\"batch\": \"%s\", \"batch_at\": \"2024-01-17T00:00:00Z\", \"files\": []}')",
		step, run, step, status, number, batch));
}

static void
what_lies_there_and_was_never_seen_is_missing(void **state)
{
	struct world *world = *state;
	struct file_loads *f = world->f;

	assert_string_equal(points(world), "20240115 missing 0/0/2/0, 20240116 missing 0/0/1/0");
	assert_int_equal(file_loads_run(f, "fact_point", "auto", "20240115"), FAIL_NONE);
	assert_string_equal(points(world), "20240115 loaded 2/0/0/0, 20240116 missing 0/0/1/0");
	assert_int_equal(json_array_size(json_object_get(world->answer, "spans")), 2);
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 1);
	assert_string_equal(points(world), "20240115 loaded 2/0/0/0, 20240116 loaded 1/0/0/0");
	file_loads_write(f, "points/20240115/c.json", POINT("r3", "2024-01-15T08:00:00Z"));
	file_loads_write(f, "points/20240116/a.json", POINT("r4", "2024-01-16T08:00:00Z"));
	assert_string_equal(points(world), "20240115 open 2/0/1/0, 20240116 open 1/0/0/1");
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 2);
	assert_string_equal(points(world), "20240115 loaded 3/0/0/0, 20240116 loaded 1/0/0/0");
	file_loads_remove(f, "points/20240116/a.json"); /* keeps its rows */
	assert_string_equal(points(world), "20240115 loaded 3/0/0/0, 20240116 loaded 1/0/0/0");
	assert_string_equal(items(world, "fact_json", NULL, NULL), "");
	file_loads_write(f, "x/y.js", "[]");
	assert_string_equal(items(world, "fact_json", NULL, NULL), "- missing 0/0/1/0");
}

/* Dates in paths are the pipeline's: midnight in Zurich. */
static void
a_window_cuts(void **state)
{
	struct world *world = *state;

	assert_string_equal(items(world, "fact_point", "2024-01-15T23:00:00Z", NULL), "20240116 missing 0/0/1/0");
	assert_string_equal(items(world, "fact_point", NULL, "2024-01-15T23:00:00Z"), "20240115 missing 0/0/2/0");
	assert_int_equal(file_loads_load(world->f, "fact_point", "auto"), 2);
	assert_string_equal(items(world, "fact_point", "2024-01-15T23:00:00Z", "2024-01-16T23:00:00Z"),
	    "20240116 loaded 1/0/0/0");
}

static void
steps_show_through(void **state)
{
	struct world *world = *state;
	struct file_loads *f = world->f;
	const json_t *step;

	put_step(world, "failed", "20240115", 5);
	put_step(world, "failed", "20240117", 6);
	assert_string_equal(points(world),
	    "20240115 failed 0/0/2/0, 20240116 missing 0/0/1/0, 20240117 failed 0/0/0/0");
	step = json_object_get(json_array_get(json_object_get(world->answer, "items"), 0), "step");
	assert_string_equal(json_string_or(json_object_get(step, "error"), "code", ""), "worker_lost");
	f->loads->number = 100;
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 2);
	assert_string_equal(points(world), "20240115 loaded 2/0/0/0, 20240116 loaded 1/0/0/0, 20240117 failed 0/0/0/0");
	put_step(world, "failed", "20240116", 500);
	put_step(world, "running", "20240115", 501);
	assert_string_equal(points(world),
	    "20240115 running 2/0/0/0, 20240116 failed 1/0/0/0, 20240117 failed 0/0/0/0");
	file_loads_write(f, "points/20240118/bad.json", "no json\nat all\n");
	(void)file_loads_run(f, "fact_point", "auto", "20240118");
	assert_string_equal(points(world),
	    "20240115 running 2/0/0/0, 20240116 failed 1/0/0/0, 20240117 failed 0/0/0/0, 20240118 failed 1/1/0/0");
}

static void
a_folder_that_is_away_is_told(void **state)
{
	struct world *world = *state;
	struct loads *loads = world->f->loads;
	const char *away;

	assert_int_equal(file_loads_run(world->f, "fact_point", "auto", "20240115"), FAIL_NONE);
	assert_string_equal(points(world), "20240115 loaded 2/0/0/0, 20240116 missing 0/0/1/0");
	assert_true(json_is_null(json_object_get(world->answer, "source_error")));
	away = ctx_printf(loads->ctx, "%s.away", world->f->folder);
	assert_int_equal(rename(world->f->folder, away), 0);
	assert_string_equal(points(world), "20240115 loaded 2/0/0/0");
	assert_non_null(json_string_or(json_object_get(world->answer, "source_error"), "message", NULL));
}

/* What an undo leaves of files: records that are superseded, and an undo in the ledger. They are missing, and the next run loads them. */
static void
files_of_an_undone_load_are_missing(void **state)
{
	struct world *world = *state;
	struct file_loads *f = world->f;

	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 2);
	loads_do(f->loads,
	    "UPDATE loadstar.file_ledger SET state = 'superseded', superseded_by = load_id + 1000 WHERE batch = '20240116';"
	    "INSERT INTO loadstar.slice_ledger SELECT gen_random_uuid(), run_id, pipeline, table_name, slice, scope, slice_from,"
	    " slice_to, load_id + 1000, 'undo', spec_hash, jsonb_build_object('undoes', load_id::text) FROM loadstar.slice_ledger l"
	    " WHERE EXISTS (SELECT FROM loadstar.file_ledger f WHERE f.load_id = l.load_id AND f.batch = '20240116')");
	assert_string_equal(points(world), "20240115 loaded 2/0/0/0, 20240116 missing 0/0/1/0");
	f->loads->number += 2000;
	assert_int_equal(file_loads_plan(f, "fact_point", "missing", NULL), 1);
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 1);
	assert_string_equal(points(world), "20240115 loaded 2/0/0/0, 20240116 loaded 1/0/0/0");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_lies_there_and_was_never_seen_is_missing, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_window_cuts, setup, teardown),
	    cmocka_unit_test_setup_teardown(steps_show_through, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_folder_that_is_away_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(files_of_an_undone_load_are_missing, setup, teardown),
	};

	if (argc == 2 && strcmp(argv[1], DUCK_COMMAND) == 0)
		return duck_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
