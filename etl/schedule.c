/*
 * DESIGN. A row holds up to when fires are decided. What is due after that is listed from the cron, and becomes a list of decisions:
 * fires that cause runs, and fires that do not, several of which are one decision. Each decision is a transaction that moves the row on;
 * when one of them fails, or another replica was faster, the rest is left to the next look.
 *
 * Clocks: one that is set forward misses fires, and `catchup` says what becomes of them. One that is set back far begins again from
 * where it is, and the key of the fires keeps what was fired from firing again; one that is set back by little waits.
 */
#include "etl/schedule.h"

#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "etl/run_request.h"
#include "sql/schedule_store.h"

enum {
	MOST_RUNS = 100, /* of one catch-up, and unfinished ones of a schedule */
	MOST_DUE = MOST_RUNS + 1,
	SET_BACK_MS = 5 * 60 * 1000,
};

/* One look at one pipeline. */
struct look {
	struct ctx *ctx;
	struct pg *db;
	const struct spec *spec;
	struct schedule_row row;
	int64_t now_us;
	int64_t due[MOST_DUE]; /* the newest fires that are due, as a ring: number n is at n % MOST_DUE */
	int64_t count;         /* of all that are due */
};

char *
schedule_rule(struct ctx *ctx, const struct spec_schedule *schedule)
{
	return ctx_printf(ctx, "%s|%s", schedule->cron_text, schedule->timezone);
}

static int64_t
due_at(const struct look *look, int64_t n)
{
	return look->due[n % MOST_DUE];
}

static void
list_due(struct look *look, const struct cron *cron, const struct zone *zone)
{
	int64_t at_us = look->row.decided_until_us;

	for (look->count = 0; cron_next(cron, zone, at_us, &at_us) && at_us <= look->now_us; look->count++)
		look->due[look->count % MOST_DUE] = at_us;
}

static void
tell(struct look *look, const struct fire *fire)
{
	struct ctx *ctx = look->ctx;

	metrics_add(METRIC_SCHEDULE_FIRES,
	    METRIC_LABELS(look->row.pipeline, fire->reason != NULL ? fire->reason : "run"), (double)fire->fires);
	log_line(ctx, fire->reason != NULL ? LOG_WARN : LOG_INFO,
	    fire->reason != NULL ? "a schedule's fire was skipped" : "a schedule fired", "pipeline", look->row.pipeline,
	    "scheduled_at", clock_format(ctx, fire->scheduled_us), "reason", fire->reason, "run_id", fire->run_id,
	    "fires", text_from_i64(ctx, fire->fires), NULL);
}

/* One decision. more false: another replica has decided. */
static bool
fire(struct look *look, const struct fire_rule *rule, struct fire *fire, bool *more)
{
	bool mine;

	if (!schedule_fire(look->ctx, look->db, &look->row, rule, fire, &mine))
		return false;
	if (mine)
		tell(look, fire);
	*more = mine;
	look->row.decided_until_us = fire->scheduled_us;
	return true;
}

/* Fires up to number `last` cause no run. */
static bool
skip(struct look *look, int64_t first, int64_t last, const char *reason, bool *more)
{
	struct fire skipped = {.fires = last - first + 1, .reason = reason};

	if (!*more || last < first)
		return true;
	skipped.scheduled_us = due_at(look, last);
	return fire(look, &(struct fire_rule){0}, &skipped, more);
}

