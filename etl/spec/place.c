/* place: where a document says what spec_to_json shows under a JSON pointer. */
#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"

/* The next part of a pointer, without its escapes; NULL at the end. */
static const char *
next_part(struct ctx *ctx, const char **pointer)
{
	struct text out;
	const char *at = *pointer;

	if (*at != '/')
		return NULL;
	text_init(&out, ctx);
	for (at++; *at != '\0' && *at != '/'; at++) {
		if (at[0] == '~' && (at[1] == '0' || at[1] == '1'))
			text_add(&out, *++at == '0' ? "~" : "/");
		else
			text_add_bytes(&out, at, 1);
	}
	*pointer = at;
	return out.data;
}

/* An item of a list by its name. */
static const struct node *
item_of(const struct node *list, const char *name)
{
	for (const struct node *item = list->first; item != NULL; item = item->next)
		if (text_equal(node_text(item, "name"), name))
			return item;
	return NULL;
}

static bool
is_file(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->files.count; i++)
		if (text_equal(spec->files.items[i].path, path))
			return true;
	return false;
}

struct spec_place
spec_place_find(struct ctx *ctx, const struct spec *spec, const struct node *document, const char *pointer)
{
	struct spec_place place = {.file = "pipeline.yaml", .line = 1, .column = 1};
	const char *part = next_part(ctx, &pointer);

	if (text_equal(part, "files") && (part = next_part(ctx, &pointer)) != NULL && is_file(spec, part))
		place.file = part;
	for (const struct node *node = document; node != NULL && part != NULL; part = next_part(ctx, &pointer)) {
		const struct node *child = node->kind == NODE_MAP    ? node_get(node, part)
					   : node->kind == NODE_LIST ? item_of(node, part)
								     : NULL;

		if (child == NULL)
			break;
		node = child;
		place = node->key != NULL && node->kind != NODE_SCALAR ? node->key_place : node->place;
	}
	return place;
}

const struct node *
spec_document(struct ctx *ctx, const struct spec *spec)
{
	struct findings nobody = {.ctx = ctx};

	for (size_t i = 0; i < spec->files.count; i++)
		if (text_equal(spec->files.items[i].path, "pipeline.yaml"))
			return yaml_read(&nobody, "pipeline.yaml", spec->files.items[i].text);
	return NULL;
}
