/* stores_fixture: the state that the store tests start from, and what they expect and do in one line. */
#ifndef TESTS_SUPPORT_STORES_FIXTURE_H
#define TESTS_SUPPORT_STORES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/stores.h"

struct stores_fixture {
	struct ctx *ctx;
	struct pg *db;
};
extern struct stores_fixture f;

#define STORES_TEST(name) cmocka_unit_test_setup_teardown(name, stores_setup, stores_teardown)
int stores_setup(void **state);
int stores_teardown(void **state);

void expect_status(const char *run_id, enum run_status status);
void expect(const char *sql, const char *answer);
void expect_step(const struct step_plan *step, const char *status);
/* Nothing is left half done: every attempt has an end, lines and versions have no gaps. */
void expect_tidy(void);

json_t *an_error(enum fail_code code);
void succeed(const struct step_claim *claim);
void give_up(const struct step_claim *claim);
/* A step that fails for good, with its revocation. */
void fail_step(const struct step_claim *claim);

#endif
