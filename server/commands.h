/* commands: one function a command; command.c lists them. Local ones are in command_local.c, those that talk to a service in
 * client_*.c. */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include "server/command.h"

#define COMMAND(name) int command_##name(struct ctx *ctx, struct config *config, int argc, char **argv)
COMMAND(serve);
COMMAND(run);
COMMAND(plan);
COMMAND(status);
COMMAND(runs);
COMMAND(steps);
COMMAND(logs);
COMMAND(quality);
COMMAND(rejects);
COMMAND(files);
COMMAND(coverage);
COMMAND(trace);
COMMAND(cancel);
COMMAND(retry);
COMMAND(pipelines);
COMMAND(pause);
COMMAND(resume);
COMMAND(apply);
COMMAND(versions);
COMMAND(activate);
COMMAND(adopt);
COMMAND(audit);
COMMAND(check);
COMMAND(token);
COMMAND(migrate);
COMMAND(psql);
COMMAND(version);
#undef COMMAND

#endif
