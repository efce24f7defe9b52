/* What a version changes about another, and which changes would lose what is loaded. */
#include "base/bug.h"
#include "etl/difference.h"
#include "tests/support/spec_text.h"

static const struct spec *
parse(struct spec_fixture *f, const char *from, const char *to)
{
	if (!spec_try(f, spec_edit(f, from, to), spec_robots_sql, spec_uses_sql)) {
		spec_print_errors(f);
		fail_msg("the edited specification is wrong");
	}
	return f->spec;
}

static const struct difference *
edit(struct spec_fixture *f, const char *from, const char *to)
{
	struct difference *difference = ctx_alloc(f->ctx, sizeof(*difference));
	const struct spec *before = parse(f, "", "");

	difference_find(f->ctx, before, parse(f, from, to), difference);
	return difference;
}

static const struct spec_change *
find(const struct difference *difference, const char *path)
{
	for (size_t i = 0; i < difference->count; i++)
		if (strcmp(difference->items[i].path, path) == 0)
			return &difference->items[i];
	for (size_t i = 0; i < difference->count; i++)
		print_message("%s\n", difference->items[i].path);
	fail_msg("no change %s", path);
	return NULL;
}

static void
test_equal(void **state)
{
	assert_int_equal(edit(*state, "", "")->count, 0);
	assert_int_equal(edit(*state, "      price: numeric(10,2)\n      updated_at: timestamptz\n",
			     "      updated_at: timestamptz\n      price: numeric(10,2)\n")
			     ->count,
	    0);
}

static void
test_changes(void **state)
{
	static const struct {
		const char *from, *to, *path;
		bool loses;
	} cases[] = {
	    {"pipeline: shop\n", "pipeline: shop\nschema: other\n", "/schema", true},
	    {"warehouse: warehouse", "warehouse: other", "/warehouse", true},
	    {"price: numeric(10,2)", "price: numeric(12,2)", "/tables/dim_robots/columns/price/type", false},
	    {"price: numeric(10,2)", "price: numeric(9,2)", "/tables/dim_robots/columns/price/type", true},
	    {"price: numeric(10,2)", "price: numeric(10,3)", "/tables/dim_robots/columns/price/type", true},
	    {"price: numeric(10,2)", "price: text", "/tables/dim_robots/columns/price/type", true},
	    {"      price: numeric(10,2)\n", "", "/tables/dim_robots/columns/price", true},
	    {"      price: numeric(10,2)\n", "      price: numeric(10,2)\n      cost: integer\n",
		"/tables/dim_robots/columns/cost", false},
	    {"track: all", "track: [model]", "/tables/dim_robots/columns/price/tracked", true},
	    {"surrogate: use_key", "surrogate: use_number", "/tables/fact_uses/surrogate", true},
	    {"    surrogate: use_key\n", "", "/tables/fact_uses/surrogate", true},
	    {"grain: [use_id]", "grain: [use_id, start_time]", "/tables/fact_uses/grain", true},
	    {"time: start_time", "time: updated_at", "/tables/fact_uses/time", true},
	    {"lag: 10m", "lag: 20m", "/tables/fact_uses/lag_seconds", false},
	    {"missing: fail", "missing: unknown", "/tables/fact_uses/lookups/robot_key/missing", false},
	    {"default: ch", "default: de", "/params/region/default", false},
	};
	struct spec_fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		const struct difference *difference = edit(f, cases[i].from, cases[i].to);
		const struct spec_change *change = find(difference, cases[i].path);

		if ((change->loses != NULL) != cases[i].loses || difference->loses != cases[i].loses)
			fail_msg("%s: %s", cases[i].path, change->loses != NULL ? change->loses : "loses nothing");
	}
}

/* What a version changes stands where its own document says it, or misses it. */
static void
test_places(void **state)
{
	static const struct {
		const char *from, *to, *path, *at;
	} cases[] = {
	    {"pipeline: shop\n", "pipeline: shop\nschema: other\n", "/schema", "pipeline.yaml:3:9"},
	    {"price: numeric(10,2)", "price: text", "/tables/dim_robots/columns/price/type", "pipeline.yaml:20:14"},
	    {"model: { type: text,", "model: { type: uuid,", "/tables/dim_robots/columns/model/type",
		"pipeline.yaml:19:22"},
	    {"      price: numeric(10,2)\n", "", "/tables/dim_robots/columns/price", "pipeline.yaml:17:5"},
	    {"track: all", "track: [model]", "/tables/dim_robots/columns/price/tracked", "pipeline.yaml:20:14"},
	    {"    surrogate: use_key\n", "", "/tables/fact_uses/surrogate", "pipeline.yaml:23:3"},
	    {"grain: [use_id]", "grain: [use_id, start_time]", "/tables/fact_uses/grain", "pipeline.yaml:27:5"},
	    {"time: start_time", "time: updated_at", "/tables/fact_uses/time", "pipeline.yaml:29:11"},
	    {"missing: fail", "missing: unknown", "/tables/fact_uses/lookups/robot_key/missing", "pipeline.yaml:35:97"},
	};
	struct spec_fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(cases); i++)
		assert_string_equal(find(edit(f, cases[i].from, cases[i].to), cases[i].path)->at, cases[i].at);
}

