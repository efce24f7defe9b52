/* schedule and notify in a specification: what is understood, what is refused and where. */
#include "base/bug.h"
#include "tests/support/spec_text.h"

static bool
try_keys(struct spec_fixture *f, const char *keys)
{
	return spec_try(f, ctx_printf(f->ctx, "%s%s", spec_good, keys), spec_robots_sql, spec_uses_sql);
}

static void
test_good(void **state)
{
	struct spec_fixture *f = *state;
	const struct spec_schedule *schedule;

	assert_true(try_keys(f, "timezone: Europe/Zurich\nschedule: { cron: \"*/15 6-18 * * mon-fri\" }\n"));
	schedule = f->spec->schedule;
	assert_string_equal(schedule->timezone, "Europe/Zurich");
	assert_string_equal(json_text(f->ctx, spec_schedule_to_json(f->ctx, f->spec)),
	    "{\"cron\":\"*/15 6-18 * * mon-fri\",\"timezone\":\"Europe/Zurich\",\"run\":\"full\",\"mode\":\"auto\",\"overlap\":\"skip\","
	    "\"catchup\":\"last\",\"window_seconds\":null,\"params\":{}}");
	assert_true(try_keys(f,
	    "schedule: { cron: '@daily', timezone: Asia/Kolkata, run: facts, mode: missing, overlap: queue, catchup: all, "
	    "window: 2d, params: { region: de } }\n"
	    "notify: [ { to: oncall, events: [failed, quality] }, { to: chat, events: recovered } ]\n"));
	assert_string_equal(json_text(f->ctx, spec_schedule_to_json(f->ctx, f->spec)),
	    "{\"cron\":\"@daily\",\"timezone\":\"Asia/Kolkata\",\"run\":\"facts\",\"mode\":\"missing\",\"overlap\":\"queue\","
	    "\"catchup\":\"all\",\"window_seconds\":172800,\"params\":{\"region\":\"de\"}}");
	assert_string_equal(json_text(f->ctx, spec_notify_to_json(f->ctx, f->spec)),
	    "[{\"to\":\"oncall\",\"events\":[\"failed\",\"quality\"]},{\"to\":\"chat\",\"events\":[\"recovered\"]}]");
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *keys, *error;
	} cases[] = {
	    {"schedule: { run: full }\n", "'schedule' lacks the key 'cron'"},
	    {"schedule: { cron: '0 24 * * *' }\n", "'0 24 * * *' is no cron: '24' is no hour: 0 to 23"},
	    {"schedule: { cron: '0 0 30 2 *' }\n", "'0 0 30 2 *' never fires"},
	    {"schedule: { cron: '0 0 * * *', timezone: Mars/Olympus }\n", "'Mars/Olympus' is no time zone"},
	    {"schedule: { cron: '0 0 * * *', run: range }\n", "'run' is 'range', but must be one of"},
	    {"schedule: { cron: '0 0 * * *', catchup: all }\n", "'catchup: all' needs 'overlap: queue'"},
	    {"schedule: { cron: '0 0 * * *', catchup: none, window: 1d }\n", "with 'catchup: none' there is nothing"},
	    {"schedule: { cron: '0 0 * * *', window: 1s }\n", "'window' is '1s', but must be a duration"},
	    {"schedule: { cron: '0 0 * * *', params: { regoin: de } }\n", "the pipeline has no parameter 'regoin'"},
	    {"schedule: { cron: '0 0 * * *', params: { region: 7 } }\n", "'7' is no text that matches the pattern"},
	    {"schedule: { cron: '0 0 * * *', params: { region: [de] } }\n", "'region' must be a value"},
	    {"schedule: daily\n", "'schedule' must be a mapping"},
	    {"notify: { to: oncall }\n", "'notify' must be a list of at most 20 mappings"},
	    {"notify: [oncall]\n", "a mapping (key: value) is needed here"},
	    {"notify: [ { to: oncall } ]\n", "lacks the key 'events'"},
	    {"notify: [ { to: oncall, events: [late] } ]\n",
		"'late' is no event: failed, partial, succeeded, quality, recovered"},
	    {"notify: [ { to: oncall, events: [failed, failed] } ]\n", "'failed' is here twice"},
	    {"notify: [ { to: a, events: failed }, { to: a, events: partial } ]\n", "'a' is here twice"},
	};
	struct spec_fixture *f = *state;

	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		assert_false(try_keys(f, cases[i].keys));
		assert_true(spec_has_error(f, cases[i].error));
	}
}

/* A parameter without a default must be in the schedule. */
static void
test_required_params(void **state)
{
	struct spec_fixture *f = *state;
	char *yaml = spec_edit(f, ", default: ch", "");

	assert_false(spec_try(f, ctx_printf(f->ctx, "%sschedule: { cron: '0 0 * * *' }\n", yaml), spec_robots_sql,
	    spec_uses_sql));
	assert_true(spec_has_error(f, "the schedule's params lack 'region', which has no default"));
	assert_true(spec_try(f, ctx_printf(f->ctx, "%sschedule: { cron: '0 0 * * *', params: { region: de } }\n", yaml),
	    spec_robots_sql, spec_uses_sql));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SPEC_TEST(test_good),
	    SPEC_TEST(test_refusals),
	    SPEC_TEST(test_required_params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
