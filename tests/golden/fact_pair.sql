-- ddl: create the schema
CREATE SCHEMA IF NOT EXISTS "public";

-- ddl: create the fact table
CREATE TABLE IF NOT EXISTS "public"."fact_pair" (
    "id" integer NOT NULL,
    "second" date,
    "first" text,
    "pair_key" bigint NOT NULL,
    load_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL
);

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_pair_grain"') IS NULL THEN
    CREATE UNIQUE INDEX "fact_pair_grain" ON "public"."fact_pair" ("id");
END IF; END $ddl$;

-- ddl: create index
DO $ddl$ BEGIN IF to_regclass('"public"."fact_pair_by_first_second"') IS NULL THEN
    CREATE INDEX "fact_pair_by_first_second" ON "public"."fact_pair" ("first", "second");
END IF; END $ddl$;

-- extract
SELECT "id", "second", "first"
  FROM (
SELECT * FROM fact_pair
) AS loadstar_source;

-- stage: create
CREATE TEMP TABLE loadstar_stage (
    "id" integer,
    "second" date,
    "first" text,
    stage_row bigint GENERATED ALWAYS AS IDENTITY
);

-- stage: copy
COPY loadstar_stage ("id", "second", "first") FROM STDIN;

-- stage: analyze staging
ANALYZE loadstar_stage ("id", "first", "second");

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

-- publish: lock public.dim_pair
-- publish: lock public.fact_pair
-- publish: find keys unknown to dim_pair
CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS
SELECT DISTINCT s."first" AS "one", s."second" AS "other" FROM loadstar_stage s
 WHERE s."first" IS NOT NULL AND s."second" IS NOT NULL
   AND NOT EXISTS (SELECT FROM "public"."dim_pair" d WHERE d."one" = s."first" AND d."other" = s."second" AND d."pair_key" <> -1);

-- publish: analyze the keys
ANALYZE loadstar_keys;

-- publish: infer members of dim_pair
WITH back AS (
    DELETE FROM loadstar."dim_pair_retired" q USING loadstar_keys k
     WHERE q."one" = k."one" AND q."other" = k."other" AND q.effective_from = '-infinity' RETURNING q.*),
made AS (
    INSERT INTO "public"."dim_pair" ("pair_key", "one", "other", effective_from, effective_to, is_current, is_inferred, load_id, loaded_at)
    SELECT COALESCE(q."pair_key", nextval((SELECT pg_get_serial_sequence('"public"."dim_pair"', 'pair_key')::regclass))), k."one", k."other", '-infinity', TIMESTAMPTZ '9999-12-31 00:00:00+00', true, true, :load_id, now()
      FROM loadstar_keys k LEFT JOIN back q ON q."one" = k."one" AND q."other" = k."other" RETURNING 1)
SELECT count(*) AS members_inferred, (SELECT count(*) FROM loadstar_keys) - count(*) AS missed FROM made;

-- publish: re-point fact_pair.pair_key
WITH due AS MATERIALIZED (
SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, -1) AS loadstar_key
  FROM "public"."fact_pair" f JOIN loadstar_keys k ON k."one" = f."first" AND k."other" = f."second"
  LEFT JOIN (SELECT d."one", d."other", d."pair_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_pair" d
          JOIN loadstar_keys k ON d."one" = k."one" AND d."other" = k."other"
         WHERE d."pair_key" <> -1 AND d.is_current) l
         ON l."one" = f."first" AND l."other" = f."second"
 WHERE f."pair_key" <> COALESCE(l.loadstar_key, -1)),
written AS (
    UPDATE "public"."fact_pair" f SET "pair_key" = r.loadstar_key
      FROM due r WHERE f.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS rows_repointed, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: forget the keys
DROP TABLE loadstar_keys;

-- publish: count rows before
SELECT count(*) AS rows_before FROM "public"."fact_pair" t WHERE true;

-- publish: insert rows into the empty slice (into an empty slice)
WITH written AS (
    INSERT INTO "public"."fact_pair" AS t ("id", "second", "first", "pair_key", load_id, loaded_at)
    SELECT r."id", r."second", r."first", r."pair_key", :load_id, now()
      FROM (SELECT s."id", s."second", s."first", COALESCE(l1.loadstar_key, -1) AS "pair_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."one", d."other", d."pair_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_pair" d
         WHERE d."pair_key" <> -1 AND d.is_current) l1
         ON l1."one" = s."first" AND l1."other" = s."second") r
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "second" = excluded."second", "first" = excluded."first", "pair_key" = excluded."pair_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: resolve staged rows (into a slice with rows)
CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS
SELECT s."id", s."second", s."first", COALESCE(l1.loadstar_key, -1) AS "pair_key"
  FROM loadstar_stage s
  LEFT JOIN (SELECT d."one", d."other", d."pair_key" AS loadstar_key, d.is_current,
               d.effective_from AS loadstar_from, d.effective_to AS loadstar_to
          FROM "public"."dim_pair" d
         WHERE d."pair_key" <> -1 AND d.is_current) l1
         ON l1."one" = s."first" AND l1."other" = s."second";

-- publish: analyze resolved rows (into a slice with rows)
ANALYZE loadstar_rows ("id");

-- publish: delete vanished rows (into a slice with rows)
WITH gone AS (
    DELETE FROM "public"."fact_pair" t
     WHERE true
       AND NOT EXISTS (SELECT FROM loadstar_rows r WHERE r."id" = t."id")
    RETURNING 1)
SELECT count(*) AS rows_deleted FROM gone;

-- publish: update changed rows (into a slice with rows)
WITH due AS MATERIALIZED (
    SELECT t.ctid AS loadstar_row, r."second", r."first", r."pair_key"
      FROM "public"."fact_pair" t JOIN loadstar_rows r ON t."id" = r."id" AND true
     WHERE ROW(t."second", t."first", t."pair_key") IS DISTINCT FROM ROW(r."second", r."first", r."pair_key")),
written AS (
    UPDATE "public"."fact_pair" t SET "second" = r."second", "first" = r."first", "pair_key" = r."pair_key", load_id = :load_id, loaded_at = now()
      FROM due r WHERE t.ctid = r.loadstar_row RETURNING 1)
SELECT w.n AS updated, d.n - w.n AS missed
  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d;

-- publish: insert new rows (into a slice with rows)
WITH written AS (
    INSERT INTO "public"."fact_pair" AS t ("id", "second", "first", "pair_key", load_id, loaded_at)
    SELECT r."id", r."second", r."first", r."pair_key", :load_id, now()
      FROM loadstar_rows r
     WHERE NOT EXISTS (SELECT FROM "public"."fact_pair" o WHERE o."id" = r."id" AND true)
    ON CONFLICT ("id") DO UPDATE SET "id" = excluded."id", "second" = excluded."second", "first" = excluded."first", "pair_key" = excluded."pair_key", load_id = excluded.load_id, loaded_at = excluded.loaded_at
    RETURNING t.xmax = 0 AS loadstar_fresh)
SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,
       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened
  FROM written;

-- publish: count rows after
SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged
  FROM "public"."fact_pair" t
 WHERE true;

-- publish: content hash
SELECT count(*) || ':' || COALESCE(sum(hash_record_extended(ROW(t."id", t."second", t."first", t."pair_key" = -1), 0)), 0)
  FROM "public"."fact_pair" t
 WHERE true;
