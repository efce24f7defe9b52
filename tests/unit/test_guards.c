/* Guards: what a source that shrank or changed may do to what is there, and how it is allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/kinds.h"

#include <cmocka.h>

static int
setup(void **state)
{
	struct loads *loads = loads_new();

	loads_source(loads, "INSERT INTO kind VALUES (1, 'x')");
	(void)loads_load(loads, "dim_kind", -1);
	*state = loads;
	return 0;
}

static int
setup_kinds(void **state)
{
	*state = loads_new_of(&kinds_pipeline);
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

struct lines {
	struct text text;
};

static void
write_line(void *arg, struct ctx *ctx, enum log_level level, const char *message, json_t *fields)
{
	struct lines *lines = arg;

	(void)ctx;
	if (level == LOG_WARN)
		text_addf(&lines->text, "%s %s %s %lld/%lld\n", message, json_string_or(fields, "guard", ""),
		    json_string_or(fields, "passed", ""), (long long)json_int_or(fields, "count", -1),
		    (long long)json_int_or(fields, "held", -1));
}

/* Loads with what the run allows, as a JSON array; *warnings: lines of the run's log. */
static enum fail_code
try(struct loads *loads, const char *table, int day, const char *allow, const char **warnings)
{
	struct slice_job job = loads_job(loads, table, day);
	struct step_claim claim = *job.claim;
	struct slice_outcome outcome;
	struct lines lines;
	enum fail_code code;

	text_init(&lines.text, loads->ctx);
	claim.allow = json_trusted(loads->ctx, allow);
	job.claim = &claim;
	job.log = (struct slice_log){.write = write_line, .arg = &lines};
	code = loads_try(loads, &job, &outcome);
	*warnings = lines.text.data;
	return code;
}

static void
must_stop(struct loads *loads, const char *table, int day, const char *allow, const char *message)
{
	const char *before = loads_ask(loads, ctx_printf(loads->ctx, "SELECT t.* FROM %s t ORDER BY 1, 2, 3", table)),
		   *warnings;
	const char *ledger = loads_ask(loads, "SELECT count(*) FROM loadstar.slice_ledger");

	assert_int_equal(try(loads, table, day, allow, &warnings), FAIL_GUARD_STOPPED);
	assert_string_equal(loads->failure, message);
	assert_string_equal(warnings, "");
	assert_string_equal(loads_ask(loads, ctx_printf(loads->ctx, "SELECT t.* FROM %s t ORDER BY 1, 2, 3", table)),
	    before);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.slice_ledger"), ledger);
}

static void
must_pass(struct loads *loads, const char *table, int day, const char *allow, const char *expected)
{
	const char *warnings;
	enum fail_code code = try(loads, table, day, allow, &warnings);

	if (code != FAIL_NONE)
		print_error("%s\n", loads->failure);
	assert_int_equal(code, FAIL_NONE);
	assert_string_equal(warnings, expected);
}

static void
put_sales(struct loads *loads, int count, const char *amount)
{
	loads_source(loads,
	    ctx_printf(loads->ctx,
		"TRUNCATE sale; INSERT INTO sale SELECT n, 'p', 1, 1, 1, timestamptz '2024-01-01 01:00:00+00' + n * interval '1 s', %s,"
		" '2024-01-01', '' FROM generate_series(1, %d) n",
		amount, count));
}

static void
a_slice_that_shrinks(void **state)
{
	struct loads *loads = *state;

	put_sales(loads, 40, "1");
	must_pass(loads, "fact_sale", 0, "[]", "");
	put_sales(loads, 20, "1");
	must_pass(loads, "fact_sale", 0, "[]", ""); /* half of it may go */
	put_sales(loads, 9, "1");
	must_stop(loads, "fact_sale", 0, "[\"close\", \"change\"]",
	    "public.fact_sale: 11 of 20 rows would be gone (55 %, at most 50 %): allow shrink lets it pass");
	must_pass(loads, "fact_sale", 0, "[\"shrink\"]", "a guard let it pass shrink allowed 11/20\n");
	assert_string_equal(loads_ask(loads,
				"SELECT result -> 'guards' FROM loadstar.slice_ledger ORDER BY load_id DESC LIMIT 1"),
	    "[{\"held\": 20, \"count\": 11, \"guard\": \"shrink\", \"passed\": \"allowed\", \"limit_percent\": 50}]");
	put_sales(loads, 1, "1");
	must_pass(loads, "fact_sale", 0, "[]", ""); /* of fewer than 20 nothing is asked */
}

