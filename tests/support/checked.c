#include "tests/support/checked.h"

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/plan.h"

static const char document[] =
    "spec: 1\n"
    "pipeline: shop\n"
    "warehouse: warehouse\n"
    "defaults: { slice: P1D, timeouts: { statement: 1m, lock: 10s } }\n"
    "sources:\n"
    "  shop: { type: postgres, connection: shop }\n"
    "tables:\n"
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
    "    columns: { sale_id: bigint, kind_id: integer, sold_at: timestamptz, amount: 'numeric(10,2)', note: text }\n"
    "    time: sold_at\n"
    "    begin: 2024-01-01\n"
    "    lookups: { kind_key: { dimension: dim_kind, match: kind_id, missing: unknown } }\n"
    "checks:\n";

const struct loads_pipeline *
checked_pipeline(struct ctx *ctx, const char *checks)
{
	struct loads_pipeline *pipeline = ctx_alloc(ctx, sizeof(*pipeline));

	pipeline->count = 4;
	pipeline->files = ctx_alloc_array(ctx, pipeline->count, sizeof(*pipeline->files));
	pipeline->files[0] = (struct spec_file){"checks/few.sql", "-- how many kinds\nSELECT count(*) FROM dim_kind\n"};
	pipeline->files[1] = (struct spec_file){"kind.sql", "SELECT kind_id, label FROM kind"};
	pipeline->files[2] = (struct spec_file){"pipeline.yaml", ctx_printf(ctx, "%s%s", document, checks)};
	pipeline->files[3] =
	    (struct spec_file){"sale.sql", "SELECT * FROM sale WHERE sold_at >= :from AND sold_at < :to"};
	pipeline->source_tables =
	    "DROP TABLE IF EXISTS kind, sale;"
	    "CREATE TABLE kind (kind_id int, label text);"
	    "CREATE TABLE sale (sale_id bigint, kind_id int, sold_at timestamptz, amount numeric(10,2), note text)";
	pipeline->no_tables = "DROP TABLE IF EXISTS dim_kind, fact_sale";
	return pipeline;
}

const struct spec *
checked_spec(struct ctx *ctx, const char *checks)
{
	return loads_spec_of(ctx, checked_pipeline(ctx, checks));
}

const char *
checked_results(struct loads *loads, const struct slice_outcome *outcome)
{
	const json_t *result;
	struct text out;
	size_t i;

	text_init(&out, loads->ctx);
	json_array_foreach(outcome->checks, i, result)
		text_addf(&out, "%s%s %s %s", i == 0 ? "" : "\n", json_string_or(result, "check", "?"),
		    json_string_or(result, "status", "?"), json_string_or(result, "observed", "-"));
	return out.data;
}

struct slice_job
checked_job_after(struct loads *loads, const char *table)
{
	struct slice_job job = loads_job(loads, "fact_sale", -1);
	struct step_claim *claim = ctx_alloc(loads->ctx, sizeof(*claim));
	json_t *tables = json_new_array(loads->ctx);

	json_add_string(loads->ctx, tables, "fact_sale");
	*claim = *job.claim;
	claim->table = table;
	claim->scope = claim->slice = NULL;
	claim->run_type = "facts";
	claim->tables = tables;
	job.claim = claim;
	job.table = table != NULL ? job.table : NULL;
	return job;
}

enum fail_code
checked_ask(struct loads *loads, struct slice_job *job, struct slice_outcome *outcome)
{
	struct ctx *ctx = ctx_new("check", 0);
	const struct spec_check **due;
	enum fail_code code = FAIL_NONE;
	size_t count;

	plan_checks(loads->ctx, loads->spec, job->claim, &due, &count);
	if (!slice_ask_checks(ctx, job, due, count, outcome)) {
		code = ctx_failure(ctx)->code;
		loads->failure = ctx_strdup(loads->ctx, ctx_failure(ctx)->message);
	}
	outcome->checks = json_trusted(loads->ctx, json_text(ctx, outcome->checks));
	ctx_free(ctx);
	return code;
}

enum fail_code
checked_after(struct loads *loads, const char *table, struct slice_outcome *outcome)
{
	struct slice_job job = checked_job_after(loads, table);

	return checked_ask(loads, &job, outcome);
}

const json_t *
checked_result(const struct slice_outcome *outcome, const char *check)
{
	const json_t *result;
	size_t i;

	json_array_foreach(outcome->checks, i, result)
		if (text_equal(json_string_or(result, "check", NULL), check))
			return result;
	return NULL;
}
