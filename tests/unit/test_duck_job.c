/* The child's life: files larger than memory, runaway queries, kills of either side, cancel; nothing is left behind. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "tests/support/duck_files.h"

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LARGE_MIB = 60 };
#else
enum { LARGE_MIB = 1280 };
#endif

static int
setup(void **state)
{
	*state = duck_case_new(ctx_new("test", 0));
	return 0;
}

static int
teardown(void **state)
{
	struct duck_case *test = *state;

	duck_case_end(test);
	ctx_free(test->ctx);
	return 0;
}

/* Lines of {"id":…,"payload":…} of about 1 KiB until there are so many MiB; how many. */
static int64_t
write_large(struct duck_case *test, const char *name, int mib)
{
	char *path = duck_case_path(test, name);
	FILE *file = fopen(path, "w");
	int64_t lines = 0;
	char payload[1001];

	assert_non_null(file);
	memset(payload, 'x', sizeof(payload) - 1);
	payload[sizeof(payload) - 1] = '\0';
	for (; ftell(file) < (long)mib << 20; lines++)
		(void)fprintf(file, "{\"id\":%lld,\"payload\":\"%lld %s\"}\n", (long long)lines,
		    (long long)(lines * 7919 % 1000003), payload);
	assert_int_equal(fclose(file), 0);
	return lines;
}

/* Ten times the memory limit through a transform, for which the whole file is kept as a table. */
static void
test_large_file(void **state)
{
	struct duck_case *test = *state;
	int64_t lines;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint payload:text");
	lines = write_large(test, "large.ndjson", LARGE_MIB);
	duck_case_file(test, "large.ndjson", NULL, 0);
	duck_case_target(test, "bytes:bigint ids:bigint first:text");
	test->request.transform =
	    "SELECT sum(length(payload)) AS bytes, count(*) AS ids, min(payload) AS first FROM input";
	if (!duck_case_run(test))
		fail_msg("%s", ctx_failure(test->ctx)->message);
	assert_true(duck_case_ask(test, "SELECT ids FROM t") == lines);
	assert_true(duck_case_is_clean(test));
}

static void
runs_away(struct duck_case *test, const char *transform)
{
	const struct failure *failure = ctx_failure(test->ctx);

	test->request.transform = transform;
	assert_false(duck_case_run(test));
	if (failure->code != FAIL_MEMORY_LIMIT && failure->code != FAIL_TRANSFORM)
		fail_msg("%s: %s", fail_kind(failure->code)->name, failure->message);
	fail_clear(test->ctx);
	assert_int_equal(duck_case_ask(test, "SELECT count(*) FROM t"), 0);
	assert_true(duck_case_is_clean(test));
}

static void
test_runaway(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint");
	duck_case_text(test, "a.ndjson", "{\"id\":1}\n");
	duck_case_target(test, "id:bigint");
	test->request.limits.temp_bytes = 64 << 20;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	runs_away(test, "SELECT length(repeat('x', 3000000000)) AS id");
	runs_away(test, "SELECT length(string_agg(repeat('y', 1000), ',')) AS id FROM range(10000000)");
#endif
	runs_away(test, "SELECT len(list(a.range)) AS id FROM range(100000) a, range(100000) b");
}

static void
test_processor_time(void **state)
{
	struct duck_case *test = *state;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint");
	duck_case_text(test, "a.ndjson", "{\"id\":1}\n");
	test->request.transform =
	    "SELECT count(*) AS id FROM range(100000000) a, range(1000000000) b WHERE hash(a.range, b.range) = 7";
	test->request.limits.cpu_seconds = 1;
	assert_false(duck_case_run(test));
	assert_int_equal(ctx_failure(test->ctx)->code, FAIL_TRANSFORM);
	assert_non_null(strstr(ctx_failure(test->ctx)->message, "processor time"));
}

/* A request whose job does not end by itself, with something in its folder. */
static void
make_endless(struct duck_case *test)
{
	duck_case_columns(test, DUCK_NDJSON, "id:bigint");
	duck_case_text(test, "a.ndjson", "{\"id\":1}\n");
	test->request.transform =
	    "SELECT count(*) AS id FROM range(100000000) a, range(1000000000) b WHERE hash(a.range, b.range) = 7";
}

static void *
cancel_soon(void *arg)
{
	clock_sleep_ms(500);
	(void)ctx_cancel_set(arg, CANCEL_REQUESTED);
	return NULL;
}

