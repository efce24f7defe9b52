/*
 * options: the options of a command, as a table.
 *
 * --name value or --name=value; a flag takes no value. What is left are the arguments, at least and at most so many. Every
 * error names the option and the command (FAIL_USAGE).
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "base/json.h"

enum option_type {
	OPTION_TEXT,  /* const char ** */
	OPTION_FLAG,  /* bool * */
	OPTION_COUNT, /* int64_t *: a whole number */
	OPTION_PAIR,  /* json_t **: an object; k=v, may be repeated */
	OPTION_LIST,  /* json_t **: an array; a,b */
};

struct option {
	const char *name; /* "from"; one letter: also "-f". NULL ends the table */
	enum option_type type;
	void *value;
};

bool options_parse(struct ctx *ctx, const char *command, const struct option *options, int *argc, char **argv,
    int at_least, int at_most) MUST_CHECK;

#endif
