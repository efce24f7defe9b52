#include "sql/step_waits.h"

#include "base/bug.h"
#include "base/text.h"
#include "sql/statement.h"

enum column {
	ID,
	STATUS,
	PAUSED,
	FULL,
	MAX_PARALLEL,
	AGAIN,
	SERVED,
	ALIVE,
	END_AS,
	ERROR,
	WAITING_FOR,
	BEFORE,
	OTHER,
	READY_AT,
	PLANNED_AT,
	CHANGED_AT,
	TRIED_AT,
	OTHER_SINCE,
	SERVED_UNTIL,
	LEASE_UNTIL
};

static const char *const names[] = {
#define WAIT(id, name, status, for) [WAIT_##id] = name,
#include "sql/wait_kinds.def"
#undef WAIT
};

const char *
wait_kind_name(enum wait_kind kind)
{
	ASSERT(kind < WAIT_KIND_COUNT);
	return names[kind];
}

static json_t *
told(struct ctx *ctx, const struct pg_rows *rows, int row, enum wait_kind kind, enum column since, const char *detail)
{
	json_t *waits = json_new_object(ctx);

	json_put_string(ctx, waits, "kind", wait_kind_name(kind));
	json_put_string(ctx, waits, "detail", detail);
	json_put_time(ctx, waits, "since", pg_time_us(rows, row, (int)since));
	return waits;
}

/* "{a,b}" as "a, b": names of tables and kinds need no quotes. */
static const char *
before(struct ctx *ctx, const char *array)
{
	struct text out;

	text_init(&out, ctx);
	for (const char *at = array; *at != '\0'; at++)
		if (*at == ',')
			text_add(&out, ", ");
		else if (*at != '{' && *at != '}')
			text_add_bytes(&out, at, 1);
	return out.length > 0 ? out.data : "what runs before it";
}

static const char *
last_error(struct ctx *ctx, const char *text)
{
	json_t *error = json_trusted(ctx, text);

	return text == NULL ? "its next try"
			    : ctx_printf(ctx, "after %s: %s", json_string_or(error, "code", "internal"),
				  json_string_or(error, "message", ""));
}

/* Nobody gives it out, in the order in which claims look. */
static json_t *
queued(struct ctx *ctx, const struct pg_rows *rows, int row)
{
	const char *end_as = pg_value(rows, row, END_AS);

	if (pg_bool(rows, row, AGAIN))
		return told(ctx, rows, row, WAIT_BACKOFF, TRIED_AT, last_error(ctx, pg_value(rows, row, ERROR)));
	if (!pg_bool(rows, row, SERVED))
		return told(ctx, rows, row, WAIT_NO_WORKER, SERVED_UNTIL, "no replica with workers is alive");
	if (pg_value(rows, row, OTHER) != NULL)
		return told(ctx, rows, row, WAIT_OVERLAP, OTHER_SINCE, pg_value(rows, row, OTHER));
	if (pg_bool(rows, row, FULL))
		return told(ctx, rows, row, WAIT_MAX_PARALLEL, READY_AT,
		    ctx_printf(ctx, "the run has its %s steps running", pg_value(rows, row, MAX_PARALLEL)));
	return told(ctx, rows, row, WAIT_WORKER, READY_AT,
	    end_as == NULL ? "a free worker" : ctx_printf(ctx, "a free worker, to end it as %s", end_as));
}

/* NULL: it waits for nothing. */
static json_t *
wait_of(struct ctx *ctx, const struct pg_rows *rows, int row)
{
	const char *status = pg_value(rows, row, STATUS), *said = pg_value(rows, row, WAITING_FOR);

	if (text_equal(status, "running") && !pg_bool(rows, row, ALIVE))
		return told(ctx, rows, row, WAIT_LEASE, LEASE_UNTIL, "its replica does not answer any more");
	if (text_equal(status, "running"))
		return said != NULL ? json_trusted(ctx, said) : NULL;
	if (pg_bool(rows, row, PAUSED))
		return told(ctx, rows, row, WAIT_PAUSED, CHANGED_AT, "the run is paused");
	if (text_equal(status, "waiting"))
		return told(ctx, rows, row, WAIT_DEPENDENCY, PLANNED_AT, before(ctx, pg_value(rows, row, BEFORE)));
	return queued(ctx, rows, row);
}

bool
step_waits(struct ctx *ctx, struct pg *db, const char *run_id, const char **ids, size_t count, json_t *by_step)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_STEP_WAITS, PG_PARAMS(run_id, pg_text_array(ctx, ids, count)), &rows))
		return false;
	for (int i = 0; i < rows.count; i++) {
		json_t *waits = wait_of(ctx, &rows, i);

		if (waits != NULL)
			json_put(by_step, pg_value(&rows, i, ID), waits);
	}
	return true;
}
