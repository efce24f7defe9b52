/* Facts by every way of writing: what a slice becomes, what is counted, which rows and keys stay. Days are of January 2024 in UTC. */
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
	struct loads *loads = loads_new_of(&kinds_pipeline);

	loads_source(loads, "INSERT INTO dim_list VALUES (1, 'a', 'x'), (2, 'b', 'y')");
	(void)loads_load(loads, "dim_list", -1);
	*state = loads;
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

static void
source(struct loads *loads, const char *table, const char *rows)
{
	loads_source(loads, ctx_printf(loads->ctx, "TRUNCATE %s; INSERT INTO %s VALUES %s", table, table, rows));
}

/* Loads a slice and compares what was counted: read, inserted, updated, unchanged, rows deleted. */
static void
load(struct loads *loads, const char *table, int day, const char *counted)
{
	struct slice_outcome outcome = loads_load(loads, table, day);
	const struct load_counts *counts = &outcome.counts;

	assert_string_equal(ctx_printf(loads->ctx, "%lld %lld %lld %lld %lld", (long long)counts->read,
				(long long)counts->inserted, (long long)counts->updated, (long long)counts->unchanged,
				(long long)counts->rows_deleted),
	    counted);
}

static const char *
rows(struct loads *loads, const char *table)
{
	return loads_ask(loads,
	    ctx_printf(loads->ctx, "SELECT id, list_key, amount, to_char(day, 'DD') FROM %s ORDER BY id, amount, day",
		table));
}

static const char *
versions(struct loads *loads, const char *table)
{
	return loads_ask(loads, ctx_printf(loads->ctx, "SELECT ctid, load_id FROM %s ORDER BY ctid", table));
}

static void
test_append_without_grain(void **state)
{
	struct loads *loads = *state;
	const char *before;

	source(loads, "fact_append",
	    "(1, 1, 10, '2024-01-01 05:00Z'), (1, 1, 10, '2024-01-01 05:00Z'), (2, 9, NULL, '2024-01-01 06:00Z'),"
	    "(3, 2, 30, '2024-01-02 06:00Z')");
	load(loads, "fact_append", 0, "3 3 0 0 0");
	load(loads, "fact_append", 1, "1 1 0 0 0");
	assert_string_equal(rows(loads, "fact_append"), "1 1 10.00 01\n1 1 10.00 01\n2 -1 - 01\n3 2 30.00 02");
	before = versions(loads, "fact_append");
	load(loads, "fact_append", 0, "3 0 0 3 0");
	assert_string_equal(versions(loads, "fact_append"), before);
	/* one of two equal rows is gone, NULL became a value, one is new */
	source(loads, "fact_append",
	    "(1, 1, 10, '2024-01-01 05:00Z'), (2, 9, 0, '2024-01-01 06:00Z'), (4, 2, 1, '2024-01-01 07:00Z')");
	load(loads, "fact_append", 0, "3 2 0 1 2");
	assert_string_equal(rows(loads, "fact_append"), "1 1 10.00 01\n2 -1 0.00 01\n3 2 30.00 02\n4 2 1.00 01");
	/* three of one are three */
	source(loads, "fact_append",
	    "(1, 1, 10, '2024-01-01 05:00Z'), (1, 1, 10, '2024-01-01 05:00Z'), (1, 1, 10, '2024-01-01 05:00Z')");
	load(loads, "fact_append", 0, "3 2 0 1 2");
	assert_string_equal(rows(loads, "fact_append"), "1 1 10.00 01\n1 1 10.00 01\n1 1 10.00 01\n3 2 30.00 02");
	loads_source(loads, "TRUNCATE fact_append");
	load(loads, "fact_append", 0, "0 0 0 0 3");
}

/* A row whose member went or came is the same row. */
static void
test_append_follows_dimension(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	source(loads, "fact_append", "(1, 2, 10, '2024-01-01 05:00Z'), (2, 3, 20, '2024-01-01 06:00Z')");
	load(loads, "fact_append", 0, "2 2 0 0 0");
	source(loads, "dim_list", "(1, 'a', 'x'), (3, 'c', 'z')");
	outcome = loads_load(loads, "dim_list", -1);
	assert_int_equal(outcome.counts.rows_repointed, 2);
	assert_string_equal(rows(loads, "fact_append"), "1 -1 10.00 01\n2 3 20.00 01");
	load(loads, "fact_append", 0, "2 0 0 2 0");
	loads_do(loads, "UPDATE fact_append SET list_key = 1"); /* as somebody's repair might */
	load(loads, "fact_append", 0, "2 0 2 0 0");
	assert_string_equal(rows(loads, "fact_append"), "1 -1 10.00 01\n2 3 20.00 01");
}

