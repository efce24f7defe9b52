/* Commands that need no running service. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "etl/spec.h"
#include "handlers/auth.h"
#include "server/commands.h"
#include "server/embedded.h"
#include "server/options.h"
#include "server/serve.h"
#include "sql/migrate.h"

int
command_serve(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	bool check = argc == 1 && strcmp(argv[0], "--check") == 0;

	if (argc > 0 && !check) {
		(void)fail(ctx, FAIL_USAGE, "serve does not know %s; loadstar settings --help lists its flags",
		    argv[0]);
		return command_fail(ctx);
	}
	return serve_run(ctx, config, check);
}

int
command_version(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	(void)ctx;
	(void)config;
	(void)argc;
	(void)argv;
	(void)printf("loadstar %s\n", loadstar_version());
	return EXIT_SUCCEEDED;
}

int
command_token(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	const char *subject = "admin", *scope = NULL, *ttl = "1h";
	const struct option options[] = {{"sub", OPTION_TEXT, &subject}, {"scope", OPTION_TEXT, &scope},
	    {"ttl", OPTION_TEXT, &ttl}, {0}};
	struct secret secret;
	int64_t ttl_ms;
	char *token;

	if (!options_parse(ctx, "token", options, &argc, argv, 0, 0))
		return command_fail(ctx);
	if (!duration_parse_ms(ttl, &ttl_ms) || ttl_ms < 1000) {
		(void)fail(ctx, FAIL_USAGE, "--ttl is %s, but must be a duration such as 15m, 1h or 30d", ttl);
		return command_fail(ctx);
	}
	if (!home_signing_secret(ctx, config, &secret))
		return command_fail(ctx);
	if (!auth_issue(ctx, &secret, subject, scope, ttl_ms / 1000, config->jwt_issuer, config->jwt_audience, &token))
		return command_fail(ctx);
	(void)printf("%s\n", token);
	return EXIT_SUCCEEDED;
}

int
command_migrate(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	struct pg_options options = {.what = "control database", .application_name = "loadstar migrate"};
	struct home home;
	struct pg *db;
	int applied = 0;

	(void)argv;
	if (argc > 0)
		(void)fail(ctx, FAIL_USAGE, "migrate takes no arguments");
	else if (!secret_is_set(&config->database_url) && home_open(ctx, config, &home))
		config->database_url = secret_make(ctx, embedded_url(ctx, &home, "loadstar"));
	if (ctx_failed(ctx) || !pg_open(ctx, &config->database_url, &options, &db) || !migrate_run(ctx, db, &applied))
		return command_fail(ctx);
	(void)printf("%d migrations applied\n", applied);
	return EXIT_SUCCEEDED;
}

int
command_psql(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	bool named = argc > 0 && argv[0][0] != '-';
	char **arguments = ctx_alloc_array(ctx, (size_t)argc + 3, sizeof(char *));
	struct home home;
	int n = 0;

	if (!home_open(ctx, config, &home))
		return command_fail(ctx);
	arguments[n++] = "psql";
	arguments[n++] = embedded_url(ctx, &home, named ? argv[0] : "loadstar");
	for (int i = named ? 1 : 0; i < argc; i++)
		arguments[n++] = argv[i];
	(void)execvp("psql", arguments);
	(void)fail(ctx, FAIL_IO, "cannot start psql: %s", strerrordesc_np(errno));
	return command_fail(ctx);
}
