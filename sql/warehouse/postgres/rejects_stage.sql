-- Rows that this load refuses. Whoever adds one takes the row out of what is written. stage_row: of loadstar_stage, where it came
-- that far; file: its path; rule: a word; raw_text: the row as it came, without what is masked.
CREATE TEMP TABLE loadstar_rejects (
    stage_row   bigint,
    file_id     bigint,
    file        text,
    line        bigint,
    column_name text,
    rule        text NOT NULL,
    raw_text    text,
    row_time    timestamptz
)
