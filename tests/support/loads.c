#include "tests/support/loads.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "tests/support/pg_cluster.h"

static const char document[] =
    "spec: 1\n"
    "pipeline: shop\n"
    "warehouse: warehouse\n"
    "defaults: { slice: P1D, timeouts: { statement: 1m, lock: 10s } }\n"
    "sources:\n"
    "  shop: { type: postgres, connection: shop }\n"
    "tables:\n"
    "  dim_part:\n"
    "    kind: dimension\n"
    "    source: { from: shop, query: part.sql }\n"
    "    surrogate: part_key\n"
    "    key: [part_id]\n"
    "    columns: { part_id: text, name: text, price: 'numeric(10,2)', since: timestamptz }\n"
    "    history: { scd: 2, track: all, valid_from: since, deletes: close }\n"
    "  dim_tag:\n"
    "    kind: dimension\n"
    "    source: { from: shop, query: tag.sql }\n"
    "    surrogate: tag_key\n"
    "    key: [shop_id, tag_id]\n"
    "    columns: { shop_id: integer, tag_id: integer, colour: text, note: text }\n"
    "    history: { scd: 2, track: [colour], deletes: ignore }\n"
    "  dim_kind:\n"
    "    kind: dimension\n"
    "    source: { from: shop, query: kind.sql }\n"
    "    surrogate: kind_key\n"
    "    key: [kind_id]\n"
    "    columns: { kind_id: integer, label: text }\n"
    "  fact_sale:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: sale.sql }\n"
    "    surrogate: sale_key\n"
    "    grain: [sale_id]\n"
    "    columns: { sale_id: bigint, part_id: text, shop_id: integer, tag_id: integer, kind_id: integer,\n"
    "               sold_at: timestamptz, amount: 'numeric(10,2)', changed_at: timestamptz }\n"
    "    time: sold_at\n"
    "    begin: 2024-01-01\n"
    "    lag: 0s\n"
    "    changed_by: changed_at\n"
    "    write: replace_range\n"
    "    lookups:\n"
    "      part_key: { dimension: dim_part, match: part_id, as_of: sold_at, missing: unknown }\n"
    "      tag_key: { dimension: dim_tag, match: [shop_id, tag_id], as_of: sold_at, missing: unknown }\n"
    "      kind_key: { dimension: dim_kind, match: kind_id, missing: fail }\n";

static struct spec_file files[] = {
    {"kind.sql", "SELECT kind_id, label FROM kind"},
    {"part.sql", "SELECT part_id, name, price, since FROM part"},
    {"pipeline.yaml", document},
    {"sale.sql", "SELECT * FROM sale WHERE sold_at >= :from AND sold_at < :to"},
    {"tag.sql", "SELECT * FROM tag"},
};

static const char source_tables[] =
    "DROP TABLE IF EXISTS part, tag, kind, sale;"
    "CREATE TABLE part (part_id varchar(20), name text, price numeric(10,2), since timestamptz);"
    "CREATE TABLE tag (shop_id int, tag_id int, colour text, note text);"
    "CREATE TABLE kind (kind_id int, label text);"
    "CREATE TABLE sale (sale_id bigint, part_id text, shop_id int, tag_id int, kind_id int, sold_at timestamptz,"
    "  amount numeric(10,2), changed_at timestamptz DEFAULT now(), ignored text)";

static const struct loads_pipeline shop = {
    .files = files,
    .count = LENGTH_OF(files),
    .source_tables = source_tables,
    .no_tables = "DROP TABLE IF EXISTS dim_part, dim_tag, dim_kind, fact_sale",
};

static void
must(struct loads *loads, bool ok)
{
	if (!ok) {
		fprintf(stderr, "%s\n", ctx_failure(loads->ctx)->message);
		ASSERT(!"a test's own statement failed");
	}
}

void
loads_source(struct loads *loads, const char *sql)
{
	must(loads, pg_run(loads->ctx, loads->source, sql));
}

void
loads_do(struct loads *loads, const char *sql)
{
	must(loads, pg_run(loads->ctx, loads->warehouse, sql));
}

static const char *
ask(struct loads *loads, struct pg *pg, const char *sql)
{
	struct pg_rows rows;
	struct text out;

	text_init(&out, loads->ctx);
	must(loads, pg_query(loads->ctx, pg, sql, PG_NO_PARAMS, &rows));
	for (int row = 0; row < rows.count; row++)
		for (int column = 0; column < rows.columns; column++) {
			const char *value = pg_value(&rows, row, column);

			text_addf(&out, "%s%s", column > 0 ? " " : row > 0 ? "\n" : "", value != NULL ? value : "-");
		}
	return out.data;
}

const char *
loads_ask(struct loads *loads, const char *sql)
{
	return ask(loads, loads->warehouse, sql);
}

const char *
loads_ask_source(struct loads *loads, const char *sql)
{
	return ask(loads, loads->source, sql);
}

