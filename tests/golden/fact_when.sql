-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_when" (
    "id" integer NOT NULL,
    "at" timestamp with time zone,
    "local" timestamp without time zone,
    "day" date,
    "at_date_key" bigint NOT NULL,
    "at_time_key" bigint NOT NULL,
    "local_date_key" bigint NOT NULL,
    "local_time_key" bigint NOT NULL,
    "day_key" bigint NOT NULL,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_when_grain"') IS NULL THEN
    CREATE UNIQUE INDEX "fact_when_grain" ON "public"."fact_when" ("id");
END IF; END $ddl$;

-- extract
SELECT "id", "at", "local", "day"
  FROM (
SELECT * FROM fact_when
) AS loadstar_source;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "id" integer,
    "at" timestamp with time zone,
    "local" timestamp without time zone,
    "day" date,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("id", "at", "local", "day") FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("id", "at", "local", "day");

-- stage: look for rows without a key
SELECT count(*) AS n, concat_ws(', ',
           CASE WHEN bool_or("id" IS NULL) THEN 'id' END) AS detail
  FROM loadstar_stage
 WHERE "id" IS NULL;

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

-- publish: lock public.dim_date, shared
-- publish: lock public.dim_time, shared
-- publish: lock public.fact_when
-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_when" t WHERE true;

-- publish: insert rows into the empty slice (into an empty slice)
WITH written AS (
    INSERT INTO "public"."fact_when" AS t ("id", "at", "local", "day", "at_date_key", "at_time_key", "local_date_key", "local_time_key", "day_key", load_id, loaded_at)
    SELECT r."id", r."at", r."local", r."day", r."at_date_key", r."at_time_key", r."local_date_key", r."local_time_key", r."day_key", :load_id, now()
      FROM (SELECT s."id", s."at", s."local", s."day", COALESCE(l1.loadstar_key, -1) AS "at_date_key", COALESCE(l2.loadstar_key, -1) AS "at_time_key", COALESCE(l3.loadstar_key, -1) AS "local_date_key", COALESCE(l4.loadstar_key, -1) AS "local_time_key", COALESCE(l5.loadstar_key, -1) AS "day_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."full_date", d."date_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_date" d
         WHERE d."date_key" <> -1 AND d.is_current) l1
         ON l1."full_date" = (s."at" AT TIME ZONE 'Europe/Zurich')::date
  LEFT JOIN (SELECT d."minute_of_day", d."time_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_time" d
         WHERE d."time_key" <> -1 AND d.is_current) l2
         ON l2."minute_of_day" = floor(date_part('epoch', (s."at" AT TIME ZONE 'Europe/Zurich')::time) / 60)::integer
  LEFT JOIN (SELECT d."full_date", d."date_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_date" d
         WHERE d."date_key" <> -1 AND d.is_current) l3
         ON l3."full_date" = s."local"::date
  LEFT JOIN (SELECT d."minute_of_day", d."time_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_time" d
         WHERE d."time_key" <> -1 AND d.is_current) l4
         ON l4."minute_of_day" = floor(date_part('epoch', s."local"::time) / 60)::integer
  LEFT JOIN (SELECT d."full_date", d."date_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_date" d
         WHERE d."date_key" <> -1 AND d.is_current) l5
         ON l5."full_date" = s."day"::date) r
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "at" = excluded."at", "local" = excluded."local", "day" = excluded."day", "at_date_key" = excluded."at_date_key", "at_time_key" = excluded."at_time_key", "local_date_key" = excluded."local_date_key", "local_time_key" = excluded."local_time_key", "day_key" = excluded."day_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT s."id", s."at", s."local", s."day", COALESCE(l1.loadstar_key, -1) AS "at_date_key", COALESCE(l2.loadstar_key, -1) AS "at_time_key", COALESCE(l3.loadstar_key, -1) AS "local_date_key", COALESCE(l4.loadstar_key, -1) AS "local_time_key", COALESCE(l5.loadstar_key, -1) AS "day_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."full_date", d."date_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_date" d
         WHERE d."date_key" <> -1 AND d.is_current) l1
         ON l1."full_date" = (s."at" AT TIME ZONE 'Europe/Zurich')::date
  LEFT JOIN (SELECT d."minute_of_day", d."time_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_time" d
         WHERE d."time_key" <> -1 AND d.is_current) l2
         ON l2."minute_of_day" = floor(date_part('epoch', (s."at" AT TIME ZONE 'Europe/Zurich')::time) / 60)::integer
  LEFT JOIN (SELECT d."full_date", d."date_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_date" d
         WHERE d."date_key" <> -1 AND d.is_current) l3
         ON l3."full_date" = s."local"::date
  LEFT JOIN (SELECT d."minute_of_day", d."time_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_time" d
         WHERE d."time_key" <> -1 AND d.is_current) l4
         ON l4."minute_of_day" = floor(date_part('epoch', s."local"::time) / 60)::integer
  LEFT JOIN (SELECT d."full_date", d."date_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_date" d
         WHERE d."date_key" <> -1 AND d.is_current) l5
         ON l5."full_date" = s."day"::date;

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows ("id");

-- publish: delete vanished rows (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_when" t
     WHERE true
       AND NOT EXISTS (SELECT FROM loadstar_rows r WHERE r."id" = t."id")
    RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT t.ctid AS loadstar_row, r."at", r."local", r."day", r."at_date_key", r."at_time_key", r."local_date_key", r."local_time_key", r."day_key"
      FROM "public"."fact_when" t JOIN loadstar_rows r ON t."id" = r."id" AND true
     WHERE ROW(t."at", t."local", t."day", t."at_date_key", t."at_time_key", t."local_date_key", t."local_time_key", t."day_key") IS DISTINCT FROM ROW(r."at", r."local", r."day", r."at_date_key", r."at_time_key", r."local_date_key", r."local_time_key", r."day_key")),
written AS (
    UPDATE "public"."fact_when" t SET "at" = r."at", "local" = r."local", "day" = r."day", "at_date_key" = r."at_date_key", "at_time_key" = r."at_time_key", "local_date_key" = r."local_date_key", "local_time_key" = r."local_time_key", "day_key" = r."day_key", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH written AS (
    INSERT INTO "public"."fact_when" AS t ("id", "at", "local", "day", "at_date_key", "at_time_key", "local_date_key", "local_time_key", "day_key", load_id, loaded_at)
    SELECT r."id", r."at", r."local", r."day", r."at_date_key", r."at_time_key", r."local_date_key", r."local_time_key", r."day_key", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM "public"."fact_when" o WHERE o."id" = r."id" AND true)
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "at" = excluded."at", "local" = excluded."local", "day" = excluded."day", "at_date_key" = excluded."at_date_key", "at_time_key" = excluded."at_time_key", "local_date_key" = excluded."local_date_key", "local_time_key" = excluded."local_time_key", "day_key" = excluded."day_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged
  FROM "public"."fact_when" t
 WHERE true;

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."id", t."at", t."local", t."day", t."at_date_key" = -1, t."at_time_key" = -1, t."local_date_key" = -1, t."local_time_key" = -1, t."day_key" = -1), 0)), 0)
  FROM "public"."fact_when" t
 WHERE true;
