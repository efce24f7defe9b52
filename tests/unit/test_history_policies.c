/* The policies of docs/spec.md: each case that others leave open is decided there, and happens. */
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

#define DOCUMENT(columns, history) \
	"spec: 1\npipeline: cases\nwarehouse: warehouse\nsources: { shop: { type: postgres, connection: shop } }\ntables:\n" \
	"  dim_city:\n    kind: dimension\n    source: { from: shop, query: city.sql }\n    surrogate: city_key\n    key: id\n" \
	"    columns: { id: integer, city: text" columns " }\n    history: { scd: 2" history " }\n"

static struct spec_file snapshots[] = {{"city.sql", "SELECT id, city FROM city"},
    {"pipeline.yaml", DOCUMENT("", ", deletes: close")}};
static struct spec_file dated[] = {{"city.sql", "SELECT id, city, since FROM city"},
    {"pipeline.yaml", DOCUMENT(", since: timestamptz", ", valid_from: since")}};
static struct spec_file first_counts[] = {{"city.sql", "SELECT id, city, since FROM city"},
    {"pipeline.yaml", DOCUMENT(", since: timestamptz", ", valid_from: since, ties: first")}};

static struct loads_pipeline
pipeline_of(struct spec_file *files)
{
	return (struct loads_pipeline){.files = files,
	    .count = 2,
	    .source_tables = "DROP TABLE IF EXISTS city; CREATE TABLE city (id int, city text, since text)",
	    .no_tables = "DROP TABLE IF EXISTS dim_city"};
}

static struct loads *
begin(struct spec_file *files)
{
	struct loads_pipeline pipeline = pipeline_of(files);

	return loads_new_of(&pipeline);
}

static void
source(struct loads *loads, const char *rows)
{
	loads_source(loads, ctx_printf(loads->ctx, "TRUNCATE city; INSERT INTO city VALUES %s", rows));
}

static const char *
versions(struct loads *loads)
{
	return loads_ask(loads,
	    "SELECT id, city, effective_from::date, effective_to::date, is_current FROM dim_city WHERE city_key > 0 "
	    "ORDER BY id, effective_from");
}

/* p1: a snapshot that was taken before the newest one. */
static void
test_older_snapshot(void **state)
{
	struct loads *loads = begin(snapshots);
	struct slice_outcome outcome;
	struct slice_job job;

	(void)state;
	source(loads, "(1, 'New York', NULL)");
	(void)loads_load(loads, "dim_city", -1);
	loads_do(loads,
	    "UPDATE loadstar.slice_ledger SET result = result || jsonb_build_object('snapshot_at', now() + interval '2 days')");
	loads_source(loads, "TRUNCATE city");
	job = loads_job(loads, "dim_city", -1);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_STALE_SNAPSHOT);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM dim_city WHERE is_current AND city_key > 0"), "1");
	loads_free(loads);
}

/* p1, too: with a time of its own an observation is never too late; and several of one load, and ones without a change. */
static void
test_late_observation(void **state)
{
	struct loads *loads = begin(dated);
	struct slice_outcome outcome;

	(void)state;
	source(loads, "(1, 'A', '2024-01-01'), (1, 'C', '2024-01-05'), (1, 'C', '2024-01-07'), (1, 'A', '2024-01-09')");
	outcome = loads_load(loads, "dim_city", -1);
	assert_int_equal(outcome.counts.inserted, 4);
	assert_int_equal(outcome.counts.versions_opened, 3);
	source(loads, "(1, 'B', '2024-01-03'), (1, 'A', '2023-12-01')");
	(void)loads_load(loads, "dim_city", -1);
	assert_string_equal(versions(loads),
	    "1 A 2023-12-01 2024-01-03 f\n1 B 2024-01-03 2024-01-05 f\n1 C 2024-01-05 2024-01-09 f\n"
	    "1 A 2024-01-09 9999-12-31 t");
	outcome = loads_load(loads, "dim_city", -1);
	assert_int_equal(outcome.counts.unchanged, 2);
	loads_free(loads);
}

