#include "sql/schedule_store.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/uuid.h"
#include "sql/audit_store.h"
#include "sql/change.h"
#include "sql/run_row.h"
#include "sql/statement.h"

bool
schedule_list(struct ctx *ctx, struct pg *db, struct schedule_row **list, size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_SCHEDULE_LIST, PG_NO_PARAMS, &rows))
		return false;
	*count = (size_t)rows.count;
	*list = ctx_alloc_array(ctx, *count + 1, sizeof(**list));
	for (int i = 0; i < rows.count; i++)
		(*list)[i] = (struct schedule_row){
		    .pipeline = pg_value(&rows, i, 0),
		    .hash = pg_value(&rows, i, 1),
		    .paused_us = pg_time_us(&rows, i, 2),
		    .paused_by = pg_value(&rows, i, 3),
		    .rule = pg_value(&rows, i, 4),
		    .decided_until_us = pg_time_us(&rows, i, 5),
		};
	return true;
}

bool
schedule_arm(struct ctx *ctx, struct pg *db, const struct schedule_row *seen, const char *rule, int64_t at_us)
{
	if (rule == NULL)
		return sql_run(ctx, db, SQL_SCHEDULE_DISARM, PG_PARAMS(seen->pipeline, seen->rule), NULL);
	return sql_run(ctx, db, SQL_SCHEDULE_ARM,
	    PG_PARAMS(seen->pipeline, rule, clock_format(ctx, at_us), seen->rule,
		run_row_time(ctx, seen->decided_until_us)),
	    NULL);
}

bool
schedule_unfinished(struct ctx *ctx, struct pg *db, const char *pipeline, int64_t scheduled_us, const char ***ids,
    size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_SCHEDULE_UNFINISHED, PG_PARAMS(pipeline, run_row_time(ctx, scheduled_us)), &rows))
		return false;
	*count = (size_t)rows.count;
	*ids = ctx_alloc_array(ctx, *count + 1, sizeof(**ids));
	for (int i = 0; i < rows.count; i++)
		(*ids)[i] = pg_value(&rows, i, 0);
	return true;
}

/* Too many runs are in the way: the fire is skipped, and says for which one. */
static bool
look_for_overlap(struct ctx *ctx, struct pg *db, const char *pipeline, const struct fire_rule *rule, struct fire *fire)
{
	const char **ids;
	size_t count;

	if (rule->want == NULL)
		return true;
	if (!schedule_unfinished(ctx, db, pipeline, 0, &ids, &count))
		return false;
	if ((int64_t)count < rule->most)
		return true;
	fire->reason = rule->too_many;
	fire->run_id = ids[0];
	return true;
}

static bool
insert_fire(struct ctx *ctx, struct pg *db, const char *pipeline, const struct fire *fire, bool *fresh)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_FIRE_INSERT,
		PG_PARAMS(pipeline, clock_format(ctx, fire->scheduled_us), fire->reason, fire->detail, fire->run_id,
		    text_from_i64(ctx, fire->fires)),
		&rows))
		return false;
	*fresh = rows.count > 0;
	return true;
}

/* In the transaction. *change: of the new run when the fire causes one. */
static bool
decide(struct ctx *ctx, struct pg *db, const struct schedule_row *seen, const struct fire_rule *rule, struct fire *fire,
    struct change *change, bool *mine)
{
	struct pg_rows rows;

	*mine = false;
	if (!sql_run(ctx, db, SQL_SCHEDULE_LOCK,
		PG_PARAMS(seen->pipeline, seen->rule, clock_format(ctx, seen->decided_until_us)), &rows))
		return false;
	if (rows.count == 0)
		return true;
	if (!look_for_overlap(ctx, db, seen->pipeline, rule, fire))
		return false;
	if (fire->reason == NULL)
		fire->run_id = uuid_make(ctx);
	if (!insert_fire(ctx, db, seen->pipeline, fire, mine) ||
	    !sql_run(ctx, db, SQL_SCHEDULE_DECIDED, PG_PARAMS(seen->pipeline, clock_format(ctx, fire->scheduled_us)),
		NULL))
		return false;
	return !*mine || fire->reason != NULL || change_new_run(ctx, db, fire->run_id, rule->want, change);
}

bool
schedule_fire(struct ctx *ctx, struct pg *db, const struct schedule_row *seen, const struct fire_rule *rule,
    struct fire *fire, bool *mine)
{
	struct change change = {0};

	if (!pg_begin(ctx, db))
		return false;
	if (!decide(ctx, db, seen, rule, fire, &change, mine)) {
		pg_rollback(db);
		return false;
	}
	if (change.db != NULL)
		return change_end(&change, true);
	return pg_commit(ctx, db);
}

static struct fire
read_fire(const struct pg_rows *rows, int row)
{
	return (struct fire){
	    .scheduled_us = pg_time_us(rows, row, 1),
	    .reason = pg_value(rows, row, 2),
	    .detail = pg_value(rows, row, 3),
	    .run_id = pg_value(rows, row, 4),
	    .fires = pg_i64(rows, row, 5),
	    .decided_us = pg_time_us(rows, row, 6),
	};
}

bool
schedule_fires(struct ctx *ctx, struct pg *db, const char *pipeline, struct fire **last, struct fire **skipped,
    size_t *skipped_count)
{
	struct pg_rows rows;

	*last = NULL;
	*skipped_count = 0;
	if (!sql_run(ctx, db, SQL_FIRE_RECENT, PG_PARAMS(pipeline), &rows))
		return false;
	*skipped = ctx_alloc_array(ctx, (size_t)rows.count + 1, sizeof(**skipped));
	for (int i = 0; i < rows.count; i++) {
		if (!pg_bool(&rows, i, 0)) {
			(*skipped)[(*skipped_count)++] = read_fire(&rows, i);
			continue;
		}
		*last = ctx_alloc(ctx, sizeof(**last));
		**last = read_fire(&rows, i);
	}
	return true;
}

bool
schedule_pause(struct ctx *ctx, struct pg *db, const char *pipeline, bool pause, const char *by, bool *found)
{
	struct audit_entry entry = {.action = pause ? "pipeline.pause" : "pipeline.resume",
	    .pipeline = pipeline,
	    .subject = by};
	struct pg_rows rows;

	if (!pg_begin(ctx, db))
		return false;
	if (!sql_run(ctx, db, SQL_SCHEDULE_PAUSE, PG_PARAMS(pipeline, text_from_bool(pause), by), &rows) ||
	    (rows.count > 0 && pg_bool(&rows, 0, 1) && !audit_write(ctx, db, &entry))) {
		pg_rollback(db);
		return false;
	}
	*found = rows.count > 0;
	return pg_commit(ctx, db);
}

bool
schedule_sweep(struct ctx *ctx, struct pg *db)
{
	return sql_run(ctx, db, SQL_FIRE_SWEEP, PG_NO_PARAMS, NULL);
}
