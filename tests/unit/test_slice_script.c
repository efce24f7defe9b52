/* SQL run after the facts: once a step, wholly or not at all, with its place when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/loads.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = loads_new();
	loads_do(*state, "DROP TABLE IF EXISTS public.seen; CREATE TABLE public.seen (n int, run uuid, load bigint)");
	return 0;
}

static int
teardown(void **state)
{
	loads_do(*state, "DROP TABLE public.seen");
	loads_free(*state);
	return 0;
}

/* A step that runs the text as post/refresh.sql. */
static struct slice_job
script_job(struct loads *loads, const char *text)
{
	struct slice_job job = loads_job(loads, "dim_part", -1);
	struct step_claim *claim = ctx_alloc(loads->ctx, sizeof(*claim));
	struct spec_script *script = ctx_alloc(loads->ctx, sizeof(*script));

	*script = (struct spec_script){.name = "refresh", .path = "post/refresh.sql", .text = text};
	*claim = *job.claim;
	claim->table = script->name;
	job.claim = claim;
	job.table = NULL;
	job.script = script;
	return job;
}

static enum fail_code
run(struct loads *loads, const struct slice_job *job, struct slice_outcome *outcome)
{
	enum fail_code code = FAIL_NONE;

	if (!slice_run_script(loads->ctx, job, outcome)) {
		code = ctx_failure(loads->ctx)->code;
		loads->failure = ctx_strdup(loads->ctx, ctx_failure(loads->ctx)->message);
		fail_clear(loads->ctx);
	}
	return code;
}

static void
test_once_a_step(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = script_job(loads,
	    "-- ; twice\nINSERT INTO seen VALUES (1, :run_id, :load_id);\n\nINSERT INTO seen SELECT n + 1, run, load FROM seen;\n");
	struct slice_job again;
	struct slice_outcome outcome;

	assert_int_equal(run(loads, &job, &outcome), FAIL_NONE);
	assert_false(outcome.found);
	assert_string_equal(
	    loads_ask(loads,
		ctx_printf(loads->ctx,
		    "SELECT count(*), sum(n), bool_and(load = %lld) AND bool_and(run = '%s') FROM public.seen",
		    (long long)job.load_id, job.claim->run_id)),
	    "2 3 t");
	again = loads_again(loads, &job); /* the control database never heard of the end */
	again.script = job.script;
	again.table = NULL;
	assert_int_equal(run(loads, &again, &outcome), FAIL_NONE);
	assert_true(outcome.found && outcome.committed_us > 0);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM public.seen"), "2");
	job = script_job(loads, job.script->text); /* another run */
	assert_int_equal(run(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(loads_ask(loads,
				"SELECT count(*) FROM loadstar.slice_ledger WHERE table_name = 'public.refresh'"),
	    "2");
}

static void
test_failure_says_where_and_leaves_nothing(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = script_job(loads, "INSERT INTO seen VALUES (1);\n\n  SELECT 1 / (n - 1)\n  FROM seen");
	struct slice_outcome outcome;

	assert_int_equal(run(loads, &job, &outcome), FAIL_SQL_DATA);
	assert_non_null(strstr(loads->failure, "post/refresh.sql:3:3: "));
	assert_non_null(strstr(loads->failure, "division by zero"));
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM public.seen"), "0");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.slice_ledger"), "0");
}

static void
test_ghost_and_revocation(void **state)
{
	struct loads *loads = *state;
	struct slice_job old = script_job(loads, "INSERT INTO seen VALUES (1)"), canceller;
	struct slice_outcome outcome;
	bool committed;

	canceller = loads_again(loads, &old);
	canceller.script = old.script;
	canceller.table = NULL;
	assert_true(slice_revoke(loads->ctx, &canceller, &outcome, &committed));
	assert_false(committed);
	assert_int_equal(run(loads, &old, &outcome), FAIL_FENCED);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM public.seen"), "0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_once_a_step, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failure_says_where_and_leaves_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ghost_and_revocation, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
