#include "etl/spec/yaml.h"

#include <libfyaml.h>
#include <string.h>

#include "base/bug.h"
#include "base/text.h"

/*
 * DESIGN. The library's events are turned into nodes as they come; its documents are never built, so that nothing of it
 * (aliases above all) can grow, and the one depth that matters is ours. A wrong structure ends the reading at its place;
 * keys that are there twice are all shown, and then nothing is read from the document either: no meaning is guessed.
 */

enum { DEPTH_LIMIT = 16, MAP_LIMIT = 2000, SIZE_LIMIT_BYTES = 1024 * 1024 };

struct reader {
	struct findings *findings;
	const char *file;
	struct fy_parser *parser;
	struct node *root;
	struct node *open[DEPTH_LIMIT]; /* mappings and lists around the next event */
	size_t depth;
	struct node *key; /* scalar read as a key, its value is next; NULL: none */
	bool document_seen;
};

const struct node *
node_get(const struct node *map, const char *key)
{
	if (map == NULL || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *child = map->first; child != NULL; child = child->next)
		if (strcmp(child->key, key) == 0)
			return child;
	return NULL;
}

bool
node_is_null(const struct node *node)
{
	return node->kind == NODE_SCALAR && node->plain &&
	       (*node->text == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static struct spec_place
place_of(const struct reader *reader, struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);
	struct spec_place place = {.file = reader->file, .line = 1, .column = 1};

	if (mark != NULL) {
		place.line = mark->line + 1;
		place.column = mark->column + 1;
	}
	return place;
}

/* Appends to the innermost open mapping or list. */
static bool
attach(struct reader *reader, struct node *node)
{
	struct node *parent;

	if (reader->depth == 0) {
		reader->root = node;
		return true;
	}
	parent = reader->open[reader->depth - 1];
	if (parent->count == MAP_LIMIT)
		return finding(reader->findings, &node->place, "more than %d entries", MAP_LIMIT);
	if (parent->kind == NODE_MAP) {
		node->key = reader->key->text;
		node->key_place = reader->key->place;
		reader->key = NULL;
		if (node_get(parent, node->key) != NULL)
			(void)finding(reader->findings, &node->key_place, "key '%s' is here twice", node->key);
	}
	if (parent->last != NULL)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
	return true;
}

static bool
wants_key(const struct reader *reader)
{
	return reader->depth > 0 && reader->open[reader->depth - 1]->kind == NODE_MAP && reader->key == NULL;
}

static bool
read_scalar(struct reader *reader, struct fy_event *event, struct node *node)
{
	struct ctx *ctx = reader->findings->ctx;
	size_t length = 0;
	const char *text = fy_token_get_text(event->scalar.value, &length);

	node->kind = NODE_SCALAR;
	node->text = text == NULL ? "" : ctx_strndup(ctx, text, length);
	node->plain = event->scalar.value == NULL || fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
	if (strlen(node->text) != (text == NULL ? 0 : length) ||
	    strcmp(text_sanitize(ctx, node->text), node->text) != 0)
		return finding(reader->findings, &node->place, "the text has control characters or is not UTF-8");
	if (!wants_key(reader))
		return attach(reader, node);
	if (strcmp(node->text, "<<") == 0)
		return finding(reader->findings, &node->place, "merge keys (<<) are not allowed: write the keys out");
	reader->key = node;
	return true;
}

static bool
read_open(struct reader *reader, struct node *node, enum node_kind kind)
{
	node->kind = kind;
	if (wants_key(reader))
		return finding(reader->findings, &node->place, "a key must be text");
	if (!attach(reader, node))
		return false;
	if (reader->depth == DEPTH_LIMIT)
		return finding(reader->findings, &node->place, "nested deeper than %d levels", DEPTH_LIMIT);
	reader->open[reader->depth++] = node;
	return true;
}

static bool
read_document_start(struct reader *reader, const struct node *node)
{
	if (reader->document_seen)
		return finding(reader->findings, &node->place, "a second document: one file is one document");
	reader->document_seen = true;
	return true;
}

static bool
read_event(struct reader *reader, struct fy_event *event)
{
	struct node *node = ctx_alloc(reader->findings->ctx, sizeof(*node));

	node->place = place_of(reader, event);
	if (event->type == FYET_ALIAS || fy_event_get_anchor_token(event) != NULL)
		return finding(reader->findings, &node->place,
		    "anchors and aliases are not allowed: write the value out");
	if (fy_event_get_tag_token(event) != NULL)
		return finding(reader->findings, &node->place, "tags (!…) are not allowed");
	switch (event->type) {
	case FYET_SCALAR: return read_scalar(reader, event, node);
	case FYET_MAPPING_START: return read_open(reader, node, NODE_MAP);
	case FYET_SEQUENCE_START: return read_open(reader, node, NODE_LIST);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		ASSERT(reader->depth > 0);
		reader->depth--;
		return true;
	case FYET_DOCUMENT_START: return read_document_start(reader, node);
	default: return true;
	}
}

/* The library's own complaint, at its place. */
static bool
report_syntax(struct reader *reader)
{
	struct spec_place place = {.file = reader->file, .line = 1, .column = 1};
	struct fy_diag *diag = fy_parser_get_diag(reader->parser);
	const char *message = "this is not YAML";
	struct fy_diag_error *error;
	void *iterator = NULL;

	while (diag != NULL && (error = fy_diag_errors_iterate(diag, &iterator)) != NULL) {
		if (error->msg == NULL)
			continue;
		place.line = error->line > 0 ? error->line : 1;
		place.column = error->column > 0 ? error->column : 1;
		message = error->msg;
		break;
	}
	(void)finding(reader->findings, &place, "not YAML: %s", message);
	fy_diag_unref(diag);
	return false;
}

static bool
read_events(struct reader *reader)
{
	struct ctx *ctx = reader->findings->ctx;
	struct fy_event *event;

	while ((event = fy_parser_parse(reader->parser)) != NULL) {
		bool last = event->type == FYET_STREAM_END;
		bool good = read_event(reader, event);

		fy_parser_event_free(reader->parser, event);
		if (!good || ctx_failed(ctx))
			return false;
		if (last)
			return !fy_parser_get_stream_error(reader->parser) || report_syntax(reader);
	}
	return report_syntax(reader);
}

/* The library would stop at a wrong byte as if the text ended there: the text is looked at first. */
static bool
check_bytes(struct findings *findings, const char *file, const char *text)
{
	CTX_SCOPE(tmp, findings->ctx);
	const char *clean = text_sanitize(tmp, text);
	struct spec_place place = {.file = file, .line = 1, .column = 1};

	for (; *text != '\0'; text++, clean++) {
		if (*text != *clean && *text != '\r')
			return finding(findings, &place, "a control character, or a byte that is not UTF-8");
		if (*text == '\n')
			place = (struct spec_place){.file = file, .line = place.line + 1, .column = 1};
		else if ((*text & 0xc0) != 0x80)
			place.column++;
	}
	return true;
}

static void
swallow(struct fy_diag *diag, void *user, const char *bytes, size_t length)
{
	(void)diag, (void)user, (void)bytes, (void)length;
}

static void
release_diag(void *handle)
{
	fy_diag_destroy(handle);
}

/* A parser without one of these prints its errors, whatever its flags say. */
static struct fy_diag *
new_diag(struct ctx *ctx)
{
	struct fy_diag_cfg cfg;
	struct fy_diag *diag;

	fy_diag_cfg_default(&cfg);
	cfg.fp = NULL;
	cfg.output_fn = swallow;
	diag = fy_diag_create(&cfg);
	ASSERT(diag != NULL);
	ctx_defer(ctx, release_diag, diag);
	fy_diag_set_collect_errors(diag, true);
	return diag;
}

static void
release_parser(void *handle)
{
	fy_parser_destroy(handle);
}

struct node *
yaml_read(struct findings *findings, const char *file, const char *text)
{
	CTX_SCOPE(tmp, findings->ctx);
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = new_diag(tmp)};
	struct reader reader = {.findings = findings, .file = file};
	struct spec_place start = {.file = file, .line = 1, .column = 1};
	size_t length = strlen(text);

	if (length > SIZE_LIMIT_BYTES) {
		(void)finding(findings, &start, "larger than %d bytes", SIZE_LIMIT_BYTES);
		return NULL;
	}
	if (!check_bytes(findings, file, text))
		return NULL;
	reader.parser = fy_parser_create(&cfg);
	ASSERT(reader.parser != NULL);
	ctx_defer(tmp, release_parser, reader.parser);
	ASSERT(fy_parser_set_string(reader.parser, text, length) == 0);
	if (!read_events(&reader))
		return NULL;
	if (reader.root == NULL)
		(void)finding(findings, &start, "the file is empty");
	return findings->count == 0 ? reader.root : NULL;
}
