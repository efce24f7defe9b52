/* Generated SQL, as tests/golden holds it: one file a table. UPDATE_GOLDEN=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/support/file_loads.h"
#include "tests/support/kinds.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static void
add(struct text *out, const char *phase, const struct load_statements *statements)
{
	static const char *const when[] = {"", " (into an empty slice)", " (into a slice with rows)"};

	for (size_t i = 0; i < statements->count; i++)
		text_addf(out, "-- %s: %s%s\n%s;\n\n", phase, statements->items[i].name,
		    when[statements->items[i].when], statements->items[i].sql);
}

static void
add_one(struct text *out, const char *name, const char *sql)
{
	text_addf(out, "-- %s\n%s;\n\n", name, sql);
}

static char *
everything(struct ctx *ctx, const struct spec *spec, const struct spec_table *table)
{
	bool fed_by_files = spec_table_is_fed_by_files(table);
	const char *scope = fed_by_files ? "files" : table->time != NULL ? "time" : "table";
	struct load_statements statements;
	struct load_lock *locks;
	struct text out;
	char *create, *copy_from, *extract;
	size_t count;

	text_init(&out, ctx);
	assert_true(generate_ddl(ctx, spec, table, &statements));
	add(&out, "ddl", &statements);
	if (!fed_by_files) {
		assert_true(generate_extract(ctx, spec, table, 0, CLOCK_DAY_US, NULL, &extract));
		add_one(&out, "extract", extract);
	}
	generate_stage_table(ctx, table, &create, &copy_from);
	add_one(&out, "stage: create", create);
	add_one(&out, "stage: copy", copy_from);
	assert_true(generate_stage_checks(ctx, spec, table, &statements));
	add(&out, "stage", &statements);
	generate_locks(ctx, spec, table, &locks, &count);
	for (size_t i = 0; i < count; i++)
		text_addf(&out, "-- publish: lock %s%s\n", locks[i].table, locks[i].exclusive ? "" : ", shared");
	assert_true(generate_publish(ctx, spec, table, scope, &statements));
	add(&out, "publish", &statements);
	add_one(&out, "publish: content hash", generate_content_hash(ctx, spec, table, scope));
	out.data[out.length - 1] = '\0'; /* one newline at the end is enough */
	return out.data;
}

static void
compare_golden(struct ctx *ctx, const struct spec *spec)
{
	for (size_t i = 0; i < spec->table_count; i++) {
		const char *path = ctx_printf(ctx, "tests/golden/%s.sql", spec->tables[i].name);
		char *made = everything(ctx, spec, &spec->tables[i]), *kept;

		if (config_env("UPDATE_GOLDEN") != NULL)
			assert_true(file_write(ctx, path, made, 0644));
		assert_true(file_read(ctx, path, 1 << 20, &kept, NULL));
		assert_string_equal(made, kept);
	}
}

static void
test_golden(void **state)
{
	compare_golden(*state, loads_spec(*state));
	compare_golden(*state, loads_spec_of(*state, &kinds_pipeline));
	compare_golden(*state, file_loads_spec(*state));
}

/* The same declarations give the same text, whatever was made before. */
static void
test_pure(void **state)
{
	struct ctx *ctx = *state;
	const struct spec *one = loads_spec(ctx), *two = loads_spec(ctx);

	for (size_t i = 0; i < one->table_count; i++)
		assert_string_equal(everything(ctx, one, &one->tables[i]), everything(ctx, two, &two->tables[i]));
}

static void
test_long_names(void **state)
{
	struct ctx *ctx = *state;
	const struct spec *spec = loads_spec(ctx);
	struct spec_table table = *spec_find_table(spec, "dim_part");
	struct load_statements statements;

	table.name = "a_dimension_whose_name_is_as_long_as_a_name_may_be_in_postgresql";
	assert_true(generate_ddl(ctx, spec, &table, &statements));
	for (size_t i = 0; i < statements.count; i++) {
		for (const char *at = statements.items[i].sql; (at = strchr(at, '"')) != NULL; at++) {
			size_t length = strcspn(at + 1, "\"");

			assert_true(length <= 64);
			at += length + 1;
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pure, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_long_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
