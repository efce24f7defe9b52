/*
 * home: the folder that keeps what the service must not lose: the embedded cluster and secrets it made itself.
 *
 * As root PostgreSQL runs as an unprivileged user; where that user cannot reach LOADSTAR_HOME, a folder under
 * /var/lib/loadstar takes its place, found again by the name of the home. The socket folder is short, because a socket's path
 * over 107 bytes does not start.
 */
#ifndef SERVER_HOME_H
#define SERVER_HOME_H

#include <sys/types.h>

#include "base/config.h"

struct home {
	const char *path;   /* absolute, exists */
	const char *asked;  /* LOADSTAR_HOME as given */
	bool moved;         /* path is not what was asked for */
	const char *data;   /* path/postgres */
	const char *socket; /* 0700, of the cluster's user */
	const char *lock;   /* path/loadstar.lock */
	const char *user;   /* name of the cluster's user; NULL: ours */
	uid_t uid;
	gid_t gid;
};

/* Resolves and creates. */
bool home_open(struct ctx *ctx, const struct config *config, struct home *home) MUST_CHECK;

/* A secret of 64 hex digits in path/name, made once with mode 0600; created tells. */
bool home_secret(struct ctx *ctx, const struct home *home, const char *name, struct secret *secret,
    bool *created) MUST_CHECK;

/* True when the settings name nothing that verifies tokens: the home then has a secret of its own for that, jwt_secret. */
bool home_signs(const struct config *config);

/* What this machine signs tokens with: LOADSTAR_JWT_SECRET, else the home's; not set when others sign. */
bool home_signing_secret(struct ctx *ctx, const struct config *config, struct secret *secret) MUST_CHECK;

/* Takes the lock of the one service that may use this home, for the life of the process. FAIL_CONFLICT names the other's pid. */
bool home_lock(struct ctx *ctx, const struct home *home) MUST_CHECK;

/* In a child of fork: becomes the cluster's user, without our groups. Nothing when that is us. */
bool home_become(const struct home *home) MUST_CHECK;

#endif
