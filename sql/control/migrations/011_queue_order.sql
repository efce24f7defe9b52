-- Older steps that wait for an overlapping one are looked for by what they load.

CREATE INDEX step_queued_span ON control.step USING gist (warehouse_table, span) WHERE status = 'queued' AND end_as IS NULL;
