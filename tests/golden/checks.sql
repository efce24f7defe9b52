-- complete, valid, kept, rows: one scan
SELECT count(*) AS rows_checked, count(*) FILTER (WHERE (t."note" IS NULL OR t."amount" IS NULL)) AS rows_failed,
       count(*) FILTER (WHERE (
note <> ''
)) AS rows_checked, count(*) FILTER (WHERE (
note <> ''
) AND ((
amount > 0 -- or so
) IS FALSE)) AS rows_failed,
       count(*) FILTER (WHERE t."kind_id" IS NOT NULL) AS rows_checked, count(*) FILTER (WHERE t."kind_id" IS NOT NULL AND r3.loadstar_key_1 IS NULL) AS rows_failed,
       count(*) AS rows_checked,
       NULL::bigint AS previous
  FROM loadstar_stage t
  LEFT JOIN (SELECT DISTINCT "kind_id" AS loadstar_key_1 FROM "public"."dim_kind" WHERE "kind_key" <> -1) r3 ON r3.loadstar_key_1 = t."kind_id";

-- known, shrunk: one scan
SELECT count(*) FILTER (WHERE t."kind_key" IS NOT NULL) AS rows_checked, count(*) FILTER (WHERE t."kind_key" IS NOT NULL AND r1.loadstar_key_1 IS NULL) AS rows_failed,
       count(*) AS rows_checked,
       (SELECT (l.result #>> '{slice,rows_after}')::bigint
      FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_sale' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_sale' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND l.slice = :slice
     ORDER BY l.load_id DESC LIMIT 1) AS previous
  FROM (SELECT * FROM "public"."fact_sale" t WHERE t."sold_at" >= :from AND t."sold_at" < :to) t
  LEFT JOIN (SELECT DISTINCT "kind_key" AS loadstar_key_1 FROM "public"."dim_kind" WHERE "kind_key" <> -1) r1 ON r1.loadstar_key_1 = t."kind_key";

-- fresh, anywhere: one scan
SELECT (max(t."sold_at"))::timestamptz AS observed,
       COALESCE((max(t."sold_at"))::timestamptz >= :now - interval '172800000 milliseconds', false) AS passed,
       count(*) AS rows_checked, count(*) FILTER (WHERE (t."kind_id" IS NULL)) AS rows_failed
  FROM "public"."fact_sale" t;

-- complete
SELECT count(*) AS rows_checked, count(*) FILTER (WHERE (t."note" IS NULL OR t."amount" IS NULL)) AS rows_failed
  FROM loadstar_stage t;

-- complete: sample
SELECT COALESCE(json_agg(s), '[]')
  FROM (SELECT t."sale_id", left(t."note"::text, 200) AS "note", left(t."amount"::text, 200) AS "amount"
          FROM loadstar_stage t
         WHERE (t."note" IS NULL OR t."amount" IS NULL)
         ORDER BY t."sale_id"
         LIMIT 10) s;

-- valid
SELECT count(*) FILTER (WHERE (
note <> ''
)) AS rows_checked, count(*) FILTER (WHERE (
note <> ''
) AND ((
amount > 0 -- or so
) IS FALSE)) AS rows_failed
  FROM loadstar_stage t;

-- valid: sample
SELECT COALESCE(json_agg(s), '[]')
  FROM (SELECT t."sale_id", left(t."amount"::text, 200) AS "amount"
          FROM (SELECT * FROM loadstar_stage t
 WHERE (
note <> ''
)) t
         WHERE ((
amount > 0 -- or so
) IS FALSE)
         ORDER BY t."sale_id"
         LIMIT 10) s;

-- unique
SELECT COALESCE(sum(n), 0)::bigint AS rows_checked, COALESCE(sum(n) FILTER (WHERE n > 1), 0)::bigint AS rows_failed
  FROM (SELECT count(*) AS n FROM (SELECT * FROM "public"."fact_sale" t WHERE t."sold_at" >= :from AND t."sold_at" < :to) t
         WHERE t."kind_id" IS NOT NULL AND t."note" IS NOT NULL
         GROUP BY t."kind_id", t."note") g;

-- unique: sample
SELECT COALESCE(json_agg(s), '[]')
  FROM (SELECT t."sale_id", t."kind_id", left(t."note"::text, 200) AS "note"
          FROM (SELECT * FROM "public"."fact_sale" t WHERE t."sold_at" >= :from AND t."sold_at" < :to) t
          JOIN (SELECT t."kind_id", t."note" FROM (SELECT * FROM "public"."fact_sale" t WHERE t."sold_at" >= :from AND t."sold_at" < :to) t GROUP BY t."kind_id", t."note" HAVING count(*) > 1) d ON t."kind_id" = d."kind_id" AND t."note" = d."note"
         ORDER BY t."sale_id"
         LIMIT 10) s;

-- known
SELECT count(*) FILTER (WHERE t."kind_key" IS NOT NULL) AS rows_checked, count(*) FILTER (WHERE t."kind_key" IS NOT NULL AND r1.loadstar_key_1 IS NULL) AS rows_failed
  FROM (SELECT * FROM "public"."fact_sale" t WHERE t."sold_at" >= :from AND t."sold_at" < :to) t
  LEFT JOIN (SELECT DISTINCT "kind_key" AS loadstar_key_1 FROM "public"."dim_kind" WHERE "kind_key" <> -1) r1 ON r1.loadstar_key_1 = t."kind_key";

-- known: sample
SELECT COALESCE(json_agg(s), '[]')
  FROM (SELECT t."sale_id", t."kind_key"
          FROM (SELECT * FROM "public"."fact_sale" t WHERE t."sold_at" >= :from AND t."sold_at" < :to) t
  LEFT JOIN (SELECT DISTINCT "kind_key" AS loadstar_key_1 FROM "public"."dim_kind" WHERE "kind_key" <> -1) r ON r.loadstar_key_1 = t."kind_key"
         WHERE t."kind_key" IS NOT NULL AND r.loadstar_key_1 IS NULL
         ORDER BY t."sale_id"
         LIMIT 10) s;

-- kept
SELECT count(*) FILTER (WHERE t."kind_id" IS NOT NULL) AS rows_checked, count(*) FILTER (WHERE t."kind_id" IS NOT NULL AND r1.loadstar_key_1 IS NULL) AS rows_failed
  FROM loadstar_stage t
  LEFT JOIN (SELECT DISTINCT "kind_id" AS loadstar_key_1 FROM "public"."dim_kind" WHERE "kind_key" <> -1) r1 ON r1.loadstar_key_1 = t."kind_id";

-- kept: sample
SELECT COALESCE(json_agg(s), '[]')
  FROM (SELECT t."sale_id", t."kind_id"
          FROM loadstar_stage t
  LEFT JOIN (SELECT DISTINCT "kind_id" AS loadstar_key_1 FROM "public"."dim_kind" WHERE "kind_key" <> -1) r ON r.loadstar_key_1 = t."kind_id"
         WHERE t."kind_id" IS NOT NULL AND r.loadstar_key_1 IS NULL
         ORDER BY t."sale_id"
         LIMIT 10) s;

-- labels
SELECT count(*) AS rows_checked, count(*) FILTER (WHERE (t."label" IS NULL)) AS rows_failed
  FROM (SELECT * FROM "public"."dim_kind" t WHERE t.is_current AND t."kind_key" <> -1) t;

-- labels: sample
SELECT COALESCE(json_agg(s), '[]')
  FROM (SELECT t."kind_id", left(t."label"::text, 200) AS "label"
          FROM (SELECT * FROM "public"."dim_kind" t WHERE t.is_current AND t."kind_key" <> -1) t
         WHERE (t."label" IS NULL)
         ORDER BY t."kind_id"
         LIMIT 10) s;

-- rows
SELECT count(*) AS rows_checked,
       NULL::bigint AS previous
  FROM loadstar_stage t;

-- shrunk
SELECT count(*) AS rows_checked,
       (SELECT (l.result #>> '{slice,rows_after}')::bigint
      FROM loadstar.slice_ledger l
     WHERE l.table_name = 'public.fact_sale' AND l.state <> 'undo'
       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u
                        WHERE u.table_name = 'public.fact_sale' AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)
       AND l.slice = :slice
     ORDER BY l.load_id DESC LIMIT 1) AS previous
  FROM (SELECT * FROM "public"."fact_sale" t WHERE t."sold_at" >= :from AND t."sold_at" < :to) t;

-- fresh
SELECT (max(t."sold_at"))::timestamptz AS observed,
       COALESCE((max(t."sold_at"))::timestamptz >= :now - interval '172800000 milliseconds', false) AS passed
  FROM "public"."fact_sale" t;

-- few
SELECT left(value::text, 200) AS observed, COALESCE(abs(value::numeric - (3)::numeric) <= 1, false) AS passed
  FROM (SELECT (
-- how many kinds
SELECT count(*) FROM dim_kind

) AS value) q;

-- between
SELECT left(value::text, 200) AS observed, COALESCE(value::numeric >= (0)::numeric AND value::numeric <= (2)::numeric, false) AS passed
  FROM (SELECT (
SELECT 1
) AS value) q;

-- word
SELECT left(value::text, 200) AS observed, COALESCE(value::text = 'it''s', false) AS passed
  FROM (SELECT (
SELECT 'a'
) AS value) q;

-- anywhere
SELECT count(*) AS rows_checked, count(*) FILTER (WHERE (t."kind_id" IS NULL)) AS rows_failed
  FROM "public"."fact_sale" t;

-- anywhere: sample
SELECT COALESCE(json_agg(s), '[]')
  FROM (SELECT t."sale_id", t."kind_id"
          FROM "public"."fact_sale" t
         WHERE (t."kind_id" IS NULL)
         ORDER BY t."sale_id"
         LIMIT 10) s;

-- once
SELECT COALESCE(sum(n), 0)::bigint AS rows_checked, COALESCE(sum(n) FILTER (WHERE n > 1), 0)::bigint AS rows_failed
  FROM (SELECT count(*) AS n FROM "public"."fact_sale" t
         WHERE t."note" IS NOT NULL
         GROUP BY t."note") g;

-- once: sample
SELECT COALESCE(json_agg(s), '[]')
  FROM (SELECT t."sale_id", left(t."note"::text, 200) AS "note"
          FROM "public"."fact_sale" t
          JOIN (SELECT t."note" FROM "public"."fact_sale" t GROUP BY t."note" HAVING count(*) > 1) d ON t."note" = d."note"
         ORDER BY t."sale_id"
         LIMIT 10) s;
