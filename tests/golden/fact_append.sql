-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_append" (
    "id" integer,
    "list_id" integer,
    "amount" numeric(10,2),
    "day" timestamp with time zone,
    "list_key" bigint NOT NULL,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_append_time"') IS NULL THEN
    CREATE INDEX "fact_append_time" ON "public"."fact_append" ("day");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_append_by_list_id"') IS NULL THEN
    CREATE INDEX "fact_append_by_list_id" ON "public"."fact_append" ("list_id");
END IF; END $ddl$;

-- extract
SELECT "id", "list_id", "amount", "day"
  FROM (
SELECT * FROM fact_append WHERE day >= timestamp with time zone '1970-01-01T00:00:00Z' AND day < timestamp with time zone '1970-01-02T00:00:00Z'
) AS loadstar_source;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "id" integer,
    "list_id" integer,
    "amount" numeric(10,2),
    "day" timestamp with time zone,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("id", "list_id", "amount", "day") FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("day", "list_id");

-- stage: look for rows without a key
SELECT count(*) AS n, concat_ws(', ',
           CASE WHEN bool_or("day" IS NULL) THEN 'day' END) AS detail
  FROM loadstar_stage
 WHERE "day" IS NULL;

-- stage: drop rows of other slices
DELETE FROM loadstar_stage WHERE "day" < :from OR "day" >= :to;

-- publish: lock public.dim_list, shared
-- publish: lock public.fact_append
-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_append" t WHERE t."day" >= :from AND t."day" < :to;

-- publish: insert rows into the empty slice (into an empty slice)
WITH written AS (
    INSERT INTO "public"."fact_append" ("id", "list_id", "amount", "day", "list_key", load_id, loaded_at)
    SELECT r."id", r."list_id", r."amount", r."day", r."list_key", :load_id, now()
      FROM (SELECT s."id", s."list_id", s."amount", s."day", COALESCE(l1.loadstar_key, -1) AS "list_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
         WHERE d."list_key" <> -1 AND d.is_current) l1
         ON l1."id" = s."list_id") r
    RETURNING 1)
SELECT count(*) AS inserted, count(*) AS rows_opened FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT r.*, row_number() OVER () AS loadstar_number,
       hash_record_extended(ROW(r."id", r."list_id", r."amount", r."day"), 0) AS loadstar_hash,
       row_number() OVER (PARTITION BY r."id", r."list_id", r."amount", r."day") AS loadstar_place
  FROM (SELECT s."id", s."list_id", s."amount", s."day", COALESCE(l1.loadstar_key, -1) AS "list_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
         WHERE d."list_key" <> -1 AND d.is_current) l1
         ON l1."id" = s."list_id") r;

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows (loadstar_hash, loadstar_place);

-- publish: match rows by content (into a slice with rows)
CREATE TEMP TABLE loadstar_there ON COMMIT DROP AS
SELECT h.loadstar_row, r.loadstar_number
  FROM (SELECT t.ctid AS loadstar_row, t."id", t."list_id", t."amount", t."day",
       hash_record_extended(ROW(t."id", t."list_id", t."amount", t."day"), 0) AS loadstar_hash,
       row_number() OVER (PARTITION BY t."id", t."list_id", t."amount", t."day") AS loadstar_place
          FROM "public"."fact_append" t WHERE t."day" >= :from AND t."day" < :to) h
  LEFT JOIN loadstar_rows r ON r.loadstar_hash = h.loadstar_hash AND r.loadstar_place = h.loadstar_place
       AND NOT (ROW(h."id", h."list_id", h."amount", h."day") IS DISTINCT FROM ROW(r."id", r."list_id", r."amount", r."day"));

-- publish: delete rows that are not there any more (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_append" t USING loadstar_there h
     WHERE t.ctid = h.loadstar_row AND h.loadstar_number IS NULL RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT h.loadstar_row, r."list_key"
      FROM loadstar_there h JOIN loadstar_rows r ON r.loadstar_number = h.loadstar_number
      JOIN "public"."fact_append" t ON t.ctid = h.loadstar_row
     WHERE ROW(t."list_key") IS DISTINCT FROM ROW(r."list_key")),
written AS (
    UPDATE "public"."fact_append" t SET "list_key" = r."list_key", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH written AS (
    INSERT INTO "public"."fact_append" ("id", "list_id", "amount", "day", "list_key", load_id, loaded_at)
    SELECT r."id", r."list_id", r."amount", r."day", r."list_key", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM loadstar_there h WHERE h.loadstar_number = r.loadstar_number)
    RETURNING 1)
SELECT count(*) AS inserted, count(*) AS rows_opened FROM written;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged
  FROM "public"."fact_append" t
 WHERE t."day" >= :from AND t."day" < :to;

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."id", t."list_id", t."amount", t."day", t."list_key" = -1), 0)), 0)
  FROM "public"."fact_append" t
 WHERE t."day" >= :from AND t."day" < :to;
