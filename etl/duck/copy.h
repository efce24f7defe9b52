/*
 * copy: rows as PostgreSQL's binary COPY.
 *
 * A server casts nothing in a binary COPY: every value is written in the form of its declared type. copy_value.c knows the
 * forms, copy_stream.c takes them from DuckDB's vectors.
 */
#ifndef ETL_DUCK_COPY_H
#define ETL_DUCK_COPY_H

#include "etl/duck/value.h"

/* Grows; a failed allocation ends the process (the kernel's limit is the child's). */
struct copy_buffer {
	char *data;
	size_t length, capacity;
};

void copy_free(struct copy_buffer *buffer);

void copy_put_header(struct copy_buffer *buffer);
void copy_put_trailer(struct copy_buffer *buffer);
void copy_put_row(struct copy_buffer *buffer, size_t columns);

/* One field each. Days and microseconds are since 1970, ±INT32_MAX / ±INT64_MAX is infinity. False: PostgreSQL has no such value. */
void copy_put_null(struct copy_buffer *buffer);
void copy_put_boolean(struct copy_buffer *buffer, bool value);
void copy_put_smallint(struct copy_buffer *buffer, int16_t value);
void copy_put_integer(struct copy_buffer *buffer, int32_t value);
void copy_put_bigint(struct copy_buffer *buffer, int64_t value);
void copy_put_double(struct copy_buffer *buffer, double value);
void copy_put_numeric(struct copy_buffer *buffer, const struct decimal *decimal);
void copy_put_uuid(struct copy_buffer *buffer, unsigned __int128 value);
void copy_put_text(struct copy_buffer *buffer, const char *data, size_t length);
void copy_put_jsonb(struct copy_buffer *buffer, const char *data, size_t length);
bool copy_put_date(struct copy_buffer *buffer, int32_t days) MUST_CHECK;
bool copy_put_timestamp(struct copy_buffer *buffer, int64_t us) MUST_CHECK;

#endif
