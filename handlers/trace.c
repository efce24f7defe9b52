/* trace: where the versions of one row come from, asked by its key. */
#include "etl/trace.h"
#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/warehouse.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"

static bool
is_key(const struct spec_table *table, const char *name)
{
	for (size_t i = 0; i < table->key_count; i++)
		if (text_equal(table->keys[i], name))
			return true;
	return false;
}

/* Every column of the key, and nothing else; each a value of its type. */
static bool
read_key(struct ctx *ctx, const struct request *request, const struct spec_table *table, const char **values)
{
	for (size_t i = 0; i < request->query_count; i++)
		if (!is_key(table, request->query[i].name))
			(void)fail_field(ctx, ctx_printf(ctx, "?%s", request->query[i].name),
			    "is no column of the key of %s", table->name);
	for (size_t i = 0; i < table->key_count; i++) {
		const struct spec_type *type = &spec_find_column(table, table->keys[i])->type;
		const char *pointer = ctx_printf(ctx, "?%s", table->keys[i]);

		values[i] = request_query(request, table->keys[i]);
		if (values[i] == NULL)
			(void)fail_field(ctx, pointer, "is required: it is part of the key of %s", table->name);
		else if (!spec_type_accepts(type, values[i]))
			(void)fail_field(ctx, pointer, "must be a value of type %s", spec_type_name(ctx, type));
	}
	return !ctx_failed(ctx);
}

static bool
find_table(struct ctx *ctx, struct app *app, const struct request *request, const struct spec **spec,
    const struct spec_table **table)
{
	const char *pipeline = request->path_values[0], *name = request->path_values[1];

	if (!text_is_name(pipeline))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (!access_pipeline(ctx, request, SCOPE_DATA_READ, pipeline) || !access_spec(ctx, app, pipeline, spec))
		return false;
	*table = spec_find_table(*spec, name);
	if (*table == NULL)
		return fail(ctx, FAIL_NOT_FOUND, "pipeline %s declares no table of this name", pipeline);
	return (*table)->key_count > 0 ||
	       fail(ctx, FAIL_NOT_FOUND, "%s has no grain by which a row could be told from others", name);
}

/* GET /v1/pipelines/{pipeline}/tables/{table}/trace?<key>= */
bool
trace_get(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	CTX_SCOPE(tmp, ctx);
	const struct spec_table *table = NULL;
	const struct spec *spec;
	struct pg *warehouse;
	const char **values;
	json_t *answer;

	if (!find_table(ctx, app, request, &spec, &table))
		return false;
	ASSERT(table != NULL);
	values = ctx_alloc_array(ctx, table->key_count, sizeof(*values));
	return read_key(ctx, request, table, values) &&
	       warehouse_open_reader(tmp, app->config, spec, "trace", &warehouse) &&
	       trace_row(ctx, warehouse, spec, table, values, &answer) && reply_json(ctx, reply, 200, answer);
}
