/*
 * files_path: the path of a source of files, as a template.
 *
 * "telemetry/{batch}/part-*.json": names between slashes. `*` is any characters within a name, `**` as a whole name any number of
 * folders, {batch} (once) at least one character, which the file belongs to as its batch. Nothing leads upwards. Pure functions.
 */
#ifndef ETL_FILES_PATH_H
#define ETL_FILES_PATH_H

#include "base/ctx.h"

enum { PATH_BATCH_ROOM = 256, PATH_LOCAL_ROOM = 32 };

/* What is wrong with a template; NULL: nothing. */
const char *path_template_fault(const char *template);

/* What is wrong with the way a batch's date is written; NULL: nothing. */
const char *path_date_fault(const char *format);

/* What {batch} must be. */
struct path_batch {
	const char *date; /* how it is a date; NULL: any word */
	const char *want; /* this one; NULL: any */
};

/* One name of a path against one of the template (its first `length` bytes). batch, with room for PATH_BATCH_ROOM, gets what {batch}
 * stands for, and is left alone without it. */
bool path_name_matches(const char *pattern, size_t length, const char *name, const struct path_batch *rule,
    char *batch) MUST_CHECK;

/* "20240115" with "%Y%m%d": "2024-01-15 00:00:00", a local time. False when it is no such date. */
bool path_date_parse(const char *format, const char *text, char local[PATH_LOCAL_ROOM]) MUST_CHECK;

#endif
