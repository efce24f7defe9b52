-- $1 names of the tables that were read. The load each of them is at, as one object; where one was undone, the undo: that is what wrote last.
SELECT COALESCE(jsonb_object_agg(table_name, load_id), '{}')
  FROM (SELECT table_name, max(load_id) AS load_id FROM loadstar.slice_ledger
         WHERE table_name = ANY ($1::text[]) GROUP BY table_name) newest
