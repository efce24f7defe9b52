/*
 * table_changes: what a table in the warehouse lacks to be as it is declared.
 *
 * Tables are only ever extended: columns are added with their default, types widen (difference.h), NOT NULL comes and goes, comments
 * are set. A column that is declared no more stays, and may be NULL from then on. What else differs is refused. The ddl step
 * carries the changes out; a dry run of apply shows them.
 */
#ifndef ETL_TABLE_CHANGES_H
#define ETL_TABLE_CHANGES_H

#include "etl/spec.h"
#include "sql/pg.h"

/* A column as the warehouse has it. */
struct table_column {
	const char *name, *type; /* as format_type() spells it */
	bool not_null;
	bool fills_itself; /* a default or an identity */
	const char *comment;
};

struct table_change {
	const char *column;      /* NULL: of the table (table_shape.c) */
	struct spec_place place; /* where it is declared; no file: where the column is */
	const char *
	    change; /* "added", "widened", "not_null", "nullable", "comment", "shape"; NULL: of bookkeeping, not worth a word */
	const char *before, *after;
	const char *sql;     /* may run when the table is as it was */
	const char *refused; /* why it cannot be done; NULL: sql does it */
};

struct table_changes {
	const struct spec_table *table;
	bool exists; /* the table is there; else there is nothing to change */
	struct table_change *items;
	size_t count;
};

enum table_part { PART_TABLE, PART_LOG, PART_RETIRED, PART_COUNT };

/* Pure: the changes of one part, which has these columns, added to the list. */
void table_changes_of(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, enum table_part part,
    const struct table_column *columns, size_t count, struct table_changes *changes);

/* Asks the catalog of the warehouse; with table_shape_find's. */
bool table_changes_find(struct ctx *ctx, struct pg *pg, const struct spec *spec, const struct spec_table *table,
    struct table_changes *changes) MUST_CHECK;

/* What of a table that is there cannot be as it is declared, since it was made with another key, kind, surrogate, time or history:
 * refused, added to the list. */
bool table_shape_find(struct ctx *ctx, struct pg *pg, const struct spec *spec, const struct spec_table *table,
    struct table_changes *changes) MUST_CHECK;

/* The columns of the table itself, in its order; none: there is no such table. */
bool table_columns_find(struct ctx *ctx, struct pg *pg, const char *identifier, struct table_column **columns,
    size_t *count) MUST_CHECK;

/* True for the columns that the engine keeps in a table beside the declared ones. */
bool table_is_bookkeeping(const struct spec_table *table, const char *column);

/* Where the specification declares what changes. */
struct spec_place table_change_place(const struct table_changes *changes, const struct table_change *change);

/* Why a change is refused, as "file:line:column: table.why". */
char *table_change_refusal(struct ctx *ctx, const struct table_changes *changes, const struct table_change *change);

/* {table, column, at, change, before, after, statement, allowed, reason} */
json_t *table_change_to_json(struct ctx *ctx, const struct table_changes *changes, const struct table_change *change);

#endif
