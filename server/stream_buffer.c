#include "server/stream_buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

enum { LEAST_CAPACITY = 32 * 1024 };

static void
reserve(struct stream_buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity > 0 ? buffer->capacity : LEAST_CAPACITY;

	if (buffer->start > 0)
		memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->length);
	buffer->start = 0;
	while (capacity < needed)
		capacity *= 2;
	if (capacity == buffer->capacity)
		return;
	buffer->bytes = realloc(buffer->bytes, capacity);
	ASSERT(buffer->bytes != NULL);
	buffer->capacity = capacity;
}

static void
append(struct stream_buffer *buffer, const char *s, size_t length)
{
	memcpy(buffer->bytes + buffer->start + buffer->length, s, length);
	buffer->length += length;
}

bool
stream_buffer_add(struct stream_buffer *buffer, const char *head, const char *body, const char *tail)
{
	size_t sizes[] = {strlen(head), strlen(body), strlen(tail)};
	size_t needed = buffer->length + sizes[0] + sizes[1] + sizes[2];

	buffer->full = needed > STREAM_BUFFER_LIMIT_BYTES && buffer->length > 0;
	if (buffer->full)
		return false;
	if (buffer->start + needed > buffer->capacity)
		reserve(buffer, needed);
	append(buffer, head, sizes[0]);
	append(buffer, body, sizes[1]);
	append(buffer, tail, sizes[2]);
	return true;
}

size_t
stream_buffer_take(struct stream_buffer *buffer, char *bytes, size_t most)
{
	size_t given = buffer->length < most ? buffer->length : most;

	if (given == 0)
		return 0;
	memcpy(bytes, buffer->bytes + buffer->start, given);
	buffer->start += given;
	buffer->length -= given;
	buffer->full = buffer->full && buffer->length > STREAM_BUFFER_LIMIT_BYTES / 2;
	if (buffer->length == 0)
		stream_buffer_free(buffer);
	return given;
}

bool
stream_buffer_has_room(const struct stream_buffer *buffer)
{
	return !buffer->full && buffer->length <= STREAM_BUFFER_LIMIT_BYTES / 4 * 3;
}

void
stream_buffer_free(struct stream_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct stream_buffer){0};
}
