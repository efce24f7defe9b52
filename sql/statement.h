/*
 * statement: the whole conversation with the control database.
 *
 * statements.def is the table; each row is a file sql/control/queries/<name>.sql, embedded at build, whose first lines
 * name $1…$n, and a shape that is checked at run time: NONE (no rows wanted), ONE (exactly one), MAYBE (0 or 1), MANY. A test
 * PREPAREs each against a migrated database. Each execution counts in loadstar_control_statements_total.
 */
#ifndef SQL_STATEMENT_H
#define SQL_STATEMENT_H

#include "sql/pg.h"

enum statement {
#define STATEMENT(id, file, shape) SQL_##id,
#include "sql/statements.def"
#undef STATEMENT
	SQL_STATEMENT_COUNT
};

enum statement_shape { SHAPE_NONE, SHAPE_ONE, SHAPE_MAYBE, SHAPE_MANY };

const char *statement_name(enum statement statement);
const char *statement_text(enum statement statement);
enum statement_shape statement_shape(enum statement statement);

/* Runs it prepared. rows may be NULL for NONE. A wrong number of rows is FAIL_INTERNAL. */
bool sql_run(struct ctx *ctx, struct pg *db, enum statement statement, struct pg_params params,
    struct pg_rows *rows) MUST_CHECK;

#endif
