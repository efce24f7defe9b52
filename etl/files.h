/*
 * files: what lies in a source of files.
 *
 * A connection to files is a folder, file:///folder. Everything is named by its path below it. A path that a symbolic link leads out
 * of the folder is refused, and so is a listing that has no end.
 */
#ifndef ETL_FILES_H
#define ETL_FILES_H

#include "base/config.h"
#include "etl/files_path.h"
#include "etl/spec.h"

struct file_entry {
	const char *path; /* below the connection's folder: its identity, together with the connection */
	const char *etag; /* of this version: size, time of change in ns, inode */
	int64_t size_bytes;
	int64_t arrived_us; /* when it was last changed */
	const char *batch;  /* NULL: no {batch} in the path */
};
struct file_entries {
	struct file_entry *items; /* sorted by path */
	size_t count;
};

enum { FILES_MOST = 100000 };

/* The folder of a source's connection, without symbolic links. FAIL_CONNECTION_MISSING, FAIL_NOT_IMPLEMENTED for other URLs than
 * file://, FAIL_IO when the folder is not there. */
bool files_root(struct ctx *ctx, const struct config *config, const char *pipeline, const struct spec_source *source,
    const char **root) MUST_CHECK;

/* The files that the source's path means now; batch: of this one alone, NULL: all. */
bool files_list(struct ctx *ctx, const char *root, const struct spec_source *source, const char *batch,
    struct file_entries *entries) MUST_CHECK;

/* A file as it is now: etag, size_bytes and arrived_us of the entry anew, and where it lies without symbolic links.
 * FAIL_FILE_UNREADABLE. */
bool files_look(struct ctx *ctx, const char *root, struct file_entry *entry, const char **real_path) MUST_CHECK;

#endif
