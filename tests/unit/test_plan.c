/* What a run means: which steps, which slices, in which order. Mode all asks no database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "etl/plan.h"
#include "tests/support/checked.h"
#include "tests/support/kinds.h"
#include "tests/support/loads.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static int64_t
at(const char *time)
{
	int64_t at_us;

	assert_true(clock_parse(time, &at_us));
	return at_us;
}

static struct step_claim
claim_of(struct ctx *ctx, const char *type, const char *from, const char *to, const char *slice)
{
	return (struct step_claim){.id = uuid_make(ctx),
	    .run_id = uuid_make(ctx),
	    .pipeline = "shop",
	    .kind = "plan",
	    .run_type = type,
	    .mode = "all",
	    .run_slice = slice,
	    .tables = json_null(),
	    .run_from_us = from != NULL ? at(from) : 0,
	    .run_to_us = to != NULL ? at(to) : 0,
	    .run_created_us = at("2024-02-10T12:00:00Z")};
}

static struct plan
plan_of(struct ctx *ctx, const struct step_claim *claim)
{
	struct slice_job job = {.spec = loads_spec(ctx), .claim = claim};
	struct plan plan;

	assert_true(plan_make(ctx, &job, NULL, &plan));
	return plan;
}

/* "kind table slice" a line, without the tables' waves. */
static const char *
lines_of(struct ctx *ctx, const struct plan *plan)
{
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < plan->count; i++)
		text_addf(&out, "%s %s %s\n", plan->steps[i].kind,
		    plan->steps[i].table != NULL ? plan->steps[i].table : "-",
		    plan->steps[i].slice != NULL ? plan->steps[i].slice : "-");
	return out.data;
}

static void
a_range_off_the_grid_gets_shorter_ends(void **state)
{
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "range", "2024-01-30T06:00:00Z", "2024-02-01T18:00:00Z", "P1D");
	struct plan plan = plan_of(ctx, &claim);

	assert_string_equal(lines_of(ctx, &plan), "ddl - -\n"
						  "fact fact_sale 2024-01-30T06:00:00Z/2024-01-31T00:00:00Z\n"
						  "fact fact_sale 2024-01-31T00:00:00Z/2024-02-01T00:00:00Z\n"
						  "fact fact_sale 2024-02-01T00:00:00Z/2024-02-01T18:00:00Z\n");
}

static void
months_and_weeks_lie_on_their_own_grids(void **state)
{
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "range", "2023-12-15", "2024-02-01", "P1M");
	struct plan plan = plan_of(ctx, &claim);

	assert_string_equal(lines_of(ctx, &plan), "ddl - -\n"
						  "fact fact_sale 2023-12-15T00:00:00Z/2024-01-01T00:00:00Z\n"
						  "fact fact_sale 2024-01-01T00:00:00Z/2024-02-01T00:00:00Z\n");
	claim = claim_of(ctx, "range", "2024-01-01", "2024-01-15", "P1W");
	plan = plan_of(ctx, &claim);
	assert_string_equal(lines_of(ctx, &plan), "ddl - -\n"
						  "fact fact_sale 2024-01-01T00:00:00Z/2024-01-08T00:00:00Z\n"
						  "fact fact_sale 2024-01-08T00:00:00Z/2024-01-15T00:00:00Z\n");
}

static void
newest_first_when_asked(void **state)
{
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "range", "2024-01-01", "2024-01-04", "P1D");
	struct plan plan;

	claim.descending = true;
	plan = plan_of(ctx, &claim);
	assert_string_equal(plan.steps[1].slice, "2024-01-03T00:00:00Z/2024-01-04T00:00:00Z");
	assert_string_equal(plan.steps[3].slice, "2024-01-01T00:00:00Z/2024-01-02T00:00:00Z");
	assert_true(plan.steps[1].ordinal < plan.steps[2].ordinal);
}

