/* The databases of the embedded cluster, and samples for sources: made once, found again. */
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "server/embedded.h"
#include "sql/pg.h"

enum { SAMPLE_LIMIT_BYTES = 4 * 1024 * 1024 };

/* The folder as a URL's query value: everything but unreserved bytes and / is escaped. */
static char *
url_as(struct ctx *ctx, const struct home *home, const char *role, const char *database)
{
	struct text url;

	text_init(&url, ctx);
	text_addf(&url, "postgresql://%s@/%s?host=", role, database);
	for (const unsigned char *p = (const unsigned char *)home->socket; *p != '\0'; p++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/", *p) != NULL)
			text_add_bytes(&url, p, 1);
		else
			text_addf(&url, "%%%02X", *p);
	}
	return url.data;
}

char *
embedded_url(struct ctx *ctx, const struct home *home, const char *database)
{
	return url_as(ctx, home, "loadstar", database);
}

/* Pipelines bring SQL of their own, which runs as this role: a superuser could run programs by it, and reach the control database. */
bool
embedded_role(struct ctx *ctx, const struct home *home)
{
	struct secret url = secret_make(ctx, url_as(ctx, home, EMBEDDED_SUPERUSER, "postgres"));
	struct pg_options options = {.what = "embedded PostgreSQL"};
	struct pg *pg;

	return pg_open(ctx, &url, &options, &pg) && pg_run(ctx, pg, "CREATE ROLE loadstar LOGIN CREATEDB");
}

static bool
open_database(struct ctx *ctx, const struct home *home, const char *database, struct pg **pg)
{
	struct secret url = secret_make(ctx, embedded_url(ctx, home, database));
	struct pg_options options = {.what = "embedded PostgreSQL"};

	return pg_open(ctx, &url, &options, pg);
}

static bool
make_database(struct ctx *ctx, const struct home *home, const char *database)
{
	CTX_SCOPE(tmp, ctx);
	struct pg_rows rows;
	struct pg *pg;

	if (!open_database(tmp, home, "postgres", &pg) ||
	    !pg_query(tmp, pg, "SELECT 1 FROM pg_database WHERE datname = $1", PG_PARAMS(database), &rows))
		return false;
	return rows.count == 1 || pg_run(tmp, pg, ctx_printf(tmp, "CREATE DATABASE %s", pg_identifier(tmp, database)));
}

/* Runs sample/0*.sql in one transaction with a mark of its own, so that a start that was killed begins anew. */
static bool
load_sample(struct ctx *ctx, struct pg *pg, const char *folder, char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *sql;

		if (!text_starts_with(names[i], "0") || !text_ends_with(names[i], ".sql"))
			continue;
		if (!file_read(ctx, ctx_printf(ctx, "%s/%s", folder, names[i]), SAMPLE_LIMIT_BYTES, &sql, NULL) ||
		    !pg_run(ctx, pg, sql))
			return false;
	}
	return true;
}

static bool
fill_source(struct ctx *ctx, struct pg *pg, const char *database, const char *folder)
{
	struct pg_rows rows;
	char **names;
	size_t count;

	if (!pg_query(ctx, pg, "SELECT to_regclass('loadstar_sample.loaded') IS NOT NULL", PG_NO_PARAMS, &rows))
		return false;
	if (pg_bool(&rows, 0, 0))
		return true;
	log_line(ctx, LOG_INFO, "generating a sample source", "database", database, NULL);
	return file_list(ctx, folder, &names, &count) && pg_begin(ctx, pg) &&
	       load_sample(ctx, pg, folder, names, count) &&
	       pg_run(ctx, pg,
		   "CREATE SCHEMA loadstar_sample; CREATE TABLE loadstar_sample.loaded AS SELECT now() AS at") &&
	       pg_commit(ctx, pg) && pg_run(ctx, pg, "ANALYZE");
}

/* The sample of one pipeline: its source, and the files made from it. */
static bool
make_sample(struct ctx *ctx, const struct home *home, struct config *config, const char *pipeline, const char *folder)
{
	CTX_SCOPE(tmp, ctx);
	char *database = ctx_printf(tmp, "%s_source", pipeline), *queries = ctx_printf(tmp, "%s/files", folder);
	char *files = ctx_printf(tmp, "%s/files/%s", home->path, pipeline);
	struct pg *pg;

	if (!make_database(tmp, home, database) || !open_database(tmp, home, database, &pg) ||
	    !fill_source(tmp, pg, database, folder))
		return false;
	config_add_connection(ctx, config, database, embedded_url(ctx, home, database));
	if (!file_is_folder(queries))
		return true;
	if (!embedded_files(tmp, pg, queries, files))
		return false;
	config_add_connection(ctx, config, ctx_printf(tmp, "%s_files", pipeline), ctx_printf(tmp, "file://%s", files));
	return true;
}

static bool
make_samples(struct ctx *ctx, const struct home *home, struct config *config)
{
	char **names;
	size_t count;

	if (!file_is_folder(config->pipelines))
		return true;
	if (!file_list(ctx, config->pipelines, &names, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		char *folder = ctx_printf(ctx, "%s/%s/sample", config->pipelines, names[i]);

		if (file_is_folder(folder) && !make_sample(ctx, home, config, names[i], folder))
			return false;
	}
	return true;
}

/* Clusters were once made with this role as their superuser, which cannot be taken from it. */
static bool
tell_of_superuser(struct ctx *ctx, const struct home *home)
{
	CTX_SCOPE(tmp, ctx);
	struct pg_rows rows;
	struct pg *pg;

	if (!open_database(tmp, home, "postgres", &pg) ||
	    !pg_query(tmp, pg, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", PG_NO_PARAMS, &rows))
		return false;
	if (rows.count == 1 && pg_bool(&rows, 0, 0))
		log_line(ctx, LOG_WARN,
		    "this cluster is of an earlier version: the SQL of pipelines runs in it as a superuser", "folder",
		    home->data, NULL);
	return true;
}

bool
embedded_databases(struct ctx *ctx, const struct home *home, struct config *config)
{
	if (!tell_of_superuser(ctx, home) || !make_database(ctx, home, "loadstar") ||
	    !make_database(ctx, home, "warehouse") || !make_samples(ctx, home, config))
		return false;
	config->database_url = secret_make(ctx, embedded_url(ctx, home, "loadstar"));
	config_add_connection(ctx, config, "warehouse", embedded_url(ctx, home, "warehouse"));
	return true;
}

static void
add_missing(struct ctx *ctx, const struct home *home, struct config *config, const char *name)
{
	struct secret url;

	if (config_connection(ctx, config, name, &url))
		return;
	fail_clear(ctx);
	config_add_connection(ctx, config, name, embedded_url(ctx, home, name));
}

bool
embedded_connections(struct ctx *ctx, const struct home *home, struct config *config)
{
	char **names;
	size_t count;

	add_missing(ctx, home, config, "warehouse");
	if (!file_is_folder(config->pipelines))
		return true;
	if (!file_list(ctx, config->pipelines, &names, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (file_is_folder(ctx_printf(ctx, "%s/%s/sample", config->pipelines, names[i])))
			add_missing(ctx, home, config, ctx_printf(ctx, "%s_source", names[i]));
	return true;
}
