/* History does not depend on the order of arrival: random observations in random batches, against a model of a few lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/loads.h"

#include <cmocka.h>

enum { KEYS = 3, TIMES = 6, VALUES = 2, OBSERVATIONS = 14, ROUNDS = 12 };

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

static const char dimension[] =
    "SELECT part_id, name, price, since, effective_from, effective_to, is_current, row_hash FROM dim_part "
    "WHERE part_key > 0 ORDER BY part_id, effective_from";

/* Versions as the observations in `every` make them: for each key the values by time, equal neighbours as one. */
static const char model[] =
    "SELECT part_id, name, price, last_since, at, COALESCE(lead(at) OVER (PARTITION BY part_id ORDER BY at), "
    "       '9999-12-31 00:00:00+00'), lead(at) OVER (PARTITION BY part_id ORDER BY at) IS NULL, "
    "       md5(ROW(name, price)::text) "
    "  FROM (SELECT part_id, name, price, min(since) AS at, max(since) AS last_since "
    "          FROM (SELECT *, since_number - row_number() OVER (PARTITION BY part_id, name, price ORDER BY since) AS island "
    "                  FROM (SELECT *, row_number() OVER (PARTITION BY part_id ORDER BY since) AS since_number FROM every) n) i "
    "         GROUP BY part_id, name, price, island) v ORDER BY part_id, at";

/* Invariants that hold whatever was loaded. */
static void
assert_sound(struct loads *loads)
{
	assert_string_equal(
	    loads_ask(loads,
		"SELECT count(*) FROM dim_part a JOIN dim_part b ON a.part_id = b.part_id AND a.part_key < b.part_key "
		"AND a.effective_from < b.effective_to AND b.effective_from < a.effective_to"),
	    "0");
	assert_string_equal(loads_ask(loads,
				"SELECT count(*) FROM (SELECT FROM dim_part WHERE is_current GROUP BY part_id "
				"HAVING count(*) > 1) twice"),
	    "0");
	assert_string_equal(
	    loads_ask(loads,
		"SELECT count(*) FROM dim_part d WHERE part_key > 0 AND is_current <> (effective_to = '9999-12-31 00:00:00+00')"),
	    "0");
}

static void
empty(struct loads *loads)
{
	loads_do(loads,
	    "TRUNCATE loadstar.dim_part_log, loadstar.dim_part_retired; DELETE FROM dim_part WHERE part_key > 0;"
	    "DELETE FROM loadstar.slice_ledger");
}

static void
shuffle(int *order, int count)
{
	for (int i = count - 1; i > 0; i--) {
		int k = rand() % (i + 1), kept = order[i];

		order[i] = order[k];
		order[k] = kept;
	}
}

/* One observation by number; those of one key and time say the same, as a source would. */
static char *
observation(struct loads *loads, const int *numbers, int i)
{
	int key = numbers[i] % KEYS, at = numbers[i] / KEYS % TIMES, value = numbers[i] / KEYS / TIMES % VALUES;

	return ctx_printf(loads->ctx, "('k%d', 'n%d', 1, timestamptz '2024-01-01 00:00:00+00' + %d * interval '1 day')",
	    key, value, at);
}

static void
load_in_batches(struct loads *loads, const int *numbers, const int *order)
{
	for (int i = 0; i < OBSERVATIONS;) {
		int size = 1 + rand() % 5;

		loads_source(loads, "TRUNCATE part");
		for (int end = i + size; i < end && i < OBSERVATIONS; i++)
			loads_source(loads, ctx_printf(loads->ctx, "INSERT INTO part VALUES %s",
						observation(loads, numbers, order[i])));
		(void)loads_load(loads, "dim_part", -1);
		assert_sound(loads);
	}
}

/* Distinct keys and times, each with one value. */
static void
make_observations(int *numbers)
{
	int all[KEYS * TIMES];

	for (int i = 0; i < KEYS * TIMES; i++)
		all[i] = i;
	shuffle(all, KEYS * TIMES);
	for (int i = 0; i < OBSERVATIONS; i++)
		numbers[i] = all[i] + KEYS * TIMES * (rand() % VALUES);
}

