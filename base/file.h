/* file: whole small files and folders. Failures name the path and the reason. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/ctx.h"

/* The whole file, NUL terminated; more than limit_bytes: FAIL_IO. length may be NULL. */
bool file_read(struct ctx *ctx, const char *path, size_t limit_bytes, char **text, size_t *length) MUST_CHECK;

/* Writes to path.new, fsyncs, renames. mode as in open(2). */
bool file_write(struct ctx *ctx, const char *path, const char *text, unsigned mode) MUST_CHECK;

/* mkdir -p; only the last folder gets the mode, parents get 0755. */
bool file_make_folder(struct ctx *ctx, const char *path, unsigned mode) MUST_CHECK;

bool file_exists(const char *path);
bool file_is_folder(const char *path);

/* Names in a folder, sorted, without those that start with a dot. */
bool file_list(struct ctx *ctx, const char *path, char ***names, size_t *count) MUST_CHECK;

/* A path without symbolic links, or NULL when it does not exist. */
char *file_real_path(struct ctx *ctx, const char *path);

#endif
