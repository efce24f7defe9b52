/* Slices that are sets of files: what is planned, loaded, loaded again, moved, rejected, failed and mended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/duck/duck.h"
#include "tests/support/file_loads.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = file_loads_new();
	return 0;
}

static int
teardown(void **state)
{
	file_loads_free(*state);
	return 0;
}

#define POINT(robot, at, value) "{\"robot_id\":\"" robot "\",\"timestamp\":\"" at "\",\"value\":" value "}\n"

static const char points[] =
    "SELECT robot_id, to_char(at AT TIME ZONE 'UTC', 'DD\"T\"HH24'), value FROM fact_point ORDER BY 1, 2";

static void
test_load_and_repeat(void **state)
{
	struct file_loads *f = *state;
	struct loads *loads = f->loads;

	file_loads_write(f, "points/20240115/a.json",
	    POINT("r1", "2024-01-15T08:00:00Z", "1.5") POINT("r2", "2024-01-15T08:00:00Z", "2"));
	file_loads_write(f, "points/20240116/a.json", POINT("r1", "2024-01-16T08:00:00Z", "3"));
	file_loads_write(f, "points/notadate/a.json", POINT("r1", "2024-01-16T09:00:00Z", "3"));
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 2);
	assert_string_equal(file_loads_counts(f), "3+0*0= 0d 0r -0");
	assert_string_equal(loads_ask(loads, points), "r1 15T08 1.50\nr1 16T08 3.00\nr2 15T08 2.00");
	assert_int_equal(file_loads_load(f, "fact_point", "auto"), 0);
	assert_int_equal(file_loads_load(f, "fact_point", "missing"), 0);
	assert_int_equal(file_loads_load(f, "fact_point", "all"), 2);
	assert_string_equal(file_loads_counts(f), "0+0*3= 0d 0r -0");
	assert_string_equal(loads_ask(loads, "SELECT state, path, rows FROM loadstar.file_ledger ORDER BY load_id"),
	    "superseded points/20240115/a.json 2\nsuperseded points/20240116/a.json 1\n"
	    "loaded points/20240115/a.json 2\nloaded points/20240116/a.json 1");
	assert_string_equal(loads_ask(loads,
				"SELECT count(*) FROM fact_point p JOIN loadstar.file_ledger l USING (file_id) "
				"WHERE l.state = 'loaded' AND l.path LIKE '%' || to_char(at, 'YYYYMMDD') || '%'"),
	    "3");
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_load_and_repeat, setup, teardown),
	};

	if (argc == 2 && strcmp(argv[1], DUCK_COMMAND) == 0)
		return duck_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
