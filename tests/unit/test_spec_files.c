/* Specifications of files: what is understood, and what is refused where. */
#include "tests/support/spec_text.h"

static const char good[] =
    "spec: 1\n"
    "pipeline: shop\n"
    "warehouse: warehouse\n"
    "params: { day: { type: text } }\n"
    "sources:\n"
    "  raw: { type: files, connection: raw, path: 'x/{batch}/*.csv', batch: { date: '%Y%m%d', param: day }, format: csv,\n"
    "         csv: { delimiter: ';' }, on_bad_file: quarantine }\n"
    "  rds: { type: postgres, connection: rds }\n"
    "tables:\n"
    "  fact_x:\n"
    "    kind: fact\n"
    "    source: { from: raw, fields: { id: { from: Id } } }\n"
    "    grain: [id]\n"
    "    columns: { id: bigint, at: timestamptz }\n"
    "    rejects: { rows: 5, share: 2.5% }\n"
    "  fact_y:\n"
    "    kind: fact\n"
    "    source: { from: raw, fields: { id: bigint, n: { type: integer, from: N } } }\n"
    "    transform: extract/robots.sql\n"
    "    grain: [id]\n"
    "    columns: { id: bigint, sum: bigint }\n"
    "  dim_z:\n"
    "    kind: dimension\n"
    "    source: { from: rds, query: extract/uses.sql }\n"
    "    key: [id]\n"
    "    columns: { id: bigint }\n";
static const char transform[] = "SELECT id, sum(n) AS sum, max(loadstar_file) AS loadstar_file FROM raw GROUP BY id";
static const char query[] = "SELECT id FROM z";

static void
test_understood(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec_table *x, *y;

	if (!spec_try(f, good, transform, query))
		spec_print_errors(f);
	assert_null(f->errors);
	x = spec_find_table(f->spec, "fact_x");
	y = spec_find_table(f->spec, "fact_y");
	assert_true(spec_table_is_fed_by_files(x) && spec_table_has_slices(x));
	assert_false(spec_table_is_fed_by_files(spec_find_table(f->spec, "dim_z")));
	assert_int_equal(x->rejects_rows, 5);
	assert_int_equal(x->rejects_permil, 25);
	assert_int_equal(y->rejects_rows, 10000);
	assert_int_equal(y->rejects_permil, 100);
	assert_int_equal(x->field_count, 2);
	assert_string_equal(x->fields[0].from, "Id");
	assert_null(x->fields[1].from);
	assert_string_equal(x->columns[2].name, "file_id");
	assert_int_equal(y->fields[1].type.kind, TYPE_INTEGER);
	assert_false(y->transform_lines);
	assert_int_equal(x->source->csv_delimiter, ';');
	assert_false(x->source->bad_fails);
	assert_string_equal(x->source->batch_param, "day");
	assert_false(spec_param_is_required(&f->spec->params[0]));
}

static const struct refusal {
	const char *from, *to, *error;
} refusals[] = {
    {"x/{batch}/*.csv", "../{batch}/*.csv", "the path leads elsewhere"},
    {"x/{batch}/*.csv", "x/*.csv", "'batch' needs {batch} in the path"},
    {"%Y%m%d", "%d", "the date lacks %Y"},
    {"param: day", "param: night", "there is no parameter 'night'"},
    {"type: text }", "type: integer }", "'day' picks a batch of files and so must be text"},
    {"format: csv,", "format: json,", "'csv' belongs to format csv"},
    {"format: csv,", "format: xml,", "'format' is 'xml', but must be one of"},
    {"delimiter: ';'", "delimiter: ';;'", "'delimiter' must be one ASCII character"},
    {"delimiter: ';'", "delimiter: '\"'", "'delimiter' and 'quote' are the same"},
    {"share: 2.5%", "share: 0.5", "'share' is '0.5', but must be a share"},
    {"{ from: Id }", "{ from: Id, type: text }", "the type of 'id' is said by the column already"},
    {"id: { from: Id }", "other: { from: Id }", "'other' is no column of 'fact_x'"},
    {"fields: { id: bigint, n: { type: integer, from: N } }", "query: extract/uses.sql", "files have no 'query'"},
    {", fields: { id: bigint, n: { type: integer, from: N } }", "", "lacks the key 'fields'"},
    {"n: { type: integer, from: N }", "n: { from: N }", "'n' lacks the key 'type'"},
    {"    rejects:", "    write: append\n    rejects:", "'write: append' is not for files"},
    {"    rejects:", "    lookback: 2\n    rejects:", "'lookback' is not for files"},
    {"at: timestamptz", "file_id: bigint", "the name 'file_id' is reserved"},
    {"extract/robots.sql", "extract/nothing.sql", "there is no SQL file 'extract/nothing.sql'"},
    {"    key: [id]\n", "    key: [id]\n    rejects: { rows: 1 }\n", "'rejects' is for tables that are fed by files"},
    {", query: extract/uses.sql", "", "'source' lacks the key 'query'"},
};

static char *
edit(struct spec_fixture *f, const char *from, const char *to)
{
	const char *at = strstr(good, from);

	assert_non_null(at);
	return ctx_printf(f->ctx, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
}

static void
test_refused(void **state)
{
	struct spec_fixture *f = *state;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		if (spec_try(f, edit(f, refusals[i].from, refusals[i].to), transform, query))
			fail_msg("'%s' instead of '%s' is accepted", refusals[i].to, refusals[i].from);
		assert_true(spec_has_error(f, refusals[i].error));
	}
	assert_false(spec_try(f, good, "SELECT id, sum(n) AS sum FROM raw GROUP BY id", query));
	assert_true(spec_has_error(f, "must return loadstar_file"));
	assert_false(spec_try(f, good, "SELECT *, loadstar_file FROM raw WHERE day = :day", query));
	assert_true(spec_has_error(f, "a transform has no placeholders"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SPEC_TEST(test_understood),
	    SPEC_TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
