/* step_plan: the plan step's end, which makes all other steps of the run. */
#include "base/clock.h"
#include "base/text.h"
#include "sql/change.h"
#include "sql/run_row.h"
#include "sql/statement.h"
#include "sql/step_store.h"

enum { BATCH = 1000 };

const char *const step_skip_reasons[SKIP_COUNT] = {
#define SKIP(id, name, why) [SKIP_##id] = name,
#include "sql/skip_reasons.def"
#undef SKIP
};

static void
add_member(struct text *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	text_addf(out, ",\"%s\":", name);
	json_quote(out, value);
}

static void
add_step(struct ctx *ctx, struct text *out, const struct step_plan *step)
{
	text_addf(out, "{\"id\":\"%s\",\"wave\":%lld,\"ordinal\":%lld,\"fail_run\":%s", step->id, (long long)step->wave,
	    (long long)step->ordinal, text_from_bool(step->fail_run));
	add_member(out, "kind", step->kind);
	add_member(out, "table_name", step->table);
	add_member(out, "scope", step->scope);
	add_member(out, "slice", step->slice);
	add_member(out, "skip_reason", step->skip_reason);
	if (step->files != NULL)
		text_addf(out, ",\"files\":%s", json_text(ctx, step->files));
	if (step->scope != NULL) {
		add_member(out, "slice_from", clock_format(ctx, step->from_us));
		add_member(out, "slice_to", clock_format(ctx, step->to_us));
	}
	text_add(out, "}");
}

static bool
insert_batch(struct change *change, const struct step_plan *steps, size_t count)
{
	CTX_SCOPE(tmp, change->ctx);
	struct text out;

	text_init(&out, tmp);
	for (size_t i = 0; i < count; i++) {
		text_add(&out, i == 0 ? "[" : ",");
		add_step(tmp, &out, &steps[i]);
	}
	text_add(&out, "]");
	return sql_run(tmp, change->db, SQL_STEP_INSERT, PG_PARAMS(change->run.id, change->run.pipeline, out.data),
	    NULL);
}

static bool
insert_steps(struct change *change, const struct step_plan *steps, size_t count)
{
	for (size_t i = 0; i < count; i += BATCH) {
		size_t size = count - i < BATCH ? count - i : BATCH;

		if (!insert_batch(change, steps + i, size))
			return false;
	}
	for (size_t i = 0; i < count; i++)
		change->run.steps_done += steps[i].skip_reason != NULL ? 1 : 0;
	change->run.steps_total = (int64_t)count + 1;
	change->run.steps_done++;
	return true;
}

/* A run that is being ended takes no new steps: they end with it. */
static bool
end_new_steps(struct change *change)
{
	const char *error = run_row_json(change->ctx, change->run.error);
	struct pg_rows rows;

	if (change->run.status != RUN_CANCELLING)
		return true;
	if (!sql_run(change->ctx, change->db, SQL_STEPS_END,
		PG_PARAMS(change->run.id, error == NULL ? "cancelled" : "failed",
		    error == NULL ? "{\"code\":\"cancelled\",\"detail\":null}"
				  : "{\"code\":\"run_deadline\",\"detail\":null}",
		    error),
		&rows))
		return false;
	change->run.steps_done += pg_i64(&rows, 0, 0);
	return true;
}

bool
step_finish_plan(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    const struct step_plan *steps, size_t count, int64_t deadline_us, bool *mine)
{
	struct change change;
	struct pg_rows rows;

	if (!change_begin(ctx, db, claim->run_id, &change))
		return false;
	if (!sql_run(ctx, db, SQL_STEP_FINISH,
		PG_PARAMS(claim->id, boot_id, text_from_i64(ctx, claim->load_number), "succeeded", "succeeded", NULL,
		    NULL, NULL, "0", NULL, NULL),
		&rows))
		return change_end(&change, false);
	*mine = rows.count > 0;
	if (!*mine) {
		change_drop(&change);
		return true;
	}
	change.step_id = claim->id;
	if (deadline_us != 0)
		change.run.deadline_us = deadline_us;
	change_log(&change, LOG_INFO, claim->id, ctx_printf(ctx, "planned %zu steps", count), NULL);
	return change_end(&change,
	    insert_steps(&change, steps, count) && end_new_steps(&change) && change_settle(&change, false));
}