static bool
cancel_earlier(struct look *look, int64_t scheduled_us)
{
	const char **ids;
	size_t count;
	struct run run;

	if (!schedule_unfinished(look->ctx, look->db, look->row.pipeline, scheduled_us, &ids, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (run_cancel(look->ctx, look->db, ids[i], "schedule", &run))
			continue;
		if (ctx_failure(look->ctx)->code != FAIL_RUN_FINISHED)
			return false;
		fail_clear(look->ctx);
	}
	return true;
}

/* Fire number n causes a run, unless others are in its way. */
static bool
run(struct look *look, int64_t n, bool *more)
{
	const struct spec_schedule *schedule = look->spec->schedule;
	struct fire one = {.scheduled_us = due_at(look, n), .fires = 1};
	struct fire_rule rule = {.most = MOST_RUNS, .too_many = "backlog"};
	struct run_request request;

	if (!*more)
		return true;
	if (!run_request_of_schedule(look->ctx, look->spec, one.scheduled_us, &request)) {
		if (ctx_failure(look->ctx)->code != FAIL_INVALID_REQUEST)
			return false;
		one.reason = "invalid";
		one.detail = ctx_strdup(look->ctx, ctx_failure(look->ctx)->message);
		fail_clear(look->ctx);
		return fire(look, &(struct fire_rule){0}, &one, more);
	}
	if (schedule->overlap == OVERLAP_CANCEL && !cancel_earlier(look, one.scheduled_us))
		return false;
	rule.want = &request.run;
	if (schedule->overlap == OVERLAP_SKIP) {
		rule.most = 1;
		rule.too_many = "overlap";
	}
	return fire(look, &rule, &one, more);
}

/* The number of the first fire that is to be caught up, if any. */
static int64_t
first_wanted(const struct look *look)
{
	const struct spec_schedule *schedule = look->spec->schedule;
	int64_t newest = look->count - 1, first = schedule->catchup == CATCHUP_ALL ? 0 : newest;
	int64_t oldest_us = look->now_us - schedule->window_ms * 1000;

	if (schedule->catchup == CATCHUP_NONE)
		oldest_us = look->now_us - SCHEDULE_GRACE_MS * 1000;
	else if (schedule->window_ms == 0)
		oldest_us = CLOCK_MINUS_INFINITY;
	if (look->count - first > MOST_RUNS)
		first = look->count - MOST_RUNS;
	while (first < look->count && due_at(look, first) < oldest_us)
		first++;
	return first;
}

static bool
decide(struct look *look)
{
	int64_t first = first_wanted(look);
	bool more = true, ok = true;
	bool merged = look->spec->schedule->catchup == CATCHUP_LAST && first < look->count;

	if (look->row.paused_us != 0)
		return skip(look, 0, look->count - 1, "paused", &more);
	ok = skip(look, 0, first - 1, merged ? "merged" : "missed", &more);
	for (int64_t n = first; ok && more && n < look->count; n++)
		ok = run(look, n, &more);
	return ok;
}

/* Fires of the rule before, which nobody will see any more. */
static bool
skip_changed(struct look *look)
{
	struct ctx *ctx = look->ctx;
	const char *bar = strchr(look->row.rule, '|'), *fault;
	const struct zone *zone;
	struct cron cron;
	bool more = true;

	if (bar == NULL ||
	    !cron_parse(ctx, ctx_strndup(ctx, look->row.rule, (size_t)(bar - look->row.rule)), &cron, &fault))
		return true;
	if (!zone_load(ctx, bar + 1, &zone)) {
		fail_clear(ctx);
		return true;
	}
	list_due(look, &cron, zone);
	return skip(look, 0, look->count - 1, "changed", &more);
}

static bool
look_at(struct look *look)
{
	const struct spec_schedule *schedule = look->spec->schedule;
	struct schedule_row *row = &look->row;
	char *rule;

	if (schedule == NULL)
		return row->rule == NULL || schedule_arm(look->ctx, look->db, row, NULL, 0);
	rule = schedule_rule(look->ctx, schedule);
	if (row->rule == NULL)
		return schedule_arm(look->ctx, look->db, row, rule, look->now_us);
	if (!text_equal(row->rule, rule))
		return skip_changed(look) && schedule_arm(look->ctx, look->db, row, rule, look->now_us);
	if (row->decided_until_us > look->now_us + SET_BACK_MS * INT64_C(1000)) {
		log_line(look->ctx, LOG_WARN, "the clock was set back; the schedule goes on from here", "pipeline",
		    row->pipeline, "decided_until", clock_format(look->ctx, row->decided_until_us), NULL);
		return schedule_arm(look->ctx, look->db, row, rule, look->now_us);
	}
	list_due(look, &schedule->cron, schedule->zone);
	return look->count == 0 || decide(look);
}

/* A pipeline on its own: its failure stays here, unless the session broke. */
static bool
look_once(struct ctx *ctx, struct catalog *catalog, struct pg *db, const struct schedule_row *row, int64_t now_us)
{
	CTX_SCOPE(tmp, ctx);
	struct look *look = ctx_alloc(tmp, sizeof(*look));

	*look = (struct look){.ctx = tmp, .db = db, .row = *row, .now_us = now_us};
	if (catalog_find(tmp, catalog, db, row->pipeline, row->hash, &look->spec) && look_at(look))
		return true;
	if (!pg_is_open(db))
		return false;
	log_failure(tmp, ctx_printf(tmp, "cannot look at the schedule of %s", row->pipeline));
	fail_clear(tmp);
	return true;
}

bool
schedule_tick(struct ctx *ctx, struct catalog *catalog, struct pool *pool)
{
	int64_t now_us = clock_now_us();
	struct schedule_row *rows;
	struct pg *db;
	size_t count;

	if (!pool_take(ctx, pool, &db) || !schedule_list(ctx, db, &rows, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!look_once(ctx, catalog, db, &rows[i], now_us))
			return false;
	return true;
}
