/*
 * DESIGN. A suspended connection cannot end, so a stream that is suspended exists; the reader suspends and the pump resumes
 * under the same lock, and draining sets a flag under it that forbids to suspend: afterwards the daemon may be
 * stopped. The pump reads the database without the lock, with a copy of the stream's place; whoever stands at that place
 * when it comes back gets the lines.
 */
#include "server/streams.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "server/stream_buffer.h"

enum {
	BLOCK_BYTES = 32 * 1024,
	PAGE_LINES = 500,
};
static const int64_t TICK_US = CLOCK_SECOND_US;
static const int64_t KEEPALIVE_US = 15 * CLOCK_SECOND_US;

/* Where a stream stands: equal places are served by one query. */
struct place {
	char run_id[UUID_TEXT_LENGTH + 1];
	char step_id[UUID_TEXT_LENGTH + 1]; /* "": all */
	char level[8];                      /* "": all */
	int64_t after;
};

struct stream {
	struct stream *next, **link;
	struct streams *streams;
	struct MHD_Connection *connection;
	struct place place;
	enum stream_format format;
	struct stream_buffer buffer;
	bool behind; /* there may be lines after its place */
	bool suspended;
	bool ended;        /* nothing comes after what is in the buffer */
	bool cut;          /* ended by the drain: there may be lines that it has not given */
	int64_t filled_us; /* monotonic */
};

struct streams {
	struct streams_options options;
	pthread_mutex_t lock; /* of everything below and in every stream */
	pthread_cond_t changed;
	struct stream *first;
	bool draining, stopping, started;
	pthread_t thread;
};

struct streams *
streams_new(struct ctx *ctx, const struct streams_options *options)
{
	struct streams *streams = ctx_alloc(ctx, sizeof(*streams));
	pthread_condattr_t monotonic;

	streams->options = *options;
	ASSERT(pthread_mutex_init(&streams->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&monotonic) == 0);
	ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&streams->changed, &monotonic) == 0);
	return streams;
}

static bool
append(struct stream *stream, const char *head, const char *body, const char *tail)
{
	if (!stream_buffer_add(&stream->buffer, head, body, tail))
		return false;
	stream->filled_us = clock_monotonic_us();
	return true;
}

static bool
append_line(struct stream *stream, int64_t id, const char *line)
{
	char head[64] = "";

	if (stream->format == STREAM_SSE)
		(void)snprintf(head, sizeof(head), "id: %lld\nevent: log\ndata: ", (long long)id);
	return append(stream, head, line, stream->format == STREAM_SSE ? "\n\n" : "\n");
}

static void
resume(struct stream *stream)
{
	if (!stream->suspended || (stream->buffer.length == 0 && !stream->ended))
		return;
	stream->suspended = false;
	MHD_resume_connection(stream->connection);
}

/* Events say themselves when they are over. Lines do not, so that a client would take a whole answer for the whole log: theirs is
 * broken off. */
static ssize_t
end_of(const struct stream *stream)
{
	return stream->cut && stream->format == STREAM_NDJSON ? MHD_CONTENT_READER_END_WITH_ERROR
							      : MHD_CONTENT_READER_END_OF_STREAM;
}

/* Called by the library's thread for the next bytes; 0 only with the connection suspended. */
static ssize_t
read_stream(void *arg, uint64_t position, char *bytes, size_t most)
{
	struct stream *stream = arg;
	struct streams *streams = stream->streams;
	ssize_t given = 0;

	(void)position;
	pthread_mutex_lock(&streams->lock);
	if (stream->buffer.length > 0) {
		given = (ssize_t)stream_buffer_take(&stream->buffer, bytes, most);
		if (stream->behind && stream_buffer_has_room(&stream->buffer))
			pthread_cond_signal(&streams->changed);
	} else if (stream->ended) {
		given = end_of(stream);
	} else {
		stream->suspended = true;
		MHD_suspend_connection(stream->connection);
	}
	pthread_mutex_unlock(&streams->lock);
	return given;
}

static void
close_stream(void *arg)
{
	struct stream *stream = arg;
	struct streams *streams = stream->streams;

	pthread_mutex_lock(&streams->lock);
	*stream->link = stream->next;
	if (stream->next != NULL)
		stream->next->link = stream->link;
	pthread_mutex_unlock(&streams->lock);
	stream_buffer_free(&stream->buffer);
	free(stream);
}

static void
set_place(struct place *place, const struct reply *reply)
{
	(void)snprintf(place->run_id, sizeof(place->run_id), "%s", reply->run_id);
	(void)snprintf(place->step_id, sizeof(place->step_id), "%s", reply->step_id != NULL ? reply->step_id : "");
	(void)snprintf(place->level, sizeof(place->level), "%s", reply->level != NULL ? reply->level : "");
	place->after = reply->after;
}

struct MHD_Response *
streams_open(struct streams *streams, struct MHD_Connection *connection, const struct reply *reply)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct MHD_Response *response;

	ASSERT(stream != NULL);
	stream->streams = streams;
	stream->connection = connection;
	stream->format = reply->format;
	set_place(&stream->place, reply);
	stream->filled_us = clock_monotonic_us();
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream, close_stream);
	ASSERT(response != NULL);
	pthread_mutex_lock(&streams->lock);
	stream->behind = true;
	stream->ended = stream->cut = streams->draining;
	stream->next = streams->first;
	stream->link = &streams->first;
	if (stream->next != NULL)
		stream->next->link = &stream->next;
	streams->first = stream;
	pthread_cond_signal(&streams->changed);
	pthread_mutex_unlock(&streams->lock);
	return response;
}

