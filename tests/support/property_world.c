/* property_world: the databases of a world, its pipeline, and how a sequence begins and ends. */
#include <stdio.h>

#include "base/bug.h"
#include "base/fail.h"
#include "sql/pipeline_store.h"
#include "sql/replica_store.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/property.h"

const char *const property_tables[TABLES] = {"dim_kind", "dim_part", "fact_sale", "fact_total", "fact_seen"};

static const char document[] =
    "spec: 1\n"
    "pipeline: shop\n"
    "warehouse: warehouse\n"
    "defaults:\n"
    "  slice: P1D\n"
    "  retry: { attempts: 3 }\n"
    "  timeouts: { statement: 30s, lock: 10s }\n"
    "  guards: { empty: off, shrink: off, close: off, change: off }\n"
    "sources:\n"
    "  shop: { type: postgres, connection: shop }\n"
    "tables:\n"
    "  dim_kind:\n"
    "    kind: dimension\n"
    "    source: { from: shop, query: kind.sql }\n"
    "    surrogate: kind_key\n"
    "    key: [kind_id]\n"
    "    columns: { kind_id: integer, label: integer }\n"
    "  dim_part:\n"
    "    kind: dimension\n"
    "    source: { from: shop, query: part.sql }\n"
    "    surrogate: part_key\n"
    "    key: [part_id]\n"
    "    columns: { part_id: integer, name: integer, since: timestamptz }\n"
    "    history: { scd: 2, valid_from: since, deletes: ignore }\n"
    "  fact_sale:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: sale.sql }\n"
    "    surrogate: sale_key\n"
    "    grain: [sale_id]\n"
    "    columns: { sale_id: integer, part_id: integer, kind_id: integer, sold_at: timestamptz, amount: integer,\n"
    "               grade: integer, changed_at: timestamptz }\n"
    "    time: sold_at\n"
    "    begin: 2024-01-01\n"
    "    changed_by: changed_at\n"
    "    lookback: 1\n"
    "    on_error: continue\n"
    "    lookups:\n"
    "      part_key: { dimension: dim_part, match: part_id, as_of: sold_at }\n"
    "      kind_key: { dimension: dim_kind, match: kind_id }\n"
    "  fact_total:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: total.sql }\n"
    "    grain: [sale_id]\n"
    "    columns: { sale_id: integer, sold_at: timestamptz, amount: integer }\n"
    "    write: replace_all\n"
    "  fact_seen:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: seen.sql }\n"
    "    grain: [sale_id]\n"
    "    columns: { sale_id: integer, sold_at: timestamptz, amount: integer, changed_at: timestamptz }\n"
    "    time: sold_at\n"
    "    begin: 2024-01-01\n"
    "    changed_by: changed_at\n"
    "    write: upsert\n"
    "checks:\n"
    "  - { name: staged, kind: validity, table: fact_sale, rule: grade <> 1 }\n"
    "  - { name: published, kind: validity, table: fact_sale, rule: grade <> 2, gate: published }\n";

static struct spec_file files[] = {
    {"kind.sql", "SELECT * FROM kind"},
    {"part.sql", "SELECT * FROM part"},
    {"pipeline.yaml", document},
    {"sale.sql", "SELECT * FROM sale WHERE sold_at >= :from AND sold_at < :to"},
    {"seen.sql", "SELECT sale_id, sold_at, amount, changed_at FROM sale WHERE sold_at >= :from AND sold_at < :to"},
    {"total.sql", "SELECT sale_id, sold_at, amount FROM sale"},
};

static void
must(struct world *world, bool ok)
{
	if (ok)
		return;
	(void)fprintf(stderr, "%s\n%s\n", world->said.data, ctx_failure(world->own)->message);
	ASSERT(!"a test's own statement failed");
}

void
world_do(struct world *world, struct pg *pg, const char *sql)
{
	must(world, pg_run(world->own, pg, sql));
}

struct pg_rows
world_ask(struct world *world, struct pg *pg, const char *sql)
{
	struct pg_rows rows = {0};

	must(world, pg_query(world->own, pg, sql, PG_NO_PARAMS, &rows));
	return rows;
}

struct pg_rows
world_ask_again(struct world *world, struct pg *pg, const char *name, const char *sql)
{
	struct pg_rows rows = {0};

	must(world, pg_query_prepared(world->own, pg, name, sql, PG_NO_PARAMS, &rows));
	return rows;
}

/* splitmix64: any seed is a good one. */
int64_t
world_random(struct world *world, int64_t below)
{
	uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (int64_t)((z ^ (z >> 31)) % (uint64_t)below);
}

bool
world_chance(struct world *world, int percent)
{
	return world_random(world, 100) < percent;
}

void
world_say(struct world *world, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	text_addf(&world->said, "%*s%s\n", 2 + 4 * world->depth, "", ctx_vprintf(world->own, fmt, args));
	va_end(args);
}

/* The first thing that is wrong stays. */
void
world_wrong(struct world *world, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (world->wrong == NULL)
		world->wrong = ctx_vprintf(world->own, fmt, args);
	va_end(args);
}

