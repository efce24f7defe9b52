/* Files through the child process into a table: every record is a row or a reject, and every value is what the file says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
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
test_ndjson(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint name:text amount:numeric(38,18) at:timestamptz raw:jsonb");
	duck_case_text(test, "a.ndjson",
	    "\xEF\xBB\xBF{\"id\": 1, \"name\": \"Zo\xC3\xAB \\u00e9 \\ud83d\\ude00 \\\"q\\\"\", \"amount\": 123456789.123456789123456789}\r\n"
	    "\r\n"
	    "{\"name\":\"no id\",\"other\":[1,{\"x\":null}],\"id\":9007199254740993}\n"
	    "{\"id\":3,\"name\":\"cut\n"
	    "{\"id\":4.0,\"name\":5,\"at\":\"2024-01-31T23:30:00.5-02:00\",\"raw\":{\"a\": [1, 2.50]}}\n"
	    "{\"id\":1.6}\n"
	    "{\"id\":12345678901234567890}\n"
	    "{\"id\":7,\"name\":\"a\\u0000b\"}\n"
	    "[1]\n"
	    "{\"id\":8,\"id\":9}\n"
	    "{\"id\":10} x\n"
	    "{\"id\":11,\"name\":\"\xff\"}\n"
	    "{\"id\":12,\"raw\":\"text\",\"amount\":1e-18}");
	gives(test,
	    "1|Zo\xC3\xAB \xC3\xA9 \xF0\x9F\x98\x80 \"q\"|123456789.123456789123456789|NULL|NULL\n"
	    "4|5|NULL|2024-02-01 01:30:00.5+00|{\"a\": [1, 2.50]}\n"
	    "12|NULL|0.000000000000000001|NULL|\"text\"\n"
	    "9007199254740993|no id|NULL|NULL|NULL\n",
	    "4 - malformed {\"id\":3,\"name\":\"cut\n"
	    "6 id type {\"id\":1.6}\n"
	    "7 id range {\"id\":12345678901234567890}\n"
	    "8 name nul {\"id\":7,\"name\":\"a\\u0000b\"}\n"
	    "9 - not_object [1]\n"
	    "10 id duplicate_key {\"id\":8,\"id\":9}\n"
	    "11 - malformed {\"id\":10} x\n"
	    "12 - encoding {\"id\":11,\"name\":\"?\"}\n");
	assert_int_equal(test->result.read.lines, 13);
	assert_int_equal(test->result.read.rows, 4);
	assert_int_equal(test->result.read.rejected, 8);
	assert_int_equal(test->result.read.blank, 1);
}

static void
test_csv(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_CSV, "id:integer name:text ok:boolean day:date");
	duck_case_text(test, "a.csv",
	    "day,unused,name,id,ok\r\n"
	    "2024-02-29,x,\"two\r\nlines, \"\"quoted\"\"\",1,true\r\n"
	    ",,,2,\r\n"
	    "2024-01-01,x,\"\",3,\"\"\r\n"
	    "2024-01-01,x,\"open,4,t\r\n"
	    "2024-01-01,x,five,5,t\r\n"
	    "2024-01-01,x,six,6\r\n"
	    "2023-02-29,x,seven,7,t\r\n"
	    "2024-01-01,x,e\"ight,8,t\r\n"
	    "\r\n"
	    "infinity,x,nine,+9,no");
	gives(test,
	    "1|two\r\nlines, \"quoted\"|t|2024-02-29\n"
	    "2|NULL|NULL|NULL\n"
	    "3||NULL|2024-01-01\n"
	    "5|five|t|2024-01-01\n"
	    "9|nine|f|infinity\n",
	    "6 - quote 2024-01-01,x,\"open,4,t\n"
	    "8 - fields 2024-01-01,x,six,6\n"
	    "9 day type 2023-02-29,x,seven,7,t\n"
	    "10 - quote 2024-01-01,x,e\"ight,8,t\n");
	assert_int_equal(test->result.read.lines, 12);
	assert_int_equal(test->result.read.blank, 2);
}

static void
test_json(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_JSON, "id:bigint name:text");
	duck_case_text(test, "array.json",
	    "[\n {\"id\": 1,\n  \"name\": \"a\"},\n 7,\n {\"id\": \"x\"}, {\"id\":\"2\"}\n]\n");
	duck_case_text(test, "objects.json", "{\"id\":3}{\"id\":4}\n\n{\"id\":5}");
	duck_case_text(test, "empty.json", "[]");
	duck_case_text(test, "nothing.json", "");
	test->request.limits.threads = 1;
	gives(test, "1|a\n2|NULL\n3|NULL\n4|NULL\n5|NULL\n", "4 - not_object 7\n5 id type {\"id\": \"x\"}\n");
	assert_int_equal(test->result.files[0].rows, 2);
	assert_int_equal(test->result.files[1].rows, 3);
	duck_case_text(test, "cut.json", "[{\"id\":1},{\"id\":");
	assert_false(duck_case_run(test));
	assert_int_equal(ctx_failure(test->ctx)->code, FAIL_FILE_UNREADABLE);
	assert_non_null(strstr(ctx_failure(test->ctx)->message, "cut.json"));
	assert_int_equal(duck_case_ask(test, "SELECT count(*) FROM t"), 0);
}

static void
test_every_type(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON,
	    "k:smallint i:integer b:bigint f:boolean n4:numeric(4,1) n9:numeric(9,0) n18:numeric(18,9) n38:numeric(38,0)"
	    " n50:numeric(50,2) n:numeric(0,0) d:double day:date ts:timestamp tz:timestamptz u:uuid j:jsonb s:text");
	duck_case_text(test, "a.ndjson",
	    "{\"k\":-32768,\"i\":-2147483648,\"b\":-9223372036854775808,\"f\":false,\"n4\":-999.95e-1,\"n9\":123456789,"
	    "\"n18\":-0.000000001,\"n38\":-99999999999999999999999999999999999999,\"n50\":123456789012345678901234567890123456789012345.67,"
	    "\"n\":1.50e-30,\"d\":1e308,\"day\":\"0001-01-01\",\"ts\":\"1969-12-31T23:59:59.999999Z\",\"tz\":\"-infinity\","
	    "\"u\":\"00000000-0000-0000-0000-000000000001\",\"j\":null,\"s\":\"\"}\n"
	    "{\"k\":1,\"n\":100000000,\"n18\":10000,\"n4\":0,\"d\":\"NaN\",\"u\":\"FFFFFFFF-ffff-ffff-ffff-ffffffffffff\",\"j\":[],\"f\":1}\n");
	gives(test,
	    "-32768|-2147483648|-9223372036854775808|f|-100.0|123456789|-0.000000001|-99999999999999999999999999999999999999|"
	    "123456789012345678901234567890123456789012345.67|0.00000000000000000000000000000150|1e+308|0001-01-01|"
	    "1969-12-31 23:59:59.999999|-infinity|00000000-0000-0000-0000-000000000001|NULL|\n"
	    "1|NULL|NULL|t|0.0|NULL|10000.000000000|NULL|NULL|100000000|NaN|NULL|NULL|NULL|ffffffff-ffff-ffff-ffff-ffffffffffff|"
	    "[]|NULL\n",
	    "");
}

static void
test_transform(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint value:double");
	duck_case_text(test, "a.ndjson", "{\"id\":1,\"value\":2}\n{\"id\":2,\"value\":\"x\"}\n");
	duck_case_text(test, "b.ndjson", "{\"id\":1,\"value\":3}\n");
	duck_case_target(test, "id:bigint total:numeric(10,2) files:jsonb line:bigint");
	test->request.transform =
	    "-- a comment; with a semicolon\nSELECT id, sum(value) AS total, list(loadstar_file ORDER BY loadstar_file) AS files,"
	    " max(loadstar_line) AS line FROM input GROUP BY id -- at the end\n;\n";
	gives(test, "1|5.00|[100, 101]|1\n", "2 value type {\"id\":2,\"value\":\"x\"}\n");
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

static void
transform_fails(struct duck_case *test, const char *transform, enum fail_code code, const char *part)
{
	test->request.transform = transform;
	fails(test, code, part);
}

static void
test_locked_down(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint");
	duck_case_text(test, "a.ndjson", "{\"id\":1}\n");
	duck_case_target(test, "id:text");
	transform_fails(test, "SELECT content AS id FROM read_text('/etc/passwd')", FAIL_TRANSFORM, "");
	transform_fails(test, "SELECT * FROM read_csv('https://localhost/x.csv')", FAIL_TRANSFORM, "");
	transform_fails(test, "SET memory_limit = '1TB'", FAIL_TRANSFORM, "SELECT");
	transform_fails(test, "COPY input TO '/tmp/loadstar-duck-out'", FAIL_TRANSFORM, "");
	transform_fails(test, "SELECT 1 AS id; SELECT 2 AS id", FAIL_TRANSFORM, "2 statements");
	transform_fails(test, "SELECT 1) AS x; DROP TABLE input; SELECT (1", FAIL_TRANSFORM, "");
	transform_fails(test, "", FAIL_TRANSFORM, "");
	transform_fails(test, "SELECT nothing FROM input", FAIL_TRANSFORM, "nothing");
	transform_fails(test, "SELECT 1 AS other, 2 AS more", FAIL_SOURCE_COLUMNS,
	    "does not give id; it gives other, more");
	transform_fails(test, "SELECT 'a' || chr(0) AS id", FAIL_TRANSFORM, "column id");
}

static void
test_secrets(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON, "id:text");
	duck_case_text(test, "a.ndjson", "{\"id\":\"c4n4ry\"}\nc4n4ry\n");
	test->request.inputs->hide_raw = true;
	gives(test, "c4n4ry\n", "2 - malformed (hidden)\n");
	duck_case_target(test, "id:bigint");
	test->request.transform = "SELECT id FROM input";
	assert_false(duck_case_run(test));
	assert_null(strstr(ctx_failure(test->ctx)->message, "c4n4ry"));
	fail_clear(test->ctx);

	/* Errors are told to more people than rejects are: never a value. */
	test->request.inputs->hide_raw = false;
	transform_fails(test, "SELECT CAST(id AS BIGINT) AS id FROM input", FAIL_TRANSFORM,
	    "Conversion Error: Could not convert string");
	transform_fails(test, "SELECT CAST(length(id) * 7777 AS TINYINT) AS id FROM input", FAIL_TRANSFORM, "Error: ");
	for (size_t i = 0; i < 2; i++) {
		test->request.transform = i == 0 ? "SELECT CAST(id AS DATE) AS id FROM input"
						 : "SELECT CAST(length(id) * 7777 AS TINYINT) AS id FROM input";
		assert_false(duck_case_run(test));
		assert_null(strstr(ctx_failure(test->ctx)->message, "c4n4ry"));
		assert_null(strstr(ctx_failure(test->ctx)->message, "46662"));
		fail_clear(test->ctx);
	}
}

