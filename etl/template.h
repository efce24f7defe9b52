/*
 * template: SQL written by people and generators with :name placeholders.
 *
 * A placeholder is :name outside string literals ('…', E'…', $tag$…$tag$), quoted identifiers, comments, and not part of
 * a :: cast or an array slice [a:b]. It is replaced by a quoted literal with its type (TIMESTAMPTZ '2024-01-01T00:00:00Z'), because
 * COPY takes no parameters. Unknown names are an error with line and column; values cannot break out.
 */
#ifndef ETL_TEMPLATE_H
#define ETL_TEMPLATE_H

#include "etl/spec.h"

struct template_value {
	const char *name;
	const char *type;  /* as spec_type_name; NULL: value is SQL of ours, put in as it is */
	const char *value; /* NULL: NULL */
};

bool template_fill(struct ctx *ctx, const char *path, const char *sql, const struct template_value *values, size_t count,
    char **filled) MUST_CHECK;

/* Calls visit for each placeholder in order; used to check a spec. */
typedef bool template_visitor(void *arg, const char *name, int line, int column);
bool template_scan(const char *sql, template_visitor *visit, void *arg);

#endif
