/* params_schema: the parameters of a pipeline as a JSON Schema, for those who build requests. */
#include "base/text.h"
#include "etl/spec.h"

/* A request may write every value as a text; numbers and truth also as what they are. */
static const struct shape {
	const char *also;   /* another JSON type; NULL: none */
	const char *format; /* of the text; NULL: none */
	int64_t bits;       /* of a whole number; 0: no limits are told */
} shapes[] = {
    [TYPE_TEXT] = {NULL, NULL, 0},
    [TYPE_SMALLINT] = {"integer", NULL, 16},
    [TYPE_INTEGER] = {"integer", NULL, 32},
    [TYPE_BIGINT] = {"integer", NULL, 0},
    [TYPE_BOOLEAN] = {"boolean", NULL, 0},
    [TYPE_NUMERIC] = {"integer", NULL, 0},
    [TYPE_DOUBLE] = {"integer", NULL, 0},
    [TYPE_DATE] = {NULL, "date", 0},
    [TYPE_TIMESTAMP] = {NULL, NULL, 0},
    [TYPE_TIMESTAMPTZ] = {NULL, NULL, 0},
    [TYPE_UUID] = {NULL, "uuid", 0},
    [TYPE_JSONB] = {NULL, NULL, 0},
};

static json_t *
param_schema(struct ctx *ctx, const struct spec_param *param)
{
	const struct shape *shape = &shapes[param->type.kind];
	json_t *schema = json_new_object(ctx), *types = json_new_array(ctx);

	json_add_string(ctx, types, "string");
	if (shape->also != NULL)
		json_add_string(ctx, types, shape->also);
	json_put(schema, "type", types);
	json_put_string(ctx, schema, "description", spec_type_name(ctx, &param->type));
	if (shape->format != NULL)
		json_put_string(ctx, schema, "format", shape->format);
	if (shape->bits > 0) {
		json_put_int(schema, "minimum", -(INT64_C(1) << (shape->bits - 1)));
		json_put_int(schema, "maximum", (INT64_C(1) << (shape->bits - 1)) - 1);
	}
	if (param->pattern != NULL)
		json_put_string(ctx, schema, "pattern", ctx_printf(ctx, "^(%s)$", param->pattern));
	if (param->default_text != NULL)
		json_put_string(ctx, schema, "default", param->default_text);
	return schema;
}

json_t *
spec_params_schema(struct ctx *ctx, const struct spec *spec)
{
	json_t *schema = json_new_object(ctx), *properties = json_new_object(ctx), *required = json_new_array(ctx);

	for (size_t i = 0; i < spec->param_count; i++) {
		json_put(properties, spec->params[i].name, param_schema(ctx, &spec->params[i]));
		if (spec_param_is_required(&spec->params[i]))
			json_add_string(ctx, required, spec->params[i].name);
	}
	json_put_string(ctx, schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_put_string(ctx, schema, "type", "object");
	json_put(schema, "properties", properties);
	json_put(schema, "required", required);
	json_put_bool(schema, "additionalProperties", false);
	return schema;
}
