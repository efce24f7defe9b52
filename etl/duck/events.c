/* events: what the child says, one JSON object a line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "etl/duck/child.h"

enum { RAW_BYTES = 4096, PROGRESS_US = 500 * 1000, REJECT_EVENTS = 1000 };

/* Under the lock. Nobody listens any more: the watcher ends the process. */
static void
send_line(struct text *line)
{
	size_t sent = 0;

	text_add(line, "}\n");
	while (sent < line->length) {
		ssize_t n = write(FD_EVENTS, line->data + sent, line->length - sent);

		if (n < 0 && errno != EINTR)
			return;
		sent += n > 0 ? (size_t)n : 0;
	}
}

static void
add_counts(struct text *line, const struct duck_counts *counts)
{
	text_addf(line, ",\"lines\":%lld,\"rows\":%lld,\"rejected\":%lld,\"blank\":%lld,\"bytes\":%lld",
	    (long long)counts->lines, (long long)counts->rows, (long long)counts->rejected, (long long)counts->blank,
	    (long long)counts->bytes);
}

/* At most RAW_BYTES, cut before a character, as JSON. */
static void
add_raw(struct ctx *ctx, struct text *line, const char *raw, size_t length)
{
	char *copy;

	if (length > RAW_BYTES) {
		length = RAW_BYTES;
		while (length > RAW_BYTES - 4 && (raw[length] & 0xC0) == 0x80)
			length--;
	}
	copy = ctx_strndup(ctx, raw, length);
	for (size_t i = 0; i < length; i++)
		if (copy[i] == '\0')
			copy[i] = '?';
	text_add(line, ",\"raw\":");
	json_quote(line, text_sanitize(ctx, copy));
}

static void
tell_reject(const struct record *record, bool hide_raw)
{
	struct ctx *ctx = ctx_new("reject", 0);
	struct text line;

	text_init(&line, ctx);
	text_addf(&line, "{\"event\":\"reject\",\"file\":%zu,\"line\":%lld,\"rule\":\"%s\"", record->file,
	    (long long)record->line, record->rule);
	if (record->column != NULL) {
		text_add(&line, ",\"column\":");
		json_quote(&line, record->column);
	}
	if (!hide_raw)
		add_raw(ctx, &line, record->raw, record->raw_length);
	send_line(&line);
	ctx_free(ctx);
}

bool
events_reject(struct child *child, const struct record *record, bool hide_raw)
{
	const struct duck_limits *limits = &child->request->limits;
	int64_t most = limits->reject_events > 0 ? limits->reject_events : REJECT_EVENTS;
	bool too_many;

	(void)pthread_mutex_lock(&child->lock);
	child->read.rejected++;
	too_many = limits->reject_rows >= 0 && child->read.rejected > limits->reject_rows;
	if (child->rejects_told[record->file]++ < most && !child->failed)
		tell_reject(record, hide_raw);
	(void)pthread_mutex_unlock(&child->lock);
	return !too_many ||
	       events_error(child, "file_rejects", "more than %lld rejected records", (long long)limits->reject_rows);
}

void
events_file(struct child *child, size_t file, const struct duck_counts *counts)
{
	struct ctx *ctx = ctx_new("file", 0);
	struct text line;

	text_init(&line, ctx);
	text_addf(&line, "{\"event\":\"file\",\"file\":%zu", file);
	add_counts(&line, counts);
	(void)pthread_mutex_lock(&child->lock);
	child->read.lines += counts->lines;
	child->read.rows += counts->rows;
	child->read.blank += counts->blank;
	child->read.bytes += counts->bytes;
	if (!child->failed)
		send_line(&line);
	(void)pthread_mutex_unlock(&child->lock);
	ctx_free(ctx);
}

static void
tell_counts(struct child *child, const char *event, int64_t rows_out)
{
	struct ctx *ctx = ctx_new("counts", 0);
	struct text line;

	text_init(&line, ctx);
	text_addf(&line, "{\"event\":\"%s\",\"rows_out\":%lld", event, (long long)rows_out);
	add_counts(&line, &child->read);
	send_line(&line);
	ctx_free(ctx);
}

void
events_progress(struct child *child, int64_t rows_out)
{
	int64_t now_us = clock_monotonic_us();

	(void)pthread_mutex_lock(&child->lock);
	if (now_us - child->progress_us > PROGRESS_US && !child->failed) {
		child->progress_us = now_us;
		tell_counts(child, "progress", rows_out);
	}
	(void)pthread_mutex_unlock(&child->lock);
}

void
events_done(struct child *child, int64_t rows_out)
{
	(void)pthread_mutex_lock(&child->lock);
	if (!child->failed)
		tell_counts(child, "done", rows_out);
	(void)pthread_mutex_unlock(&child->lock);
}

bool
events_error(struct child *child, const char *code, const char *fmt, ...)
{
	struct ctx *ctx = ctx_new("error", 0);
	struct text line;
	va_list args;

	text_init(&line, ctx);
	text_addf(&line, "{\"event\":\"error\",\"code\":\"%s\",\"message\":", code);
	va_start(args, fmt);
	json_quote(&line, text_sanitize(ctx, ctx_vprintf(ctx, fmt, args)));
	va_end(args);
	(void)pthread_mutex_lock(&child->lock);
	if (!child->failed)
		send_line(&line);
	child->failed = true;
	(void)pthread_mutex_unlock(&child->lock);
	ctx_free(ctx);
	return false;
}
