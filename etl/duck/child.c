#include "etl/duck/child.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"

/* What the process maps beside DuckDB's memory_limit: the library, stacks and arenas of threads, readers' buffers. Address
 * space is not memory: what is used of it is far less. */
enum { ADDRESS_SPACE_MIB = 768, THREAD_MIB = 80, REQUEST_BYTES = 256 * 1024 * 1024 };

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static void
remove_folder(const char *folder)
{
	(void)nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static _Noreturn void
leave(const struct child *child, int code)
{
	remove_folder(child->folder);
	_exit(code); /* without destructors: DuckDB's threads may still run */
}

/* The parent's end, or its wish: nobody wants the rows any more. */
static void *
watch(void *arg)
{
	struct child *child = arg;
	sigset_t signals;
	struct pollfd fds[2] = {{.fd = FD_LIFE, .events = POLLIN}, {.events = POLLIN}};

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	fds[1].fd = signalfd(-1, &signals, SFD_CLOEXEC);
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	leave(child, 128 + SIGTERM);
}

static bool
start_watching(struct child *child)
{
	sigset_t signals;
	pthread_t thread;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || pthread_create(&thread, NULL, watch, child) != 0)
		return events_error(child, "duck_failed", "cannot watch the parent: %s", strerrordesc_np(errno));
	return true;
}

static void
limit(__rlimit_resource_t resource, rlim_t value)
{
	/* The hard limit of processor time is a SIGKILL, which says nothing. */
	const struct rlimit rlimit = {value, resource == RLIMIT_CPU ? value + 5 : value};

	(void)setrlimit(resource, &rlimit);
}

