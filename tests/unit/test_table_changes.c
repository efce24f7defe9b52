/* A ddl step extends tables that are there: columns, types, NOT NULL, comments; each change is recorded, and made once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/bug.h"
#include "base/fail.h"
#include "tests/support/loads.h"

#define YAML(part_columns, sale_columns, more) \
	"spec: 1\npipeline: shop\nwarehouse: warehouse\nsources: { shop: { type: postgres, connection: shop } }\n" \
	"defaults: { slice: P1D, timeouts: { lock: 1s } }\ntables:\n" \
	"  dim_part:\n    kind: dimension\n    source: { from: shop, query: part.sql }\n    key: [part_id]\n" \
	"    columns: { part_id: integer" part_columns ", seen: timestamptz }\n" \
	"    history: { scd: 2, valid_from: seen }\n" \
	"  fact_sale:\n    kind: fact\n    source: { from: shop, query: sale.sql }\n    grain: [sale_id]\n" \
	"    columns: { sale_id: integer, part_id: integer" sale_columns ", sold_at: timestamptz }\n" \
	"    time: sold_at\n    begin: 2024-01-01\n" \
	"    lookups: { part_key: { dimension: dim_part, match: part_id, as_of: sold_at } }\n" more

static const char source_tables[] =
    "DROP TABLE IF EXISTS part, sale;"
    "CREATE TABLE part AS SELECT 1 AS part_id, 'a' AS name, '2023-01-01'::timestamptz AS seen, 7 AS size, 'new' AS colour;"
    "CREATE TABLE sale AS SELECT n AS sale_id, 1 AS part_id, n * 10 AS amount, '2024-01-01'::timestamptz AS sold_at, 'x' AS note "
    "FROM generate_series(1, 3) n";
static const char no_tables[] = "DROP VIEW IF EXISTS totals; DROP TABLE IF EXISTS fact_sale, dim_part";

static void
declare(struct loads *loads, struct loads_pipeline *pipeline, const char *yaml)
{
	pipeline->files[0].text = yaml;
	if (loads != NULL)
		loads_redeclare(loads, pipeline);
}

static struct loads_pipeline *
pipeline_new(void)
{
	static struct spec_file files[4];
	static struct loads_pipeline pipeline = {.files = files,
	    .source_tables = source_tables,
	    .no_tables = no_tables};

	files[0] = (struct spec_file){"pipeline.yaml", NULL};
	files[1] = (struct spec_file){"part.sql", "SELECT * FROM part"};
	files[2] = (struct spec_file){"sale.sql", "SELECT * FROM sale WHERE sold_at >= :from AND sold_at < :to"};
	files[3] = (struct spec_file){"views.sql",
	    "CREATE OR REPLACE VIEW totals AS SELECT part_id, sum(amount) AS s, max(amount) AS m FROM fact_sale GROUP BY 1"};
	pipeline.count = 4;
	return &pipeline;
}

static void
refused(struct loads *loads, struct loads_pipeline *pipeline, const char *yaml, const char *says)
{
	const struct spec_table *tables[2];
	struct ctx *ctx = ctx_new("ddl", 0);
	struct slice_job job;

	pipeline->files[0].text = yaml;
	loads->spec = loads_spec_of(loads->ctx, pipeline);
	job = loads_job(loads, "fact_sale", -1);
	tables[0] = &loads->spec->tables[0];
	tables[1] = &loads->spec->tables[1];
	assert_false(slice_apply_ddl(ctx, &job, tables, 2));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_DDL_MISMATCH);
	if (strstr(ctx_failure(ctx)->message, says) == NULL) {
		print_message("%s\n", ctx_failure(ctx)->message);
		assert_true(false);
	}
	ctx_free(ctx);
}

static const char log_of[] =
    "SELECT table_name, column_name, change, before, after FROM loadstar.ddl_log WHERE change <> 'created' ORDER BY id";

/* New columns with and without defaults, in the table and in its log; nothing is done twice. */
static void
test_new_columns(void **state)
{
	struct loads_pipeline *pipeline = pipeline_new();
	struct loads *loads;

	(void)state;
	declare(NULL, pipeline, YAML(", name: text", ", amount: integer", ""));
	loads = loads_new_of(pipeline);
	loads_load(loads, "dim_part", -1);
	loads_load(loads, "fact_sale", 0);
	declare(loads, pipeline,
	    YAML(", name: text, size: {type: integer, not_null: true, default: \"5\"}, colour: text",
		", amount: integer, note: {type: text, comment: what was said}", ""));
	assert_string_equal(loads_ask(loads, "SELECT size, colour FROM dim_part ORDER BY dim_part_key"), "5 -\n5 -");
	assert_string_equal(loads_ask(loads, "SELECT size FROM loadstar.dim_part_log"), "5");
	assert_string_equal(loads_ask(loads, log_of),
	    "public.dim_part size added - integer\npublic.dim_part colour added - text\n"
	    "public.fact_sale note added - text\npublic.fact_sale note comment - what was said");
	declare(loads, pipeline, pipeline->files[0].text);
	loads_do(loads, "ALTER TABLE fact_sale RENAME TO fact_gone");
	declare(loads, pipeline, pipeline->files[0].text); /* a table that is made has its comments at once */
	assert_string_equal(loads_ask(loads, "SELECT col_description('fact_sale'::regclass, attnum) FROM pg_attribute "
					     "WHERE attrelid = 'fact_sale'::regclass AND attname = 'note'"),
	    "what was said");
	loads_do(loads,
	    "DROP TABLE fact_sale; ALTER TABLE fact_gone RENAME TO fact_sale; DELETE FROM loadstar.ddl_log WHERE id = 7");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.ddl_log"), "6");
	loads_load(loads, "dim_part", -1);
	loads_load(loads, "fact_sale", 0);
	assert_string_equal(
	    loads_ask(loads,
		"SELECT size, colour, note FROM dim_part JOIN fact_sale ON dim_part_key = part_key GROUP BY 1, 2, 3"),
	    "7 new x");
	loads_free(loads);
}

