/* million: a control database with a million runs, made in bulk, and what a transaction read of it. */
#ifndef TESTS_SUPPORT_MILLION_H
#define TESTS_SUPPORT_MILLION_H

#include "sql/pg.h"

/*
 * Made by tests/data/million.sql. Run i, of 1 to MILLION_RUNS, was made i seconds after 2024-01-01. The oldest tenth is of pipeline old,
 * type facts, partial, asked for by bob, of table gone; the rest of pipelines p0 to p19, type range, succeeded, every 1000th failed,
 * asked for by clock, of tables t0 to t9. Every tenth has a label team:t0 to team:t99. Run MILLION_RARE is the only one that is queued,
 * of type full, asked for by alice, of table once, with label ticket:OPS-7. The last run has MILLION_STEPS steps, MILLION_LINES lines and
 * MILLION_RESULTS results; the audit log has MILLION_ENTRIES entries.
 */
enum {
	MILLION_RUNS = 1000000,
	MILLION_RARE = 4321,
	MILLION_STEPS = 12000,
	MILLION_LINES = 60000,
	MILLION_RESULTS = 120000,
	MILLION_ENTRIES = 60000
};

/* In the stores' database, which is open. */
void million_fill(struct ctx *ctx);
void million_empty(struct ctx *ctx, struct pg *db);

const char *million_run_id(struct ctx *ctx, int64_t i);
int64_t million_time_us(int64_t i);

/* What the session reads from here to million_reads_end of tables and indexes of the control database: rows, blocks (as often as they
 * are asked for), and scans of whole tables that have more than 10,000 rows. */
struct million_reads {
	int64_t rows, blocks, scans;
};
void million_reads_begin(struct ctx *ctx, struct pg *db);
struct million_reads million_reads_end(struct ctx *ctx, struct pg *db);

#endif
