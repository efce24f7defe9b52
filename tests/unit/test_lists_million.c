/*
 * A control database with a million runs: what one page of each list reads, by PostgreSQL's own counts, through the stores as they are. No
 * page reads a big table from end to end, and none reads more than a bounded number of rows, however rare what is asked for.
 */
#include "base/bug.h"
#include "sql/audit_store.h"
#include "sql/log_store.h"
#include "sql/quality_store.h"
#include "tests/support/million.h"
#include "tests/support/stores_fixture.h"

enum { PAGE = 100 };

/* What a page that reads only what it shows may read, and one whose filters throw most of it away. */
static const struct million_reads few = {.rows = 12 * PAGE, .blocks = 30 * PAGE};
/* … or one of a value that has so few rows that the planner may read and sort them all. */
static const struct million_reads small = {.rows = 15000, .blocks = 8000};
static const struct million_reads bounded = {.rows = 25000, .blocks = 90000};

static int
setup(void **state)
{
	(void)state;
	f.ctx = ctx_new("test", 0);
	f.db = stores_open(f.ctx);
	million_fill(f.ctx);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	million_empty(f.ctx, f.db);
	ctx_free(f.ctx);
	return 0;
}

/* Plans for these values and for any, as a session has both in turn. */
static void
with_both_plans(void (*test)(void))
{
	stores_do(f.ctx, f.db, "SET plan_cache_mode = force_custom_plan");
	test();
	stores_do(f.ctx, f.db, "SET plan_cache_mode = force_generic_plan");
	test();
	stores_do(f.ctx, f.db, "RESET plan_cache_mode");
}