/* p2: one key twice in one load, three times. */
static void
test_one_key_twice(void **state)
{
	struct spec_file *const files[] = {snapshots, dated, first_counts};
	static const char *const kept[] = {"NOLA", "NOLA", "New York"};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(files); i++) {
		struct loads *loads = begin(files[i]);

		source(loads, "(1, 'New York', '2024-01-01'), (1, 'NOLA', '2024-01-01')");
		for (int repeat = 0; repeat < 3; repeat++) {
			struct slice_outcome outcome = loads_load(loads, "dim_city", -1);

			assert_int_equal(outcome.counts.deduplicated, 1);
			assert_int_equal(outcome.counts.versions_opened, repeat == 0);
			assert_string_equal(loads_ask(loads, "SELECT city FROM dim_city WHERE city_key > 0"), kept[i]);
		}
		loads_free(loads);
	}
}

/* Another value at the same time, in a later load: a correction, unless the first counts. */
static void
test_correction(void **state)
{
	struct spec_file *const files[] = {dated, first_counts};
	static const char *const kept[] = {"NOLA", "New York"};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(files); i++) {
		struct loads *loads = begin(files[i]);
		struct slice_outcome outcome;

		source(loads, "(1, 'New York', '2024-01-01')");
		(void)loads_load(loads, "dim_city", -1);
		source(loads, "(1, 'NOLA', '2024-01-01')");
		outcome = loads_load(loads, "dim_city", -1);
		assert_int_equal(outcome.counts.updated, i == 0);
		assert_int_equal(outcome.counts.versions_opened, 0);
		assert_string_equal(loads_ask(loads, "SELECT city_key, city FROM dim_city WHERE city_key > 0"),
		    ctx_printf(loads->ctx, "1 %s", kept[i]));
		loads_free(loads);
	}
}

/* p3: the lock is tested in test_slice_races; this is what stands behind it. */
static void
test_one_current_version(void **state)
{
	struct loads *loads = begin(dated);
	struct ctx *ctx = ctx_new("second", 0);

	(void)state;
	source(loads, "(1, 'A', '2024-01-01')");
	(void)loads_load(loads, "dim_city", -1);
	assert_false(pg_run(ctx, loads->warehouse,
	    "INSERT INTO dim_city (id, effective_from, effective_to, is_current, load_id, loaded_at)"
	    " VALUES (1, now(), '9999-12-31 00:00:00+00', true, 1, now())"));
	assert_non_null(strstr(ctx_failure(ctx)->message, "dim_city_current"));
	ctx_free(ctx);
	loads_free(loads);
}

/* p4: names that are ours. */
static void
test_our_names(void **state)
{
	static const char *const names[] = {"effective_from", "effective_to", "is_current", "is_inferred", "row_hash",
	    "load_id", "city_key", "at", "op", "sequence", "row_number"};
	struct ctx *ctx = ctx_new("names", 0);

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(names); i++) {
		const char *yaml = dated[1].text, *at = strstr(yaml, ", since: timestamptz");
		struct spec_file files[] = {dated[0],
		    {"pipeline.yaml", ctx_printf(ctx, "%.*s, %s: text%s", (int)(at - yaml), yaml, names[i], at)}};
		struct spec_files list = {.items = files, .count = 2};
		struct spec_error *errors;
		struct spec *spec;

		assert_false(spec_parse(ctx, &list, &spec, &errors));
		assert_int_equal(ctx_failure(ctx)->code, FAIL_SPEC_INVALID);
		assert_non_null(strstr(ctx_failure(ctx)->message, names[i]));
		fail_clear(ctx);
	}
	ctx_free(ctx);
}

