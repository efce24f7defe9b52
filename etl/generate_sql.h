/* generate_sql: the parts that generated statements are made of. Private to etl/generate*.c. */
#ifndef ETL_GENERATE_SQL_H
#define ETL_GENERATE_SQL_H

#include "etl/generate.h"

/* Column names in order. */
struct names {
	const char **items;
	size_t count;
};
struct names names_keys(const struct spec_table *table);
struct names names_columns(struct ctx *ctx, const struct spec_table *table);  /* all that are declared */
struct names names_declared(struct ctx *ctx, const struct spec_table *table); /* without file_id of files */
struct names names_values(struct ctx *ctx, const struct spec_table *table);   /* all but the key */
struct names names_tracked(struct ctx *ctx, const struct spec_table *table);
struct names names_lookups(struct ctx *ctx, const struct spec_table *table); /* surrogate keys of dimensions */
struct names names_join(struct ctx *ctx, struct names a, struct names b);

/* alias."a", alias."b"; alias NULL: "a", "b". No names give "". */
char *sql_list(struct ctx *ctx, struct names names, const char *alias);
/* The same with a comma in front, when there are any. */
char *sql_more(struct ctx *ctx, struct names names, const char *alias);
/* a."k" = b."k" AND … */
char *sql_equal(struct ctx *ctx, struct names names, const char *a, const char *b);
/* (a."x", …) IS DISTINCT FROM (b."x", …); without names: false. */
char *sql_distinct(struct ctx *ctx, struct names names, const char *a, const char *b);
/* "x" = r."x", … */
char *sql_set(struct ctx *ctx, struct names names, const char *from);

/*
 * The difference is found once and then written, so that what somebody's trigger keeps from being written is counted (`missed`). A row
 * that is due twice is one.
 * due: a SELECT of the rows to change with <alias>.ctid AS loadstar_row; set: of those, as <from>; field: what they are counted as; NULL: not at all.
 */
struct sql_update {
	const char *target, *alias, *from, *set, *due, *field;
};
char *sql_update_due(struct ctx *ctx, const struct sql_update *update);

/* Appends a statement and gives it back to be completed. */
struct load_statement *statement_add(struct ctx *ctx, struct load_statements *list, const char *name, char *sql);

/* One column's type, as DDL and casts write it. */
char *sql_column_type(struct ctx *ctx, const struct spec_table *table, const char *column);

/* "schema"."table", and loadstar."<table>_<suffix>". */
char *sql_table(struct ctx *ctx, const struct spec *spec, const struct spec_table *table);
char *sql_bookkeeping(struct ctx *ctx, const struct spec_table *table, const char *suffix);

/* What a column that cannot be NULL says of a member that nothing is known of. */
const char *sql_neutral_value(const struct spec_type *type);

/* The next surrogate key of a table, as an expression that looks its sequence up once. */
char *sql_next_key(struct ctx *ctx, const struct spec *spec, const struct spec_table *table);

/* The slice's rows of a fact, by an alias. */
char *sql_slice(struct ctx *ctx, const struct spec_table *table, const char *scope, const char *alias);

/* "FROM … WHERE …": the loads l of a table that count in the ledger: committed, and not undone. */
char *sql_loads(struct ctx *ctx, const struct spec *spec, const struct spec_table *table);

/* Time of an observation of a dimension with history, from a row of the staging table. */
char *sql_observed_at(struct ctx *ctx, const struct spec_table *table, const char *alias);

/* Whether a table remembers the surrogate keys of rows that were deleted. */
bool table_retires(const struct spec_table *table);

/* The surrogate key of a calendar's row: 20240229, or 905 for 09:05. */
const char *sql_calendar_key(struct ctx *ctx, const struct spec_table *calendar, const char *alias);

/* LEFT JOIN that gives <alias>.loadstar_key for the rows of <rows>; restrict_join: SQL that narrows the dimension d, or "". */
char *sql_lookup_join(struct ctx *ctx, const struct spec *spec, const struct spec_lookup *lookup, const char *alias,
    const char *rows, const char *restrict_join);

/* Files: whether a later file than that of the row `mine` holds the row `holder`; rows that later files hold are left to them; rows
 * without a value in one of the columns are rejected; columns that must have one beside the key. */
char *sql_newer_file(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *holder,
    const char *mine);
void generate_yield(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out);
void generate_reject_incomplete(struct ctx *ctx, const struct spec_table *table, const char *rule,
    struct names required, struct load_statements *out);
struct names names_not_null(struct ctx *ctx, const struct spec_table *table);

bool generate_publish_fact(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope,
    struct load_statements *out) MUST_CHECK;
void generate_publish_history(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out);
void generate_publish_current(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out);
/* Around the difference: what guards compare (slice_guards.c). */
void generate_guards_before(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope,
    struct load_statements *out);
void generate_guards_after(struct ctx *ctx, const struct spec_table *table, struct load_statements *out);

void generate_check_stale(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out);
/* Facts that refer to a dimension follow the keys in loadstar_keys. */
void generate_repoint(struct ctx *ctx, const struct spec *spec, const struct spec_table *dimension,
    struct load_statements *out);

void generate_ddl_dimension(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out);
void generate_ddl_fact(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out);
/* Declared columns, one a line, each with its type; NOT NULL where required is true and they are declared so. */
char *ddl_columns(struct ctx *ctx, const struct spec_table *table, bool required);
void ddl_index(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, bool unique,
    const char *suffix, const char *definition, struct load_statements *out);

/* The unknown member, and the end of a version that has none. */
#define UNKNOWN_KEY "-1"
#define OPEN_END "TIMESTAMPTZ '9999-12-31 00:00:00+00'"

#endif
