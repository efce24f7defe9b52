/*
 * fingerprint: what of a declaration says which rows its table has.
 *
 * It is made from the declaration as understood (print.c), so that a new key counts without being named here; named are
 * those that only say when and how a table is loaded. A file that the declaration names counts by its text.
 */
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/text.h"
#include "etl/spec.h"

static const char *const table_says_when[] = {"comment", "begin", "slice", "lag_seconds", "lookback", "changed_by",
    "reconcile", "guards", "checks", "on_error", "wave"};

static const char *
find_file(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->files.count; i++)
		if (text_equal(spec->files.items[i].path, path))
			return spec->files.items[i].text;
	return NULL;
}

/* The texts of the files that a value names, at any depth. */
static void
add_files(const struct spec *spec, const json_t *value, struct text *out)
{
	json_t *item;
	const char *key;
	size_t i;

	if (json_is_string(value)) {
		const char *file = find_file(spec, json_string_value(value));

		if (file != NULL)
			text_addf(out, "\n%zu %s", strlen(file), file);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item)
			add_files(spec, item, out);
	} else if (json_is_object(value)) {
		json_object_foreach((json_t *)(uintptr_t)value, key, item)
			add_files(spec, item, out);
	}
}

/* What a parameter is by default, where a file mentions it. */
static void
add_params(const struct spec *spec, struct text *out)
{
	struct text params;

	text_init(&params, out->ctx);
	for (size_t i = 0; i < spec->param_count; i++) {
		const struct spec_param *param = &spec->params[i];

		if (strstr(out->data, ctx_printf(out->ctx, ":%s", param->name)) != NULL)
			text_addf(&params, "\n%s=%s", param->name,
			    param->default_text != NULL ? param->default_text : "");
	}
	text_add(out, params.data);
}

char *
spec_table_fingerprint(struct ctx *ctx, const struct spec *spec, const struct spec_table *table)
{
	CTX_SCOPE(own, ctx);
	json_t *declared = spec_table_to_json(own, table), *column;
	struct text out;
	size_t i;

	for (size_t k = 0; k < LENGTH_OF(table_says_when); k++)
		(void)json_object_del(declared, table_says_when[k]);
	json_array_foreach(json_object_get(declared, "columns"), i, column)
		(void)json_object_del(column, "comment");
	text_init(&out, own);
	text_add(&out, json_text_sorted(own, declared));
	if (table->source != NULL)
		text_add(&out, json_text_sorted(own, spec_source_to_json(own, table->source)));
	add_files(spec, declared, &out);
	add_params(spec, &out);
	return crypto_sha256_text(ctx, out.data);
}
