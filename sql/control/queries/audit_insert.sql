-- $1 subject, $2 client, $3 trace id, $4 action, $5 pipeline, $6 target, $7 detail json
INSERT INTO control.audit (subject, client, trace_id, action, pipeline, target, detail)
VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::json, '{}'))
