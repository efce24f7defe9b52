/* Checks in a specification: what is understood, what is refused and where; what they become as SQL (tests/golden/checks.sql). */
#include "base/bug.h"
#include "base/config.h"
#include "base/file.h"
#include "etl/generate_check.h"
#include "tests/support/checked.h"
#include "tests/support/spec_text.h"

static void
test_defaults(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec *spec = checked_spec(f->ctx,
	    "  - { name: a, kind: validity, table: fact_sale, rule: amount > 0 }\n"
	    "  - { name: b, kind: referential, table: fact_sale, columns: kind_key, at_least: 99.5%, severity: warn }\n"
	    "  - { name: c, kind: sql, query: checks/few.sql, expect: { min: -1.5 }, retry: 2 }\n"
	    "  - { name: d, kind: freshness, table: fact_sale, column: sold_at, max_age: 2d }\n");
	const struct spec_check *c = spec->checks;

	assert_int_equal(spec->check_count, 4);
	assert_int_equal(c[0].gate, GATE_STAGING);
	assert_false(c[0].warn);
	assert_int_equal(c[0].least_ppm, 1000000);
	assert_int_equal(c[1].gate, GATE_PUBLISHED);
	assert_true(c[1].warn && c[1].allow_unknown);
	assert_int_equal(c[1].least_ppm, 995000);
	assert_string_equal(c[1].references->name, "dim_kind");
	assert_string_equal(c[1].referenced[0], "kind_key");
	assert_string_equal(spec_check_expected(f->ctx, &c[1]), "at least 99.5% of rows");
	assert_null(c[2].table);
	assert_int_equal(c[2].gate, GATE_RUN);
	assert_int_equal(c[2].retry, 2);
	assert_int_equal(c[2].expect, EXPECT_RANGE);
	assert_string_equal(c[2].query, "-- how many kinds\nSELECT count(*) FROM dim_kind\n");
	assert_string_equal(spec_check_expected(f->ctx, &c[2]), "at least -1.5");
	assert_int_equal(c[3].max_age_ms, 2 * 86400000);
	assert_string_equal(spec_check_expected(f->ctx, &c[3]), "at most 172800 s old");
}

/* What is built on a table that is asked about after its last slice comes a wave later. */
static void
test_waves(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec *plain = checked_spec(f->ctx, "  - { name: a, kind: volume, table: fact_sale, min: 1 }\n");
	const struct spec *scoped = checked_spec(f->ctx,
	    "  - { name: a, kind: volume, table: dim_kind, min: 1, gate: published, scope: table }\n"
	    "  - { name: b, kind: freshness, table: fact_sale, gate: published, column: sold_at, max_age: 1d }\n");

	assert_false(plain->tables[0].checked_after || plain->tables[1].checked_after);
	assert_false(scoped->tables[0].checked_after); /* loaded whole: its one slice asks */
	assert_true(scoped->tables[1].checked_after && scoped->checks[1].whole);
	assert_int_equal(scoped->tables[1].wave, plain->tables[1].wave);
}

