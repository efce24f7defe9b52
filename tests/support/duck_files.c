#include "tests/support/duck_files.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/text.h"
#include "tests/support/pg_cluster.h"

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static bool
note_reject(struct ctx *ctx, void *arg, const struct duck_reject *reject)
{
	struct duck_case *test = arg;
	size_t used = strlen(test->rejects);

	(void)ctx;
	test->reject_count++;
	(void)snprintf(test->rejects + used, sizeof(test->rejects) - used, "%lld %s %s %s\n", (long long)reject->line,
	    reject->column != NULL ? reject->column : "-", reject->rule,
	    reject->raw != NULL ? reject->raw : "(hidden)");
	return true;
}

struct duck_case *
duck_case_new(struct ctx *ctx)
{
	struct duck_case *test = ctx_alloc(ctx, sizeof(*test));
	char name[] = "/tmp/loadstar-duck-XXXXXX";

	ASSERT(mkdtemp(name) != NULL);
	test->ctx = ctx;
	test->folder = ctx_strdup(ctx, name);
	test->db = pg_cluster_open(ctx, "duck");
	test->request.temp_folder = ctx_printf(ctx, "%s/tmp", name);
	test->request.inputs = ctx_alloc(ctx, sizeof(*test->request.inputs));
	test->request.inputs->name = "input";
	test->request.input_count = 1;
	test->request.limits = (struct duck_limits){.memory_bytes = 128 << 20,
	    .temp_bytes = INT64_C(1) << 32,
	    .reject_rows = -1,
	    .reject_share = 1};
	test->listener = (struct duck_listener){.reject = note_reject, .arg = test};
	return test;
}

void
duck_case_end(struct duck_case *test)
{
	(void)nftw(test->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static struct spec_type
parse_type(const char *text)
{
	static const char *const words[] = {"text", "smallint", "integer", "bigint", "boolean", "numeric", "double",
	    "date", "timestamp", "timestamptz", "uuid", "jsonb"};
	struct spec_type type = {0};
	size_t length = strcspn(text, "(");

	for (size_t i = 0; i < LENGTH_OF(words); i++)
		if (strlen(words[i]) == length && strncmp(words[i], text, length) == 0)
			type.kind = (enum type_kind)i;
	if (text[length] == '(')
		ASSERT(sscanf(text + length, "(%d,%d)", &type.precision, &type.scale) == 2);
	return type;
}

static struct duck_column *
parse_columns(struct ctx *ctx, const char *text, size_t *count)
{
	struct duck_column *columns = ctx_alloc_array(ctx, 64, sizeof(*columns));
	char *rest = ctx_strdup(ctx, text), *word;

	*count = 0;
	while ((word = strsep(&rest, " ")) != NULL) {
		char *colon = strchr(word, ':');

		ASSERT(colon != NULL && *count < 64);
		*colon = '\0';
		columns[*count].name = word;
		columns[(*count)++].type = parse_type(colon + 1);
	}
	return columns;
}

void
duck_case_target(struct duck_case *test, const char *columns)
{
	struct duck_request *request = &test->request;
	struct text list;

	request->columns = parse_columns(test->ctx, columns, &request->column_count);
	text_init(&list, test->ctx);
	for (size_t i = 0; i < request->column_count; i++)
		text_addf(&list, "%s%s %s", i > 0 ? ", " : "", pg_identifier(test->ctx, request->columns[i].name),
		    spec_type_name(test->ctx, &request->columns[i].type));
	ASSERT(pg_run(test->ctx, test->db,
	    ctx_printf(test->ctx, "DROP TABLE IF EXISTS t; CREATE TABLE t (%s)", list.data)));
}

void
duck_case_columns(struct duck_case *test, enum duck_format format, const char *columns)
{
	struct duck_input *input = test->request.inputs;

	input->format = format;
	input->columns = parse_columns(test->ctx, columns, &input->column_count);
	input->file_count = 0;
	input->files = ctx_alloc_array(test->ctx, 64, sizeof(*input->files));
	duck_case_target(test, columns);
}

char *
duck_case_path(struct duck_case *test, const char *name)
{
	return ctx_printf(test->ctx, "%s/%s", test->folder, name);
}

void
duck_case_file(struct duck_case *test, const char *name, const char *bytes, size_t length)
{
	struct duck_input *input = test->request.inputs;
	char *path = duck_case_path(test, name);
	FILE *file;

	if (bytes != NULL) {
		file = fopen(path, "w");
		ASSERT(file != NULL && fwrite(bytes, 1, length, file) == length);
		(void)fclose(file);
	}
	ASSERT(input->file_count < 64);
	input->files[input->file_count].path = path;
	input->files[input->file_count].id = (int64_t)input->file_count + 100;
	input->file_count++;
}

void
duck_case_text(struct duck_case *test, const char *name, const char *text)
{
	duck_case_file(test, name, text, strlen(text));
}

bool
duck_case_run(struct duck_case *test)
{
	struct duck_job *job;
	struct text list;

	text_init(&list, test->ctx);
	for (size_t i = 0; i < test->request.column_count; i++)
		text_addf(&list, "%s%s", i > 0 ? ", " : "", pg_identifier(test->ctx, test->request.columns[i].name));
	test->rejects[0] = '\0';
	test->reject_count = 0;
	return pg_run(test->ctx, test->db, "TRUNCATE t") && duck_start(test->ctx, &test->request, &job) &&
	       duck_copy(test->ctx, job, test->db,
		   ctx_printf(test->ctx, "COPY t (%s) FROM STDIN (FORMAT binary)", list.data), &test->listener,
		   &test->result);
}

char *
duck_case_rows(struct duck_case *test)
{
	struct pg_rows rows;
	struct text text;

	ASSERT(pg_query(test->ctx, test->db,
	    ctx_printf(test->ctx, "SELECT * FROM t ORDER BY 1%s", test->request.column_count > 1 ? ", 2" : ""),
	    PG_NO_PARAMS, &rows));
	text_init(&text, test->ctx);
	for (int row = 0; row < rows.count; row++)
		for (int i = 0; i < rows.columns; i++) {
			const char *value = pg_value(&rows, row, i);

			text_addf(&text, "%s%s", value != NULL ? value : "NULL", i + 1 < rows.columns ? "|" : "\n");
		}
	return text.data;
}

int64_t
duck_case_ask(struct duck_case *test, const char *sql)
{
	struct pg_rows rows;

	ASSERT(pg_query(test->ctx, test->db, sql, PG_NO_PARAMS, &rows));
	return pg_i64(&rows, 0, 0);
}

bool
duck_case_is_clean(struct duck_case *test)
{
	DIR *dir = opendir(test->request.temp_folder);
	struct dirent *entry;
	bool clean = true;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		clean = clean && entry->d_name[0] == '.';
	if (dir != NULL)
		(void)closedir(dir);
	return clean;
}
