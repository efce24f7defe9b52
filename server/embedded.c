#include "server/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "sql/pg.h"

enum { START_TIMEOUT_MS = 60000, STOP_TIMEOUT_MS = 60000, TICK_MS = 50 };

static const char *const version_folders[] = {"/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin"};

/* The folder of the server programs: of the data's version when there are data, else the newest. */
static bool
find_programs(struct ctx *ctx, const struct home *home, const char **folder)
{
	char *version = NULL;
	char *version_file = ctx_printf(ctx, "%s/PG_VERSION", home->data);

	if (file_exists(version_file)) {
		if (!file_read(ctx, version_file, 64, &version, NULL))
			return false;
		version[strcspn(version, "\n")] = '\0';
	}
	for (size_t i = 0; i < LENGTH_OF(version_folders); i++) {
		*folder = version_folders[i];
		if (version != NULL && strstr(*folder, ctx_printf(ctx, "/%s/", version)) == NULL)
			continue;
		if (file_exists(ctx_printf(ctx, "%s/initdb", *folder)))
			return true;
	}
	return fail(ctx, FAIL_CONFIG_INVALID,
	    "no PostgreSQL server programs (version %s) under /usr/lib/postgresql: install postgresql, or set "
	    "LOADSTAR_DATABASE_URL",
	    version != NULL ? version : "15 or later");
}

/* In the child: another session, another user, the log as output, nothing else open. */
static void
become(const struct home *home, const char *log_path, char *const *argv)
{
	sigset_t none;
	int log_fd, null_fd;

	(void)setsid();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)umask(077);
	log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (home->user != NULL &&
	    (initgroups(home->user, home->gid) != 0 || setgid(home->gid) != 0 || setuid(home->uid) != 0))
		_exit(127);
	null_fd = open("/dev/null", O_RDONLY);
	if (log_fd < 0 || null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0)
		_exit(127);
	closefrom(3);
	if (chdir("/") != 0)
		_exit(127);
	execv(argv[0], argv);
	_exit(127);
}

static bool
spawn(struct ctx *ctx, const struct home *home, char *const *argv, pid_t *child)
{
	const char *log_path = ctx_printf(ctx, "%s/postgres.log", home->path);

	if (!file_is_folder(home->data)) {
		if (!file_make_folder(ctx, home->data, 0700))
			return false;
		if (chown(home->data, home->uid, home->gid) != 0)
			return fail(ctx, FAIL_IO, "cannot give %s to %s", home->data, home->user);
	}
	*child = fork();
	if (*child == 0)
		become(home, log_path, argv);
	return *child > 0 || fail(ctx, FAIL_IO, "cannot start %s: %s", argv[0], strerrordesc_np(errno));
}

static bool
init_cluster(struct ctx *ctx, const struct home *home, const char *folder)
{
	char *argv[] = {ctx_printf(ctx, "%s/initdb", folder), "--pgdata", ctx_strdup(ctx, home->data),
	    "--username=loadstar", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C",
	    "--no-instructions", NULL};
	int status = 1;
	pid_t child = -1;

	if (file_exists(ctx_printf(ctx, "%s/PG_VERSION", home->data)))
		return true;
	log_line(ctx, LOG_INFO, "making a PostgreSQL cluster", "folder", home->data, NULL);
	if (!spawn(ctx, home, argv, &child))
		return false;
	if (waitpid(child, &status, 0) != child || status != 0)
		return fail(ctx, FAIL_IO, "initdb of %s failed: see %s/postgres.log", home->data, home->path);
	return true;
}

/* The pid in postmaster.pid when that process lives and runs this cluster; else 0. */
static pid_t
living_postmaster(struct ctx *ctx, const struct home *home)
{
	CTX_SCOPE(tmp, ctx);
	char *path = ctx_printf(tmp, "%s/postmaster.pid", home->data);
	char *text, *cwd;
	int64_t pid;

	if (!file_exists(path) || !file_read(tmp, path, 4096, &text, NULL)) {
		fail_clear(ctx);
		return 0;
	}
	text[strcspn(text, "\n")] = '\0';
	if (!text_to_i64(text, &pid) || pid <= 1)
		return 0;
	cwd = file_real_path(tmp, ctx_printf(tmp, "/proc/%d/cwd", (int)pid));
	return text_equal(cwd, file_real_path(tmp, home->data)) ? (pid_t)pid : 0;
}

static bool
answers(struct ctx *ctx, const struct home *home)
{
	CTX_SCOPE(tmp, ctx);
	struct secret url = secret_make(tmp, embedded_url(tmp, home, "postgres"));
	struct pg_options options = {.what = "embedded PostgreSQL"};
	struct pg *pg;
	bool ok = pg_open(tmp, &url, &options, &pg);

	if (!ok)
		fail_clear(ctx);
	return ok;
}

static bool
wait_until_it_answers(struct ctx *ctx, const struct embedded *embedded)
{
	int64_t deadline_us = clock_monotonic_us() + START_TIMEOUT_MS * 1000;

	while (clock_monotonic_us() < deadline_us) {
		if (answers(ctx, embedded->home))
			return true;
		if (!embedded->adopted && waitpid(embedded->postmaster, NULL, WNOHANG) == embedded->postmaster)
			break;
		clock_sleep_ms(TICK_MS);
	}
	return fail(ctx, FAIL_DATABASE_UNREACHABLE, "the embedded PostgreSQL does not start: see %s/postgres.log",
	    embedded->home->path);
}

bool
embedded_start(struct ctx *ctx, const struct home *home, struct embedded *embedded)
{
	const char *folder;
	char *argv[] = {NULL, "-D", ctx_strdup(ctx, home->data), "-k", ctx_strdup(ctx, home->socket), "-c",
	    "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "max_wal_size=2GB",
	    "-c", "wal_compression=on", "-c", "jit=off", NULL};

	*embedded = (struct embedded){.home = home};
	if (!find_programs(ctx, home, &folder) || !init_cluster(ctx, home, folder))
		return false;
	embedded->postmaster = living_postmaster(ctx, home);
	embedded->adopted = embedded->postmaster != 0;
	argv[0] = ctx_printf(ctx, "%s/postgres", folder);
	if (!embedded->adopted && !spawn(ctx, home, argv, &embedded->postmaster))
		return false;
	embedded->cwd = ctx_printf(ctx, "/proc/%d/cwd", (int)embedded->postmaster);
	log_line(ctx, LOG_INFO, embedded->adopted ? "using the PostgreSQL that runs already" : "starting PostgreSQL",
	    "pid", text_from_i64(ctx, embedded->postmaster), "socket", home->socket, NULL);
	return wait_until_it_answers(ctx, embedded);
}

/* An adopted one is not our child: a process that nobody has reaped yet is gone too, and has no working directory. */
static bool
is_gone(const struct embedded *embedded)
{
	char link[8];

	if (!embedded->adopted)
		return waitpid(embedded->postmaster, NULL, WNOHANG) == embedded->postmaster;
	return readlink(embedded->cwd, link, sizeof(link)) < 0;
}

void
embedded_stop(const struct embedded *embedded)
{
	int64_t deadline_us = clock_monotonic_us() + STOP_TIMEOUT_MS * 1000;

	if (embedded->postmaster <= 1)
		return;
	(void)kill(embedded->postmaster, SIGINT); /* fast shutdown: sessions are ended, data are safe */
	while (clock_monotonic_us() < deadline_us) {
		if (is_gone(embedded))
			return;
		clock_sleep_ms(TICK_MS);
	}
}
