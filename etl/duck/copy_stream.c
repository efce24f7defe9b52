/* copy_stream: DuckDB's rows, chunk by chunk, to the pipe. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "etl/duck/child.h"
#include "etl/duck/copy.h"

enum { FLUSH_BYTES = 256 * 1024 };

struct column {
	const struct duck_column *declared;
	const void *data;
	const uint64_t *validity; /* NULL: all there */
};

struct copy_stream {
	struct child *child;
	struct copy_buffer buffer;
	struct column *columns;
	size_t count;
	int64_t rows;
};

static bool
flush(struct copy_stream *stream)
{
	size_t sent = 0;

	while (sent < stream->buffer.length) {
		ssize_t n = write(FD_ROWS, stream->buffer.data + sent, stream->buffer.length - sent);

		if (n < 0 && errno != EINTR)
			return events_error(stream->child, "duck_failed", "the rows cannot be handed on: %s",
			    strerrordesc_np(errno));
		sent += n > 0 ? (size_t)n : 0;
	}
	stream->buffer.length = 0;
	return true;
}

static void
put_decimal(struct copy_buffer *buffer, const struct spec_type *type, const void *data, size_t row)
{
	struct decimal decimal;
	__int128 wide;

	if (type->precision <= 4)
		wide = ((const int16_t *)data)[row];
	else if (type->precision <= 9)
		wide = ((const int32_t *)data)[row];
	else if (type->precision <= 18)
		wide = ((const int64_t *)data)[row];
	else
		memcpy(&wide, (const char *)data + row * sizeof(wide), sizeof(wide));
	decimal_from_scaled(wide, type->scale, &decimal);
	copy_put_numeric(buffer, &decimal);
}

static bool
put_string(struct copy_buffer *buffer, const struct spec_type *type, const duckdb_string_t *string)
{
	size_t length = string->value.inlined.length;
	const char *data =
	    length <= sizeof(string->value.inlined.inlined) ? string->value.inlined.inlined : string->value.pointer.ptr;
	struct decimal decimal;

	if (type->kind == TYPE_NUMERIC) {
		if (!decimal_parse(data, length, &decimal))
			return false;
		copy_put_numeric(buffer, &decimal);
		return true;
	}
	if (memchr(data, '\0', length) != NULL)
		return false;
	if (type->kind == TYPE_JSONB)
		copy_put_jsonb(buffer, data, length);
	else
		copy_put_text(buffer, data, length);
	return true;
}

static bool
put_uuid(struct copy_buffer *buffer, const void *data, size_t row)
{
	unsigned __int128 value;

	memcpy(&value, (const char *)data + row * sizeof(value), sizeof(value));
	copy_put_uuid(buffer, value ^ (unsigned __int128)1 << 127);
	return true;
}

/* False: PostgreSQL cannot hold the value. */
static bool
put_value(struct copy_buffer *buffer, const struct column *column, size_t row)
{
	const struct spec_type *type = &column->declared->type;

	switch (type->kind) {
	case TYPE_SMALLINT: copy_put_smallint(buffer, ((const int16_t *)column->data)[row]); return true;
	case TYPE_INTEGER: copy_put_integer(buffer, ((const int32_t *)column->data)[row]); return true;
	case TYPE_BIGINT: copy_put_bigint(buffer, ((const int64_t *)column->data)[row]); return true;
	case TYPE_BOOLEAN: copy_put_boolean(buffer, ((const bool *)column->data)[row]); return true;
	case TYPE_DOUBLE: copy_put_double(buffer, ((const double *)column->data)[row]); return true;
	case TYPE_DATE: return copy_put_date(buffer, ((const int32_t *)column->data)[row]);
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return copy_put_timestamp(buffer, ((const int64_t *)column->data)[row]);
	case TYPE_UUID: return put_uuid(buffer, column->data, row);
	case TYPE_NUMERIC:
		if (value_is_text(type))
			break;
		put_decimal(buffer, type, column->data, row);
		return true;
	case TYPE_TEXT:
	case TYPE_JSONB: break;
	}
	return put_string(buffer, type, (const duckdb_string_t *)column->data + row);
}

static bool
put_row(struct copy_stream *stream, size_t row)
{
	copy_put_row(&stream->buffer, stream->count);
	for (size_t i = 0; i < stream->count; i++) {
		const struct column *column = &stream->columns[i];

		if (column->validity != NULL && (column->validity[row / 64] >> row % 64 & 1) == 0)
			copy_put_null(&stream->buffer);
		else if (!put_value(&stream->buffer, column, row))
			return events_error(stream->child, "transform_failed",
			    "a value of column %s is none that PostgreSQL can hold", column->declared->name);
	}
	return stream->buffer.length < FLUSH_BYTES || flush(stream);
}

static bool
put_chunk(struct copy_stream *stream, duckdb_data_chunk chunk)
{
	size_t rows = duck.data_chunk_get_size(chunk);

	for (size_t i = 0; i < stream->count; i++) {
		duckdb_vector vector = duck.data_chunk_get_vector(chunk, i);

		stream->columns[i].data = duck.vector_get_data(vector);
		stream->columns[i].validity = duck.vector_get_validity(vector);
	}
	for (size_t row = 0; row < rows; row++)
		if (!put_row(stream, row))
			return false;
	stream->rows += (int64_t)rows;
	events_progress(stream->child, stream->rows);
	return true;
}

bool
copy_open(struct child *child, struct copy_stream **stream)
{
	struct duck_request *request = child->request;

	*stream = ctx_alloc(child->ctx, sizeof(**stream));
	(*stream)->child = child;
	(*stream)->count = request->column_count;
	(*stream)->columns = ctx_alloc_array(child->ctx, request->column_count + 1, sizeof(struct column));
	for (size_t i = 0; i < request->column_count; i++)
		(*stream)->columns[i].declared = &request->columns[i];
	copy_put_header(&(*stream)->buffer);
	return true;
}

/* The end of a stream and its failure look the same: the result is asked afterwards. */
static bool
stream_rows(struct copy_stream *stream, duckdb_result *result)
{
	duckdb_data_chunk chunk;
	bool good = true;

	while (good && (chunk = duck.fetch_chunk(*result)) != NULL) {
		good = put_chunk(stream, chunk);
		duck.destroy_data_chunk(&chunk);
	}
	if (good && duck.result_error_type(result) != DUCKDB_ERROR_INVALID)
		return database_fail(stream->child, result);
	if (good && duck.result_error(result) != NULL && *duck.result_error(result) != '\0')
		return database_fail(stream->child, result);
	duck.destroy_result(result);
	return good;
}

bool
copy_query(struct copy_stream *stream, const char *sql)
{
	duckdb_prepared_statement statement;
	duckdb_result result;
	bool good;

	if (duck.prepare(stream->child->connection, sql, &statement) != DuckDBSuccess) {
		(void)events_error(stream->child, "transform_failed", "%s", duck.prepare_error(statement));
		duck.destroy_prepare(&statement);
		return false;
	}
	if (duck.execute_prepared_streaming(statement, &result) != DuckDBSuccess)
		good = database_fail(stream->child, &result);
	else
		good = stream_rows(stream, &result);
	duck.destroy_prepare(&statement);
	return good;
}

bool
copy_close(struct copy_stream *stream, int64_t *rows)
{
	copy_put_trailer(&stream->buffer);
	*rows = stream->rows;
	if (!flush(stream))
		return false;
	copy_free(&stream->buffer);
	return true;
}
