-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_json" (
    "id" bigint NOT NULL,
    "tags" jsonb,
    "file_id" bigint,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_json_grain"') IS NULL THEN
    CREATE UNIQUE INDEX "fact_json_grain" ON "public"."fact_json" ("id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_json_file"') IS NULL THEN
    CREATE INDEX "fact_json_file" ON "public"."fact_json" (file_id);
END IF; END $ddl$;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "id" bigint,
    "tags" jsonb,
    "file_id" bigint,
    loadstar_line bigint,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("id", "tags", "file_id", loadstar_line) FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("id");

-- stage: reject rows: null_key
WITH gone AS (DELETE FROM loadstar_stage WHERE "id" IS NULL RETURNING *)
INSERT INTO loadstar_rejects (stage_row, file_id, file, line, column_name, rule, raw_text, row_time)
SELECT gone.stage_row, gone.file_id, (SELECT f.path FROM loadstar_files f WHERE f.file_id = gone.file_id),
       gone.loadstar_line,
       CASE
            WHEN gone."id" IS NULL THEN 'id' END,
       'null_key', (to_jsonb(gone) - '{stage_row,loadstar_line,file_id}'::text[])::text, NULL
  FROM gone;

-- stage: find duplicates
CREATE TEMP TABLE loadstar_duplicates AS
SELECT "id" FROM loadstar_stage GROUP BY "id" HAVING count(*) > 1;

-- stage: analyze duplicates
ANALYZE loadstar_duplicates;

-- stage: drop duplicates
DELETE FROM loadstar_stage s
 USING (SELECT d.stage_row, row_number() OVER (PARTITION BY d."id" ORDER BY (SELECT f.place FROM loadstar_files f WHERE f.file_id = d.file_id) DESC, d.loadstar_line DESC NULLS LAST, d.stage_row DESC) AS place
          FROM loadstar_stage d JOIN loadstar_duplicates u ON d."id" = u."id") ranked
 WHERE ranked.place > 1 AND s.stage_row = ranked.stage_row;

-- publish: lock public.fact_json
-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_json" t WHERE t.file_id = ANY (:file_ids);

-- publish: insert rows into the empty slice (into an empty slice)
WITH written AS (
    INSERT INTO "public"."fact_json" AS t ("id", "tags", "file_id", load_id, loaded_at)
    SELECT r."id", r."tags", r."file_id", :load_id, now()
      FROM (SELECT s."id", s."tags", s."file_id"
  FROM loadstar_stage s) r
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "tags" = excluded."tags", "file_id" = excluded."file_id", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM loadstar.file_ledger h, loadstar_files f
              WHERE h.table_name = 'public.fact_json' AND h.file_id = t.file_id AND h.state = 'loaded' AND f.file_id = excluded.file_id
                AND (COALESCE(h.batch_at, '-infinity'), h.arrived_at, h.identity COLLATE "C")
                  > (COALESCE(f.batch_at, '-infinity'), f.arrived_at, f.identity COLLATE "C"))
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT s."id", s."tags", s."file_id"
  FROM loadstar_stage s;

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows ("id");

-- publish: delete vanished rows (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_json" t
     WHERE t.file_id = ANY (:file_ids)
       AND NOT EXISTS (SELECT FROM loadstar_rows r WHERE r."id" = t."id")
    RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT t.ctid AS loadstar_row, r."tags", r."file_id"
      FROM "public"."fact_json" t JOIN loadstar_rows r ON t."id" = r."id" AND t.file_id = ANY (:file_ids)
     WHERE ROW(t."tags", t."file_id") IS DISTINCT FROM ROW(r."tags", r."file_id")),
written AS (
    UPDATE "public"."fact_json" t SET "tags" = r."tags", "file_id" = r."file_id", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH written AS (
    INSERT INTO "public"."fact_json" AS t ("id", "tags", "file_id", load_id, loaded_at)
    SELECT r."id", r."tags", r."file_id", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM "public"."fact_json" o WHERE o."id" = r."id" AND o.file_id = ANY (:file_ids))
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "tags" = excluded."tags", "file_id" = excluded."file_id", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM loadstar.file_ledger h, loadstar_files f
              WHERE h.table_name = 'public.fact_json' AND h.file_id = t.file_id AND h.state = 'loaded' AND f.file_id = excluded.file_id
                AND (COALESCE(h.batch_at, '-infinity'), h.arrived_at, h.identity COLLATE "C")
                  > (COALESCE(f.batch_at, '-infinity'), f.arrived_at, f.identity COLLATE "C"))
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged,
       (SELECT count(*) FROM loadstar_stage) - count(*) AS deduplicated
  FROM "public"."fact_json" t
 WHERE t.file_id = ANY (:file_ids);

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."id", t."tags"), 0)), 0)
  FROM "public"."fact_json" t
 WHERE t.file_id = ANY (:file_ids);
