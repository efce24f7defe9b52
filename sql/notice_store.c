#include "sql/notice_store.h"

#include "base/bug.h"
#include "base/text.h"
#include "sql/statement.h"

static const char *const events[] = {
#define EVENT(id, name, when) name,
#include "sql/notice_events.def"
#undef EVENT
};

bool
notice_event_is_known(const char *name)
{
	for (size_t i = 0; i < LENGTH_OF(events); i++)
		if (text_equal(events[i], name))
			return true;
	return false;
}

char *
notice_event_list(struct ctx *ctx)
{
	struct text list;

	text_init(&list, ctx);
	for (size_t i = 0; i < LENGTH_OF(events); i++)
		text_addf(&list, "%s%s", i == 0 ? "" : ", ", events[i]);
	return list.data;
}

bool
notice_write(struct ctx *ctx, struct pg *db, const struct run *run)
{
	bool quality = run->checks_failed > 0 || text_equal(json_string_or(run->error, "class", NULL), "quality");

	return sql_run(ctx, db, SQL_NOTICE_WRITE,
	    PG_PARAMS(run->id, text_from_i64(ctx, run->attempt), run->pipeline, run->spec_version,
		run_status_name(run->status), text_from_bool(quality), json_text(ctx, run_to_json(ctx, run))),
	    NULL);
}

bool
notice_claim(struct ctx *ctx, struct pg *db, int64_t lease_ms, struct notice *notice, bool *found)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_NOTICE_CLAIM, PG_PARAMS(text_from_i64(ctx, lease_ms)), &rows))
		return false;
	*found = rows.count > 0;
	if (*found)
		*notice = (struct notice){
		    .id = pg_value(&rows, 0, 0),
		    .run_id = pg_value(&rows, 0, 1),
		    .pipeline = pg_value(&rows, 0, 2),
		    .event = pg_value(&rows, 0, 3),
		    .target = pg_value(&rows, 0, 4),
		    .run = json_trusted(ctx, pg_value(&rows, 0, 5)),
		    .tries = pg_i64(&rows, 0, 6),
		    .created_us = pg_time_us(&rows, 0, 7),
		    .stale = pg_bool(&rows, 0, 8),
		};
	return true;
}

bool
notice_finish(struct ctx *ctx, struct pg *db, const struct notice *notice, const char *state, int64_t wait_ms,
    bool *mine)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_NOTICE_FINISH,
		PG_PARAMS(notice->id, text_from_i64(ctx, notice->tries), state, text_from_i64(ctx, wait_ms)), &rows))
		return false;
	*mine = rows.count > 0;
	return true;
}

bool
notice_postpone(struct ctx *ctx, struct pg *db, const char *target, int64_t wait_ms)
{
	return sql_run(ctx, db, SQL_NOTICE_POSTPONE, PG_PARAMS(target, text_from_i64(ctx, wait_ms)), NULL);
}

bool
notice_sweep(struct ctx *ctx, struct pg *db)
{
	return sql_run(ctx, db, SQL_NOTICE_SWEEP, PG_NO_PARAMS, NULL);
}