void
streams_changed(struct streams *streams, const char *run_id)
{
	bool any = false;

	pthread_mutex_lock(&streams->lock);
	for (struct stream *s = streams->first; s != NULL; s = s->next) {
		if (strcmp(s->place.run_id, run_id) == 0)
			s->behind = any = true;
	}
	if (any)
		pthread_cond_signal(&streams->changed);
	pthread_mutex_unlock(&streams->lock);
}

/* ---- the pump; all but fetch under the lock */

static struct stream *
next_to_fill(const struct streams *streams)
{
	struct stream *stream = streams->first;

	while (stream != NULL && (!stream->behind || stream->ended || !stream_buffer_has_room(&stream->buffer)))
		stream = stream->next;
	return stream;
}

static bool
stands_at(const struct stream *stream, const struct place *place)
{
	return stream->place.after == place->after && strcmp(stream->place.run_id, place->run_id) == 0 &&
	       strcmp(stream->place.step_id, place->step_id) == 0 && strcmp(stream->place.level, place->level) == 0;
}

static void
set_behind(struct streams *streams, const struct place *place, bool behind)
{
	for (struct stream *s = streams->first; s != NULL; s = s->next)
		if (stands_at(s, place))
			s->behind = behind;
}

static bool
fetch(struct streams *streams, struct ctx *ctx, const struct place *place, struct log_lines *lines, bool *final)
{
	struct log_filter filter = {
	    .run_id = place->run_id,
	    .after = place->after,
	    .level = place->level[0] != '\0' ? place->level : NULL,
	    .step_id = place->step_id[0] != '\0' ? place->step_id : NULL,
	    .limit = PAGE_LINES,
	};

	if (streams->options.lines(ctx, streams->options.arg, &filter, lines, final))
		return true;
	log_failure(ctx, "log streams wait for the control database");
	return false;
}

static void
fill(struct stream *stream, const struct log_lines *lines, bool final)
{
	size_t taken = 0;

	while (taken < lines->count && append_line(stream, lines->ids[taken], lines->lines[taken]))
		stream->place.after = lines->ids[taken++];
	if (taken < lines->count || lines->more) {
		stream->behind = true;
	} else if (final) {
		stream->ended = stream->format != STREAM_SSE || append(stream, "event: end\n", "data: {}", "\n\n");
		stream->behind = !stream->ended;
	}
	resume(stream);
}

/* Fills every stream that stands where the first one behind stands. False: the database did not answer. */
static bool
pump_one(struct streams *streams, const struct stream *first)
{
	struct ctx *ctx = ctx_new("log streams", 0);
	struct place place = first->place;
	struct log_lines lines = {0};
	bool final = false, ok;

	set_behind(streams, &place, false);
	pthread_mutex_unlock(&streams->lock);
	ok = fetch(streams, ctx, &place, &lines, &final);
	pthread_mutex_lock(&streams->lock);
	for (struct stream *s = streams->first; ok && s != NULL; s = s->next)
		if (!s->ended && stands_at(s, &place))
			fill(s, &lines, final);
	ctx_free(ctx);
	return ok;
}

/* Once a second: nobody relies on being told. */
static void
tick(struct streams *streams)
{
	int64_t now_us = clock_monotonic_us();

	for (struct stream *s = streams->first; s != NULL; s = s->next) {
		s->behind = !s->ended;
		if (s->buffer.length == 0 && !s->ended && now_us - s->filled_us >= KEEPALIVE_US)
			(void)append(s, s->format == STREAM_SSE ? ":" : "", s->format == STREAM_SSE ? "\n" : "", "\n");
		resume(s);
	}
}

static void *
run_pump(void *arg)
{
	struct streams *streams = arg;
	int64_t tick_us = clock_monotonic_us() + TICK_US;
	bool asks = true; /* false until the next tick after the database failed */

	pthread_mutex_lock(&streams->lock);
	while (!streams->stopping) {
		struct stream *stream = asks ? next_to_fill(streams) : NULL;
		struct timespec until = {tick_us / CLOCK_SECOND_US, tick_us % CLOCK_SECOND_US * 1000};

		if (clock_monotonic_us() >= tick_us) {
			tick(streams);
			tick_us = clock_monotonic_us() + TICK_US;
			asks = true;
		} else if (stream != NULL) {
			asks = pump_one(streams, stream);
		} else {
			(void)pthread_cond_timedwait(&streams->changed, &streams->lock, &until);
		}
	}
	pthread_mutex_unlock(&streams->lock);
	return NULL;
}

void
streams_start(struct streams *streams)
{
	ASSERT(pthread_create(&streams->thread, NULL, run_pump, streams) == 0);
	streams->started = true;
}

void
streams_drain(struct streams *streams)
{
	pthread_mutex_lock(&streams->lock);
	streams->draining = true;
	for (struct stream *s = streams->first; s != NULL; s = s->next) {
		s->cut = s->cut || !s->ended;
		s->ended = true;
		resume(s);
	}
	pthread_mutex_unlock(&streams->lock);
}

void
streams_stop(struct streams *streams)
{
	streams_drain(streams);
	pthread_mutex_lock(&streams->lock);
	streams->stopping = true;
	pthread_cond_signal(&streams->changed);
	pthread_mutex_unlock(&streams->lock);
	if (streams->started)
		pthread_join(streams->thread, NULL);
	streams->started = false;
}
