/* Slices that are sets of files: what is planned, loaded, loaded again, moved, rejected, failed and mended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/duck/duck.h"
#include "tests/support/file_loads.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = file_loads_new();
	return 0;
}

static int
teardown(void **state)
{
	file_loads_free(*state);
	return 0;
}

#define POINT(robot, at, value) "{\"robot_id\":\"" robot "\",\"timestamp\":\"" at "\",\"value\":" value "}\n"

static const char points[] =
    "SELECT robot_id, to_char(at AT TIME ZONE 'UTC', 'DD\"T\"HH24'), value FROM fact_point ORDER BY 1, 2";

static void
test_load_and_repeat(void **state)
{
	struct file_loads *f = *state;
	struct loads *loads = f->loads;

	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "1.5") POINT("r2", "2024-01-15T08:00:00Z", "2"));
	file_loads_write(f, "points/20240116/a.json", POINT("r1", "2024-01-16T08:00:00Z", "3"));
	file_loads_write(f, "points/notadate/a.json", POINT("r1", "2024-01-16T09:00:00Z", "3"));
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 2);
	assert_string_equal(file_loads_counts(f), "3+0*0= 0d 0r -0");
	assert_string_equal(loads_ask(loads, points), "r1 15T08 1.50\nr1 16T08 3.00\nr2 15T08 2.00");
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 0);
	assert_int_equal(file_loads_load(f, "fact_point", "missing"), 0);
	assert_int_equal(file_loads_load(f, "fact_point", "all"), 2);
	assert_string_equal(file_loads_counts(f), "0+0*3= 0d 0r -0");
	assert_string_equal(loads_ask(loads, "SELECT state, path, rows FROM loadstar.file_ledger ORDER BY load_id"),
	    "superseded points/20240115/a.json 2\nsuperseded points/20240116/a.json 1\n"
	    "loaded points/20240115/a.json 2\nloaded points/20240116/a.json 1");
	assert_string_equal(loads_ask(loads,
				"SELECT count(*) FROM fact_point p JOIN loadstar.file_ledger l USING (file_id) "
				"WHERE l.state = 'loaded' AND l.path LIKE '%' || to_char(at, 'YYYYMMDD') || '%'"),
	    "3");
}

/* Every row is one file's: the later one's, in whatever order they are loaded. */
static void
test_changed_and_moved(void **state)
{
	struct file_loads *f = *state;
	struct loads *loads = f->loads;
	const char *key;

	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "1") POINT("r2", "2024-01-15T08:00:00Z", "2"));
	(void)file_loads_load(f, "fact_point", "auto");
	key = loads_ask(loads, "SELECT point_key FROM fact_point WHERE robot_id = 'r1'");
	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "1") POINT("r3", "2024-01-15T08:00:00Z", "3"));
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 1);
	assert_string_equal(file_loads_counts(f), "1+0*1= 0d 0r -1");
	file_loads_write(f, "points/20240116/b.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "9")); /* a correction, a day later */
	(void)file_loads_load(f, "fact_point", "auto");
	assert_string_equal(file_loads_counts(f), "0+1*0= 0d 0r -0");
	assert_int_equal(f->sum.rows_moved, 1);
	assert_string_equal(loads_ask(loads, "SELECT point_key FROM fact_point WHERE robot_id = 'r1'"), key);
	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "4") POINT("r3", "2024-01-15T08:00:00Z", "5"));
	(void)file_loads_load(f, "fact_point", "auto"); /* written later, but of an earlier batch */
	assert_string_equal(file_loads_counts(f), "0+1*0= 1d 0r -0");
	assert_string_equal(loads_ask(loads, points), "r1 15T08 9.00\nr3 15T08 5.00");
	f->descending = true;
	assert_int_equal(file_loads_load(f, "fact_point", "all"), 2);
	assert_string_equal(file_loads_counts(f), "0+0*2= 1d 0r -0");
	assert_string_equal(loads_ask(loads, points), "r1 15T08 9.00\nr3 15T08 5.00");
}

/* Within a step, too: of two files of a batch the one written later, and of its lines the last. */
static void
test_duplicates(void **state)
{
	struct file_loads *f = *state;

	file_loads_write(f, "points/20240115/z.json", POINT("r1", "2024-01-15T08:00:00Z", "1"));
	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "2") POINT("r1", "2024-01-15T08:00:00Z", "3"));
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 1);
	assert_string_equal(file_loads_counts(f), "1+0*0= 2d 0r -0");
	assert_string_equal(loads_ask(f->loads, points), "r1 15T08 3.00");
}

