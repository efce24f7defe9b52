/* What the build carries inside the binary is what stands in the folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/embed.h"
#include "base/version.h"

static void
assert_table(const struct embedded_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(strlen(files[i].text), files[i].size_bytes);
		assert_true(files[i].size_bytes > 0);
		assert_null(strstr(files[i].name, ".sql"));
		if (i > 0)
			assert_true(strcmp(files[i - 1].name, files[i].name) < 0);
	}
}

static void
test_queries_are_sorted_and_whole(void **state)
{
	(void)state;
	assert_table(embedded_queries, embedded_queries_count);
}

static void
test_migrations_are_sorted_and_whole(void **state)
{
	(void)state;
	assert_table(embedded_migrations, embedded_migrations_count);
}

static void
test_openapi_is_text(void **state)
{
	(void)state;
	assert_string_equal(embedded_openapi.name, "openapi");
	assert_int_equal(strlen(embedded_openapi.text), embedded_openapi.size_bytes);
}

static void
test_version_is_known(void **state)
{
	(void)state;
	assert_string_not_equal(loadstar_version(), "");
	assert_string_not_equal(loadstar_version(), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_queries_are_sorted_and_whole),
	    cmocka_unit_test(test_migrations_are_sorted_and_whole),
	    cmocka_unit_test(test_openapi_is_text),
	    cmocka_unit_test(test_version_is_known),
	};

	return cmocka_run_group_tests_name("embed", tests, NULL, NULL);
}
