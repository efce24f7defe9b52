#include "server/home.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"

enum { SOCKET_FOLDER_LIMIT = 80 };

static const char fallback_folder[] = "/var/lib/loadstar";

/* The user PostgreSQL runs as: ours, or an unprivileged one when we are root. */
static bool
find_user(struct ctx *ctx, struct home *home)
{
	static const char *const names[] = {"postgres", "nobody"};

	home->uid = getuid();
	home->gid = getgid();
	if (home->uid != 0)
		return true;
	for (size_t i = 0; i < LENGTH_OF(names); i++) {
		const struct passwd *entry = getpwnam(names[i]);

		if (entry != NULL && entry->pw_uid != 0) {
			home->user = names[i];
			home->uid = entry->pw_uid;
			home->gid = entry->pw_gid;
			return true;
		}
	}
	return fail(ctx, FAIL_CONFIG_INVALID,
	    "PostgreSQL does not run as root, and there is neither a user postgres nor nobody");
}

bool
home_become(const struct home *home)
{
	return home->user == NULL ||
	       (setgroups(1, &home->gid) == 0 && setgid(home->gid) == 0 && setuid(home->uid) == 0);
}

/* Asks the kernel as that user, in a child: parents, bits and mounts all count. */
static bool
can_reach(const struct home *home, const char *path)
{
	int status = 1;
	pid_t child;

	if (home->user == NULL)
		return true;
	child = fork();
	if (child == 0) {
		bool reached = home_become(home) && access(path, X_OK) == 0;

		_exit(reached ? 0 : 1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* A name for this home that is the same at every start. */
static char *
short_name(struct ctx *ctx, const char *path)
{
	return ctx_strndup(ctx, crypto_sha256_text(ctx, path), 12);
}

static bool
choose_path(struct ctx *ctx, struct home *home)
{
	char *real;

	if (!file_make_folder(ctx, home->asked, 0755))
		return false;
	real = file_real_path(ctx, home->asked);
	if (real == NULL)
		return fail(ctx, FAIL_IO, "cannot resolve LOADSTAR_HOME %s: %s", home->asked, strerrordesc_np(errno));
	home->path = real;
	if (can_reach(home, real))
		return true;
	home->path = ctx_printf(ctx, "%s/%s", fallback_folder, short_name(ctx, real));
	home->moved = true;
	if (!file_make_folder(ctx, home->path, 0755))
		return false;
	return can_reach(home, home->path) ||
	       fail(ctx, FAIL_CONFIG_INVALID, "user %s can reach neither %s nor %s: set LOADSTAR_HOME", home->user,
		   real, home->path);
}

/* Made by us with mode 0700 for the cluster's user; anything else at that place is refused: it could be another user's trap. */
static bool
make_socket_folder(struct ctx *ctx, struct home *home)
{
	struct stat info;

	home->socket = ctx_printf(ctx, "%s/socket", home->path);
	if (strlen(home->socket) > SOCKET_FOLDER_LIMIT)
		home->socket = ctx_printf(ctx, "/tmp/loadstar-%s", short_name(ctx, home->path));
	if (mkdir(home->socket, 0700) == 0) {
		if (chown(home->socket, home->uid, home->gid) != 0)
			return fail(ctx, FAIL_IO, "cannot give %s to its user: %s", home->socket,
			    strerrordesc_np(errno));
	} else if (errno != EEXIST) {
		return fail(ctx, FAIL_IO, "cannot create %s: %s", home->socket, strerrordesc_np(errno));
	}
	if (lstat(home->socket, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != home->uid ||
	    (info.st_mode & 077) != 0)
		return fail(ctx, FAIL_CONFLICT, "%s is not a private folder of the cluster's user: remove it",
		    home->socket);
	return true;
}

bool
home_open(struct ctx *ctx, const struct config *config, struct home *home)
{
	*home = (struct home){.asked = config->home};
	if (!find_user(ctx, home) || !choose_path(ctx, home))
		return false;
	home->data = ctx_printf(ctx, "%s/postgres", home->path);
	home->lock = ctx_printf(ctx, "%s/loadstar.lock", home->path);
	return make_socket_folder(ctx, home);
}

/* Two processes may get here at once (a service and a command): only one of the links is made. */
static bool
make_secret(struct ctx *ctx, const char *path, bool *created)
{
	char *fresh = ctx_printf(ctx, "%s.%d", path, (int)getpid());
	unsigned char bytes[32];
	int error;

	crypto_random(bytes, sizeof(bytes));
	if (!file_write(ctx, fresh, text_hex(ctx, bytes, sizeof(bytes)), 0600))
		return false;
	*created = link(fresh, path) == 0;
	error = errno;
	(void)unlink(fresh);
	return *created || error == EEXIST || fail(ctx, FAIL_IO, "cannot create %s: %s", path, strerrordesc_np(error));
}

bool
home_secret(struct ctx *ctx, const struct home *home, const char *name, struct secret *secret, bool *created)
{
	char *path = ctx_printf(ctx, "%s/%s", home->path, name);
	char *text;

	*created = false;
	if (!file_exists(path) && !make_secret(ctx, path, created))
		return false;
	if (!file_read(ctx, path, 4096, &text, NULL))
		return false;
	text[strcspn(text, "\r\n")] = '\0';
	*secret = secret_make(ctx, text);
	return true;
}

bool
home_signs(const struct config *config)
{
	return !secret_is_set(&config->jwt_secret) && config->jwt_public_key == NULL && config->jwks_url == NULL;
}

bool
home_signing_secret(struct ctx *ctx, const struct config *config, struct secret *secret)
{
	struct home home;
	bool created;

	*secret = config->jwt_secret;
	return !home_signs(config) ||
	       (home_open(ctx, config, &home) && home_secret(ctx, &home, "jwt_secret", secret, &created));
}

bool
home_lock(struct ctx *ctx, const struct home *home)
{
	char other[32] = "";
	int fd = open(home->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(ctx, FAIL_IO, "cannot open %s: %s", home->lock, strerrordesc_np(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t length = read(fd, other, sizeof(other) - 1);

		(void)close(fd);
		other[length > 0 ? strcspn(other, "\n") : 0] = '\0';
		return fail(ctx, FAIL_CONFLICT, "another service (pid %s) uses %s: stop it or set LOADSTAR_HOME", other,
		    home->path);
	}
	if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		return fail(ctx, FAIL_IO, "cannot write %s: %s", home->lock, strerrordesc_np(errno));
	return true; /* the descriptor stays open: the lock lives as long as the process */
}
