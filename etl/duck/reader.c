#include "etl/duck/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"

enum { FIRST_CAPACITY = 1024 * 1024 };

bool
reader_open(struct reader *reader, const struct duck_input *input, const char *path, size_t record_limit)
{
	*reader = (struct reader){.input = input, .path = path, .record_limit = record_limit, .line = 1, .column = -1};
	reader->fields = calloc(input->column_count + 1, sizeof(*reader->fields));
	reader->capacity = FIRST_CAPACITY;
	reader->buffer = malloc(reader->capacity);
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (reader->fd < 0)
		(void)reader_fail(reader, "cannot be opened: %s", strerrordesc_np(errno));
	else
		(void)posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return reader->fields != NULL && reader->buffer != NULL;
}

void
reader_close(struct reader *reader)
{
	if (reader->fd >= 0)
		(void)close(reader->fd);
	free(reader->fields);
	free(reader->buffer);
	free(reader->scratch);
	free(reader->csv_fields);
	free(reader->csv_columns);
	*reader = (struct reader){.fd = -1};
}

enum reader_step
reader_fail(struct reader *reader, const char *fmt, ...)
{
	va_list args;

	if (reader->error[0] != '\0')
		return READER_FAILED;
	va_start(args, fmt);
	(void)vsnprintf(reader->error, sizeof(reader->error), fmt, args);
	va_end(args);
	return READER_FAILED;
}

/* At least one free byte behind the end; a record may fill record_limit and a little more. */
static bool
make_room(struct reader *reader)
{
	size_t used = reader->end - reader->begin;
	char *larger;

	if (reader->end < reader->capacity)
		return true;
	if (reader->begin > 0) {
		memmove(reader->buffer, reader->buffer + reader->begin, used);
		reader->begin = 0;
		reader->end = used;
		return true;
	}
	if (used > reader->record_limit)
		return false;
	ASSERT(reader->capacity > 0);
	larger = realloc(reader->buffer, reader->capacity * 2);
	if (larger == NULL) {
		(void)reader_fail(reader, "no memory for a record of %zu bytes", used);
		return false;
	}
	reader->buffer = larger;
	reader->capacity *= 2;
	return true;
}

bool
reader_more(struct reader *reader)
{
	ssize_t got;

	if (reader->ended || reader->error[0] != '\0' || !make_room(reader))
		return false;
	do
		got = read(reader->fd, reader->buffer + reader->end, reader->capacity - reader->end);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		(void)reader_fail(reader, "cannot be read: %s", strerrordesc_np(errno));
		return false;
	}
	reader->ended = got == 0;
	reader->end += (size_t)got;
	reader->counts.bytes += got;
	return got > 0;
}

bool
reader_line(struct reader *reader, size_t *length, size_t *next)
{
	size_t seen = 0;

	for (;;) {
		size_t have = reader->end - reader->begin;
		const char *first = reader->buffer + reader->begin;
		const char *feed = memchr(first + seen, '\n', have - seen);

		if (feed != NULL) {
			*length = (size_t)(feed - first);
			*next = *length + 1;
			break;
		}
		seen = have;
		if (have > reader->record_limit)
			return false;
		if (reader_more(reader))
			continue;
		if (!reader->ended)
			return false;
		*length = *next = have;
		break;
	}
	if (*length > 0 && reader->buffer[reader->begin + *length - 1] == '\r')
		(*length)--;
	return *length <= reader->record_limit;
}

void
reader_consume(struct reader *reader, size_t size)
{
	const char *at = reader->buffer + reader->begin, *end = at + size;
	int64_t lines = 0;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at) /* the last line may have no end */
		lines++;
	if (reader->ended && size > 0 && reader->begin + size == reader->end && end[-1] != '\n')
		lines++;
	reader->counts.lines += lines;
	reader->line += lines;
	reader->begin += size;
}

/* Throws away what is left of a line that was too long. */
static void
skip_line(struct reader *reader)
{
	do {
		const char *first = reader->buffer + reader->begin;
		const char *feed = memchr(first, '\n', reader->end - reader->begin);

		if (feed != NULL) {
			reader_consume(reader, (size_t)(feed - first) + 1);
			reader->skipping = false;
			return;
		}
		reader->begin = reader->end;
	} while (reader_more(reader));
	if (reader->ended) { /* a last line without an end is one, too */
		reader->counts.lines++;
		reader->line++;
	}
	reader->skipping = false;
}

enum reader_step
reader_reject_line(struct reader *reader, enum rule rule)
{
	size_t length, next;
	bool whole = reader_line(reader, &length, &next);

	if (reader->error[0] != '\0')
		return READER_FAILED;
	if (!whole) {
		length = reader->end - reader->begin;
		rule = RULE_TOO_LONG;
	}
	reader->record_line = reader->line;
	reader->raw = reader->buffer + reader->begin;
	reader->raw_length = length;
	reader->rule = rule;
	reader->column = -1;
	reader->counts.rejected++;
	if (whole)
		reader_consume(reader, next);
	else
		reader->skipping = true; /* at the next call: raw must stay until then */
	return READER_REJECT;
}

bool
reader_scratch(struct reader *reader, size_t size)
{
	char *larger;

	reader->scratch_used = 0;
	if (size <= reader->scratch_size)
		return true;
	larger = realloc(reader->scratch, size * 2);
	if (larger == NULL) {
		(void)reader_fail(reader, "no memory for a record of %zu bytes", size);
		return false;
	}
	reader->scratch = larger;
	reader->scratch_size = size * 2;
	return true;
}

void
reader_refuse(struct reader *reader, int column, enum rule rule)
{
	reader->counts.rows--;
	reader->counts.rejected++;
	reader->column = column;
	reader->rule = rule;
}

/* UTF-8 may carry a mark; other encodings would only give rejects. */
static bool
skip_mark(struct reader *reader)
{
	const unsigned char *first;

	while (reader->end - reader->begin < 3 && reader_more(reader))
		;
	first = (const unsigned char *)reader->buffer + reader->begin;
	if (reader->end - reader->begin >= 3 && memcmp(first, "\xEF\xBB\xBF", 3) == 0)
		reader->begin += 3;
	else if (reader->end - reader->begin >= 2 &&
		 (memcmp(first, "\xFF\xFE", 2) == 0 || memcmp(first, "\xFE\xFF", 2) == 0))
		(void)reader_fail(reader, "is UTF-16; only UTF-8 is read");
	else if (reader->end - reader->begin >= 2 && memcmp(first, "\x1F\x8B", 2) == 0)
		(void)reader_fail(reader, "is compressed");
	return reader->error[0] == '\0';
}

enum reader_step
reader_next(struct reader *reader)
{
	enum reader_step step;

	if (reader->error[0] != '\0' || (!reader->started && !skip_mark(reader)))
		return READER_FAILED;
	if (reader->skipping)
		skip_line(reader);
	switch (reader->input->format) {
	case DUCK_NDJSON: step = reader_next_ndjson(reader); break;
	case DUCK_JSON: step = reader_next_json(reader); break;
	case DUCK_CSV: step = reader_next_csv(reader); break;
	case DUCK_PARQUET:
	default: return reader_fail(reader, "is not read here");
	}
	reader->started = true;
	if (step == READER_ROW) {
		reader->counts.rows++;
		reader->column = -1;
		reader->rule = RULE_NONE;
	}
	return reader->error[0] != '\0' ? READER_FAILED : step;
}
