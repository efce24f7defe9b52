/* The slice protocol against a real server: what is loaded, repeated, moved, revoked, lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/loads.h"
#include "tests/support/pg_cluster.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = loads_new();
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

static void
assert_rows(const struct slice_outcome *outcome, int64_t read, int64_t inserted, int64_t updated, int64_t unchanged)
{
	assert_int_equal(outcome->counts.read, read);
	assert_int_equal(outcome->counts.inserted, inserted);
	assert_int_equal(outcome->counts.updated, updated);
	assert_int_equal(outcome->counts.unchanged, unchanged);
}

static const char parts[] = "SELECT part_id, name, effective_from::date, effective_to::date, is_current FROM dim_part "
			    "WHERE part_key > 0 ORDER BY part_id, effective_from";

static void
seed(struct loads *loads)
{
	loads_source(loads, "INSERT INTO part VALUES ('p1', 'bolt', 1, '2024-01-01'), ('p2', 'nut', 2, '2024-01-01');"
			    "INSERT INTO tag VALUES (1, 1, 'red', 'x'), (1, 2, 'blue', 'y');"
			    "INSERT INTO kind VALUES (1, 'retail'), (2, 'online')");
	(void)loads_load(loads, "dim_part", -1);
	(void)loads_load(loads, "dim_tag", -1);
	(void)loads_load(loads, "dim_kind", -1);
}

static void
sell(struct loads *loads, int id, const char *part, const char *at)
{
	loads_source(loads, ctx_printf(loads->ctx,
				"INSERT INTO sale (sale_id, part_id, shop_id, tag_id, kind_id, sold_at, amount) "
				"VALUES (%d, '%s', 1, 1, 1, '%s', %d)",
				id, part, at, id));
}

static void
test_history(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	seed(loads);
	outcome = loads_load(loads, "dim_part", -1);
	assert_rows(&outcome, 2, 0, 0, 2);
	loads_source(loads, "UPDATE part SET name = 'screw', since = '2024-01-05' WHERE part_id = 'p1'");
	outcome = loads_load(loads, "dim_part", -1);
	assert_rows(&outcome, 2, 0, 1, 1);
	assert_int_equal(outcome.counts.versions_opened, 1);
	assert_int_equal(outcome.counts.versions_closed, 1);
	assert_string_equal(loads_ask(loads, parts),
	    "p1 bolt 2024-01-01 2024-01-05 f\np1 screw 2024-01-05 9999-12-31 t\n"
	    "p2 nut 2024-01-01 9999-12-31 t");
	loads_source(loads, "INSERT INTO part VALUES ('p1', 'pin', 1, '2024-01-03')"); /* a change comes late */
	outcome = loads_load(loads, "dim_part", -1);
	assert_rows(&outcome, 3, 0, 1, 2);
	assert_string_equal(loads_ask(loads, parts),
	    "p1 bolt 2024-01-01 2024-01-03 f\np1 pin 2024-01-03 2024-01-05 f\n"
	    "p1 screw 2024-01-05 9999-12-31 t\np2 nut 2024-01-01 9999-12-31 t");
}

static void
test_untracked_and_current(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	seed(loads);
	loads_source(loads,
	    "UPDATE tag SET note = 'z' WHERE tag_id = 1; UPDATE kind SET label = 'shop' WHERE kind_id = 1;"
	    "INSERT INTO kind VALUES (3, 'fair')");
	outcome = loads_load(loads, "dim_tag", -1);
	assert_rows(&outcome, 2, 0, 1, 1);
	assert_int_equal(outcome.counts.versions_opened, 0);
	loads_source(loads, "UPDATE tag SET colour = 'green' WHERE tag_id = 1");
	outcome = loads_load(loads, "dim_tag", -1);
	assert_int_equal(outcome.counts.versions_opened, 1);
	assert_string_equal(loads_ask(loads,
				"SELECT tag_id, colour, note, is_current FROM dim_tag WHERE tag_key > 0 ORDER BY 1, 4"),
	    "1 red z f\n1 green z t\n2 blue y t");
	outcome = loads_load(loads, "dim_kind", -1);
	assert_rows(&outcome, 3, 1, 1, 1);
	outcome = loads_load(loads, "dim_kind", -1);
	assert_rows(&outcome, 3, 0, 0, 3);
	assert_string_equal(loads_ask(loads, "SELECT kind_key, kind_id FROM dim_kind WHERE kind_id < 0"), "-1 -1");
}

