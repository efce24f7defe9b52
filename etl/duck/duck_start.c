/* duck_start: the child, with nothing but the descriptors it needs and an environment of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "etl/duck/child.h"
#include "etl/duck/job.h"

enum { PIPE_BYTES = 1024 * 1024, FIRST_FREE_FD = 16 };

/* The child's ends, above the numbers they get there; the parent's are never inherited. */
struct pipes {
	int life[2], rows[2], events[2], errors[2];
	int request;
};

static void
close_fd(void *handle)
{
	int *fd = handle;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* A pipe whose ends are closed with the ctx, if not before. */
static bool
open_pipe(struct ctx *ctx, int ends[2])
{
	int low[2];

	ends[0] = ends[1] = -1;
	if (pipe2(low, O_CLOEXEC) != 0)
		return fail(ctx, FAIL_IO, "cannot make a pipe: %s", strerrordesc_np(errno));
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
		(void)close(low[i]);
	}
	ctx_defer(ctx, close_fd, &ends[0]);
	ctx_defer(ctx, close_fd, &ends[1]);
	return (ends[0] >= 0 && ends[1] >= 0) || fail(ctx, FAIL_IO, "cannot make a pipe: %s", strerrordesc_np(errno));
}

/* The request as a file without a name: no reader has to be waited for, however long it is. */
static bool
write_request(struct ctx *ctx, const struct duck_job *job, int *fd)
{
	const char *text = json_text(ctx, duck_request_to_json(ctx, job->request, job->folder));
	size_t length = strlen(text), sent = 0;
	int low = memfd_create("loadstar-duck", MFD_CLOEXEC);

	*fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	if (low >= 0)
		(void)close(low);
	ctx_defer(ctx, close_fd, fd);
	while (*fd >= 0 && sent < length) {
		ssize_t n = write(*fd, text + sent, length - sent);

		if (n <= 0 && errno != EINTR)
			return fail(ctx, FAIL_IO, "cannot write a request: %s", strerrordesc_np(errno));
		sent += n > 0 ? (size_t)n : 0;
	}
	return *fd >= 0 || fail(ctx, FAIL_IO, "cannot make a request: %s", strerrordesc_np(errno));
}

static int
add_actions(posix_spawn_file_actions_t *actions, const struct pipes *pipes)
{
	int error = 0;

	error |= posix_spawn_file_actions_adddup2(actions, pipes->life[0], FD_LIFE);
	error |= posix_spawn_file_actions_adddup2(actions, pipes->rows[1], FD_ROWS);
	error |= posix_spawn_file_actions_adddup2(actions, pipes->errors[1], STDERR_FILENO);
	error |= posix_spawn_file_actions_adddup2(actions, pipes->request, FD_REQUEST);
	error |= posix_spawn_file_actions_adddup2(actions, pipes->events[1], FD_EVENTS);
	error |= posix_spawn_file_actions_addclosefrom_np(actions, FD_EVENTS + 1);
	error |= posix_spawn_file_actions_addchdir_np(actions, "/");
	return error;
}

static int
set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int error = 0;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	error |= posix_spawnattr_setsigmask(attributes, &none);
	error |= posix_spawnattr_setsigdefault(attributes, &all);
	error |= posix_spawnattr_setpgroup(attributes, 0);
	error |= posix_spawnattr_setflags(attributes,
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	return error;
}

