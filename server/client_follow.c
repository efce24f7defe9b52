/* Following a run: the same changes as a bar for people and as lines for scripts. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/command.h"

enum { BAR_WIDTH = 24 };

int
client_exit_code(const json_t *run)
{
	const char *status = json_string_or(run, "status", "");
	const json_t *error = json_object_get(run, "error");

	if (text_equal(status, "partial"))
		return EXIT_PARTIAL;
	if (text_equal(status, "cancelled"))
		return EXIT_CANCELLED;
	if (text_equal(status, "failed"))
		return text_equal(json_string_or(error, "class", ""), "quality") ? EXIT_QUALITY : EXIT_FAILED;
	return EXIT_SUCCEEDED;
}

static bool
is_final(const json_t *run)
{
	return json_is_string(json_object_get(run, "finished_at"));
}

static void
print_progress(const json_t *run, bool bar)
{
	const json_t *progress = json_object_get(run, "progress");
	int64_t total = json_int_or(progress, "steps_total", 0), done = json_int_or(progress, "steps_done", 0);
	int64_t eta_s = json_int_or(progress, "eta_seconds", -1);
	int filled = total > 0 ? (int)(done * BAR_WIDTH / total) : 0;

	if (bar) {
		(void)printf("\r\033[K[");
		for (int i = 0; i < BAR_WIDTH; i++)
			(void)putchar(i < filled ? '#' : '.');
		(void)printf("] ");
	}
	(void)printf("%-9s ", json_string_or(run, "status", "?"));
	if (total > 0)
		(void)printf("%lld/%lld steps", (long long)done, (long long)total);
	else
		(void)printf("planning");
	(void)printf("  rows read %lld, written %lld", (long long)json_int_or(progress, "rows_read", 0),
	    (long long)json_int_or(progress, "rows_written", 0));
	if (eta_s > 0)
		(void)printf("  eta %llds", (long long)eta_s);
	if (!bar || is_final(run))
		(void)putchar('\n');
	(void)fflush(stdout);
}

void
client_print_run(const json_t *run)
{
	const json_t *progress = json_object_get(run, "progress"), *error = json_object_get(run, "error");

	(void)printf("run        %s\npipeline   %s\ntype       %s (%s)\nstatus     %s\n", json_string_or(run, "id", ""),
	    json_string_or(run, "pipeline", ""), json_string_or(run, "type", ""), json_string_or(run, "mode", ""),
	    json_string_or(run, "status", ""));
	(void)printf(
	    "created    %s\nfinished   %s\nsteps      %lld of %lld\nrows       read %lld, written %lld, rejected %lld\n",
	    json_string_or(run, "created_at", "-"), json_string_or(run, "finished_at", "-"),
	    (long long)json_int_or(progress, "steps_done", 0), (long long)json_int_or(progress, "steps_total", 0),
	    (long long)json_int_or(progress, "rows_read", 0), (long long)json_int_or(progress, "rows_written", 0),
	    (long long)json_int_or(progress, "rows_rejected", 0));
	if (json_is_object(error))
		(void)printf("error      %s (%s)%s%s\n", json_string_or(error, "message", ""),
		    json_string_or(error, "code", ""),
		    json_is_string(json_object_get(error, "hint")) ? "\n           " : "",
		    json_string_or(error, "hint", ""));
}

bool
client_follow(struct ctx *ctx, struct client *client, const char *run_id, int *exit_code)
{
	bool bar = isatty(STDOUT_FILENO) && !client->json;
	int64_t printed_us = 0;
	char etag[64] = "";

	for (;;) {
		CTX_SCOPE(tmp, ctx);
		json_t *run;

		if (!client_wait_run(tmp, client, run_id, etag, &run))
			return false;
		if (run == NULL)
			continue;
		/* People see every change; a script's log gets a line a second at most, and the last one. */
		if (!client->json && (bar || is_final(run) || clock_monotonic_us() - printed_us >= CLOCK_SECOND_US)) {
			print_progress(run, bar);
			printed_us = clock_monotonic_us();
		}
		if (!is_final(run))
			continue;
		if (client->json)
			client_print_json(tmp, run);
		else if (json_is_object(json_object_get(run, "error")))
			client_print_run(run);
		*exit_code = client_exit_code(run);
		return true;
	}
}
