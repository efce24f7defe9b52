/*
 * child: what the parts of the child process share.
 *
 * DESIGN. The main thread runs DuckDB; DuckDB's threads read the text files through a table function of ours (input.c), which
 * sends rejects and counts itself. A watcher thread waits for the parent's end, removes the folder and leaves. Whatever fails
 * first is the error event, and the exit code 1; the parent trusts nothing but the event "done" together with the exit code 0.
 */
#ifndef ETL_DUCK_CHILD_H
#define ETL_DUCK_CHILD_H

#include <pthread.h>

#include "base/json.h"
#include "etl/duck/duck.h"
#include "etl/duck/library.h"
#include "etl/duck/value.h"

enum { FD_LIFE = 0, FD_ROWS = 1, FD_REQUEST = 3, FD_EVENTS = 4 };

struct child;

/* One input as DuckDB sees it: the table function loadstar_read_<index>. */
struct scan {
	struct child *child;
	const struct duck_input *input;
	size_t index;
	size_t first_file; /* of the request's files, counted over all inputs */
	atomic_size_t next_file;
};

struct child {
	struct ctx *ctx;
	struct duck_request *request;
	const char *folder; /* of temporary files */
	duckdb_connection connection;
	struct scan *scans;

	pthread_mutex_t lock; /* guards the members below, and whole lines on the events' pipe */
	struct duck_counts read;
	int64_t rows_out;
	int64_t progress_us;   /* when the last progress was told */
	int64_t *rejects_told; /* by file */
	bool failed;
};

/* request.c. Parent and child are one binary, so the JSON is private to it. */
json_t *duck_request_to_json(struct ctx *ctx, const struct duck_request *request, const char *folder);
bool duck_request_from_json(struct ctx *ctx, const json_t *json, struct duck_request *request,
    const char **folder) MUST_CHECK;

/* events.c. All return false when the job must end. */
struct record {
	size_t file; /* of the request, counted over all inputs */
	int64_t line;
	const char *column; /* or NULL */
	const char *rule;
	const char *raw;
	size_t raw_length;
};
bool events_reject(struct child *child, const struct record *record, bool hide_raw) MUST_CHECK;
void events_file(struct child *child, size_t file, const struct duck_counts *counts);
void events_progress(struct child *child, int64_t rows_out); /* at most every half second */
void events_done(struct child *child, int64_t rows_out);

/* The first one is told, the others are not. code: of base/fail_table.def. Always false. */
bool events_error(struct child *child, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* database.c */
bool database_open(struct child *child) MUST_CHECK;
bool database_run(struct child *child, const char *sql) MUST_CHECK;
bool database_fail(struct child *child, duckdb_result *result);     /* destroys the result; false */
char *database_type(struct ctx *ctx, const struct spec_type *type); /* as DuckDB spells it */
char *database_columns(struct ctx *ctx, const struct duck_column *columns, size_t count);

/* input.c, parquet.c: the request's inputs as table functions, as tables (which counts their rejects), or one as the stream */
bool input_register(struct child *child) MUST_CHECK;
bool input_load(struct child *child, const struct scan *scan) MUST_CHECK;
bool parquet_reject(struct child *child, const struct scan *scan, size_t file, char **select) MUST_CHECK;

/* copy_stream.c */
struct copy_stream;
bool copy_open(struct child *child, struct copy_stream **stream) MUST_CHECK;
bool copy_query(struct copy_stream *stream,
    const char *sql) MUST_CHECK; /* all its rows, in the order of the request's columns */
bool copy_close(struct copy_stream *stream, int64_t *rows) MUST_CHECK;

#endif
