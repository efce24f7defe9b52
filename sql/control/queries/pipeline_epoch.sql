-- $1 pipeline
-- The epoch of its load ids: its own once it was adopted, else that of this control database.
SELECT coalesce((SELECT p.epoch FROM control.pipeline p WHERE p.name = $1), i.epoch) FROM control.identity i
