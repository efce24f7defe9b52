-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_line" (
    "id" integer NOT NULL,
    "line" integer NOT NULL,
    "all_id" integer,
    "day" timestamp with time zone,
    "upsert_key" bigint NOT NULL,
    "all_key" bigint NOT NULL,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_line_grain"') IS NULL THEN
    CREATE UNIQUE INDEX "fact_line_grain" ON "public"."fact_line" ("id", "line");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_line_time"') IS NULL THEN
    CREATE INDEX "fact_line_time" ON "public"."fact_line" ("day");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_line_by_id"') IS NULL THEN
    CREATE INDEX "fact_line_by_id" ON "public"."fact_line" ("id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_line_by_all_id"') IS NULL THEN
    CREATE INDEX "fact_line_by_all_id" ON "public"."fact_line" ("all_id");
END IF; END $ddl$;

-- extract
SELECT "id", "line", "all_id", "day"
  FROM (
SELECT * FROM fact_line WHERE day >= timestamp with time zone '1970-01-01T00:00:00Z' AND day < timestamp with time zone '1970-01-02T00:00:00Z'
) AS loadstar_source;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "id" integer,
    "line" integer,
    "all_id" integer,
    "day" timestamp with time zone,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("id", "line", "all_id", "day") FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("id", "line", "day", "all_id");

-- stage: look for rows without a key
SELECT count(*) AS n, concat_ws(', ',
           CASE WHEN bool_or("id" IS NULL) THEN 'id' END,
           CASE WHEN bool_or("line" IS NULL) THEN 'line' END,
           CASE WHEN bool_or("day" IS NULL) THEN 'day' END) AS detail
  FROM loadstar_stage
 WHERE "id" IS NULL OR "line" IS NULL OR "day" IS NULL;

-- stage: drop rows of other slices
DELETE FROM loadstar_stage WHERE "day" < :from OR "day" >= :to;

-- stage: find duplicates
CREATE TEMP TABLE loadstar_duplicates AS
SELECT "id", "line" FROM loadstar_stage GROUP BY "id", "line" HAVING count(*) > 1;

-- stage: analyze duplicates
ANALYZE loadstar_duplicates;

-- stage: drop duplicates
DELETE FROM loadstar_stage s
 USING (SELECT d.stage_row, row_number() OVER (PARTITION BY d."id", d."line" ORDER BY d.stage_row DESC) AS place
          FROM loadstar_stage d JOIN loadstar_duplicates u ON d."id" = u."id" AND d."line" = u."line") ranked
 WHERE ranked.place > 1 AND s.stage_row = ranked.stage_row;

-- publish: lock public.fact_all, shared
-- publish: lock public.fact_line
-- publish: lock public.fact_upsert, shared
-- publish: reject rows without upsert_key
WITH missing AS (
    SELECT s.stage_row FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."upsert_key" AS loadstar_key FROM "public"."fact_upsert" d) l
         ON l."id" = s."id"
     WHERE l.loadstar_key IS NULL),
taken AS (
    DELETE FROM loadstar_stage s USING missing m WHERE s.stage_row = m.stage_row RETURNING s.*)
INSERT INTO loadstar_rejects (stage_row, column_name, rule, raw_text, row_time)
SELECT t.stage_row, 'upsert_key', 'lookup_missing',
       (to_jsonb(t) - '{stage_row,loadstar_line,file_id}'::text[])::text, t."day"::timestamptz FROM taken t;

-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_line" t WHERE t."day" >= :from AND t."day" < :to;

-- publish: insert rows into the empty slice (into an empty slice)
WITH newer AS MATERIALIZED (
    SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_line' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_line' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at),
written AS (
    INSERT INTO "public"."fact_line" AS t ("id", "line", "all_id", "day", "upsert_key", "all_key", load_id, loaded_at)
    SELECT r."id", r."line", r."all_id", r."day", r."upsert_key", r."all_key", :load_id, now()
      FROM (SELECT s."id", s."line", s."all_id", s."day", COALESCE(l1.loadstar_key, -1) AS "upsert_key", COALESCE(l2.loadstar_key, -1) AS "all_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."upsert_key" AS loadstar_key FROM "public"."fact_upsert" d) l1
         ON l1."id" = s."id"
  LEFT JOIN (SELECT d."id", d."all_key" AS loadstar_key FROM "public"."fact_all" d) l2
         ON l2."id" = s."all_id") r
    ON CONFLICT ("id", "line") DO UPDATE SET "id" = excluded."id", "line" = excluded."line", "all_id" = excluded."all_id", "day" = excluded."day", "upsert_key" = excluded."upsert_key", "all_key" = excluded."all_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM newer n WHERE t."day" >= n.slice_from AND t."day" < n.slice_to)
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT s."id", s."line", s."all_id", s."day", COALESCE(l1.loadstar_key, -1) AS "upsert_key", COALESCE(l2.loadstar_key, -1) AS "all_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."upsert_key" AS loadstar_key FROM "public"."fact_upsert" d) l1
         ON l1."id" = s."id"
  LEFT JOIN (SELECT d."id", d."all_key" AS loadstar_key FROM "public"."fact_all" d) l2
         ON l2."id" = s."all_id";

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows ("id", "line");

-- publish: delete vanished rows (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_line" t
     WHERE t."day" >= :from AND t."day" < :to
       AND NOT EXISTS (SELECT FROM loadstar_rows r WHERE r."id" = t."id" AND r."line" = t."line")
    RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT t.ctid AS loadstar_row, r."all_id", r."day", r."upsert_key", r."all_key"
      FROM "public"."fact_line" t JOIN loadstar_rows r ON t."id" = r."id" AND t."line" = r."line" AND t."day" >= :from AND t."day" < :to
     WHERE ROW(t."all_id", t."day", t."upsert_key", t."all_key") IS DISTINCT FROM ROW(r."all_id", r."day", r."upsert_key", r."all_key")),
written AS (
    UPDATE "public"."fact_line" t SET "all_id" = r."all_id", "day" = r."day", "upsert_key" = r."upsert_key", "all_key" = r."all_key", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH newer AS MATERIALIZED (
    SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_line' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_line' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at),
written AS (
    INSERT INTO "public"."fact_line" AS t ("id", "line", "all_id", "day", "upsert_key", "all_key", load_id, loaded_at)
    SELECT r."id", r."line", r."all_id", r."day", r."upsert_key", r."all_key", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM "public"."fact_line" o WHERE o."id" = r."id" AND o."line" = r."line" AND o."day" >= :from AND o."day" < :to)
    ON CONFLICT ("id", "line") DO UPDATE SET "id" = excluded."id", "line" = excluded."line", "all_id" = excluded."all_id", "day" = excluded."day", "upsert_key" = excluded."upsert_key", "all_key" = excluded."all_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM newer n WHERE t."day" >= n.slice_from AND t."day" < n.slice_to)
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: look for rows that moved on
SELECT CASE WHEN EXISTS (SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_line' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_line' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at) THEN (SELECT count(*) FROM loadstar_stage) - (SELECT count(*)
      FROM "public"."fact_line" t WHERE t."day" >= :from AND t."day" < :to) ELSE 0 END AS n;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged
  FROM "public"."fact_line" t
 WHERE t."day" >= :from AND t."day" < :to;

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."id", t."line", t."all_id", t."day", t."upsert_key" = -1, t."all_key" = -1), 0)), 0)
  FROM "public"."fact_line" t
 WHERE t."day" >= :from AND t."day" < :to;
