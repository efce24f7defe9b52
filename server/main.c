/*
 * main: Loadstar is one binary. This file prepares the process; command.c has the commands; serve.c names every part of the
 * service in start order.
 */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/http_client.h"
#include "base/json.h"
#include "etl/duck/duck.h"
#include "server/command.h"

static void
prepare_process(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(022);
	json_setup();
	http_client_setup();
}

int
main(int argc, char **argv)
{
	struct ctx *ctx;
	int code;

	/* Not of the table of commands, for only the service starts it. */
	if (argc == 2 && strcmp(argv[1], DUCK_COMMAND) == 0)
		return duck_child();
	prepare_process();
	ctx = ctx_new("loadstar", 0);
	code = command_main(ctx, argc, argv);
	ctx_free(ctx);
	return code;
}
