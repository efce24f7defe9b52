#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/log_store.h"

static bool
is_level(const char *s)
{
	enum log_level level;

	return log_level_parse(s, &level);
}

/* The line to go on after: ?after=, ?cursor= (the same number), or what a broken event stream saw last. */
static int64_t
read_after(struct ctx *ctx, const struct request *request)
{
	const char *last = request_header(request, "Last-Event-ID");
	int64_t after = param_count(ctx, request, "after", param_count(ctx, request, "cursor", 0)), seen;

	if (last == NULL)
		return after;
	if (!text_to_i64(last, &seen) || seen < 0)
		(void)fail(ctx, FAIL_BAD_REQUEST, "Last-Event-ID must be the id of a log line");
	else if (request_asks_for(request, "text/event-stream"))
		return seen;
	return after;
}

static bool
read_filter(struct ctx *ctx, const struct request *request, struct log_filter *filter)
{
	*filter = (struct log_filter){
	    .run_id = request->path_values[0],
	    .after = read_after(ctx, request),
	    .level = param_one(ctx, request, "level", is_level),
	    .step_id = param_one(ctx, request, "step", uuid_is_valid),
	    .limit = param_limit(ctx, request),
	};
	return !ctx_failed(ctx);
}

/* A page has the lines' own texts: they are JSON already. */
static bool
reply_lines(struct ctx *ctx, struct reply *reply, const struct log_lines *lines)
{
	struct text body;

	text_init(&body, ctx);
	text_add(&body, "{\"items\":[");
	for (size_t i = 0; i < lines->count; i++) {
		text_add(&body, i > 0 ? "," : "");
		text_add(&body, lines->lines[i]);
	}
	if (lines->more && lines->count > 0)
		text_addf(&body, "],\"next_cursor\":\"%lld\"}", (long long)lines->ids[lines->count - 1]);
	else
		text_add(&body, "],\"next_cursor\":null}");
	return reply_text(reply, 200, "application/json", body.data);
}

static bool
reply_stream(struct reply *reply, const struct log_filter *filter, enum stream_format format)
{
	reply->kind = REPLY_STREAM;
	reply->status = 200;
	reply->content_type = format == STREAM_SSE ? "text/event-stream" : "application/x-ndjson";
	reply->run_id = filter->run_id;
	reply->after = filter->after;
	reply->level = filter->level;
	reply->step_id = filter->step_id;
	reply->format = format;
	return true;
}

/* GET /v1/runs/{id}/logs: a page, or the lines as they come until the run is finished. */
bool
logs_list(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	bool follow = param_flag(ctx, request, "follow");
	struct log_filter filter;
	struct log_lines lines;
	const char *id;
	struct pg *db;

	if (!read_filter(ctx, request, &filter) || !access_run(ctx, app, request, SCOPE_RUNS_READ, &id))
		return false;
	if (request->method != HTTP_HEAD) {
		if (request_asks_for(request, "text/event-stream"))
			return reply_stream(reply, &filter, STREAM_SSE);
		if (follow || request_asks_for(request, "application/x-ndjson"))
			return reply_stream(reply, &filter, STREAM_NDJSON);
	}
	if (!pool_take(ctx, app->control, &db) || !log_page(ctx, db, &filter, &lines))
		return false;
	return reply_lines(ctx, reply, &lines);
}
