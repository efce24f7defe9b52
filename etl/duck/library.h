/*
 * library: DuckDB, loaded by the child process and by nobody else.
 *
 * The library is not linked: the service never maps it, and it is looked for only where files are read. Calls are written
 * duck.query(…). The header is older than the library; library.def names functions that both have.
 */
#ifndef ETL_DUCK_LIBRARY_H
#define ETL_DUCK_LIBRARY_H

#include <duckdb.h>

#include "base/ctx.h"

struct duck_library {
#define DUCK(name) __typeof__(duckdb_##name) *name;
#include "etl/duck/library.def"
#undef DUCK
};

/* Written once by duck_library_load, before threads. */
extern struct duck_library duck;

bool duck_library_load(struct ctx *ctx, const char *path) MUST_CHECK;

#endif
