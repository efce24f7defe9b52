/* Dimensions of every kind: what a load makes of changes, what it counts, and which surrogate keys stay. */
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
	*state = loads_new_of(&kinds_pipeline);
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

/* Loads a dimension and compares what was counted: read, inserted, updated, unchanged, rows deleted. */
static void
load(struct loads *loads, const char *table, const char *counted)
{
	struct slice_outcome outcome = loads_load(loads, table, -1);
	const struct load_counts *counts = &outcome.counts;

	assert_string_equal(ctx_printf(loads->ctx, "%lld %lld %lld %lld %lld", (long long)counts->read,
				(long long)counts->inserted, (long long)counts->updated, (long long)counts->unchanged,
				(long long)counts->rows_deleted),
	    counted);
}

static const char *
rows(struct loads *loads, const char *table, const char *surrogate)
{
	return loads_ask(loads, ctx_printf(loads->ctx, "SELECT %s, id, name, note FROM %s WHERE %s > 0 ORDER BY id",
				    surrogate, table, surrogate));
}

static void
test_append(void **state)
{
	struct loads *loads = *state;

	source(loads, "dim_first", "(1, 'a', 'x'), (2, 'b', NULL)");
	load(loads, "dim_first", "2 2 0 0 0");
	source(loads, "dim_first", "(1, 'other', 'x'), (3, 'c', 'z')");
	load(loads, "dim_first", "2 1 0 1 0");
	assert_string_equal(rows(loads, "dim_first", "first_key"), "1 1 a x\n2 2 b -\n3 3 c z");
	load(loads, "dim_first", "2 0 0 2 0");
}

static void
test_overwrite(void **state)
{
	struct loads *loads = *state;

	source(loads, "dim_now", "(1, 'a', 'x'), (2, 'b', 'y')");
	load(loads, "dim_now", "2 2 0 0 0");
	source(loads, "dim_now", "(1, 'new', 'x'), (3, 'c', 'z')");
	load(loads, "dim_now", "2 1 1 0 0");
	assert_string_equal(rows(loads, "dim_now", "now_key"), "1 1 new x\n2 2 b y\n3 3 c z");
	load(loads, "dim_now", "2 0 0 2 0");
}

/* A row that goes and comes back has its surrogate key again; the others never lose theirs. */
static void
test_replace(void **state)
{
	struct loads *loads = *state;

	source(loads, "dim_list", "(1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z')");
	load(loads, "dim_list", "3 3 0 0 0");
	source(loads, "dim_list", "(3, 'c', 'z'), (1, 'new', 'x'), (4, 'd', NULL)");
	load(loads, "dim_list", "3 1 1 1 1");
	assert_string_equal(rows(loads, "dim_list", "list_key"), "1 1 new x\n3 3 c z\n4 4 d -");
	load(loads, "dim_list", "3 0 0 3 0");
	source(loads, "dim_list", "(2, 'back', 'y'), (1, 'new', 'x')");
	load(loads, "dim_list", "2 1 0 1 2");
	assert_string_equal(rows(loads, "dim_list", "list_key"), "1 1 new x\n2 2 back y");
	assert_string_equal(loads_ask(loads,
				"SELECT string_agg(list_key::text, ' ' ORDER BY id) FROM loadstar.dim_list_retired"),
	    "3 4");
	loads_source(loads, "TRUNCATE dim_list");
	load(loads, "dim_list", "0 0 0 0 2");
	source(loads, "dim_list", "(4, 'd', NULL), (3, 'c', 'z'), (2, 'b', 'y'), (1, 'a', 'x')");
	load(loads, "dim_list", "4 4 0 0 0");
	assert_string_equal(rows(loads, "dim_list", "list_key"), "1 1 a x\n2 2 b y\n3 3 c z\n4 4 d -");
}

static void
test_unknown_member(void **state)
{
	struct loads *loads = *state;
	static const char *const unknown[] = {"SELECT first_key, id, name, is_current FROM dim_first",
	    "SELECT now_key, id, note, is_current FROM dim_now", "SELECT list_key, id, name, is_current FROM dim_list",
	    "SELECT past_key, id, name, is_current FROM dim_past"};
	static const char *const rows_of_it[] = {"-1 -1 - t", "-1 -1 unknown t", "-1 -1 - t", "-1 -1 - t"};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		assert_string_equal(loads_ask(loads, unknown[i]), rows_of_it[i]);
	load(loads, "dim_list", "0 0 0 0 0"); /* is not the source's to delete */
	assert_string_equal(loads_ask(loads, unknown[2]), rows_of_it[2]);
}

/* What a comparison of joined texts, or one with `<>`, takes for equal. */
static const char *const changes[] = {
    "(1, 'x|y', 'z')",
    "(1, 'x', 'y|z')",
    "(1, 'x', NULL)",
    "(1, 'x', '')",
    "(1, '', 'x')",
    "(1, NULL, 'x')",
    "(1, NULL, '')",
    "(1, '', NULL)",
    "(1, 'x,', 'y')",
    "(1, 'x', ',y')",
    "(1, 'a\"', 'b')",
    "(1, 'a', '\"b')",
    "(1, NULL, NULL)",
    "(1, 'v', NULL)",
    "(1, NULL, 'v')",
};

static void
test_changes_without_history(void **state)
{
	struct loads *loads = *state;
	const size_t count = sizeof(changes) / sizeof(*changes);

	for (size_t i = 0; i < count; i++) {
		source(loads, "dim_list", changes[i]);
		load(loads, "dim_list", i == 0 ? "1 1 0 0 0" : "1 0 1 0 0");
		load(loads, "dim_list", "1 0 0 1 0");
		assert_string_equal(
		    loads_ask(loads,
			ctx_printf(loads->ctx,
			    "SELECT count(*) FROM dim_list d JOIN (VALUES %s) v(id, name, note) ON v.id = d.id AND "
			    "v.name IS NOT DISTINCT FROM d.name AND v.note IS NOT DISTINCT FROM d.note",
			    changes[i])),
		    "1");
	}
}

static void
test_changes_with_history(void **state)
{
	struct loads *loads = *state;
	const size_t count = sizeof(changes) / sizeof(*changes);

	for (size_t i = 0; i < count; i++) {
		source(loads, "dim_past",
		    ctx_printf(loads->ctx, "%.*s, timestamptz '2024-01-01' + interval '%zu days')",
			(int)strlen(changes[i]) - 1, changes[i], i));
		load(loads, "dim_past", i == 0 ? "1 1 0 0 0" : "1 0 1 0 0");
		load(loads, "dim_past", "1 0 0 1 0");
	}
	assert_int_equal(count, 15);
	assert_string_equal(loads_ask(loads,
				"SELECT count(*), count(DISTINCT row_hash), count(*) FILTER (WHERE is_current) "
				"FROM dim_past WHERE past_key > 0"),
	    "15 15 1");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_append, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_overwrite, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unknown_member, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changes_without_history, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changes_with_history, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
