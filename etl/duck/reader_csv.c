/*
 * reader_csv: RFC 4180 with a header, strictly: a quote where none may stand and a record with more or fewer fields than
 * the header are rejects. The record's first physical line is refused then, and reading goes on behind that line, so that one quote
 * too many cannot swallow the rest of the file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "etl/duck/json_scan.h"
#include "etl/duck/reader.h"

enum parsed { PARSED, PARSED_SHORT /* the buffer ends first */, PARSED_WRONG };

struct csv {
	char delimiter, quote;
	const char *first, *at, *end;
	bool last; /* the file ends where the buffer does */
};

static bool
add_field(struct reader *reader, struct csv_field field)
{
	if (reader->csv_count == reader->csv_room) {
		size_t room = reader->csv_room * 2 + 16;
		struct csv_field *larger = realloc(reader->csv_fields, room * sizeof(*larger));

		if (larger == NULL)
			return false;
		reader->csv_fields = larger;
		reader->csv_room = room;
	}
	reader->csv_fields[reader->csv_count++] = field;
	return true;
}

/* From behind the opening quote to behind the closing one. */
static enum parsed
parse_quoted(struct csv *csv, struct csv_field *field)
{
	field->quoted = true;
	field->data = csv->at;
	for (;;) {
		const char *quote = memchr(csv->at, csv->quote, (size_t)(csv->end - csv->at));

		if (quote == NULL)
			return csv->last ? PARSED_WRONG : PARSED_SHORT;
		if (quote + 1 == csv->end && !csv->last)
			return PARSED_SHORT;
		csv->at = quote + 1;
		if (csv->at == csv->end || *csv->at != csv->quote) {
			field->length = (size_t)(quote - field->data);
			return PARSED;
		}
		field->doubled = true;
		csv->at++;
	}
}

static enum parsed
parse_unquoted(struct csv *csv, struct csv_field *field)
{
	field->data = csv->at;
	for (; csv->at < csv->end; csv->at++) {
		if (*csv->at == csv->delimiter || *csv->at == '\n')
			break;
		if (*csv->at == csv->quote)
			return PARSED_WRONG;
	}
	if (csv->at == csv->end && !csv->last)
		return PARSED_SHORT;
	field->length = (size_t)(csv->at - field->data);
	if (field->length > 0 && field->data[field->length - 1] == '\r' && (csv->at == csv->end || *csv->at == '\n'))
		field->length--;
	return PARSED;
}

/* What stands behind a field: a delimiter (more follow), a line's end, the file's end, or something wrong. */
static enum parsed
parse_end(struct csv *csv, bool *more)
{
	*more = false;
	if (csv->at == csv->end)
		return csv->last ? PARSED : PARSED_SHORT;
	if (*csv->at == csv->delimiter) {
		csv->at++;
		*more = true;
		return PARSED;
	}
	if (*csv->at == '\r') {
		if (csv->at + 1 == csv->end && !csv->last)
			return PARSED_SHORT;
		csv->at++;
	}
	if (csv->at < csv->end && *csv->at != '\n')
		return PARSED_WRONG;
	csv->at += csv->at < csv->end;
	return PARSED;
}

static enum parsed
parse_record(struct reader *reader, struct csv *csv)
{
	bool more = true;

	reader->csv_count = 0;
	while (more) {
		struct csv_field field = {0};
		enum parsed parsed;

		if (csv->at == csv->end && !csv->last)
			return PARSED_SHORT;
		if (csv->at < csv->end && *csv->at == csv->quote) {
			csv->at++;
			parsed = parse_quoted(csv, &field);
		} else {
			parsed = parse_unquoted(csv, &field);
		}
		if (parsed == PARSED)
			parsed = parse_end(csv, &more);
		if (parsed != PARSED)
			return parsed;
		if (!add_field(reader, field)) {
			(void)reader_fail(reader, "no memory for a record's fields");
			return PARSED_WRONG;
		}
	}
	return PARSED;
}

/* The record at the buffer's begin, whole; *size: its bytes with the line's end. */
static enum parsed
read_record(struct reader *reader, size_t *size)
{
	const struct duck_csv *options = &reader->input->csv;

	for (;;) {
		struct csv csv = {.delimiter = options->delimiter != '\0' ? options->delimiter : ',',
		    .quote = options->quote != '\0' ? options->quote : '"',
		    .first = reader->buffer + reader->begin,
		    .end = reader->buffer + reader->end,
		    .last = reader->ended};
		enum parsed parsed;

		csv.at = csv.first;
		parsed = parse_record(reader, &csv);
		*size = (size_t)(csv.at - csv.first);
		if (parsed != PARSED_SHORT)
			return *size > reader->record_limit ? PARSED_WRONG : parsed;
		if (!reader_more(reader) && !reader->ended)
			return PARSED_WRONG; /* longer than a record may be, or failed */
	}
}

/* The field's text; doubled quotes are halved in the scratch. */
static void
field_text(struct reader *reader, const struct csv_field *field, const char **data, size_t *length)
{
	char quote = reader->input->csv.quote != '\0' ? reader->input->csv.quote : '"';
	char *to = reader->scratch + reader->scratch_used;

	*data = field->data;
	*length = field->length;
	if (!field->doubled)
		return;
	*data = to;
	for (size_t i = 0; i < field->length; i++) {
		*to++ = field->data[i];
		i += field->data[i] == quote;
	}
	*length = (size_t)(to - *data);
	reader->scratch_used += *length;
}