static void
apply_pipeline(struct world *world)
{
	struct spec_files list = {.items = files, .count = LENGTH_OF(files)};
	struct pipeline_offer offer = {.files = spec_files_to_json(world->own, &list), .by = "tester"};
	struct spec_error *errors;
	struct spec *spec;
	bool changed, stored;

	must(world, spec_parse(world->own, &list, &spec, &errors));
	offer.pipeline = spec->pipeline;
	offer.hash = spec->hash;
	world->spec_hash = ctx_strdup(world->ctx, spec->hash);
	must(world, pipeline_known(world->own, world->control, offer.pipeline, offer.hash, &offer.expected, &stored) &&
			pipeline_apply(world->own, world->control, &offer, &changed));
}

static void
make_source(struct world *world)
{
	WORLD_DO(world->origin,
	    "CREATE SCHEMA fake; CREATE TABLE fake.clock AS SELECT now() AS at;"
	    "CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM fake.clock';"
	    "ALTER DATABASE %s SET search_path = fake, pg_catalog, public;"
	    "CREATE TABLE kind (kind_id int PRIMARY KEY, label int);"
	    "CREATE TABLE part (part_id int PRIMARY KEY, name int, since timestamptz);"
	    "CREATE TABLE sale (sale_id int PRIMARY KEY, part_id int, kind_id int, sold_at timestamptz, amount int,"
	    "  grade int, changed_at timestamptz)",
	    world->source_database);
}

static void
make_engine(struct world *world, struct engine *engine)
{
	engine->options = (struct engine_options){.config = &world->config,
	    .pool = world->pool,
	    .catalog = world->catalog,
	    .control_id = world->control_id,
	    .workers = 1};
	engine->worker_count = 2;
	ASSERT(pthread_mutex_init(&engine->lock, NULL) == 0);
	ASSERT(pthread_cond_init(&engine->wake_claimer, NULL) == 0);
	ASSERT(pthread_cond_init(&engine->wake_workers, NULL) == 0);
	atomic_store(&engine->stopping, true); /* worker_main returns when nothing is left, and reports once */
}

struct world *
world_new(struct ctx *ctx, int place)
{
	struct world *world = ctx_alloc(ctx, sizeof(*world));
	struct secret source, warehouse;
	int64_t epoch;

	world->ctx = world->own = ctx;
	world->place = place;
	text_init(&world->said, ctx);
	world->source_database = ctx_printf(ctx, "source_%d", place);
	world->warehouse_database = ctx_printf(ctx, "warehouse_%d", place);
	world->control_url = pg_cluster_control(ctx, ctx_printf(ctx, "control_%d", place));
	source = pg_cluster_url(ctx, world->source_database);
	warehouse = pg_cluster_url(ctx, world->warehouse_database);
	config_add_connection(ctx, &world->config, "shop", source.hidden);
	config_add_connection(ctx, &world->config, "warehouse", warehouse.hidden);
	world->config.home = "/nonexistent";
	world->control = pg_cluster_open(ctx, ctx_printf(ctx, "control_%d", place));
	world->origin = pg_cluster_open(ctx, world->source_database);
	world->warehouse = pg_cluster_open(ctx, world->warehouse_database);
	world->pool = pool_new(&world->control_url, 4);
	world->catalog = catalog_new();
	must(world, control_identity(ctx, world->control, &world->control_id, &epoch));
	make_source(world);
	apply_pipeline(world);
	for (int i = 0; i < ENGINES; i++)
		make_engine(world, &world->engines[i]);
	return world;
}

void
world_free(struct world *world)
{
	catalog_free(world->catalog);
	pool_free(world->pool);
}

/* One transaction, for the reader. */
static void
empty_warehouse(struct world *world)
{
	struct pg_rows rows = world_ask(world, world->warehouse, "SELECT to_regclass('loadstar.slice_ledger')");

	if (pg_value(&rows, 0, 0) == NULL)
		return;
	rows = world_ask(world, world->warehouse,
	    "SELECT string_agg(format('DELETE FROM %s%s', c.oid::regclass, CASE c.relname WHEN 'dim_kind' THEN"
	    "         ' WHERE kind_key <> -1' WHEN 'dim_part' THEN ' WHERE part_key <> -1' ELSE '' END), ';')"
	    "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	    " WHERE c.relkind = 'r' AND n.nspname IN ('public', 'loadstar') AND c.relname NOT IN ('control')");
	world_do(world, world->warehouse, pg_value(&rows, 0, 0));
}

void
world_begin(struct world *world, uint64_t seed)
{
	world->own = ctx_new("sequence", 0);
	world->random = seed;
	world->model = (struct model){0};
	world->extractions = NULL;
	world->serial = 0;
	world->wrong = NULL;
	text_init(&world->said, world->own);
	WORLD_DO(world->control,
	    "DELETE FROM control.outbox; DELETE FROM control.log; DELETE FROM control.log_counter;"
	    "DELETE FROM control.quality; DELETE FROM control.attempt; DELETE FROM control.step;"
	    "DELETE FROM control.idempotency; DELETE FROM control.run; DELETE FROM control.replica");
	for (int i = 0; i < ENGINES; i++)
		world->lost[i] = true;
	empty_warehouse(world);
	source_begin(world);
}

void
world_end(struct world *world)
{
	ctx_free(world->own);
	world->own = world->ctx;
}
