/* The row laws, for every kind of table and way of writing: somebody else's trigger on the target takes a row away, adds one or keeps one
 * from being changed, and the step fails with the difference named, nothing published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "tests/support/kinds.h"

#include <cmocka.h>

/* What it does with row 2: skip (nothing happens to it), lose (it is gone again), more (there is another one, 99). */
static const char meddle[] =
    "CREATE OR REPLACE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$\n"
    "DECLARE r jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);\n"
    "BEGIN\n"
    "  IF pg_trigger_depth() > 1 THEN RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; END IF;\n"
    "  IF (r ->> 'id')::int IS DISTINCT FROM 2 THEN RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; END IF;\n"
    "  IF TG_ARGV[0] = 'skip' THEN RETURN NULL; END IF;\n"
    "  IF TG_ARGV[0] = 'lose' THEN EXECUTE format('DELETE FROM %I WHERE id = 2', TG_TABLE_NAME); RETURN NULL; END IF;\n"
    "  r := r || jsonb_build_object('id', 99);\n"
    "  IF TG_NARGS > 1 THEN r := r || jsonb_build_object(TG_ARGV[1], 990); END IF;\n"
    "  IF TG_TABLE_NAME = 'dim_past' THEN\n"
    "    r := r || '{\"id\": 2, \"effective_from\": \"1999-01-01\", \"effective_to\": \"1999-01-02\", \"is_current\": false}'; END IF;\n"
    "  EXECUTE format('INSERT INTO %1$I SELECT (jsonb_populate_record(NULL::%1$I, $1)).*', TG_TABLE_NAME) USING r;\n"
    "  RETURN NULL;\n"
    "END $$";

