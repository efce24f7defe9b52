/* How checks are asked: again, when they may be; not at all, when that is impossible; together, when one scan answers them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "tests/support/checked.h"

/* The lines of a run's log. */
struct lines {
	struct ctx *ctx;
	json_t *items;
};

static void
keep_line(void *arg, struct ctx *ctx, enum log_level level, const char *message, json_t *fields)
{
	struct lines *lines = arg;
	json_t *line = json_trusted(lines->ctx, json_text(ctx, fields));

	(void)level;
	json_put_string(lines->ctx, line, "message", message);
	json_add(lines->items, line);
}

static struct lines
log_of(struct loads *loads, struct slice_job *job, struct lines *lines)
{
	*lines = (struct lines){.ctx = loads->ctx, .items = json_new_array(loads->ctx)};
	job->log = (struct slice_log){.write = keep_line, .arg = lines};
	return *lines;
}

static int
setup(void **state)
{
	struct ctx *ctx = ctx_new("pipeline", 0);
	struct loads *loads =
	    loads_new_of(checked_pipeline(ctx, "  - { name: any, kind: volume, table: fact_sale, min: 0 }\n"));

	ctx_defer(loads->ctx, (void (*)(void *))ctx_free, ctx);
	loads_source(loads,
	    "INSERT INTO sale VALUES (1, 1, '2024-01-01', 1, 'a'), (2, 1, '2024-01-01', NULL, 'b'), (3, 9, '2024-01-01', 3, 'b');"
	    "INSERT INTO kind VALUES (1, 'one')");
	(void)loads_load(loads, "dim_kind", -1);
	*state = loads;
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

/* Asked again after its wait, in a new snapshot, and only what did not pass; each try is in the log. */
static void
test_retries(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct lines lines;
	struct slice_job job;
	const json_t *line;
	struct text out;
	size_t i;

	loads_redeclare(loads,
	    checked_pipeline(loads->ctx,
		ctx_printf(loads->ctx,
		    "  - { name: soon, kind: sql, query: \"SELECT now() >= '%s'\", expect: true, retry: 9, retry_wait: 300ms }\n"
		    "  - { name: never, kind: volume, table: fact_sale, gate: run, min: 1, retry: 2, retry_wait: 200ms, severity: warn }\n"
		    "  - { name: broken, kind: validity, table: fact_sale, gate: run, rule: price > 0, retry: 1, retry_wait: 10ms, severity: warn }\n",
		    clock_format(loads->ctx, clock_now_us() + 500000))));
	job = checked_job_after(loads, NULL);
	(void)log_of(loads, &job, &lines);
	assert_int_equal(checked_ask(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(checked_results(loads, &outcome), "soon passed true\nnever warned 0 rows\nbroken error -");
	text_init(&out, loads->ctx);
	json_array_foreach(lines.items, i, line) {
		if (text_equal(json_string_or(line, "check", ""), "never"))
			text_addf(&out, "%s: %lld of %lld, %s, expected %s, %lld ms\n",
			    json_string_or(line, "message", ""), (long long)json_int_or(line, "try", 0),
			    (long long)json_int_or(line, "retry", 0), json_string_or(line, "observed", ""),
			    json_string_or(line, "expected", ""), (long long)json_int_or(line, "wait_ms", 0));
		if (text_equal(json_string_or(line, "check", ""), "broken"))
			text_addf(&out, "%s\n", strstr(json_string_or(line, "error", ""), "column \"price\""));
	}
	assert_string_equal(out.data,
	    "check did not pass, asked again later: 1 of 2, 0 rows, expected at least 1 rows, 200 ms\n"
	    "column \"price\" does not exist\n"
	    "check did not pass, asked again later: 2 of 2, 0 rows, expected at least 1 rows, 200 ms\n");
}

/* What a check must say that cannot be asked, at each gate, alone and beside one that fails: it never passes and never `failed`. */
static const struct error_case {
	const char *keys;
	enum fail_code code;
	const char *error;
} error_cases[] = {
    {"kind: validity, rule: price > 0", FAIL_CHECK_ERROR, "column \"price\" does not exist"},
    {"kind: sql, query: SELECT count(*) FROM nowhere, expect: 0", FAIL_CHECK_ERROR,
	"relation \"nowhere\" does not exist"},
    {"kind: sql, query: SELECT FROM WHERE, expect: 0", FAIL_CHECK_ERROR, "syntax error"},
    {"kind: sql, query: \"SELECT 1 FROM pg_sleep(5)\", expect: 1", FAIL_STATEMENT_TIMEOUT, "statement timeout"},
};

static enum fail_code
ask_at(struct loads *loads, const char *gate, const char *checks, struct slice_outcome *outcome)
{
	const struct loads_pipeline *pipeline = checked_pipeline(loads->ctx, checks);
	char *text = ctx_strdup(loads->ctx, pipeline->files[2].text), *at = strstr(text, "statement: 1m");
	struct slice_job job;

	ASSERT(at != NULL);
	pipeline->files[2].text =
	    ctx_printf(loads->ctx, "%.*sstatement: 400ms%s", (int)(at - text), text, at + strlen("statement: 1m"));
	loads_redeclare(loads, pipeline);
	if (strstr(gate, "run") != NULL)
		return checked_after(loads, NULL, outcome);
	if (strstr(gate, "table") != NULL)
		return checked_after(loads, "fact_sale", outcome);
	job = loads_job(loads, "fact_sale", 0);
	return loads_try(loads, &job, outcome);
}

static void
test_cannot_be_asked(void **state)
{
	static const char *const gates[] = {"gate: staging", "gate: published", "gate: published, scope: table",
	    "gate: run"};
	struct loads *loads = *state;
	struct slice_outcome outcome;

	for (size_t g = 0; g < LENGTH_OF(gates); g++) {
		for (size_t i = 0; i < LENGTH_OF(error_cases); i++) {
			const struct error_case *c = &error_cases[i];
			char *check =
			    ctx_printf(loads->ctx, "  - { name: it, table: fact_sale, %s, %s }\n", gates[g], c->keys);

			assert_int_equal(ask_at(loads, gates[g], check, &outcome), c->code);
			assert_string_equal(checked_results(loads, &outcome), "it error -");
			assert_non_null(strstr(json_string_or(checked_result(&outcome, "it"), "error", ""), c->error));
			assert_non_null(strstr(loads->failure, "the check it could not be asked: "));
		}
		/* what failed says more than what could not be asked */
		assert_int_equal(ask_at(loads, gates[g],
				     ctx_printf(loads->ctx,
					 "  - { name: a, table: fact_sale, %s, kind: validity, rule: price > 0 }\n"
					 "  - { name: b, table: fact_sale, %s, kind: volume, min: 9 }\n",
					 gates[g], gates[g]),
				     &outcome),
		    FAIL_QUALITY_FAILED);
		assert_non_null(strstr(loads->failure, "the check b failed: "));
	}
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM fact_sale"), "0");
}

/* One statement for all that a scan answers, and another for uniqueness; each says what it says alone. */
static void
test_one_scan(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct lines lines;
	struct slice_job job;
	struct text out;
	const json_t *line, *trace;
	size_t i, k;

	loads_redeclare(loads,
	    checked_pipeline(loads->ctx,
		"  - { name: a, kind: completeness, table: fact_sale, columns: amount, severity: warn, gate: published }\n"
		"  - { name: b, kind: validity, table: fact_sale, rule: amount > 1, where: note = 'a', severity: warn, gate: published }\n"
		"  - { name: c, kind: referential, table: fact_sale, columns: kind_id, references: dim_kind, severity: warn }\n"
		"  - { name: d, kind: uniqueness, table: fact_sale, columns: note, severity: warn, gate: published }\n"
		"  - { name: e, kind: volume, table: fact_sale, where: note = 'b', min: 3, severity: warn, gate: published }\n"
		"  - { name: f, kind: referential, table: fact_sale, columns: kind_key, allow_unknown: false, where: sale_id < 3, severity: warn }\n"));
	job = loads_job(loads, "fact_sale", 0);
	(void)log_of(loads, &job, &lines);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(checked_results(loads, &outcome),
	    "a warned 1 of 3 rows fail\nb warned 1 of 1 rows fail\nc warned 1 of 3 rows fail\nd warned 2 of 3 rows fail\n"
	    "e warned 2 rows\nf passed 0 of 2 rows fail");
	assert_string_equal(json_text(loads->ctx, json_object_get(checked_result(&outcome, "c"), "sample")),
	    "[{\"sale_id\":3,\"kind_id\":9}]");
	text_init(&out, loads->ctx);
	json_array_foreach(lines.items, i, line)
		json_array_foreach(json_object_get(line, "statements"), k, trace) {
			const char *name = json_string_or(trace, "statement", "");

			if (text_starts_with(name, "check"))
				text_addf(&out, "%s %lld\n", name, (long long)json_int_or(trace, "rows", 0));
		}
	assert_string_equal(out.data, "checks 5\ncheck d 1\n");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_retries, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cannot_be_asked, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_scan, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
