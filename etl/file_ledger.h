/* file_ledger: what tables have seen of files, as the warehouse knows it (loadstar.file_ledger). */
#ifndef ETL_FILE_LEDGER_H
#define ETL_FILE_LEDGER_H

#include "etl/files.h"
#include "etl/slice.h"

/* What a file is, whatever it holds: "<connection>/<path>". */
char *file_identity(struct ctx *ctx, const struct spec_source *source, const char *path);

struct file_seen {
	const char *etag; /* of the newest record; NULL: the table never saw the file */
	bool failed;      /* the newest record says so */
	bool loaded;      /* some version of it is in the table */
	bool waits;       /* rows of it are in the quarantine, because what they refer to was not there */
	int64_t batch_us; /* when its batch was, in the pipeline's time zone; CLOCK_MINUS_INFINITY: no date */
};

/* What job->table has seen of each entry; of the job only spec and table are looked at. The session's time zone is the pipeline's. */
bool file_ledger_look(struct ctx *ctx, struct pg *pg, const struct slice_job *job, const struct file_entries *entries,
    struct file_seen **seen) MUST_CHECK;

/* For planning: the same in a session of its own. */
bool file_ledger_ask(struct ctx *ctx, const struct slice_job *job, const struct file_entries *entries,
    struct file_seen **seen) MUST_CHECK;

#endif
