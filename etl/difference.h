/*
 * difference: what a version of a specification changes about another.
 *
 * The versions are compared as GET /v1/pipelines/{p} shows them, so that whatever a specification can declare is compared, and
 * their files by text. One table of rules (difference.c) says which changes would lose what is loaded: they are refused, with what
 * to do instead, where the warehouse holds the tables. Pure: nothing here talks to a database.
 */
#ifndef ETL_DIFFERENCE_H
#define ETL_DIFFERENCE_H

#include "etl/spec.h"

struct spec_change {
	const char *path;  /* JSON pointer: "/tables/dim_robots/columns/model/type", "/files/extract/robots.sql" */
	const char *at;    /* where the later version says it, or the part of it that is there: "pipeline.yaml:12:7" */
	const char *table; /* NULL: not of a table */
	const char *column;
	json_t *before, *after; /* NULL: was added, was removed */
	const char *loses;      /* why it may not be done to a table that is there, and what to do; NULL: it may */
};

struct difference {
	struct spec_change *items;
	size_t count;
	bool loses; /* one of them does */
};

/* before NULL: every table is new, and nothing is lost. */
void difference_find(struct ctx *ctx, const struct spec *before, const struct spec *after, struct difference *out);

/* Changes of tables that are not in the warehouse lose nothing. exists: names of those that are there. */
void difference_keep_tables(struct difference *difference, const char *const *exists, size_t count);

/* Going back to an earlier version: a column that was widened since stays wide, and what is narrower fits into it. */
void difference_go_back(struct difference *difference);

/* [{path, at, change, table, column, before, after, allowed, reason}] */
json_t *difference_to_json(struct ctx *ctx, const struct difference *difference);

/* True when every value of `from` is one of `to`, written the same. Equal types are no widening. */
bool type_widens(const struct spec_type *from, const struct spec_type *to) MUST_CHECK;

#endif
