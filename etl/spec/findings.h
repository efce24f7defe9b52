/* findings: what is wrong with a specification, collected whole and shown in order of place. */
#ifndef ETL_SPEC_FINDINGS_H
#define ETL_SPEC_FINDINGS_H

#include "etl/spec.h"

struct findings {
	struct ctx *ctx;
	struct spec_error *first;
	size_t count;
};

/* Always false. The message is made clean UTF-8 and cut to a line. Beyond 500 findings nothing is added. */
bool finding(struct findings *findings, const struct spec_place *place, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The findings in order of file, line, column; NULL when there are none. */
struct spec_error *findings_sorted(struct findings *findings);

#endif