static void
test_rejects_limit(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint");
	duck_case_text(test, "a.ndjson", "{\"id\":1}\nx\ny\nz\n");
	test->request.limits.reject_rows = 3;
	runs(test);
	test->request.limits.reject_rows = 2;
	fails(test, FAIL_FILE_REJECTS, "more than 2");
	assert_int_equal(test->reject_count, 3);
	test->request.limits.reject_rows = -1;
	test->request.limits.reject_share = 0.75;
	runs(test);
	test->request.limits.reject_share = 0.7;
	fails(test, FAIL_FILE_REJECTS, "3 of 4");
	test->request.limits.reject_share = 1;
	test->request.limits.reject_events = 1;
	runs(test);
	assert_int_equal(test->reject_count, 1);
	assert_int_equal(test->result.read.rejected, 3);
}

static void
test_unreadable(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_CSV, "id:bigint name:text");
	duck_case_file(test, "missing.csv", NULL, 0);
	fails(test, FAIL_FILE_UNREADABLE, "missing.csv");
	duck_case_columns(test, DUCK_CSV, "id:bigint name:text");
	duck_case_text(test, "a.csv", "id,nam\n1,a\n");
	fails(test, FAIL_SOURCE_COLUMNS, "has no column name");
	duck_case_columns(test, DUCK_CSV, "id:bigint name:text");
	duck_case_text(test, "a.csv", "id,name,id\n1,a,2\n");
	fails(test, FAIL_FILE_UNREADABLE, "twice");
	duck_case_columns(test, DUCK_NDJSON, "id:bigint");
	duck_case_file(test, "a.ndjson", "\xFF\xFE{\0", 4);
	fails(test, FAIL_FILE_UNREADABLE, "UTF-16");
	duck_case_columns(test, DUCK_NDJSON, "id:bigint");
	duck_case_file(test, ".", NULL, 0);
	fails(test, FAIL_FILE_UNREADABLE, "cannot be read");
	duck_case_columns(test, DUCK_PARQUET, "id:bigint");
	duck_case_text(test, "a.parquet", "PAR1 no parquet PAR1");
	fails(test, FAIL_FILE_UNREADABLE, "a.parquet");
}

