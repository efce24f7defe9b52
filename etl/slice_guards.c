/*
 * slice_guards: a source that shrank does not erase history by itself.
 *
 * Asked in PUBLISH, of the figures of the difference that is written but not committed: nothing of it is visible yet, and nobody can
 * have changed the table since. What is stopped says its figures and what would let it pass; what passes although a guard
 * speaks is a warning in the run's log and stays in the ledger.
 */
#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"

/* Fewer rows say nothing by their shares. */
enum { SMALLEST_HELD = 20, PERCENT = 100 };

struct guard {
	const char *name;     /* as declared, and as a run allows it */
	const char *what;     /* "<n> of <held> rows …" */
	int64_t count, limit; /* limit: percent of what was held; below 0: off */
	bool warns;           /* never stops */
};

static bool
is_allowed(const struct loading *loading, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(loading->job->claim->allow, i, item) {
		if (text_equal(json_string_value(item), name))
			return true;
	}
	return false;
}

static void
note(struct ctx *ctx, struct loading *loading, const struct guard *guard, int64_t held, const char *why)
{
	json_t *said = json_new_object(ctx);

	json_put_string(ctx, said, "guard", guard->name);
	json_put_int(said, "count", guard->count);
	json_put_int(said, "held", held);
	json_put_int(said, "limit_percent", guard->limit);
	json_put_string(ctx, said, "passed", why);
	json_add(loading->outcome->guards, said);
}

/* Adds to stopped what the guard says; to names how it is allowed. */
static void
judge(struct ctx *ctx, struct loading *loading, const struct guard *guard, int64_t held, struct text *stopped,
    struct text *names)
{
	if (guard->limit < 0 || guard->count * PERCENT <= guard->limit * held)
		return;
	if (guard->warns || is_allowed(loading, guard->name)) {
		note(ctx, loading, guard, held, guard->warns ? "warning" : "allowed");
		return;
	}
	text_addf(stopped, "%s%lld of %lld rows %s (%lld %%, at most %lld %%)", stopped->length > 0 ? "; " : "",
	    (long long)guard->count, (long long)held, guard->what, (long long)(guard->count * PERCENT / held),
	    (long long)guard->limit);
	text_addf(names, "%s%s", names->length > 0 ? "," : "", guard->name);
}

/* A table whose declaration changed has other rows for that reason: the columns of all may differ. */
static bool
is_declared_anew(struct ctx *ctx, struct loading *loading, bool *anew)
{
	const struct slice_job *job = loading->job;
	struct pg_rows rows;

	if (!warehouse_query(ctx, loading->warehouse, "ledger_declaration",
		PG_PARAMS(loading->table, job->claim->scope, loading->from, loading->to), &rows))
		return false;
	*anew = rows.count > 0 && pg_value(&rows, 0, 0) != NULL &&
		!text_equal(pg_value(&rows, 0, 0), spec_table_fingerprint(ctx, job->spec, job->table));
	return true;
}

/* An empty source by itself: what it takes away is not asked about twice. */
static bool
judge_empty(struct ctx *ctx, struct loading *loading, int64_t held, bool *decided)
{
	const struct load_counts *counts = &loading->outcome->counts;
	const struct spec_table *table = loading->job->table;
	struct guard guard = {.name = "empty", .count = 0, .limit = 0};

	*decided = false;
	if (counts->read > counts->filtered + counts->rejected || table->guards.empty == GUARD_OFF)
		return true;
	*decided = table->guards.empty == GUARD_ERROR;
	if (*decided && !is_allowed(loading, "empty"))
		return fail(ctx, FAIL_GUARD_STOPPED,
		    "%s: the source gives no row, where there are %lld: allow empty lets it pass", loading->table,
		    (long long)held);
	note(ctx, loading, &guard, held, *decided ? "allowed" : "warning");
	return true;
}

static bool
judge_shares(struct ctx *ctx, struct loading *loading, int64_t held)
{
	const struct load_counts *counts = &loading->outcome->counts;
	const struct spec_guards *guards = &loading->job->table->guards;
	bool versions = loading->job->table->kind == TABLE_DIMENSION && loading->job->table->scd == 2;
	bool dimension = loading->job->table->kind == TABLE_DIMENSION, anew = false;
	struct guard shrink = {"shrink", "would be gone", versions ? 0 : counts->rows_before - counts->rows_after,
	    guards->shrink, false};
	struct guard close = {"close", "would end", versions ? counts->members_closed : counts->rows_deleted,
	    dimension ? guards->close : -1, false};
	struct guard change = {"change", "would be other ones",
	    versions ? counts->members_changed : counts->updated - counts->rows_moved, guards->change, false};
	struct text stopped, names;

	text_init(&stopped, ctx);
	text_init(&names, ctx);
	if (change.limit >= 0 && change.count * PERCENT > change.limit * held && !is_declared_anew(ctx, loading, &anew))
		return false;
	change.warns = anew;
	judge(ctx, loading, &shrink, held, &stopped, &names);
	judge(ctx, loading, &close, held, &stopped, &names);
	judge(ctx, loading, &change, held, &stopped, &names);
	return stopped.length == 0 ||
	       fail(ctx, FAIL_GUARD_STOPPED, "%s: %s: allow %s lets it pass", loading->table, stopped.data, names.data);
}

bool
ask_guards(struct ctx *ctx, struct loading *loading)
{
	struct load_counts *counts = &loading->outcome->counts;
	bool decided;

	if (loading->job->table->calendar.kind != CALENDAR_NONE)
		return true;
	if (table_counts_its_slice(loading->job->table))
		counts->held = counts->rows_before;
	if (counts->held < SMALLEST_HELD)
		return true;
	return judge_empty(ctx, loading, counts->held, &decided) &&
	       (decided || judge_shares(ctx, loading, counts->held));
}

void
log_guards(struct ctx *ctx, struct loading *loading)
{
	json_t *said;
	size_t i;

	json_array_foreach(loading->outcome->guards, i, said) {
		json_t *fields = json_new_object(ctx);

		json_put_string(ctx, fields, "table", loading->table);
		json_put_string(ctx, fields, "slice", loading->job->claim->slice);
		(void)json_object_update(fields, said);
		log_event(ctx, loading->job, LOG_WARN, "a guard let it pass", fields);
	}
}
