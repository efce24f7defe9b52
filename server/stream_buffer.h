/* stream_buffer: bytes between the pump and a client: bounded, and no memory when empty. The caller locks. */
#ifndef SERVER_STREAM_BUFFER_H
#define SERVER_STREAM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

enum { STREAM_BUFFER_LIMIT_BYTES = 256 * 1024 };

struct stream_buffer {
	char *bytes;
	size_t start, length, capacity;
	bool full; /* something did not fit: wait until the client has read */
};

/* Adds all three texts or, when they would cross the limit, none. An empty buffer takes anything. */
bool stream_buffer_add(struct stream_buffer *buffer, const char *head, const char *body, const char *tail);

/* Moves up to most bytes out; how many. */
size_t stream_buffer_take(struct stream_buffer *buffer, char *bytes, size_t most);

/* Worth filling: nothing was refused and a quarter is free. */
bool stream_buffer_has_room(const struct stream_buffer *buffer);

void stream_buffer_free(struct stream_buffer *buffer);

#endif