static void
test_append_by_grain(void **state)
{
	struct loads *loads = *state;
	const char *before;

	source(loads, "fact_once",
	    "(1, 1, 10, '2024-01-01 05:00Z'), (2, 2, 20, '2024-01-01 06:00Z'), (2, 2, 21, '2024-01-01 06:00Z')");
	load(loads, "fact_once", 0, "3 2 0 0 0");
	source(loads, "fact_once", "(1, 2, 99, '2024-01-01 05:00Z'), (3, 1, 30, '2024-01-01 07:00Z')");
	load(loads, "fact_once", 0, "2 1 0 1 0");
	assert_string_equal(rows(loads, "fact_once"), "1 1 10.00 01\n2 2 21.00 01\n3 1 30.00 01");
	before = versions(loads, "fact_once");
	load(loads, "fact_once", 0, "2 0 0 2 0");
	/* in another slice it is the same row still */
	source(loads, "fact_once", "(1, 1, 10, '2024-01-02 05:00Z')");
	load(loads, "fact_once", 1, "1 0 0 1 0");
	assert_string_equal(versions(loads, "fact_once"), before);
}

static void
test_upsert(void **state)
{
	struct loads *loads = *state;
	const char *before;

	source(loads, "fact_upsert", "(1, 1, 10, '2024-01-01 05:00Z'), (2, 2, NULL, '2024-01-01 06:00Z')");
	load(loads, "fact_upsert", 0, "2 2 0 0 0");
	source(loads, "fact_upsert", "(2, 2, 20, '2024-01-01 06:00Z'), (3, 1, 30, '2024-01-01 07:00Z')");
	load(loads, "fact_upsert", 0, "2 1 1 0 0");
	assert_string_equal(rows(loads, "fact_upsert"), "1 1 10.00 01\n2 2 20.00 01\n3 1 30.00 01");
	before = versions(loads, "fact_upsert");
	load(loads, "fact_upsert", 0, "2 0 0 2 0");
	assert_string_equal(versions(loads, "fact_upsert"), before);
	/* what is not in the source stays, a row of another slice comes along with its key */
	source(loads, "fact_upsert", "(1, 2, 11, '2024-01-02 05:00Z')");
	load(loads, "fact_upsert", 1, "1 0 1 0 0");
	assert_string_equal(rows(loads, "fact_upsert"), "1 2 11.00 02\n2 2 20.00 01\n3 1 30.00 01");
	assert_string_equal(loads_ask(loads, "SELECT string_agg(upsert_key::text, ' ' ORDER BY id) FROM fact_upsert"),
	    "1 2 3");
}

/* A slice that was extracted before the one that holds the row now does not take it back. */
static void
test_upsert_of_an_older_snapshot(void **state)
{
	struct loads *loads = *state;
	struct slice_job job;
	struct slice_outcome outcome;

	source(loads, "fact_upsert", "(1, 1, 11, '2024-01-02 05:00Z')");
	load(loads, "fact_upsert", 1, "1 1 0 0 0");
	loads_do(loads,
	    "UPDATE loadstar.slice_ledger SET result = result || jsonb_build_object('snapshot_at', now() + interval '1 hour')");
	source(loads, "fact_upsert", "(1, 1, 10, '2024-01-01 05:00Z')");
	job = loads_job(loads, "fact_upsert", 0);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_STALE_SNAPSHOT);
	assert_string_equal(rows(loads, "fact_upsert"), "1 1 11.00 02");
}