static void
test_no_rows(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_CSV, "id:bigint name:text");
	duck_case_text(test, "a.csv", "id,name\n");
	duck_case_text(test, "b.csv", "");
	gives(test, "", "");
	duck_case_columns(test, DUCK_NDJSON, "id:bigint name:text");
	duck_case_text(test, "a.ndjson", "");
	gives(test, "", "");
}

static void
test_many_files(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint");
	for (int i = 0; i < 60; i++)
		duck_case_text(test, ctx_printf(test->ctx, "%d.ndjson", i),
		    ctx_printf(test->ctx, "{\"id\":%d}\nbad\n", i));
	duck_case_target(test, "id:bigint loadstar_file:bigint loadstar_line:bigint");
	runs(test);
	assert_int_equal(duck_case_ask(test,
			     "SELECT count(*) FROM t WHERE loadstar_file = id + 100 AND loadstar_line = 1"),
	    60);
	assert_int_equal(test->reject_count, 60);
	for (int i = 0; i < 60; i++)
		assert_true(test->result.files[i].rows == 1 && test->result.files[i].rejected == 1 &&
			    test->result.files[i].lines == 2);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ndjson, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_csv, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_json, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_type, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_transform, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_locked_down, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_secrets, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rejects_limit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_rows, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many_files, setup, teardown),
	};

	/* The child is this very program. */
	if (argc == 2 && strcmp(argv[1], DUCK_COMMAND) == 0)
		return duck_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