static void
dimensions_go_before_facts_and_the_last_slice_holds_now(void **state)
{
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "full", NULL, NULL, NULL);
	struct plan plan = plan_of(ctx, &claim);
	const struct step_plan *last = &plan.steps[plan.count - 1];
	int64_t wave = 0, dimensions = 0;

	for (size_t i = 0; i < plan.count; i++) {
		assert_true(plan.steps[i].wave >= wave);
		wave = plan.steps[i].wave;
		if (text_equal(plan.steps[i].kind, "dimension")) {
			dimensions++;
			assert_string_equal(plan.steps[i].scope, "table");
			assert_true(
			    plan.steps[i].from_us == CLOCK_MINUS_INFINITY && plan.steps[i].to_us == CLOCK_INFINITY);
		}
	}
	assert_int_equal(dimensions, 3);
	assert_string_equal(last->kind, "fact");
	assert_true(last->from_us <= claim.run_created_us && last->to_us > claim.run_created_us);
}

static void
types_and_tables_choose(void **state)
{
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "dimensions", NULL, NULL, NULL);
	struct plan plan = plan_of(ctx, &claim);

	assert_int_equal(plan.count, 4); /* ddl and three dimensions */
	claim.tables = json_new_array(ctx);
	json_add_string(ctx, claim.tables, "dim_tag");
	plan = plan_of(ctx, &claim);
	assert_string_equal(lines_of(ctx, &plan), "ddl - -\ndimension dim_tag table\n");
	claim.run_type = "facts";
	plan = plan_of(ctx, &claim);
	assert_int_equal(plan.count, 0);
}

/* A fact without time is left as it is by a range, and the run says so. */
static void
a_range_is_of_slices(void **state)
{
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "range", "2024-01-01", "2024-01-02", NULL);
	struct slice_job job = {.spec = loads_spec_of(ctx, &kinds_pipeline), .claim = &claim};
	int64_t skipped = 0, loaded = 0;
	const struct spec_table **tables;
	struct plan plan;
	json_t *printed;
	size_t count;

	assert_true(plan_make(ctx, &job, NULL, &plan));
	for (size_t i = 0; i < plan.count; i++) {
		const struct step_plan *step = &plan.steps[i];
		const struct spec_table *table = step->table != NULL ? spec_find_table(job.spec, step->table) : NULL;

		if (table == NULL)
			continue;
		assert_int_equal(table->kind, TABLE_FACT);
		skipped += text_equal(step->skip_reason, "no_time");
		loaded += step->skip_reason == NULL;
		assert_true((table->time == NULL) == (step->skip_reason != NULL && step->scope == NULL));
	}
	assert_true(skipped >= 1 && loaded >= 3);
	plan_tables(ctx, job.spec, &claim, &tables, &count); /* neither ddl nor checks are of them */
	assert_int_equal(count, loaded);
	assert_true(plan_to_json(ctx, &job, &plan, &printed));
	assert_null(json_object_get(json_object_get(printed, "sql"), "fact_all"));
	assert_non_null(json_object_get(json_object_get(printed, "sql"), "fact_once"));
}

/* What the printed plan has of a table in a phase, by name. */
static const char *
printed_sql(struct ctx *ctx, const struct slice_job *job, const struct plan *plan, const char *phase, const char *name)
{
	json_t *printed, *item;
	size_t i;

	assert_true(plan_to_json(ctx, job, plan, &printed));
	json_array_foreach(json_object_get(json_object_get(printed, "sql"), "fact_sale"), i, item) {
		if (text_equal(json_string_or(item, "phase", ""), phase) &&
		    text_equal(json_string_or(item, "name", ""), name))
			return json_string_or(item, "sql", NULL);
	}
	return NULL;
}

