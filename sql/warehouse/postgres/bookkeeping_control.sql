-- Which control database owns a pipeline's tables.
CREATE TABLE IF NOT EXISTS loadstar.control (
    pipeline   text PRIMARY KEY,
    control_id text NOT NULL,
    epoch      bigint NOT NULL
)
