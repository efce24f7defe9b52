/* Settings: defaults, environment, files, flags, and what is told about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/config.h"
#include "base/fail.h"

#include <cmocka.h>

static int
setup(void **state)
{
	static const char *const variables[] = {"LOADSTAR_CONNECTION_RDS", "LOADSTAR_CONNECTION_RDS_FILE",
	    "LOADSTAR_JWT_SECRET", "LOADSTAR_JWT_SECRET_FILE", "LOADSTAR_LISTEN", "LOADSTAR_WORKERS",
	    "LOADSTAR_DATABASE_URL", "LOADSTAR_LEASE"};

	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		(void)unsetenv(variables[i]);
	*state = ctx_new("test", 0);
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static bool
load(struct ctx *ctx, struct config *config, const char *a, const char *b)
{
	char *argv[] = {ctx_strdup(ctx, a), ctx_strdup(ctx, b), NULL};
	int argc = a == NULL ? 0 : b == NULL ? 1 : 2;

	return config_load(ctx, &argc, argv, config);
}

static void
test_defaults(void **state)
{
	struct config config;

	assert_true(load(*state, &config, NULL, NULL));
	assert_string_equal(config.listen, "127.0.0.1:8080");
	assert_int_equal(config.workers, -1);
	assert_int_equal(config.http_body_bytes, 1024 * 1024);
	assert_int_equal(config.lease_ms, 15000);
	assert_false(config.embedded || secret_is_set(&config.database_url));
	assert_null(config.connections);
}

static void
test_order(void **state)
{
	struct config config;
	char *argv[] = {(char[]){"serve"}, (char[]){"--listen"}, (char[]){"[::1]:1"}, (char[]){"--workers=3"},
	    (char[]){"--embedded"}, (char[]){"--other=x"}, (char[]){"rest"}, NULL};
	int argc = 7;

	assert_int_equal(setenv("LOADSTAR_LISTEN", "0.0.0.0:9", 1), 0);
	assert_int_equal(setenv("LOADSTAR_LEASE", "30s", 1), 0);
	assert_true(config_load(*state, &argc, argv, &config));
	assert_string_equal(config.listen, "[::1]:1"); /* the flag wins */
	assert_int_equal(config.lease_ms, 30000);
	assert_int_equal(config.workers, 3);
	assert_true(config.embedded);
	assert_int_equal(argc, 3);
	assert_string_equal(argv[0], "serve");
	assert_string_equal(argv[1], "--other=x");
	assert_string_equal(argv[2], "rest");
	assert_null(argv[3]);
	assert_int_equal(setenv("LOADSTAR_LISTEN", "", 1), 0); /* empty is unset */
	assert_true(load(*state, &config, NULL, NULL));
	assert_string_equal(config.listen, "127.0.0.1:8080");
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *flag, *says;
	} cases[] = {
	    {"--workers=many", "LOADSTAR_WORKERS"},
	    {"--workers=-1", "LOADSTAR_WORKERS"},
	    {"--workers=100001", "LOADSTAR_WORKERS"},
	    {"--http-body=1MB", "LOADSTAR_HTTP_BODY"},
	    {"--lease=0s", "LOADSTAR_LEASE"},
	    {"--lease=15", "LOADSTAR_LEASE"},
	    {"--embedded=yes", "LOADSTAR_EMBEDDED"},
	    {"--retention=23h", "LOADSTAR_RETENTION"},
	    {"--retention-audit=0s", "LOADSTAR_RETENTION_AUDIT"},
	    {"--retention-logs=36501d", "LOADSTAR_RETENTION_LOGS"},
	    {"--listen", "--listen"},
	};
	struct config config;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_false(load(*state, &config, cases[i].flag, NULL));
		assert_int_equal(ctx_failure(*state)->code, FAIL_CONFIG_INVALID);
		assert_non_null(strstr(ctx_failure(*state)->message, cases[i].says));
		fail_clear(*state);
	}
}

