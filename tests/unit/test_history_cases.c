/*
 * History cases that others made (scenarios/scd2.json): each becomes a pipeline, its loads are loaded in their order and again, and
 * where order must not matter in every order. The source's clock says what the case says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/support/loads.h"

/* After ours: it makes a macro of fail. */
#include <cmocka.h>

enum { CASES_LIMIT = 4 << 20, MOST_LOADS = 8 };

struct history_case {
	struct loads *loads;
	const json_t *scenario, *loads_json, *options;
	json_t *columns;     /* name → type, of the loads so far */
	bool at_column;      /* the load's time is a column of its rows, seen_at, and what is absent stays */
	const char *deletes; /* of the history */
};

static json_t *
read_cases(struct ctx *ctx)
{
	const char *given = getenv("LOADSTAR_TEST_DATA"), *folder = given != NULL ? given : "../shared/data";
	char *path = ctx_printf(ctx, "%s/scenarios/scd2.json", folder), *text;
	size_t length;
	json_t *cases;

	if (access(path, R_OK) != 0) {
		print_message("no history cases in %s\n", folder);
		return NULL;
	}
	assert_true(file_read(ctx, path, CASES_LIMIT, &text, &length));
	assert_true(json_parse(ctx, text, length, &cases));
	return cases;
}

/* "T3" is the third of March. */
static const char *
time_of(struct ctx *ctx, const char *token)
{
	return token[0] == 'T' ? ctx_printf(ctx, "2024-03-0%s", token + 1) : token;
}

/* JSON as SQL, its times said. */
static const char *
json_literal(struct ctx *ctx, const json_t *value)
{
	char *text = json_text(ctx, value);

	for (char token = '1'; token <= '9'; token++) {
		char *quoted = ctx_printf(ctx, "\"T%c\"", token), *at;

		while ((at = strstr(text, quoted)) != NULL)
			text = ctx_printf(ctx, "%.*s\"2024-03-0%c\"%s", (int)(at - text), text, token,
			    at + strlen(quoted));
	}
	return pg_literal(ctx, text);
}

/* What the loads up to one have as columns. */
static void
add_columns(struct history_case *test, const json_t *rows)
{
	const json_t *row, *value;
	const char *name;
	size_t i;

	json_array_foreach(rows, i, row) {
		json_object_foreach((json_t *)(uintptr_t)row, name, value) {
			const char *type = text_equal(name, "updated_at") ? "timestamptz"
					   : json_is_integer(value)       ? "bigint"
									  : "text";

			json_put_string(test->loads->ctx, test->columns, name, type);
		}
	}
	if (test->at_column)
		json_put_string(test->loads->ctx, test->columns, "seen_at", "timestamptz");
}

static const char *
column_list(struct history_case *test, const char *separator, const char *end)
{
	struct text out;
	const char *name;
	const json_t *type;

	text_init(&out, test->loads->ctx);
	json_object_foreach(test->columns, name, type)
		text_addf(&out, "%s%s%s%s", out.length == 0 ? "" : ", ", name, separator,
		    *separator != '\0' ? json_string_value(type) : "");
	text_add(&out, end);
	return out.data;
}

/* Timestamps decide alone: a new one is a version, values under an old one are none. */
static const char *
document_of(struct history_case *test)
{
	struct ctx *ctx = test->loads->ctx;
	bool stamped = text_equal(json_string_or(test->options, "strategy", ""), "timestamp");
	const json_t *tracked = json_object_get(test->options, "tracked_columns");
	const char *track = json_is_array(tracked) ? json_text(ctx, tracked) : "all";

	if (stamped)
		track = "[email, last_name, updated_at]";
	return ctx_printf(ctx,
	    "spec: 1\npipeline: cases\nwarehouse: warehouse\ndefaults: { timeouts: { statement: 1m, lock: 10s } }\n"
	    "sources: { shop: { type: postgres, connection: shop } }\ntables:\n"
	    "  dim_case:\n    kind: dimension\n    source: { from: shop, query: case.sql }\n    surrogate: case_key\n"
	    "    key: %s\n    columns: { %s }\n"
	    "    guards: { empty: off, close: off, change: off }\n"
	    "    history: { scd: 2, track: %s, deletes: %s%s%s }\n",
	    json_text(ctx, json_object_get(test->scenario, "natural_key")), column_list(test, ": ", ""), track,
	    test->deletes, stamped ? ", valid_from: updated_at, ties: first" : "",
	    test->at_column && !stamped ? ", valid_from: seen_at" : "");
}

