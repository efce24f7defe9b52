/* Every statement against a migrated database: it can be prepared, its first lines name all its parameters and no other, its file is in the
 * table and the other way round; the names of states are those of the CHECK constraints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/embed.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/state.h"
#include "sql/statement.h"
#include "tests/support/stores.h"

/* The highest $n in the comment lines at the start. */
static int
named_parameters(const char *sql)
{
	int highest = 0;

	while (text_starts_with(sql, "--")) {
		const char *end = strchr(sql, '\n');

		for (const char *p = sql; p < end; p++)
			if (*p == '$' && atoi(p + 1) > highest)
				highest = atoi(p + 1);
		sql = end + 1;
	}
	return highest;
}

/* What is wrong with a statement; "" when nothing is. */
static const char *
problem_of(struct ctx *ctx, struct pg *db, enum statement statement)
{
	const char *name = statement_name(statement), *text = statement_text(statement);
	struct pg_rows rows;

	if (!pg_run(ctx, db, ctx_printf(ctx, "PREPARE %s AS %s", name, text)))
		return ctx_printf(ctx, "%s: %s", name, ctx_failure(ctx)->message);
	assert_true(pg_query(ctx, db, "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1",
	    PG_PARAMS(name), &rows));
	if (pg_i64(&rows, 0, 0) == named_parameters(text))
		return "";
	return ctx_printf(ctx, "%s: its first lines name %d of %s parameters", name, named_parameters(text),
	    pg_value(&rows, 0, 0));
}

static void
test_every_statement_can_be_prepared(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct pg *db = stores_open(ctx);

	(void)state;
	for (int i = 0; i < SQL_STATEMENT_COUNT; i++)
		assert_string_equal(problem_of(ctx, db, (enum statement)i), "");
	ctx_free(ctx);
}

static void
test_files_and_table_agree(void **state)
{
	(void)state;
	assert_int_equal(embedded_queries_count, SQL_STATEMENT_COUNT);
	for (int i = 1; i < SQL_STATEMENT_COUNT; i++)
		assert_true(strcmp(statement_name((enum statement)(i - 1)), statement_name((enum statement)i)) < 0);
}

/* A constraint's texts, sorted: queued,running,… */
static const char *
names_of_check(struct ctx *ctx, struct pg *db, const char *constraint)
{
	return stores_ask(ctx, db,
	    ctx_printf(ctx,
		"SELECT string_agg(m[1], ',' ORDER BY m[1] COLLATE \"C\") FROM pg_constraint, "
		"regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''', 'g') m WHERE conname = '%s'",
		constraint));
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *
sorted_list(struct ctx *ctx, const char **names, size_t count)
{
	struct text list;

	qsort(names, count, sizeof(*names), compare);
	text_init(&list, ctx);
	for (size_t i = 0; i < count; i++)
		text_addf(&list, "%s%s", i == 0 ? "" : ",", names[i]);
	return list.data;
}

static void
test_states_are_the_constraints(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct pg *db = stores_open(ctx);
	const char *runs[RUN_STATUS_COUNT], *steps[STEP_STATUS_COUNT];

	(void)state;
	for (int i = 0; i < RUN_STATUS_COUNT; i++)
		runs[i] = run_status_name((enum run_status)i);
	for (int i = 0; i < STEP_STATUS_COUNT; i++)
		steps[i] = step_status_name((enum step_status)i);
	assert_string_equal(names_of_check(ctx, db, "run_status"), sorted_list(ctx, runs, RUN_STATUS_COUNT));
	assert_string_equal(names_of_check(ctx, db, "step_status"), sorted_list(ctx, steps, STEP_STATUS_COUNT));
	ctx_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_statement_can_be_prepared),
	    cmocka_unit_test(test_files_and_table_agree),
	    cmocka_unit_test(test_states_are_the_constraints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
