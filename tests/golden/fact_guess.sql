-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_guess" (
    "id" integer NOT NULL,
    "first_id" integer,
    "now_id" integer,
    "list_id" integer,
    "past_id" integer,
    "day" timestamp with time zone,
    "first_key" bigint NOT NULL,
    "now_key" bigint NOT NULL,
    "list_key" bigint NOT NULL,
    "past_key" bigint NOT NULL,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_guess_grain"') IS NULL THEN
    CREATE UNIQUE INDEX "fact_guess_grain" ON "public"."fact_guess" ("id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_guess_time"') IS NULL THEN
    CREATE INDEX "fact_guess_time" ON "public"."fact_guess" ("day");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_guess_by_first_id"') IS NULL THEN
    CREATE INDEX "fact_guess_by_first_id" ON "public"."fact_guess" ("first_id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_guess_by_now_id"') IS NULL THEN
    CREATE INDEX "fact_guess_by_now_id" ON "public"."fact_guess" ("now_id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_guess_by_list_id"') IS NULL THEN
    CREATE INDEX "fact_guess_by_list_id" ON "public"."fact_guess" ("list_id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_guess_by_past_id"') IS NULL THEN
    CREATE INDEX "fact_guess_by_past_id" ON "public"."fact_guess" ("past_id");
END IF; END $ddl$;

-- extract
SELECT "id", "first_id", "now_id", "list_id", "past_id", "day"
  FROM (
SELECT * FROM fact_guess WHERE day >= timestamp with time zone '1970-01-01T00:00:00Z' AND day < timestamp with time zone '1970-01-02T00:00:00Z'
) AS loadstar_source;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "id" integer,
    "first_id" integer,
    "now_id" integer,
    "list_id" integer,
    "past_id" integer,
    "day" timestamp with time zone,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("id", "first_id", "now_id", "list_id", "past_id", "day") FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("id", "day", "first_id", "now_id", "list_id", "past_id");

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

-- publish: lock public.dim_first
-- publish: lock public.dim_list
-- publish: lock public.dim_now
-- publish: lock public.dim_past
-- publish: lock public.fact_all
-- publish: lock public.fact_append
-- publish: lock public.fact_ask
-- publish: lock public.fact_guess
-- publish: lock public.fact_once
-- publish: lock public.fact_upsert
-- publish: find keys unknown to dim_first
CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS
SELECT DISTINCT s."first_id" AS "id" FROM loadstar_stage s
 WHERE s."first_id" IS NOT NULL
   AND NOT EXISTS (SELECT FROM "public"."dim_first" d WHERE d."id" = s."first_id" AND d."first_key" <> -1);

-- publish: analyze the keys
ANALYZE loadstar_keys;

-- publish: infer members of dim_first
WITH made AS (
    INSERT INTO "public"."dim_first" ("first_key", "id", effective_from, effective_to, is_current, is_inferred, load_id, loaded_at)
    SELECT nextval((SELECT pg_get_serial_sequence('"public"."dim_first"', 'first_key')::regclass)), k."id", '-infinity', TIMESTAMPTZ '9999-12-31 00:00:00+00', true, true, :load_id, now()
      FROM loadstar_keys k RETURNING 1)
SELECT count(*) AS members_inferred, (SELECT count(*) FROM loadstar_keys) - count(*) AS missed FROM made;

-- publish: re-point fact_guess.first_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_guess" f JOIN loadstar_keys k ON k."id" = f."first_id"
  LEFT JOIN (SELECT d."id", d."first_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_first" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."first_key" <> -1 AND d.is_current) l
         ON l."id" = f."first_id"
 WHERE f."first_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_guess" f SET "first_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: forget the keys
DROP TABLE loadstar_keys;

-- publish: find keys unknown to dim_now
CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS
SELECT DISTINCT s."now_id" AS "id" FROM loadstar_stage s
 WHERE s."now_id" IS NOT NULL
   AND NOT EXISTS (SELECT FROM "public"."dim_now" d WHERE d."id" = s."now_id" AND d."now_key" <> -1);

-- publish: analyze the keys
ANALYZE loadstar_keys;

-- publish: infer members of dim_now
WITH made AS (
    INSERT INTO "public"."dim_now" ("now_key", "id", "note", effective_from, effective_to, is_current, is_inferred, load_id, loaded_at)
    SELECT nextval((SELECT pg_get_serial_sequence('"public"."dim_now"', 'now_key')::regclass)), k."id", 'unknown', '-infinity', TIMESTAMPTZ '9999-12-31 00:00:00+00', true, true, :load_id, now()
      FROM loadstar_keys k RETURNING 1)
SELECT count(*) AS members_inferred, (SELECT count(*) FROM loadstar_keys) - count(*) AS missed FROM made;

-- publish: re-point fact_guess.now_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_guess" f JOIN loadstar_keys k ON k."id" = f."now_id"
  LEFT JOIN (SELECT d."id", d."now_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_now" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."now_key" <> -1 AND d.is_current) l
         ON l."id" = f."now_id"
 WHERE f."now_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_guess" f SET "now_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: re-point fact_ask.now_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_ask" f JOIN loadstar_keys k ON k."id" = f."now_id"
  LEFT JOIN (SELECT d."id", d."now_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_now" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."now_key" <> -1 AND d.is_current) l
         ON l."id" = f."now_id"
 WHERE f."now_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_ask" f SET "now_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: forget the keys
DROP TABLE loadstar_keys;

-- publish: find keys unknown to dim_list
CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS
SELECT DISTINCT s."list_id" AS "id" FROM loadstar_stage s
 WHERE s."list_id" IS NOT NULL
   AND NOT EXISTS (SELECT FROM "public"."dim_list" d WHERE d."id" = s."list_id" AND d."list_key" <> -1);

-- publish: analyze the keys
ANALYZE loadstar_keys;

-- publish: infer members of dim_list
WITH back AS (
    DELETE FROM loadstar."dim_list_retired" q USING loadstar_keys k
     WHERE q."id" = k."id" AND q.effective_from = '-infinity' RETURNING q.*),
made AS (
    INSERT INTO "public"."dim_list" ("list_key", "id", effective_from, effective_to, is_current, is_inferred, load_id, loaded_at)
    SELECT COALESCE(q."list_key", nextval((SELECT pg_get_serial_sequence('"public"."dim_list"', 'list_key')::regclass))), k."id", '-infinity', TIMESTAMPTZ '9999-12-31 00:00:00+00', true, true, :load_id, now()
      FROM loadstar_keys k LEFT JOIN back q ON q."id" = k."id" RETURNING 1)
SELECT count(*) AS members_inferred, (SELECT count(*) FROM loadstar_keys) - count(*) AS missed FROM made;

-- publish: re-point fact_append.list_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_append" f JOIN loadstar_keys k ON k."id" = f."list_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."list_key" <> -1 AND d.is_current) l
         ON l."id" = f."list_id"
 WHERE f."list_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_append" f SET "list_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: re-point fact_once.list_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_once" f JOIN loadstar_keys k ON k."id" = f."list_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."list_key" <> -1 AND d.is_current) l
         ON l."id" = f."list_id"
 WHERE f."list_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_once" f SET "list_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: re-point fact_upsert.list_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_upsert" f JOIN loadstar_keys k ON k."id" = f."list_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."list_key" <> -1 AND d.is_current) l
         ON l."id" = f."list_id"
 WHERE f."list_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_upsert" f SET "list_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: re-point fact_all.list_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_all" f JOIN loadstar_keys k ON k."id" = f."list_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."list_key" <> -1 AND d.is_current) l
         ON l."id" = f."list_id"
 WHERE f."list_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_all" f SET "list_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: re-point fact_guess.list_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_guess" f JOIN loadstar_keys k ON k."id" = f."list_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."list_key" <> -1 AND d.is_current) l
         ON l."id" = f."list_id"
 WHERE f."list_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_guess" f SET "list_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: re-point fact_ask.list_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_ask" f JOIN loadstar_keys k ON k."id" = f."list_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."list_key" <> -1 AND d.is_current) l
         ON l."id" = f."list_id"
 WHERE f."list_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_ask" f SET "list_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: forget the keys
DROP TABLE loadstar_keys;

-- publish: find keys unknown to dim_past
CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS
SELECT DISTINCT s."past_id" AS "id" FROM loadstar_stage s
 WHERE s."past_id" IS NOT NULL
   AND NOT EXISTS (SELECT FROM "public"."dim_past" d WHERE d."id" = s."past_id" AND d."past_key" <> -1);

-- publish: analyze the keys
ANALYZE loadstar_keys;

-- publish: infer members of dim_past
WITH back AS (
    DELETE FROM loadstar."dim_past_retired" q USING loadstar_keys k
     WHERE q."id" = k."id" AND q.effective_from = '-infinity' RETURNING q.*),
made AS (
    INSERT INTO "public"."dim_past" ("past_key", "id", effective_from, effective_to, is_current, is_inferred, load_id, loaded_at)
    SELECT COALESCE(q."past_key", nextval((SELECT pg_get_serial_sequence('"public"."dim_past"', 'past_key')::regclass))), k."id", '-infinity', TIMESTAMPTZ '9999-12-31 00:00:00+00', true, true, :load_id, now()
      FROM loadstar_keys k LEFT JOIN back q ON q."id" = k."id" RETURNING 1),
logged AS (
    INSERT INTO loadstar."dim_past_log" ("id", at, op, load_id, row_number)
    SELECT "id", '-infinity', 'I', :load_id, 0 FROM loadstar_keys)
SELECT count(*) AS members_inferred, (SELECT count(*) FROM loadstar_keys) - count(*) AS missed FROM made;

-- publish: re-point fact_guess.past_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_guess" f JOIN loadstar_keys k ON k."id" = f."past_id"
  LEFT JOIN (SELECT d."id", d."past_key" AS loadstar_key, d.is_current,
               CASE WHEN lag(d.effective_from) OVER (PARTITION BY d."id" ORDER BY d.effective_from) IS NULL
                     THEN '-infinity' ELSE d.effective_from END AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_past" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."past_key" <> -1) l
         ON l."id" = f."past_id"
        AND (f."day" >= l.loadstar_from AND f."day" < l.loadstar_to OR f."day" IS NULL AND l.is_current)
 WHERE f."past_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_guess" f SET "past_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: re-point fact_ask.past_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_ask" f JOIN loadstar_keys k ON k."id" = f."past_id"
  LEFT JOIN (SELECT d."id", d."past_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_past" d
          JOIN loadstar_keys k ON d."id" = k."id"
         WHERE d."past_key" <> -1) l
         ON l."id" = f."past_id"
        AND (f."day" >= l.loadstar_from AND f."day" < l.loadstar_to OR f."day" IS NULL AND l.is_current)
 WHERE f."past_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_ask" f SET "past_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: forget the keys
DROP TABLE loadstar_keys;

-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_guess" t WHERE t."day" >= :from AND t."day" < :to;

-- publish: insert rows into the empty slice (into an empty slice)
WITH newer AS MATERIALIZED (
    SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_guess' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_guess' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at),
written AS (
    INSERT INTO "public"."fact_guess" AS t ("id", "first_id", "now_id", "list_id", "past_id", "day", "first_key", "now_key", "list_key", "past_key", load_id, loaded_at)
    SELECT r."id", r."first_id", r."now_id", r."list_id", r."past_id", r."day", r."first_key", r."now_key", r."list_key", r."past_key", :load_id, now()
      FROM (SELECT s."id", s."first_id", s."now_id", s."list_id", s."past_id", s."day", COALESCE(l1.loadstar_key, -1) AS "first_key", COALESCE(l2.loadstar_key, -1) AS "now_key", COALESCE(l3.loadstar_key, -1) AS "list_key", COALESCE(l4.loadstar_key, -1) AS "past_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."first_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_first" d
         WHERE d."first_key" <> -1 AND d.is_current) l1
         ON l1."id" = s."first_id"
  LEFT JOIN (SELECT d."id", d."now_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_now" d
         WHERE d."now_key" <> -1 AND d.is_current) l2
         ON l2."id" = s."now_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
         WHERE d."list_key" <> -1 AND d.is_current) l3
         ON l3."id" = s."list_id"
  LEFT JOIN (SELECT d."id", d."past_key" AS loadstar_key, d.is_current,
               CASE WHEN lag(d.effective_from) OVER (PARTITION BY d."id" ORDER BY d.effective_from) IS NULL
                     THEN '-infinity' ELSE d.effective_from END AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_past" d
         WHERE d."past_key" <> -1) l4
         ON l4."id" = s."past_id"
        AND (s."day" >= l4.loadstar_from AND s."day" < l4.loadstar_to OR s."day" IS NULL AND l4.is_current)) r
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "first_id" = excluded."first_id", "now_id" = excluded."now_id", "list_id" = excluded."list_id", "past_id" = excluded."past_id", "day" = excluded."day", "first_key" = excluded."first_key", "now_key" = excluded."now_key", "list_key" = excluded."list_key", "past_key" = excluded."past_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM newer n WHERE t."day" >= n.slice_from AND t."day" < n.slice_to)
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT s."id", s."first_id", s."now_id", s."list_id", s."past_id", s."day", COALESCE(l1.loadstar_key, -1) AS "first_key", COALESCE(l2.loadstar_key, -1) AS "now_key", COALESCE(l3.loadstar_key, -1) AS "list_key", COALESCE(l4.loadstar_key, -1) AS "past_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."id", d."first_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_first" d
         WHERE d."first_key" <> -1 AND d.is_current) l1
         ON l1."id" = s."first_id"
  LEFT JOIN (SELECT d."id", d."now_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_now" d
         WHERE d."now_key" <> -1 AND d.is_current) l2
         ON l2."id" = s."now_id"
  LEFT JOIN (SELECT d."id", d."list_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_list" d
         WHERE d."list_key" <> -1 AND d.is_current) l3
         ON l3."id" = s."list_id"
  LEFT JOIN (SELECT d."id", d."past_key" AS loadstar_key, d.is_current,
               CASE WHEN lag(d.effective_from) OVER (PARTITION BY d."id" ORDER BY d.effective_from) IS NULL
                     THEN '-infinity' ELSE d.effective_from END AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_past" d
         WHERE d."past_key" <> -1) l4
         ON l4."id" = s."past_id"
        AND (s."day" >= l4.loadstar_from AND s."day" < l4.loadstar_to OR s."day" IS NULL AND l4.is_current);

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows ("id");

-- publish: delete vanished rows (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_guess" t
     WHERE t."day" >= :from AND t."day" < :to
       AND NOT EXISTS (SELECT FROM loadstar_rows r WHERE r."id" = t."id")
    RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT t.ctid AS loadstar_row, r."first_id", r."now_id", r."list_id", r."past_id", r."day", r."first_key", r."now_key", r."list_key", r."past_key"
      FROM "public"."fact_guess" t JOIN loadstar_rows r ON t."id" = r."id" AND t."day" >= :from AND t."day" < :to
     WHERE ROW(t."first_id", t."now_id", t."list_id", t."past_id", t."day", t."first_key", t."now_key", t."list_key", t."past_key") IS DISTINCT FROM ROW(r."first_id", r."now_id", r."list_id", r."past_id", r."day", r."first_key", r."now_key", r."list_key", r."past_key")),
written AS (
    UPDATE "public"."fact_guess" t SET "first_id" = r."first_id", "now_id" = r."now_id", "list_id" = r."list_id", "past_id" = r."past_id", "day" = r."day", "first_key" = r."first_key", "now_key" = r."now_key", "list_key" = r."list_key", "past_key" = r."past_key", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH newer AS MATERIALIZED (
    SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_guess' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_guess' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at),
written AS (
    INSERT INTO "public"."fact_guess" AS t ("id", "first_id", "now_id", "list_id", "past_id", "day", "first_key", "now_key", "list_key", "past_key", load_id, loaded_at)
    SELECT r."id", r."first_id", r."now_id", r."list_id", r."past_id", r."day", r."first_key", r."now_key", r."list_key", r."past_key", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM "public"."fact_guess" o WHERE o."id" = r."id" AND o."day" >= :from AND o."day" < :to)
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "first_id" = excluded."first_id", "now_id" = excluded."now_id", "list_id" = excluded."list_id", "past_id" = excluded."past_id", "day" = excluded."day", "first_key" = excluded."first_key", "now_key" = excluded."now_key", "list_key" = excluded."list_key", "past_key" = excluded."past_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
     WHERE NOT EXISTS (SELECT FROM newer n WHERE t."day" >= n.slice_from AND t."day" < n.slice_to)
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: look for rows that moved on
SELECT CASE WHEN EXISTS (SELECT l.slice_from, l.slice_to FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_guess' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_guess' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at) THEN (SELECT count(*) FROM loadstar_stage) - (SELECT count(*)
      FROM "public"."fact_guess" t WHERE t."day" >= :from AND t."day" < :to) ELSE 0 END AS n;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged
  FROM "public"."fact_guess" t
 WHERE t."day" >= :from AND t."day" < :to;

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."id", t."first_id", t."now_id", t."list_id", t."past_id", t."day", t."first_key" = -1, t."now_key" = -1, t."list_key" = -1, t."past_key" = -1), 0)), 0)
  FROM "public"."fact_guess" t
 WHERE t."day" >= :from AND t."day" < :to;