/* A plan in mode auto asks the source before anything is loaded. */
static void
what_a_plan_asks_is_printed(void **state)
{
	static const char after[] = "    changed_by: changed_at\n";
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "full", NULL, NULL, NULL);
	struct slice_job job = {.spec = loads_spec(ctx), .claim = &claim};
	struct loads_pipeline with = {.files = ctx_alloc_array(ctx, job.spec->files.count, sizeof(*with.files)),
	    .count = job.spec->files.count};
	struct plan plan = plan_of(ctx, &claim);
	const char *sql;

	assert_null(printed_sql(ctx, &job, &plan, "plan", "look for rows that changed since"));
	claim.mode = "auto";
	assert_non_null(printed_sql(ctx, &job, &plan, "plan", "look for rows that changed since"));
	assert_null(printed_sql(ctx, &job, &plan, "plan", "reconcile with the source"));
	for (size_t i = 0; i < with.count; i++) {
		const char *text = job.spec->files.items[i].text, *at = strstr(text, after);

		with.files[i] = job.spec->files.items[i];
		if (at != NULL)
			with.files[i].text = ctx_printf(ctx, "%.*s    reconcile: P7D\n%s", (int)(at - text), text, at);
	}
	job.spec = loads_spec_of(ctx, &with);
	sql = printed_sql(ctx, &job, &plan, "plan", "reconcile with the source");
	assert_non_null(sql);
	assert_non_null(strstr(sql, "md5(ROW(")); /* what is compared */
	assert_non_null(strstr(sql, "FROM sale"));
	assert_non_null(printed_sql(ctx, &job, &plan, "stage", "note what was extracted"));
}

static void
every_step_has_an_identity_of_its_own(void **state)
{
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "range", "2014-01-01", "2024-01-01", "P1D");
	struct plan plan = plan_of(ctx, &claim);

	assert_int_equal(plan.count, 3652 + 1);
	for (size_t i = 1; i < plan.count; i++) {
		assert_true(uuid_is_valid(plan.steps[i].id));
		assert_true(strcmp(plan.steps[i - 1].id, plan.steps[i].id) < 0);
	}
}

static void
a_period_without_a_grid_is_refused(void **state)
{
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "range", "2024-01-01", "2024-02-01", "P1M1D");
	struct slice_job job = {.spec = loads_spec(ctx), .claim = &claim};
	struct plan plan;

	assert_false(plan_make(ctx, &job, NULL, &plan));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_INVALID_REQUEST);
}

/* A table that is loaded in slices is asked about as a whole after them; one that is not loaded is not asked about. */
static void
checks_of_a_whole_table_follow_its_slices(void **state)
{
	static const char checks[] =
	    "  - { name: a, kind: volume, table: fact_sale, min: 1, gate: published, scope: table }\n"
	    "  - { name: b, kind: volume, table: dim_kind, min: 1, gate: published, scope: table }\n"
	    "  - { name: c, kind: volume, table: fact_sale, min: 1, gate: run }\n";
	struct ctx *ctx = *state;
	struct step_claim claim = claim_of(ctx, "range", "2024-01-01", "2024-01-03", NULL);
	struct slice_job job = {.spec = checked_spec(ctx, checks), .claim = &claim};
	struct plan plan;

	assert_true(plan_make(ctx, &job, NULL, &plan));
	assert_string_equal(lines_of(ctx, &plan), "ddl - -\n"
						  "fact fact_sale 2024-01-01T00:00:00Z/2024-01-02T00:00:00Z\n"
						  "fact fact_sale 2024-01-02T00:00:00Z/2024-01-03T00:00:00Z\n"
						  "check fact_sale -\ncheck - -\n");
	assert_int_equal(plan.steps[3].wave, plan.steps[2].wave + 1);
	assert_true(plan.steps[3].fail_run && plan.steps[4].wave > plan.steps[3].wave);
	claim.run_type = "dimensions";
	assert_true(plan_make(ctx, &job, NULL, &plan));
	assert_string_equal(lines_of(ctx, &plan), "ddl - -\ndimension dim_kind table\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_range_off_the_grid_gets_shorter_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(months_and_weeks_lie_on_their_own_grids, setup, teardown),
	    cmocka_unit_test_setup_teardown(newest_first_when_asked, setup, teardown),
	    cmocka_unit_test_setup_teardown(dimensions_go_before_facts_and_the_last_slice_holds_now, setup, teardown),
	    cmocka_unit_test_setup_teardown(types_and_tables_choose, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_range_is_of_slices, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_a_plan_asks_is_printed, setup, teardown),
	    cmocka_unit_test_setup_teardown(checks_of_a_whole_table_follow_its_slices, setup, teardown),
	    cmocka_unit_test_setup_teardown(every_step_has_an_identity_of_its_own, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_period_without_a_grid_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
