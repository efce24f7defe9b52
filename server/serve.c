/*
 * serve: the service from start to end.
 *
 * Start order: signals, settings, home and embedded PostgreSQL, migrations, pipelines, board, engine, HTTP. The end is the
 * reverse: not ready, no new claims, answers in flight, steps finished or handed back, board, PostgreSQL.
 */
#include "server/serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/uuid.h"
#include "base/version.h"
#include "etl/apply.h"
#include "etl/engine.h"
#include "etl/overview.h"
#include "handlers/app.h"
#include "handlers/auth.h"
#include "handlers/rate.h"
#include "server/edge.h"
#include "server/embedded.h"
#include "server/http.h"
#include "sql/migrate.h"
#include "sql/replica_store.h"

enum { CONTROL_SESSIONS = 16, LEAST_MEMORY_MIB = 128 };

/* Everything that runs, for the end in reverse order. */
struct service {
	struct config *config;
	struct home home;
	struct embedded embedded; /* postmaster 0: the control database is somebody else's */
	struct app app;
	struct engine *engine;
	struct http_server *http;
	const char *boot_id;
};

static void
block_signals(sigset_t *ends)
{
	(void)sigemptyset(ends);
	(void)sigaddset(ends, SIGTERM);
	(void)sigaddset(ends, SIGINT);
	ASSERT(pthread_sigmask(SIG_BLOCK, ends, NULL) == 0); /* every later thread inherits it */
}

/* Each connection is a file: as many as the system lets us have. */
static void
raise_file_limit(struct ctx *ctx)
{
	CTX_SCOPE(tmp, ctx);
	struct rlimit limit;
	rlim_t before;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	before = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (before != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) != 0)
		limit.rlim_cur = before;
	log_line(ctx, LOG_INFO, "open files", "limit", text_from_i64(tmp, (int64_t)limit.rlim_cur), "was",
	    text_from_i64(tmp, (int64_t)before), NULL);
}

static bool
check_settings(struct ctx *ctx, const struct config *config)
{
	bool loopback = config_is_loopback(config->listen);
	enum log_level level;
	struct edge edge;

	if (!log_level_parse(config->log_level, &level))
		return fail(ctx, FAIL_CONFIG_INVALID,
		    "LOADSTAR_LOG_LEVEL is %s, but must be debug, info, warn or error", config->log_level);
	log_set_level(level);
	if (config->memory_bytes != 0 && config->memory_bytes < LEAST_MEMORY_MIB * INT64_C(1048576))
		return fail(ctx, FAIL_CONFIG_INVALID, "LOADSTAR_MEMORY must be at least %dMiB", LEAST_MEMORY_MIB);
	if (text_equal(config->auth, "none") && !loopback)
		return fail(ctx, FAIL_CONFIG_INVALID, "LOADSTAR_AUTH=none needs a loopback LOADSTAR_LISTEN, not %s",
		    config->listen);
	if (!text_equal(config->auth, "none") && !text_equal(config->auth, "jwt"))
		return fail(ctx, FAIL_CONFIG_INVALID, "LOADSTAR_AUTH is %s, but must be jwt or none", config->auth);
	if (!secret_is_set(&config->database_url) && !loopback && !config->embedded)
		return fail(ctx, FAIL_CONFIG_INVALID,
		    "LOADSTAR_DATABASE_URL is not set, and the embedded PostgreSQL is only for a loopback "
		    "LOADSTAR_LISTEN or with LOADSTAR_EMBEDDED=1");
	return edge_open(ctx, config, &edge);
}

/* Without LOADSTAR_DATABASE_URL: a cluster and secrets of our own under the home. */
static bool
start_embedded(struct ctx *ctx, struct service *service)
{
	struct config *config = service->config;
	bool created;

	if (secret_is_set(&config->database_url))
		return true;
	if (!home_open(ctx, config, &service->home) || !home_lock(ctx, &service->home))
		return false;
	if (service->home.moved)
		log_line(ctx, LOG_WARN, "the PostgreSQL user cannot reach LOADSTAR_HOME; using another folder", "asked",
		    service->home.asked, "home", service->home.path, NULL);
	if (!embedded_start(ctx, &service->home, &service->embedded) ||
	    !embedded_databases(ctx, &service->home, config))
		return false;
	if (text_equal(config->auth, "jwt") && home_signs(config) &&
	    !home_secret(ctx, &service->home, "jwt_secret", &config->jwt_secret, &created))
		return false;
	return true;
}

