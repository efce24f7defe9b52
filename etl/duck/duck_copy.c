/*
 * DESIGN. Three pipes of the child are read by one thread, which also feeds the COPY. While the warehouse is slow nothing is read,
 * so the child waits, too. When the rows end, the other pipes are read to their ends and the child is waited for before the COPY
 * may end: rows of a child that failed at its last breath are rolled back by the COPY's error.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "etl/duck/job.h"

enum { TICK_MS = 100, LONGEST_LINE = 256 * 1024, END_US = 10 * 1000 * 1000 };

static struct duck_counts
counts_of(const json_t *event)
{
	return (struct duck_counts){.lines = json_int_or(event, "lines", 0),
	    .rows = json_int_or(event, "rows", 0),
	    .rejected = json_int_or(event, "rejected", 0),
	    .blank = json_int_or(event, "blank", 0),
	    .bytes = json_int_or(event, "bytes", 0)};
}

static const struct duck_file *
file_at(const struct duck_request *request, int64_t index)
{
	for (size_t i = 0; i < request->input_count; i++) {
		const struct duck_input *input = &request->inputs[i];

		if (index >= 0 && index < (int64_t)input->file_count)
			return &input->files[index];
		index -= (int64_t)input->file_count;
	}
	return NULL;
}

static bool
hear_reject(struct ctx *ctx, struct duck_job *job, const json_t *event)
{
	struct duck_reject reject = {.file = file_at(job->request, json_int_or(event, "file", -1)),
	    .line = json_int_or(event, "line", 0),
	    .column = json_string_or(event, "column", NULL),
	    .rule = json_string_or(event, "rule", ""),
	    .raw = json_string_or(event, "raw", NULL)};

	if (reject.file == NULL)
		return fail(ctx, FAIL_DUCK, "a reject of an unknown file");
	return job->listener == NULL || job->listener->reject == NULL ||
	       job->listener->reject(ctx, job->listener->arg, &reject);
}

static bool
hear_progress(struct ctx *ctx, struct duck_job *job, const json_t *event)
{
	struct duck_counts read = counts_of(event);

	return job->listener == NULL || job->listener->progress == NULL ||
	       job->listener->progress(ctx, job->listener->arg, &read, json_int_or(event, "rows_out", 0));
}

static bool
hear_event(struct ctx *ctx, struct duck_job *job, const json_t *event)
{
	const char *kind = json_string_or(event, "event", "");
	int64_t file = json_int_or(event, "file", -1);

	if (text_equal(kind, "reject"))
		return hear_reject(ctx, job, event);
	if (text_equal(kind, "progress"))
		return hear_progress(ctx, job, event);
	if (text_equal(kind, "error"))
		return fail(ctx, fail_code_find(json_string_or(event, "code", "")), "%s",
		    json_string_or(event, "message", ""));
	if (text_equal(kind, "file") && file >= 0 && file < (int64_t)job->result->file_count) {
		job->result->files[file] = counts_of(event);
	} else if (text_equal(kind, "done")) {
		job->done = true;
		job->result->read = counts_of(event);
		job->result->rows_out = json_int_or(event, "rows_out", 0);
	}
	return true;
}

static bool
hear_line(struct ctx *ctx, struct duck_job *job, struct lines *lines, const char *line, size_t length)
{
	CTX_SCOPE(tmp, ctx);
	json_t *event;

	if (lines == &job->errors) {
		(void)snprintf(job->last_error, sizeof(job->last_error), "%.*s", (int)(length < 500 ? length : 500),
		    line);
		log_line(ctx, LOG_WARN, "the process that reads files says", "text", ctx_strndup(tmp, line, length),
		    NULL);
		return true;
	}
	return json_parse(tmp, line, length, &event) && hear_event(tmp, job, event);
}

/* Whole lines of what is there; the rest stays. */
static bool
hear_lines(struct ctx *ctx, struct duck_job *job, struct lines *lines)
{
	char *first = lines->buffer, *feed;
	bool good = true;

	while (good && (feed = memchr(first, '\n', lines->length - (size_t)(first - lines->buffer))) != NULL) {
		good = hear_line(ctx, job, lines, first, (size_t)(feed - first));
		first = feed + 1;
	}
	lines->length -= (size_t)(first - lines->buffer);
	memmove(lines->buffer, first, lines->length);
	if (lines->length == lines->capacity) /* a line without an end */
		lines->length = 0;
	return good;
}