static void
test_cancel(void **state)
{
	struct duck_case *test = *state;
	struct ctx_cancel cancel = {CANCEL_NONE};
	int64_t begin_us = clock_monotonic_us();
	pthread_t thread;

	make_endless(test);
	ctx_watch_cancel(test->ctx, &cancel);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
	begin_us = clock_monotonic_us();
	assert_false(duck_case_run(test));
	assert_true(clock_monotonic_us() - begin_us < 1500000);
	assert_int_equal(ctx_failure(test->ctx)->code, FAIL_CANCELLED);
	assert_true(duck_case_is_clean(test));
	(void)pthread_join(thread, NULL);
	ctx_watch_cancel(test->ctx, NULL);
}

static void *
kill_soon(void *arg)
{
	clock_sleep_ms(500);
	(void)kill(*(pid_t *)arg, SIGKILL);
	return NULL;
}

static void
test_killed_child(void **state)
{
	struct duck_case *test = *state;
	struct duck_job *job;
	pthread_t thread;
	pid_t pid;

	make_endless(test);
	assert_true(duck_start(test->ctx, &test->request, &job));
	pid = duck_pid(job);
	assert_int_equal(pthread_create(&thread, NULL, kill_soon, &pid), 0);
	assert_false(duck_copy(test->ctx, job, test->db, "COPY t FROM STDIN (FORMAT binary)", NULL, &test->result));
	assert_int_equal(ctx_failure(test->ctx)->code, FAIL_DUCK);
	assert_non_null(strstr(ctx_failure(test->ctx)->message, "signal KILL"));
	fail_clear(test->ctx);
	assert_true(duck_case_is_clean(test));
	assert_int_equal(duck_pid(job), 0);
	assert_int_equal(duck_case_ask(test, "SELECT count(*) FROM t"), 0);
	(void)pthread_join(thread, NULL);
}

/* The parent is a process of its own here, killed without a chance to say anything. */
static void
test_killed_parent(void **state)
{
	struct duck_case *test = *state;
	int pipe_fds[2], waited = 0;
	struct duck_job *job;
	pid_t parent, child = 0;

	make_endless(test);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	parent = fork();
	if (parent == 0) {
		if (!duck_start(test->ctx, &test->request, &job))
			_exit(1);
		child = duck_pid(job);
		if (write(pipe_fds[1], &child, sizeof(child)) < 0)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(pipe_fds[0], &child, sizeof(child)), sizeof(child));
	clock_sleep_ms(500);
	assert_false(duck_case_is_clean(test));
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	while (waitpid(child, NULL, WNOHANG) != child && waited++ < 200)
		clock_sleep_ms(10);
	assert_true(waited < 200);
	assert_true(duck_case_is_clean(test));
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}

static void
test_sweep(void **state)
{
	struct duck_case *test = *state;
	char *dead = ctx_printf(test->ctx, "%s/duck-2147483646-1", test->request.temp_folder);
	char *living = ctx_printf(test->ctx, "%s/duck-1-1", test->request.temp_folder);
	char command[500];

	(void)snprintf(command, sizeof(command), "mkdir -p %s/deep %s && touch %s/deep/spill", dead, living, dead);
	assert_int_equal(system(command), 0);
	assert_int_equal(duck_sweep(test->ctx, test->request.temp_folder), 1);
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(access(living, F_OK), 0);
	assert_int_equal(duck_sweep(test->ctx, "/nowhere"), 0);
}

/* The target refuses: the child does not wait for ever to hand on its rows. */
static void
test_target_refuses(void **state)
{
	struct duck_case *test = *state;
	int64_t begin_us;

	duck_case_columns(test, DUCK_NDJSON, "id:bigint payload:text");
	(void)write_large(test, "a.ndjson", 40);
	duck_case_file(test, "a.ndjson", NULL, 0);
	assert_true(pg_run(test->ctx, test->db, "ALTER TABLE t ADD CHECK (id < 10)"));
	begin_us = clock_monotonic_us();
	assert_false(duck_case_run(test));
	assert_int_equal(ctx_failure(test->ctx)->code, FAIL_SQL_DATA);
	assert_true(clock_monotonic_us() - begin_us < 8000000);
	assert_true(duck_case_is_clean(test));
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_large_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_runaway, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_processor_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_killed_child, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_killed_parent, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_target_refuses, setup, teardown),
	};

	/* The child is this very program. */
	if (argc == 2 && strcmp(argv[1], DUCK_COMMAND) == 0)
		return duck_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
