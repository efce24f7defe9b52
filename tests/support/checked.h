/* checked: a small pipeline with checks of a test's own, and what they came to. */
#ifndef TESTS_SUPPORT_CHECKED_H
#define TESTS_SUPPORT_CHECKED_H

#include "tests/support/loads.h"

/* dim_kind (kind_id, label; scd 1, deletes ignored) and fact_sale (sale_id, kind_id, sold_at by day, amount, note; kind_key is looked
 * up, -1 when unknown). The source has tables kind and sale. checks: the items of the list, "  - { … }\n" each. */
const struct loads_pipeline *checked_pipeline(struct ctx *ctx, const char *checks);

/* The spec alone. */
const struct spec *checked_spec(struct ctx *ctx, const char *checks);

/* The results of an outcome: "check status observed" a line. Lives in the ctx. */
const char *checked_results(struct loads *loads, const struct slice_outcome *outcome);

/* The check step's job: of a table's whole, or of the gate run (NULL) after a run of fact_sale. */
struct slice_job checked_job_after(struct loads *loads, const char *table);
/* Asks what that step asks; FAIL_NONE when it went well. */
enum fail_code checked_ask(struct loads *loads, struct slice_job *job, struct slice_outcome *outcome);
enum fail_code checked_after(struct loads *loads, const char *table, struct slice_outcome *outcome);

/* The result of a check; NULL: none. */
const json_t *checked_result(const struct slice_outcome *outcome, const char *check);

#endif
