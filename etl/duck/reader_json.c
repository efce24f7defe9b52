/* reader_json: objects, one a line or one after the other, to fields by name. */
#include <string.h>

#include "etl/duck/json_scan.h"
#include "etl/duck/reader.h"

static const char *
column_field(const struct duck_column *column)
{
	return column->from != NULL ? column->from : column->name;
}

/* The declared column of a key, or -1. Objects of one file have their keys in one order: the guess is mostly right. */
static int
find_column(const struct duck_input *input, const char *key, size_t length, size_t guess)
{
	for (size_t i = 0; i < input->column_count; i++) {
		size_t at = (guess + i) % input->column_count;
		const char *name = column_field(&input->columns[at]);

		if (strncmp(name, key, length) == 0 && name[length] == '\0')
			return (int)at;
	}
	return -1;
}

/* A scanned value as the column wants it: the text of a string, and anything else as it is written. */
static void
set_field(struct reader *reader, int column, const struct json_slice *slice, bool broken)
{
	struct field *field = &reader->fields[column];

	*field = (struct field){.kind = slice->kind, .broken = broken, .data = slice->data, .length = slice->length};
	if (slice->kind == FIELD_NULL || broken)
		return;
	if (reader->input->columns[column].type.kind == TYPE_JSONB) {
		field->kind = FIELD_NESTED;
	} else if (slice->kind == FIELD_STRING && !slice->escaped) {
		field->data++;
		field->length -= 2;
	} else if (slice->kind == FIELD_STRING) {
		field->data = reader->scratch + reader->scratch_used;
		field->length = json_unescape(slice, reader->scratch + reader->scratch_used);
		reader->scratch_used += field->length;
	}
}

struct object {
	size_t guess;
	size_t seen;     /* declared columns so far */
	int huge_column; /* -1: none */
	enum rule rule;
};

static bool
scan_member(struct reader *reader, struct json_scan *scan, struct object *object)
{
	const struct duck_input *input = reader->input;
	struct json_slice key, value;
	size_t length;
	int column;

	if (!json_scan_value(scan, &key) || key.kind != FIELD_STRING)
		return false;
	json_scan_space(scan);
	if (scan->at == scan->end || *scan->at++ != ':')
		return false;
	if (key.escaped && !scan->broken) {
		length = json_unescape(&key, reader->scratch + reader->scratch_used);
		column = find_column(input, reader->scratch + reader->scratch_used, length, object->guess);
	} else {
		column = find_column(input, key.data + 1, key.length - 2, object->guess);
	}
	scan->broken = scan->huge = false;
	if (!json_scan_value(scan, &value))
		return false;
	if (column < 0)
		return true;
	object->guess = (size_t)column + 1;
	if (reader->fields[column].data != NULL && object->rule == RULE_NONE) {
		object->rule = RULE_DUPLICATE_KEY;
		reader->column = column;
	}
	set_field(reader, column, &value, scan->broken);
	if (scan->huge && input->columns[column].type.kind == TYPE_JSONB && object->rule == RULE_NONE) {
		object->rule = RULE_RANGE;
		reader->column = column;
	}
	return true;
}

/* An object at scan->at, to its closing brace. False: no JSON. */
static bool
scan_object(struct reader *reader, struct json_scan *scan, enum rule *rule)
{
	struct object object = {.rule = RULE_NONE};

	memset(reader->fields, 0, reader->input->column_count * sizeof(*reader->fields));
	reader->column = -1;
	scan->at++;
	scan->depth = 1;
	json_scan_space(scan);
	if (scan->at < scan->end && *scan->at == '}') {
		scan->at++;
		return true;
	}
	for (;;) {
		scan->broken = false;
		if (!scan_member(reader, scan, &object))
			return false;
		json_scan_space(scan);
		if (scan->at == scan->end || (*scan->at != ',' && *scan->at != '}'))
			return false;
		if (*scan->at++ == '}')
			break;
	}
	*rule = object.rule;
	return true;
}

/* The record at scan: a row, or what is wrong with it. */
static enum rule
scan_record(struct reader *reader, struct json_scan *scan)
{
	struct json_slice other;
	enum rule rule = RULE_NONE;

	json_scan_space(scan);
	if (scan->at == scan->end || *scan->at != '{')
		return json_scan_value(scan, &other) ? RULE_NOT_OBJECT : RULE_MALFORMED;
	return scan_object(reader, scan, &rule) ? rule : RULE_MALFORMED;
}

