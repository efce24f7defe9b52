/*
 * DESIGN. The claim leases a notice for longer than a try can take, and no session is held while the receiver thinks. What the try
 * came to is written down only if the notice is still leased to this try. A target that does not answer at all puts off its other
 * notices, so that it costs one timeout a wait and nobody else's notices stand behind it.
 */
#include "etl/notice.h"

#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "base/text.h"
#include "sql/log_store.h"

enum { LEASE_MS = 30000, TRY_MS = 5000, GONE = 410, LONGEST_ASKED_S = 3600 };

/* Of tries; a notice that is a day old is given up. */
static const struct retry_policy again = {.backoff_ms = 2000, .limit_ms = 15 * 60 * 1000};
static const char slack_prefix[] = "slack:";

/* What a try came to. */
struct outcome {
	const char *state;
	int64_t wait_ms;
	const char *why; /* never the URL */
	bool silent;     /* no answer at all */
};

static const char *
link_of(struct ctx *ctx, const struct notice *notice, const char *public_url)
{
	size_t length;

	if (public_url == NULL)
		return NULL;
	length = strlen(public_url);
	while (length > 0 && public_url[length - 1] == '/')
		length--;
	return ctx_printf(ctx, "%.*s/v1/runs/%s", (int)length, public_url, notice->run_id);
}

/* Slack reads & < and > as its own. */
static const char *
slack_escape(struct ctx *ctx, const char *s)
{
	struct text out;

	text_init(&out, ctx);
	for (; *s != '\0'; s++) {
		const char *entity = *s == '&' ? "&amp;" : *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : NULL;

		if (entity != NULL)
			text_add(&out, entity);
		else
			text_add_bytes(&out, s, 1);
	}
	return out.data;
}

static char *
slack_text(struct ctx *ctx, const struct notice *notice, const char *link)
{
	const json_t *error = json_object_get(notice->run, "error");
	const char *message = json_string_or(error, "message", NULL), *table = json_string_or(error, "table", NULL);
	struct text out;

	text_init(&out, ctx);
	text_addf(&out, "*%s*: %s run of %s", notice->event, json_string_or(notice->run, "type", ""), notice->pipeline);
	if (link != NULL)
		text_addf(&out, " <%s|%s>", link, notice->run_id);
	else
		text_addf(&out, " %s", notice->run_id);
	if (message != NULL)
		text_addf(&out, "\n%s%s%s", table != NULL ? slack_escape(ctx, table) : "", table != NULL ? ": " : "",
		    slack_escape(ctx, message));
	return out.data;
}

char *
notice_body(struct ctx *ctx, const struct notice *notice, const char *public_url, bool slack)
{
	const char *link = link_of(ctx, notice, public_url);
	json_t *body = json_new_object(ctx);

	if (slack) {
		json_put_string(ctx, body, "text", slack_text(ctx, notice, link));
		return json_text(ctx, body);
	}
	json_put_string(ctx, body, "id", notice->id);
	json_put_string(ctx, body, "event", notice->event);
	json_put_string(ctx, body, "pipeline", notice->pipeline);
	json_put_time(ctx, body, "at", notice->created_us);
	json_put(body, "run", notice->run);
	json_put_string(ctx, body, "link", link);
	return json_text(ctx, body);
}

static struct outcome
judge(struct ctx *ctx, const struct notice *notice, const struct http_answer *answer)
{
	struct outcome outcome = {.state = "pending", .why = ctx_printf(ctx, "status %d", answer->status)};

	if (answer->status >= 200 && answer->status < 300)
		outcome.state = "delivered";
	else if (answer->status == GONE)
		outcome.state = "given_up";
	outcome.wait_ms = retry_wait_ms(&again, notice->tries + 1);
	if (answer->retry_after_s > 0 && answer->retry_after_s <= LONGEST_ASKED_S &&
	    answer->retry_after_s * 1000 > outcome.wait_ms)
		outcome.wait_ms = answer->retry_after_s * 1000;
	return outcome;
}

