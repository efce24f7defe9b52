-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_note" (
    "robot_id" text,
    "value" numeric(10,2),
    "file_id" bigint,
    "robot_key" bigint NOT NULL,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_note_file"') IS NULL THEN
    CREATE INDEX "fact_note_file" ON "public"."fact_note" (file_id);
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_note_by_robot_id"') IS NULL THEN
    CREATE INDEX "fact_note_by_robot_id" ON "public"."fact_note" ("robot_id");
END IF; END $ddl$;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "robot_id" text,
    "value" numeric(10,2),
    "file_id" bigint,
    loadstar_line bigint,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("robot_id", "value", "file_id", loadstar_line) FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("robot_id");

-- publish: lock public.dim_robot, shared
-- publish: lock public.fact_note
-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_note" t WHERE t.file_id = ANY (:file_ids);

-- publish: insert rows into the empty slice (into an empty slice)
WITH written AS (
    INSERT INTO "public"."fact_note" ("robot_id", "value", "file_id", "robot_key", load_id, loaded_at)
    SELECT r."robot_id", r."value", r."file_id", r."robot_key", :load_id, now()
      FROM (SELECT s."robot_id", s."value", s."file_id", COALESCE(l1.loadstar_key, -1) AS "robot_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."robot_id", d."dim_robot_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_robot" d
         WHERE d."dim_robot_key" <> -1 AND d.is_current) l1
         ON l1."robot_id" = s."robot_id") r
    RETURNING 1)
SELECT count(*) AS inserted, count(*) AS rows_opened FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT r.*, row_number() OVER () AS loadstar_number,
       hash_record_extended(ROW(r."robot_id", r."value", r."file_id"), 0) AS loadstar_hash,
       row_number() OVER (PARTITION BY r."robot_id", r."value", r."file_id") AS loadstar_place
  FROM (SELECT s."robot_id", s."value", s."file_id", COALESCE(l1.loadstar_key, -1) AS "robot_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."robot_id", d."dim_robot_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_robot" d
         WHERE d."dim_robot_key" <> -1 AND d.is_current) l1
         ON l1."robot_id" = s."robot_id") r;

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows (loadstar_hash, loadstar_place);

-- publish: match rows by content (into a slice with rows)
CREATE TEMP TABLE loadstar_there ON COMMIT DROP AS
SELECT h.loadstar_row, r.loadstar_number
  FROM (SELECT t.ctid AS loadstar_row, t."robot_id", t."value", t."file_id",
       hash_record_extended(ROW(t."robot_id", t."value", t."file_id"), 0) AS loadstar_hash,
       row_number() OVER (PARTITION BY t."robot_id", t."value", t."file_id") AS loadstar_place
          FROM "public"."fact_note" t WHERE t.file_id = ANY (:file_ids)) h
  LEFT JOIN loadstar_rows r ON r.loadstar_hash = h.loadstar_hash AND r.loadstar_place = h.loadstar_place
       AND NOT (ROW(h."robot_id", h."value", h."file_id") IS DISTINCT FROM ROW(r."robot_id", r."value", r."file_id"));

-- publish: delete rows that are not there any more (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_note" t USING loadstar_there h
     WHERE t.ctid = h.loadstar_row AND h.loadstar_number IS NULL RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT h.loadstar_row, r."robot_key"
      FROM loadstar_there h JOIN loadstar_rows r ON r.loadstar_number = h.loadstar_number
      JOIN "public"."fact_note" t ON t.ctid = h.loadstar_row
     WHERE ROW(t."robot_key") IS DISTINCT FROM ROW(r."robot_key")),
written AS (
    UPDATE "public"."fact_note" t SET "robot_key" = r."robot_key", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH written AS (
    INSERT INTO "public"."fact_note" ("robot_id", "value", "file_id", "robot_key", load_id, loaded_at)
    SELECT r."robot_id", r."value", r."file_id", r."robot_key", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM loadstar_there h WHERE h.loadstar_number = r.loadstar_number)
    RETURNING 1)
SELECT count(*) AS inserted, count(*) AS rows_opened FROM written;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged
  FROM "public"."fact_note" t
 WHERE t.file_id = ANY (:file_ids);

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."robot_id", t."value", t."robot_key" = -1), 0)), 0)
  FROM "public"."fact_note" t
 WHERE t.file_id = ANY (:file_ids);
