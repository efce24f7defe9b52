/* Parquet, and the files that others made to tell good readers from bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/support/duck_files.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = duck_case_new(ctx_new("test", 0));
	return 0;
}

static int
teardown(void **state)
{
	struct duck_case *test = *state;
	bool clean = duck_case_is_clean(test);

	duck_case_end(test);
	ctx_free(test->ctx);
	return clean ? 0 : -1;
}

static void
runs(struct duck_case *test)
{
	if (!duck_case_run(test))
		fail_msg("%s: %s", fail_kind(ctx_failure(test->ctx)->code)->name, ctx_failure(test->ctx)->message);
}

static void
gives(struct duck_case *test, const char *rows, const char *rejects)
{
	runs(test);
	assert_string_equal(duck_case_rows(test), rows);
	assert_string_equal(test->rejects, rejects);
	assert_true(test->result.rows_out == duck_case_ask(test, "SELECT count(*) FROM t"));
	assert_true(test->result.read.rejected == test->reject_count);
}

static void
fails(struct duck_case *test, enum fail_code code, const char *part)
{
	bool good = duck_case_run(test);
	const struct failure *failure = ctx_failure(test->ctx);

	if (good || failure->code != code || strstr(failure->message, part) == NULL)
		fail_msg("%s: %s", fail_kind(failure->code)->name, failure->message);
	fail_clear(test->ctx);
	if (!pg_is_open(test->db))
		return;
	assert_int_equal(duck_case_ask(test, "SELECT count(*) FROM t"), 0);
	assert_true(duck_case_is_clean(test));
}

static char *
fixture(struct duck_case *test, const char *name)
{
	char *path = realpath(name, NULL), *copy = ctx_strdup(test->ctx, path);

	if (path == NULL)
		fail_msg("there is no %s", name);
	free(path);
	return copy;
}

static void
add_parquet(struct duck_case *test, const char *name)
{
	struct duck_input *input = test->request.inputs;

	input->files[input->file_count] =
	    (struct duck_file){.path = fixture(test, name), .id = (int64_t)input->file_count};
	input->file_count++;
}

/* Columns by name in files whose order and types differ; what does not fit its declared type is a reject. */
static void
test_parquet(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_PARQUET, "id:integer name:text whole:integer");
	add_parquet(test, "tests/data/mixed.parquet");
	add_parquet(test, "tests/data/drifted.parquet");
	runs(test);
	assert_string_equal(duck_case_rows(test), "1|a|7\n5|b|2\n");
	assert_true(text_starts_with(test->rejects, "2 whole type {\"id\":2,"));
	assert_non_null(strstr(test->rejects, "\n3 id type {\"id\":3000000000,"));
	assert_int_equal(test->reject_count, 2);
}

static void
test_parquet_types(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_PARQUET, "id:bigint amount:numeric(10,2) at:timestamp u:uuid nested:jsonb");
	add_parquet(test, "tests/data/mixed.parquet");
	gives(test,
	    "1|1.50|2024-01-01 10:00:00|00000000-0000-0000-0000-00000000000a|{\"x\": 1, \"y\": [1, 2]}\n"
	    "2|NULL|NULL|NULL|NULL\n"
	    "3000000000|-0.01|1900-01-01 00:00:00|NULL|NULL\n",
	    "");
	test->request.transform = "SELECT * FROM input";
	gives(test,
	    "1|1.50|2024-01-01 10:00:00|00000000-0000-0000-0000-00000000000a|{\"x\": 1, \"y\": [1, 2]}\n"
	    "2|NULL|NULL|NULL|NULL\n"
	    "3000000000|-0.01|1900-01-01 00:00:00|NULL|NULL\n",
	    "");
	test->request.transform = NULL;
	duck_case_columns(test, DUCK_PARQUET, "id:bigint missing:text");
	add_parquet(test, "tests/data/mixed.parquet");
	fails(test, FAIL_SOURCE_COLUMNS, "has no column missing");
}

static const char *
data_folder(struct ctx *ctx)
{
	const char *given = getenv("LOADSTAR_TEST_DATA"), *folder = given != NULL ? given : "../shared/data";

	return access(folder, R_OK) == 0 ? ctx_strdup(ctx, folder) : NULL;
}

