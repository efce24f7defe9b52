/*
 * yaml: a YAML document as a tree of our own nodes, each with its place.
 *
 * Only what a declaration needs: mappings with unique text keys, lists, scalars. Anchors, aliases, merge keys, tags, several
 * documents, nesting deeper than 16 and texts that are not clean UTF-8 are findings. A node's memory belongs to the ctx.
 */
#ifndef ETL_SPEC_YAML_H
#define ETL_SPEC_YAML_H

#include "etl/spec/findings.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	struct spec_place place;
	const char *text; /* of a scalar */
	bool plain;       /* a scalar without quotes: may be a number or nothing */
	const char *key;  /* in a mapping */
	struct spec_place key_place;
	struct node *first, *last; /* of a mapping or list, in the order of the text */
	struct node *next;
	size_t count;
};

/* NULL: the text is no such document; the findings say why. */
struct node *yaml_read(struct findings *findings, const char *file, const char *text);

/* The value of a key; NULL: none. */
const struct node *node_get(const struct node *map, const char *key);

/* An unquoted scalar that says nothing: empty, ~ or null. */
bool node_is_null(const struct node *node);

#endif