/* A worker that dies behind its COMMIT has told nobody: the next attempt finds the slice, and what was allowed, in the ledger. */
static void
what_was_passed_is_told_by_the_next_attempt(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct step_claim claim;
	struct slice_job job;

	put_sales(loads, 40, "1");
	must_pass(loads, "fact_sale", 0, "[]", "");
	put_sales(loads, 9, "1");
	job = loads_job(loads, "fact_sale", 0);
	claim = *job.claim;
	claim.allow = json_trusted(loads->ctx, "[\"shrink\"]");
	job.claim = &claim;
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_int_equal(json_array_size(outcome.guards), 1);
	job = loads_again(loads, &job);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_true(outcome.found);
	assert_int_equal(json_array_size(outcome.guards), 1);
	assert_string_equal(json_string_or(json_array_get(outcome.guards, 0), "passed", ""), "allowed");
}

static void
a_slice_that_is_empty(void **state)
{
	struct loads *loads = *state;

	put_sales(loads, 30, "1");
	must_pass(loads, "fact_sale", 0, "[]", "");
	put_sales(loads, 0, "1");
	must_stop(loads, "fact_sale", 0, "[]",
	    "public.fact_sale: 30 of 30 rows would be gone (100 %, at most 50 %): allow shrink lets it pass");
	must_pass(loads, "fact_sale", 0, "[\"shrink\"]",
	    "a guard let it pass empty warning 0/30\na guard let it pass shrink allowed 30/30\n");
}

static void
a_slice_that_is_another_one(void **state)
{
	struct loads *loads = *state;

	put_sales(loads, 40, "1");
	must_pass(loads, "fact_sale", 0, "[]", "");
	put_sales(loads, 40, "CASE WHEN n % 2 = 0 THEN 2 ELSE 1 END");
	must_pass(loads, "fact_sale", 0, "[]", "");
	put_sales(loads, 21, "3");
	must_stop(loads, "fact_sale", 0, "[\"shrink\"]",
	    "public.fact_sale: 21 of 40 rows would be other ones (52 %, at most 50 %): allow change lets it pass");
}

/* Members of a dimension with history: 30 of them. */
static void
put_parts(struct loads *loads, int first, int count, const char *name, const char *since)
{
	loads_source(loads,
	    ctx_printf(loads->ctx,
		"TRUNCATE part; INSERT INTO part SELECT 'p' || n, %s, 1, '%s' FROM generate_series(%d, %d) n", name,
		since, first, first + count - 1));
}

static void
members_that_end_or_change(void **state)
{
	struct loads *loads = *state;

	put_parts(loads, 1, 30, "'a'", "2024-01-01");
	must_pass(loads, "dim_part", -1, "[]", "");
	put_parts(loads, 4, 27, "'a'", "2024-01-01");
	must_pass(loads, "dim_part", -1, "[]", "");
	put_parts(loads, 8, 23, "'a'", "2024-01-01");
	must_stop(loads, "dim_part", -1, "[\"shrink\", \"empty\"]",
	    "public.dim_part: 4 of 27 rows would end (14 %, at most 10 %): allow close lets it pass");
	put_parts(loads, 8, 23, "'b'", "2024-02-01");
	must_stop(loads, "dim_part", -1, "[]",
	    "public.dim_part: 4 of 27 rows would end (14 %, at most 10 %); 23 of 27 rows would be other ones (85 %, at most "
	    "50 %): allow close,change lets it pass");
	must_pass(loads, "dim_part", -1, "[\"close\", \"change\"]",
	    "a guard let it pass close allowed 4/27\na guard let it pass change allowed 23/27\n");
	put_parts(loads, 1, 0, "'b'", "2024-02-01");
	must_stop(loads, "dim_part", -1, "[\"close\"]",
	    "public.dim_part: the source gives no row, where there are 23: allow empty lets it pass");
	must_pass(loads, "dim_part", -1, "[\"empty\"]", "a guard let it pass empty allowed 0/23\n");
}

/* Replaces the first `old` of the pipeline's document. */
static void
redeclare(struct loads *loads, const char *old, const char *new)
{
	const struct spec_files *files = &loads->spec->files;
	struct loads_pipeline pipeline = {.files = ctx_alloc_array(loads->ctx, files->count, sizeof(*pipeline.files)),
	    .count = files->count};

	for (size_t i = 0; i < files->count; i++) {
		struct spec_file *file = &pipeline.files[i];
		const char *at = strstr(files->items[i].text, old);

		*file = files->items[i];
		if (text_equal(file->path, "pipeline.yaml") && at != NULL)
			file->text = ctx_printf(loads->ctx, "%.*s%s%s", (int)(at - file->text), file->text, new,
			    at + strlen(old));
	}
	loads_redeclare(loads, &pipeline);
}

