/* What is said to whom: the bodies of notices, and where they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/notice.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static struct notice
a_notice(struct ctx *ctx, const char *run)
{
	return (struct notice){.id = "019a2f10-0000-7abc-8def-000000000001",
	    .run_id = "019a2f10-7c00-7abc-8def-0123456789ab",
	    .pipeline = "shop",
	    .event = "failed",
	    .target = "oncall",
	    .run = json_trusted(ctx, run),
	    .created_us = INT64_C(1706692500000000)};
}

static void
test_webhook(void **state)
{
	struct notice notice = a_notice(*state, "{\"type\":\"full\",\"status\":\"failed\"}");

	assert_string_equal(notice_body(*state, &notice, NULL, false),
	    "{\"id\":\"019a2f10-0000-7abc-8def-000000000001\",\"event\":\"failed\",\"pipeline\":\"shop\","
	    "\"at\":\"2024-01-31T09:15:00Z\",\"run\":{\"type\":\"full\",\"status\":\"failed\"},\"link\":null}");
	assert_true(text_ends_with(notice_body(*state, &notice, "https://etl.example.com/x//", false),
	    "\"link\":\"https://etl.example.com/x/v1/runs/019a2f10-7c00-7abc-8def-0123456789ab\"}"));
}

static void
test_slack(void **state)
{
	struct notice plain = a_notice(*state, "{\"type\":\"full\",\"error\":null}");
	struct notice failed = a_notice(*state,
	    "{\"type\":\"facts\",\"error\":{\"message\":\"a < b && \\\"c\\\" > d\\nline\",\"table\":\"fact_uses\"}}");

	assert_string_equal(notice_body(*state, &plain, NULL, true),
	    "{\"text\":\"*failed*: full run of shop 019a2f10-7c00-7abc-8def-0123456789ab\"}");
	assert_string_equal(notice_body(*state, &failed, "https://x", true),
	    "{\"text\":\"*failed*: facts run of shop "
	    "<https://x/v1/runs/019a2f10-7c00-7abc-8def-0123456789ab|019a2f10-7c00-7abc-8def-0123456789ab>\\n"
	    "fact_uses: a &lt; b &amp;&amp; \\\"c\\\" &gt; d\\nline\"}");
}

static void
test_targets(void **state)
{
	char *argv[] = {NULL};
	int argc = 0;
	struct config config;
	struct secret url;

	assert_int_equal(setenv("LOADSTAR_NOTIFY_ONCALL", "https://example.com/a", 1), 0);
	assert_int_equal(setenv("LOADSTAR_NOTIFY_EMPTY", "", 1), 0);
	assert_true(config_load(*state, &argc, argv, &config));
	assert_true(config_notify(&config, "oncall", &url));
	assert_string_equal(secret_reveal(&url), "https://example.com/a");
	assert_false(config_notify(&config, "empty", &url));
	assert_false(config_notify(&config, "nobody", &url));
	assert_int_equal(setenv("LOADSTAR_NOTIFY_ONCALL", "ftp://hidden", 1), 0);
	assert_false(config_load(*state, &argc, argv, &config));
	assert_int_equal(ctx_failure(*state)->code, FAIL_CONFIG_INVALID);
	assert_null(strstr(ctx_failure(*state)->message, "hidden"));
	assert_int_equal(unsetenv("LOADSTAR_NOTIFY_ONCALL"), 0);
}

static void
test_events(void **state)
{
	assert_string_equal(notice_event_list(*state), "failed, partial, succeeded, quality, recovered");
	assert_true(notice_event_is_known("quality"));
	assert_false(notice_event_is_known("late"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_webhook, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_slack, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_targets, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_events, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
