/* check --connect on a small pipeline: what a source and the warehouse have against its SQL, each at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/connect_check.h"
#include "tests/support/loads.h"

static const char document[] =
    "spec: 1\npipeline: shop\nwarehouse: warehouse\nsources: { shop: { type: postgres, connection: shop } }\n"
    "params: { batch: { type: text } }\n"
    "tables:\n"
    "  stg_sale:\n    kind: stage\n    source: { from: shop, query: sale.sql }\n"
    "    columns: { sale_id: integer, part: text }\n"
    "  fact_sale:\n    kind: fact\n    source: { stage: stg_sale, query: staged.sql }\n    grain: [sale_id]\n"
    "    write: replace_all\n    columns: { sale_id: integer, part: text }\n"
    "checks:\n"
    "  - { name: sane, kind: validity, table: fact_sale, rule: sale_id > 0 }\n"
    "  - { name: staged, kind: sql, table: fact_sale, gate: staging, query: staged_check.sql, expect: 0 }\n"
    "post_load: [after.sql]\n";

static struct spec_file files[] = {
    {"after.sql", NULL},
    {"pipeline.yaml", NULL},
    {"sale.sql", "SELECT * FROM sale"},
    {"staged.sql", NULL},
    {"staged_check.sql", NULL},
};
static const char *const right[] = {
    "CREATE TEMP TABLE mine AS SELECT :batch AS batch;\nINSERT INTO mine SELECT part FROM fact_sale;",
    document,
    "SELECT * FROM sale",
    "SELECT sale_id, part FROM stg_sale",
    "SELECT count(*) FROM loadstar_stage WHERE sale_id < 0",
};

static struct loads_pipeline pipeline = {.files = files,
    .count = LENGTH_OF(files),
    .source_tables = "DROP TABLE IF EXISTS sale; CREATE TABLE sale (sale_id integer, part text)",
    .no_tables = "DROP TABLE IF EXISTS fact_sale, stg_sale"};

/* The findings as lines; without the name of the socket. */
static const char *
findings(struct loads *loads)
{
	const struct spec *spec = loads_spec_of(loads->ctx, &pipeline);
	struct spec_error *errors;
	struct text out;

	text_init(&out, loads->ctx);
	assert_true(connect_check(loads->ctx, &loads->config, spec, &errors));
	for (; errors != NULL; errors = errors->next)
		text_addf(&out, "%s:%d:%d: %s\n", errors->place.file, errors->place.line, errors->place.column,
		    strrchr(errors->message, '/') != NULL ? strchr(strrchr(errors->message, '/'), ':') + 2
							  : errors->message);
	return out.data;
}

static void
test_places(void **state)
{
	static const struct {
		int file; /* of files */
		const char *text, *found;
	} cases[] = {
	    {3, "SELECT sale_id,\n  size AS part FROM stg_sale", "staged.sql:2:3: column \"size\" does not exist\n"},
	    {3, "SELECT sale_id FROM stg_sale", "pipeline.yaml:16:34: staged.sql gives no column 'part'\n"},
	    {4, "SELECT count(*) FROM loadstar_stage WHERE\n part_key < 0",
		"staged_check.sql:2:2: column \"part_key\" does not exist\n"},
	    {4, "SELECT 1, 2", "staged_check.sql:1:1: subquery must return only one column\n"},
	    {0, "SELECT :batch;\n\nDELETE FROM fact_sale WHERE\n  part = :batch AND sale = 1;",
		"after.sql:4:21: column \"sale\" does not exist\n"},
	    {0, "SELECT :batch;\nSELEC 1;", "after.sql:2:1: syntax error at or near \"SELEC\"\n"},
	    {0, "SELECT :batch FROM made_by_somebody", ""},
	};
	struct loads *loads;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(files); i++)
		files[i].text = right[i];
	loads = loads_new_of(&pipeline);
	assert_string_equal(findings(loads), "");
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		files[cases[i].file].text = cases[i].text;
		assert_string_equal(findings(loads), cases[i].found);
		files[cases[i].file].text = right[cases[i].file];
	}
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM pg_class WHERE relname = 'mine'"), "0");
	loads_free(loads);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_places)};

	return cmocka_run_group_tests_name("connect check", tests, NULL, NULL);
}