static void
expect_reads(const char *what, const struct million_reads *most)
{
	struct million_reads reads = million_reads_end(f.ctx, f.db);

	if (reads.scans == 0 && reads.rows <= most->rows && reads.blocks <= most->blocks)
		return;
	print_error("%s: %lld rows in %lld blocks, and %lld scans of whole tables\n", what, (long long)reads.rows,
	    (long long)reads.blocks, (long long)reads.scans);
	assert_true(false);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

struct run_case {
	const char *what;
	struct run_filter filter;
	const struct million_reads *most;
	size_t count; /* of the first page */
};
#define EVERY .limit = PAGE
#define RARE_TABLE .table = "once"
#define RARE_LABEL .label_key = "ticket", .label_value = "OPS-7"

static const struct run_case run_cases[] = {
    {"all", {EVERY}, &few, PAGE},
    {"pipeline", {EVERY, .pipelines = LIST("p3")}, &few, PAGE},
    {"pipelines", {EVERY, .pipelines = LIST("p1", "p2", "old")}, &few, PAGE},
    {"old pipeline", {EVERY, .pipelines = LIST("old")}, &few, PAGE},
    {"no such pipeline", {EVERY, .pipelines = LIST("none")}, &few, 0},
    {"type", {EVERY, .types = LIST("range")}, &few, PAGE},
    {"types", {EVERY, .types = LIST("full", "range", "facts")}, &few, PAGE},
    {"old type", {EVERY, .types = LIST("facts")}, &few, PAGE},
    {"rare types", {EVERY, .types = LIST("full", "dimensions")}, &few, 1},
    {"status", {EVERY, .statuses = LIST("failed")}, &few, PAGE},
    {"statuses", {EVERY, .statuses = LIST("failed", "succeeded", "queued")}, &few, PAGE},
    {"old status", {EVERY, .statuses = LIST("partial")}, &few, PAGE},
    {"rare statuses", {EVERY, .statuses = LIST("queued", "paused")}, &few, 1},
    {"table", {EVERY, .table = "t4"}, &few, PAGE},
    {"old table", {EVERY, .table = "gone"}, &few, PAGE},
    {"rare table", {EVERY, RARE_TABLE}, &few, 1},
    {"no such table", {EVERY, .table = "never"}, &few, 0},
    {"label", {EVERY, .label_key = "team", .label_value = "t42"}, &few, PAGE},
    {"rare label", {EVERY, RARE_LABEL}, &few, 1},
    {"no such label", {EVERY, .label_key = "team", .label_value = "x"}, &few, 0},
    {"requester", {EVERY, .requested_by = "clock"}, &few, PAGE},
    {"old requester", {EVERY, .requested_by = "bob"}, &few, PAGE},
    {"rare requester", {EVERY, .requested_by = "alice"}, &few, 1},
    {"nobody", {EVERY, .requested_by = "nobody"}, &few, 0},
    {"pipeline and status", {EVERY, .pipelines = LIST("p0"), .statuses = LIST("failed")}, &few, PAGE},
    {"pipeline and rare status", {EVERY, .pipelines = LIST("old", "p1"), .statuses = LIST("queued")}, &few, 1},
    {"pipeline and rare label", {EVERY, .pipelines = LIST("old"), RARE_LABEL}, &few, 1},
    {"other pipeline and rare label", {EVERY, .pipelines = LIST("p2"), RARE_LABEL}, &few, 0},
    {"rare table and rare label", {EVERY, RARE_TABLE, RARE_LABEL}, &few, 1},
    {"table and label", {EVERY, .table = "t0", .label_key = "team", .label_value = "t42"}, &few, PAGE},
    {"all at once",
	{EVERY, .pipelines = LIST("old", "p2"), .types = LIST("full"), .statuses = LIST("queued"), RARE_TABLE,
	    RARE_LABEL, .requested_by = "alice"},
	&few, 1},
    {"pipeline and other table", {EVERY, .pipelines = LIST("p3"), .table = "t4"}, &bounded, 0},
    {"pipeline and rare type", {EVERY, .pipelines = LIST("p1"), .types = LIST("full")}, &bounded, 0},
    {"requester and rare status", {EVERY, .requested_by = "clock", .statuses = LIST("queued")}, &bounded, 0},
    {"status and rare type", {EVERY, .statuses = LIST("succeeded", "partial"), .types = LIST("full")}, &bounded, 0},
};

static void
expect_run_page(const struct run_case *c, const struct run_filter *filter, const char *where, struct run_list *list)
{
	million_reads_begin(f.ctx, f.db);
	assert_true(run_list(f.ctx, f.db, filter, list));
	expect_reads(ctx_printf(f.ctx, "runs by %s, %s", c->what, where), c->most);
}

static void
pages_of_runs(void)
{
	for (size_t i = 0; i < LENGTH_OF(run_cases); i++) {
		const struct run_case *c = &run_cases[i];
		struct run_filter filter = c->filter;
		struct run_list list;

		expect_run_page(c, &filter, "first page", &list);
		assert_int_equal(list.count, c->count);
		assert_int_equal(list.more, c->count == PAGE || c->most == &bounded);
		filter.before_us = million_time_us(500000);
		filter.before_id = million_run_id(f.ctx, 500000);
		expect_run_page(c, &filter, "deep page", &list);
		filter = c->filter;
		filter.since_us = million_time_us(300000);
		filter.until_us = million_time_us(300050);
		expect_run_page(c, &filter, "a minute of old", &list);
		assert_true(list.count <= 50 && !list.more);
	}
}

static void
test_runs(void **state)
{
	(void)state;
	with_both_plans(pages_of_runs);
}

/* Filters that throw most away still come to what there is, page by page. */
static void
test_what_is_rare_is_reached(void **state)
{
	struct run_filter filter = {EVERY, .pipelines = LIST("old"), .types = LIST("full")};
	struct run_list list;
	int pages = 0;

	(void)state;
	do {
		CTX_SCOPE(tmp, f.ctx);

		assert_true(run_list(tmp, f.db, &filter, &list));
		assert_true(list.count == 0 || text_equal(list.items[0].id, million_run_id(tmp, MILLION_RARE)));
		filter.before_us = list.next_us;
		filter.before_id = list.more ? ctx_strdup(f.ctx, list.next_id) : NULL;
		pages++;
	} while (list.count == 0 && list.more);
	assert_int_equal(list.count, 1);
	assert_in_range(pages, 100000 / RUN_LIST_READS - 1, 100000 / RUN_LIST_READS + 1);
}

static void
expect_step_pages(struct step_filter filter, size_t count)
{
	json_t *items = json_new_array(f.ctx);
	bool more = true;

	while (more) {
		million_reads_begin(f.ctx, f.db);
		assert_true(step_list(f.ctx, f.db, &filter, items, &more, &filter));
		expect_reads("steps", &bounded);
		if (filter.status == NULL && filter.table == NULL)
			break;
	}
	assert_int_equal(json_array_size(items), count);
}

static void
pages_of_steps(void)
{
	const char *run_id = million_run_id(f.ctx, MILLION_RUNS);

	expect_step_pages((struct step_filter){.run_id = run_id, .limit = PAGE}, PAGE);
	expect_step_pages((struct step_filter){.run_id = run_id, .limit = PAGE, .status = "failed"}, 1);
	expect_step_pages((struct step_filter){.run_id = run_id, .limit = PAGE, .table = "once"}, 1);
}

static void
test_steps(void **state)
{
	(void)state;
	with_both_plans(pages_of_steps);
}

static void
pages_of_lines(void)
{
	const char *run_id = million_run_id(f.ctx, MILLION_RUNS);
	const struct {
		const char *what, *level;
		int64_t step, after;
		size_t count;
	} cases[] = {
	    {"lines", NULL, 0, 0, PAGE},
	    {"late lines", NULL, 0, MILLION_LINES - 50, 50},
	    {"errors", "error", 0, 0, 1},
	    {"warnings", "warn", 0, 0, 2},
	    {"late warnings", "warn", 0, 50000, 1},
	    {"lines of a step", NULL, 2, 30000, PAGE},
	    {"lines of no step", NULL, 9, 0, 0},
	    {"errors of a step", "info", 2, 30000, PAGE},
	};

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct log_filter filter = {.run_id = run_id,
		    .limit = PAGE,
		    .level = cases[i].level,
		    .after = cases[i].after};
		struct log_lines page;

		if (cases[i].step != 0)
			filter.step_id = million_run_id(f.ctx, MILLION_RUNS + cases[i].step);
		million_reads_begin(f.ctx, f.db);
		assert_true(log_page(f.ctx, f.db, &filter, &page));
		expect_reads(cases[i].what, &few);
		assert_int_equal(page.count, cases[i].count);
	}
}