static bool
prepare_control(struct ctx *ctx, struct service *service, bool check)
{
	CTX_SCOPE(tmp, ctx);
	struct app *app = &service->app;
	struct pg_options options = {.what = "control database", .application_name = "loadstar start"};
	const char *control_id;
	int applied = 0;
	size_t pipelines = 0;
	struct pg *db;

	if (!pg_open(tmp, &service->config->database_url, &options, &db) || !migrate_run(tmp, db, &applied) ||
	    !control_identity(tmp, db, &control_id, &app->epoch) ||
	    !apply_folders(tmp,
		&(struct apply){.config = service->config,
		    .catalog = app->catalog,
		    .db = db,
		    .by = "start",
		    .dry_run = check},
		service->config->pipelines, &pipelines))
		return false;
	app->control_id = ctx_strdup(ctx, control_id);
	log_line(ctx, LOG_INFO, "control database ready", "migrations_applied", text_from_i64(tmp, applied),
	    "pipelines", text_from_i64(tmp, (int64_t)pipelines), NULL);
	return true;
}

static int
worker_count(const struct config *config)
{
	return config->workers >= 0 ? (int)config->workers : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static bool
prepare_app(struct ctx *ctx, struct service *service, bool check)
{
	struct app *app = &service->app;

	app->config = service->config;
	app->catalog = catalog_new();
	app->rates = rates_new(ctx, service->config->write_rate);
	app->control = pool_new(&service->config->database_url, CONTROL_SESSIONS);
	if (!auth_new(ctx, service->config, &app->auth) || !prepare_control(ctx, service, check))
		return false;
	app->overview = overview_new(app->config, app->control, app->epoch);
	return true;
}

static bool
start_parts(struct ctx *ctx, struct service *service)
{
	struct config *config = service->config;
	struct app *app = &service->app;

	service->boot_id = uuid_make(ctx);
	service->http = http_new(ctx, app);
	app->board = board_start(app->control, http_run_changed, service->http);
	return engine_start(ctx,
		   &(struct engine_options){.config = config,
		       .pool = app->control,
		       .catalog = app->catalog,
		       .boot_id = service->boot_id,
		       .control_id = app->control_id,
		       .workers = worker_count(config)},
		   &service->engine) &&
	       http_start(ctx, service->http);
}

static void
announce(struct ctx *ctx, const struct service *service)
{
	const char *url = http_url(service->http);

	(void)printf("listening on %s\n", url);
	if (text_equal(service->config->auth, "none"))
		(void)printf("no token is needed (LOADSTAR_AUTH=none)\n");
	else if (service->home.path != NULL)
		(void)printf("sign in with a token: LOADSTAR_HOME=%s %s token\n",
		    file_real_path(ctx, service->home.asked), file_real_path(ctx, "/proc/self/exe"));
	(void)fflush(stdout);
	log_line(ctx, LOG_INFO, "listening", "url", url, "version", loadstar_version(), "admin",
	    http_admin_url(service->http), NULL);
}

/* Each part that was started, in reverse. */
static void
stop_parts(struct ctx *ctx, struct service *service)
{
	struct app *app = &service->app;

	atomic_store(&app->draining, true);
	if (service->http != NULL)
		http_drain(service->http);
	if (service->engine != NULL)
		engine_stop(service->engine, service->config->drain_ms);
	if (service->http != NULL)
		http_stop(service->http);
	if (app->board != NULL)
		board_stop(app->board);
	if (app->overview != NULL)
		overview_free(app->overview);
	if (app->control != NULL)
		pool_free(app->control);
	if (app->catalog != NULL)
		catalog_free(app->catalog);
	embedded_stop(&service->embedded);
	log_line(ctx, LOG_INFO, "stopped", NULL);
}

int
serve_run(struct ctx *ctx, struct config *config, bool check)
{
	struct service *service = ctx_alloc(ctx, sizeof(*service));
	sigset_t ends;
	int signal_number = 0;
	bool ok;

	service->config = config;
	block_signals(&ends);
	raise_file_limit(ctx);
	metrics_set(METRIC_BUILD_INFO, METRIC_LABELS(loadstar_version()), 1);
	ok = failpoint_load(ctx, config) && check_settings(ctx, config) && start_embedded(ctx, service) &&
	     prepare_app(ctx, service, check) && (check || start_parts(ctx, service));
	if (ok && check) {
		(void)printf("the service can start: settings, control database and pipelines are in order\n");
	} else if (ok) {
		announce(ctx, service);
		(void)sigwait(&ends, &signal_number);
	} else {
		log_failure(ctx, "cannot start");
	}
	stop_parts(ctx, service);
	return ok ? 0 : 1;
}