/* p5 and p6: a table that is there already. */
static void
test_table_of_others(void **state)
{
	struct loads *loads = begin(dated);
	struct slice_job job = loads_job(loads, "dim_city", -1);
	struct ctx *ctx = ctx_new("ddl", 0);

	(void)state;
	loads_do(loads,
	    "DROP TABLE dim_city; CREATE TABLE public.dim_city (city_key bigint PRIMARY KEY, id integer, valid_from timestamptz)");
	assert_false(slice_apply_ddl(ctx, &job, &job.table, 1));
	ctx_free(ctx);
	loads_do(loads,
	    "DROP TABLE dim_city; CREATE TABLE public.dim_city (is_current boolean NOT NULL, effective_to timestamptz NOT NULL,"
	    " effective_from timestamptz NOT NULL, loaded_at timestamptz NOT NULL, load_id bigint NOT NULL, row_hash text,"
	    " since timestamptz, city text, id integer NOT NULL, city_key bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)");
	ctx = ctx_new("ddl", 0);
	assert_true(slice_apply_ddl(ctx, &job, &job.table, 1));
	ctx_free(ctx);
	source(loads, "(1, 'A', '2024-01-01'), (1, 'B', '2024-01-02')");
	(void)loads_load(loads, "dim_city", -1);
	assert_string_equal(versions(loads), "1 A 2024-01-01 2024-01-02 f\n1 B 2024-01-02 9999-12-31 t");
	loads_free(loads);
}

/* p7: spellings of one instant, and one of none. */
static void
test_spellings(void **state)
{
	static const char *const spellings[] = {"2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00+00:00",
	    "2024-01-01T01:00:00+01:00"};
	struct loads *loads = begin(dated);
	struct slice_outcome outcome;
	struct slice_job job;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(spellings); i++) {
		source(loads, ctx_printf(loads->ctx, "(1, 'A', '%s')", spellings[i]));
		outcome = loads_load(loads, "dim_city", -1);
		assert_int_equal(outcome.counts.versions_opened, i == 0);
		assert_string_equal(loads_ask(loads,
					"SELECT effective_from, effective_to FROM dim_city WHERE city_key > 0"),
		    "2024-01-01 00:00:00+00 9999-12-31 00:00:00+00");
	}
	source(loads, "(1, 'B', 'i_am_not_a_timestamp')");
	job = loads_job(loads, "dim_city", -1);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_SQL_DATA);
	assert_string_equal(versions(loads), "1 A 2024-01-01 9999-12-31 t");
	loads_free(loads);
}

/* Each case that the others leave open has its row in the reference. */
static void
test_all_are_decided(void **state)
{
	const char *given = getenv("LOADSTAR_TEST_DATA"), *folder = given != NULL ? given : "../shared/data";
	struct ctx *ctx = ctx_new("cases", 0);
	char *path = ctx_printf(ctx, "%s/scenarios/scd2.json", folder), *text, *reference;
	json_t *cases, *one;
	size_t length, i;

	(void)state;
	if (access(path, R_OK) != 0) {
		print_message("no history cases in %s\n", folder);
		ctx_free(ctx);
		return;
	}
	assert_true(file_read(ctx, "docs/spec.md", 1 << 20, &reference, NULL));
	reference = strstr(reference, "\n## Policies\n");
	assert_non_null(reference);
	assert_true(file_read(ctx, path, 4 << 20, &text, &length) && json_parse(ctx, text, length, &cases));
	json_array_foreach(json_object_get(cases, "policy_cases"), i, one)
		assert_non_null(strstr(reference, ctx_printf(ctx, "\n| `%s`: ", json_string_or(one, "id", "?"))));
	assert_true(i >= 7);
	ctx_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_older_snapshot),
	    cmocka_unit_test(test_late_observation),
	    cmocka_unit_test(test_one_key_twice),
	    cmocka_unit_test(test_correction),
	    cmocka_unit_test(test_one_current_version),
	    cmocka_unit_test(test_our_names),
	    cmocka_unit_test(test_table_of_others),
	    cmocka_unit_test(test_spellings),
	    cmocka_unit_test(test_all_are_decided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