/* Types widen below a view, values stay, and a narrower declaration goes on with the wide table. */
static void
test_widening(void **state)
{
	struct loads_pipeline *pipeline = pipeline_new();
	struct loads *loads;

	(void)state;
	declare(NULL, pipeline, YAML(", name: text, size: smallint", ", amount: integer", "views: [views.sql]\n"));
	loads = loads_new_of(pipeline);
	loads_load(loads, "dim_part", -1);
	loads_load(loads, "fact_sale", 0);
	loads_do(loads,
	    "CREATE VIEW public.totals AS SELECT part_id, sum(amount) AS s, max(amount) AS m FROM fact_sale GROUP BY 1");
	declare(loads, pipeline,
	    YAML(", name: text, size: bigint", ", amount: \"numeric(12,2)\"", "views: [views.sql]\n"));
	assert_string_equal(loads_ask(loads, log_of),
	    "public.dim_part size widened smallint bigint\npublic.fact_sale amount widened integer numeric(12,2)");
	assert_string_equal(loads_ask(loads, "SELECT s FROM totals"), "60.00");
	loads_source(loads,
	    "UPDATE part SET size = 99999, seen = '2024-06-01'; UPDATE sale SET amount = 20000 WHERE sale_id = 1");
	loads_load(loads, "dim_part", -1);
	loads_load(loads, "fact_sale", 0);
	assert_string_equal(loads_ask(loads, "SELECT size FROM dim_part WHERE part_id = 1 ORDER BY effective_from"),
	    "7\n99999");
	declare(loads, pipeline, YAML(", name: text, size: integer", ", amount: integer", "views: [views.sql]\n"));
	assert_string_equal(loads_ask(loads, "SELECT pg_typeof(s), s FROM totals"), "numeric 20050.00");
	loads_do(loads, "CREATE VIEW public.of_somebody AS SELECT amount FROM fact_sale");
	refused(loads, pipeline, YAML(", name: text, size: integer", ", amount: numeric", "views: [views.sql]\n"),
	    "a view that the pipeline does not declare");
	loads_do(loads, "DROP VIEW public.of_somebody");
	declare(loads, pipeline, YAML(", name: text, size: integer", ", amount: integer", "views: [views.sql]\n"));
	assert_int_equal(loads_load(loads, "dim_part", -1).counts.unchanged, 1);
	assert_int_equal(loads_load(loads, "fact_sale", 0).counts.unchanged, 3);
	loads_free(loads);
}

