/* How tables are: ok, late, failed, never; from the ledger and the steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "etl/overview_room.h"
#include "tests/support/loads.h"
#include "tests/support/stores.h"

#include <cmocka.h>

struct world {
	struct loads *loads;
	struct pg *control;
	struct pool *pool;
	json_t *before;
};

static int
setup(void **state)
{
	struct loads *loads = loads_new();
	struct world *world = ctx_alloc(loads->ctx, sizeof(*world));

	world->loads = loads;
	world->control = stores_open(loads->ctx);
	world->pool = pool_new(stores_url(), 2);
	world->before = json_null();
	stores_reset(loads->ctx, world->control);
	loads_source(loads, "INSERT INTO kind VALUES (1, 'x')");
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	pool_free(world->pool);
	loads_free(world->loads);
	return 0;
}

static const json_t *
table_of(struct world *world, const char *name)
{
	struct loads *loads = world->loads;
	struct overview_question question = {.config = &loads->config,
	    .control = world->pool,
	    .spec = loads->spec,
	    .epoch = 1,
	    .before = world->before};
	const json_t *table;
	size_t i;

	assert_true(overview_make(loads->ctx, &question, &world->before));
	json_array_foreach(world->before, i, table) {
		if (text_equal(json_string_or(table, "table", ""), name))
			return table;
	}
	fail_msg("no table %s", name);
	return NULL;
}

static const char *
state_of(struct world *world, const char *name)
{
	return json_string_or(table_of(world, name), "state", "");
}

static void
put_step(struct world *world, const char *status, int day, int number)
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
		" load_number, error) SELECT '%s', '%s', 'shop', 'fact', 'fact_sale', 3, 'time', d::text, d, d + interval '1 day', '%s',"
		" %d, '{\"code\": \"sql_data\"}' FROM (SELECT timestamptz '2024-01-01 00:00Z' + %d * interval '1 day' AS d) x",
		uuid_make(ctx), run, status, number, day));
}

static void
put_sale(struct loads *loads, int day)
{
	loads_source(loads,
	    ctx_printf(loads->ctx,
		"INSERT INTO sale VALUES (%d, 'p', 1, 1, 1, timestamptz '2024-01-01 12:00Z' + %d * interval '1 day', 1, now(), '')",
		day, day));
}

static void
a_failure_stands_until_something_newer_is_there(void **state)
{
	struct world *world = *state;
	struct loads *loads = world->loads;

	assert_string_equal(state_of(world, "fact_sale"), "never");
	(void)loads_load(loads, "dim_kind", -1);
	assert_string_equal(state_of(world, "dim_kind"), "ok");
	put_step(world, "failed", 0, 40);
	put_step(world, "failed", 1, 41);
	assert_string_equal(state_of(world, "fact_sale"), "failed");
	loads->number = 50;
	(void)loads_load(loads, "fact_sale", 0);
	assert_string_equal(state_of(world, "fact_sale"), "failed"); /* the other day is not there */
	assert_string_equal(json_string_or(json_object_get(table_of(world, "fact_sale"), "last_error"), "code", ""),
	    "sql_data");
	(void)loads_load(loads, "fact_sale", 1);
	assert_string_equal(state_of(world, "fact_sale"), "ok");
	put_step(world, "running", 2, 60);
	assert_int_equal(json_int_or(table_of(world, "fact_sale"), "running", 0), 1);
	put_step(world, "failed", 1, 70);
	assert_string_equal(state_of(world, "fact_sale"), "failed");
	loads_do(loads, "DROP SCHEMA loadstar CASCADE");
	assert_string_equal(state_of(world, "fact_sale"), "failed");
	assert_string_equal(state_of(world, "dim_kind"), "never");
}