/* Its first `size` bytes were a record. */
static enum reader_step
end_record(struct reader *reader, size_t length, size_t size, enum rule rule)
{
	int column = reader->column;

	reader->record_line = reader->line;
	reader->raw = reader->buffer + reader->begin;
	reader->raw_length = length;
	reader_consume(reader, size);
	if (rule == RULE_NONE)
		return READER_ROW;
	reader->rule = rule;
	reader->column = rule == RULE_DUPLICATE_KEY || rule == RULE_RANGE ? column : -1;
	reader->counts.rejected++;
	return READER_REJECT;
}

static bool
is_blank(const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (data[i] != ' ' && data[i] != '\t' && data[i] != '\r')
			return false;
	return true;
}

enum reader_step
reader_next_ndjson(struct reader *reader)
{
	struct json_scan scan = {0};
	size_t length, next;
	enum rule rule;

	for (;;) {
		if (!reader_line(reader, &length, &next))
			return reader_reject_line(reader, RULE_TOO_LONG);
		if (next == 0)
			return READER_END;
		if (!is_blank(reader->buffer + reader->begin, length))
			break;
		reader_consume(reader, next);
		reader->counts.blank++;
	}
	scan.at = reader->buffer + reader->begin;
	scan.end = scan.at + length;
	if (!utf8_valid(scan.at, length))
		return reader_reject_line(reader, RULE_ENCODING);
	if (!reader_scratch(reader, length + 1))
		return READER_FAILED;
	rule = scan_record(reader, &scan);
	json_scan_space(&scan);
	if (scan.at != scan.end)
		rule = RULE_MALFORMED;
	return end_record(reader, length, next, rule);
}

/* Spaces, commas and brackets between the records of a JSON file. False: that is no JSON, or the file ended. */
static bool
skip_to_record(struct reader *reader, bool *end)
{
	bool comma = false;

	*end = false;
	for (;;) {
		struct json_scan scan = {.at = reader->buffer + reader->begin, .end = reader->buffer + reader->end};
		size_t space;

		json_scan_space(&scan);
		space = (size_t)(scan.at - (reader->buffer + reader->begin));
		if (scan.at == scan.end) {
			reader_consume(reader, space);
			if (reader_more(reader))
				continue;
			*end = reader->error[0] == '\0' && !reader->in_array && !comma;
			return *end;
		}
		if (*scan.at == '[' && !reader->started) {
			reader->in_array = reader->started = true;
		} else if (*scan.at == ']' && reader->in_array && !comma) {
			reader->in_array = false;
		} else if (*scan.at == ',' && reader->in_array && !comma &&
			   reader->counts.rows + reader->counts.rejected > 0) {
			comma = true;
		} else {
			reader_consume(reader, space);
			return reader->in_array ? comma || reader->counts.rows + reader->counts.rejected == 0 : true;
		}
		reader_consume(reader, space + 1);
	}
}

static enum reader_step
broken_file(struct reader *reader)
{
	if (reader->ended && reader->begin == reader->end)
		return reader_fail(reader, "ends in the middle of its JSON, in line %lld", (long long)reader->line);
	return reader_fail(reader, "is not JSON near line %lld", (long long)reader->line);
}

/* A file of one array, or of objects with or without space between them. Where one is malformed nobody can say where the next one
 * begins: then the file cannot be read. */
enum reader_step
reader_next_json(struct reader *reader)
{
	bool end;

	if (!skip_to_record(reader, &end))
		return broken_file(reader);
	if (end)
		return READER_END;
	for (;;) {
		struct json_scan scan = {.at = reader->buffer + reader->begin, .end = reader->buffer + reader->end};
		enum rule rule;
		size_t size;

		if (!reader_scratch(reader, reader->end - reader->begin + 1))
			return READER_FAILED;
		rule = scan_record(reader, &scan);
		size = (size_t)(scan.at - (reader->buffer + reader->begin));
		/* A number at the end of the buffer may go on behind it. */
		if (rule == RULE_MALFORMED || (rule == RULE_NOT_OBJECT && scan.at == scan.end && !reader->ended)) {
			if (reader_more(reader))
				continue;
			if (rule == RULE_MALFORMED)
				return broken_file(reader);
			continue;
		}
		if (!utf8_valid(reader->buffer + reader->begin, size))
			rule = RULE_ENCODING;
		return end_record(reader, size, size, rule);
	}
}