/* Each alone in the list; the place is that of the item unless told. */
static const struct refusal {
	const char *check, *error;
} refusals[] = {
    {"name: a, kind: validity, table: uses, rule: x", "there is no table 'uses'"},
    {"name: a, kind: validity, table: fact_use, rule: x", "there is no table 'fact_use'; did you mean 'fact_uses'?"},
    {"name: a, kind: valid, table: fact_uses", "'kind' is 'valid', but must be one of `completeness`"},
    {"kind: validity, table: fact_uses, rule: x", "lacks the key 'name'"},
    {"name: a, kind: validity, table: fact_uses", "a validity check needs 'rule'"},
    {"name: a, kind: validity, rule: x", "the check needs 'table'"},
    {"name: a, kind: validity, table: fact_uses, rule: x, columns: use_id", "'columns' is no key of validity checks"},
    {"name: a, kind: validity, table: fact_uses, rul: x", "unknown key 'rul'; did you mean 'rule'?"},
    {"name: a, kind: validity, table: fact_uses, rule: \"use_id > 0; DROP TABLE x\"",
	"'rule' must be one SQL expression: a semicolon cannot stand in it"},
    {"name: a, kind: validity, table: fact_uses, rule: \"true) OR (true\"",
	"a parenthesis is closed in it that was not opened"},
    {"name: a, kind: validity, table: fact_uses, rule: \"(true\"", "a parenthesis in it is not closed"},
    {"name: a, kind: validity, table: fact_uses, rule: \"'x\"", "a literal, name or comment in it has no end"},
    {"name: a, kind: validity, table: fact_uses, rule: \"-- nothing\"", "nothing is in it"},
    {"name: a, kind: validity, table: fact_uses, rule: x, where: \"1)\"", "'where' must be one SQL expression"},
    {"name: a, kind: validity, table: fact_uses, rule: use_id > :least",
	"unknown placeholder ':least'; a check has :from, :to and :now"},
    {"name: a, kind: validity, table: dim_robots, rule: updated_at < :to",
	"':to' needs 'time': 'dim_robots' is loaded whole"},
    {"name: a, kind: validity, table: fact_uses, gate: run, rule: start_time < :to", "':to' is of a slice"},
    {"name: a, kind: completeness, table: fact_uses, columns: robotid",
	"'fact_uses' has no column 'robotid'; did you mean 'robot_id'?"},
    {"name: a, kind: completeness, table: fact_uses, columns: []", "the list is empty"},
    {"name: a, kind: completeness, table: fact_uses, columns: [use_id, use_id]", "'use_id' is here twice"},
    {"name: a, kind: completeness, table: fact_uses, columns: robot_key", "staged rows do not have it yet"},
    {"name: a, kind: completeness, table: fact_uses, columns: use_id, at_least: 99",
	"'at_least' is '99', but must be a share such as 99.5%"},
    {"name: a, kind: completeness, table: fact_uses, columns: use_id, at_least: 100.1%", "from 0% to 100%"},
    {"name: a, kind: completeness, table: fact_uses, columns: use_id, at_least: 99.00001%", "at most 4 decimals"},
    {"name: a, kind: referential, table: fact_uses, columns: robot_id", "needs 'references'"},
    {"name: a, kind: referential, table: fact_uses, columns: robot_key, references: dim_robots",
	"is filled by a lookup"},
    {"name: a, kind: referential, table: fact_uses, columns: robot_id, references: dim_robots, allow_unknown: false",
	"'allow_unknown' is for columns that a lookup fills"},
    {"name: a, kind: referential, table: fact_uses, columns: [robot_id, use_id], references: dim_robots",
	"'dim_robots' has a key of 1 columns, the check names 2"},
    {"name: a, kind: freshness, table: fact_uses, column: use_id, max_age: 1d",
	"'use_id' must be a date, timestamp or timestamptz to tell the age"},
    {"name: a, kind: freshness, table: fact_uses, column: start_time, max_age: 1d, gate: staging",
	"a freshness check cannot be asked at the gate staging"},
    {"name: a, kind: volume, table: fact_uses", "a volume check needs min, max"},
    {"name: a, kind: volume, table: fact_uses, min: 3, max: 2", "'min' is above 'max'"},
    {"name: a, kind: volume, table: fact_uses, min: -3", "'min' is '-3', but must be a whole number"},
    {"name: a, kind: volume, table: fact_uses, gate: run, least_of_previous: 50%", "use the gate staging or published"},
    {"name: a, kind: sql, query: SELECT 1", "a sql check needs 'expect'"},
    {"name: a, kind: sql, query: checks/none.sql, expect: 1", "there is no SQL file 'checks/none.sql'"},
    {"name: a, kind: sql, query: SELECT 1, expect: [1]", "'expect' must be one value"},
    {"name: a, kind: sql, query: SELECT 1, expect: { min: x }", "'min' must be a number"},
    {"name: a, kind: sql, query: SELECT 1, expect: { least: 1 }", "unknown key 'least'; 'expect' takes min and max"},
    {"name: a, kind: sql, query: SELECT 1, expect: {}", "'expect' needs min, max or both"},
    {"name: a, kind: sql, query: SELECT 1, expect: yes, tolerance: 1", "'tolerance' needs a number in 'expect'"},
    {"name: a, kind: sql, query: SELECT 1, expect: 1, tolerance: -1", "'tolerance' must be a number, 0 or more"},
    {"name: a, kind: sql, query: SELECT 1, expect: 1, gate: published", "only the gate run goes across tables"},
    {"name: a, kind: sql, query: SELECT 1, expect: 1, gate: published, table: fact_uses, retry: 1",
	"'retry' needs the gate run"},
    {"name: a, kind: volume, table: fact_uses, min: 1, gate: run, retry_wait: 1s", "'retry_wait' needs 'retry'"},
    {"name: a, kind: volume, table: fact_uses, min: 1, scope: table", "'scope' is of the gate published"},
    {"name: a, kind: volume, table: fact_uses, gate: run, min: 1, scope: table", "'scope' is of the gate published"},
    {"name: a, kind: volume, table: fact_uses, gate: published, scope: run, min: 1",
	"'scope' is 'run', but must be one of `slice`, `table`"},
    {"name: a, kind: volume, table: fact_uses, gate: published, scope: table, least_of_previous: 50%",
	"use the gate staging or published with the scope slice"},
    {"name: a, kind: validity, table: fact_uses, gate: published, scope: table, rule: start_time < :to",
	"':to' is of a slice: the scope table has none"},
    {"name: a, kind: freshness, table: fact_uses, gate: published, scope: slice, column: start_time, max_age: 1d",
	"freshness is of a whole table"},
};

