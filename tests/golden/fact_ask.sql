-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_ask" (
    "id" integer NOT NULL,
    "now_id" integer,
    "list_id" integer,
    "past_id" integer,
    "day" timestamp with time zone,
    "now_key" bigint NOT NULL,
    "list_key" bigint NOT NULL,
    "past_key" bigint NOT NULL,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_ask_grain"') IS NULL THEN
    CREATE UNIQUE INDEX "fact_ask_grain" ON "public"."fact_ask" ("id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_ask_time"') IS NULL THEN
    CREATE INDEX "fact_ask_time" ON "public"."fact_ask" ("day");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_ask_by_now_id"') IS NULL THEN
    CREATE INDEX "fact_ask_by_now_id" ON "public"."fact_ask" ("now_id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_ask_by_list_id"') IS NULL THEN
    CREATE INDEX "fact_ask_by_list_id" ON "public"."fact_ask" ("list_id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_ask_by_past_id"') IS NULL THEN
    CREATE INDEX "fact_ask_by_past_id" ON "public"."fact_ask" ("past_id");
END IF; END $ddl$;

-- extract
SELECT "id", "now_id", "list_id", "past_id", "day"
  FROM (
SELECT * FROM fact_ask WHERE day >= timestamp with time zone '1970-01-01T00:00:00Z' AND day < timestamp with time zone '1970-01-02T00:00:00Z'
) AS loadstar_source;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "id" integer,
    "now_id" integer,
    "list_id" integer,
    "past_id" integer,
    "day" timestamp with time zone,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("id", "now_id", "list_id", "past_id", "day") FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("id", "day", "now_id", "list_id", "past_id");

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
-- publish: lock public.dim_now, shared
-- publish: lock public.dim_past, shared
-- publish: lock public.fact_ask
-- publish: reject rows without list_key
WITH missing AS (
    SELECT s.stage_row FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
         WHERE d."list_key" <> -1 AND d.is_current) l
         ON l."id" = s."list_id"
     WHERE l.loadstar_key IS NULL),
taken AS (
    DELETE FROM loadstar_stage s USING missing m WHERE s.stage_row = m.stage_row RETURNING s.*)
INSERT INTO loadstar_rejects (stage_row, column_name, rule, raw_text, row_time)
SELECT t.stage_row, 'list_key', 'lookup_missing',
       (to_jsonb(t) - '{stage_row,loadstar_line,file_id}'::text[])::text, t."day"::timestamptz FROM taken t;

-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_ask" t WHERE t."day" >= :from AND t."day" < :to;

-- publish: insert rows into the empty slice (into an empty slice)
WITH newer AS MATERIALIZED (
    SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_ask' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_ask' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at),
written AS (
    INSERT INTO "public"."fact_ask" AS t ("id", "now_id", "list_id", "past_id", "day", "now_key", "list_key", "past_key", load_id, loaded_at)
    SELECT r."id", r."now_id", r."list_id", r."past_id", r."day", r."now_key", r."list_key", r."past_key", :load_id, now()
      FROM (SELECT s."id", s."now_id", s."list_id", s."past_id", s."day", COALESCE(l1.loadstar_key, -1) AS "now_key", COALESCE(l2.loadstar_key, -1) AS "list_key", COALESCE(l3.loadstar_key, -1) AS "past_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."now_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_now" d
         WHERE d."now_key" <> -1 AND d.is_current) l1
         ON l1."id" = s."now_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
         WHERE d."list_key" <> -1 AND d.is_current) l2
         ON l2."id" = s."list_id"
  LEFT JOIN (SELECT d."id", d."past_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_past" d
         WHERE d."past_key" <> -1) l3
         ON l3."id" = s."past_id"
        AND (s."day" >= l3.loadstar_from AND s."day" < l3.loadstar_to OR s."day" IS NULL AND l3.is_current)) r
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "now_id" = excluded."now_id", "list_id" = excluded."list_id", "past_id" = excluded."past_id", "day" = excluded."day", "now_key" = excluded."now_key", "list_key" = excluded."list_key", "past_key" = excluded."past_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM newer n WHERE t."day" >= n.slice_from AND t."day" < n.slice_to)
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT s."id", s."now_id", s."list_id", s."past_id", s."day", COALESCE(l1.loadstar_key, -1) AS "now_key", COALESCE(l2.loadstar_key, -1) AS "list_key", COALESCE(l3.loadstar_key, -1) AS "past_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."now_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_now" d
         WHERE d."now_key" <> -1 AND d.is_current) l1
         ON l1."id" = s."now_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
         WHERE d."list_key" <> -1 AND d.is_current) l2
         ON l2."id" = s."list_id"
  LEFT JOIN (SELECT d."id", d."past_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_past" d
         WHERE d."past_key" <> -1) l3
         ON l3."id" = s."past_id"
        AND (s."day" >= l3.loadstar_from AND s."day" < l3.loadstar_to OR s."day" IS NULL AND l3.is_current);

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows ("id");

-- publish: delete vanished rows (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_ask" t
     WHERE t."day" >= :from AND t."day" < :to
       AND NOT EXISTS (SELECT FROM loadstar_rows r WHERE r."id" = t."id")
    RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT t.ctid AS loadstar_row, r."now_id", r."list_id", r."past_id", r."day", r."now_key", r."list_key", r."past_key"
      FROM "public"."fact_ask" t JOIN loadstar_rows r ON t."id" = r."id" AND t."day" >= :from AND t."day" < :to
     WHERE ROW(t."now_id", t."list_id", t."past_id", t."day", t."now_key", t."list_key", t."past_key") IS DISTINCT FROM ROW(r."now_id", r."list_id", r."past_id", r."day", r."now_key", r."list_key", r."past_key")),
written AS (
    UPDATE "public"."fact_ask" t SET "now_id" = r."now_id", "list_id" = r."list_id", "past_id" = r."past_id", "day" = r."day", "now_key" = r."now_key", "list_key" = r."list_key", "past_key" = r."past_key", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH newer AS MATERIALIZED (
    SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_ask' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_ask' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at),
written AS (
    INSERT INTO "public"."fact_ask" AS t ("id", "now_id", "list_id", "past_id", "day", "now_key", "list_key", "past_key", load_id, loaded_at)
    SELECT r."id", r."now_id", r."list_id", r."past_id", r."day", r."now_key", r."list_key", r."past_key", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM "public"."fact_ask" o WHERE o."id" = r."id" AND o."day" >= :from AND o."day" < :to)
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "now_id" = excluded."now_id", "list_id" = excluded."list_id", "past_id" = excluded."past_id", "day" = excluded."day", "now_key" = excluded."now_key", "list_key" = excluded."list_key", "past_key" = excluded."past_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM newer n WHERE t."day" >= n.slice_from AND t."day" < n.slice_to)
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: look for rows that moved on
SELECT CASE WHEN EXISTS (SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_ask' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_ask' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at) THEN (SELECT count(*) FROM loadstar_stage) - (SELECT count(*)
      FROM "public"."fact_ask" t WHERE t."day" >= :from AND t."day" < :to) ELSE 0 END AS n;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged
  FROM "public"."fact_ask" t
 WHERE t."day" >= :from AND t."day" < :to;

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."id", t."now_id", t."list_id", t."past_id", t."day", t."now_key" = -1, t."list_key" = -1, t."past_key" = -1), 0)), 0)
  FROM "public"."fact_ask" t
 WHERE t."day" >= :from AND t."day" < :to;