/* Another declaration explains that all rows are other ones, and only that. */
static void
declared_anew(void **state)
{
	struct loads *loads = *state;

	put_sales(loads, 40, "1");
	loads_source(loads, "ALTER TABLE sale ADD COLUMN tip int DEFAULT 5");
	must_pass(loads, "fact_sale", 0, "[]", "");
	redeclare(loads, "amount: 'numeric(10,2)',", "amount: 'numeric(10,2)', tip: integer,");
	must_pass(loads, "fact_sale", 0, "[]", "a guard let it pass change warning 40/40\n");
	loads_source(loads, "UPDATE sale SET tip = 6");
	must_stop(loads, "fact_sale", 0, "[]",
	    "public.fact_sale: 40 of 40 rows would be other ones (100 %, at most 50 %): allow change lets it pass");
	redeclare(loads, "    grain: [sale_id]\n", "    grain: [sale_id]\n    guards: { change: off, shrink: 75% }\n");
	must_pass(loads, "fact_sale", 0, "[]", "");
	loads_source(loads, "DELETE FROM sale WHERE sale_id > 10");
	must_pass(loads, "fact_sale", 0, "[]", "");
	put_sales(loads, 40, "1");
	must_pass(loads, "fact_sale", 0, "[]", "");
	put_sales(loads, 9, "1");
	must_stop(loads, "fact_sale", 0, "[]",
	    "public.fact_sale: 31 of 40 rows would be gone (77 %, at most 75 %): allow shrink lets it pass");
}

/* What `defaults` says holds for tables that do not say otherwise, key by key. */
static void
by_default(void **state)
{
	struct loads *loads = *state;

	redeclare(loads, "defaults: { slice: P1D,", "defaults: { slice: P1D, guards: { change: 5%, shrink: off },");
	redeclare(loads, "    grain: [sale_id]\n", "    grain: [sale_id]\n    guards: { change: 20% }\n");
	put_sales(loads, 40, "1");
	must_pass(loads, "fact_sale", 0, "[]", "");
	loads_source(loads, "UPDATE sale SET amount = 7 WHERE sale_id <= 10");
	must_stop(loads, "fact_sale", 0, "[]",
	    "public.fact_sale: 10 of 40 rows would be other ones (25 %, at most 20 %): allow change lets it pass");
	loads_source(loads, "UPDATE sale SET amount = 1 WHERE sale_id > 4");
	must_pass(loads, "fact_sale", 0, "[]", "");
	put_sales(loads, 1, "1");
	must_pass(loads, "fact_sale", 0, "[]", "");
}

static void
put(struct loads *loads, const char *table, int count, const char *more)
{
	loads_source(loads,
	    ctx_printf(loads->ctx, "TRUNCATE %s; INSERT INTO %s SELECT n, %s FROM generate_series(1, %d) n", table,
		table, more, count));
}

/* Each way of writing has its figures. */
static void
every_way_of_writing(void **state)
{
	struct loads *loads = *state;

	put(loads, "dim_list", 40, "'a', 'x'");
	must_pass(loads, "dim_list", -1, "[]", "");
	put(loads, "dim_list", 35, "'a', 'x'");
	must_stop(loads, "dim_list", -1, "[]",
	    "public.dim_list: 5 of 40 rows would end (12 %, at most 10 %): allow close lets it pass");
	put(loads, "dim_now", 40, "'a', 'x'");
	must_pass(loads, "dim_now", -1, "[]", "");
	put(loads, "dim_now", 21, "'b', 'x'");
	must_stop(loads, "dim_now", -1, "[]",
	    "public.dim_now: 21 of 40 rows would be other ones (52 %, at most 50 %): allow change lets it pass");
	put(loads, "dim_first", 40, "'a', 'x'");
	must_pass(loads, "dim_first", -1, "[]", "");
	put(loads, "dim_first", 0, "'a', 'x'");
	must_stop(loads, "dim_first", -1, "[]",
	    "public.dim_first: the source gives no row, where there are 40: allow empty lets it pass");
	put(loads, "fact_upsert", 40, "1, 10, '2024-01-01 05:00Z'");
	must_pass(loads, "fact_upsert", 0, "[]", "");
	put(loads, "fact_upsert", 21, "1, 11, '2024-01-01 05:00Z'");
	must_stop(loads, "fact_upsert", 0, "[]",
	    "public.fact_upsert: 21 of 40 rows would be other ones (52 %, at most 50 %): allow change lets it pass");
	put(loads, "fact_upsert", 0, "1, 11, '2024-01-01 05:00Z'");
	must_pass(loads, "fact_upsert", 0, "[]", "a guard let it pass empty warning 0/40\n");
	put(loads, "fact_append", 40, "1, 10, '2024-01-01 05:00Z'");
	must_pass(loads, "fact_append", 0, "[]", "");
	put(loads, "fact_append", 10, "1, 10, '2024-01-01 05:00Z'");
	must_stop(loads, "fact_append", 0, "[]",
	    "public.fact_append: 30 of 40 rows would be gone (75 %, at most 50 %): allow shrink lets it pass");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_slice_that_shrinks, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_was_passed_is_told_by_the_next_attempt, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_slice_that_is_empty, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_slice_that_is_another_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(members_that_end_or_change, setup, teardown),
	    cmocka_unit_test_setup_teardown(declared_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(by_default, setup, teardown),
	    cmocka_unit_test_setup_teardown(every_way_of_writing, setup_kinds, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
