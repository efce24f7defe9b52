/*
 * logs RUN [-f]: the log of a run, once or as it is written.
 *
 * A stream that breaks is taken up after the last whole line that was printed, so that no line is lost or doubled when the
 * service restarts meanwhile. It ends with the first whole stream that began after the run was final.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

enum { PAUSE_MS = 500, SILENCE_MS = 60000 };

struct tail {
	struct ctx *ctx;
	struct text partial; /* of the line that has not ended yet */
	int64_t last_id;
	bool raw;           /* --json: lines as they came */
	const char *filter; /* "&level=…&step=…", or nothing */
};

static void
print_line(struct tail *tail, const char *line)
{
	CTX_SCOPE(tmp, tail->ctx);
	json_t *entry = json_trusted(tmp, line);
	const json_t *fields = json_object_get(entry, "fields");
	int64_t id = json_int_or(entry, "id", 0);

	if (id <= tail->last_id)
		return;
	tail->last_id = id;
	if (tail->raw)
		(void)printf("%s\n", line);
	else
		(void)printf("%s %-5s %s%s%s\n", json_string_or(entry, "at", ""), json_string_or(entry, "level", ""),
		    text_sanitize(tmp, json_string_or(entry, "message", "")), json_object_size(fields) > 0 ? "  " : "",
		    json_object_size(fields) > 0 ? json_text(tmp, fields) : "");
	(void)fflush(stdout);
}

static bool
on_piece(void *arg, const char *piece, size_t length)
{
	struct tail *tail = arg;

	while (length > 0) {
		const char *end = memchr(piece, '\n', length);
		size_t part = end != NULL ? (size_t)(end - piece) : length;

		text_add_bytes(&tail->partial, piece, part);
		if (end == NULL)
			break;
		if (tail->partial.length > 0) /* an empty line only keeps the connection alive */
			print_line(tail, tail->partial.data);
		tail->partial.length = 0;
		piece = end + 1;
		length -= part + 1;
	}
	return true;
}

static bool
run_is_final(struct ctx *ctx, struct client *client, const char *run_id, bool *final)
{
	json_t *run;

	if (!client_get(ctx, client, ctx_printf(ctx, "/v1/runs/%s", run_id), &run))
		return false;
	*final = json_is_string(json_object_get(run, "finished_at"));
	return true;
}

/* One stream, to its end or break. False when the service said no (its failure is in ctx). */
static bool
stream_once(struct ctx *ctx, struct client *client, const char *run_id, struct tail *tail, bool *whole)
{
	struct http_call call = {.method = "GET",
	    .bearer = &client->token,
	    .accept = "application/x-ndjson",
	    .timeout_ms = SILENCE_MS,
	    .on_piece = on_piece,
	    .arg = tail};
	struct http_answer answer;

	call.url = ctx_printf(ctx, "%s/v1/runs/%s/logs?follow=1&after=%lld%s", client->url, run_id,
	    (long long)tail->last_id, tail->filter);
	tail->ctx = ctx;
	text_init(&tail->partial, ctx);
	*whole = http_client_call(ctx, client->http, &call, &answer);
	if (!*whole || answer.status == 503) { /* run_is_final waits until the service is back */
		*whole = false;
		fail_clear(ctx);
		clock_sleep_ms(PAUSE_MS);
		return true;
	}
	return answer.status < 400 ||
	       fail(ctx, FAIL_NOT_FOUND, "%s (%d)",
		   json_string_or(json_trusted(ctx, answer.body), "detail", "the service answered with an error"),
		   answer.status);
}

static bool
follow(struct ctx *ctx, struct client *client, const char *run_id, struct tail *tail)
{
	bool final = false, whole = false;

	while (!final || !whole) {
		CTX_SCOPE(tmp, ctx);

		if (!run_is_final(tmp, client, run_id, &final) || !stream_once(tmp, client, run_id, tail, &whole))
			return false;
	}
	return true;
}

static bool
print_pages(struct ctx *ctx, struct client *client, const char *run_id, struct tail *tail)
{
	bool more = true;

	while (more) {
		CTX_SCOPE(tmp, ctx);
		json_t *page, *line;
		size_t i;

		if (!client_get(tmp, client,
			ctx_printf(tmp, "/v1/runs/%s/logs?limit=1000&after=%lld%s", run_id, (long long)tail->last_id,
			    tail->filter),
			&page))
			return false;
		tail->ctx = tmp;
		json_array_foreach(json_object_get(page, "items"), i, line)
			print_line(tail, json_text(tmp, line));
		more = json_is_string(json_object_get(page, "next_cursor"));
	}
	return true;
}

int
command_logs(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *level = NULL, *step = NULL;
	bool json = false, follows = false;
	const struct option options[] = {{"f", OPTION_FLAG, &follows}, {"follow", OPTION_FLAG, &follows},
	    {"level", OPTION_TEXT, &level}, {"step", OPTION_TEXT, &step}, {"json", OPTION_FLAG, &json}, {0}};
	struct tail tail = {0};
	struct client client;
	struct text filter;

	if (!options_parse(ctx, "logs", options, &argc, argv, 1, 1) || !client_open(ctx, config, json, &client))
		return command_fail(ctx);
	tail.raw = json;
	text_init(&filter, ctx);
	client_add_filter(&filter, "level", level);
	client_add_filter(&filter, "step", step);
	tail.filter = filter.data;
	if (follows ? !follow(ctx, &client, argv[0], &tail) : !print_pages(ctx, &client, argv[0], &tail))
		return command_fail(ctx);
	return EXIT_SUCCEEDED;
}
