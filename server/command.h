/* command: the command line. command.c has the one table of commands. */
#ifndef SERVER_COMMAND_H
#define SERVER_COMMAND_H

#include "base/config.h"

/* Exit codes of the contract. */
enum {
	EXIT_SUCCEEDED = 0,
	EXIT_USAGE = 1, /* also: cannot connect */
	EXIT_PARTIAL = 2,
	EXIT_FAILED = 3,
	EXIT_QUALITY = 4,
	EXIT_CANCELLED = 5,
};

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;
	/* argv holds what follows the command's name, settings already taken out. */
	int (*run)(struct ctx *ctx, struct config *config, int argc, char **argv);
};
/* One option of one command, for its --help and the tests; its parser is in the command. */
struct command_option {
	const char *command;
	const char *name;  /* without dashes */
	const char *value; /* what to write for its value; NULL: a flag */
	const char *doc;
};
extern const struct command_option command_options[];
extern const size_t command_options_count;

extern const struct command commands[];
extern const size_t commands_count;

/* Finds and runs argv[1]; prints usage when there is none. */
int command_main(struct ctx *ctx, int argc, char **argv);

/* Prints the ctx's failure for a person ("loadstar: message", hint) and returns the exit code. */
int command_fail(struct ctx *ctx);

#endif
