/* duck_files: requests over files of a test's own, run into a table, and what came of them. */
#ifndef TESTS_SUPPORT_DUCK_FILES_H
#define TESTS_SUPPORT_DUCK_FILES_H

#include "etl/duck/duck.h"

/* Rejects as "line column rule raw\n" each, and everything to ask afterwards. */
struct duck_case {
	struct ctx *ctx;
	struct pg *db;
	const char *folder;
	struct duck_request request;
	struct duck_listener listener;
	struct duck_result result;
	char rejects[64 * 1024];
	int64_t reject_count;
};

/* A folder of its own, a database, limits of 128 MiB and two threads, any number of rejects. */
struct duck_case *duck_case_new(struct ctx *ctx);
void duck_case_end(struct duck_case *test);

/* Declared as "id:bigint name:text amount:numeric(10,2)"; they are the input's and the COPY's, and a table t of them. The file is
 * written into the folder; several calls of duck_case_file make one input of several files. */
void duck_case_columns(struct duck_case *test, enum duck_format format, const char *columns);
char *duck_case_path(struct duck_case *test, const char *name);
void duck_case_file(struct duck_case *test, const char *name, const char *bytes, size_t length);
void duck_case_text(struct duck_case *test, const char *name, const char *text);

/* Columns of the COPY alone, and of t, where a transform makes others than the input has. */
void duck_case_target(struct duck_case *test, const char *columns);

/* Into t, which is emptied before. */
bool duck_case_run(struct duck_case *test) MUST_CHECK;

/* The rows of t as text, "a|b\n", ordered; NULL is written as NULL. */
char *duck_case_rows(struct duck_case *test);
int64_t duck_case_ask(struct duck_case *test, const char *sql);

/* True when nothing of a job is left in the folder. */
bool duck_case_is_clean(struct duck_case *test);

#endif