/* deletes: ignore, so that a batch need not be the whole source. */
static struct spec_table *
ignore_deletes(struct loads *loads)
{
	struct spec_table *table = (struct spec_table *)(uintptr_t)spec_find_table(loads->spec, "dim_part");

	table->deletes = DELETES_IGNORE;
	return table;
}

static void
test_any_order(void **state)
{
	struct loads *loads = *state;
	int numbers[OBSERVATIONS], order[OBSERVATIONS];

	(void)ignore_deletes(loads);
	srand(20240101);
	for (int round = 0; round < ROUNDS; round++) {
		const char *expected;
		struct slice_outcome outcome;

		make_observations(numbers);
		loads_do(loads,
		    "DROP TABLE IF EXISTS every; CREATE TEMP TABLE every (part_id text, name text, price numeric(10,2), "
		    "since timestamptz)");
		for (int i = 0; i < OBSERVATIONS; i++) {
			loads_do(loads,
			    ctx_printf(loads->ctx, "INSERT INTO every VALUES %s", observation(loads, numbers, i)));
			order[i] = i;
		}
		expected = loads_ask(loads, model);
		shuffle(order, OBSERVATIONS);
		empty(loads);
		load_in_batches(loads, numbers, order);
		assert_string_equal(loads_ask(loads, dimension), expected);
		outcome = loads_load(loads, "dim_part", -1); /* the last batch again */
		assert_int_equal(outcome.counts.unchanged + outcome.counts.deduplicated, outcome.counts.read);
		assert_int_equal(outcome.counts.versions_opened + outcome.counts.rows_deleted, 0);
	}
}

/* Whole snapshots with deletes: after each, the current versions are the snapshot; a fact always points to what is valid. */
static void
test_snapshots(void **state)
{
	struct loads *loads = *state;

	srand(7);
	loads_source(loads,
	    "INSERT INTO kind VALUES (1, 'x'); INSERT INTO tag VALUES (1, 1, 'a', 'b');"
	    "INSERT INTO sale (sale_id, part_id, shop_id, tag_id, kind_id, sold_at, amount) SELECT n, 'k' || n % 4, 1, 1,"
	    " 1, timestamptz '2024-01-01 00:00:00+00' + n * interval '20 minutes', 1 FROM generate_series(0, 71) n");
	(void)loads_load(loads, "dim_kind", -1);
	(void)loads_load(loads, "dim_tag", -1);
	(void)loads_load(loads, "fact_sale", 0);
	for (int round = 0; round < 40; round++) {
		loads_source(loads,
		    ctx_printf(loads->ctx,
			"DELETE FROM part WHERE random() < 0.2;"
			"UPDATE part SET name = 'n' || (random() * 2)::int, since = CASE WHEN random() < 0.5 THEN since ELSE"
			"  timestamptz '2024-01-01 00:00:00+00' + (random() * 86400)::int * interval '1 second' END WHERE random() < 0.4;"
			"INSERT INTO part SELECT 'k' || %d, 'n0', 1, '2024-01-01 12:00:00+00'"
			" WHERE NOT EXISTS (SELECT FROM part WHERE part_id = 'k' || %d)",
			rand() % 4, rand() % 4));
		loads_source(loads, "DELETE FROM part a USING part b WHERE a.part_id = b.part_id AND a.ctid < b.ctid");
		(void)loads_load(loads, "dim_part", -1);
		assert_sound(loads);
		assert_string_equal(
		    loads_ask(loads,
			"SELECT count(*) FROM fact_sale f WHERE part_key <> COALESCE("
			"(SELECT part_key FROM dim_part d WHERE d.part_id = f.part_id AND part_key > 0 "
			"    AND effective_from <= sold_at AND sold_at < effective_to),"
			"(SELECT part_key FROM (SELECT * FROM dim_part d WHERE d.part_id = f.part_id AND part_key > 0 "
			"    ORDER BY effective_from LIMIT 1) first WHERE sold_at < effective_from), -1)"),
		    "0");
		assert_string_equal(loads_ask(loads, "SELECT string_agg(part_id, ',' ORDER BY part_id) FROM dim_part "
						     "WHERE is_current AND part_key > 0"),
		    loads_ask_source(loads, "SELECT string_agg(part_id, ',' ORDER BY part_id) FROM part"));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_any_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_snapshots, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
