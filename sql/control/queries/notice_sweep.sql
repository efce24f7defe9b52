-- (no parameters)
DELETE FROM control.notice WHERE state <> 'pending' AND finished_at < now() - interval '30 days'