static int
setup(void **state)
{
	struct loads *loads = loads_new_of(&kinds_pipeline);

	loads_do(loads, meddle);
	loads_source(loads, "INSERT INTO dim_list VALUES (7, 'a', 'x')");
	(void)loads_load(loads, "dim_list", -1);
	*state = loads;
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

/* before NULL: the table is empty. Rows as VALUES; when: of the trigger. dim_list, which facts refer to, comes last. */
static const struct law_case {
	const char *table;
	int day;
	const char *before, *after, *when, *what, *surrogate, *message;
} cases[] = {
    {"dim_first", -1, NULL, "(1, 'a', 'x'), (2, 'b', 'y')", "BEFORE INSERT", "skip", NULL,
	"2 rows were read, 1 are accounted for (inserted 1,"},
    {"dim_first", -1, NULL, "(1, 'a', 'x'), (2, 'b', 'y')", "AFTER INSERT", "lose", NULL,
	"1 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"dim_now", -1, NULL, "(1, 'a', 'x'), (2, 'b', 'y')", "BEFORE INSERT", "skip", NULL,
	"2 rows were read, 1 are accounted for (inserted 1,"},
    {"dim_now", -1, NULL, "(1, 'a', 'x'), (2, 'b', 'y')", "AFTER INSERT", "lose", NULL,
	"1 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"dim_now", -1, "(1, 'a', 'x'), (2, 'b', 'y')", "(1, 'a', 'x'), (2, 'c', 'y')", "BEFORE UPDATE", "skip", NULL,
	"update changed rows: 1 rows of public.dim_now were not written as they had to be"},
    {"dim_now", -1, "(1, 'a', 'x'), (2, 'b', 'y')", "(1, 'a', 'x'), (2, 'c', 'y')", "AFTER UPDATE", "lose", NULL,
	"1 rows after the load, 2 expected (before 2, opened 0, deleted 0)"},
    {"dim_past", -1, NULL, "(1, 'a', 'x', '2024-01-01'), (2, 'b', 'y', '2024-01-01')", "BEFORE INSERT", "skip", NULL,
	"count versions after: 1 rows of public.dim_past were not written as they had to be"},
    {"dim_past", -1, NULL, "(1, 'a', 'x', '2024-01-01'), (2, 'b', 'y', '2024-01-01')", "AFTER INSERT", "lose", NULL,
	"count versions after: 1 rows of public.dim_past were not written as they had to be"},
    {"dim_past", -1, NULL, "(1, 'a', 'x', '2024-01-01'), (2, 'b', 'y', '2024-01-01')", "AFTER INSERT", "more",
	"past_key", "count versions after: 1 rows of public.dim_past are more than there had to be"},
    {"dim_past", -1, "(2, 'b', 'y', '2024-01-01')", "(2, 'c', 'y', '2024-01-02')", "BEFORE UPDATE", "skip", NULL,
	"update changed versions: 1 rows of public.dim_past were not written as they had to be"},
    {"dim_past", -1, "(2, 'a', 'y', '2024-01-01'), (2, 'b', 'y', '2024-01-02'), (2, 'c', 'y', '2024-01-03')",
	"(2, 'a', 'y', '2024-01-02')", "BEFORE DELETE", "skip", NULL,
	"count versions after: 1 rows of public.dim_past are more than there had to be"},
    {"fact_append", 0, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "BEFORE INSERT", "skip", NULL,
	"2 rows were read, 1 are accounted for (inserted 1,"},
    {"fact_append", 0, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "AFTER INSERT", "lose", NULL,
	"1 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"fact_append", 0, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "AFTER INSERT", "more", NULL,
	"3 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"fact_append", 0, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "(1, 7, 1, '2024-01-01')", "BEFORE DELETE",
	"skip", NULL, "1 rows were read, 2 are accounted for (inserted 0, updated 0, unchanged 2,"},
    {"fact_append", 0, "(1, 7, 1, '2024-01-01')", "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "BEFORE INSERT",
	"skip", NULL, "2 rows were read, 1 are accounted for (inserted 0, updated 0, unchanged 1,"},
    {"fact_once", 0, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "BEFORE INSERT", "skip", NULL,
	"2 rows were read, 1 are accounted for (inserted 1,"},
    {"fact_once", 0, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "AFTER INSERT", "lose", NULL,
	"1 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"fact_upsert", 0, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "BEFORE INSERT", "skip", NULL,
	"2 rows were read, 1 are accounted for (inserted 1,"},
    {"fact_upsert", 0, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "AFTER INSERT", "lose", NULL,
	"1 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"fact_upsert", 0, "(2, 7, 1, '2024-01-01')", "(2, 7, 3, '2024-01-01')", "BEFORE UPDATE", "skip", NULL,
	"update changed rows: 1 rows of public.fact_upsert were not written as they had to be"},
    {"fact_upsert", 0, "(2, 7, 1, '2024-01-01')", "(2, 7, 3, '2024-01-01')", "AFTER UPDATE", "lose", NULL,
	"1 rows were read, 2 are accounted for (inserted 1, updated 1,"},
    {"fact_all", -1, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "BEFORE INSERT", "skip", NULL,
	"2 rows were read, 1 are accounted for (inserted 1,"},
    {"fact_all", -1, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "AFTER INSERT", "lose", NULL,
	"1 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"fact_all", -1, NULL, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "AFTER INSERT", "more", "all_key",
	"3 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"fact_all", -1, "(1, 7, 1, '2024-01-01'), (2, 7, 2, '2024-01-01')", "(1, 7, 1, '2024-01-01')", "BEFORE DELETE",
	"skip", NULL, "1 rows were read, 2 are accounted for (inserted 0, updated 0, unchanged 2,"},
    {"fact_all", -1, "(2, 7, 1, '2024-01-01')", "(2, 7, 3, '2024-01-01')", "BEFORE UPDATE", "skip", NULL,
	"update changed rows: 1 rows of public.fact_all were not written as they had to be"},
    {"fact_ask", 0, NULL, "(1, 7, 7, 7, '2024-01-01'), (2, 7, 7, 7, '2024-01-01')", "BEFORE INSERT", "skip", NULL,
	"2 rows were read, 1 are accounted for (inserted 1,"},
    {"fact_ask", 0, NULL, "(1, 7, 7, 7, '2024-01-01'), (2, 7, 7, 7, '2024-01-01')", "AFTER INSERT", "lose", NULL,
	"1 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"fact_ask", 0, NULL, "(1, 7, 7, 7, '2024-01-01'), (2, 7, 7, 7, '2024-01-01')", "AFTER INSERT", "more", NULL,
	"3 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"fact_ask", 0, "(1, 7, 7, 7, '2024-01-01'), (2, 7, 7, 7, '2024-01-01')", "(1, 7, 7, 7, '2024-01-01')",
	"BEFORE DELETE", "skip", NULL, "1 rows were read, 2 are accounted for (inserted 0, updated 0, unchanged 2,"},
    {"fact_ask", 0, "(2, 7, 7, 7, '2024-01-01')", "(2, 8, 7, 7, '2024-01-01')", "BEFORE UPDATE", "skip", NULL,
	"update changed rows: 1 rows of public.fact_ask were not written as they had to be"},
    {"dim_list", -1, NULL, "(1, 'a', 'x'), (2, 'b', 'y')", "BEFORE INSERT", "skip", NULL,
	"2 rows were read, 1 are accounted for (inserted 1,"},
    {"dim_list", -1, NULL, "(1, 'a', 'x'), (2, 'b', 'y')", "AFTER INSERT", "lose", NULL,
	"1 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"dim_list", -1, NULL, "(1, 'a', 'x'), (2, 'b', 'y')", "AFTER INSERT", "more", "list_key",
	"3 rows after the load, 2 expected (before 0, opened 2, deleted 0)"},
    {"dim_list", -1, "(1, 'a', 'x'), (2, 'b', 'y')", "(1, 'a', 'x')", "BEFORE DELETE", "skip", NULL,
	"1 rows were read, 2 are accounted for (inserted 0, updated 0, unchanged 2,"},
    {"dim_list", -1, "(1, 'a', 'x'), (2, 'b', 'y')", "(1, 'a', 'x'), (2, 'c', 'y')", "BEFORE UPDATE", "skip", NULL,
	"update changed rows: 1 rows of public.dim_list were not written as they had to be"},
};

static void
fill(struct loads *loads, const char *table, const char *rows)
{
	loads_source(loads, ctx_printf(loads->ctx, "TRUNCATE %s; INSERT INTO %s VALUES %s", table, table, rows));
}

/* As it was made; nothing is left of the case before. */
static void
empty(struct loads *loads, const char *table)
{
	bool dimension = text_starts_with(table, "dim_");
	const char *name = table + strlen("dim_");

	loads_do(loads, dimension ? ctx_printf(loads->ctx, "DELETE FROM %s WHERE %s_key <> -1", table, name)
				  : ctx_printf(loads->ctx, "DELETE FROM %s", table));
	loads_do(loads,
	    ctx_printf(loads->ctx,
		"DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'loadstar'"
		" AND tablename IN ('%s_log', '%s_retired') LOOP EXECUTE 'DELETE FROM loadstar.' || t; END LOOP; END $$",
		table, table));
}

static void
meddle_with(struct loads *loads, const char *table, const char *when, const char *arguments)
{
	loads_do(loads,
	    ctx_printf(loads->ctx, "CREATE TRIGGER meddle %s ON %s FOR EACH ROW EXECUTE FUNCTION meddle(%s)", when,
		table, arguments));
}

/* The load fails by a law, says this, and leaves the table as it was. */
static void
expect_broken(struct loads *loads, const char *table, int day, const char *message)
{
	const char *rows = ctx_printf(loads->ctx, "SELECT * FROM %s t ORDER BY t::text", table),
		   *before = loads_ask(loads, rows);
	struct slice_job job = loads_job(loads, table, day);
	struct slice_outcome outcome;
	enum fail_code code = loads_try(loads, &job, &outcome);

	if (code != FAIL_ROW_LAW || strstr(loads->failure, message) == NULL)
		print_message("%s, '%s': %s\n", table, message, code == FAIL_NONE ? "loaded" : loads->failure);
	assert_int_equal(code, FAIL_ROW_LAW);
	assert_non_null(strstr(loads->failure, message));
	assert_string_equal(loads_ask(loads, rows), before);
}

static void
test_every_way_of_writing(void **state)
{
	struct loads *loads = *state;

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		const struct law_case *c = &cases[i];

		empty(loads, c->table);
		if (c->before != NULL) {
			fill(loads, c->table, c->before);
			(void)loads_load(loads, c->table, c->day);
		}
		meddle_with(loads, c->table, c->when,
		    c->surrogate == NULL ? ctx_printf(loads->ctx, "'%s'", c->what)
					 : ctx_printf(loads->ctx, "'%s', '%s'", c->what, c->surrogate));
		fill(loads, c->table, c->after);
		expect_broken(loads, c->table, c->day, c->message);
		loads_do(loads, ctx_printf(loads->ctx, "DROP TRIGGER meddle ON %s", c->table));
	}
}

