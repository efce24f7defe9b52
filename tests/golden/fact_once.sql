-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_once" (
    "id" integer NOT NULL,
    "list_id" integer,
    "amount" numeric(10,2),
    "day" timestamp with time zone,
    "list_key" bigint NOT NULL,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_once_grain"') IS NULL THEN
    CREATE UNIQUE INDEX "fact_once_grain" ON "public"."fact_once" ("id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_once_time"') IS NULL THEN
    CREATE INDEX "fact_once_time" ON "public"."fact_once" ("day");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_once_by_list_id"') IS NULL THEN
    CREATE INDEX "fact_once_by_list_id" ON "public"."fact_once" ("list_id");
END IF; END $ddl$;

-- extract
SELECT "id", "list_id", "amount", "day"
  FROM (
SELECT * FROM fact_once WHERE day >= timestamp with time zone '1970-01-01T00:00:00Z' AND day < timestamp with time zone '1970-01-02T00:00:00Z'
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
ANALYZE loadstar_stage ("id", "day", "list_id");

-- stage: look for rows without a key
SELECT count(*) AS n, concat_ws(', ',
           CASE WHEN bool_or("id" IS NULL) THEN 'id' END,
           CASE WHEN bool_or("day" IS NULL) THEN 'day' END) AS detail
  FROM loadstar_stage
 WHERE "id" IS NULL OR "day" IS NULL;

-- stage: drop rows of other slices
DELETE FROM loadstar_stage WHERE "day" < :from OR "day" >= :to;

-- stage: find duplicates
CREATE TEMP TABLE loadstar_duplicates AS
SELECT "id" FROM loadstar_stage GROUP BY "id" HAVING count(*) > 1;

-- stage: analyze duplicates
ANALYZE loadstar_duplicates;

-- stage: drop duplicates
DELETE FROM loadstar_stage s
 USING (SELECT d.stage_row, row_number() OVER (PARTITION BY d."id" ORDER BY d.stage_row DESC) AS place
          FROM loadstar_stage d JOIN loadstar_duplicates u ON d."id" = u."id") ranked
 WHERE ranked.place > 1 AND s.stage_row = ranked.stage_row;

-- publish: lock public.dim_list, shared
-- publish: lock public.fact_once
-- publish: count what the slice holds
SELECT count(*) AS held FROM "public"."fact_once" t WHERE t."day" >= :from AND t."day" < :to;

-- publish: resolve staged rows
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT s."id", s."list_id", s."amount", s."day", COALESCE(l1.loadstar_key, -1) AS "list_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
         WHERE d."list_key" <> -1 AND d.is_current) l1
         ON l1."id" = s."list_id";

-- publish: analyze resolved rows
ANALYZE loadstar_rows ("id");

-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_once" t JOIN loadstar_rows r ON t."id" = r."id";

-- publish: insert new rows
WITH written AS (
    INSERT INTO "public"."fact_once" AS t ("id", "list_id", "amount", "day", "list_key", load_id, loaded_at)
    SELECT r."id", r."list_id", r."amount", r."day", r."list_key", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM "public"."fact_once" o WHERE o."id" = r."id")
    RETURNING t."id")
SELECT count(*) AS inserted, count(*) AS rows_opened FROM written;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged
  FROM "public"."fact_once" t JOIN loadstar_rows r ON t."id" = r."id";

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."id", t."list_id", t."amount", t."day", t."list_key" = -1), 0)), 0)
  FROM "public"."fact_once" t
 WHERE t."day" >= :from AND t."day" < :to;
