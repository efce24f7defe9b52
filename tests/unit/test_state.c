/* The tables of states: their shape, and docs/states.md, which `test_state --print > docs/states.md` makes from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/file.h"
#include "base/text.h"
#include "sql/state.h"

struct machine {
	const char *title;
	const char *intro;
	const char *initial;
	const struct state_change *changes;
	size_t count;
	int states;
	const char *(*name)(int state);
	bool (*is_final)(int state);
};

static const char *
run_name(int state)
{
	return run_status_name((enum run_status)state);
}

static bool
run_is_final(int state)
{
	return run_status_is_final((enum run_status)state);
}

static const char *
step_name(int state)
{
	return step_status_name((enum step_status)state);
}

static bool
step_is_final(int state)
{
	return step_status_is_final((enum step_status)state);
}

static void
machines(struct machine list[2])
{
	list[0] = (struct machine){
	    .title = "A run",
	    .intro =
		"`sql/run_states.def`. A retry takes a finished run up again; a run that succeeded stays as it is.",
	    .initial = "queued",
	    .changes = run_changes,
	    .count = run_changes_count,
	    .states = RUN_STATUS_COUNT,
	    .name = run_name,
	    .is_final = run_is_final,
	};
	list[1] = (struct machine){
	    .title = "A step",
	    .intro =
		"`sql/step_states.def`. A step whose end was decided (`end_as` is set) is claimed once more, as a revocation,\n"
		"before it becomes failed or cancelled; what the revocation finds committed has succeeded. Attempts are\n"
		"`running`, then `succeeded`, `failed`, `lost`, `handed_back` or `superseded`; a revocation that ends a cancelled\n"
		"step is `superseded`, one that ends a failed step is `failed`.",
	    .initial = "waiting",
	    .changes = step_changes,
	    .count = step_changes_count,
	    .states = STEP_STATUS_COUNT,
	    .name = step_name,
	    .is_final = step_is_final,
	};
}

static void
print_machine(struct text *out, const struct machine *m)
{
	text_addf(out, "\n## %s\n\n%s\n\n```mermaid\nstateDiagram-v2\n  [*] --> %s\n", m->title, m->intro, m->initial);
	for (size_t i = 0; i < m->count; i++)
		text_addf(out, "  %s --> %s: %s\n", m->name(m->changes[i].from), m->name(m->changes[i].to),
		    m->changes[i].event);
	for (int i = 0; i < m->states; i++)
		if (m->is_final(i))
			text_addf(out, "  %s --> [*]\n", m->name(i));
	text_add(out, "```\n\n| from | event | to | why |\n|---|---|---|---|\n");
	for (size_t i = 0; i < m->count; i++)
		text_addf(out, "| %s | %s | %s | %s |\n", m->name(m->changes[i].from), m->changes[i].event,
		    m->name(m->changes[i].to), m->changes[i].why);
}

static char *
print_page(struct ctx *ctx)
{
	struct machine list[2];
	struct text out;

	machines(list);
	text_init(&out, ctx);
	text_add(&out,
	    "# States\n\nPrinted from the tables by `build/tests/unit/test_state --print`; a test compares.\n");
	print_machine(&out, &list[0]);
	print_machine(&out, &list[1]);
	return out.data;
}

static void
test_page_is_printed_from_the_tables(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	char *text;

	(void)state;
	assert_true(file_read(ctx, "docs/states.md", 1 << 20, &text, NULL));
	assert_string_equal(text, print_page(ctx));
	ctx_free(ctx);
}

static void
test_names_and_indexes_agree(void **state)
{
	enum run_status run;
	enum step_status step;

	(void)state;
	for (int i = 0; i < RUN_STATUS_COUNT; i++) {
		assert_true(run_status_find(run_name(i), &run));
		assert_int_equal(run, i);
	}
	for (int i = 0; i < STEP_STATUS_COUNT; i++) {
		assert_true(step_status_find(step_name(i), &step));
		assert_int_equal(step, i);
	}
	assert_false(run_status_find("waiting", &run));
	assert_false(step_status_find("", &step));
}

static bool
has_row(const struct machine *m, int from, int to)
{
	for (size_t i = 0; i < m->count; i++)
		if ((from < 0 || m->changes[i].from == from) && (to < 0 || m->changes[i].to == to))
			return true;
	return false;
}

/* Every state but the first is entered, every state that is not final is left, and final ones only by a retry. */
static void
test_no_state_is_a_trap(void **state)
{
	struct machine list[2];

	(void)state;
	machines(list);
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < list[k].states; i++) {
			assert_true(strcmp(list[k].name(i), list[k].initial) == 0 || has_row(&list[k], -1, i));
			assert_true(list[k].is_final(i) || has_row(&list[k], i, -1));
		}
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < list[k].count; i++)
			if (list[k].is_final(list[k].changes[i].from))
				assert_string_equal(list[k].changes[i].event, "retry");
}

static void
test_rows_are_unique(void **state)
{
	struct machine list[2];

	(void)state;
	machines(list);
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < list[k].count; i++)
			for (size_t j = 0; j < i; j++)
				assert_false(list[k].changes[i].from == list[k].changes[j].from &&
					     list[k].changes[i].to == list[k].changes[j].to &&
					     strcmp(list[k].changes[i].event, list[k].changes[j].event) == 0);
	assert_true(run_change_is_known(RUN_FAILED, "retry", RUN_QUEUED));
	assert_false(run_change_is_known(RUN_SUCCEEDED, "retry", RUN_QUEUED));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_page_is_printed_from_the_tables),
	    cmocka_unit_test(test_names_and_indexes_agree),
	    cmocka_unit_test(test_no_state_is_a_trap),
	    cmocka_unit_test(test_rows_are_unique),
	};

	if (argc > 1 && strcmp(argv[1], "--print") == 0) {
		struct ctx *ctx = ctx_new("print", 0);

		(void)fputs(print_page(ctx), stdout);
		ctx_free(ctx);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
