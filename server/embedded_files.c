/*
 * Sample files for sources of files: each query of sample/files gives rows (path, line) in order of path, written below a folder of
 * the home. The folder gets its name when it is whole, so that a start that was killed begins anew.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "server/embedded.h"
#include "sql/pg.h"

enum { QUERY_LIMIT_BYTES = 1024 * 1024, OPEN_FOLDERS = 16 };

struct writer {
	const char *folder;
	char *path; /* of the open file, below the folder */
	FILE *file;
};

static int
remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static bool
remove_tree(struct ctx *ctx, const char *path)
{
	if (nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
		return true;
	return fail(ctx, FAIL_IO, "cannot remove %s: %s", path, strerror(errno));
}

static bool
close_file(struct ctx *ctx, struct writer *writer)
{
	FILE *file = writer->file;

	writer->file = NULL;
	if (file == NULL || fclose(file) == 0)
		return true;
	return fail(ctx, FAIL_IO, "cannot write %s/%s: %s", writer->folder, writer->path, strerror(errno));
}

static bool
open_file(struct ctx *ctx, struct writer *writer, const char *path)
{
	char *whole = ctx_printf(ctx, "%s/%s", writer->folder, path), *slash = strrchr(whole, '/');

	if (*path == '/' || strstr(path, "..") != NULL)
		return fail(ctx, FAIL_IO, "a sample's query asks for a file outside its folder: %s", path);
	if (!close_file(ctx, writer))
		return false;
	*slash = '\0';
	if (!file_make_folder(ctx, whole, 0755))
		return false;
	*slash = '/';
	writer->path = ctx_strdup(ctx, path);
	writer->file = fopen(whole, "we");
	return writer->file != NULL || fail(ctx, FAIL_IO, "cannot write %s: %s", whole, strerror(errno));
}

static bool
write_rows(struct ctx *ctx, struct writer *writer, const struct pg_rows *rows)
{
	for (int i = 0; i < rows->count; i++) {
		const char *path = pg_value(rows, i, 0);

		if (!text_equal(path, writer->path) && !open_file(ctx, writer, path))
			return false;
		if (fputs(pg_value(rows, i, 1), writer->file) < 0 || fputc('\n', writer->file) == EOF)
			return fail(ctx, FAIL_IO, "cannot write %s/%s: %s", writer->folder, path, strerror(errno));
	}
	return true;
}

/* Piece by piece: the files may be larger than memory. */
static bool
write_query(struct ctx *ctx, struct pg *pg, const char *query, struct writer *writer)
{
	struct pg_rows rows = {.count = 1};

	if (!pg_begin(ctx, pg) ||
	    !pg_run(ctx, pg, ctx_printf(ctx, "DECLARE loadstar_files NO SCROLL CURSOR FOR %s", query)))
		return false;
	while (rows.count > 0) {
		CTX_SCOPE(tmp, ctx);

		if (!pg_query(tmp, pg, "FETCH 5000 FROM loadstar_files", PG_NO_PARAMS, &rows) ||
		    !write_rows(ctx, writer, &rows))
			return false;
	}
	return pg_commit(ctx, pg);
}

static bool
write_folder(struct ctx *ctx, struct pg *pg, const char *queries, struct writer *writer)
{
	char **names;
	size_t count;

	if (!file_list(ctx, queries, &names, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		char *query;

		if (text_ends_with(names[i], ".sql") &&
		    (!file_read(ctx, ctx_printf(ctx, "%s/%s", queries, names[i]), QUERY_LIMIT_BYTES, &query, NULL) ||
			!write_query(ctx, pg, query, writer)))
			return false;
	}
	return true;
}

bool
embedded_files(struct ctx *ctx, struct pg *pg, const char *queries, const char *folder)
{
	char *fresh = ctx_printf(ctx, "%s.new", folder);
	struct writer writer = {.folder = fresh};
	bool ok;

	if (file_is_folder(folder))
		return true;
	log_line(ctx, LOG_INFO, "generating sample files", "folder", folder, NULL);
	if (!remove_tree(ctx, fresh) || !file_make_folder(ctx, fresh, 0755))
		return false;
	ok = write_folder(ctx, pg, queries, &writer);
	ok = close_file(ctx, &writer) && ok;
	if (!ok)
		return false;
	return rename(fresh, folder) == 0 ||
	       fail(ctx, FAIL_IO, "cannot rename %s to %s: %s", fresh, folder, strerror(errno));
}
