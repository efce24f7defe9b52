/* The metrics page: what Prometheus reads, escapes included. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "base/text.h"

#include <cmocka.h>

static const char *page;

static bool
has_line(const char *line)
{
	const char *at = page;
	size_t length = strlen(line);

	while ((at = strstr(at, line)) != NULL) {
		if ((at == page || at[-1] == '\n') && at[length] == '\n')
			return true;
		at += length;
	}
	(void)fprintf(stderr, "no line %s\n", line);
	return false;
}

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

static void
test_counters(void **state)
{
	const char *const *labels = METRIC_LABELS("a\"b\\c\nd\xff", "full", "succeeded");

	metrics_add(METRIC_RUNS, labels, 1);
	metrics_add(METRIC_RUNS, labels, 2);
	metrics_add(METRIC_RUNS, METRIC_LABELS("p", "full", "failed"), 0.1);
	assert_true(metrics_value(METRIC_RUNS, labels) == 3);
	assert_true(metrics_value(METRIC_RUNS, METRIC_LABELS("p", "full", "cancelled")) == 0);
	page = metrics_render(*state);
	assert_true(has_line("# HELP loadstar_runs_total Runs that reached a final state."));
	assert_true(has_line("# TYPE loadstar_runs_total counter"));
	assert_true(
	    has_line("loadstar_runs_total{pipeline=\"a\\\"b\\\\c\\nd?\",type=\"full\",status=\"succeeded\"} 3"));
	assert_true(has_line("loadstar_runs_total{pipeline=\"p\",type=\"full\",status=\"failed\"} 0.1"));
}

static void
test_gauges(void **state)
{
	page = metrics_render(*state);
	assert_true(has_line("loadstar_steps_running 0")); /* there before anybody counted */
	metrics_add(METRIC_STEPS_RUNNING, NULL, 5);
	metrics_add(METRIC_STEPS_RUNNING, NULL, -2);
	metrics_set(METRIC_QUEUE_DEPTH, METRIC_LABELS("p"), 12345678901234567.0);
	metrics_set(METRIC_QUEUE_DEPTH, METRIC_LABELS("q"), INFINITY);
	page = metrics_render(*state);
	assert_true(has_line("loadstar_steps_running 3"));
	assert_true(has_line("loadstar_queue_depth{pipeline=\"p\"} 12345678901234568"));
	assert_true(has_line("loadstar_queue_depth{pipeline=\"q\"} +Inf"));
	metrics_clear(METRIC_QUEUE_DEPTH);
	page = metrics_render(*state);
	assert_null(strstr(page, "loadstar_queue_depth{"));
	metrics_set(METRIC_QUEUE_DEPTH, METRIC_LABELS("p"), 1);
	assert_true(metrics_value(METRIC_QUEUE_DEPTH, METRIC_LABELS("p")) == 1);
}

static void
test_histograms(void **state)
{
	const char *const *labels = METRIC_LABELS("/v1/runs");

	metrics_observe(METRIC_HTTP_DURATION, labels, 0.001); /* a bound belongs to its bucket */
	metrics_observe(METRIC_HTTP_DURATION, labels, 0.0011);
	metrics_observe(METRIC_HTTP_DURATION, labels, 100);
	assert_true(metrics_value(METRIC_HTTP_DURATION, labels) == 3);
	page = metrics_render(*state);
	assert_true(has_line("# TYPE loadstar_http_request_duration_seconds histogram"));
	assert_true(has_line("loadstar_http_request_duration_seconds_bucket{route=\"/v1/runs\",le=\"0.001\"} 1"));
	assert_true(has_line("loadstar_http_request_duration_seconds_bucket{route=\"/v1/runs\",le=\"0.0025\"} 2"));
	assert_true(has_line("loadstar_http_request_duration_seconds_bucket{route=\"/v1/runs\",le=\"10\"} 2"));
	assert_true(has_line("loadstar_http_request_duration_seconds_bucket{route=\"/v1/runs\",le=\"+Inf\"} 3"));
	assert_true(has_line("loadstar_http_request_duration_seconds_sum{route=\"/v1/runs\"} 100.0021"));
	assert_true(has_line("loadstar_http_request_duration_seconds_count{route=\"/v1/runs\"} 3"));
	/* Without labels it is there from the start, and its buckets have no other label than le. */
	assert_true(has_line("loadstar_step_start_delay_seconds_bucket{le=\"+Inf\"} 0"));
	assert_true(has_line("loadstar_step_start_delay_seconds_sum 0"));
}

static double
value_of(const char *name)
{
	const char *line = strstr(page, name);

	while (line != NULL && line != page && line[-1] != '\n')
		line = strstr(line + 1, name);
	assert_non_null(line);
	return strtod(line + strlen(name), NULL);
}

static void
test_process(void **state)
{
	page = metrics_render(*state);
	assert_true(value_of("process_resident_memory_bytes ") > 100000);
	assert_true(value_of("process_virtual_memory_bytes ") >= value_of("process_resident_memory_bytes "));
	assert_true(value_of("process_open_fds ") >= 3);
	assert_true(value_of("process_max_fds ") >= value_of("process_open_fds "));
	assert_true(value_of("process_start_time_seconds ") > 1.6e9);
	assert_true(value_of("process_cpu_seconds_total ") >= 0);
}

/* Every line is a comment or a sample, names are fit for Prometheus, counters end in _total, each name has one TYPE. */
static void
test_format(void **state)
{
	char *copy, *line, *rest;

	page = metrics_render(*state);
	assert_true(text_ends_with(page, "\n"));
	copy = ctx_strdup(*state, page);
	for (line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		char *value, *end;

		if (text_starts_with(line, "# HELP ") || text_starts_with(line, "# TYPE ")) {
			const char *name = line + strlen("# TYPE ");
			char *type = ctx_printf(*state, "# TYPE %.*s ", (int)strcspn(name, " "), name);
			const char *found = strstr(page, type);

			assert_non_null(found);
			assert_null(strstr(found + 1, type));
			assert_true(text_ends_with(line, " counter") && line[2] == 'T' ? strstr(line, "_total ") != NULL
										       : true);
			continue;
		}
		value = strrchr(line, ' ');
		assert_non_null(value);
		(void)strtod(value + 1, &end);
		assert_true(end > value + 1 && *end == '\0');
		assert_true(strspn(line, "abcdefghijklmnopqrstuvwxyz_") == strcspn(line, "{ "));
	}
}

static void *
count_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++) {
		char table[16];

		(void)snprintf(table, sizeof(table), "t%d", i % 100);
		metrics_add(METRIC_ROWS, METRIC_LABELS("many", table, "inserted"), 1);
		metrics_observe(METRIC_STEP_START_DELAY, NULL, 0.1);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	double before = metrics_value(METRIC_STEP_START_DELAY, NULL);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
	(void)metrics_render(*state);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_true(metrics_value(METRIC_ROWS, METRIC_LABELS("many", "t7", "inserted")) == 400);
	assert_true(metrics_value(METRIC_STEP_START_DELAY, NULL) - before == 40000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_counters, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_gauges, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_histograms, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_process, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_format, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
