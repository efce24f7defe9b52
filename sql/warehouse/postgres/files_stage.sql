-- The files of this slice, for the statements of STAGE and PUBLISH. place: in the order in which a later file's rows win.
CREATE TEMP TABLE loadstar_files (
    place      bigint NOT NULL,
    file_id    bigint PRIMARY KEY,
    path       text NOT NULL,
    identity   text NOT NULL,
    etag       text NOT NULL,
    size       bigint NOT NULL,
    batch      text,
    batch_at   timestamptz,
    arrived_at timestamptz NOT NULL,
    seen       bigint, -- load_id of the table's newest record before the file was looked at
    rows       bigint,
    rejected   bigint,
    error      text -- it could not be read, and is left out
)
