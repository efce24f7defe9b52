#include "sql/run_row.h"

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"

enum kind { TEXT, NUMBER, FLAG, TIME, JSON, STATUS };

/* The columns in the order in which every statement selects them. */
static const struct field {
	const char *column;
	enum kind kind;
	size_t offset;
} fields[] = {
#define FIELD(column, kind, member) \
	{ \
		column, kind, offsetof(struct run, member) \
	}
    FIELD("id", TEXT, id),
    FIELD("pipeline", TEXT, pipeline),
    FIELD("type", TEXT, type),
    FIELD("mode", TEXT, mode),
    FIELD("status", STATUS, status),
    FIELD("attempt", NUMBER, attempt),
    FIELD("range_from", TIME, from_us),
    FIELD("range_to", TIME, to_us),
    FIELD("slice", TEXT, slice),
    FIELD("tables", JSON, tables),
    FIELD("params", JSON, params),
    FIELD("labels", JSON, labels),
    FIELD("allow", JSON, allow),
    FIELD("note", TEXT, note),
    FIELD("requested_by", TEXT, requested_by),
    FIELD("trigger_kind", TEXT, trigger_kind),
    FIELD("trigger_ref", TEXT, trigger_ref),
    FIELD("spec_version", TEXT, spec_version),
    FIELD("priority", NUMBER, priority),
    FIELD("descending", FLAG, descending),
    FIELD("max_parallel", NUMBER, max_parallel),
    FIELD("wave", NUMBER, wave),
    FIELD("created_at", TIME, created_us),
    FIELD("started_at", TIME, started_us),
    FIELD("finished_at", TIME, finished_us),
    FIELD("deadline_at", TIME, deadline_us),
    FIELD("changed_at", TIME, changed_us),
    FIELD("steps_total", NUMBER, steps_total),
    FIELD("steps_done", NUMBER, steps_done),
    FIELD("rows_read", NUMBER, rows_read),
    FIELD("rows_written", NUMBER, rows_written),
    FIELD("rows_rejected", NUMBER, rows_rejected),
    FIELD("bytes_read", NUMBER, bytes_read),
    FIELD("checks_passed", NUMBER, checks_passed),
    FIELD("checks_warned", NUMBER, checks_warned),
    FIELD("checks_failed", NUMBER, checks_failed),
    FIELD("checks_errored", NUMBER, checks_errored),
    FIELD("error", JSON, error),
    FIELD("version", NUMBER, version),
#undef FIELD
};

static void
read_field(struct ctx *ctx, const struct pg_rows *rows, int row, int column, struct run *run)
{
	void *member = (char *)run + fields[column].offset;
	const char *value = pg_value(rows, row, column);

	switch (fields[column].kind) {
	case TEXT: *(const char **)member = value; break;
	case NUMBER: *(int64_t *)member = pg_i64(rows, row, column); break;
	case FLAG: *(bool *)member = pg_bool(rows, row, column); break;
	case TIME: *(int64_t *)member = pg_time_us(rows, row, column); break;
	case JSON: *(json_t **)member = json_trusted(ctx, value); break;
	case STATUS: ASSERT(run_status_find(value, (enum run_status *)member)); break;
	}
}

void
run_row_read(struct ctx *ctx, const struct pg_rows *rows, int row, struct run *run)
{
	*run = (struct run){0};
	ASSERT(rows->columns >= (int)LENGTH_OF(fields));
	for (int i = 0; i < (int)LENGTH_OF(fields); i++) {
		ASSERT(text_equal(pg_column_name(rows, i), fields[i].column));
		read_field(ctx, rows, row, i, run);
	}
}

const char *
run_row_time(struct ctx *ctx, int64_t at_us)
{
	return at_us == 0 ? NULL : clock_format(ctx, at_us);
}

const char *
run_row_json(struct ctx *ctx, const json_t *value)
{
	return value == NULL || json_is_null(value) ? NULL : json_text(ctx, value);
}
