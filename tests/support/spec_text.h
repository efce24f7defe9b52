/* spec_text: a small right specification, and what tests do with it and edits of it. */
#ifndef TESTS_SUPPORT_SPEC_TEXT_H
#define TESTS_SUPPORT_SPEC_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/spec/parse.h"

/* After ours: it makes a macro of fail. */
#include <cmocka.h>

extern const char spec_good[];
extern const char spec_robots_sql[];
extern const char spec_uses_sql[];

struct spec_fixture {
	struct ctx *ctx;
	struct spec_files files;
	struct spec *spec;
	struct spec_error *errors;
};

#define SPEC_TEST(name) cmocka_unit_test_setup_teardown(name, spec_setup, spec_teardown)
int spec_setup(void **state);
int spec_teardown(void **state);
bool spec_try(struct spec_fixture *f, const char *yaml, const char *robots, const char *uses);
/* The good document with the first `from` replaced. */
char *spec_edit(struct spec_fixture *f, const char *from, const char *to);
void spec_print_errors(const struct spec_fixture *f);
bool spec_has_error(struct spec_fixture *f, const char *want);

#endif
