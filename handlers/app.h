/* app: what handlers may use. Made once in server/main.c, immutable, outlives all requests. */
#ifndef HANDLERS_APP_H
#define HANDLERS_APP_H

#include <stdatomic.h>

#include "base/config.h"
#include "etl/catalog.h"
#include "sql/board.h"
#include "sql/pool.h"

struct auth;
struct overview;
struct rates;

struct app {
	const struct config *config;
	struct pool *control;
	struct board *board;
	struct catalog *catalog;
	struct overview *overview;
	struct auth *auth;
	struct rates *rates; /* NULL: no limit */
	const char *control_id;
	int64_t epoch;
	atomic_bool draining; /* set once at SIGTERM: not ready, no new runs */
};

#endif
