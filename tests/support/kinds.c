#include "tests/support/kinds.h"

#include "base/bug.h"

static const char document[] = "spec: 1\n"
			       "pipeline: kinds\n"
			       "warehouse: warehouse\n"
			       "timezone: Europe/Zurich\n"
			       "defaults: { slice: P1D, timeouts: { statement: 1m, lock: 10s } }\n"
			       "sources:\n"
			       "  shop: { type: postgres, connection: shop }\n"
			       "tables:\n"
			       "  dim_first:\n"
			       "    kind: dimension\n"
			       "    source: { from: shop, query: first.sql }\n"
			       "    surrogate: first_key\n"
			       "    key: [id]\n"
			       "    columns: { id: integer, name: text, note: text }\n"
			       "    write: append\n"
			       "  dim_now:\n"
			       "    kind: dimension\n"
			       "    source: { from: shop, query: now.sql }\n"
			       "    surrogate: now_key\n"
			       "    key: [id]\n"
			       "    columns: { id: integer, name: text, note: { type: text, not_null: true } }\n"
			       "    history: { scd: 1 }\n"
			       "  dim_list:\n"
			       "    kind: dimension\n"
			       "    source: { from: shop, query: list.sql }\n"
			       "    surrogate: list_key\n"
			       "    key: [id]\n"
			       "    columns: { id: integer, name: text, note: text }\n"
			       "    write: replace\n"
			       "  dim_past:\n"
			       "    kind: dimension\n"
			       "    source: { from: shop, query: past.sql }\n"
			       "    surrogate: past_key\n"
			       "    key: [id]\n"
			       "    columns: { id: integer, name: text, note: text, since: timestamptz }\n"
			       "    history: { scd: 2, valid_from: since, deletes: ignore }\n";

static struct spec_file files[] = {
    {"first.sql", "SELECT * FROM dim_first"},
    {"list.sql", "SELECT * FROM dim_list"},
    {"now.sql", "SELECT * FROM dim_now"},
    {"past.sql", "SELECT * FROM dim_past"},
    {"pipeline.yaml", document},
};

static const char source_tables[] = "DROP TABLE IF EXISTS dim_first, dim_now, dim_list, dim_past;"
				    "CREATE TABLE dim_first (id int, name text, note text);"
				    "CREATE TABLE dim_now (id int, name text, note text);"
				    "CREATE TABLE dim_list (id int, name text, note text);"
				    "CREATE TABLE dim_past (id int, name text, note text, since timestamptz);";

const struct loads_pipeline kinds_pipeline = {
    .files = files,
    .count = LENGTH_OF(files),
    .source_tables = source_tables,
    .no_tables = "DROP TABLE IF EXISTS dim_first, dim_now, dim_list, dim_past",
};
