-- Rows that this load refused so far.
SELECT count(*) FROM loadstar_rejects