static void
test_lines(void **state)
{
	(void)state;
	with_both_plans(pages_of_lines);
}

static void
pages_of_results(void)
{
	const struct {
		const char *what;
		struct quality_filter filter;
		const struct million_reads *most;
		size_t count;
	} cases[] = {
	    {"results", {EVERY}, &bounded, PAGE},
	    {"results of a pipeline", {EVERY, .pipelines = LIST("p3")}, &small, PAGE},
	    {"results of a table", {EVERY, .pipelines = LIST("p3"), .table = "t3"}, &small, PAGE},
	    {"results of an old table", {EVERY, .pipelines = LIST("p3"), .table = "gone"}, &small, PAGE},
	    {"results of a rare table", {EVERY, .table = "once"}, &few, 1},
	    {"results of a check", {EVERY, .pipelines = LIST("p3"), .check = "c3"}, &small, PAGE},
	    {"results of a rare check", {EVERY, .check = "seldom"}, &few, 1},
	    {"results of a rare status", {EVERY, .status = "error"}, &few, 1},
	    {"failed results", {EVERY, .pipelines = LIST("p5"), .status = "failed"}, &small, PAGE},
	    {"results of the begin", {EVERY, .until_us = million_time_us(100)}, &few, 99},
	    {"a pipeline's results of another table", {EVERY, .pipelines = LIST("p3"), .table = "t4"}, &few, 0},
	};

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct quality_filter filter = cases[i].filter, next;
		json_t *items = json_new_array(f.ctx);
		bool more;

		million_reads_begin(f.ctx, f.db);
		assert_true(quality_list(f.ctx, f.db, &filter, items, &more, &next));
		expect_reads(cases[i].what, cases[i].most);
		assert_int_equal(json_array_size(items), cases[i].count);
		filter.before_us = million_time_us(60000);
		filter.before_id = 60000;
		million_reads_begin(f.ctx, f.db);
		assert_true(quality_list(f.ctx, f.db, &filter, items, &more, &next));
		expect_reads(ctx_printf(f.ctx, "%s, deep page", cases[i].what), cases[i].most);
	}
}

static void
pages_of_a_runs_results(void)
{
	json_t *items = json_new_array(f.ctx);
	int64_t next;

	for (int64_t after = 0; after <= 100000; after += 50000) {
		million_reads_begin(f.ctx, f.db);
		assert_true(
		    quality_of_run(f.ctx, f.db, million_run_id(f.ctx, MILLION_RUNS), after, PAGE, items, &next));
		expect_reads("results of a run", &few);
	}
	assert_int_equal(json_array_size(items), 3 * PAGE);
}

static void
test_results(void **state)
{
	(void)state;
	with_both_plans(pages_of_results);
	with_both_plans(pages_of_a_runs_results);
}

static void
pages_of_the_audit_log(void)
{
	const struct {
		const char *what;
		struct audit_filter filter;
		const struct million_reads *most;
		size_t count;
	} cases[] = {
	    {"entries", {EVERY}, &few, PAGE},
	    {"entries of a subject", {EVERY, .subject = "u3"}, &small, PAGE},
	    {"entries of who left", {EVERY, .subject = "left"}, &small, PAGE},
	    {"entries of an old pipeline", {EVERY, .pipelines = LIST("old")}, &small, PAGE},
	    {"entries of a rare subject", {EVERY, .subject = "rare"}, &few, 1},
	    {"entries of nobody", {EVERY, .subject = "nobody"}, &few, 0},
	    {"entries of a rare action", {EVERY, .action = "rare.deed"}, &few, 1},
	    {"entries of a pipeline", {EVERY, .pipelines = LIST("p3", "p4")}, &small, PAGE},
	    {"entries of a rare pipeline", {EVERY, .pipelines = LIST("rare")}, &few, 1},
	    {"entries since the last minute", {EVERY, .since_us = million_time_us(MILLION_ENTRIES - 59)}, &bounded, 60},
	    {"entries of the future", {EVERY, .since_us = million_time_us(2 * MILLION_ENTRIES)}, &few, 0},
	    {"a subject's rare action", {EVERY, .subject = "u3", .action = "rare.deed"}, &bounded, 0},
	};

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		json_t *items = json_new_array(f.ctx);
		int64_t next;

		million_reads_begin(f.ctx, f.db);
		assert_true(audit_list(f.ctx, f.db, &cases[i].filter, items, &next));
		expect_reads(cases[i].what, cases[i].most);
		assert_int_equal(json_array_size(items), cases[i].count);
	}
}

static void
test_the_audit_log(void **state)
{
	(void)state;
	with_both_plans(pages_of_the_audit_log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runs),
	    cmocka_unit_test(test_what_is_rare_is_reached),
	    cmocka_unit_test(test_steps),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_results),
	    cmocka_unit_test(test_the_audit_log),
	};

	return cmocka_run_group_tests_name("lists of a million", tests, setup, teardown);
}