static bool
spawn(struct ctx *ctx, struct duck_job *job, const struct pipes *pipes)
{
	static char *const argv[] = {"loadstar", DUCK_COMMAND, NULL};
	static char *const environment[] = {"LC_ALL=C", "TZ=UTC", "MALLOC_ARENA_MAX=2", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attributes);
	error = add_actions(&actions, pipes) | set_attributes(&attributes);
	if (error == 0)
		error = posix_spawn(&job->pid, "/proc/self/exe", &actions, &attributes, argv, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	if (error != 0)
		job->pid = 0;
	return error == 0 ||
	       fail(ctx, FAIL_IO, "cannot start the process that reads files: %s", strerrordesc_np(error));
}

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void
duck_stop(struct duck_job *job)
{
	if (job->pid != 0) {
		(void)kill(-job->pid, SIGKILL);
		(void)kill(job->pid, SIGKILL); /* should it not have its group yet */
		while (waitpid(job->pid, &job->status, 0) < 0 && errno == EINTR)
			;
		job->pid = 0;
	}
	(void)nftw(job->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void
stop(void *handle)
{
	duck_stop(handle);
}

int
duck_pid(const struct duck_job *job)
{
	return job->pid;
}

/* Beside this program, or where make install puts it. */
static bool
find_library(struct ctx *ctx, const char **path)
{
	static const char *const places[] = {"lib/loadstar", "../lib/loadstar", "."};
	char exe[4096], *slash;
	ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (length <= 0)
		return fail(ctx, FAIL_IO, "cannot find this program: %s", strerrordesc_np(errno));
	exe[length] = '\0';
	slash = strrchr(exe, '/');
	if (slash != NULL)
		*slash = '\0';
	for (size_t i = 0; i < LENGTH_OF(places); i++) {
		*path = ctx_printf(ctx, "%s/%s/libduckdb.so", exe, places[i]);
		if (file_exists(*path))
			return true;
	}
	return fail(ctx, FAIL_CONFIG_INVALID, "there is no libduckdb.so in %s/lib/loadstar or %s/../lib/loadstar", exe,
	    exe);
}

static bool
check_request(struct ctx *ctx, const struct duck_request *request)
{
	size_t files = 0;

	for (size_t i = 0; i < request->input_count; i++) {
		files += request->inputs[i].file_count;
		if (request->inputs[i].column_count == 0)
			return fail(ctx, FAIL_SPEC_INVALID, "input %s declares no columns", request->inputs[i].name);
	}
	if (files == 0 || request->column_count == 0)
		return fail(ctx, FAIL_SPEC_INVALID, "there are no files to read or no columns to fill");
	if (request->transform == NULL && request->input_count != 1)
		return fail(ctx, FAIL_SPEC_INVALID, "several inputs need a transform");
	return true;
}

/* Unique among the living: a process has a name, and counts. */
static char *
name_folder(struct ctx *ctx, const char *parent)
{
	static atomic_uint count;

	return ctx_printf(ctx, "%s/duck-%d-%u", parent, (int)getpid(), atomic_fetch_add(&count, 1));
}

static void
take_ends(struct duck_job *job, struct pipes *pipes)
{
	int *given[] = {&pipes->life[0], &pipes->rows[1], &pipes->events[1], &pipes->errors[1], &pipes->request};
	int taken[] = {pipes->rows[0], pipes->events[0], pipes->errors[0]};

	for (size_t i = 0; i < LENGTH_OF(given); i++)
		close_fd(given[i]);
	for (size_t i = 0; i < LENGTH_OF(taken); i++)
		(void)fcntl(taken[i], F_SETFL, O_NONBLOCK);
	job->rows = taken[0];
	job->events.fd = taken[1];
	job->errors.fd = taken[2];
}

bool
duck_start(struct ctx *ctx, const struct duck_request *request, struct duck_job **job)
{
	struct duck_request *whole = ctx_alloc(ctx, sizeof(*whole));
	struct pipes *pipes = ctx_alloc(ctx, sizeof(*pipes)); /* its ends are closed with the ctx */

	*whole = *request;
	*job = ctx_alloc(ctx, sizeof(**job));
	**job = (struct duck_job){.ctx = ctx, .request = whole, .rows = -1, .events = {.fd = -1}, .errors = {.fd = -1}};
	if (!check_request(ctx, request) || (whole->library == NULL && !find_library(ctx, &whole->library)) ||
	    !file_make_folder(ctx, request->temp_folder, 0700))
		return false;
	(*job)->folder = name_folder(ctx, request->temp_folder);
	if (!open_pipe(ctx, pipes->life) || !open_pipe(ctx, pipes->rows) || !open_pipe(ctx, pipes->events) ||
	    !open_pipe(ctx, pipes->errors) || !write_request(ctx, *job, &pipes->request))
		return false;
	(void)fcntl(pipes->rows[0], F_SETPIPE_SZ, PIPE_BYTES);
	if (!spawn(ctx, *job, pipes))
		return false;
	ctx_defer(ctx, stop, *job);
	take_ends(*job, pipes);
	return true;
}

int
duck_sweep(struct ctx *ctx, const char *temp_folder)
{
	DIR *dir = opendir(temp_folder);
	struct dirent *entry;
	int removed = 0, pid;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, "duck-", 5) != 0 ||
		    sscanf(entry->d_name + 5, "%d-", &pid) != 1) /* NOLINT(cert-err34-c) */
			continue;
		if (pid <= 0 || (kill(pid, 0) == 0 && pid != getpid()) || errno == EPERM)
			continue;
		(void)nftw(ctx_printf(ctx, "%s/%s", temp_folder, entry->d_name), remove_entry, 8,
		    FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
		removed++;
	}
	if (dir != NULL)
		(void)closedir(dir);
	return removed;
}
