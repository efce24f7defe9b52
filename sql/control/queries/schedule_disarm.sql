-- $1 pipeline, $2 rule as seen
-- The active version has no schedule any more.
DELETE FROM control.schedule WHERE pipeline = $1 AND rule = $2
