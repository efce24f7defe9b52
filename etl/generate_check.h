/*
 * generate_check: the SQL of quality checks, by pure functions; golden file tests/golden/checks.sql.
 *
 * The texts hold :from, :to, :now and :slice, filled when they are asked. Rows are those of the gate: staged ones (loadstar_stage), the
 * slice's of a fact that was just written, the current version of each member of a dimension, or a whole table at the gate run.
 */
#ifndef ETL_GENERATE_CHECK_H
#define ETL_GENERATE_CHECK_H

#include "etl/generate.h"

enum { CHECK_SAMPLE_ROWS = 10 };

/* True for kinds that one scan of the rows answers together with others. Uniqueness has to bring equal rows together, a pass of its own. */
bool check_shares_scan(const struct spec_check *check);

/*
 * One statement for `count` checks of one table and gate: one row. Two columns for each check, by kind
 *   completeness, validity, uniqueness, referential   rows_checked, rows_failed
 *   freshness                                         observed, passed
 *   volume                                            rows_checked, previous (rows of the slice's last load; NULL: none)
 *   sql                                               observed, passed
 * More than one check only when all share a scan.
 */
char *generate_check(struct ctx *ctx, const struct spec *spec, const struct spec_check *const *checks, size_t count,
    const char *scope);

/* One row, one column: some of the rows that fail, as a JSON array, with their key, the columns the check is about and nothing else;
 * texts are cut. NULL: the kind has no rows to show. */
char *generate_check_sample(struct ctx *ctx, const struct spec *spec, const struct spec_check *check,
    const char *scope);

#endif
