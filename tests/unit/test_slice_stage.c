/* Shared staging: loaded first, asked in the warehouse, and never half one load and half another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/plan.h"
#include "tests/support/loads.h"

#include <cmocka.h>

static const char document[] = "spec: 1\n"
			       "pipeline: staged\n"
			       "warehouse: warehouse\n"
			       "sources:\n"
			       "  shop: { type: postgres, connection: shop }\n"
			       "tables:\n"
			       "  fact_line:\n"
			       "    kind: fact\n"
			       "    source: { stage: stg_line, query: line.sql }\n"
			       "    grain: [id]\n"
			       "    columns: { id: integer, part: text, amount: integer }\n"
			       "    lookups: { part_key: { dimension: dim_part, match: part } }\n"
			       "  dim_part:\n"
			       "    kind: dimension\n"
			       "    source: { stage: stg_line, query: part.sql }\n"
			       "    surrogate: part_key\n"
			       "    key: [part]\n"
			       "    columns: { part: text, lines: bigint }\n"
			       "  stg_line:\n"
			       "    kind: stage\n"
			       "    source: { from: shop, query: all.sql }\n"
			       "    columns: { id: integer, part: text, amount: integer }\n"
			       "  stg_other:\n"
			       "    kind: stage\n"
			       "    source: { from: shop, query: all.sql }\n"
			       "    grain: [id]\n"
			       "    columns: { id: integer, part: text }\n";

static struct spec_file files[] = {
    {"all.sql", "SELECT * FROM lines"},
    {"line.sql", "SELECT id, part, amount FROM stg_line WHERE amount > 0"},
    {"part.sql", "SELECT part, count(*) AS lines FROM stg_line GROUP BY part"},
    {"pipeline.yaml", document},
};

static const struct loads_pipeline pipeline = {
    .files = files,
    .count = LENGTH_OF(files),
    .source_tables = "DROP TABLE IF EXISTS lines; CREATE TABLE lines (id int, part text, amount int);"
		     "INSERT INTO lines VALUES (1, 'a', 5), (2, 'a', 6), (3, 'b', 0)",
    .no_tables = "DROP TABLE IF EXISTS stg_line, stg_other, dim_part, fact_line",
};

static int
setup(void **state)
{
	*state = loads_new_of(&pipeline);
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

static const char *
steps_of(struct loads *loads, const char *type, const char *table)
{
	struct slice_job job = loads_job(loads, "fact_line", -1);
	struct step_claim claim = *job.claim;
	struct plan plan;
	struct text out;

	claim.kind = "plan";
	claim.table = NULL;
	claim.run_type = type;
	claim.mode = "all";
	claim.tables = json_new_array(loads->ctx);
	if (table != NULL)
		json_add_string(loads->ctx, claim.tables, table);
	job.claim = &claim;
	job.table = NULL;
	assert_true(plan_make(loads->ctx, &job, NULL, &plan));
	text_init(&out, loads->ctx);
	for (size_t i = 0; i < plan.count; i++)
		if (plan.steps[i].table != NULL)
			text_addf(&out, "%lld %s %s\n", (long long)plan.steps[i].wave, plan.steps[i].kind,
			    plan.steps[i].table);
	return out.data;
}

static void
test_plan(void **state)
{
	struct loads *loads = *state;

	assert_string_equal(steps_of(loads, "full", NULL),
	    "2 stage stg_line\n3 dimension dim_part\n4 fact fact_line\n");
	assert_string_equal(steps_of(loads, "dimensions", NULL), "2 stage stg_line\n3 dimension dim_part\n");
	assert_string_equal(steps_of(loads, "full", "fact_line"), "2 stage stg_line\n4 fact fact_line\n");
	assert_string_equal(steps_of(loads, "full", "stg_other"), "2 stage stg_other\n");
}

static void
test_load(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	outcome = loads_load(loads, "stg_line", -1);
	assert_int_equal(outcome.counts.inserted, 3);
	(void)loads_load(loads, "dim_part", -1);
	(void)loads_load(loads, "fact_line", -1);
	assert_string_equal(loads_ask(loads, "SELECT id, amount, part_key > 0 FROM fact_line ORDER BY 1"),
	    "1 5 t\n2 6 t");
	assert_string_equal(loads_ask(loads, "SELECT part, lines FROM dim_part WHERE part_key > 0 ORDER BY 1"),
	    "a 2\nb 1");
	loads_source(loads, "DELETE FROM lines WHERE id = 1; INSERT INTO lines VALUES (4, 'c', 1), (4, 'c', 1)");
	outcome = loads_load(loads, "stg_line", -1);
	assert_int_equal(outcome.counts.inserted, 2);
	assert_int_equal(outcome.counts.unchanged, 2);
	assert_int_equal(outcome.counts.rows_deleted, 1);
	outcome = loads_load(loads, "fact_line", -1);
	assert_string_equal(loads_ask(loads, "SELECT id FROM fact_line ORDER BY 1"), "2\n4");
	assert_string_equal(loads_ask(loads,
				"SELECT count(*) FROM loadstar.slice_ledger WHERE table_name = 'public.fact_line'"
				" AND result -> 'inputs' ? 'public.stg_line'"),
	    "2");
}

static void
load_staging(void *arg, struct ctx *ctx, enum log_level level, const char *message, json_t *fields)
{
	struct loads *loads = arg;

	(void)ctx;
	(void)level;
	(void)fields;
	if (!text_equal(message, "extracted"))
		return;
	loads_source(loads, "UPDATE lines SET amount = amount + 1");
	(void)loads_load(loads, "stg_line", -1);
}

static void
test_changed_meanwhile(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job;

	(void)loads_load(loads, "stg_line", -1);
	job = loads_job(loads, "fact_line", -1);
	job.log = (struct slice_log){.write = load_staging, .arg = loads};
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_STALE_SNAPSHOT);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM fact_line"), "0");
	job = loads_again(loads, &job);
	job.log = (struct slice_log){0};
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(loads_ask(loads, "SELECT id, amount FROM fact_line ORDER BY 1"), "1 6\n2 7\n3 1");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_plan, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_load, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changed_meanwhile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
