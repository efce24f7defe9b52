/*
 * database: one in-memory DuckDB for one job, locked down before anything of a stranger is run in it.
 *
 * The order of the settings matters: what enable_external_access = false forbids must be said before it, and after
 * lock_configuration nothing can be said any more. Only Parquet files are opened by DuckDB, so they are the only paths
 * it may open, beside the folder it spills into.
 */
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/text.h"
#include "etl/duck/child.h"

enum { THREADS = 2 };

/* What DuckDB's errors are to us; the first that fits. */
static const struct {
	duckdb_error_type type;
	const char *part; /* of the message; NULL: any */
	const char *code;
} error_codes[] = {
    {DUCKDB_ERROR_OUT_OF_MEMORY, NULL, "memory_limit"},
    {DUCKDB_ERROR_INVALID, "bad_alloc", "memory_limit"},
    {DUCKDB_ERROR_FATAL, "memory", "memory_limit"},
    {DUCKDB_ERROR_INTERNAL, "memory", "memory_limit"},
    {DUCKDB_ERROR_INVALID_INPUT, "bad_alloc", "memory_limit"},
    {DUCKDB_ERROR_FATAL, NULL, "duck_failed"},
    {DUCKDB_ERROR_INTERNAL, NULL, "duck_failed"},
    {DUCKDB_ERROR_IO, NULL, "file_unreadable"},
    {DUCKDB_ERROR_INVALID, "bad_alloc", "memory_limit"},
};

static const char *
error_code(duckdb_error_type type, const char *message)
{
	if (strstr(message, "bad_alloc") != NULL || strstr(message, "Out of Memory") != NULL)
		return "memory_limit";
	for (size_t i = 0; i < LENGTH_OF(error_codes); i++)
		if (error_codes[i].type == type &&
		    (error_codes[i].part == NULL || strstr(message, error_codes[i].part) != NULL))
			return error_codes[i].code;
	return "transform_failed";
}

/* Messages of conversions quote values; where those are masked the text is kept back. */
static bool
is_hidden(const struct child *child, duckdb_error_type type)
{
	if (type == DUCKDB_ERROR_PARSER || type == DUCKDB_ERROR_BINDER || type == DUCKDB_ERROR_CATALOG ||
	    type == DUCKDB_ERROR_OUT_OF_MEMORY)
		return false;
	for (size_t i = 0; i < child->request->input_count; i++)
		if (child->request->inputs[i].hide_raw)
			return true;
	return false;
}

static bool
is_about_values(duckdb_error_type type)
{
	return type == DUCKDB_ERROR_CONVERSION || type == DUCKDB_ERROR_OUT_OF_RANGE || type == DUCKDB_ERROR_DECIMAL ||
	       type == DUCKDB_ERROR_MISMATCH_TYPE || type == DUCKDB_ERROR_INVALID_INPUT;
}

/* Ends the message where its first value may begin, a quote or a number: errors are told to more people than rows are. */
static void
keep_values_back(char *message, size_t size)
{
	char *p = message;

	for (; *p != '\0'; p++)
		if (*p == '\'' || *p == '"' ||
		    (*p >= '0' && *p <= '9' && (p == message || strchr(" (-.+", p[-1]) != NULL)))
			break;
	if (*p != '\0')
		(void)snprintf(p, size - (size_t)(p - message), "… (the value is not told here)");
}

bool
database_fail(struct child *child, duckdb_result *result)
{
	const char *message = duck.result_error(result);
	duckdb_error_type type = duck.result_error_type(result);
	const char *code;
	char first[600];

	(void)snprintf(first, sizeof(first), "%s", message != NULL ? message : "DuckDB failed");
	duck.destroy_result(result);
	code = error_code(type, first);
	if (is_about_values(type))
		keep_values_back(first, sizeof(first));
	if (is_hidden(child, type))
		return events_error(child, code,
		    "DuckDB failed with an error of type %d; its text is kept back, for it may hold masked values",
		    (int)type);
	return events_error(child, code, "%s", first);
}

bool
database_run(struct child *child, const char *sql)
{
	duckdb_result result;

	if (duck.query(child->connection, sql, &result) != DuckDBSuccess)
		return database_fail(child, &result);
	duck.destroy_result(&result);
	return true;
}

