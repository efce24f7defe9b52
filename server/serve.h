/* serve: the service: every part by name, in start order, until SIGTERM or SIGINT. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "base/config.h"

/* Returns the process's exit code. check: only says whether the settings and databases would do. */
int serve_run(struct ctx *ctx, struct config *config, bool check);

#endif
