/* The home: where things are, who may use them, what is made once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "server/home.h"

#include <cmocka.h>

struct place {
	struct ctx *ctx;
	struct config config;
	char folder[32];
};

/* A folder that an unprivileged user can reach as well. */
static int
setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	place->ctx = ctx_new("test", 0);
	strncpy(place->folder, "/tmp/lst-home-XXXXXX", sizeof(place->folder) - 1);
	assert_non_null(mkdtemp(place->folder));
	assert_int_equal(chmod(place->folder, 0755), 0);
	place->config.home = place->folder;
	*state = place;
	return 0;
}

static int
teardown(void **state)
{
	struct place *place = *state;
	char *command = ctx_printf(place->ctx, "rm -rf %s", place->folder);

	assert_int_equal(system(command), 0);
	ctx_free(place->ctx);
	free(place);
	return 0;
}

static unsigned
mode_of(const char *path)
{
	struct stat info;

	assert_int_equal(lstat(path, &info), 0);
	return info.st_mode & 07777;
}

static void
test_plain(void **state)
{
	struct place *place = *state;
	struct home home, again;
	struct stat info;

	assert_true(home_open(place->ctx, &place->config, &home));
	assert_string_equal(home.path, place->folder);
	assert_false(home.moved);
	assert_string_equal(home.socket, ctx_printf(place->ctx, "%s/socket", place->folder));
	assert_int_equal(mode_of(home.socket), 0700);
	assert_int_equal(stat(home.socket, &info), 0);
	assert_true(info.st_uid == home.uid && home.uid != 0);      /* PostgreSQL never runs as root */
	assert_true(home_open(place->ctx, &place->config, &again)); /* found again as it is */
}

static void
test_long_path(void **state)
{
	struct place *place = *state;
	char *folder = place->folder;
	struct home home, again;

	while (strlen(folder) < 90)
		folder = ctx_printf(place->ctx, "%s/a-folder-with-a-long-name", folder);
	place->config.home = folder;
	assert_true(home_open(place->ctx, &place->config, &home));
	assert_string_equal(home.path, folder);
	assert_true(text_starts_with(home.socket, "/tmp/loadstar-"));
	assert_int_equal(mode_of(home.socket), 0700);
	assert_true(home_open(place->ctx, &place->config, &again));
	assert_string_equal(again.socket, home.socket); /* the same at every start */
	assert_int_equal(rmdir(home.socket), 0);
}

static void
test_foreign_socket_folder(void **state)
{
	struct place *place = *state;
	char *socket = ctx_printf(place->ctx, "%s/socket", place->folder);
	struct home home;

	assert_int_equal(mkdir(socket, 0777), 0);
	assert_int_equal(chmod(socket, 0777), 0); /* open to everybody */
	assert_false(home_open(place->ctx, &place->config, &home));
	assert_int_equal(ctx_failure(place->ctx)->code, FAIL_CONFLICT);
	assert_non_null(strstr(ctx_failure(place->ctx)->message, socket));
	fail_clear(place->ctx);
	if (getuid() == 0) { /* private, but of another user */
		assert_int_equal(chmod(socket, 0700), 0);
		assert_false(home_open(place->ctx, &place->config, &home));
		fail_clear(place->ctx);
	}
	assert_int_equal(rmdir(socket), 0);
	assert_int_equal(symlink("/tmp", socket), 0);
	assert_false(home_open(place->ctx, &place->config, &home));
	assert_int_equal(ctx_failure(place->ctx)->code, FAIL_CONFLICT);
}

static void
test_lock(void **state)
{
	struct place *place = *state;
	struct home home;
	int status = 0;
	pid_t other;

	assert_true(home_open(place->ctx, &place->config, &home));
	assert_true(home_lock(place->ctx, &home));
	other = fork();
	if (other == 0) {
		bool locked = home_lock(place->ctx, &home);
		const char *message = ctx_failure(place->ctx)->message;
		const char *holder = ctx_printf(place->ctx, "(pid %d)", (int)getppid());

		_exit(!locked && ctx_failure(place->ctx)->code == FAIL_CONFLICT && strstr(message, holder) != NULL &&
			      strstr(message, place->folder) != NULL
			  ? 7
			  : 1);
	}
	assert_true(other > 0 && waitpid(other, &status, 0) == other);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void
test_secret(void **state)
{
	struct place *place = *state;
	struct secret first, second;
	struct home home;
	bool created;
	char **names;
	size_t count;

	assert_true(home_open(place->ctx, &place->config, &home));
	assert_true(home_secret(place->ctx, &home, "jwt_secret", &first, &created) && created);
	assert_int_equal(strlen(secret_reveal(&first)), 64);
	assert_int_equal(mode_of(ctx_printf(place->ctx, "%s/jwt_secret", place->folder)), 0600);
	assert_true(home_secret(place->ctx, &home, "jwt_secret", &second, &created) && !created);
	assert_string_equal(secret_reveal(&first), secret_reveal(&second));
	assert_true(file_list(place->ctx, place->folder, &names, &count));
	assert_int_equal(count, 2); /* it and the socket folder: nothing half made is left */
}

/* Several processes at once all get the same one. */
static void
test_secret_race(void **state)
{
	struct place *place = *state;
	enum { RACERS = 8 };
	struct home home;
	int ends[2];
	char got[RACERS][64];

	assert_true(home_open(place->ctx, &place->config, &home));
	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < RACERS; i++) {
		if (fork() == 0) {
			struct secret secret;
			bool created, ok = home_secret(place->ctx, &home, "race", &secret, &created);

			_exit(ok && write(ends[1], secret_reveal(&secret), 64) == 64 ? 0 : 1);
		}
	}
	for (int i = 0; i < RACERS; i++) {
		int status = 1;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < RACERS; i++) {
		assert_int_equal(read(ends[0], got[i], 64), 64);
		assert_memory_equal(got[0], got[i], 64);
	}
	assert_true(close(ends[0]) == 0 && close(ends[1]) == 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_long_path, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_foreign_socket_folder, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_secret, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_secret_race, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