static void
set_fields(struct reader *reader)
{
	const char *null_text = reader->input->csv.null_text != NULL ? reader->input->csv.null_text : "";
	size_t null_length = strlen(null_text);

	memset(reader->fields, 0, reader->input->column_count * sizeof(*reader->fields));
	for (size_t i = 0; i < reader->header_count; i++) {
		const struct csv_field *from = &reader->csv_fields[i];
		struct field *field = reader->csv_columns[i] >= 0 ? &reader->fields[reader->csv_columns[i]] : NULL;

		if (field == NULL ||
		    (!from->quoted && from->length == null_length && memcmp(from->data, null_text, null_length) == 0))
			continue;
		field->kind = FIELD_STRING;
		field_text(reader, from, &field->data, &field->length);
		field->broken = memchr(field->data, '\0', field->length) != NULL;
	}
}

/* Which declared column the header's field is; -2: one that another field is already. */
static int
column_of(struct reader *reader, size_t index)
{
	const char *data;
	size_t length;

	field_text(reader, &reader->csv_fields[index], &data, &length);
	for (size_t c = 0; c < reader->input->column_count; c++) {
		const struct duck_column *column = &reader->input->columns[c];
		const char *name = column->from != NULL ? column->from : column->name;

		if (strlen(name) != length || memcmp(name, data, length) != 0)
			continue;
		for (size_t i = 0; i < index; i++)
			if (reader->csv_columns[i] == (int)c)
				return -2;
		return (int)c;
	}
	return -1;
}

static enum reader_step
match_header(struct reader *reader)
{
	size_t found = 0;

	reader->header_count = reader->csv_count;
	reader->csv_columns = calloc(reader->csv_count, sizeof(int));
	if (reader->csv_columns == NULL)
		return reader_fail(reader, "no memory for a header of %zu fields", reader->csv_count);
	for (size_t i = 0; i < reader->csv_count; i++) {
		reader->csv_columns[i] = column_of(reader, i);
		if (reader->csv_columns[i] == -2)
			return reader_fail(reader, "has a declared column twice in its header");
		found += reader->csv_columns[i] >= 0;
	}
	for (size_t c = 0; found < reader->input->column_count && c < reader->input->column_count; c++) {
		const struct duck_column *column = &reader->input->columns[c];
		bool there = false;

		for (size_t i = 0; i < reader->csv_count; i++)
			there = there || reader->csv_columns[i] == (int)c;
		reader->wrong_columns = true;
		if (!there)
			return reader_fail(reader, "has no column %s in its header",
			    column->from != NULL ? column->from : column->name);
	}
	return READER_ROW;
}

static enum reader_step
read_header(struct reader *reader)
{
	size_t size;
	enum reader_step step;

	if (reader->begin == reader->end && !reader_more(reader) && reader->ended)
		return READER_END;
	if (read_record(reader, &size) != PARSED || !reader_scratch(reader, size + 1))
		return reader_fail(reader, "has no header that can be read");
	if (!utf8_valid(reader->buffer + reader->begin, size))
		return reader_fail(reader, "is not UTF-8");
	step = match_header(reader);
	if (step == READER_ROW) {
		reader_consume(reader, size);
		reader->counts.blank++; /* the header is a line without a row */
	}
	return step;
}

/* An empty line is none of a file with several columns; with one it is that column's empty value. */
static bool
is_empty_line(const struct reader *reader)
{
	return reader->csv_count == 1 && reader->header_count > 1 && reader->csv_fields[0].length == 0 &&
	       !reader->csv_fields[0].quoted;
}

static enum reader_step
take_record(struct reader *reader, size_t size)
{
	if (!utf8_valid(reader->buffer + reader->begin, size))
		return reader_reject_line(reader, RULE_ENCODING);
	if (reader->csv_count != reader->header_count)
		return reader_reject_line(reader, RULE_FIELDS);
	if (!reader_scratch(reader, size + 1))
		return READER_FAILED;
	set_fields(reader);
	reader->record_line = reader->line;
	reader->raw = reader->buffer + reader->begin;
	reader->raw_length = size;
	while (reader->raw_length > 0 && strchr("\r\n", reader->raw[reader->raw_length - 1]) != NULL)
		reader->raw_length--;
	reader_consume(reader, size);
	return READER_ROW;
}

enum reader_step
reader_next_csv(struct reader *reader)
{
	enum reader_step step = reader->started ? READER_ROW : read_header(reader);
	enum parsed parsed;
	size_t size;

	if (step != READER_ROW)
		return step;
	for (;;) {
		if (reader->begin == reader->end && !reader_more(reader))
			return reader->ended ? READER_END : READER_FAILED;
		parsed = read_record(reader, &size);
		if (reader->error[0] != '\0')
			return READER_FAILED;
		if (parsed != PARSED)
			return reader_reject_line(reader, RULE_QUOTE);
		if (!is_empty_line(reader))
			return take_record(reader, size);
		reader_consume(reader, size);
		reader->counts.blank++;
	}
}
