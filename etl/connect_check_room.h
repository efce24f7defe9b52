/* connect_check_room: what the two halves of connect_check share. Not for others: connect_check.h is the door. */
#ifndef ETL_CONNECT_CHECK_ROOM_H
#define ETL_CONNECT_CHECK_ROOM_H

#include "base/config.h"
#include "etl/spec/findings.h"
#include "etl/template.h"
#include "sql/pg.h"

struct connect_check {
	struct ctx *ctx;
	const struct config *config;
	const struct spec *spec;
	struct findings findings;
	struct template_value *values; /* a sample of whatever a placeholder may become */
	size_t value_count;
};

/* SQL that somebody wrote. */
struct connect_text {
	const char *what;        /* for the finding */
	struct spec_place place; /* of its first character */
	const char *text;
	bool in_document;  /* a scalar, which may be written otherwise than it reads */
	bool makes_tables; /* of its own: only what is wrong without them is a finding */
};

/* What a database said, as a finding; the ctx's failure is dealt with. */
void connect_blame(struct connect_check *check, const struct spec_place *place, const char *what);

/* The same about SQL that the text became, at the character that the database points to: `before` characters of the SQL are ours. */
void connect_blame_text(struct connect_check *check, const struct connect_text *text, int before);

/* Fills the placeholders and has `before` + text + `after` described. False when that
 * failed, which is a finding. */
bool connect_describe(struct connect_check *check, struct pg *pg, const struct connect_text *text,
    const char *const around[2], struct pg_column **columns, int *count);

/* Finds declared columns that the table's query does not give, or gives as what they cannot hold. */
void connect_compare(struct connect_check *check, const struct spec_table *table, const struct pg_column *given,
    int count);

/* What the warehouse can tell: of queries that ask staging, views, questions, checks and post_load. False: it broke. */
bool connect_try_warehouse(struct connect_check *check, struct pg *pg) MUST_CHECK;

#endif
