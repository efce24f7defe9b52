/*
 * input: text files as a table function of DuckDB. Each of DuckDB's threads takes the next file and reads it to its end; a
 * file is read exactly once, so rejects and counts are told as they are met.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "etl/duck/child.h"
#include "etl/duck/reader.h"

enum { RECORD_BYTES = 16 * 1024 * 1024 };

/* Columns of a chunk: the declared ones, then loadstar_file and loadstar_line. */
struct target {
	duckdb_vector vector;
	void *data;
	uint64_t *validity; /* NULL: no NULL yet */
};

struct local {
	struct scan *scan;
	struct reader reader;
	bool open;
	size_t file; /* of the input */
	struct target *targets;
	struct value values[];
};

static duckdb_logical_type
logical_type(const struct spec_type *type)
{
	static const duckdb_type types[] = {[TYPE_TEXT] = DUCKDB_TYPE_VARCHAR,
	    [TYPE_SMALLINT] = DUCKDB_TYPE_SMALLINT,
	    [TYPE_INTEGER] = DUCKDB_TYPE_INTEGER,
	    [TYPE_BIGINT] = DUCKDB_TYPE_BIGINT,
	    [TYPE_BOOLEAN] = DUCKDB_TYPE_BOOLEAN,
	    [TYPE_DOUBLE] = DUCKDB_TYPE_DOUBLE,
	    [TYPE_DATE] = DUCKDB_TYPE_DATE,
	    [TYPE_TIMESTAMP] = DUCKDB_TYPE_TIMESTAMP,
	    [TYPE_TIMESTAMPTZ] = DUCKDB_TYPE_TIMESTAMP_TZ,
	    [TYPE_UUID] = DUCKDB_TYPE_UUID,
	    [TYPE_JSONB] = DUCKDB_TYPE_VARCHAR};

	if (value_is_text(type))
		return duck.create_logical_type(DUCKDB_TYPE_VARCHAR);
	if (type->kind == TYPE_NUMERIC)
		return duck.create_decimal_type((uint8_t)type->precision, (uint8_t)type->scale);
	return duck.create_logical_type(types[type->kind]);
}

static void
bind(duckdb_bind_info info)
{
	static const struct spec_type bigint = {.kind = TYPE_BIGINT};
	const struct scan *scan = duck.bind_get_extra_info(info);
	const struct duck_input *input = scan->input;

	for (size_t i = 0; i < input->column_count + 2; i++) {
		bool declared = i < input->column_count;
		duckdb_logical_type type = logical_type(declared ? &input->columns[i].type : &bigint);

		duck.bind_add_result_column(info,
		    declared                   ? input->columns[i].name
		    : i == input->column_count ? "loadstar_file"
					       : "loadstar_line",
		    type);
		duck.destroy_logical_type(&type);
	}
}

static void
init(duckdb_init_info info)
{
	const struct scan *scan = duck.init_get_extra_info(info);

	duck.init_set_max_threads(info, scan->input->file_count > 0 ? scan->input->file_count : 1);
}

static void
end_local(void *data)
{
	struct local *local = data;

	if (local->open)
		reader_close(&local->reader);
	free(local->targets);
	free(local);
}

static void
init_local(duckdb_init_info info)
{
	struct scan *scan = duck.init_get_extra_info(info);
	size_t columns = scan->input->column_count;
	struct local *local = calloc(1, sizeof(*local) + columns * sizeof(struct value));

	if (local != NULL)
		local->targets = calloc(columns + 2, sizeof(*local->targets));
	if (local == NULL || local->targets == NULL) {
		free(local);
		duck.init_set_error(info, "std::bad_alloc: no memory to read files");
		return;
	}
	local->scan = scan;
	duck.init_set_init_data(info, local, end_local);
}

/* Scaled decimals are as wide as their precision asks. */
static void
store_decimal(const struct spec_type *type, void *data, size_t row, __int128 wide)
{
	if (type->precision <= 4)
		((int16_t *)data)[row] = (int16_t)wide;
	else if (type->precision <= 9)
		((int32_t *)data)[row] = (int32_t)wide;
	else if (type->precision <= 18)
		((int64_t *)data)[row] = (int64_t)wide;
	else
		memcpy((char *)data + row * sizeof(wide), &wide, sizeof(wide));
}