static void
test_gone_and_back(void **state)
{
	struct loads *loads = *state;
	const char *key;
	struct slice_outcome outcome;

	seed(loads);
	key = loads_ask(loads, "SELECT part_key FROM dim_part WHERE part_id = 'p2'");
	loads_source(loads, "DELETE FROM part WHERE part_id = 'p2'");
	outcome = loads_load(loads, "dim_part", -1);
	assert_rows(&outcome, 1, 0, 0, 1);
	assert_int_equal(outcome.counts.versions_closed, 1);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM dim_part WHERE part_id = 'p2' AND is_current"), "0");
	loads_source(loads, "INSERT INTO part VALUES ('p2', 'nut', 2, '2024-01-01')");
	outcome = loads_load(loads, "dim_part", -1);
	assert_rows(&outcome, 2, 0, 1, 1);
	assert_int_equal(outcome.counts.versions_opened, 1);
	assert_string_equal(
	    loads_ask(loads, "SELECT count(*), count(*) FILTER (WHERE is_current) FROM dim_part WHERE part_id = 'p2'"),
	    "2 1");
	assert_string_equal(loads_ask(loads,
				"SELECT part_key FROM dim_part WHERE part_id = 'p2' ORDER BY effective_from LIMIT 1"),
	    key);
	loads_source(loads, "UPDATE part SET name = 'nuts' WHERE part_id = 'p2'"); /* mended without a new time */
	outcome = loads_load(loads, "dim_part", -1);
	assert_int_equal(outcome.counts.updated, 1);
	assert_string_equal(loads_ask(loads, "SELECT name FROM dim_part WHERE part_id = 'p2' AND is_current"), "nuts");
	outcome = loads_load(loads, "dim_part", -1);
	assert_rows(&outcome, 2, 0, 0, 2);
}

static void
test_fact(void **state)
{
	struct loads *loads = *state;
	const char *hash;
	struct slice_outcome outcome;

	seed(loads);
	sell(loads, 1, "p1", "2024-01-01 10:00+00");
	sell(loads, 2, "p9", "2024-01-01 11:00+00");
	sell(loads, 3, "p2", "2024-01-02 11:00+00");
	outcome = loads_load(loads, "fact_sale", 0);
	assert_rows(&outcome, 2, 2, 0, 0);
	hash = loads_ask(loads, "SELECT content_hash FROM loadstar.slice_ledger ORDER BY load_id DESC LIMIT 1");
	assert_true(text_starts_with(hash, "2:"));
	assert_string_equal(
	    loads_ask(loads, "SELECT sale_id, p.part_id, f.part_key FROM fact_sale f JOIN dim_part p USING (part_key) "
			     "WHERE f.part_key < 0"),
	    "2 unknown -1");
	outcome = loads_load(loads, "fact_sale", 0);
	assert_rows(&outcome, 2, 0, 0, 2);
	assert_string_equal(loads_ask(loads,
				"SELECT content_hash FROM loadstar.slice_ledger ORDER BY load_id DESC LIMIT 1"),
	    hash);
	assert_string_equal(loads_ask(loads, "SELECT count(DISTINCT load_id) FROM fact_sale"), "1");
	loads_source(loads, "UPDATE sale SET amount = 7 WHERE sale_id = 1; DELETE FROM sale WHERE sale_id = 2");
	sell(loads, 4, "p1", "2024-01-01 12:00+00");
	outcome = loads_load(loads, "fact_sale", 0);
	assert_rows(&outcome, 2, 1, 1, 0);
	assert_int_equal(outcome.counts.rows_deleted, 1);
}

static void
test_moved_and_returned(void **state)
{
	struct loads *loads = *state;
	const char *keys = "SELECT sale_id, sale_key FROM fact_sale ORDER BY 1";
	const char *before;
	struct slice_outcome outcome;

	seed(loads);
	sell(loads, 1, "p1", "2024-01-01 10:00+00");
	sell(loads, 2, "p1", "2024-01-01 11:00+00");
	(void)loads_load(loads, "fact_sale", 0);
	before = loads_ask(loads, keys);
	loads_source(loads, "UPDATE sale SET sold_at = '2024-01-02 09:00+00' WHERE sale_id = 1");
	outcome = loads_load(loads, "fact_sale", 1);
	assert_rows(&outcome, 1, 0, 1, 0);
	assert_int_equal(outcome.counts.rows_moved, 1);
	assert_string_equal(loads_ask(loads, keys), before);
	outcome = loads_load(loads, "fact_sale", 0);
	assert_rows(&outcome, 1, 0, 0, 1);
	loads_source(loads, "DELETE FROM sale WHERE sale_id = 2");
	outcome = loads_load(loads, "fact_sale", 0);
	assert_int_equal(outcome.counts.rows_deleted, 1);
	sell(loads, 2, "p1", "2024-01-02 12:00+00");
	outcome = loads_load(loads, "fact_sale", 1);
	assert_rows(&outcome, 2, 1, 0, 1);
	assert_string_equal(loads_ask(loads, keys), before);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.fact_sale_retired"), "0");
}

