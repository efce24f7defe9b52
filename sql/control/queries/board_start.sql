-- Where the outbox ends.
SELECT coalesce(max(id), 0) FROM control.outbox