static int32_t
duck_date(int64_t days)
{
	return days == INT64_MAX ? INT32_MAX : days == -INT64_MAX ? -INT32_MAX : (int32_t)days;
}

static void
store(const struct spec_type *type, struct target *target, size_t row, const struct value *value)
{
	const __int128 top = (__int128)((unsigned __int128)1 << 127); /* DuckDB orders uuids as signed numbers */
	__int128 flipped;

	if (value->null) {
		if (target->validity == NULL) {
			duck.vector_ensure_validity_writable(target->vector);
			target->validity = duck.vector_get_validity(target->vector);
		}
		target->validity[row / 64] &= ~(UINT64_C(1) << (row % 64));
		return;
	}
	switch (type->kind) {
	case TYPE_SMALLINT: ((int16_t *)target->data)[row] = (int16_t)value->i; break;
	case TYPE_INTEGER: ((int32_t *)target->data)[row] = (int32_t)value->i; break;
	case TYPE_DATE: ((int32_t *)target->data)[row] = duck_date(value->i); break;
	case TYPE_BIGINT:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: ((int64_t *)target->data)[row] = value->i; break;
	case TYPE_BOOLEAN: ((bool *)target->data)[row] = value->i != 0; break;
	case TYPE_DOUBLE: ((double *)target->data)[row] = value->d; break;
	case TYPE_UUID:
		flipped = value->wide ^ top;
		memcpy((char *)target->data + row * sizeof(flipped), &flipped, sizeof(flipped));
		break;
	case TYPE_NUMERIC:
		if (!value_is_text(type)) {
			store_decimal(type, target->data, row, value->wide);
			break;
		}
		/* FALLTHROUGH */
	case TYPE_TEXT:
	case TYPE_JSONB:
		duck.vector_assign_string_element_len(target->vector, row, value->text.data, value->text.length);
		break;
	}
}

static bool
tell_reject(struct local *local)
{
	const struct reader *reader = &local->reader;
	const struct duck_input *input = local->scan->input;

	return events_reject(local->scan->child,
	    &(struct record){.file = local->scan->first_file + local->file,
		.line = reader->record_line,
		.column = reader->column >= 0 ? input->columns[reader->column].name : NULL,
		.rule = rule_word(reader->rule),
		.raw = reader->raw,
		.raw_length = reader->raw_length},
	    input->hide_raw);
}

/* The reader's row into row `row` of the chunk. False: it became a reject. */
static bool
take_row(struct local *local, struct target *targets, size_t row)
{
	const struct duck_input *input = local->scan->input;
	struct reader *reader = &local->reader;

	for (size_t i = 0; i < input->column_count; i++) {
		enum rule rule = value_parse(&input->columns[i].type, &reader->fields[i], &local->values[i]);

		if (rule != RULE_NONE) {
			reader_refuse(reader, (int)i, rule);
			return false;
		}
	}
	for (size_t i = 0; i < input->column_count; i++)
		store(&input->columns[i].type, &targets[i], row, &local->values[i]);
	((int64_t *)targets[input->column_count].data)[row] = input->files[local->file].id;
	((int64_t *)targets[input->column_count + 1].data)[row] = reader->record_line;
	return true;
}

/* Makes sure a file is open. False: there is none left, or no memory (events_error was told). */
static bool
open_next(struct local *local)
{
	const struct duck_limits *limits = &local->scan->child->request->limits;
	const struct duck_input *input = local->scan->input;

	if (local->open)
		return true;
	local->file = atomic_fetch_add(&local->scan->next_file, 1);
	if (local->file >= input->file_count)
		return false;
	local->open = true;
	if (reader_open(&local->reader, input, input->files[local->file].path,
		limits->record_bytes > 0 ? (size_t)limits->record_bytes : RECORD_BYTES))
		return true;
	return events_error(local->scan->child, "memory_limit", "no memory to open %s", input->files[local->file].path);
}