/* As psql's \dp shows them, and only others than the owner. */
static const char grants_of[] =
    "SELECT g.attname, CASE WHEN g.grantee = 0 THEN 'public' ELSE g.grantee::regrole::text END, g.privilege_type, g.is_grantable"
    "  FROM (SELECT '-' AS attname, relowner, x.* FROM pg_class, aclexplode(relacl) x WHERE oid = 'totals'::regclass UNION ALL"
    "        SELECT attname, relowner, x.* FROM pg_attribute JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) x"
    "         WHERE attrelid = 'totals'::regclass) g"
    " WHERE g.grantee <> g.relowner ORDER BY 1, 2, 3";

static const char role_of_tests[] =
    "DO $do$ BEGIN"
    "  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'a reader') THEN CREATE ROLE \"a reader\"; CREATE ROLE late; END IF;"
    "END $do$";

/* A view that has to be dropped for a column's type, or for its own, is made again for those who could read it, and for nobody else. */
static void
test_grants_stay(void **state)
{
	static const char granted[] = "- \"a reader\" SELECT t\n- public SELECT f\ns \"a reader\" UPDATE f";
	struct loads_pipeline *pipeline = pipeline_new();
	struct loads *loads;
	struct slice_job job;

	(void)state;
	declare(NULL, pipeline, YAML(", name: text", ", amount: integer", "views: [views.sql]\n"));
	loads = loads_new_of(pipeline);
	loads_do(loads, role_of_tests);
	job = loads_job(loads, "fact_sale", -1);
	assert_true(slice_apply_views(loads->ctx, &job));
	loads_do(loads,
	    "GRANT SELECT ON totals TO \"a reader\" WITH GRANT OPTION; GRANT SELECT ON totals TO public;"
	    "GRANT UPDATE (s), UPDATE (m) ON totals TO \"a reader\"; REVOKE UPDATE (m) ON totals FROM \"a reader\";"
	    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO late");
	assert_string_equal(loads_ask(loads, grants_of), granted);
	declare(loads, pipeline, YAML(", name: text", ", amount: numeric", "views: [views.sql]\n"));
	assert_string_equal(loads_ask(loads, grants_of), granted);
	pipeline->files[3].text = "CREATE OR REPLACE VIEW totals AS SELECT sum(amount) AS s FROM fact_sale";
	declare(loads, pipeline, pipeline->files[0].text);
	job = loads_job(loads, "fact_sale", -1);
	assert_true(slice_apply_views(loads->ctx, &job));
	assert_string_equal(loads_ask(loads, grants_of), granted);
	pipeline->files[3].text = "CREATE OR REPLACE VIEW totals AS SELECT count(*) AS n FROM fact_sale";
	declare(loads, pipeline, pipeline->files[0].text);
	job = loads_job(loads, "fact_sale", -1);
	assert_true(slice_apply_views(loads->ctx, &job));
	assert_string_equal(loads_ask(loads, grants_of), "- \"a reader\" SELECT t\n- public SELECT f"); /* s is gone */
	loads_do(loads, "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM late");
	loads_free(loads);
}

static const char watch_ddl[] =
    "DROP SCHEMA IF EXISTS watch CASCADE; CREATE SCHEMA watch; CREATE TABLE watch.ddl (tag text, identity text);"
    "CREATE FUNCTION watch.note() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN"
    "  INSERT INTO watch.ddl SELECT command_tag, object_identity FROM pg_event_trigger_ddl_commands()"
    "   WHERE schema_name IS DISTINCT FROM 'pg_temp'; END $f$;"
    "CREATE EVENT TRIGGER watch_ddl ON ddl_command_end EXECUTE FUNCTION watch.note()";

static const char *
ddl_of(struct loads *loads)
{
	const char *seen = loads_ask(loads, "SELECT DISTINCT tag, identity FROM watch.ddl");

	loads_do(loads, "TRUNCATE watch.ddl");
	return seen;
}

/* What is as declared is left alone, and so is who reads it; what somebody changed, or what lies below changed, is made again. */
static void
test_nothing_to_do_is_no_ddl(void **state)
{
	struct loads_pipeline *pipeline = pipeline_new();
	struct loads *loads;
	struct slice_job job;

	(void)state;
	declare(NULL, pipeline, YAML(", name: text", ", amount: integer", "views: [views.sql]\n"));
	pipeline->files[3].text = "CREATE OR REPLACE VIEW totals AS SELECT * FROM fact_sale";
	loads = loads_new_of(pipeline);
	job = loads_job(loads, "fact_sale", -1);
	assert_true(slice_apply_views(loads->ctx, &job));
	loads_do(loads, watch_ddl);
	declare(loads, pipeline, pipeline->files[0].text); /* a ddl step */
	assert_true(slice_apply_views(loads->ctx, &job));
	assert_string_equal(ddl_of(loads), "");
	loads_do(loads, "DROP VIEW totals; CREATE VIEW totals AS SELECT 1 AS sale_id; TRUNCATE watch.ddl");
	assert_true(slice_apply_views(loads->ctx, &job));
	assert_string_equal(ddl_of(loads), "CREATE VIEW public.totals");
	declare(loads, pipeline, YAML(", name: text", ", amount: integer, note: text", "views: [views.sql]\n"));
	assert_string_equal(ddl_of(loads), "ALTER TABLE public.fact_sale");
	job = loads_job(loads, "fact_sale", -1);
	assert_true(slice_apply_views(loads->ctx, &job));
	assert_string_equal(ddl_of(loads), "CREATE VIEW public.totals");
	assert_true(slice_apply_views(loads->ctx, &job));
	assert_string_equal(ddl_of(loads), "");
	loads_do(loads, "DROP EVENT TRIGGER watch_ddl; DROP SCHEMA watch CASCADE");
	loads_free(loads);
}

/* A ddl step that has nothing to do waits for nobody who writes, and lets nobody wait. */
static void
test_nothing_to_do_locks_nothing(void **state)
{
	struct loads_pipeline *pipeline = pipeline_new();
	struct loads *loads;
	struct slice_job job;

	(void)state;
	declare(NULL, pipeline, YAML(", name: text", ", amount: integer", "views: [views.sql]\n"));
	loads = loads_new_of(pipeline);
	job = loads_job(loads, "fact_sale", -1);
	assert_true(slice_apply_views(loads->ctx, &job));
	loads_do(loads,
	    "BEGIN; DO $do$ DECLARE t text; BEGIN FOR t IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
	    "  WHERE schemaname IN ('public', 'loadstar') LOOP"
	    "  EXECUTE 'LOCK TABLE ' || t || ' IN ROW EXCLUSIVE MODE'; END LOOP; END $do$");
	declare(loads, pipeline, YAML(", name: text", ", amount: integer", "views: [views.sql]\n"));
	job = loads_job(loads, "fact_sale", -1);
	assert_true(slice_apply_views(loads->ctx, &job));
	loads_do(loads, "COMMIT");
	loads_free(loads);
}

/* A column that is declared no more stays, and is in nobody's way. */
static void
test_vanished(void **state)
{
	struct loads_pipeline *pipeline = pipeline_new();
	struct loads *loads;

	(void)state;
	declare(NULL, pipeline, YAML(", name: text", ", amount: {type: integer, not_null: true}", ""));
	loads = loads_new_of(pipeline);
	loads_load(loads, "dim_part", -1);
	loads_load(loads, "fact_sale", 0);
	declare(loads, pipeline, YAML(", name: text", "", ""));
	loads_source(loads, "INSERT INTO sale VALUES (4, 1, 40, '2024-01-01', 'y')");
	loads_load(loads, "fact_sale", 0);
	assert_string_equal(loads_ask(loads, "SELECT sale_id, amount FROM fact_sale ORDER BY 1"),
	    "1 10\n2 20\n3 30\n4 -");
	assert_string_equal(loads_ask(loads, log_of), "public.fact_sale amount nullable NOT NULL NULL");
	loads_free(loads);
}

static void
test_refused(void **state)
{
	struct loads_pipeline *pipeline = pipeline_new();
	struct loads *loads;

	(void)state;
	declare(NULL, pipeline, YAML(", name: text", ", amount: integer", ""));
	loads = loads_new_of(pipeline);
	loads_load(loads, "dim_part", -1);
	loads_load(loads, "fact_sale", 0);
	refused(loads, pipeline, YAML(", name: text", ", amount: text", ""),
	    "amount is integer, declared text: types only widen");
	refused(loads, pipeline, YAML(", name: text", ", amount: integer, note: {type: text, not_null: true}", ""),
	    "fact_sale.note cannot become NOT NULL");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.ddl_log WHERE change <> 'created'"), "0");
	loads_do(loads, "DELETE FROM fact_sale");
	declare(loads, pipeline, YAML(", name: text", ", amount: integer, note: {type: text, not_null: true}", ""));
	loads_load(loads, "fact_sale", 0);
	/* A column that must have a value, beside an unknown member that has none. */
	loads_do(loads, "DELETE FROM fact_sale; DELETE FROM dim_part WHERE dim_part_key <> -1");
	declare(loads, pipeline, YAML(", name: text, colour: {type: text, not_null: true}", ", amount: integer", ""));
	assert_string_equal(loads_ask(loads, "SELECT colour FROM dim_part"), "unknown");
	loads_free(loads);
}

/* A table that was made with another key, kind, surrogate, time or history is not what is declared now, whatever version was active. */
static void
test_declared_again_as_another(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
	    {"key: [part_id]", "key: [old_id]",
		"pipeline.yaml:10:5: dim_part: 'key' was part_id when it was made, and is old_id now"},
	    {"key: [part_id]", "key: [part_id]\n    surrogate: number",
		"pipeline.yaml:11:16: dim_part: 'surrogate' was dim_part_key when it was made, and is number now"},
	    {"history: { scd: 2, valid_from: seen }", "history: { scd: 1, valid_from: seen }",
		"pipeline.yaml:12:5: dim_part: 'history' was scd 2 when it was made, and is without versions now"},
	    {"grain: [sale_id]", "grain: [part_id, sale_id]",
		"pipeline.yaml:16:5: fact_sale: 'grain' was sale_id when it was made, and is part_id, sale_id now"},
	    {"time: sold_at", "time: paid_at",
		"pipeline.yaml:18:11: fact_sale: 'time' was sold_at when it was made, and is paid_at now"},
	    {"grain: [sale_id]", "grain: [sale_id]\n    surrogate: sale_key",
		"pipeline.yaml:17:16: fact_sale: 'surrogate' was not there when it was made, and is sale_key now"},
	    {"    kind: fact\n", "    kind: dimension\n",
		"pipeline.yaml:14:11: fact_sale: 'kind' was fact when it was made"},
	};
	struct loads_pipeline *pipeline = pipeline_new();
	static const char yaml[] = YAML(", name: text, old_id: integer", ", paid_at: timestamptz", "");
	struct loads *loads;

	(void)state;
	declare(NULL, pipeline, yaml);
	loads = loads_new_of(pipeline);
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		const char *at = strstr(yaml, cases[i].from);
		char *edited =
		    ctx_printf(loads->ctx, "%.*s%s%s", (int)(at - yaml), yaml, cases[i].to, at + strlen(cases[i].from));

		if (strstr(cases[i].to, "scd: 1") != NULL)
			memset(strstr(edited, ", as_of: sold_at"), ' ', sizeof(", as_of: sold_at") - 1);
		if (strstr(cases[i].to, "kind: dimension") != NULL) {
			*strstr(edited, "    time: sold_at") = '\0';
			memcpy(strstr(edited, "grain: [sale"), "key  : [sale", 12);
			memcpy(strstr(edited, "sale.sql"), "part", 4);
		}
		refused(loads, pipeline, edited, cases[i].says);
	}
	declare(loads, pipeline, yaml);
	loads_free(loads);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_new_columns),
	    cmocka_unit_test(test_widening),
	    cmocka_unit_test(test_grants_stay),
	    cmocka_unit_test(test_nothing_to_do_is_no_ddl),
	    cmocka_unit_test(test_nothing_to_do_locks_nothing),
	    cmocka_unit_test(test_vanished),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_declared_again_as_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
