#include "base/bug.h"
#include "base/text.h"
#include "base/uuid.h"
#include "sql/audit_store.h"
#include "sql/change.h"
#include "sql/run_row.h"
#include "sql/statement.h"

static bool
insert(struct ctx *ctx, struct pg *db, const char *run_id, const struct run *w)
{
	struct pg_rows rows;

	return sql_run(ctx, db, SQL_RUN_INSERT,
	    PG_PARAMS(run_id, uuid_make(ctx), w->pipeline, w->type, w->mode, run_row_time(ctx, w->from_us),
		run_row_time(ctx, w->to_us), w->slice, run_row_json(ctx, w->tables), run_row_json(ctx, w->params),
		run_row_json(ctx, w->labels), run_row_json(ctx, w->allow), w->note, w->requested_by, w->trigger_kind,
		w->trigger_ref, w->spec_version, text_from_i64(ctx, w->priority), text_from_bool(w->descending),
		text_from_i64(ctx, w->max_parallel), run_row_time(ctx, w->deadline_us)),
	    &rows);
}

static bool
note(struct ctx *ctx, struct pg *db, const char *run_id, const struct run *w)
{
	json_t *detail = json_new_object(ctx);

	json_put_string(ctx, detail, "type", w->type);
	json_put_string(ctx, detail, "mode", w->mode);
	json_put_string(ctx, detail, "trigger", w->trigger_kind);
	return audit_write(ctx, db,
	    &(struct audit_entry){.action = "run.submit",
		.pipeline = w->pipeline,
		.target = run_id,
		.subject = w->requested_by,
		.detail = detail});
}

bool
change_new_run(struct ctx *ctx, struct pg *db, const char *run_id, const struct run *want, struct change *change)
{
	bool found;

	*change = (struct change){.ctx = ctx, .db = db, .work = true};
	if (!insert(ctx, db, run_id, want) || !note(ctx, db, run_id, want) ||
	    !run_find(ctx, db, run_id, &change->run, &found))
		return false;
	ASSERT(found);
	change_log(change, LOG_INFO, NULL,
	    ctx_printf(ctx, "accepted: %s run of %s, asked for by %s", want->type, want->pipeline, want->requested_by),
	    NULL);
	return true;
}