/* A sanitizer maps terabytes, so its builds go without the limit. */
static void
limit_process(const struct duck_limits *limits)
{
	int threads = limits->threads > 0 ? limits->threads : 2;

	limit(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	limit(RLIMIT_AS,
	    (rlim_t)limits->memory_bytes + (rlim_t)(ADDRESS_SPACE_MIB + THREAD_MIB * threads) * 1024 * 1024);
#else
	(void)threads;
#endif
	if (limits->cpu_seconds > 0)
		limit(RLIMIT_CPU, (rlim_t)limits->cpu_seconds);
}

static bool
read_request(struct ctx *ctx, struct duck_request *request, const char **folder)
{
	json_t *json;
	size_t length;
	char *text;

	return file_read(ctx, "/proc/self/fd/3", REQUEST_BYTES, &text, &length) &&
	       json_parse(ctx, text, length, &json) && duck_request_from_json(ctx, json, request, folder);
}

/* Exactly one SELECT; anything else cannot be a table. */
static bool
check_transform(struct child *child)
{
	duckdb_extracted_statements statements;
	duckdb_prepared_statement statement;
	idx_t count = duck.extract_statements(child->connection, child->request->transform, &statements);
	bool good = false;

	if (count == 0)
		(void)events_error(child, "transform_failed", "%s",
		    duck.extract_statements_error(statements) != NULL ? duck.extract_statements_error(statements)
								      : "the transform is empty");
	else if (count > 1)
		(void)events_error(child, "transform_failed", "a transform is one SELECT; this one is %d statements",
		    (int)count);
	else {
		if (duck.prepare_extracted_statement(child->connection, statements, 0, &statement) != DuckDBSuccess)
			(void)events_error(child, "transform_failed", "%s", duck.prepare_error(statement));
		else if (duck.prepared_statement_type(statement) != DUCKDB_STATEMENT_TYPE_SELECT)
			(void)events_error(child, "transform_failed", "a transform is a SELECT");
		else
			good = true;
		duck.destroy_prepare(&statement);
	}
	duck.destroy_extracted(&statements);
	return good;
}

/* What the transform gives, against what is declared. */
static bool
check_columns(struct child *child)
{
	const struct duck_request *request = child->request;
	duckdb_prepared_statement statement;
	struct text found;
	bool good = true;

	if (duck.prepare(child->connection, request->transform, &statement) != DuckDBSuccess)
		return events_error(child, "transform_failed", "%s", duck.prepare_error(statement));
	text_init(&found, child->ctx);
	for (idx_t i = 0; i < duck.prepared_statement_column_count(statement); i++)
		text_addf(&found, "%s%s", i > 0 ? ", " : "", duck.prepared_statement_column_name(statement, i));
	for (size_t c = 0; good && c < request->column_count; c++) {
		bool there = false;

		for (idx_t i = 0; i < duck.prepared_statement_column_count(statement); i++)
			there = there ||
				text_equal(duck.prepared_statement_column_name(statement, i), request->columns[c].name);
		if (!there)
			good = events_error(child, "source_columns", "the transform does not give %s; it gives %s",
			    request->columns[c].name, found.data);
	}
	duck.destroy_prepare(&statement);
	return good;
}

static const char *
without_semicolon(struct ctx *ctx, const char *sql)
{
	size_t length = strlen(sql);

	while (length > 0 && strchr(" \t\r\n;", sql[length - 1]) != NULL)
		length--;
	return ctx_strndup(ctx, sql, length);
}

/* The transform's rows, cast to what is declared. */
static char *
write_transform(struct child *child)
{
	struct ctx *ctx = child->ctx;
	struct text list;

	text_init(&list, ctx);
	for (size_t i = 0; i < child->request->column_count; i++) {
		const struct duck_column *column = &child->request->columns[i];
		const char *name = pg_identifier(ctx, column->name);

		text_addf(&list, "%sCAST(%s AS %s)", i > 0 ? ", " : "", name, database_type(ctx, &column->type));
	}
	return ctx_printf(ctx, "SELECT %s FROM (\n%s\n) AS loadstar_rows", list.data,
	    without_semicolon(ctx, child->request->transform));
}

static bool
stream_transform(struct child *child, struct copy_stream *stream)
{
	for (size_t i = 0; i < child->request->input_count; i++)
		if (!input_load(child, &child->scans[i]))
			return false;
	return check_transform(child) && check_columns(child) && copy_query(stream, write_transform(child));
}

/* Without a transform nothing is kept: the rows of the only input are sent as they are read. */
static bool
stream_input(struct child *child, struct copy_stream *stream)
{
	const struct scan *scan = &child->scans[0];
	const char *columns = database_columns(child->ctx, child->request->columns, child->request->column_count);
	char *select;

	if (scan->input->format != DUCK_PARQUET)
		return copy_query(stream, ctx_printf(child->ctx, "SELECT %s FROM loadstar_read_0()", columns));
	for (size_t f = 0; f < scan->input->file_count; f++)
		if (!parquet_reject(child, scan, f, &select) ||
		    !copy_query(stream, ctx_printf(child->ctx, "SELECT %s FROM (%s)", columns, select)))
			return false;
	return true;
}

static bool
check_share(struct child *child)
{
	int64_t rejected = child->read.rejected, records = child->read.rows + rejected;
	double share = child->request->limits.reject_share;

	if ((double)rejected <= share * (double)records)
		return true;
	return events_error(child, "file_rejects", "%lld of %lld records were rejected, more than the share of %g",
	    (long long)rejected, (long long)records, share);
}

static bool
run(struct child *child)
{
	struct copy_stream *stream;
	int64_t rows;
	bool good;

	if (!duck_library_load(child->ctx, child->request->library))
		return events_error(child, "config_invalid", "%s", ctx_failure(child->ctx)->message);
	if (!database_open(child) || !input_register(child) || !copy_open(child, &stream))
		return false;
	good = child->request->transform != NULL ? stream_transform(child, stream) : stream_input(child, stream);
	if (!good || !copy_close(stream, &rows) || !check_share(child))
		return false;
	events_done(child, rows);
	return true;
}

int
duck_child(void)
{
	struct ctx *ctx = ctx_new("duck", (size_t)1 << 30);
	struct duck_request request;
	struct child child = {.ctx = ctx, .request = &request, .lock = PTHREAD_MUTEX_INITIALIZER};

	if (!read_request(ctx, &request, &child.folder)) {
		(void)fprintf(stderr, "loadstar duck is started by the service: it has no request on descriptor 3\n");
		return 1;
	}
	limit_process(&request.limits);
	if (mkdir(child.folder, 0700) != 0) {
		(void)events_error(&child, "io_error", "cannot make the folder %s: %s", child.folder,
		    strerrordesc_np(errno));
		return 1;
	}
	if (!start_watching(&child))
		leave(&child, 1);
	leave(&child, run(&child) ? 0 : 1);
}