static void
declare(struct history_case *test)
{
	struct ctx *ctx = test->loads->ctx;
	struct spec_file *files = ctx_alloc_array(ctx, 2, sizeof(*files));
	struct loads_pipeline pipeline = {.files = files, .count = 2};

	files[0] = (struct spec_file){"case.sql", "SELECT * FROM observed"};
	files[1] = (struct spec_file){"pipeline.yaml", document_of(test)};
	loads_source(test->loads,
	    ctx_printf(ctx, "DROP TABLE IF EXISTS observed; CREATE TABLE observed (%s)", column_list(test, " ", "")));
	loads_redeclare(test->loads, &pipeline);
}

static void
begin(struct history_case *test)
{
	loads_do(test->loads, "DROP SCHEMA IF EXISTS loadstar CASCADE; DROP TABLE IF EXISTS dim_case");
	test->columns = json_new_object(test->loads->ctx);
}

static struct slice_outcome
load(struct history_case *test, size_t i)
{
	const json_t *one = json_array_get(test->loads_json, i), *rows = json_object_get(one, "rows");
	struct ctx *ctx = test->loads->ctx;
	const char *at = time_of(ctx, json_string_or(one, "at", ""));
	size_t before = json_object_size(test->columns);

	add_columns(test, rows);
	if (json_object_size(test->columns) > before)
		declare(test);
	if (!test->at_column)
		loads_source(test->loads, ctx_printf(ctx, "UPDATE clock.present SET at = '%s'", at));
	loads_source(test->loads,
	    ctx_printf(ctx,
		"TRUNCATE observed; INSERT INTO observed SELECT * FROM jsonb_populate_recordset(NULL::observed, %s)",
		json_literal(ctx, rows)));
	if (test->at_column)
		loads_source(test->loads, ctx_printf(ctx, "UPDATE observed SET seen_at = '%s'", at));
	return loads_load(test->loads, "dim_case", -1);
}

/* Rows that are only in the dimension or only in what is expected after a load. A delete is a gap here: who wants a row for it takes
 * what is missing between two versions, or after the last. */