/* Rows without a key are a file's by their content: two equal ones are two, and what a file held is replaced by what it holds. */
static void
test_append(void **state)
{
	static const char notes[] = "SELECT robot_id, value, count(*) FROM fact_note GROUP BY 1, 2 ORDER BY 1, 2";
	struct file_loads *f = *state;

	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "1") POINT("r1", "2024-01-15T09:00:00Z", "1")
		POINT("r2", "2024-01-15T08:00:00Z", "null"));
	file_loads_write(f, "points/20240116/a.json", POINT("r1", "2024-01-16T08:00:00Z", "1"));
	assert_int_equal(file_loads_load(f, "fact_note", "auto"), 2);
	assert_string_equal(file_loads_counts(f), "4+0*0= 0d 0r -0");
	assert_string_equal(loads_ask(f->loads, notes), "r1 1.00 3\nr2 - 1");
	assert_int_equal(file_loads_load(f, "fact_note", "all"), 2);
	assert_string_equal(file_loads_counts(f), "0+0*4= 0d 0r -0");
	file_loads_write(f, "points/20240115/a.json",
	    POINT("r2", "2024-01-15T08:00:00Z", "2") POINT("r1", "2024-01-15T08:00:00Z", "1")
		POINT("r1", "2024-01-15T08:00:00Z", "1"));
	assert_int_equal(file_loads_load(f, "fact_note", "auto"), 1);
	assert_string_equal(file_loads_counts(f), "1+0*2= 0d 0r -1");
	assert_string_equal(loads_ask(f->loads, notes), "r1 1.00 3\nr2 2.00 1");
}

static void
test_rejects(void **state)
{
	struct file_loads *f = *state;
	struct loads *loads = f->loads;

	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "1") "no json\n" POINT("r2", "2024-01-15T08:00:00Z", "\"x\"")
		POINT("r3", "2024-01-15T08:00:00Z", "null"));
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 1);
	assert_string_equal(file_loads_counts(f), "1+0*0= 0d 3r -0");
	assert_string_equal(loads_ask(loads,
				"SELECT file, line, column_name, rule, state FROM loadstar.quarantine ORDER BY line"),
	    "points/20240115/a.json 2 - malformed open\npoints/20240115/a.json 3 value type open\n"
	    "points/20240115/a.json 4 value not_null open");
	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "1") POINT("r2", "2024-01-15T08:00:00Z", "2"));
	(void)file_loads_load(f, "fact_point", "auto");
	assert_string_equal(loads_ask(loads, "SELECT DISTINCT state FROM loadstar.quarantine"), "superseded");
	file_loads_write(f, "points/20240116/a.json", "a\nb\nc\nd\n" POINT("r1", "2024-01-16T08:00:00Z", "1"));
	assert_int_equal(file_loads_run(f, "fact_point", "auto", NULL), FAIL_FILE_REJECTS);
	assert_string_equal(
	    loads_ask(loads, "SELECT state, path FROM loadstar.file_ledger WHERE state <> 'superseded' ORDER BY path"),
	    "loaded points/20240115/a.json\nfailed points/20240116/a.json");
	assert_string_equal(loads_ask(loads, "SELECT count(*) > 0 FROM loadstar.quarantine WHERE state = 'aborted'"),
	    "t");
	assert_string_equal(loads_ask(loads, points), "r1 15T08 1.00\nr2 15T08 2.00");
	assert_int_equal(file_loads_run(f, "fact_point", "failed", NULL), FAIL_FILE_REJECTS);
	file_loads_write(f, "points/20240116/a.json", POINT("r1", "2024-01-16T08:00:00Z", "1"));
	assert_int_equal(file_loads_load(f, "fact_point", "failed"), 1);
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 0);
	assert_string_equal(loads_ask(loads, points), "r1 15T08 1.00\nr1 16T08 1.00\nr2 15T08 2.00");
}

/* An aggregate sees its batch whole, whichever file changed. */
static void
test_transform(void **state)
{
	struct file_loads *f = *state;
	static const char sums[] = "SELECT robot_id, day, total, points FROM fact_sum ORDER BY 1, 2";

	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "1.25") POINT("r1", "2024-01-15T09:00:00Z", "2"));
	file_loads_write(f, "points/20240115/b.json",
	    POINT("r1", "2024-01-15T10:00:00Z", "3") POINT("r2", "2024-01-15T10:00:00Z", "4"));
	assert_int_equal(file_loads_load(f, "fact_sum", "auto"), 1);
	assert_string_equal(loads_ask(f->loads, sums), "r1 2024-01-15 6.25 3\nr2 2024-01-15 4.00 1");
	file_loads_write(f, "points/20240115/a.json", POINT("r1", "2024-01-15T08:00:00Z", "10"));
	assert_int_equal(file_loads_load(f, "fact_sum", "auto"), 1);
	assert_string_equal(file_loads_counts(f), "0+1*1= 0d 0r -0");
	assert_string_equal(loads_ask(f->loads, sums), "r1 2024-01-15 13.00 2\nr2 2024-01-15 4.00 1");
}

