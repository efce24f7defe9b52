/* Published cases of data checks (deequ's and Glue's tests) against our kinds: what share of the rows passes, and what cannot be asked. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/bug.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "sql/pg.h"
#include "tests/support/checked.h"

enum { CASES_LIMIT = 1 << 20 };

/* How a case is said here. counts: what it expects is a number of rows that fail, not a share of those that pass. Not to be said: q06 and
 * q29 (a check that names no column of the table is refused with the specification: test_spec_checks), q32 to q36 (columns are declared,
 * so a source without one of them or with another type fails before any check). */
static const struct check_case {
	const char *id, *keys;
	bool counts;
} cases[] = {
    {"q01", "kind: volume, min: 12, max: 12", false},
    {"q02", "kind: completeness, columns: att1", false},
    {"q03", "kind: completeness, columns: att2", false},
    {"q04", "kind: completeness, columns: att2, where: att1 IS NOT NULL", false},
    {"q05", "kind: completeness, columns: att1, where: \"item IN ('1', '2')\"", false},
    {"q07", "kind: completeness, columns: att2, at_least: 80%", false},
    {"q08", "kind: completeness, columns: att2, at_least: 80%", false},
    {"q09", "kind: uniqueness, columns: unique", false},
    {"q10", "kind: uniqueness, columns: uniquewithnulls", false},
    {"q11", "kind: uniqueness, columns: nonunique", false},
    {"q12", "kind: uniqueness, columns: [nonunique, onlyuniquewithothernonunique]", false},
    {"q15", "kind: uniqueness, columns: nonunique", false},
    {"q16", "kind: uniqueness, columns: att1", false},
    {"q17", "kind: uniqueness, columns: att1", false},
    {"q18",
	"kind: sql, gate: published, query: SELECT count(DISTINCT att1)::numeric / count(att1) FROM fact_distinct6, expect: 0.6",
	false},
    {"q20", "kind: validity, rule: att1 > 3", false},
    {"q21", "kind: validity, rule: att2 = 0, where: att1 < 4", false},
    {"q22", "kind: validity, rule: att1 < att2, where: item > '3'", false},
    {"q23", "kind: validity, rule: att1 < att2", false},
    {"q24", "kind: validity, rule: att2 <> 0", true},
    {"q26", "kind: uniqueness, columns: [col1, col2]", true},
    {"q27", "kind: referential, columns: id, references: dim_reference5", false},
    {"q28", "kind: referential, columns: new_id, references: dim_primary4", false},
};

static json_t *
read_cases(struct ctx *ctx)
{
	const char *given = getenv("LOADSTAR_TEST_DATA"), *folder = given != NULL ? given : "../shared/data";
	char *path = ctx_printf(ctx, "%s/scenarios/quality.json", folder), *text;
	size_t length;
	json_t *document;

	if (access(path, R_OK) != 0) {
		print_message("no cases of checks in %s\n", folder);
		return NULL;
	}
	assert_true(file_read(ctx, path, CASES_LIMIT, &text, &length));
	assert_true(json_parse(ctx, text, length, &document));
	return document;
}

static const json_t *
find_case(const json_t *document, const char *id)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(document, "cases"), i, item)
		if (text_equal(json_string_or(item, "id", ""), id))
			return item;
	return NULL;
}

static const char *
lower(struct ctx *ctx, const char *name)
{
	char *copy = ctx_strdup(ctx, name);

	for (char *at = copy; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

/* A column of numbers is one of integers. */
static const char *
type_of(const json_t *rows, size_t column)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (json_is_string(json_array_get(row, column)))
			return "text";
	return "integer";
}

/* The parts of a pipeline with the cases' tables, and the source they are loaded from. */
struct parts {
	struct ctx *ctx;
	struct text tables, source, drop;
	struct spec_file *files;
	size_t count;
};

static void
add_file(struct parts *parts, const char *path, const char *text)
{
	parts->files[parts->count++] = (struct spec_file){path, text};
}

/* The source's table, its rows numbered: n is the grain, so that equal rows stay two. */
static void
add_source(struct parts *parts, const char *name, const json_t *table, const char *columns)
{
	const json_t *rows = json_object_get(table, "rows"), *row, *value;
	struct ctx *ctx = parts->ctx;
	size_t i, k;

	text_addf(&parts->source, "DROP TABLE IF EXISTS q_%s; CREATE TABLE q_%s (n integer%s);", name, name, columns);
	json_array_foreach(rows, i, row) {
		text_addf(&parts->source, "INSERT INTO q_%s VALUES (%zu", name, i);
		json_array_foreach(row, k, value)
			text_addf(&parts->source, ", %s",
			    json_is_null(value)     ? "NULL"
			    : json_is_string(value) ? pg_literal(ctx, json_string_value(value))
						    : json_text(ctx, value));
		text_add(&parts->source, ");");
	}
}

static void
add_table(struct parts *parts, const char *name, const json_t *table)
{
	struct ctx *ctx = parts->ctx;
	struct text declared, made;
	const json_t *column;
	size_t i;

	text_init(&declared, ctx);
	text_init(&made, ctx);
	json_array_foreach(json_object_get(table, "columns"), i, column) {
		const char *called = lower(ctx, json_string_value(column));
		const char *type = type_of(json_object_get(table, "rows"), i);

		text_addf(&declared, ", %s: %s", called, type);
		text_addf(&made, ", \"%s\" %s", called, type);
	}
	add_source(parts, name, table, made.data);
	add_file(parts, ctx_printf(ctx, "%s.sql", name), ctx_printf(ctx, "SELECT * FROM q_%s", name));
	text_addf(&parts->tables,
	    "  fact_%s:\n    kind: fact\n    source: { from: shop, query: %s.sql }\n    grain: [n]\n"
	    "    columns: { n: integer%s }\n",
	    name, name, declared.data);
	text_addf(&parts->drop, "DROP TABLE IF EXISTS fact_%s;", name);
}

static void
add_dimension(struct parts *parts, const char *name, const char *key)
{
	text_addf(&parts->tables,
	    "  dim_%s:\n    kind: dimension\n    source: { from: shop, query: %s.sql }\n    key: [%s]\n"
	    "    columns: { %s: integer, name: text }\n",
	    name, name, key, key);
	text_addf(&parts->drop, "DROP TABLE IF EXISTS dim_%s;", name);
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct spec_file *)a)->path, ((const struct spec_file *)b)->path);
}

