/* Options of commands: every way to write one, every way to get one wrong; the table of commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "server/command.h"
#include "server/options.h"

#include <cmocka.h>

/* What one parse gave. */
struct parsed {
	const char *from;
	bool wait, follow;
	int64_t priority;
	json_t *labels, *tables;
	int argc;
	char *argv[8];
};

static int
setup(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

/* line: words with one blank between them; at most two arguments are taken. */
static bool
parse(struct ctx *ctx, const char *line, struct parsed *parsed)
{
	const struct option options[] = {{"from", OPTION_TEXT, &parsed->from}, {"wait", OPTION_FLAG, &parsed->wait},
	    {"f", OPTION_FLAG, &parsed->follow}, {"priority", OPTION_COUNT, &parsed->priority},
	    {"label", OPTION_PAIR, &parsed->labels}, {"tables", OPTION_LIST, &parsed->tables}, {0}};
	char *rest = ctx_strdup(ctx, line), *word;

	fail_clear(ctx);
	*parsed = (struct parsed){0};
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word != '\0')
			parsed->argv[parsed->argc++] = word;
	return options_parse(ctx, "run", options, &parsed->argc, parsed->argv, 1, 2);
}

static void
test_values(void **state)
{
	static const char *const lines[] = {"shop --from 2024-01-01 full", "shop full --from=2024-01-01",
	    "--from=2024-01-01 shop full"};
	struct parsed p;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_true(parse(*state, lines[i], &p));
		assert_string_equal(p.from, "2024-01-01");
		assert_false(p.wait || p.follow);
		assert_int_equal(p.argc, 2);
		assert_string_equal(p.argv[0], "shop");
		assert_string_equal(p.argv[1], "full");
	}
	assert_true(parse(*state, "shop --from=a=b", &p));
	assert_string_equal(p.from, "a=b");
	assert_true(parse(*state, "shop --from=", &p));
	assert_string_equal(p.from, "");
	assert_true(parse(*state, "shop --priority -5 -", &p)); /* a lone dash is an argument */
	assert_int_equal(p.priority, -5);
	assert_string_equal(p.argv[1], "-");
}

static void
test_flags(void **state)
{
	struct parsed p;

	assert_true(parse(*state, "-f shop --wait", &p));
	assert_true(p.wait && p.follow);
	assert_int_equal(p.argc, 1);
	assert_true(parse(*state, "shop --f", &p) && p.follow);
}

static void
test_pairs_and_lists(void **state)
{
	struct parsed p;

	assert_true(parse(*state, "shop --label ticket=OPS-7 --label=why=a=b --tables a,,b, --tables c", &p));
	assert_string_equal(json_text_sorted(*state, p.labels), "{\"ticket\":\"OPS-7\",\"why\":\"a=b\"}");
	assert_string_equal(json_text(*state, p.tables), "[\"a\",\"b\",\"c\"]");
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
	    {"shop --form 2024-01-01", "run does not know --form; did you mean --from?"},
	    {"shop --unheard-of", "run does not know --unheard-of: see loadstar run --help"},
	    {"shop -x", "does not know -x"},
	    {"shop -wait", "does not know -wait"},
	    {"shop --", "does not know --"},
	    {"shop --from", "run --from needs a value"},
	    {"shop --wait=no", "run --wait takes no value"},
	    {"shop --priority high", "--priority is high, but must be a whole number"},
	    {"shop --label ticket", "--label is ticket, but must be name=value"},
	    {"shop --label =x", "must be name=value"},
	    {"", "run takes more arguments"},
	    {"a b c", "run takes fewer arguments"},
	};
	struct parsed p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_false(parse(*state, cases[i].line, &p));
		assert_int_equal(ctx_failure(*state)->code, FAIL_USAGE);
		assert_non_null(strstr(ctx_failure(*state)->message, cases[i].says));
	}
}

/* Each documented option belongs to a command, once. */
static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_options_count; i++) {
		const struct command_option *option = &command_options[i];
		size_t owners = 0;

		for (size_t c = 0; c < commands_count; c++)
			owners += strcmp(commands[c].name, option->command) == 0;
		assert_int_equal(owners, 1);
		assert_true(strlen(option->doc) > 3);
		for (size_t k = 0; k < i; k++)
			assert_false(strcmp(command_options[k].command, option->command) == 0 &&
				     strcmp(command_options[k].name, option->name) == 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_values, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pairs_and_lists, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
	    cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