static const char *
difference(struct history_case *test, size_t i)
{
	struct ctx *ctx = test->loads->ctx;
	const json_t *expected = json_array_get(json_object_get(test->scenario, "expected_after_each_load"), i);
	const json_t *tracked = json_object_get(test->options, "tracked_columns"),
		     *keys = json_object_get(test->scenario, "natural_key");
	bool as_rows = text_equal(json_string_or(test->options, "hard_deletes", ""), "new_record");
	struct text columns, types, key;
	const json_t *type, *name_of_key;
	const char *name, *gaps = "";
	size_t k;

	text_init(&columns, ctx);
	text_init(&types, ctx);
	text_init(&key, ctx);
	json_array_foreach(keys, k, name_of_key)
		text_addf(&key, "%s%s", k == 0 ? "" : ", ", json_string_value(name_of_key));
	json_object_foreach(test->columns, name, type) {
		bool compared = json_object_get(json_array_get(expected, 0), name) != NULL;

		if (json_is_array(tracked) && strstr(json_text(ctx, tracked), name) == NULL &&
		    strstr(key.data, name) == NULL)
			compared = false; /* overwritten in all versions: a policy of ours */
		if (!compared)
			continue;
		text_addf(&columns, "%s, ", name);
		text_addf(&types, "%s %s, ", name, json_string_value(type));
	}
	if (as_rows)
		gaps = ctx_printf(ctx,
		    " UNION ALL SELECT %s effective_to, NULLIF(next, '9999-12-31 00:00:00+00'), true FROM (SELECT *, "
		    "lead(effective_from, 1, '9999-12-31 00:00:00+00') OVER (PARTITION BY %s ORDER BY effective_from) AS next "
		    "FROM dim_case WHERE case_key > 0) d WHERE effective_to < next",
		    columns.data, key.data);
	return loads_ask(test->loads,
	    ctx_printf(ctx,
		"WITH made AS (SELECT %s effective_from, NULLIF(effective_to, '9999-12-31 00:00:00+00'), false FROM dim_case "
		"WHERE case_key > 0%s),"
		"wanted AS (SELECT %s valid_from, NULLIF(valid_to, '9999-12-31 00:00:00+00'), COALESCE(is_deleted, false) "
		"FROM jsonb_to_recordset(%s) AS e(%s valid_from timestamptz, valid_to timestamptz, is_deleted boolean)) "
		"SELECT '+', m::text FROM (SELECT * FROM made EXCEPT ALL SELECT * FROM wanted) m "
		"UNION ALL SELECT '-', w::text FROM (SELECT * FROM wanted EXCEPT ALL SELECT * FROM made) w",
		columns.data, gaps, columns.data, json_literal(ctx, expected), types.data));
}

static void
assert_equal(struct history_case *test, size_t i, const char *how)
{
	const char *found = difference(test, i);

	if (*found != '\0')
		fail_msg("%s after load %zu, %s:\n%s", json_string_or(test->scenario, "id", "?"), i + 1, how, found);
}

/* No overlap, one current version a key, no version without length. */
static void
assert_sound(struct history_case *test)
{
	const char *id = json_string_or(test->scenario, "id", "?");
	struct text same;
	const json_t *key;
	size_t k;

	text_init(&same, test->loads->ctx);
	json_array_foreach(json_object_get(test->scenario, "natural_key"), k, key)
		text_addf(&same, "a.%s = b.%s AND ", json_string_value(key), json_string_value(key));
	if (!text_equal(
		loads_ask(test->loads,
		    ctx_printf(test->loads->ctx,
			"SELECT count(*) FROM dim_case a JOIN dim_case b ON %s a.case_key < b.case_key AND a.case_key > 0 "
			"AND (a.effective_from < b.effective_to AND b.effective_from < a.effective_to OR a.is_current AND b.is_current)",
			same.data)),
		"0"))
		fail_msg("%s: versions overlap", id);
}

static void
run_in_order(struct history_case *test)
{
	begin(test);
	for (size_t i = 0; i < json_array_size(test->loads_json); i++) {
		struct slice_outcome outcome = load(test, i);

		assert_equal(test, i, "in order");
		assert_sound(test);
		outcome = load(test, i);
		assert_int_equal(outcome.counts.unchanged, outcome.counts.read);
		assert_int_equal(outcome.counts.versions_opened + outcome.counts.versions_closed +
				     outcome.counts.rows_deleted,
		    0);
		assert_equal(test, i, "loaded again");
	}
}

/* Whether no key of a load is missing in a later one, or that means nothing; and whether observations do not contradict each other. */
static bool
is_order_free(const struct history_case *test)
{
	static const char *const contradict[] = {"scd2-15"};
	const char *id = json_string_or(test->scenario, "id", "?");
	size_t most = 0;

	for (size_t i = 0; i < LENGTH_OF(contradict); i++)
		if (text_equal(id, contradict[i]))
			return false;
	for (size_t i = 0; i < json_array_size(test->loads_json); i++) {
		size_t rows = json_array_size(json_object_get(json_array_get(test->loads_json, i), "rows"));

		if (rows < most && !json_is_true(json_object_get(test->options, "incremental")))
			return false;
		most = rows;
	}
	return !text_equal(id, "scd2-06") && !text_equal(id, "scd2-07"); /* keys go and others come */
}