static const char *
checks_of(struct ctx *ctx, const json_t *document)
{
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < LENGTH_OF(cases); i++)
		text_addf(&out, "  - { name: %s, table: fact_%s, severity: %s, %s }\n", cases[i].id,
		    json_string_or(find_case(document, cases[i].id), "table", "?"),
		    strcmp(cases[i].id, "q07") == 0 ? "error" : "warn", cases[i].keys);
	return out.data;
}

static struct loads *
pipeline_of(struct ctx *ctx, const json_t *document)
{
	json_t *tables = json_object_get(document, "tables"), *table;
	struct loads_pipeline *pipeline = ctx_alloc(ctx, sizeof(*pipeline));
	struct parts parts = {.ctx = ctx, .files = ctx_alloc_array(ctx, 32, sizeof(struct spec_file))};
	const char *name;

	text_init(&parts.tables, ctx);
	text_init(&parts.source, ctx);
	text_init(&parts.drop, ctx);
	json_object_foreach(tables, name, table)
		if (json_array_size(json_object_get(table, "rows")) > 0)
			add_table(&parts, name, table);
	add_dimension(&parts, "primary4", "id");
	add_dimension(&parts, "reference5", "new_id");
	add_file(&parts, "pipeline.yaml",
	    ctx_printf(ctx,
		"spec: 1\npipeline: cases\nwarehouse: warehouse\nsources: { shop: { type: postgres, connection: shop } }\n"
		"tables:\n%schecks:\n%s",
		parts.tables.data, checks_of(ctx, document)));
	qsort(parts.files, parts.count, sizeof(*parts.files), by_path);
	*pipeline = (struct loads_pipeline){.files = parts.files,
	    .count = parts.count,
	    .source_tables = parts.source.data,
	    .no_tables = parts.drop.data};
	return loads_new_of(pipeline);
}

static void
expect(const struct check_case *c, const json_t *wanted, const json_t *result)
{
	int64_t checked = json_int_or(result, "rows_checked", 0), failed = json_int_or(result, "rows_failed", 0);
	const char *status = json_string_or(result, "status", "?"), *said = json_string_or(wanted, "expected", "");
	double share = checked > 0 ? (double)(checked - failed) / (double)checked : 1;

	if (strcmp(c->id, "q01") == 0 || strcmp(c->id, "q18") == 0 || text_starts_with(said, "PASS"))
		assert_string_equal(status, "passed");
	else if (text_starts_with(said, "ERROR"))
		assert_string_equal(status, "failed"); /* a check of level error that did not hold */
	else if (text_starts_with(said, "WARNING") || text_starts_with(said, "FAIL"))
		assert_string_equal(status, "warned");
	else if (c->counts)
		assert_int_equal(failed, json_integer_value(json_object_get(wanted, "expected")));
	else
		assert_true(share - json_number_value(json_object_get(wanted, "expected")) < 1e-9 &&
			    json_number_value(json_object_get(wanted, "expected")) - share < 1e-9);
}

/* Each table is loaded with the checks of its cases, all of which are asked in its load. */
static void
test_cases(void **state)
{
	struct ctx *ctx = ctx_new("cases", 0);
	json_t *document = read_cases(ctx);
	struct loads *loads;

	(void)state;
	if (document == NULL) {
		ctx_free(ctx);
		return;
	}
	loads = pipeline_of(ctx, document);
	(void)loads_load(loads, "dim_primary4", -1);
	(void)loads_load(loads, "dim_reference5", -1);
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		const json_t *wanted = find_case(document, cases[i].id);
		struct slice_outcome outcome;
		struct slice_job job =
		    loads_job(loads, ctx_printf(ctx, "fact_%s", json_string_or(wanted, "table", "?")), -1);
		enum fail_code code = loads_try(loads, &job, &outcome);

		assert_true(code == FAIL_NONE || code == FAIL_QUALITY_FAILED);
		assert_non_null(checked_result(&outcome, cases[i].id));
		expect(&cases[i], wanted, checked_result(&outcome, cases[i].id));
	}
	loads_free(loads);
	ctx_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