static void
test_replace_all(void **state)
{
	struct loads *loads = *state;
	const char *before;

	source(loads, "fact_all", "(1, 1, 10, '2024-01-01'), (2, 2, 20, '2024-02-01'), (3, NULL, 30, NULL)");
	load(loads, "fact_all", -1, "3 3 0 0 0");
	source(loads, "fact_all", "(3, NULL, 31, NULL), (1, 1, 10, '2024-01-01'), (4, 2, 40, '2024-02-01')");
	load(loads, "fact_all", -1, "3 1 1 1 1");
	before = versions(loads, "fact_all");
	load(loads, "fact_all", -1, "3 0 0 3 0");
	assert_string_equal(versions(loads, "fact_all"), before);
	source(loads, "fact_all", "(2, 2, 20, '2024-02-01')");
	load(loads, "fact_all", -1, "1 1 0 0 3");
	assert_string_equal(loads_ask(loads, "SELECT all_key, id FROM fact_all"), "2 2");
}

static void
test_grain_is_not_null(void **state)
{
	static const char *const tables[] = {"fact_once", "fact_upsert"};
	struct loads *loads = *state;
	struct slice_outcome outcome;

	for (size_t i = 0; i < 2; i++) {
		struct slice_job job = loads_job(loads, tables[i], 0);

		source(loads, tables[i], "(NULL, 1, 10, '2024-01-01 05:00Z')");
		assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NULL_KEY);
	}
}

/* A fact follows another as it follows a dimension: rows come, go and come back with their keys. */
static void
test_fact_lookup(void **state)
{
	static const char lines[] = "SELECT id, line, upsert_key, all_key FROM fact_line ORDER BY id, line";
	struct loads *loads = *state;
	struct slice_outcome outcome;
	const char *before;

	source(loads, "fact_upsert", "(1, 1, 10, '2024-01-01 05:00Z'), (3, 1, 30, '2024-01-01 05:00Z')");
	load(loads, "fact_upsert", 0, "2 2 0 0 0");
	source(loads, "fact_all", "(7, 1, 10, NULL)");
	load(loads, "fact_all", -1, "1 1 0 0 0");
	source(loads, "fact_line",
	    "(1, 1, 7, '2024-01-01'), (1, 2, 8, '2024-01-01'), (2, 1, NULL, '2024-01-01'), (3, 1, 7, '2024-01-01')");
	outcome = loads_load(loads, "fact_line", 0);
	assert_int_equal(outcome.counts.inserted, 3);
	assert_int_equal(outcome.counts.rejected, 1);
	assert_string_equal(loads_ask(loads, lines), "1 1 1 1\n1 2 1 -1\n3 1 2 1");
	before = versions(loads, "fact_line");
	/* a row changes and keeps its key; one comes; one goes */
	source(loads, "fact_all", "(7, 1, 11, NULL), (8, 1, 20, NULL)");
	outcome = loads_load(loads, "fact_all", -1);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	assert_string_equal(loads_ask(loads, lines), "1 1 1 1\n1 2 1 2\n3 1 2 1");
	source(loads, "fact_all", "(8, 1, 20, NULL)");
	outcome = loads_load(loads, "fact_all", -1);
	assert_int_equal(outcome.counts.rows_repointed, 2);
	assert_string_equal(loads_ask(loads, lines), "1 1 1 -1\n1 2 1 2\n3 1 2 -1");
	source(loads, "fact_all", "(8, 1, 20, NULL), (7, 1, 10, NULL)");
	outcome = loads_load(loads, "fact_all", -1);
	assert_int_equal(outcome.counts.rows_repointed, 2);
	assert_string_equal(loads_ask(loads, lines), "1 1 1 1\n1 2 1 2\n3 1 2 1");
	/* what refers to nothing comes in when there is something */
	source(loads, "fact_upsert", "(2, 1, 20, '2024-01-02 05:00Z')");
	load(loads, "fact_upsert", 1, "1 1 0 0 0");
	outcome = loads_load(loads, "fact_line", 0);
	assert_int_equal(outcome.counts.inserted, 1);
	assert_int_equal(outcome.counts.unchanged, 3);
	assert_string_equal(loads_ask(loads, lines), "1 1 1 1\n1 2 1 2\n2 1 3 -1\n3 1 2 1");
	assert_string_not_equal(versions(loads, "fact_line"), before);
	before = versions(loads, "fact_line");
	outcome = loads_load(loads, "fact_line", 0);
	assert_int_equal(outcome.counts.unchanged, 4);
	assert_string_equal(versions(loads, "fact_line"), before);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_append_without_grain, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_append_follows_dimension, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_append_by_grain, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_upsert, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_upsert_of_an_older_snapshot, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_replace_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_grain_is_not_null, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_fact_lookup, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
