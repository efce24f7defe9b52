/* slice_checks: what the files of the checks share. Private to etl/slice_check*.c. */
#ifndef ETL_SLICE_CHECKS_H
#define ETL_SLICE_CHECKS_H

#include "etl/generate_check.h"
#include "etl/slice_internal.h"

/* A check and what came of it. */
struct answer {
	const struct spec_check *check;
	const char *error; /* it could not be asked */
	enum fail_code error_code;
	int64_t rows_checked, rows_failed, previous;
	bool counted, has_previous; /* the numbers above were asked for */
	const char *observed;
	bool passed;
	json_t *sample;
	int64_t at_us, duration_ms; /* at_us 0: not asked yet, or to be asked again */
	int64_t asked;              /* times */
	int64_t again_us;           /* monotonic: when it is asked again; 0: it is not */
};

struct answers {
	struct answer *items;
	size_t count;
};

/* Texts live in ctx, which is that of the results, too. */
struct asking {
	struct ctx *ctx;
	struct loading *loading;
	const char *scope;
};

/* slice_check_ask.c: those that have no answer yet, within a transaction. */
bool checks_ask(const struct asking *asking, struct answers *answers) MUST_CHECK;

/* slice_check_result.c: adds the results to the outcome, and says what they mean: FAIL_QUALITY_FAILED when a check of severity error
 * did not pass; else, when one could not be asked, FAIL_CHECK_ERROR, or what may not happen again: the timeout. */
bool checks_judge(const struct asking *asking, const struct answers *answers) MUST_CHECK;

#endif
