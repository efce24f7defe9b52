/* Path templates of sources of files: what fits, what {batch} is, which templates and dates are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "etl/files_path.h"

#include <cmocka.h>

/* What {batch} stands for; "-" without one; NULL: it does not fit. */
static const char *
batch_of(const char *pattern, const char *name, const char *date, const char *want)
{
	static char batch[PATH_BATCH_ROOM];
	struct path_batch rule = {.date = date, .want = want};

	batch[0] = '-';
	batch[1] = '\0';
	return path_name_matches(pattern, strlen(pattern), name, &rule, batch) ? batch : NULL;
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(batch_of("a.json", "a.json", NULL, NULL), "-");
	assert_null(batch_of("a.json", "a.jsonl", NULL, NULL));
	assert_null(batch_of("a.json", "axjson", NULL, NULL));
	assert_string_equal(batch_of("*.json", ".json", NULL, NULL), "-");
	assert_string_equal(batch_of("part-*-*.json", "part-1-2-3.json", NULL, NULL), "-");
	assert_null(batch_of("part-*-*.json", "part-1.json", NULL, NULL));
	assert_string_equal(batch_of("*", "anything", NULL, NULL), "-");
	assert_string_equal(batch_of("[a]?.csv", "[a]?.csv", NULL, NULL), "-"); /* nothing but stars is special */
}

static void
test_batches(void **state)
{
	(void)state;
	assert_string_equal(batch_of("{batch}", "20240115", NULL, NULL), "20240115");
	assert_string_equal(batch_of("x-{batch}.csv", "x-b.1.csv", NULL, NULL), "b.1");
	assert_null(batch_of("x-{batch}.csv", "x-.csv", NULL, NULL));
	assert_string_equal(batch_of("*{batch}*.csv", "sales20240115b.csv", "%Y%m%d", NULL), "20240115");
	assert_null(batch_of("{batch}", "20240231", "%Y%m%d", NULL));
	assert_null(batch_of("{batch}", "2024011", "%Y%m%d", NULL));
	assert_string_equal(batch_of("{batch}", "20240115", "%Y%m%d", "20240115"), "20240115");
	assert_null(batch_of("{batch}", "20240115", "%Y%m%d", "20240116"));
	assert_null(batch_of("{batch}", "20240115", NULL, "../20240115"));
}

static void
test_dates(void **state)
{
	char local[PATH_LOCAL_ROOM];

	(void)state;
	assert_true(path_date_parse("%Y-%m-%dT%H", "2024-02-29T07", local));
	assert_string_equal(local, "2024-02-29 07:00:00");
	assert_true(path_date_parse("%Y%m", "202412", local));
	assert_string_equal(local, "2024-12-01 00:00:00");
	assert_false(path_date_parse("%Y%m%d", "20230229", local));
	assert_false(path_date_parse("%Y%m%d", "00000101", local));
	assert_false(path_date_parse("%Y%m%d", "20240101x", local));
	assert_false(path_date_parse("%Y%m%d", "2024 1 1", local));
	assert_false(path_date_parse("%H%Y", "252024", local));
	assert_non_null(path_date_fault("%m%d"));
	assert_non_null(path_date_fault("%Y%j"));
	assert_non_null(path_date_fault("%Y/%m"));
	assert_non_null(path_date_fault("%Y%"));
}

static void
test_templates(void **state)
{
	static const char *const good[] = {"a.csv", "a/{batch}/*.json", "**/x", "a/**/x", "*/{batch}-*"};
	static const char *const bad[] = {"", "/a", "a/", "a//b", "../a", "a/..", "a/./b", "{batch}/{batch}", "a{b}",
	    "a}", "a/**", "a**/b", "**/a/**/b", "a\\b", "a\nb", "*********"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_null(path_template_fault(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (path_template_fault(bad[i]) == NULL)
			fail_msg("%s is accepted", bad[i]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_batches),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
