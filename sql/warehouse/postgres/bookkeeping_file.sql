-- What a file is, whatever it holds: identity is the connection and the path below it. file_id is what rows carry.
CREATE TABLE IF NOT EXISTS loadstar.file (
    file_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL,
    identity text NOT NULL,
    UNIQUE (pipeline, identity)
)