/* A dimension's load points facts to another member, and a fact's load makes members: of other tables than its own. */
static void
test_other_tables(void **state)
{
	struct loads *loads = *state;

	fill(loads, "fact_upsert", "(2, 5, 1, '2024-01-01')");
	(void)loads_load(loads, "fact_upsert", 0);
	meddle_with(loads, "fact_upsert", "BEFORE UPDATE", "'skip'");
	fill(loads, "dim_list", "(7, 'a', 'x'), (5, 'e', 'y')");
	expect_broken(loads, "dim_list", -1,
	    "re-point fact_upsert.list_key: 1 rows of public.dim_list were not written as they had to be");
	meddle_with(loads, "dim_first", "BEFORE INSERT", "'skip'");
	fill(loads, "fact_guess", "(1, 2, 7, 7, 7, '2024-01-01')");
	expect_broken(loads, "fact_guess", 0,
	    "infer members of dim_first: 1 rows of public.fact_guess were not written as they had to be");
	loads_do(loads, "CREATE FUNCTION no_leap_day() RETURNS trigger LANGUAGE plpgsql AS"
			" $$ BEGIN RETURN CASE WHEN NEW.full_date = '2024-02-29' THEN NULL ELSE NEW END; END $$;"
			"CREATE TRIGGER meddle BEFORE INSERT ON dim_date FOR EACH ROW EXECUTE FUNCTION no_leap_day()");
	expect_broken(loads, "dim_date", -1, "731 rows were read, 730 are accounted for (inserted 730,");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_every_way_of_writing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_other_tables, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