/* The log goes with the versions, whatever it is called then. */
static void
test_history(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec *before = parse(f, "", "");
	char *after = spec_edit(f, "scd: 2, track: all, valid_from: updated_at, deletes: ignore", "scd: 1");
	struct difference difference;

	memset(strstr(after, "as_of: start_time, "), ' ', sizeof("as_of: start_time, ") - 1);
	assert_true(spec_try(f, after, spec_robots_sql, spec_uses_sql));
	difference_find(f->ctx, before, f->spec, &difference);
	assert_non_null(find(&difference, "/tables/dim_robots/history/scd")->loses);
}

static void
test_files_and_tables(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec *before = parse(f, "", ""), *after;
	struct difference difference;

	assert_true(spec_try(f, spec_good, spec_robots_sql,
	    "SELECT *, 1 FROM uses WHERE start_time >= :from AND start_time < :to"));
	after = f->spec;
	difference_find(f->ctx, before, after, &difference);
	assert_int_equal(difference.count, 1);
	assert_non_null(find(&difference, "/files/extract~1uses.sql"));
	difference_find(f->ctx, NULL, after, &difference);
	assert_int_equal(difference.count, 2);
	assert_string_equal(find(&difference, "/tables/dim_robots")->table, "dim_robots");
	assert_false(difference.loses);
}

/* What is not in the warehouse cannot be lost. */
static void
test_tables_that_are_there(void **state)
{
	static const char *const uses[] = {"fact_uses"};
	struct difference *narrow = (struct difference *)(uintptr_t)edit(*state, "numeric(10,2)", "smallint");
	struct difference *schema =
	    (struct difference *)(uintptr_t)edit(*state, "pipeline: shop\n", "pipeline: shop\nschema: s\n");

	difference_keep_tables(narrow, uses, 1);
	assert_false(narrow->loses);
	difference_keep_tables(schema, uses, 1);
	assert_true(schema->loses);
	difference_keep_tables(schema, NULL, 0);
	assert_false(schema->loses);
}

static void
test_going_back(void **state)
{
	struct difference *back =
	    (struct difference *)(uintptr_t)edit(*state, "price: numeric(10,2)", "price: integer");

	assert_true(back->loses);
	difference_go_back(back);
	assert_true(back->loses); /* numeric(10,2) was never an integer */
	back = (struct difference *)(uintptr_t)edit(*state, "price: numeric(10,2)", "price: numeric(8,1)");
	difference_go_back(back);
	assert_false(back->loses);
}

static void
test_widening(void **state)
{
	static const struct {
		const char *from, *to;
		bool widens;
	} cases[] = {
	    {"smallint", "integer", true}, {"smallint", "bigint", true}, {"bigint", "integer", false},
	    {"integer", "integer", false}, {"bigint", "numeric", true}, {"bigint", "numeric(18,0)", false},
	    {"bigint", "numeric(19,0)", true}, {"integer", "numeric(12,2)", true}, {"integer", "numeric(11,2)", false},
	    {"numeric(10,2)", "numeric", true}, {"numeric", "numeric(10,2)", false},
	    {"numeric(10,2)", "numeric(11,3)", true}, {"integer", "double", false}, /* sums of doubles are other sums */
	    {"integer", "text", false}, {"date", "timestamptz", false},             /* midnight of which zone? */
	};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct spec_type from, to;

		assert_true(spec_type_parse(cases[i].from, &from) && spec_type_parse(cases[i].to, &to));
		if (type_widens(&from, &to) != cases[i].widens)
			fail_msg("%s to %s", cases[i].from, cases[i].to);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SPEC_TEST(test_equal),
	    SPEC_TEST(test_changes),
	    SPEC_TEST(test_places),
	    SPEC_TEST(test_history),
	    SPEC_TEST(test_files_and_tables),
	    SPEC_TEST(test_tables_that_are_there),
	    SPEC_TEST(test_going_back),
	    SPEC_TEST(test_widening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
