-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_sum" (
    "robot_id" text NOT NULL,
    "day" date NOT NULL,
    "total" numeric(12,2),
    "points" bigint,
    "file_id" bigint,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_sum_grain"') IS NULL THEN
    CREATE UNIQUE INDEX "fact_sum_grain" ON "public"."fact_sum" ("robot_id", "day");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_sum_file"') IS NULL THEN
    CREATE INDEX "fact_sum_file" ON "public"."fact_sum" (file_id);
END IF; END $ddl$;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "robot_id" text,
    "day" date,
    "total" numeric(12,2),
    "points" bigint,
    "file_id" bigint,
    loadstar_line bigint,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("robot_id", "day", "total", "points", "file_id") FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("robot_id", "day");

-- stage: reject rows: null_key
WITH gone AS (DELETE FROM loadstar_stage WHERE "robot_id" IS NULL OR "day" IS NULL RETURNING *)
INSERT INTO loadstar_rejects (stage_row, file_id, file, line, column_name, rule, raw_text, row_time)
SELECT gone.stage_row, gone.file_id, (SELECT f.path FROM loadstar_files f WHERE f.file_id = gone.file_id),
       gone.loadstar_line,
       CASE
            WHEN gone."robot_id" IS NULL THEN 'robot_id'
            WHEN gone."day" IS NULL THEN 'day' END,
       'null_key', (to_jsonb(gone) - '{stage_row,loadstar_line,file_id}'::text[])::text, NULL
  FROM gone;

-- stage: find duplicates
CREATE TEMP TABLE loadstar_duplicates AS
SELECT "robot_id", "day" FROM loadstar_stage GROUP BY "robot_id", "day" HAVING count(*) > 1;

-- stage: analyze duplicates
ANALYZE loadstar_duplicates;

-- stage: drop duplicates
DELETE FROM loadstar_stage s
 USING (SELECT d.stage_row, row_number() OVER (PARTITION BY d."robot_id", d."day" ORDER BY (SELECT f.place FROM loadstar_files f WHERE f.file_id = d.file_id) DESC, d.loadstar_line DESC NULLS LAST, d.stage_row DESC) AS place
          FROM loadstar_stage d JOIN loadstar_duplicates u ON d."robot_id" = u."robot_id" AND d."day" = u."day") ranked
 WHERE ranked.place > 1 AND s.stage_row = ranked.stage_row;

-- publish: lock public.fact_sum
-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_sum" t WHERE t.file_id = ANY (:file_ids);

-- publish: insert rows into the empty slice (into an empty slice)
WITH written AS (
    INSERT INTO "public"."fact_sum" AS t ("robot_id", "day", "total", "points", "file_id", load_id, loaded_at)
    SELECT r."robot_id", r."day", r."total", r."points", r."file_id", :load_id, now()
      FROM (SELECT s."robot_id", s."day", s."total", s."points", s."file_id"
  FROM loadstar_stage s) r
    ON CONFLICT ("robot_id", "day") DO UPDATE SET "robot_id" = excluded."robot_id", "day" = excluded."day", "total" = excluded."total", "points" = excluded."points", "file_id" = excluded."file_id", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM loadstar.file_ledger h, loadstar_files f
              WHERE h.table_name = 'public.fact_sum' AND h.file_id = t.file_id AND h.state = 'loaded' AND f.file_id = excluded.file_id
                AND (COALESCE(h.batch_at, '-infinity'), h.arrived_at, h.identity COLLATE "C")
                  > (COALESCE(f.batch_at, '-infinity'), f.arrived_at, f.identity COLLATE "C"))
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT s."robot_id", s."day", s."total", s."points", s."file_id"
  FROM loadstar_stage s;

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows ("robot_id", "day");

-- publish: delete vanished rows (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_sum" t
     WHERE t.file_id = ANY (:file_ids)
       AND NOT EXISTS (SELECT FROM loadstar_rows r WHERE r."robot_id" = t."robot_id" AND r."day" = t."day")
    RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT t.ctid AS loadstar_row, r."total", r."points", r."file_id"
      FROM "public"."fact_sum" t JOIN loadstar_rows r ON t."robot_id" = r."robot_id" AND t."day" = r."day" AND t.file_id = ANY (:file_ids)
     WHERE ROW(t."total", t."points", t."file_id") IS DISTINCT FROM ROW(r."total", r."points", r."file_id")),
written AS (
    UPDATE "public"."fact_sum" t SET "total" = r."total", "points" = r."points", "file_id" = r."file_id", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH written AS (
    INSERT INTO "public"."fact_sum" AS t ("robot_id", "day", "total", "points", "file_id", load_id, loaded_at)
    SELECT r."robot_id", r."day", r."total", r."points", r."file_id", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM "public"."fact_sum" o WHERE o."robot_id" = r."robot_id" AND o."day" = r."day" AND o.file_id = ANY (:file_ids))
    ON CONFLICT ("robot_id", "day") DO UPDATE SET "robot_id" = excluded."robot_id", "day" = excluded."day", "total" = excluded."total", "points" = excluded."points", "file_id" = excluded."file_id", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM loadstar.file_ledger h, loadstar_files f
              WHERE h.table_name = 'public.fact_sum' AND h.file_id = t.file_id AND h.state = 'loaded' AND f.file_id = excluded.file_id
                AND (COALESCE(h.batch_at, '-infinity'), h.arrived_at, h.identity COLLATE "C")
                  > (COALESCE(f.batch_at, '-infinity'), f.arrived_at, f.identity COLLATE "C"))
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged,
       (SELECT count(*) FROM loadstar_stage) - count(*) AS deduplicated
  FROM "public"."fact_sum" t
 WHERE t.file_id = ANY (:file_ids);

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."robot_id", t."day", t."total", t."points"), 0)), 0)
  FROM "public"."fact_sum" t
 WHERE t.file_id = ANY (:file_ids);