/* The older file of a dimension does not win over the newer, and members stay. A file that cannot be read waits for its mending. */
static void
test_dimension_from_csv(void **state)
{
	struct file_loads *f = *state;
	struct loads *loads = f->loads;
	static const char robots[] = "SELECT robot_id, model FROM dim_robot WHERE dim_robot_key > 0 ORDER BY 1";

	file_loads_write(f, "csv/1.csv", "Model name;Robot;Other\nAlpha;r1;x\n\"Be;ta\";r2;y\n");
	file_loads_write(f, "csv/2.csv", "Robot;Model name\nr1;Gamma\nr3;NA\n");
	file_loads_write(f, "csv/3.csv", "Robot;Name\nr9;Nobody\n");
	assert_int_equal(file_loads_load(f, "dim_robot", "auto"), 1);
	assert_string_equal(loads_ask(loads, robots), "r1 Gamma\nr2 Be;ta\nr3 -");
	assert_string_equal(loads_ask(loads,
				"SELECT path, state, error IS NOT NULL FROM loadstar.file_ledger ORDER BY path"),
	    "csv/1.csv loaded f\ncsv/2.csv loaded f\ncsv/3.csv failed t");
	file_loads_write(f, "csv/3.csv", "Robot;Model name\nr9;Somebody\n");
	(void)file_loads_load(f, "dim_robot", "auto");
	assert_string_equal(file_loads_counts(f), "1+0*0= 0d 0r -0");
	assert_int_equal(file_loads_load(f, "dim_robot", "all"), 1);
	assert_string_equal(file_loads_counts(f), "0+0*4= 1d 0r -0");
	file_loads_write(f, "csv/2.csv", "Robot;Model name\nr3;Delta\n"); /* r1 is not in it any more, and stays */
	(void)file_loads_load(f, "dim_robot", "auto");
	assert_string_equal(loads_ask(loads, robots), "r1 Gamma\nr2 Be;ta\nr3 Delta\nr9 Somebody");
}

static void
test_json_and_parquet(void **state)
{
	struct file_loads *f = *state;
	struct loads *loads = f->loads;

	file_loads_write(f, "top.js", "[{\"id\":1,\"tags\":[\"a\"]},{\"id\":2}]");
	file_loads_write(f, "deep/er/x.js", "[{\"id\":3,\"tags\":{\"k\":null}}]");
	file_loads_write(f, "deep/empty.js", "");
	assert_int_equal(file_loads_load(f, "fact_json", "auto"), 1);
	assert_string_equal(loads_ask(loads, "SELECT id, tags FROM fact_json ORDER BY id"),
	    "1 [\"a\"]\n2 -\n3 {\"k\": null}");
	file_loads_write(f, "a.parquet", "PAR1 no, it is not");
	assert_int_equal(file_loads_run(f, "fact_parquet", "auto", NULL), FAIL_FILE_UNREADABLE);
	file_loads_remove(f, "a.parquet");
	file_loads_copy(f, "tests/data/mixed.parquet", "b.parquet");
	assert_int_equal(file_loads_run(f, "fact_parquet", "auto", NULL), FAIL_NONE);
	assert_string_equal(loads_ask(loads, "SELECT count(*) > 0 FROM fact_parquet"), "t");
}

static void
test_nothing(void **state)
{
	struct file_loads *f = *state;

	assert_int_equal(file_loads_plan(f, "fact_point", "auto", NULL), 0); /* there is no such folder */
	file_loads_write(f, "points/readme", "");
	assert_int_equal(file_loads_plan(f, "fact_point", "auto", NULL), 0);
	assert_string_equal(f->plan.steps[0].skip_reason, "no_files");
	file_loads_write(f, "points/20240115/a.json", "");
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 1);
	assert_string_equal(file_loads_counts(f), "0+0*0= 0d 0r -0");
	assert_int_equal(file_loads_plan(f, "fact_point", "auto", NULL), 0);
	assert_string_equal(f->plan.steps[0].skip_reason, "already_loaded");
}

