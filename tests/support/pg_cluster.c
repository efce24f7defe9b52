#include "tests/support/pg_cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "sql/migrate.h"

static const uint64_t MEMORY_BYTES = UINT64_C(4) << 30; /* free in /dev/shm, for several clusters at once */

static char folder[64]; /* "": not started; short, for socket paths end at 107 bytes */
static pid_t owner;     /* a forked child must not stop its parent's server */
static pid_t server;
static char bin[256];

static void
die(const char *what)
{
	(void)fprintf(stderr, "pg_cluster: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
find_bin(void)
{
	static const char *const versions[] = {"18", "17", "16", "15", "14"};
	const char *given = getenv("PG_BIN");

	if (given != NULL) {
		(void)snprintf(bin, sizeof(bin), "%s/", given);
		return;
	}
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		char initdb[300];

		(void)snprintf(bin, sizeof(bin), "/usr/lib/postgresql/%s/bin/", versions[i]);
		(void)snprintf(initdb, sizeof(initdb), "%sinitdb", bin);
		if (access(initdb, X_OK) == 0)
			return;
	}
	bin[0] = '\0';
}

/* In the child: the user postgres when we are root, for the server refuses root. */
static void
become_server_user(void)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;

	if (user != NULL && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
		_exit(126);
}

/* Its output goes to a file, for a test that is silent when all is well. */
static void
enter_child(const char *program, const char *const *arguments, int death_signal)
{
	char path[300], log[100];
	int fd;

	(void)snprintf(path, sizeof(path), "%s%s", bin, program);
	(void)snprintf(log, sizeof(log), "%s/log", folder);
	become_server_user();
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || chdir(folder) != 0)
		_exit(126);
	if (death_signal != 0 && prctl(PR_SET_PDEATHSIG, death_signal) != 0)
		_exit(126);
	(void)execvp(path, (char *const *)(uintptr_t)arguments);
	_exit(127);
}

static void
make_data(const char *data)
{
	const char *arguments[] = {"initdb", "-D", data, "-U", "loadstar", "-A", "trust", "-E", "UTF8", "--locale=C",
	    "-N", "--no-instructions", NULL};
	pid_t child = fork();
	int status;

	if (child == 0)
		enter_child("initdb", arguments, 0);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		die("initdb");
}

/* A direct child that dies with us, however we end. */
static void
start_server(const char *data)
{
	char sockets[100];
	const char *arguments[] = {"postgres", "-D", data, "-c", sockets, "-c", "listen_addresses=", "-c", "fsync=off",
	    "-c", "full_page_writes=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c",
	    "max_wal_size=128MB", "-c", "max_connections=120", "-c", "shared_buffers=32MB", "-c",
	    "log_min_messages=fatal", NULL};

	(void)snprintf(sockets, sizeof(sockets), "unix_socket_directories=%s", folder);
	server = fork();
	if (server == 0)
		enter_child("postgres", arguments, SIGQUIT);
	if (server < 0)
		die("fork");
}

static void
stop_server(void)
{
	if (kill(server, SIGQUIT) != 0 || waitpid(server, NULL, 0) != server)
		die("stop");
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static void
on_exit_stop(void)
{
	if (getpid() != owner)
		return;
	stop_server();
	if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		(void)fprintf(stderr, "pg_cluster: %s is left over\n", folder);
}

static struct secret
url_of(struct ctx *ctx, const char *database)
{
	return secret_make(ctx, ctx_printf(ctx, "postgresql://loadstar@/%s?host=%s", database, folder));
}

static void
wait_until_up(void)
{
	static const struct pg_options options = {.what = "test cluster"};

	for (int i = 0; i < 200; i++) {
		struct ctx *ctx = ctx_new("pg_cluster", 0);
		struct secret url = url_of(ctx, "postgres");
		struct pg *db;
		bool up = pg_open(ctx, &url, &options, &db);

		ctx_free(ctx);
		if (up)
			return;
		clock_sleep_ms(50);
	}
	die("the server does not answer");
}

static const char *
data_folder(void)
{
	static char data[100];

	(void)snprintf(data, sizeof(data), "%s/data", folder);
	return data;
}

/* Temporary tables are files: in memory a cluster takes half the time. Containers often have little of it there. */
static const char *
roomy_place(void)
{
	struct statvfs memory;

	if (statvfs("/dev/shm", &memory) != 0 || access("/dev/shm", W_OK | X_OK) != 0)
		return "/tmp";
	return (uint64_t)memory.f_bavail * memory.f_frsize >= MEMORY_BYTES ? "/dev/shm" : "/tmp";
}

static void
begin(void)
{
	const struct passwd *user;

	if (folder[0] != '\0')
		return;
	user = geteuid() == 0 ? getpwnam("postgres") : NULL;
	(void)snprintf(folder, sizeof(folder), "%s/loadstar-pg-XXXXXX", roomy_place());
	if (mkdtemp(folder) == NULL || (user != NULL && chown(folder, user->pw_uid, user->pw_gid) != 0))
		die(folder);
	owner = getpid();
	find_bin();
	make_data(data_folder());
	start_server(data_folder());
	if (atexit(on_exit_stop) != 0)
		die("atexit");
	wait_until_up();
}

void
pg_cluster_restart(void)
{
	begin();
	stop_server();
	start_server(data_folder());
	wait_until_up();
}

const char *
pg_cluster_folder(void)
{
	begin();
	return folder;
}

static struct pg *
open_here(struct ctx *ctx, const char *database)
{
	static const struct pg_options options = {.what = "test database"};
	struct secret url = url_of(ctx, database);
	struct pg *db;

	if (!pg_open(ctx, &url, &options, &db)) {
		(void)fprintf(stderr, "pg_cluster: %s\n", ctx_failure(ctx)->message);
		exit(1);
	}
	return db;
}

static void
must(struct ctx *ctx, bool done)
{
	if (done)
		return;
	(void)fprintf(stderr, "pg_cluster: %s\n", ctx_failure(ctx)->message);
	exit(1);
}

struct secret
pg_cluster_url(struct ctx *ctx, const char *database)
{
	struct ctx *tmp = ctx_new("pg_cluster", 0);
	struct pg_rows rows;
	struct pg *db;

	begin();
	db = open_here(tmp, "postgres");
	must(tmp, pg_query(tmp, db, "SELECT 1 FROM pg_database WHERE datname = $1", PG_PARAMS(database), &rows));
	if (rows.count == 0)
		must(tmp, pg_run(tmp, db, ctx_printf(tmp, "CREATE DATABASE %s", pg_identifier(tmp, database))));
	ctx_free(tmp);
	return url_of(ctx, database);
}

struct pg *
pg_cluster_open(struct ctx *ctx, const char *database)
{
	(void)pg_cluster_url(ctx, database);
	return open_here(ctx, database);
}

struct secret
pg_cluster_control(struct ctx *ctx, const char *database)
{
	struct ctx *tmp = ctx_new("pg_cluster", 0);
	struct pg *db;
	int applied;

	begin();
	db = open_here(tmp, "postgres");
	must(tmp,
	    pg_run(tmp, db, ctx_printf(tmp, "DROP DATABASE IF EXISTS %s WITH (FORCE)", pg_identifier(tmp, database))));
	db = pg_cluster_open(tmp, database);
	must(tmp, migrate_run(tmp, db, &applied));
	ctx_free(tmp);
	return url_of(ctx, database);
}
