#include "server/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

enum {
	START_TIMEOUT_MS = 60000,
	STOP_TIMEOUT_MS = 60000,
	RESTART_FOR_MS = 10000,
	RESTART_PAUSE_MS = 300,
	FAILURE_PAUSE_MS = 3000,
	TICK_MS = 50
};

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

/* In the child: another session, another user, the log as output, nothing else open. Nor our environment, which holds secrets that
 * every process of that user could read. */
static void
become(const struct home *home, const char *log_path, char *const *argv)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", locale[] = "LC_ALL=C";
	char *const environment[] = {path, locale, NULL};
	sigset_t none;
	int log_fd, null_fd;

	(void)setsid();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)umask(077);
	log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (!home_become(home))
		_exit(127);
	/* A cluster in the making is of no use without us; a running one is. After the change of user, which clears it. */
	if (text_ends_with(argv[0], "/initdb"))
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	null_fd = open("/dev/null", O_RDONLY);
	if (log_fd < 0 || null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0)
		_exit(127);
	closefrom(3);
	if (chdir("/") != 0)
		_exit(127);
	execve(argv[0], argv, environment);
	_exit(127);
}

static bool
spawn(struct ctx *ctx, const struct home *home, char *const *argv, pid_t *child)
{
	const char *log_path = ctx_printf(ctx, "%s/postgres.log", home->path);

	*child = fork();
	if (*child == 0)
		become(home, log_path, argv);
	return *child > 0 || fail(ctx, FAIL_IO, "cannot start %s: %s", argv[0], strerrordesc_np(errno));
}

static int
remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	(void)info, (void)kind, (void)place;
	(void)remove(path); /* what stays is only untidy */
	return 0;
}