/* Takes back the newest load. */
static void
undo_newest(struct loads *loads)
{
	loads_do(loads,
	    ctx_printf(loads->ctx,
		"INSERT INTO loadstar.slice_ledger SELECT gen_random_uuid(), run_id, pipeline, table_name, slice, scope, slice_from,"
		" slice_to, (1::bigint << 40) + %lld, 'undo', spec_hash, jsonb_build_object('undoes', load_id::text)"
		"  FROM loadstar.slice_ledger ORDER BY load_id DESC LIMIT 1",
		(long long)++loads->number));
}

static void
an_undone_load_is_no_last_one(void **state)
{
	struct world *world = *state;
	struct loads *loads = world->loads;
	const json_t *table;

	(void)loads_load(loads, "dim_kind", -1);
	put_sale(loads, 0);
	put_sale(loads, 1);
	loads->number = 20;
	(void)loads_load(loads, "fact_sale", 0);
	put_step(world, "failed", 1, 30);
	loads->number = 40;
	(void)loads_load(loads, "fact_sale", 1);
	table = table_of(world, "fact_sale");
	assert_string_equal(json_string_or(table, "state", ""), "ok");
	assert_string_equal(json_string_or(table, "newest_row", ""), "2024-01-02T12:00:00Z");
	undo_newest(loads);
	loads_do(loads, "DELETE FROM fact_sale WHERE sold_at > '2024-01-02'");
	table = table_of(world, "fact_sale");
	assert_string_equal(json_string_or(table, "state", ""), "failed"); /* what was passed stands again */
	assert_string_equal(json_string_or(json_object_get(table, "last_load"), "load_id", ""),
	    text_from_i64(loads->ctx, (INT64_C(1) << 40) + 21));
	assert_string_equal(json_string_or(table, "newest_row", ""), "2024-01-01T12:00:00Z");
}

static void
newest_row_and_its_limit(void **state)
{
	struct world *world = *state;
	struct loads *loads = world->loads;
	struct loads_pipeline pipeline = {.files = ctx_alloc_array(loads->ctx, loads->spec->files.count,
					      sizeof(*pipeline.files)),
	    .count = loads->spec->files.count};

	(void)loads_load(loads, "dim_kind", -1);
	put_sale(loads, 3);
	(void)loads_load(loads, "fact_sale", 3);
	assert_string_equal(json_string_or(table_of(world, "fact_sale"), "newest_row", ""), "2024-01-04T12:00:00Z");
	loads_do(loads, "DELETE FROM fact_sale"); /* not ours, and not asked again before a load */
	assert_string_equal(json_string_or(table_of(world, "fact_sale"), "newest_row", ""), "2024-01-04T12:00:00Z");
	(void)loads_load(loads, "fact_sale", 3);
	put_sale(loads, 2);
	(void)loads_load(loads, "fact_sale", 2);
	assert_string_equal(json_string_or(table_of(world, "fact_sale"), "newest_row", ""), "2024-01-04T12:00:00Z");
	for (size_t i = 0; i < pipeline.count; i++) {
		pipeline.files[i] = loads->spec->files.items[i];
		if (text_equal(pipeline.files[i].path, "pipeline.yaml"))
			pipeline.files[i].text = ctx_printf(loads->ctx,
			    "%schecks:\n  - { name: fresh, kind: freshness, table: fact_sale, column: changed_at, max_age: 1d }\n"
			    "  - { name: old, kind: freshness, table: fact_sale, column: sold_at, max_age: 2d }\n",
			    pipeline.files[i].text);
	}
	loads_redeclare(loads, &pipeline);
	world->before = json_null();
	assert_string_equal(state_of(world, "fact_sale"), "ok");
	assert_int_equal(json_int_or(table_of(world, "fact_sale"), "freshness_limit_seconds", 0), 86400);
	loads_source(loads, "UPDATE sale SET changed_at = now() - interval '25 hours'");
	(void)loads_load(loads, "fact_sale", 2);
	(void)loads_load(loads, "fact_sale", 3);
	assert_string_equal(state_of(world, "fact_sale"), "late");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_failure_stands_until_something_newer_is_there, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_undone_load_is_no_last_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(newest_row_and_its_limit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
