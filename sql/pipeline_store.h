/* pipeline_store: pipelines, their spec versions with all files, and which version is active. */
#ifndef SQL_PIPELINE_STORE_H
#define SQL_PIPELINE_STORE_H

#include "base/json.h"
#include "sql/pg.h"

/* Stores a version unless known and makes it active. */
struct pipeline_version {
	const char *pipeline, *hash; /* "sha256:…" */
	const json_t *files;         /* object path → text */
	const json_t *notify;        /* array of {to, events}; NULL: none */
};
bool pipeline_apply(struct ctx *ctx, struct pg *db, const struct pipeline_version *version, bool *changed) MUST_CHECK;

/* The files of a version; hash NULL: the active one. */
bool pipeline_find(struct ctx *ctx, struct pg *db, const char *pipeline, const char *hash, const char **found_hash,
    json_t **files, bool *found) MUST_CHECK;

/* Names and active hashes, sorted by name. */
struct pipeline_row {
	const char *name, *hash;
	int64_t applied_us;
	int64_t paused_us; /* 0: not paused */
	const char *paused_by;
};
bool pipeline_list(struct ctx *ctx, struct pg *db, struct pipeline_row **rows, size_t *count) MUST_CHECK;
bool pipeline_find_row(struct ctx *ctx, struct pg *db, const char *pipeline, struct pipeline_row *row,
    bool *found) MUST_CHECK;

#endif
