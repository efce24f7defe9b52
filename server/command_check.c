/* check: what is wrong with specifications, told with its place; --connect asks the databases, too. */
#include <stdio.h>

#include "base/fail.h"
#include "base/file.h"
#include "etl/connect_check.h"
#include "server/commands.h"
#include "server/embedded.h"
#include "server/options.h"

struct checking {
	struct config *config;
	bool connect;
};

/* False when there is one. */
static bool
print_findings(const char *folder, const struct spec_error *errors)
{
	bool any = errors != NULL;

	for (; errors != NULL; errors = errors->next)
		(void)fprintf(stderr, "%s/%s:%d:%d: %s\n", folder, errors->place.file, errors->place.line,
		    errors->place.column, errors->message);
	return !any;
}

/* Prints every finding of one pipeline's folder. False when there was one. */
static bool
check_folder(struct ctx *ctx, const struct checking *checking, const char *folder)
{
	struct spec_error *errors = NULL;
	struct spec_files files;
	struct spec *spec;

	if (!spec_read_folder(ctx, folder, &files))
		return false;
	if (!spec_parse(ctx, &files, &spec, &errors))
		return print_findings(folder, errors);
	if (checking->connect &&
	    (!connect_check(ctx, checking->config, spec, &errors) || !print_findings(folder, errors)))
		return false;
	(void)printf("%s: %zu tables, version %s\n", folder, spec->table_count, spec->hash);
	return true;
}

static bool
check_all(struct ctx *ctx, const struct checking *checking, const char *folder)
{
	size_t count, pipelines = 0;
	char **names;
	bool ok = true;

	if (!file_list(ctx, folder, &names, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		char *path = ctx_printf(ctx, "%s/%s", folder, names[i]);

		if (!file_exists(ctx_printf(ctx, "%s/pipeline.yaml", path)))
			continue;
		pipelines++;
		ok = check_folder(ctx, checking, path) && ok;
	}
	return pipelines > 0 ? ok
			     : fail(ctx, FAIL_USAGE, "there is no pipeline.yaml in %s or the folders in it", folder);
}

/* As the service has them: those of the embedded cluster, unless its databases are elsewhere. It must run. */
static bool
add_embedded(struct ctx *ctx, struct config *config)
{
	struct home home;

	if (secret_is_set(&config->database_url))
		return true;
	return home_open(ctx, config, &home) && embedded_connections(ctx, &home, config);
}

int
command_check(struct ctx *ctx, struct config *config, int argc, char **argv)
{
	struct checking checking = {.config = config};
	const struct option options[] = {{"connect", OPTION_FLAG, &checking.connect}, {0}};
	const char *folder;
	bool ok;

	if (!options_parse(ctx, "check", options, &argc, argv, 1, 1) ||
	    (checking.connect && !add_embedded(ctx, config)))
		return command_fail(ctx);
	folder = argv[0];
	ok = file_exists(ctx_printf(ctx, "%s/pipeline.yaml", folder)) ? check_folder(ctx, &checking, folder)
								      : check_all(ctx, &checking, folder);
	if (!ok && ctx_failed(ctx) && ctx_failure(ctx)->code != FAIL_SPEC_INVALID)
		return command_fail(ctx);
	return ok ? EXIT_SUCCEEDED : EXIT_USAGE;
}
