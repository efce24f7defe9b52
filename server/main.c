/*
 * main: Loadstar is one binary. This file prepares the process; command.c has the commands; serve.c names every part of the
 * service in start order.
 */
#include <signal.h>
#include <sys/stat.h>

#include "base/http_client.h"
#include "base/json.h"
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

	prepare_process();
	ctx = ctx_new("loadstar", 0);
	code = command_main(ctx, argc, argv);
	ctx_free(ctx);
	return code;
}
