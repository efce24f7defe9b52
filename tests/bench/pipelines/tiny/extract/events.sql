SELECT event_id, happened_at, amount
  FROM events
 WHERE happened_at >= :from AND happened_at < :to