/* What a start that was killed left. */
static bool
remove_unfinished(struct ctx *ctx, const struct home *home)
{
	char **names;
	size_t count;

	if (!file_list(ctx, home->path, &names, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (text_starts_with(names[i], "postgres.new."))
			(void)nftw(ctx_printf(ctx, "%s/%s", home->path, names[i]), remove_entry, 16,
			    FTW_DEPTH | FTW_PHYS);
	return true;
}

/* Under a name of its own until it is whole: an initdb that was killed looks much like a cluster, and one that outlived its
 * service is still at work. */
static bool
init_cluster(struct ctx *ctx, const struct home *home, const char *folder)
{
	char *fresh = ctx_printf(ctx, "%s.new.%d", home->data, (int)getpid());
	char *argv[] = {ctx_printf(ctx, "%s/initdb", folder), "--pgdata", fresh,
	    ctx_printf(ctx, "--username=%s", EMBEDDED_SUPERUSER), "--auth-local=trust", "--auth-host=reject",
	    "--encoding=UTF8", "--locale=C", "--no-instructions", NULL};
	int status = 1;
	pid_t child = -1;

	if (file_exists(ctx_printf(ctx, "%s/PG_VERSION", home->data)))
		return true;
	log_line(ctx, LOG_INFO, "making a PostgreSQL cluster", "folder", home->data, NULL);
	if (!remove_unfinished(ctx, home) || !file_make_folder(ctx, fresh, 0700))
		return false;
	if (chown(fresh, home->uid, home->gid) != 0)
		return fail(ctx, FAIL_IO, "cannot give %s to its user: %s", fresh, strerrordesc_np(errno));
	if (!spawn(ctx, home, argv, &child))
		return false;
	if (waitpid(child, &status, 0) != child || status != 0)
		return fail(ctx, FAIL_IO, "initdb of %s failed: see %s/postgres.log", home->data, home->path);
	return rename(fresh, home->data) == 0 ||
	       fail(ctx, FAIL_IO, "cannot rename %s: %s", fresh, strerrordesc_np(errno));
}

static char *
pid_file(struct ctx *ctx, const struct home *home)
{
	return ctx_printf(ctx, "%s/postmaster.pid", home->data);
}

/* The pid in postmaster.pid when that process lives and runs this cluster; else 0. */
static pid_t
living_postmaster(struct ctx *ctx, const struct home *home)
{
	CTX_SCOPE(tmp, ctx);
	char *path = pid_file(tmp, home);
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

/* The number in the lock files of a dead postmaster may be anybody's by now, or a process that nobody has reaped, and PostgreSQL
 * would not start beside it. We know better: the home is locked and no process works in the data folder. Our own pid, the parent's,
 * counts as a leftover; the file stays, because its last lines tell PostgreSQL of sessions that are still alive. */
static bool
disown_lock_files(struct ctx *ctx, const struct home *home)
{
	char *path = pid_file(ctx, home), *text, *rest;
	int fd;
	bool ok;

	(void)unlink(ctx_printf(ctx, "%s/.s.PGSQL.5432.lock", home->socket));
	if (!file_exists(path))
		return true;
	if (!file_read(ctx, path, 4096, &text, NULL))
		return false;
	rest = text + strcspn(text, "\n");
	text = ctx_printf(ctx, "%d%s", (int)getpid(), *rest != '\0' ? rest : "\n");
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		(void)close(fd);
	return ok || fail(ctx, FAIL_IO, "cannot write %s: %s", path, strerrordesc_np(errno));
}

static bool
answers(struct ctx *ctx, const struct home *home)
{
	CTX_SCOPE(tmp, ctx);
	struct secret url = secret_make(tmp, embedded_url(tmp, home, "postgres"));
	struct pg_options options = {.what = "embedded PostgreSQL"};
	struct pg *pg;
	bool ok = pg_open(tmp, &url, &options, &pg);

	if (!ok) { /* it may answer a cluster that has just been made, without the role */
		fail_clear(ctx);
		ok = embedded_role(tmp, home);
	}
	if (!ok)
		fail_clear(ctx);
	return ok;
}

static bool
start_postmaster(struct ctx *ctx, struct embedded *embedded)
{
	const struct home *home = embedded->home;
	char *argv[] = {ctx_printf(ctx, "%s/postgres", embedded->programs), "-D", ctx_strdup(ctx, home->data), "-k",
	    ctx_strdup(ctx, home->socket), "-c", "listen_addresses=", "-c", "max_connections=200", "-c",
	    "shared_buffers=128MB", "-c", "max_wal_size=2GB", "-c", "wal_compression=on", "-c", "jit=off", NULL};

	embedded->adopted = false;
	if (!disown_lock_files(ctx, home) || !spawn(ctx, home, argv, &embedded->postmaster))
		return false;
	log_line(ctx, LOG_INFO, "starting PostgreSQL", "pid", text_from_i64(ctx, embedded->postmaster), "socket",
	    home->socket, NULL);
	return true;
}

/* An adopted one is not our child: a process that nobody has reaped yet is gone too, and has no working directory. */
static bool
is_gone(const struct embedded *embedded)
{
	char path[32], target[8];

	if (!embedded->adopted)
		return waitpid(embedded->postmaster, NULL, WNOHANG) != 0; /* reaped, now or before */
	(void)snprintf(path, sizeof(path), "/proc/%d/cwd", (int)embedded->postmaster);
	return readlink(path, target, sizeof(target)) < 0;
}

/* One that ends instead is started again for a while: sessions of a killed one may need a moment to notice. */
static bool
wait_until_it_answers(struct ctx *ctx, struct embedded *embedded)
{
	int64_t began_us = clock_monotonic_us();
	int64_t waited_ms = 0;

	while (waited_ms < START_TIMEOUT_MS) {
		CTX_SCOPE(tmp, ctx);

		if (answers(tmp, embedded->home))
			return true;
		if (is_gone(embedded)) {
			clock_sleep_ms(RESTART_PAUSE_MS);
			if (waited_ms > RESTART_FOR_MS || !start_postmaster(tmp, embedded))
				break;
		}
		clock_sleep_ms(TICK_MS);
		waited_ms = (clock_monotonic_us() - began_us) / 1000;
	}
	return fail(ctx, FAIL_DATABASE_UNREACHABLE, "the embedded PostgreSQL does not start: see %s/postgres.log",
	    embedded->home->path);
}

/* Nobody else would start a postmaster that was killed. */
static void *
keep(void *arg)
{
	struct embedded *embedded = arg;

	while (!atomic_load(&embedded->ending)) {
		if (is_gone(embedded)) {
			struct ctx *ctx = ctx_new("embedded", 0);

			log_line(ctx, LOG_ERROR, "PostgreSQL is gone; starting it again", "log",
			    ctx_printf(ctx, "%s/postgres.log", embedded->home->path), NULL);
			if (!start_postmaster(ctx, embedded) || !wait_until_it_answers(ctx, embedded)) {
				log_failure(ctx, "PostgreSQL cannot be started again");
				clock_sleep_ms(FAILURE_PAUSE_MS);
			}
			ctx_free(ctx);
		}
		clock_sleep_ms(TICK_MS);
	}
	return NULL;
}

bool
embedded_start(struct ctx *ctx, const struct home *home, struct embedded *embedded)
{
	*embedded = (struct embedded){.home = home};
	if (!find_programs(ctx, home, &embedded->programs) || !init_cluster(ctx, home, embedded->programs))
		return false;
	embedded->postmaster = living_postmaster(ctx, home);
	embedded->adopted = embedded->postmaster != 0;
	if (embedded->adopted)
		log_line(ctx, LOG_INFO, "using the PostgreSQL that runs already", "pid",
		    text_from_i64(ctx, embedded->postmaster), "socket", home->socket, NULL);
	else if (!start_postmaster(ctx, embedded))
		return false;
	if (!wait_until_it_answers(ctx, embedded))
		return false;
	ASSERT(pthread_create(&embedded->keeper, NULL, keep, embedded) == 0);
	embedded->is_kept = true;
	return true;
}

void
embedded_stop(struct embedded *embedded)
{
	int64_t deadline_us = clock_monotonic_us() + STOP_TIMEOUT_MS * 1000;

	if (embedded->is_kept) {
		atomic_store(&embedded->ending, true);
		ASSERT(pthread_join(embedded->keeper, NULL) == 0);
	}
	if (embedded->postmaster <= 1 || is_gone(embedded))
		return;
	(void)kill(embedded->postmaster, SIGINT); /* fast shutdown: sessions are ended, data are safe */
	while (clock_monotonic_us() < deadline_us && !is_gone(embedded))
		clock_sleep_ms(TICK_MS);
}