static void
apply_ddl(struct loads *loads)
{
	struct slice_job job = loads_job(loads, loads->spec->tables[0].name, -1);
	const struct spec_table **tables = ctx_alloc_array(loads->ctx, loads->spec->table_count, sizeof(*tables));

	for (size_t i = 0; i < loads->spec->table_count; i++)
		tables[i] = &loads->spec->tables[i];
	must(loads, slice_apply_ddl(loads->ctx, &job, tables, loads->spec->table_count));
}

const struct spec *
loads_spec_of(struct ctx *ctx, const struct loads_pipeline *pipeline)
{
	struct spec_files list = {.items = pipeline->files, .count = pipeline->count};
	struct spec_error *errors;
	struct spec *spec;

	if (!spec_parse(ctx, &list, &spec, &errors)) {
		fprintf(stderr, "%s\n", ctx_failure(ctx)->message);
		ASSERT(!"the test's own pipeline is wrong");
	}
	return spec;
}

const struct spec *
loads_spec(struct ctx *ctx)
{
	return loads_spec_of(ctx, &shop);
}

struct loads *
loads_new(void)
{
	return loads_new_of(&shop);
}

void
loads_redeclare(struct loads *loads, const struct loads_pipeline *pipeline)
{
	loads->spec = loads_spec_of(loads->ctx, pipeline);
	apply_ddl(loads);
}

struct loads *
loads_new_of(const struct loads_pipeline *pipeline)
{
	struct ctx *ctx = ctx_new("loads", 0);
	struct loads *loads = ctx_alloc(ctx, sizeof(*loads));
	char *argv[] = {NULL};
	int argc = 0;

	loads->ctx = ctx;
	must(loads, config_load(ctx, &argc, argv, &loads->config));
	loads->source = pg_cluster_open(ctx, "slice_source");
	loads->warehouse = pg_cluster_open(ctx, "slice_warehouse");
	config_add_connection(ctx, &loads->config, "shop", pg_cluster_url(ctx, "slice_source").hidden);
	config_add_connection(ctx, &loads->config, "warehouse", pg_cluster_url(ctx, "slice_warehouse").hidden);
	loads_source(loads, pipeline->source_tables);
	loads_do(loads, "DROP SCHEMA IF EXISTS loadstar CASCADE");
	loads_do(loads, pipeline->no_tables);
	loads_redeclare(loads, pipeline);
	return loads;
}

void
loads_free(struct loads *loads)
{
	ctx_free(loads->ctx);
}

struct slice_job
loads_job(struct loads *loads, const char *table, int day)
{
	struct step_claim *claim = ctx_alloc(loads->ctx, sizeof(*claim));
	int64_t start_us = 0;

	ASSERT(clock_parse("2024-01-01", &start_us));
	*claim = (struct step_claim){.id = uuid_make(loads->ctx),
	    .run_id = uuid_make(loads->ctx),
	    .pipeline = loads->spec->pipeline,
	    .kind = "fact",
	    .table = table,
	    .scope = day < 0 ? "table" : "time",
	    .slice = "table",
	    .attempt = 1};
	claim->from_us = day < 0 ? CLOCK_MINUS_INFINITY : start_us + day * CLOCK_DAY_US;
	claim->to_us = day < 0 ? CLOCK_INFINITY : start_us + (day + 1) * CLOCK_DAY_US;
	if (day >= 0)
		claim->slice = ctx_printf(loads->ctx, "%s/%s", clock_format(loads->ctx, claim->from_us),
		    clock_format(loads->ctx, claim->to_us));
	return (struct slice_job){.config = &loads->config,
	    .spec = loads->spec,
	    .table = spec_find_table(loads->spec, table),
	    .claim = claim,
	    .control_id = "test",
	    .epoch = 1,
	    .load_id = (INT64_C(1) << 40) + ++loads->number};
}

struct slice_job
loads_again(struct loads *loads, const struct slice_job *job)
{
	struct slice_job again = *job;
	struct step_claim *claim = ctx_alloc(loads->ctx, sizeof(*claim));

	*claim = *job->claim;
	claim->attempt++;
	again.claim = claim;
	again.load_id = (INT64_C(1) << 40) + ++loads->number;
	return again;
}

enum fail_code
loads_try(struct loads *loads, const struct slice_job *job, struct slice_outcome *outcome)
{
	struct ctx *ctx = ctx_new("load", 0);
	enum fail_code code = FAIL_NONE;

	if (!slice_load(ctx, job, outcome)) {
		code = ctx_failure(ctx)->code;
		loads->failure = ctx_strdup(loads->ctx, ctx_failure(ctx)->message);
	}
	outcome->checks = json_trusted(loads->ctx, json_text(ctx, outcome->checks)); /* they outlive the load */
	outcome->guards = json_trusted(loads->ctx, json_text(ctx, outcome->guards));
	ctx_free(ctx);
	return code;
}

struct slice_outcome
loads_load(struct loads *loads, const char *table, int day)
{
	struct slice_job job = loads_job(loads, table, day);
	struct slice_outcome outcome;

	if (loads_try(loads, &job, &outcome) != FAIL_NONE) {
		fprintf(stderr, "%s: %s\n", table, loads->failure);
		ASSERT(!"a load failed");
	}
	return outcome;
}
