/*
 * duck: files read by DuckDB in a child process, streamed into a COPY of ours.
 *
 * A job is one child of this very binary. It gets a request, reads the files, and answers on two pipes: rows as PostgreSQL's
 * binary COPY, and events (progress, rejects, counts per file, the end or an error). The child sees nothing but the files named,
 * a temporary folder of its own, and no network; its memory is limited by the kernel. Cancel is a kill.
 *
 * Every record of a file is either a row or a reject (file, line, column, rule, raw text): none is lost, and no value is
 * changed on its way (a fraction in an integer column is a reject, not rounded). NDJSON, JSON and CSV are read by readers of our
 * own, for DuckDB's turn decimals of JSON into doubles, take '1.6' for an integer, and recover from a broken quote by swallowing the
 * lines after it. DuckDB reads Parquet and runs the transform.
 *
 * Threads: a job belongs to one thread, and dies with it (PR_SET_PDEATHSIG is of the thread).
 */
#ifndef ETL_DUCK_DUCK_H
#define ETL_DUCK_DUCK_H

#include "etl/spec.h"
#include "sql/pg.h"

enum duck_format { DUCK_NDJSON, DUCK_JSON, DUCK_CSV, DUCK_PARQUET };

struct duck_column {
	const char *name;
	const char *from; /* the field's name in the file; NULL: name */
	struct spec_type type;
};

struct duck_file {
	const char *path; /* absolute, without symbolic links */
	int64_t id;       /* the caller's; column loadstar_file of the input */
};

struct duck_csv {
	char delimiter;        /* 0: comma */
	char quote;            /* 0: double quote; doubled inside a quoted field */
	const char *null_text; /* an unquoted field with this text is NULL; NULL: the empty one */
};

/* Files of one format that together are a table of the transform, with the declared columns by name (a CSV file has a header),
 * and loadstar_file, loadstar_line. */
struct duck_input {
	const char *name;
	enum duck_format format;
	struct duck_csv csv;
	struct duck_column *columns;
	size_t column_count;
	struct duck_file *files;
	size_t file_count;
	bool hide_raw; /* rejects carry no raw text: masked columns */
};

struct duck_limits {
	int64_t memory_bytes;  /* of DuckDB; the process may have some more. At least 125 MiB a thread to sort */
	int64_t temp_bytes;    /* spilled to disk at most */
	int64_t record_bytes;  /* of one record; 0: 16 MiB */
	int64_t cpu_seconds;   /* 0: none */
	int64_t reject_rows;   /* more rejects than this fail the job; negative: any number goes */
	double reject_share;   /* as above, of all records, looked at in the end; 1: any */
	int64_t reject_events; /* rejects told with line and text, per file; 0: 1000. All are counted */
	int threads;           /* 0: 2 */
};

struct duck_request {
	const char *library;     /* path of libduckdb.so; NULL: beside this program, or ../lib/loadstar/ from there */
	const char *temp_folder; /* absolute; the job's own folder is made in it */
	struct duck_input *inputs;
	size_t input_count;
	const char *transform;       /* one SELECT over the inputs by their names; NULL: the rows of the only input */
	struct duck_column *columns; /* of the COPY, by their names in the transform's result; from: unused. The inputs'
	                                loadstar_file and loadstar_line may be among them, as bigint */
	size_t column_count;
	struct duck_limits limits;
};

struct duck_reject {
	const struct duck_file *file;
	int64_t line;       /* physical line where the record begins, from 1; Parquet: row */
	const char *column; /* NULL: the whole record */
	const char *rule;   /* a word of rule.def */
	const char *raw;    /* at most 4 KiB, valid UTF-8; NULL: hidden */
};

/* lines = those of rows + those of rejects + blank ones. */
struct duck_counts {
	int64_t lines, rows, rejected, blank, bytes;
};

struct duck_result {
	struct duck_counts read;   /* of all files */
	struct duck_counts *files; /* in the request's order, input after input */
	size_t file_count;
	int64_t rows_out;
	int64_t bytes_out;
};

/* Called by duck_copy on its thread. NULL members are not called; arg is handed on. A false ends the job. */
struct duck_listener {
	bool (*reject)(struct ctx *ctx, void *arg, const struct duck_reject *reject);
	bool (*progress)(struct ctx *ctx, void *arg, const struct duck_counts *read, int64_t rows_out);
	void *arg;
};

struct duck_job;

/* Starts the child. The request must outlive the job; the job dies with the ctx (a child that still runs is killed). */
bool duck_start(struct ctx *ctx, const struct duck_request *request, struct duck_job **job) MUST_CHECK;

/* Streams the job's rows into `copy_from` (COPY … (columns) FROM STDIN (FORMAT binary)). The COPY only ends well when the child
 * said that everything is done and left with 0. After a failure the job is over and the child gone:
 * FAIL_FILE_UNREADABLE, FAIL_FILE_REJECTS, FAIL_SOURCE_COLUMNS, FAIL_TRANSFORM, FAIL_MEMORY_LIMIT, FAIL_DUCK, or a cancel. */
bool duck_copy(struct ctx *ctx, struct duck_job *job, struct pg *to, const char *copy_from,
    const struct duck_listener *listener, struct duck_result *result) MUST_CHECK;

/* Ends the child now and waits for it. Idempotent. */
void duck_stop(struct duck_job *job);

int duck_pid(const struct duck_job *job); /* 0: ended */

/* Removes what jobs of dead processes left in a temporary folder; returns how many. At start of the service. */
int duck_sweep(struct ctx *ctx, const char *temp_folder);

/* The hidden command `duck`: the child's main. Its request is on descriptor 3, rows go to 1, events to 4; 0 ends when the parent
 * does. Returns the exit code. Call before any thread. */
int duck_child(void);
#define DUCK_COMMAND "duck"

#endif
