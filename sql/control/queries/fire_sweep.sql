-- (no parameters)
-- Removes fires that no clock will be set back to.
DELETE FROM control.fire WHERE decided_at < now() - interval '400 days' AND scheduled_at < now() - interval '400 days'
