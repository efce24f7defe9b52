/*
 * config: every setting of the process, read once, immutable afterwards.
 *
 * config_table.def is the one table: it is the parser, the --help text and the documentation check. Each setting is an
 * environment variable and a flag (--listen=… or --listen …); the flag wins. A variable ending in _FILE names a file that
 * holds the value. Named connections are LOADSTAR_CONNECTION_<NAME>, targets of notices LOADSTAR_NOTIFY_<NAME>; names are lower-cased.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/ctx.h"
#include "base/secret.h"

struct config_connection {
	const char *name; /* lower case */
	struct secret url;
	const char *pipelines; /* that may use it, with commas between them; NULL: all */
	struct config_connection *next;
};

struct config {
	const char *listen;
	const char *admin_listen;
	const char *home;
	int64_t http_threads;
	int64_t http_connections;
	int64_t http_body_bytes;
	const char *trusted_proxies;
	const char *cors_origins;
	const char *tls_cert, *tls_key; /* paths */
	int64_t write_rate;
	struct secret database_url;
	bool embedded;
	const char *pipelines;
	int64_t workers;      /* -1: number of cores */
	int64_t memory_bytes; /* 0: not set */
	int64_t spool_bytes;
	const char *auth;
	struct secret jwt_secret;
	const char *jwt_public_key;
	const char *jwks_url;
	const char *jwt_issuer;
	const char *jwt_audience;
	bool metrics_auth;
	bool scheduler;
	const char *public_url; /* NULL: unset */
	const char *log_level;
	int64_t lease_ms;
	int64_t drain_ms;
	int64_t retention_ms; /* of all that have none of their own; 0: unset */
	int64_t retention_runs_ms, retention_logs_ms, retention_quality_ms,
	    retention_audit_ms; /* never 0 once loaded */
	const char *failpoints;
	const char *url;
	struct secret token;
	struct config_connection *connections;
	struct config_connection *notify; /* LOADSTAR_NOTIFY_<NAME> */
};

enum config_type { CONFIG_TEXT, CONFIG_COUNT, CONFIG_SIZE, CONFIG_DURATION, CONFIG_BOOL };

/* One row of the table, for --help and for the test that compares the documentation. */
struct config_setting {
	const char *variable;
	const char *flag;
	enum config_type type;
	const char *default_text; /* NULL: unset */
	bool secret;
	const char *doc;
	size_t offset; /* in struct config */
};

extern const struct config_setting config_settings[];
extern const size_t config_settings_count;

/* Reads the environment, then flags of the form --name=value or --name value in argv[0..*argc); flags it knows are
 * taken out of argv, the rest stays. FAIL_CONFIG_INVALID names the variable and what would be right. */
bool config_load(struct ctx *ctx, int *argc, char **argv, struct config *config) MUST_CHECK;

/* The URL of a named connection; FAIL_CONNECTION_MISSING names the variable to set. */
bool config_connection(struct ctx *ctx, const struct config *config, const char *name, struct secret *url) MUST_CHECK;

/* As above, for a pipeline: FAIL_CONNECTION_MISSING, too, when x-pipelines in the connection's URL does not name it. */
bool config_connection_of(struct ctx *ctx, const struct config *config, const char *pipeline, const char *name,
    struct secret *url) MUST_CHECK;

/* For config_load: takes x-pipelines out of the connections' URLs. */
void config_split_pipelines(struct ctx *ctx, struct config *config);

/* Where notices to `name` go: https://…, http://…, or slack: before either. False: LOADSTAR_NOTIFY_<NAME> is not set; no failure is recorded. */
bool config_notify(const struct config *config, const char *name, struct secret *url) MUST_CHECK;

/* LOADSTAR_CONNECTION_NAME for a connection's name. */
char *config_connection_variable(struct ctx *ctx, const char *name);

/* Adds a connection unless one of that name is set (the embedded cluster's databases). */
void config_add_connection(struct ctx *ctx, struct config *config, const char *name, const char *url);

/* "name = value" lines with secrets masked. */
char *config_dump(struct ctx *ctx, const struct config *config);

/* An environment variable; nothing else in the programme may call getenv. NULL when unset. */
const char *config_env(const char *variable);

bool config_parse_size(const char *s, int64_t *bytes) MUST_CHECK; /* 65536, 64KiB, 1MiB, 2GiB */

/* True when address:port is a loopback address (127.0.0.0/8, [::1], localhost). */
bool config_is_loopback(const char *listen);

#endif
