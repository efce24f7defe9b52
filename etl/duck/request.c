/* request: from the parent to the child, as JSON. */
#include <stdlib.h>

#include "etl/duck/child.h"

static json_t *
columns_to_json(struct ctx *ctx, const struct duck_column *columns, size_t count)
{
	json_t *array = json_new_array(ctx);

	for (size_t i = 0; i < count; i++) {
		json_t *object = json_new_object(ctx);

		json_put_string(ctx, object, "name", columns[i].name);
		json_put_string(ctx, object, "from", columns[i].from);
		json_put_int(object, "kind", (int64_t)columns[i].type.kind);
		json_put_int(object, "precision", columns[i].type.precision);
		json_put_int(object, "scale", columns[i].type.scale);
		json_add(array, object);
	}
	return array;
}

static json_t *
input_to_json(struct ctx *ctx, const struct duck_input *input)
{
	json_t *object = json_new_object(ctx), *files = json_new_array(ctx);

	json_put_string(ctx, object, "name", input->name);
	json_put_int(object, "format", (int64_t)input->format);
	json_put_int(object, "delimiter", input->csv.delimiter);
	json_put_int(object, "quote", input->csv.quote);
	json_put_string(ctx, object, "null_text", input->csv.null_text);
	json_put_bool(object, "hide_raw", input->hide_raw);
	json_put(object, "columns", columns_to_json(ctx, input->columns, input->column_count));
	for (size_t i = 0; i < input->file_count; i++) {
		json_t *file = json_new_object(ctx);

		json_put_string(ctx, file, "path", input->files[i].path);
		json_put_int(file, "id", input->files[i].id);
		json_add(files, file);
	}
	json_put(object, "files", files);
	return object;
}

static json_t *
limits_to_json(struct ctx *ctx, const struct duck_limits *limits)
{
	json_t *object = json_new_object(ctx);

	json_put_int(object, "memory_bytes", limits->memory_bytes);
	json_put_int(object, "temp_bytes", limits->temp_bytes);
	json_put_int(object, "record_bytes", limits->record_bytes);
	json_put_int(object, "cpu_seconds", limits->cpu_seconds);
	json_put_int(object, "reject_rows", limits->reject_rows);
	json_put_int(object, "reject_events", limits->reject_events);
	json_put_int(object, "threads", limits->threads);
	json_put_string(ctx, object, "reject_share", ctx_printf(ctx, "%.17g", limits->reject_share));
	return object;
}

json_t *
duck_request_to_json(struct ctx *ctx, const struct duck_request *request, const char *folder)
{
	json_t *object = json_new_object(ctx), *inputs = json_new_array(ctx);

	for (size_t i = 0; i < request->input_count; i++)
		json_add(inputs, input_to_json(ctx, &request->inputs[i]));
	json_put_string(ctx, object, "library", request->library);
	json_put_string(ctx, object, "folder", folder);
	json_put(object, "inputs", inputs);
	json_put_string(ctx, object, "transform", request->transform);
	json_put(object, "columns", columns_to_json(ctx, request->columns, request->column_count));
	json_put(object, "limits", limits_to_json(ctx, &request->limits));
	return object;
}

static struct duck_column *
columns_from_json(struct ctx *ctx, const json_t *array, size_t *count)
{
	struct duck_column *columns;

	*count = json_array_size(array);
	columns = ctx_alloc_array(ctx, *count + 1, sizeof(*columns));
	for (size_t i = 0; i < *count; i++) {
		const json_t *object = json_array_get(array, i);

		columns[i].name = json_string_or(object, "name", "");
		columns[i].from = json_string_or(object, "from", NULL);
		columns[i].type.kind = (enum type_kind)json_int_or(object, "kind", TYPE_TEXT);
		columns[i].type.precision = (int)json_int_or(object, "precision", 0);
		columns[i].type.scale = (int)json_int_or(object, "scale", 0);
	}
	return columns;
}

static void
input_from_json(struct ctx *ctx, const json_t *object, struct duck_input *input)
{
	const json_t *files = json_object_get(object, "files");

	input->name = json_string_or(object, "name", "");
	input->format = (enum duck_format)json_int_or(object, "format", DUCK_NDJSON);
	input->csv.delimiter = (char)json_int_or(object, "delimiter", 0);
	input->csv.quote = (char)json_int_or(object, "quote", 0);
	input->csv.null_text = json_string_or(object, "null_text", NULL);
	input->hide_raw = json_is_true(json_object_get(object, "hide_raw"));
	input->columns = columns_from_json(ctx, json_object_get(object, "columns"), &input->column_count);
	input->file_count = json_array_size(files);
	input->files = ctx_alloc_array(ctx, input->file_count + 1, sizeof(*input->files));
	for (size_t i = 0; i < input->file_count; i++) {
		input->files[i].path = json_string_or(json_array_get(files, i), "path", "");
		input->files[i].id = json_int_or(json_array_get(files, i), "id", 0);
	}
}

static void
limits_from_json(const json_t *object, struct duck_limits *limits)
{
	limits->memory_bytes = json_int_or(object, "memory_bytes", 0);
	limits->temp_bytes = json_int_or(object, "temp_bytes", 0);
	limits->record_bytes = json_int_or(object, "record_bytes", 0);
	limits->cpu_seconds = json_int_or(object, "cpu_seconds", 0);
	limits->reject_rows = json_int_or(object, "reject_rows", -1);
	limits->reject_events = json_int_or(object, "reject_events", 0);
	limits->threads = (int)json_int_or(object, "threads", 0);
	limits->reject_share = strtod(json_string_or(object, "reject_share", "0"), NULL);
}

bool
duck_request_from_json(struct ctx *ctx, const json_t *json, struct duck_request *request, const char **folder)
{
	const json_t *inputs = json_object_get(json, "inputs");

	*request = (struct duck_request){.library = json_string_or(json, "library", NULL),
	    .transform = json_string_or(json, "transform", NULL),
	    .input_count = json_array_size(inputs)};
	*folder = json_string_or(json, "folder", NULL);
	request->inputs = ctx_alloc_array(ctx, request->input_count + 1, sizeof(*request->inputs));
	for (size_t i = 0; i < request->input_count; i++)
		input_from_json(ctx, json_array_get(inputs, i), &request->inputs[i]);
	request->columns = columns_from_json(ctx, json_object_get(json, "columns"), &request->column_count);
	limits_from_json(json_object_get(json, "limits"), &request->limits);
	return request->library != NULL && *folder != NULL && !ctx_failed(ctx);
}