static bool
end_file(struct local *local, enum reader_step step)
{
	struct reader *reader = &local->reader;
	bool good = step == READER_END;

	if (!good)
		(void)events_error(local->scan->child, reader->wrong_columns ? "source_columns" : "file_unreadable",
		    "%s %s", reader->path, reader->error);
	else
		events_file(local->scan->child, local->scan->first_file + local->file, &reader->counts);
	reader_close(reader);
	local->open = false;
	return good;
}

/* Up to `room` rows. False: the job has failed. */
static bool
fill(struct local *local, struct target *targets, size_t room, size_t *rows)
{
	while (*rows < room && open_next(local)) {
		enum reader_step step = reader_next(&local->reader);

		if (step == READER_ROW && take_row(local, targets, *rows))
			(*rows)++;
		else if (step == READER_ROW || step == READER_REJECT) {
			if (!tell_reject(local))
				return false;
		} else if (!end_file(local, step))
			return false;
	}
	return true;
}

static void
scan_chunk(duckdb_function_info info, duckdb_data_chunk chunk)
{
	struct local *local = duck.function_get_local_init_data(info);
	size_t columns = local->scan->input->column_count + 2, rows = 0;
	struct target *targets = local->targets;

	for (size_t i = 0; i < columns; i++) {
		targets[i].vector = duck.data_chunk_get_vector(chunk, i);
		targets[i].data = duck.vector_get_data(targets[i].vector);
		targets[i].validity = NULL;
	}
	if (fill(local, targets, duck.vector_size(), &rows))
		duck.data_chunk_set_size(chunk, rows);
	else
		duck.function_set_error(info, "the files cannot be read on");
}

static bool
register_one(struct child *child, struct scan *scan)
{
	duckdb_table_function function = duck.create_table_function();
	duckdb_state state;

	duck.table_function_set_name(function, ctx_printf(child->ctx, "loadstar_read_%zu", scan->index));
	duck.table_function_set_extra_info(function, scan, NULL);
	duck.table_function_set_bind(function, bind);
	duck.table_function_set_init(function, init);
	duck.table_function_set_local_init(function, init_local);
	duck.table_function_set_function(function, scan_chunk);
	state = duck.register_table_function(child->connection, function);
	duck.destroy_table_function(&function);
	return state == DuckDBSuccess || events_error(child, "duck_failed", "DuckDB refuses a table function");
}

bool
input_register(struct child *child)
{
	struct duck_request *request = child->request;
	size_t files = 0;

	child->scans = ctx_alloc_array(child->ctx, request->input_count + 1, sizeof(*child->scans));
	for (size_t i = 0; i < request->input_count; i++) {
		struct scan *scan = &child->scans[i];

		scan->child = child;
		scan->input = &request->inputs[i];
		scan->index = i;
		scan->first_file = files;
		files += scan->input->file_count;
		if (scan->input->format != DUCK_PARQUET && !register_one(child, scan))
			return false;
	}
	child->rejects_told = ctx_alloc_array(child->ctx, files + 1, sizeof(int64_t));
	return true;
}

/* Files of Parquet go in one after the other: each has types of its own. */
static bool
load_parquet(struct child *child, const struct scan *scan, const char *table)
{
	char *select;

	if (scan->input->file_count == 0)
		return events_error(child, "file_unreadable", "input %s has no files", scan->input->name);
	for (size_t f = 0; f < scan->input->file_count; f++) {
		if (!parquet_reject(child, scan, f, &select) ||
		    !database_run(child, f == 0 ? ctx_printf(child->ctx, "CREATE TEMP TABLE %s AS %s", table, select)
						: ctx_printf(child->ctx, "INSERT INTO %s %s", table, select)))
			return false;
	}
	return true;
}

/* The input as a table, so that a transform may look at it as often as it likes. It spills when it is large. */
bool
input_load(struct child *child, const struct scan *scan)
{
	const char *table = pg_identifier(child->ctx, scan->input->name);

	if (scan->input->format == DUCK_PARQUET)
		return load_parquet(child, scan, table);
	return database_run(child,
	    ctx_printf(child->ctx, "CREATE TEMP TABLE %s AS SELECT * FROM loadstar_read_%zu()", table, scan->index));
}