static void
test_duplicates_and_filter(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job;

	seed(loads);
	sell(loads, 1, "p1", "2024-01-01 10:00+00");
	sell(loads, 1, "p2", "2024-01-01 10:00+00");
	loads_source(loads, "UPDATE sale SET changed_at = '2030-01-01' WHERE part_id = 'p1'");
	outcome = loads_load(loads, "fact_sale", 0);
	assert_int_equal(outcome.counts.read, 2);
	assert_int_equal(outcome.counts.deduplicated, 1);
	assert_string_equal(loads_ask(loads, "SELECT part_id FROM fact_sale"), "p1");
	loads_source(loads, "UPDATE sale SET sale_id = NULL WHERE part_id = 'p2'");
	job = loads_job(loads, "fact_sale", 0);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NULL_KEY);
	assert_non_null(strstr(loads->failure, "sale_id"));
	loads_source(loads, "UPDATE sale SET sale_id = 2, kind_id = 77 WHERE part_id = 'p2'");
	job = loads_again(loads, &job);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_LOOKUP_MISSING);
	assert_non_null(strstr(loads->failure, "77"));
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM fact_sale"), "1");
	loads_source(loads, "ALTER TABLE sale RENAME amount TO price");
	job = loads_again(loads, &job);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_SOURCE_COLUMNS);
	assert_non_null(strstr(loads->failure, "does not give amount; it gives sale_id"));
}

/* Each fact's keys, against what a query of the dimension says. */
static void
assert_pointed(struct loads *loads)
{
	assert_string_equal(
	    loads_ask(loads,
		"SELECT count(*) FROM fact_sale f WHERE part_key <> COALESCE("
		"(SELECT part_key FROM dim_part d WHERE d.part_id = f.part_id AND part_key > 0 "
		"    AND effective_from <= sold_at AND sold_at < effective_to),"
		"(SELECT part_key FROM (SELECT * FROM dim_part d WHERE d.part_id = f.part_id AND part_key > 0 "
		"    ORDER BY effective_from LIMIT 1) first WHERE sold_at < effective_from), -1)"),
	    "0");
}

static void
test_repoint(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	seed(loads);
	sell(loads, 1, "p1", "2023-12-31 10:00+00"); /* before its first version */
	sell(loads, 2, "p1", "2024-01-02 10:00+00");
	sell(loads, 3, "p1", "2024-01-04 10:00+00");
	sell(loads, 4, "p3", "2024-01-04 10:00+00"); /* not known yet */
	loads_source(loads, "UPDATE sale SET sold_at = sold_at + interval '1 day' WHERE sale_id = 1");
	for (int day = 0; day < 4; day++)
		(void)loads_load(loads, "fact_sale", day);
	assert_pointed(loads);
	loads_source(loads, "INSERT INTO part VALUES ('p3', 'cog', 3, '2024-01-09'), ('p1', 'pin', 1, '2024-01-03')");
	outcome = loads_load(loads, "dim_part", -1);
	assert_int_equal(outcome.counts.rows_repointed, 2);
	assert_pointed(loads);
	outcome = loads_load(loads, "dim_part", -1);
	assert_int_equal(outcome.counts.rows_repointed, 0);
}

static void
test_stale_snapshot(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job;

	seed(loads);
	loads_do(loads,
	    "UPDATE loadstar.slice_ledger SET result = jsonb_set(result, '{snapshot_at}', '\"2100-01-01T00:00:00Z\"')");
	job = loads_job(loads, "dim_part", -1);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_STALE_SNAPSHOT);
}

static void
test_ghosts(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job old, retry, other;
	struct ctx *ctx = ctx_new("revoke", 0);
	bool committed;

	seed(loads);
	sell(loads, 1, "p1", "2024-01-01 10:00+00");
	old = loads_job(loads, "fact_sale", 0);
	retry = loads_again(loads, &old);
	assert_int_equal(loads_try(loads, &retry, &outcome), FAIL_NONE);
	assert_int_equal(loads_try(loads, &old, &outcome), FAIL_FENCED); /* the older attempt wakes up */
	retry = loads_again(loads, &retry);
	assert_int_equal(loads_try(loads, &retry, &outcome), FAIL_NONE); /* told again what happened */
	assert_true(outcome.found);
	assert_rows(&outcome, 1, 1, 0, 0);
	assert_true(outcome.committed_us > 0);
	retry = loads_again(loads, &retry);
	assert_true(slice_revoke(ctx, &retry, &outcome, &committed));
	assert_true(committed);
	other = loads_job(loads, "fact_sale", 1);
	retry = loads_again(loads, &other);
	assert_true(slice_revoke(ctx, &retry, &outcome, &committed)); /* never opened */
	assert_false(committed);
	assert_int_equal(loads_try(loads, &other, &outcome), FAIL_FENCED);
	ctx_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_history, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_untracked_and_current, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_gone_and_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_fact, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_moved_and_returned, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_duplicates_and_filter, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_repoint, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stale_snapshot, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ghosts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