/* The next order by the dictionary; false after the last. */
static bool
next_order(size_t *order, size_t count)
{
	size_t i = count - 1, k = count - 1, kept;

	while (i > 0 && order[i - 1] >= order[i])
		i--;
	if (i == 0)
		return false;
	while (order[k] <= order[i - 1])
		k--;
	kept = order[i - 1];
	order[i - 1] = order[k];
	order[k] = kept;
	for (k = count - 1; i < k; i++, k--) {
		kept = order[i];
		order[i] = order[k];
		order[k] = kept;
	}
	return true;
}

/* All orders of three loads and less; of more every third. */
static bool
skip_orders(size_t *order, size_t count)
{
	bool more = next_order(order, count);

	for (int i = 0; more && count > 3 && i < 2; i++)
		more = next_order(order, count);
	return more;
}

static void
run_in_any_order(struct history_case *test)
{
	size_t count = json_array_size(test->loads_json), order[MOST_LOADS];

	ASSERT(count <= MOST_LOADS);
	test->at_column = true;
	test->deletes = "ignore";
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	do {
		struct text how;

		text_init(&how, test->loads->ctx);
		begin(test);
		for (size_t i = 0; i < count; i++)
			add_columns(test, json_object_get(json_array_get(test->loads_json, i), "rows"));
		declare(test);
		for (size_t i = 0; i < count; i++) {
			(void)load(test, order[i]);
			assert_sound(test);
			text_addf(&how, " %zu", order[i] + 1);
		}
		assert_equal(test, count - 1, ctx_printf(test->loads->ctx, "in the order%s", how.data));
	} while (skip_orders(order, count));
}

/* A source whose clock is a table's. */
static struct loads *
new_loads(void)
{
	static struct spec_file files[] = {
	    {"case.sql", "SELECT 1 AS id"},
	    {"pipeline.yaml",
		"spec: 1\npipeline: cases\nwarehouse: warehouse\nsources: { shop: { type: postgres, connection: shop } }\ntables:\n"
		"  dim_case: { kind: dimension, source: { from: shop, query: case.sql }, key: id, columns: { id: integer } }\n"},
	};
	static const struct loads_pipeline pipeline = {.files = files,
	    .count = LENGTH_OF(files),
	    .source_tables =
		"DROP SCHEMA IF EXISTS clock CASCADE; CREATE SCHEMA clock; CREATE TABLE clock.present (at timestamptz);"
		"INSERT INTO clock.present VALUES ('2024-01-01');"
		"CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM clock.present';"
		"ALTER DATABASE slice_source SET search_path = clock, pg_catalog, public;"
		"SET search_path = clock, pg_catalog, public",
	    .no_tables = "DROP TABLE IF EXISTS dim_case"};

	return loads_new_of(&pipeline);
}

static void
test_scenarios(void **state)
{
	struct ctx *ctx = ctx_new("cases", 0);
	json_t *cases = read_cases(ctx), *scenario;
	struct loads *loads = new_loads();
	size_t i, orders = 0;

	(void)state;
	json_array_foreach(json_object_get(cases, "scenarios"), i, scenario) {
		struct history_case test = {.loads = loads, .scenario = scenario};

		test.loads_json = json_object_get(scenario, "loads");
		test.options = json_object_get(scenario, "options");
		test.deletes = json_is_true(json_object_get(test.options, "incremental")) ? "ignore" : "close";
		run_in_order(&test);
		if (is_order_free(&test)) {
			run_in_any_order(&test);
			orders++;
		}
	}
	loads_free(loads);
	assert_true(cases == NULL || (i >= 17 && orders >= 7));
	ctx_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scenarios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
