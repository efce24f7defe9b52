/*
 * slice_files: a slice that is a set of files. Private to etl/slice*.c.
 *
 * STAGE looks at the files, then reads them, then looks again: what changed meanwhile is a mixture, and the attempt fails. What
 * changed since the plan is simply what is loaded now. Rejects are spooled to a file without a name while the COPY runs on the session
 * they are to go to. PUBLISH makes sure that no one loaded another version of a file since it was looked at, and writes the ledger.
 */
#ifndef ETL_SLICE_FILES_H
#define ETL_SLICE_FILES_H

#include "etl/duck/duck.h"
#include "etl/file_ledger.h"
#include "etl/slice_internal.h"

struct slice_file {
	struct file_entry entry; /* as it was looked at before it was read */
	const char *planned_etag;
	const char *real_path; /* NULL: it could not be looked at */
	int64_t id;            /* file_id */
	int64_t seen;          /* load_id of the table's newest record of it; 0: none */
	const char *error;     /* on_bad_file: quarantine: why it is left out; NULL: it is not */
	int64_t rows, rejected;
};

struct slice_files {
	struct slice_file *items;
	size_t count;
	const char *batch, *batch_at; /* NULL: none */
	const char *root;
	int64_t rejects_untold; /* counted, but without line and text */
};

/* slice_files.c */
bool files_pin(struct ctx *ctx, struct loading *loading, struct slice_files *files) MUST_CHECK;
/* The failure is about this file: it is left out (on_bad_file: quarantine) and the failure forgotten; or false. */
bool files_leave_out(struct ctx *ctx, const struct loading *loading, struct slice_file *file) MUST_CHECK;
bool files_look_again(struct ctx *ctx, const struct slice_files *files) MUST_CHECK;
/* The session's loadstar_files anew, and loading->file_ids: of those that are not left out. */
bool files_tell_session(struct ctx *ctx, struct loading *loading, const struct slice_files *files) MUST_CHECK;

/* slice_files_read.c: the rows of the files into loadstar_stage, rejects into loadstar_rejects, counts into files and outcome. */
bool files_read(struct ctx *ctx, struct loading *loading, struct slice_files *files) MUST_CHECK;

/* slice_files_limits.c: one reader's part of what the process may use. */
struct duck_limits files_limits(const struct config *config, const struct spec_table *table);

/* LOADSTAR_HOME/duck, which is made. */
bool files_temp_folder(struct ctx *ctx, const struct config *config, const char **folder) MUST_CHECK;

#endif
