-- $1 pipeline, $2 decided until
UPDATE control.schedule SET decided_until = $2::timestamptz WHERE pipeline = $1