/* Everything a pipe holds now. */
static bool
drain(struct ctx *ctx, struct duck_job *job, struct lines *lines)
{
	ssize_t got;

	if (lines->buffer == NULL) {
		lines->capacity = LONGEST_LINE;
		lines->buffer = ctx_alloc(job->ctx, lines->capacity);
	}
	while (lines->fd >= 0) {
		got = read(lines->fd, lines->buffer + lines->length, lines->capacity - lines->length);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR ||
			       fail(ctx, FAIL_IO, "a pipe broke: %s", strerrordesc_np(errno));
		if (got == 0) {
			lines->fd = -1; /* its ctx closes it */
			break;
		}
		lines->length += (size_t)got;
		if (!hear_lines(ctx, job, lines))
			return false;
	}
	return true;
}

static bool
wait_pipes(struct duck_job *job)
{
	struct pollfd fds[] = {{.fd = job->rows, .events = POLLIN}, {.fd = job->events.fd, .events = POLLIN},
	    {.fd = job->errors.fd, .events = POLLIN}};

	return poll(fds, 3, TICK_MS) > 0;
}

/* The child's way of leaving, when it was not "done" and 0. An error event has been the failure before this. */
static bool
fail_end(struct ctx *ctx, struct duck_job *job)
{
	bool signalled = WIFSIGNALED(job->status);
	const char *said = job->last_error[0] != '\0' ? job->last_error : "nothing";

	if (signalled && WTERMSIG(job->status) == SIGXCPU)
		return fail(ctx, FAIL_TRANSFORM,
		    "the process that reads files used more than its %lld seconds of processor time",
		    (long long)job->request->limits.cpu_seconds);
	if (strstr(said, "bad_alloc") != NULL || strstr(said, "emory") != NULL)
		return fail(ctx, FAIL_MEMORY_LIMIT, "the process that reads files ran out of its memory: %s", said);
	if (signalled)
		return fail(ctx, FAIL_DUCK, "the process that reads files was ended by signal %s; it said: %s",
		    sigabbrev_np(WTERMSIG(job->status)), said);
	return fail(ctx, FAIL_DUCK, "the process that reads files left with exit code %d; it said: %s",
	    WEXITSTATUS(job->status), said);
}

/* The rows have ended: everything else is read, and the child is waited for. */
static bool
end_child(struct ctx *ctx, struct duck_job *job)
{
	int64_t deadline_us = clock_monotonic_us() + END_US;

	while (job->events.fd >= 0 || job->errors.fd >= 0) {
		if (!drain(ctx, job, &job->events) || !drain(ctx, job, &job->errors))
			return false;
		if (clock_monotonic_us() > deadline_us || ctx_cancelled(ctx) != CANCEL_NONE)
			break;
		if (job->events.fd >= 0 || job->errors.fd >= 0)
			(void)wait_pipes(job);
	}
	while (clock_monotonic_us() < deadline_us) {
		pid_t ended = waitpid(job->pid, &job->status, WNOHANG);

		if (ended == job->pid) {
			job->pid = 0;
			break;
		}
		clock_sleep_ms(1);
	}
	if (job->pid != 0)
		return fail(ctx, FAIL_DUCK, "the process that reads files does not end");
	return (job->done && job->status == 0) || fail_end(ctx, job);
}

/* struct pg_feed: at most `room` bytes of rows, after at most a tick. */
static bool
feed(struct ctx *ctx, void *arg, char *bytes, size_t room, struct pg_fed *fed)
{
	struct duck_job *job = arg;
	ssize_t got;

	if (!drain(ctx, job, &job->events) || !drain(ctx, job, &job->errors))
		return false;
	got = read(job->rows, bytes, room);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		(void)wait_pipes(job);
		return true;
	}
	if (got < 0)
		return fail(ctx, FAIL_IO, "a pipe broke: %s", strerrordesc_np(errno));
	fed->length = (size_t)got;
	fed->ended = got == 0;
	return !fed->ended || end_child(ctx, job);
}

static void
prepare_result(struct ctx *ctx, struct duck_job *job, struct duck_result *result)
{
	*result = (struct duck_result){0};
	for (size_t i = 0; i < job->request->input_count; i++)
		result->file_count += job->request->inputs[i].file_count;
	result->files = ctx_alloc_array(ctx, result->file_count, sizeof(*result->files));
	job->result = result;
}

bool
duck_copy(struct ctx *ctx, struct duck_job *job, struct pg *to, const char *copy_from,
    const struct duck_listener *listener, struct duck_result *result)
{
	const struct pg_feed source = {.read = feed, .arg = job, .what = "the files' rows"};
	struct pg_copied copied = {0};
	bool good;

	prepare_result(ctx, job, result);
	job->listener = listener;
	good = pg_copy_from(ctx, to, copy_from, &source, &copied);
	result->bytes_out = copied.bytes;
	duck_stop(job);
	if (good && copied.rows != result->rows_out)
		return fail(ctx, FAIL_ROW_LAW, "%lld rows were read from files, and %lld arrived",
		    (long long)result->rows_out, (long long)copied.rows);
	return good;
}