/* Which batches a range, a batch and a mode mean. Midnight is the pipeline's. */
static void
test_selection(void **state)
{
	struct file_loads *f = *state;

	for (int day = 14; day <= 17; day++)
		file_loads_write(f, ctx_printf(f->loads->ctx, "points/202401%d/a.json", day),
		    POINT("r1", "2024-01-15T08:00:00Z", "1"));
	f->type = "range";
	f->from = "2024-01-14T23:00:00Z";
	f->to = "2024-01-16T23:00:00Z";
	assert_int_equal(file_loads_plan(f, "fact_point", "all", NULL), 2);
	assert_string_equal(json_string_or(f->plan.steps[0].files, "batch", ""), "20240115");
	assert_string_equal(json_string_or(f->plan.steps[1].files, "batch", ""), "20240116");
	f->descending = true;
	assert_int_equal(file_loads_plan(f, "fact_point", "all", "20240116"), 1);
	assert_int_equal(file_loads_plan(f, "fact_point", "all", "20240117"), 0);
	f->type = "full";
	f->from = f->to = NULL;
	assert_int_equal(file_loads_plan(f, "fact_point", "missing", NULL), 4);
	assert_true(f->plan.steps[0].ordinal > f->plan.steps[1].ordinal);
	assert_int_equal(file_loads_plan(f, "fact_point", "auto", "20240117"), 1);
	assert_string_equal(f->plan.steps[0].scope, "files");
}

/* While one attempt is between reading and publishing, somebody else publishes a newer version. */
struct rival {
	struct file_loads *f;
	struct slice_job job;
	bool came;
};

static void
load_rival(void *arg, struct ctx *ctx, enum log_level level, const char *message, json_t *fields)
{
	struct rival *rival = arg;
	struct slice_outcome outcome;

	(void)ctx;
	(void)level;
	(void)fields;
	if (!text_equal(message, "staged"))
		return;
	rival->came = true;
	file_loads_write(rival->f, "points/20240115/a.json", POINT("r1", "2024-01-15T08:00:00Z", "2"));
	assert_int_equal(loads_try(rival->f->loads, &rival->job, &outcome), FAIL_NONE);
}

static void
test_stale(void **state)
{
	struct file_loads *f = *state;
	struct rival rival = {.f = f};
	struct slice_job slow;
	struct slice_outcome outcome;

	file_loads_write(f, "points/20240115/a.json", POINT("r1", "2024-01-15T08:00:00Z", "1"));
	assert_int_equal(file_loads_plan(f, "fact_point", "auto", NULL), 1);
	slow = file_loads_job(f, 0);
	assert_int_equal(file_loads_plan(f, "fact_point", "auto", NULL), 1);
	rival.job = file_loads_job(f, 0);
	slow.log = (struct slice_log){.write = load_rival, .arg = &rival};
	assert_int_equal(loads_try(f->loads, &slow, &outcome), FAIL_STALE_SNAPSHOT);
	assert_true(rival.came);
	assert_string_equal(loads_ask(f->loads, points), "r1 15T08 2.00");
	slow = loads_again(f->loads, &slow); /* reads again: what is there now, not what was planned */
	slow.log = (struct slice_log){0};
	assert_int_equal(loads_try(f->loads, &slow, &outcome), FAIL_NONE);
	assert_int_equal(outcome.counts.unchanged, 1);
	assert_string_equal(loads_ask(f->loads, "SELECT count(*) FROM loadstar.file_ledger WHERE state = 'loaded'"),
	    "1");
}

static void
test_links(void **state)
{
	struct file_loads *f = *state;
	struct ctx *ctx = f->loads->ctx;

	file_loads_write(f, "points/20240115/a.json", POINT("r1", "2024-01-15T08:00:00Z", "1"));
	assert_int_equal(symlink("a.json", ctx_printf(ctx, "%s/points/20240115/b.json", f->folder)), 0);
	assert_int_equal(file_loads_plan(f, "fact_point", "auto", NULL), 1);
	assert_int_equal(symlink("/etc/passwd", ctx_printf(ctx, "%s/points/20240115/c.json", f->folder)), 0);
	assert_int_equal(file_loads_plan(f, "fact_point", "auto", NULL), -1);
	assert_non_null(strstr(f->loads->failure, "leads out"));
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_load_and_repeat, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changed_and_moved, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_append, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rejects, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_transform, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_dimension_from_csv, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_json_and_parquet, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_selection, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_links, setup, teardown),
	};

	if (argc == 2 && strcmp(argv[1], DUCK_COMMAND) == 0)
		return duck_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
