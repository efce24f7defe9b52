/*
 * template: SQL written by people and generators with :name placeholders.
 *
 * A placeholder is :name ([a-z_][a-z0-9_]*) outside string literals ('…', E'…', $tag$…$tag$), quoted identifiers and comments,
 * whose colon follows none of : . $ ] ) and no letter, digit or underscore: casts and array slices [a:b] stay what they
 * are. It is replaced by a literal with its type (timestamp with time zone '2024-01-01T00:00:00Z', 42::bigint, NULL::text), because
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

bool template_fill(struct ctx *ctx, const char *path, const char *sql, const struct template_value *values,
    size_t count, char **filled) MUST_CHECK;

/* Where the character `position` (from 1) of the filled text stands in the template: what a placeholder became stands where it
 * does. False beyond the end, which is told then. */
bool template_place(struct ctx *ctx, const char *sql, const struct template_value *values, size_t count, int position,
    int *line, int *column);

/* Calls visit for each placeholder in order until it says false; used to check a spec. False when it did. */
typedef bool template_visitor(void *arg, const char *name, int line, int column);
bool template_scan(const char *sql, template_visitor *visit, void *arg);

/* Calls visit for each name and word of SQL outside literals and comments, in order, until it says false. */
struct template_word {
	const char *at; /* without quotes */
	size_t length;
	bool quoted;
	bool after_dot; /* the last part of a.b */
};
typedef bool template_word_visitor(void *arg, const struct template_word *word);
bool template_words(const char *sql, template_word_visitor *visit, void *arg);

/* What keeps a text from being one statement that can stand in parentheses: a semicolon, a literal or comment without end,
 * nothing at all. NULL when it is one; else what is wrong, and where. */
const char *template_fault(const char *sql, int *line, int *column);

/* What keeps a text from standing in parentheses as one expression or query: as template_fault, or parentheses that do not
 * match. NULL when nothing does. */
const char *template_expression_fault(const char *sql);

/* Calls visit for each statement of a text cut at its semicolons: from its first word to before its semicolon. False when
 * visit said so. */
struct template_statement {
	const char *at;
	size_t length;
	int line, column;
	bool open; /* a literal, name or comment in it has no end */
};
typedef bool template_statement_visitor(void *arg, const struct template_statement *statement);
bool template_split(const char *sql, template_statement_visitor *visit, void *arg);

#endif
