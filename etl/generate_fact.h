/* generate_fact: what the ways of writing a fact have in common. Private to etl/generate_fact*.c. */
#ifndef ETL_GENERATE_FACT_H
#define ETL_GENERATE_FACT_H

#include "etl/generate_sql.h"

struct fact {
	struct ctx *ctx;
	const struct spec *spec;
	const struct spec_table *table;
	const char *scope;
	const char *target, *retired;
	struct names keys, columns, written; /* grain; declared; declared and looked up */
	const char *surrogate;               /* quoted; NULL: none */
	bool referred; /* other facts look this one up: keys that come or go are kept in loadstar_keys */
	struct load_statements *out;
};

/* A statement whose one row is counted. */
struct load_statement *fact_count(const struct fact *fact, enum load_when when, const char *name, char *sql);

/* Makes the rows t that are the `same` as one of loadstar_rows r what that one says; there are values. */
void fact_update(const struct fact *fact, enum load_when when, struct names values, const char *same);

/* SELECT of the staged rows with their surrogate keys. */
char *fact_resolved_rows(const struct fact *fact);

/* The slices extracted after this one: SELECT slice_from, slice_to. */
const char *fact_newer_slices(const struct fact *fact);

/* Rows of a slice of time may have been in another slice before. */
bool fact_may_move(const struct fact *fact);

/* ", touched AS (…)" that keeps the keys of a CTE's rows when the fact is looked up; else "". where: "" or " WHERE …". */
const char *fact_touched(const struct fact *fact, const char *rows, const char *where);

/* missing: quarantine and infer, before rows are written; fail, after. */
void generate_fact_missing(const struct fact *fact);
void generate_fact_check_missing(const struct fact *fact);

/* Rows by their grain, wherever they are: append and upsert. */
void generate_fact_by_grain(const struct fact *fact);

/* append without a grain: a slice's rows are what was staged for it, and only by that. */
void generate_fact_by_content(const struct fact *fact);

#endif
