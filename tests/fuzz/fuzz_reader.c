/*
 * Any bytes as a file: its first byte says the format. Every record is a row or a reject, in order of lines, counted as it was told;
 * a row's values either are of their types or break a rule.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bug.h"
#include "etl/duck/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD_LIMIT = 2000 };

static struct duck_column columns[] = {
    {"a", NULL, {TYPE_TEXT, 0, 0}},
    {"b", NULL, {TYPE_BIGINT, 0, 0}},
    {"c", "see", {TYPE_NUMERIC, 10, 2}},
    {"d", NULL, {TYPE_DOUBLE, 0, 0}},
    {"e", NULL, {TYPE_TIMESTAMPTZ, 0, 0}},
    {"f", NULL, {TYPE_JSONB, 0, 0}},
    {"g", NULL, {TYPE_UUID, 0, 0}},
    {"h", NULL, {TYPE_NUMERIC, 0, 0}},
    {"i", NULL, {TYPE_BOOLEAN, 0, 0}},
    {"j", NULL, {TYPE_DATE, 0, 0}},
};

static void
parse_row(struct reader *reader)
{
	for (size_t i = 0; i < LENGTH_OF(columns); i++) {
		struct value value;
		enum rule rule = value_parse(&columns[i].type, &reader->fields[i], &value);

		if (rule != RULE_NONE) {
			reader_refuse(reader, (int)i, rule);
			return;
		}
	}
}

static void
read_all(struct reader *reader)
{
	enum reader_step step;
	int64_t records = 0, line = 0;

	while ((step = reader_next(reader)) == READER_ROW || step == READER_REJECT) {
		ASSERT(reader->record_line > line || reader->input->format == DUCK_JSON);
		ASSERT(reader->record_line >= line);
		ASSERT(reader->raw != NULL || reader->raw_length == 0);
		ASSERT(step == READER_ROW || reader->rule != RULE_NONE);
		line = reader->record_line;
		records++;
		if (step == READER_ROW)
			parse_row(reader);
	}
	ASSERT(reader->counts.rows + reader->counts.rejected == records);
	ASSERT(step == READER_END || reader->error[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct duck_input input = {.name = "fuzz", .columns = columns, .column_count = LENGTH_OF(columns)};
	struct reader reader;
	char path[64];
	int fd;

	if (size == 0)
		return 0;
	input.format = (enum duck_format[]){DUCK_NDJSON, DUCK_JSON, DUCK_CSV}[data[0] % 3];
	if (data[0] & 0x10)
		input.csv = (struct duck_csv){.delimiter = ';', .quote = '\'', .null_text = "NULL"};
	fd = memfd_create("fuzz", 0);
	ASSERT(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)size - 1);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ASSERT(reader_open(&reader, &input, path, RECORD_LIMIT));
	read_all(&reader);
	reader_close(&reader);
	close(fd);
	return 0;
}