static struct outcome
try(struct ctx *ctx, const struct config *config, struct http_client *http, const struct notice *notice)
{
	const char *id = ctx_printf(ctx, "Loadstar-Notice-Id: %s", notice->id);
	struct outcome none = {.state = "pending", .wait_ms = retry_wait_ms(&again, notice->tries + 1)};
	struct http_call call = {.method = "POST", .timeout_ms = TRY_MS};
	struct http_answer answer;
	struct secret url;
	bool slack;

	if (!config_notify(config, notice->target, &url)) {
		none.why = "its LOADSTAR_NOTIFY variable is not set";
		return none;
	}
	slack = text_starts_with(secret_reveal(&url), slack_prefix);
	call.url = secret_reveal(&url) + (slack ? sizeof(slack_prefix) - 1 : 0);
	call.shown = ctx_printf(ctx, "notice to %s", notice->target);
	call.headers = (const char *const[]){id, NULL};
	call.body = notice_body(ctx, notice, config->public_url, slack);
	if (http_client_call(ctx, http, &call, &answer))
		return judge(ctx, notice, &answer);
	none.why = ctx_strdup(ctx, ctx_failure(ctx)->message);
	none.silent = true;
	fail_clear(ctx);
	return none;
}

/* Where the run's readers and the operator see it. */
static bool
tell(struct ctx *ctx, struct pg *db, const struct notice *notice, const struct outcome *outcome)
{
	bool delivered = text_equal(outcome->state, "delivered"), given_up = text_equal(outcome->state, "given_up");
	struct log_entry line = {.level = delivered ? LOG_INFO : given_up ? LOG_ERROR : LOG_WARN};
	json_t *fields = json_new_object(ctx);

	metrics_add(METRIC_NOTICES,
	    METRIC_LABELS(notice->pipeline, notice->event, delivered || given_up ? outcome->state : "again"), 1);
	line.message = ctx_printf(ctx, "notice %s to %s %s", notice->event, notice->target,
	    delivered  ? "delivered"
	    : given_up ? "given up"
		       : "not taken; tried again later");
	json_put_string(ctx, fields, "notice_id", notice->id);
	json_put_int(fields, "tries", notice->tries);
	json_put_string(ctx, fields, "answer", outcome->why);
	line.fields = fields;
	log_line(ctx, line.level, line.message, "run_id", notice->run_id, "notice_id", notice->id, "answer",
	    outcome->why, NULL);
	/* A run's log is no place for every try of a day. */
	if (!delivered && !given_up && notice->tries > 1)
		return true;
	return log_write_runs(ctx, db, &notice->run_id, &line, 1, true);
}

static bool
claim(struct ctx *ctx, struct pool *pool, struct notice *notice, bool *found)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *db;

	return pool_take(tmp, pool, &db) && notice_claim(ctx, db, LEASE_MS, notice, found);
}

bool
notice_deliver(struct ctx *ctx, const struct config *config, struct pool *pool, struct http_client *http, bool *found)
{
	struct notice notice;
	struct outcome outcome;
	struct pg *db;
	bool mine;

	if (!claim(ctx, pool, &notice, found) || !*found)
		return !ctx_failed(ctx);
	if (!failpoint(ctx, "notice_claimed"))
		return false;
	outcome = try(ctx, config, http, &notice);
	if (notice.stale && text_equal(outcome.state, "pending"))
		outcome.state = "given_up";
	if (!failpoint(ctx, "notice_sent"))
		return false;
	return pool_take(ctx, pool, &db) && notice_finish(ctx, db, &notice, outcome.state, outcome.wait_ms, &mine) &&
	       (!mine || tell(ctx, db, &notice, &outcome)) &&
	       (!outcome.silent || notice_postpone(ctx, db, notice.target, outcome.wait_ms));
}