static void
test_refusals(void **state)
{
	struct spec_fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(refusals); i++) {
		char *yaml = ctx_printf(f->ctx, "%schecks:\n  - { %s }\n", spec_good, refusals[i].check);

		assert_false(spec_try(f, yaml, spec_robots_sql, spec_uses_sql));
		assert_true(spec_has_error(f, refusals[i].error));
	}
	assert_false(spec_try(f,
	    ctx_printf(f->ctx,
		"%schecks:\n  - { name: a, kind: sql, query: SELECT 1, expect: 1 }\n"
		"  - name: a\n    kind: sql\n    query: SELECT :now\n    expect: 1\n",
		spec_good),
	    spec_robots_sql, spec_uses_sql));
	assert_true(spec_has_error(f, ": there is a check 'a' already"));
	assert_false(
	    spec_try(f, ctx_printf(f->ctx, "%schecks: { a: 1 }\n", spec_good), spec_robots_sql, spec_uses_sql));
	assert_true(spec_has_error(f, "'checks' must be a list"));
}

static const char every_kind[] =
    "  - { name: complete, kind: completeness, table: fact_sale, columns: [note, amount] }\n"
    "  - { name: valid, kind: validity, table: fact_sale, rule: \"amount > 0 -- or so\", where: note <> '' }\n"
    "  - { name: unique, kind: uniqueness, table: fact_sale, columns: [kind_id, note], gate: published }\n"
    "  - { name: known, kind: referential, table: fact_sale, columns: kind_key, allow_unknown: false }\n"
    "  - { name: kept, kind: referential, table: fact_sale, columns: kind_id, references: dim_kind, gate: staging }\n"
    "  - { name: labels, kind: completeness, table: dim_kind, columns: label, gate: published }\n"
    "  - { name: rows, kind: volume, table: fact_sale, min: 1 }\n"
    "  - { name: shrunk, kind: volume, table: fact_sale, gate: published, least_of_previous: 50% }\n"
    "  - { name: fresh, kind: freshness, table: fact_sale, column: sold_at, max_age: 2d }\n"
    "  - { name: few, kind: sql, query: checks/few.sql, expect: 3, tolerance: 1 }\n"
    "  - { name: between, kind: sql, query: SELECT 1, expect: { min: 0, max: 2 } }\n"
    "  - { name: word, kind: sql, query: SELECT 'a', expect: 'it''s' }\n"
    "  - { name: anywhere, kind: completeness, table: fact_sale, columns: kind_id, gate: published, scope: table }\n"
    "  - { name: once, kind: uniqueness, table: fact_sale, columns: note, gate: published, scope: table }\n";

static void
test_golden(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec *spec = checked_spec(f->ctx, every_kind);
	const struct spec_check *c = spec->checks;
	const struct spec_check *staged[] = {&c[0], &c[1], &c[4], &c[6]}, *written[] = {&c[3], &c[7]},
				*whole[] = {&c[8], &c[12]};
	struct text out;
	char *golden;

	text_init(&out, f->ctx);
	text_addf(&out, "-- complete, valid, kept, rows: one scan\n%s;\n",
	    generate_check(f->ctx, spec, staged, 4, "time"));
	text_addf(&out, "\n-- known, shrunk: one scan\n%s;\n", generate_check(f->ctx, spec, written, 2, "time"));
	text_addf(&out, "\n-- fresh, anywhere: one scan\n%s;\n", generate_check(f->ctx, spec, whole, 2, "table"));
	for (size_t i = 0; i < spec->check_count; i++) {
		const struct spec_check *check = &spec->checks[i];
		const char *scope =
		    check->table != NULL && check->table->time != NULL && !check->whole ? "time" : "table";
		char *sample = generate_check_sample(f->ctx, spec, check, scope);

		text_addf(&out, "\n-- %s\n%s;\n", check->name, generate_check(f->ctx, spec, &check, 1, scope));
		if (sample != NULL)
			text_addf(&out, "\n-- %s: sample\n%s;\n", check->name, sample);
	}
	if (config_env("UPDATE_GOLDEN") != NULL)
		assert_true(file_write(f->ctx, "tests/golden/checks.sql", out.data, 0644));
	assert_true(file_read(f->ctx, "tests/golden/checks.sql", 1 << 20, &golden, NULL));
	assert_string_equal(out.data, golden);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    SPEC_TEST(test_defaults),
	    SPEC_TEST(test_waves),
	    SPEC_TEST(test_refusals),
	    SPEC_TEST(test_golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