/* ['a', 'b'] of what DuckDB may open. */
static char *
allowed_paths(struct child *child)
{
	struct text list;

	text_init(&list, child->ctx);
	text_add(&list, "[");
	for (size_t i = 0; i < child->request->input_count; i++) {
		const struct duck_input *input = &child->request->inputs[i];

		for (size_t f = 0; input->format == DUCK_PARQUET && f < input->file_count; f++)
			text_addf(&list, "%s%s", list.length > 1 ? ", " : "",
			    pg_literal(child->ctx, input->files[f].path));
	}
	text_add(&list, "]");
	return list.data;
}

static bool
lock_down(struct child *child)
{
	struct ctx *ctx = child->ctx;
	const char *folder = pg_literal(ctx, ctx_printf(ctx, "%s/", child->folder));
	const char *const settings[] = {
	    ctx_printf(ctx, "SET temp_directory = %s", folder),
	    ctx_printf(ctx, "SET allowed_directories = [%s]", folder),
	    ctx_printf(ctx, "SET allowed_paths = %s", allowed_paths(child)),
	    "SET TimeZone = 'UTC'",
	    "SET preserve_insertion_order = false",
	    "SET allow_persistent_secrets = false",
	    "SET streaming_buffer_size = '2MB'",
	    "SET enable_external_access = false",
	    "SET lock_configuration = true",
	};

	for (size_t i = 0; i < LENGTH_OF(settings); i++)
		if (!database_run(child, settings[i]))
			return false;
	return true;
}

static duckdb_state
configure(duckdb_config config, const struct duck_limits *limits)
{
	char number[32];
	duckdb_state state = DuckDBSuccess;

	(void)snprintf(number, sizeof(number), "%d", limits->threads > 0 ? limits->threads : THREADS);
	state |= duck.set_config(config, "threads", number);
	(void)snprintf(number, sizeof(number), "%lldB", (long long)limits->memory_bytes);
	state |= duck.set_config(config, "memory_limit", number);
	(void)snprintf(number, sizeof(number), "%lldB", (long long)limits->temp_bytes);
	state |= duck.set_config(config, "max_temp_directory_size", number);
	state |= duck.set_config(config, "allow_community_extensions", "false");
	state |= duck.set_config(config, "autoinstall_known_extensions", "false");
	state |= duck.set_config(config, "autoload_known_extensions", "false");
	return state;
}

bool
database_open(struct child *child)
{
	duckdb_database database;
	duckdb_config config;
	char *error = NULL;

	if (duck.create_config(&config) != DuckDBSuccess || configure(config, &child->request->limits) != DuckDBSuccess)
		return events_error(child, "duck_failed", "DuckDB refuses its settings");
	if (duck.open_ext(NULL, &database, config, &error) != DuckDBSuccess)
		return events_error(child, strstr(error, "emory") != NULL ? "memory_limit" : "duck_failed",
		    "DuckDB does not start: %s", error);
	duck.destroy_config(&config);
	if (duck.connect(database, &child->connection) != DuckDBSuccess)
		return events_error(child, "duck_failed", "DuckDB does not connect");
	return lock_down(child);
}

char *
database_type(struct ctx *ctx, const struct spec_type *type)
{
	static const char *const names[] = {"VARCHAR", "SMALLINT", "INTEGER", "BIGINT", "BOOLEAN", NULL, "DOUBLE",
	    "DATE", "TIMESTAMP", "TIMESTAMPTZ", "UUID", "JSON"};

	if (value_is_text(type))
		return ctx_strdup(ctx, "VARCHAR");
	if (type->kind == TYPE_NUMERIC)
		return ctx_printf(ctx, "DECIMAL(%d,%d)", type->precision, type->scale);
	return ctx_strdup(ctx, names[type->kind]);
}

char *
database_columns(struct ctx *ctx, const struct duck_column *columns, size_t count)
{
	struct text list;

	text_init(&list, ctx);
	for (size_t i = 0; i < count; i++)
		text_addf(&list, "%s%s", i > 0 ? ", " : "", pg_identifier(ctx, columns[i].name));
	return list.data;
}