/* Everything that others call CSV, as their JSON says it: the first record is made the header where there is none. */
static void
test_csv_conformance(void **state)
{
	struct duck_case *test = *state;
	const char *data = data_folder(test->ctx);
	char **names, *csv, *want;
	size_t count, length;
	json_t *records;

	if (data == NULL)
		skip();
	assert_true(file_list(test->ctx, ctx_printf(test->ctx, "%s/csv_conformance/csv", data), &names, &count));
	for (size_t i = 0; i < count; i++) {
		char *stem = ctx_strndup(test->ctx, names[i], strlen(names[i]) - 4);
		bool three, header = text_starts_with(stem, "header");

		assert_true(file_read(test->ctx, ctx_printf(test->ctx, "%s/csv_conformance/csv/%s.csv", data, stem),
		    65536, &csv, &length));
		assert_true(file_read(test->ctx, ctx_printf(test->ctx, "%s/csv_conformance/json/%s.json", data, stem),
		    65536, &want, NULL));
		assert_true(json_parse(test->ctx, want, strlen(want), &records));
		three = header || json_array_size(json_array_get(records, 0)) == 3;
		if (json_array_size(records) == 0 || !json_is_array(json_array_get(records, 0)))
			three = true;
		duck_case_columns(test, DUCK_CSV, three ? "foo:text bar:text baz:text" : "foo:text");
		duck_case_text(test, "a.csv",
		    ctx_printf(test->ctx, "%s%s",
			header  ? ""
			: three ? "foo,bar,baz\n"
				: "foo\n",
			csv));
		if (!duck_case_run(test) || test->reject_count > 0)
			fail_msg("%s: %s %s", stem, ctx_failure(test->ctx)->message, test->rejects);
		if (!header)
			assert_int_equal(test->result.rows_out, json_array_size(records));
		for (size_t r = 0; !header && r < json_array_size(records); r++) {
			const json_t *record = json_array_get(records, r);
			struct pg_rows rows;

			assert_true(
			    pg_query(test->ctx, test->db, "SELECT coalesce(foo, ''), to_json(t) FROM t OFFSET $1",
				PG_PARAMS(text_from_i64(test->ctx, (int64_t)r)), &rows));
			assert_string_equal(pg_value(&rows, 0, 0), json_string_value(json_array_get(record, 0)));
		}
	}
}

static void
test_alltypes_parquet(void **state)
{
	struct duck_case *test = *state;
	const char *data = data_folder(test->ctx);

	if (data == NULL)
		skip();
	duck_case_columns(test, DUCK_PARQUET,
	    "id:integer bool_col:boolean double_col:double string_col:text timestamp_col:timestamp");
	add_parquet(test, ctx_printf(test->ctx, "%s/parquet/data/alltypes_plain.parquet", data));
	add_parquet(test, ctx_printf(test->ctx, "%s/parquet/data/alltypes_plain.snappy.parquet", data));
	runs(test);
	assert_int_equal(test->result.files[0].rows, 8);
	assert_int_equal(test->result.files[1].rows, 2);
	assert_int_equal(duck_case_ask(test,
			     "SELECT count(*) FROM t WHERE id % 2 = 1 AND string_col = '1' AND double_col > 10"),
	    5);
}

/* Strict JSON: what others say must be refused is refused as a line. */
static void
test_jsontestsuite(void **state)
{
	struct duck_case *test = *state;
	const char *data = data_folder(test->ctx);
	char **names, *json;
	size_t count, length;

	if (data == NULL)
		skip();
	assert_true(file_list(test->ctx, ctx_printf(test->ctx, "%s/jsontestsuite/test_parsing", data), &names, &count));
	for (size_t i = 0; i < count; i++) {
		struct text line;

		assert_true(
		    file_read(test->ctx, ctx_printf(test->ctx, "%s/jsontestsuite/test_parsing/%s", data, names[i]),
			1 << 20, &json, &length));
		if (names[i][0] == 'i' || memchr(json, '\n', length) != NULL || memchr(json, '\r', length) != NULL)
			continue;
		text_init(&line, test->ctx);
		text_add(&line, "{\"id\":");
		text_add_bytes(&line, json, length);
		text_add(&line, "}\n");
		duck_case_columns(test, DUCK_NDJSON, "id:jsonb");
		duck_case_file(test, "a.ndjson", line.data, line.length);
		runs(test);
		if ((test->result.rows_out == 1) != (names[i][0] == 'y') && strstr(test->rejects, " nul ") == NULL)
			fail_msg("%s: %lld rows", names[i], (long long)test->result.rows_out);
	}
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_parquet, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_parquet_types, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_csv_conformance, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_alltypes_parquet, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_jsontestsuite, setup, teardown),
	};

	/* The child is this very program. */
	if (argc == 2 && strcmp(argv[1], DUCK_COMMAND) == 0)
		return duck_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
