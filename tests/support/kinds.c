#include "tests/support/kinds.h"

#include "base/bug.h"

static const char document[] =
    "spec: 1\n"
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
    "    history: { scd: 2, valid_from: since, deletes: ignore }\n"
    "  fact_append:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: append.sql }\n"
    "    columns: { id: integer, list_id: integer, amount: 'numeric(10,2)', day: timestamptz }\n"
    "    time: day\n"
    "    begin: 2024-01-01\n"
    "    write: append\n"
    "    lookups: { list_key: { dimension: dim_list, match: list_id } }\n"
    "  fact_once:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: once.sql }\n"
    "    grain: [id]\n"
    "    columns: { id: integer, list_id: integer, amount: 'numeric(10,2)', day: timestamptz }\n"
    "    time: day\n"
    "    begin: 2024-01-01\n"
    "    write: append\n"
    "    lookups: { list_key: { dimension: dim_list, match: list_id } }\n"
    "  fact_upsert:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: upsert.sql }\n"
    "    surrogate: upsert_key\n"
    "    grain: [id]\n"
    "    columns: { id: integer, list_id: integer, amount: 'numeric(10,2)', day: timestamptz }\n"
    "    time: day\n"
    "    begin: 2024-01-01\n"
    "    write: upsert\n"
    "    lookups: { list_key: { dimension: dim_list, match: list_id } }\n"
    "  fact_all:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: all.sql }\n"
    "    surrogate: all_key\n"
    "    grain: [id]\n"
    "    columns: { id: integer, list_id: integer, amount: 'numeric(10,2)', day: timestamptz }\n"
    "    write: replace_all\n"
    "    lookups: { list_key: { dimension: dim_list, match: list_id } }\n"
    "  fact_guess:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: guess.sql }\n"
    "    grain: [id]\n"
    "    columns: { id: integer, first_id: integer, now_id: integer, list_id: integer, past_id: integer, day: timestamptz }\n"
    "    time: day\n"
    "    begin: 2024-01-01\n"
    "    lookups:\n"
    "      first_key: { dimension: dim_first, match: first_id, missing: infer }\n"
    "      now_key: { dimension: dim_now, match: now_id, missing: infer }\n"
    "      list_key: { dimension: dim_list, match: list_id, missing: infer }\n"
    "      past_key: { dimension: dim_past, match: past_id, as_of: day, missing: infer }\n"
    "  fact_ask:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: ask.sql }\n"
    "    grain: [id]\n"
    "    columns: { id: integer, now_id: integer, list_id: integer, past_id: integer, day: timestamptz }\n"
    "    time: day\n"
    "    begin: 2024-01-01\n"
    "    lookups:\n"
    "      now_key: { dimension: dim_now, match: now_id }\n"
    "      list_key: { dimension: dim_list, match: list_id, missing: quarantine }\n"
    "      past_key: { dimension: dim_past, match: past_id, as_of: day, before_first: missing }\n"
    "  fact_line:\n"
    "    kind: fact\n"
    "    source: { from: shop, query: line.sql }\n"
    "    grain: [id, line]\n"
    "    columns: { id: integer, line: integer, all_id: integer, day: timestamptz }\n"
    "    time: day\n"
    "    begin: 2024-01-01\n"
    "    lookups:\n"
    "      upsert_key: { fact: fact_upsert, match: id, missing: quarantine }\n"
    "      all_key: { fact: fact_all, match: all_id }\n";

static struct spec_file files[] = {
    {"all.sql", "SELECT * FROM fact_all"},
    {"append.sql", "SELECT * FROM fact_append WHERE day >= :from AND day < :to"},
    {"ask.sql", "SELECT * FROM fact_ask WHERE day >= :from AND day < :to"},
    {"first.sql", "SELECT * FROM dim_first"},
    {"guess.sql", "SELECT * FROM fact_guess WHERE day >= :from AND day < :to"},
    {"line.sql", "SELECT * FROM fact_line WHERE day >= :from AND day < :to"},
    {"list.sql", "SELECT * FROM dim_list"},
    {"now.sql", "SELECT * FROM dim_now"},
    {"once.sql", "SELECT * FROM fact_once WHERE day >= :from AND day < :to"},
    {"past.sql", "SELECT * FROM dim_past"},
    {"pipeline.yaml", document},
    {"upsert.sql", "SELECT * FROM fact_upsert WHERE day >= :from AND day < :to"},
};

#define TABLES \
	"dim_first, dim_now, dim_list, dim_past, fact_append, fact_once, fact_upsert, fact_all, fact_guess, fact_ask, fact_line"

static const char source_tables[] =
    "DROP TABLE IF EXISTS " TABLES ";"
    "CREATE TABLE dim_first (id int, name text, note text);"
    "CREATE TABLE dim_now (id int, name text, note text);"
    "CREATE TABLE dim_list (id int, name text, note text);"
    "CREATE TABLE dim_past (id int, name text, note text, since timestamptz);"
    "CREATE TABLE fact_append (id int, list_id int, amount numeric(10,2), day timestamptz);"
    "CREATE TABLE fact_once (LIKE fact_append);"
    "CREATE TABLE fact_upsert (LIKE fact_append);"
    "CREATE TABLE fact_all (LIKE fact_append);"
    "CREATE TABLE fact_guess (id int, first_id int, now_id int, list_id int, past_id int, day timestamptz);"
    "CREATE TABLE fact_ask (id int, now_id int, list_id int, past_id int, day timestamptz);"
    "CREATE TABLE fact_line (id int, line int, all_id int, day timestamptz);";

const struct loads_pipeline kinds_pipeline = {
    .files = files,
    .count = LENGTH_OF(files),
    .source_tables = source_tables,
    .no_tables = "DROP TABLE IF EXISTS " TABLES,
};
