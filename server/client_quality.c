/* quality: what checks came to: of a run one line a check, of a pipeline one line a result. */
#include <stdio.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "server/client.h"
#include "server/commands.h"
#include "server/options.h"

struct quality_options {
	const char *pipeline, *date, *table, *check, *status;
	int64_t limit;
	bool json;
};

/* A check of a run over its slices. */
struct summary {
	const json_t
	    *worst; /* its result of the worst status; of several the one of most rows that fail, then of most rows */
	int64_t results, rows_checked, rows_failed;
};

static int
badness(const json_t *result)
{
	static const char *const statuses[] = {"passed", "warned", "error", "failed"};

	for (int i = 0; i < 4; i++)
		if (text_equal(statuses[i], json_string_or(result, "status", "")))
			return i;
	return 0;
}

static bool
is_worse(const json_t *result, const json_t *than)
{
	static const char *const counts[] = {"rows_failed", "rows_checked"};

	if (badness(result) != badness(than))
		return badness(result) > badness(than);
	for (int i = 0; i < 2; i++) {
		int64_t count = json_int_or(result, counts[i], 0), other = json_int_or(than, counts[i], 0);

		if (count != other)
			return count > other;
	}
	return false;
}

static struct summary *
find_summary(struct summary *summaries, size_t *count, const json_t *result)
{
	for (size_t i = 0; i < *count; i++)
		if (text_equal(json_string_or(summaries[i].worst, "check", ""), json_string_or(result, "check", "")))
			return &summaries[i];
	summaries[*count].worst = result;
	return &summaries[(*count)++];
}

static const char *
observed_of(const json_t *result)
{
	return json_string_or(result, "error", json_string_or(result, "observed", "-"));
}

static void
print_summaries(struct ctx *ctx, const json_t *items)
{
	struct summary *summaries = ctx_alloc_array(ctx, json_array_size(items) + 1, sizeof(*summaries));
	const json_t *result;
	size_t count = 0, i;

	json_array_foreach(items, i, result) {
		struct summary *summary = find_summary(summaries, &count, result);

		summary->results++;
		summary->rows_checked += json_int_or(result, "rows_checked", 0);
		summary->rows_failed += json_int_or(result, "rows_failed", 0);
		if (is_worse(result, summary->worst))
			summary->worst = result;
	}
	(void)printf("%-30s %-20s %-12s %-9s %-8s %-7s %7s %9s %8s  %s\n", "CHECK", "TABLE", "KIND", "GATE", "SEVERITY",
	    "STATUS", "RESULTS", "ROWS", "FAILED", "OBSERVED (expected)");
	for (i = 0; i < count; i++) {
		const struct summary *s = &summaries[i];

		(void)printf("%-30s %-20s %-12s %-9s %-8s %-7s %7lld %9lld %8lld  %s (%s)\n",
		    json_string_or(s->worst, "check", ""), json_string_or(s->worst, "table", "-"),
		    json_string_or(s->worst, "kind", ""), json_string_or(s->worst, "gate", ""),
		    json_string_or(s->worst, "severity", ""), json_string_or(s->worst, "status", ""),
		    (long long)s->results, (long long)s->rows_checked, (long long)s->rows_failed, observed_of(s->worst),
		    json_string_or(s->worst, "expected", ""));
	}
}

static void
print_results(const json_t *items)
{
	const json_t *result;
	size_t i;

	(void)printf("%-27s %-30s %-20s %-10s %-7s %9s %8s  %s\n", "AT", "CHECK", "TABLE", "SLICE", "STATUS", "ROWS",
	    "FAILED", "OBSERVED (expected)");
	json_array_foreach(items, i, result) {
		const json_t *slice = json_object_get(result, "slice");

		(void)printf("%-27s %-30s %-20s %-10.10s %-7s %9lld %8lld  %s (%s)\n", json_string_or(result, "at", ""),
		    json_string_or(result, "check", ""), json_string_or(result, "table", "-"),
		    json_string_or(slice, "from", json_string_or(slice, "batch", "-")),
		    json_string_or(result, "status", ""), (long long)json_int_or(result, "rows_checked", 0),
		    (long long)json_int_or(result, "rows_failed", 0), observed_of(result),
		    json_string_or(result, "expected", ""));
	}
}

/* --date D: results of that day, UTC. */
static bool
add_day(struct ctx *ctx, struct text *filters, const char *date)
{
	int64_t at_us;

	if (date == NULL)
		return true;
	if (!clock_is_date(date) || !clock_parse(date, &at_us))
		return fail(ctx, FAIL_USAGE, "--date is %s, but must be a date such as 2024-01-31", date);
	client_add_filter(filters, "since", clock_format(ctx, at_us));
	client_add_filter(filters, "until", clock_format(ctx, at_us + CLOCK_DAY_US));
	return true;
}

/* What to ask: a run, or a pipeline with filters. */
static bool
choose_path(struct ctx *ctx, const struct quality_options *o, int argc, char **argv, const char **path,
    struct text *filters)
{
	if (argc == 1 &&
	    (o->pipeline != NULL || o->date != NULL || o->table != NULL || o->check != NULL || o->status != NULL))
		return fail(ctx, FAIL_USAGE, "--pipeline, --date, --table, --check and --status do not go with a run");
	if (argc == 0 && o->pipeline == NULL)
		return fail(ctx, FAIL_USAGE, "quality takes a run, or --pipeline");
	*path = argc == 1 ? ctx_printf(ctx, "/v1/runs/%s/quality", argv[0]) : "/v1/quality";
	client_add_filter(filters, "pipeline", o->pipeline);
	client_add_filter(filters, "table", o->table);
	client_add_filter(filters, "check", o->check);
	client_add_filter(filters, "status", o->status);
	return add_day(ctx, filters, o->date);
}

int
command_quality(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	struct quality_options o = {.limit = 100};
	const struct option options[] = {{"pipeline", OPTION_TEXT, &o.pipeline}, {"date", OPTION_TEXT, &o.date},
	    {"table", OPTION_TEXT, &o.table}, {"check", OPTION_TEXT, &o.check}, {"status", OPTION_TEXT, &o.status},
	    {"limit", OPTION_COUNT, &o.limit}, {"json", OPTION_FLAG, &o.json}, {0}};
	json_t *items = json_new_array(ctx);
	struct client client;
	struct text filters;
	const char *path = NULL;

	text_init(&filters, ctx);
	if (!options_parse(ctx, "quality", options, &argc, argv, 0, 1) ||
	    !choose_path(ctx, &o, argc, argv, &path, &filters) || !client_open(ctx, config, o.json, &client) ||
	    !client_get_items(ctx, &client, path, filters.data, argc == 1 ? INT64_MAX : o.limit, items))
		return command_fail(ctx);
	if (o.json)
		client_print_json(ctx, items);
	else if (argc == 1)
		print_summaries(ctx, items);
	else
		print_results(items);
	return EXIT_SUCCEEDED;
}
