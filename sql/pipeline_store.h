/* pipeline_store: pipelines, their spec versions with all files, and which version is active. */
#ifndef SQL_PIPELINE_STORE_H
#define SQL_PIPELINE_STORE_H

#include "base/json.h"
#include "sql/pg.h"

/* A version to be made the active one. */
struct pipeline_offer {
	const char *pipeline, *hash; /* hash: "sha256:…" */
	const json_t *files;         /* path → text; NULL: it is stored already */
	const json_t *notify;        /* array of {to, events}; NULL: none */
	const char *by;
	const char *expected; /* the active version it was judged against; NULL: none was there */
	bool only_new;        /* a version that was ever stored is left as it is, active or not */
};

/* Stores and activates. changed: false when it is active already, or not new and only_new. FAIL_CONFLICT: another version than
 * expected is active now. FAIL_NOT_FOUND: no files, and not stored. */
bool pipeline_apply(struct ctx *ctx, struct pg *db, const struct pipeline_offer *offer, bool *changed) MUST_CHECK;

/* The active hash, NULL: there is no such pipeline; and whether hash is stored. */
bool pipeline_known(struct ctx *ctx, struct pg *db, const char *pipeline, const char *hash, const char **active,
    bool *stored) MUST_CHECK;

/* The epoch of its load ids (load_id = epoch · 2^40 + number), and a higher one for those to come. */
bool pipeline_epoch(struct ctx *ctx, struct pg *db, const char *pipeline, int64_t *epoch) MUST_CHECK;
bool pipeline_set_epoch(struct ctx *ctx, struct pg *db, const char *pipeline, int64_t epoch) MUST_CHECK;

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

/* Versions of a pipeline, newest first; before_id 0: from the newest. */
struct pipeline_version_row {
	int64_t id;
	const char *hash, *created_by;
	int64_t created_us;
	bool active;
	int64_t activated_us; /* the last time; 0: never */
	const char *activated_by;
};
bool pipeline_versions(struct ctx *ctx, struct pg *db, const char *pipeline, int64_t before_id, int64_t limit,
    struct pipeline_version_row **rows, size_t *count) MUST_CHECK;

#endif