static void
test_retention(void **state)
{
	const int64_t day_ms = INT64_C(86400) * 1000;
	struct config config;

	assert_true(load(*state, &config, NULL, NULL));
	assert_true(config.retention_logs_ms == 30 * day_ms && config.retention_runs_ms == 400 * day_ms);
	assert_true(config.retention_quality_ms == 400 * day_ms && config.retention_audit_ms == 400 * day_ms);
	assert_true(load(*state, &config, "--retention=90d", "--retention-audit=3650d"));
	assert_true(config.retention_logs_ms == 90 * day_ms && config.retention_runs_ms == 90 * day_ms);
	assert_true(config.retention_quality_ms == 90 * day_ms && config.retention_audit_ms == 3650 * day_ms);
	assert_true(load(*state, &config, "--retention-logs=1d", NULL));
	assert_true(config.retention_logs_ms == day_ms && config.retention_runs_ms == 400 * day_ms);
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
test_files(void **state)
{
	char path[] = "/tmp/loadstar-config-XXXXXX";
	struct config config;
	struct secret url;
	int fd = mkstemp(path);

	assert_true(fd >= 0 && close(fd) == 0);
	write_file(path, "postgresql://u:c4n4ry@db/x\r\n\n");
	assert_int_equal(setenv("LOADSTAR_CONNECTION_RDS_FILE", path, 1), 0);
	assert_int_equal(setenv("LOADSTAR_JWT_SECRET_FILE", path, 1), 0);
	assert_true(load(*state, &config, NULL, NULL));
	assert_true(config_connection(*state, &config, "rds", &url));
	assert_string_equal(secret_reveal(&url), "postgresql://u:c4n4ry@db/x");
	assert_string_equal(secret_reveal(&config.jwt_secret), "postgresql://u:c4n4ry@db/x");
	assert_null(strstr(config_dump(*state, &config), "c4n4ry"));
	assert_non_null(strstr(config_dump(*state, &config), "LOADSTAR_CONNECTION_RDS = postgresql://u:***@db/x\n"));
	assert_int_equal(unlink(path), 0);
	assert_false(load(*state, &config, NULL, NULL));
	assert_non_null(strstr(ctx_failure(*state)->message, path));
}

static void
test_connections(void **state)
{
	struct config config;
	struct secret url;

	assert_int_equal(setenv("LOADSTAR_CONNECTION_RDS", "one", 1), 0);
	assert_int_equal(setenv("LOADSTAR_CONNECTION_RDS_FILE", "/nonexistent", 1), 0); /* the variable itself wins */
	assert_true(load(*state, &config, NULL, NULL));
	config_add_connection(*state, &config, "rds", "two");
	config_add_connection(*state, &config, "warehouse", "three");
	assert_true(config_connection(*state, &config, "rds", &url));
	assert_string_equal(secret_reveal(&url), "one");
	assert_true(config_connection(*state, &config, "warehouse", &url));
	assert_false(config_connection(*state, &config, "lake", &url));
	assert_int_equal(ctx_failure(*state)->code, FAIL_CONNECTION_MISSING);
	assert_non_null(strstr(ctx_failure(*state)->message, "LOADSTAR_CONNECTION_LAKE"));
}

/* x-pipelines says who may use a connection, and reaches nobody else: neither libpq nor a folder's name. */
static void
test_connections_of_pipelines(void **state)
{
	static const char *const urls[][2] = {
	    {"postgresql://h/d?x-pipelines=a,bc", "postgresql://h/d"},
	    {"postgresql://h/d?x-pipelines=a,bc&host=/s&port=1", "postgresql://h/d?host=/s&port=1"},
	    {"postgresql://h/d?host=/s&x-pipelines=a,bc", "postgresql://h/d?host=/s"},
	    {"file:///f?host=/s&x-pipelines=a,bc&port=1", "file:///f?host=/s&port=1"},
	};
	static const char *const others[] = {"b", "ab", "abc", "c", "a,bc", ""};
	struct config config;
	struct secret url;

	for (size_t i = 0; i < LENGTH_OF(urls); i++) {
		assert_int_equal(setenv("LOADSTAR_CONNECTION_RDS", urls[i][0], 1), 0);
		assert_true(load(*state, &config, NULL, NULL));
		assert_true(config_connection_of(*state, &config, "a", "rds", &url));
		assert_string_equal(secret_reveal(&url), urls[i][1]);
		assert_true(config_connection_of(*state, &config, "bc", "rds", &url));
	}
	for (size_t i = 0; i < LENGTH_OF(others); i++) {
		assert_false(config_connection_of(*state, &config, others[i], "rds", &url));
		assert_int_equal(ctx_failure(*state)->code, FAIL_CONNECTION_MISSING);
		fail_clear(*state);
	}
	assert_non_null(strstr(config_dump(*state, &config), " only for a,bc\n"));
	assert_int_equal(setenv("LOADSTAR_CONNECTION_RDS", "postgresql://h/d?x-pipelines=", 1), 0);
	assert_true(load(*state, &config, NULL, NULL));
	assert_false(config_connection_of(*state, &config, "a", "rds", &url)); /* nobody */
	fail_clear(*state);
	config_add_connection(*state, &config, "warehouse", "three");
	assert_true(config_connection_of(*state, &config, "a", "warehouse", &url)); /* everybody */
	assert_false(config_connection_of(*state, &config, "a", "lake", &url));
}

static void
test_sizes(void **state)
{
	static const char *const wrong[] = {"", "KiB", "1kb", "1 KiB", "-1", "1.5MiB", "1234567890123",
	    "999999999999GiB"};
	int64_t bytes;

	(void)state;
	assert_true(config_parse_size("65536", &bytes) && bytes == 65536);
	assert_true(config_parse_size("64KiB", &bytes) && bytes == 65536);
	assert_true(config_parse_size("2GiB", &bytes) && bytes == INT64_C(2) << 30);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(config_parse_size(wrong[i], &bytes));
	assert_true(
	    config_is_loopback("127.0.0.1:80") && config_is_loopback("[::1]:80") && config_is_loopback("localhost:80"));
	assert_false(config_is_loopback("0.0.0.0:80") || config_is_loopback("[::]:80") ||
		     config_is_loopback("localhost.evil:80") || config_is_loopback("127.evil.example:80"));
}

/* Each secret is told as a secret, each row has what --help needs, no two rows share a name. */
static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < config_settings_count; i++) {
		const struct config_setting *s = &config_settings[i];

		assert_int_equal(strncmp(s->variable, "LOADSTAR_", 9), 0);
		assert_true(strlen(s->doc) > 3);
		if (strstr(s->variable, "SECRET") != NULL || strstr(s->variable, "TOKEN") != NULL ||
		    strstr(s->variable, "DATABASE_URL") != NULL)
			assert_true(s->secret);
		for (size_t j = 0; j < i; j++)
			assert_true(
			    strcmp(s->flag, config_settings[j].flag) != 0 && s->offset != config_settings[j].offset);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_files, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_connections, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_connections_of_pipelines, setup, teardown),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
