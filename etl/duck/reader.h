/*
 * reader: the records of one text file, each a row of fields or a reject.
 *
 * DESIGN. One buffer that always begins at the record being read, so that a reader can go back to where the record began: a
 * malformed record costs its first physical line and nothing after it. Records longer than the limit are rejects, too. Line
 * numbers are physical and start at 1: lines = those of rows + those of rejects + blank ones.
 *
 * A reader belongs to one thread. Memory is malloc'd, for it lives in DuckDB's callbacks.
 */
#ifndef ETL_DUCK_READER_H
#define ETL_DUCK_READER_H

#include "etl/duck/duck.h"
#include "etl/duck/value.h"

enum reader_step {
	READER_ROW,
	READER_REJECT,
	READER_END,
	READER_FAILED, /* the file cannot be read on: error says why */
};

struct csv_field {
	const char *data;
	size_t length;
	bool quoted;
	bool doubled; /* holds doubled quotes */
};

struct reader {
	const struct duck_input *input;
	const char *path;
	int fd;
	size_t record_limit;
	char *buffer;
	size_t capacity, begin, end; /* the bytes not yet consumed: buffer[begin…end) */
	bool ended;                  /* the file has no more than what is in the buffer */
	bool started;                /* the byte order mark and a header are dealt with */
	bool in_array;               /* JSON: between [ and ] */
	bool skipping;               /* the rest of a record that was too long is thrown away */
	int64_t line;                /* at buffer[begin] */
	struct duck_counts counts;

	struct field *fields; /* of the row, one a declared column */
	char *scratch;        /* unescaped texts of the row */
	size_t scratch_size, scratch_used;

	struct csv_field *csv_fields;
	size_t csv_count, csv_room;
	int *csv_columns; /* of a header field: the declared column, or -1 */
	size_t header_count;

	/* of the row or reject */
	int64_t record_line;
	const char *raw;
	size_t raw_length;
	enum rule rule;
	int column; /* -1: the whole record */
	char error[300];
	bool wrong_columns; /* READER_FAILED: the header lacks declared columns */
};

/* The file must be there: READER_FAILED comes from the first reader_next. False: no memory. */
bool reader_open(struct reader *reader, const struct duck_input *input, const char *path,
    size_t record_limit) MUST_CHECK;
void reader_close(struct reader *reader);

/* The next row or reject. Fields and raw are valid until the next call. */
enum reader_step reader_next(struct reader *reader) MUST_CHECK;

/* The row cannot be stored after all: column k breaks the rule. Moves it from rows to rejects. */
void reader_refuse(struct reader *reader, int column, enum rule rule);

/* ---- shared by the readers of formats */
enum reader_step reader_fail(struct reader *reader, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Reads more behind what is there. False: nothing came, for the file has ended (ended), the buffer holds a record's limit, or
 * READER_FAILED with error set. */
bool reader_more(struct reader *reader);

/* The first physical line in the buffer, without its end; *next: the offset behind it. False: more than the limit, or failed. */
bool reader_line(struct reader *reader, size_t *length, size_t *next);

/* The record ends `size` bytes after begin. */
void reader_consume(struct reader *reader, size_t size);

/* One physical line as a reject. */
enum reader_step reader_reject_line(struct reader *reader, enum rule rule);

/* Room for unescaped texts of a record of that size. */
bool reader_scratch(struct reader *reader, size_t size) MUST_CHECK;

enum reader_step reader_next_ndjson(struct reader *reader);
enum reader_step reader_next_json(struct reader *reader);
enum reader_step reader_next_csv(struct reader *reader);

#endif
