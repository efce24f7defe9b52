/*
 * apply: a version of a specification becomes the active one, if nothing that is loaded is lost by it.
 *
 * A version is judged against the active one (difference.h). Only when that finds something that loaded tables could lose, the
 * warehouse is asked which of them are there; one that cannot be asked makes the judgement fail. Going back to a stored version is
 * judged the same, but for types: a table that was widened stays wide, and holds what a narrower declaration brings.
 *
 * At start a folder's version is activated if it has never been stored for its pipeline, and is left alone otherwise: a rolling
 * deployment wins once, a restart never undoes what somebody activated since.
 */
#ifndef ETL_APPLY_H
#define ETL_APPLY_H

#include "base/config.h"
#include "etl/catalog.h"
#include "etl/difference.h"

struct apply {
	const struct config *config;
	struct catalog *catalog;
	struct pg *db; /* control database */
	const char *by;
	bool dry_run; /* judge, and change nothing */
};

struct applied {
	const char *pipeline, *hash;
	const char *before; /* the version that was active; NULL: there was no such pipeline */
	struct difference difference;
	json_t *
	    ddl; /* changes of tables that are there (table_changes.h); NULL: the warehouse was not asked, or did not answer */
	const char *ddl_refused; /* the first of them that cannot be made */
	bool changed;            /* the version was not active before; for a dry run: would not have been */
};

/* FAIL_SPEC_REFUSED with a field for each change that loses something; never for a dry run, which tells it in the difference. */
bool apply_spec(struct ctx *ctx, const struct apply *apply, const struct spec *spec,
    struct applied *applied) MUST_CHECK;

/* Goes back, or forth, to a stored version. FAIL_NOT_FOUND names what is not there. */
bool apply_stored(struct ctx *ctx, const struct apply *apply, const char *pipeline, const char *hash,
    struct applied *applied) MUST_CHECK;

/* path when it is a pipeline's folder, else every one below it: reads and checks them all, then applies those that are new. One with
 * errors: FAIL_SPEC_INVALID, and none is applied. One that would lose something: FAIL_SPEC_REFUSED for a dry run, else the service
 * goes on with the version that is active, and its log says why. */
bool apply_folders(struct ctx *ctx, const struct apply *apply, const char *path, size_t *count) MUST_CHECK;

#endif
