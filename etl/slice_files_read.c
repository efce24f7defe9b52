/* slice_files_read: files through the child process into staging. */
#include "etl/slice_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"

enum { PROGRESS_US = 10 * 1000 * 1000, TOLD_PER_FILE = 1000 };

/* Reads one set of files: the listener's state. */
struct reading {
	struct loading *loading;
	struct slice_files *files;
	struct duck_request request;
	struct duck_input input;
	struct slice_file **read; /* as request's files */
	int spool;                /* rejects as rows of a COPY; -1: none yet */
	int64_t spooled;
	int64_t progress_us; /* when progress was logged last */
};

static void
close_fd(void *handle)
{
	(void)close((int)(intptr_t)handle);
}

/* As COPY's text format has it: NULL is \N. */
static void
add_value(struct text *line, const char *value)
{
	if (value == NULL)
		text_add(line, "\\N");
	for (; value != NULL && *value != '\0'; value++) {
		switch (*value) {
		case '\\': text_add(line, "\\\\"); break;
		case '\n': text_add(line, "\\n"); break;
		case '\r': text_add(line, "\\r"); break;
		case '\t': text_add(line, "\\t"); break;
		default: text_add_bytes(line, value, 1);
		}
	}
}

static bool
spool(struct ctx *ctx, struct reading *reading, const struct text *line)
{
	size_t sent = 0;

	if (reading->spool < 0) {
		reading->spool = open(reading->request.temp_folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (reading->spool < 0)
			return fail(ctx, FAIL_IO, "cannot make a file in %s: %s", reading->request.temp_folder,
			    strerrordesc_np(errno));
	}
	while (sent < line->length) {
		ssize_t n = write(reading->spool, line->data + sent, line->length - sent);

		if (n < 0 && errno != EINTR)
			return fail(ctx, errno == ENOSPC ? FAIL_DISK_FULL : FAIL_IO, "rejects cannot be kept: %s",
			    strerrordesc_np(errno));
		sent += n > 0 ? (size_t)n : 0;
	}
	reading->spooled++;
	return true;
}

static bool
hear_reject(struct ctx *ctx, void *arg, const struct duck_reject *reject)
{
	CTX_SCOPE(tmp, ctx);
	struct reading *reading = arg;
	size_t index = (size_t)(reject->file - reading->input.files);
	struct text line;

	ASSERT(index < reading->input.file_count);
	text_init(&line, tmp);
	text_addf(&line, "%lld\t", (long long)reject->file->id);
	add_value(&line, reading->read[index]->entry.path);
	text_addf(&line, "\t%lld\t", (long long)reject->line);
	add_value(&line, reject->column);
	text_add(&line, "\t");
	add_value(&line, reject->rule);
	text_add(&line, "\t");
	add_value(&line, reject->raw);
	text_add(&line, "\n");
	return spool(ctx, reading, &line);
}

static bool
hear_progress(struct ctx *ctx, void *arg, const struct duck_counts *read, int64_t rows_out)
{
	struct reading *reading = arg;
	json_t *fields;

	if (clock_monotonic_us() - reading->progress_us < PROGRESS_US)
		return true;
	reading->progress_us = clock_monotonic_us();
	fields = json_new_object(ctx);
	json_put_string(ctx, fields, "table", reading->loading->table);
	json_put_int(fields, "rows_read", read->rows + read->rejected);
	json_put_int(fields, "bytes_read", read->bytes);
	json_put_int(fields, "rows_out", rows_out);
	log_event(ctx, reading->loading->job, LOG_INFO, "reading files", fields);
	return true;
}

static void
describe_input(struct ctx *ctx, struct reading *reading)
{
	const struct spec_table *table = reading->loading->job->table;
	const struct spec_source *source = table->source;
	struct duck_input *input = &reading->input;

	*input = (struct duck_input){.name = source->name,
	    .format = (enum duck_format)source->format,
	    .csv = {.delimiter = source->csv_delimiter, .quote = source->csv_quote, .null_text = source->csv_null},
	    .columns = ctx_alloc_array(ctx, table->field_count, sizeof(*input->columns)),
	    .column_count = table->field_count,
	    .files = ctx_alloc_array(ctx, reading->files->count + 1, sizeof(*input->files))};
	reading->read = ctx_alloc_array(ctx, reading->files->count + 1, sizeof(*reading->read));
	for (size_t i = 0; i < table->field_count; i++)
		input->columns[i] = (struct duck_column){.name = table->fields[i].name,
		    .from = table->fields[i].from,
		    .type = table->fields[i].type};
	for (size_t i = 0; i < reading->files->count; i++) {
		struct slice_file *file = &reading->files->items[i];

		if (file->error != NULL)
			continue;
		reading->read[input->file_count] = file;
		input->files[input->file_count++] = (struct duck_file){.path = file->real_path, .id = file->id};
	}
}

/* The declared columns, file_id (which is the last of them), and loadstar_line where there is one. */
static void
describe_columns(struct ctx *ctx, const struct spec_table *table, struct duck_request *request)
{
	const struct spec_type bigint = {.kind = TYPE_BIGINT};

	request->columns = ctx_alloc_array(ctx, table->column_count + 1, sizeof(*request->columns));
	for (size_t i = 0; i < table->column_count; i++)
		request->columns[request->column_count++] =
		    (struct duck_column){.name = table->columns[i].implicit ? "loadstar_file" : table->columns[i].name,
			.type = table->columns[i].type};
	if (table->transform == NULL || table->transform_lines)
		request->columns[request->column_count++] =
		    (struct duck_column){.name = "loadstar_line", .type = bigint};
}

static bool
describe_request(struct ctx *ctx, struct reading *reading)
{
	const struct slice_job *job = reading->loading->job;
	struct duck_request *request = &reading->request;

	*request = (struct duck_request){.inputs = &reading->input,
	    .input_count = 1,
	    .transform = job->table->transform,
	    .limits = files_limits(job->config, job->table)};
	request->limits.reject_events = TOLD_PER_FILE;
	describe_input(ctx, reading);
	describe_columns(ctx, job->table, request);
	return files_temp_folder(ctx, job->config, &request->temp_folder);
}

/* struct pg_feed */
static bool
read_spool(struct ctx *ctx, void *arg, char *bytes, size_t room, struct pg_fed *fed)
{
	const struct reading *reading = arg;
	ssize_t n = read(reading->spool, bytes, room);

	if (n < 0)
		return errno == EINTR || fail(ctx, FAIL_IO, "rejects cannot be read: %s", strerrordesc_np(errno));
	fed->length = (size_t)n;
	fed->ended = n == 0;
	return true;
}

static bool
copy_rejects(struct ctx *ctx, struct reading *reading)
{
	const struct pg_feed feed = {.read = read_spool, .arg = reading, .what = "rejects"};
	struct pg_copied copied;

	if (reading->spool < 0)
		return true;
	if (lseek(reading->spool, 0, SEEK_SET) != 0)
		return fail(ctx, FAIL_IO, "rejects cannot be read: %s", strerrordesc_np(errno));
	return pg_copy_from(ctx, reading->loading->warehouse,
	    "COPY loadstar_rejects (file_id, file, line, column_name, rule, raw_text) FROM STDIN", &feed, &copied);
}

static void
count(struct reading *reading, const struct duck_result *result)
{
	struct slice_outcome *outcome = reading->loading->outcome;

	for (size_t i = 0; i < result->file_count; i++) {
		reading->read[i]->rows = result->files[i].rows;
		reading->read[i]->rejected = result->files[i].rejected;
	}
	outcome->bytes_read = result->read.bytes;
	outcome->counts.read = result->rows_out + result->read.rejected;
	reading->files->rejects_untold = result->read.rejected - reading->spooled;
	outcome->counts.rejected = reading->files->rejects_untold; /* the others are counted with the quarantine */
}

/* Rejects are evidence, too, when the files fail. */
static bool
read_once(struct ctx *ctx, struct reading *reading, const char *copy_from)
{
	const struct duck_listener listener = {.reject = hear_reject, .progress = hear_progress, .arg = reading};
	struct duck_result result;
	struct duck_job *job;
	struct failure failure;

	if (duck_start(ctx, &reading->request, &job) &&
	    duck_copy(ctx, job, reading->loading->warehouse, ctx_printf(ctx, "%s (FORMAT binary)", copy_from),
		&listener, &result)) {
		count(reading, &result);
		return copy_rejects(ctx, reading);
	}
	failure = *ctx_failure(ctx);
	if (pg_is_open(reading->loading->warehouse) && ctx_cancelled(ctx) == CANCEL_NONE) {
		fail_clear(ctx);
		if (!copy_rejects(ctx, reading))
			fail_clear(ctx);
		return fail(ctx, failure.code, "%s", failure.message);
	}
	return false;
}

/* The file that the failure is about: its text begins with where the file lies. */
static struct slice_file *
find_bad(struct ctx *ctx, const struct reading *reading)
{
	const struct failure *failure = ctx_failure(ctx);

	if (failure->code != FAIL_FILE_UNREADABLE && failure->code != FAIL_SOURCE_COLUMNS)
		return NULL;
	for (size_t i = 0; i < reading->input.file_count; i++) {
		const char *path = reading->input.files[i].path;

		if (text_starts_with(failure->message, path) && failure->message[strlen(path)] == ' ')
			return reading->read[i];
	}
	return NULL;
}

/* With on_bad_file: quarantine, once more without the file that was bad. */
bool
files_read(struct ctx *ctx, struct loading *loading, struct slice_files *files)
{
	const struct spec_table *table = loading->job->table;
	char *create, *copy_from;

	generate_stage_table(ctx, table, &create, &copy_from);
	if (!pg_query(ctx, loading->warehouse, create, PG_NO_PARAMS, NULL))
		return false;
	for (;;) {
		CTX_SCOPE(tmp, ctx);
		struct reading reading = {.loading = loading, .files = files, .spool = -1};
		struct slice_file *bad;
		bool read;

		reading.progress_us = clock_monotonic_us();
		if (!describe_request(tmp, &reading))
			return false;
		if (reading.input.file_count == 0)
			return true;
		read = read_once(tmp, &reading, copy_from);
		if (reading.spool >= 0)
			ctx_defer(tmp, close_fd, (void *)(intptr_t)reading.spool);
		if (read)
			return true;
		bad = find_bad(ctx, &reading);
		if (bad == NULL || !files_leave_out(ctx, loading, bad))
			return false;
	}
}
