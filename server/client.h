/*
 * client: how commands talk to a running service.
 *
 * The token is LOADSTAR_TOKEN; on a loopback URL without one, the secret under LOADSTAR_HOME signs one. A service that cannot be
 * reached fails the command at once; one that has answered and then goes away, or says 503, is waited for up to a minute, so
 * that following a run survives a restart.
 */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include "base/config.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/text.h"

struct client {
	struct http_client *http;
	const char *url; /* without a slash at its end */
	struct secret token;
	bool json;     /* --json: print what the service said */
	bool answered; /* it has been reached */
};

bool client_open(struct ctx *ctx, const struct config *config, bool json, struct client *client) MUST_CHECK;

/* GET / POST of a path. False: no answer, or an error document, which becomes the ctx's failure (its code, its detail,
 * its fields on lines of their own). body NULL: an empty POST. */
bool client_get(struct ctx *ctx, struct client *client, const char *path, json_t **answer) MUST_CHECK;
bool client_post(struct ctx *ctx, struct client *client, const char *path, const json_t *body,
    json_t **answer) MUST_CHECK;

/* A list; follows next_cursor until `limit` items came. filters: "&name=value…" or "". */
bool client_get_items(struct ctx *ctx, struct client *client, const char *path, const char *filters, int64_t limit,
    json_t *items) MUST_CHECK;

/* GET /v1/runs/{id} that waits up to 30 s for another etag; *etag "" at first, changed on return. */
bool client_wait_run(struct ctx *ctx, struct client *client, const char *run_id, char etag[64],
    json_t **run) MUST_CHECK;

/* Follows a run to its end: a progress bar on a terminal, a line a change elsewhere. exit_code: the contract's. */
bool client_follow(struct ctx *ctx, struct client *client, const char *run_id, int *exit_code) MUST_CHECK;

/* A text as part of a query: what is not unreserved is escaped. Adds "&name=value"; nothing when value is NULL. */
void client_add_filter(struct text *filters, const char *name, const char *value);

/* Exit code of a final run; EXIT_SUCCEEDED while it is not final. */
int client_exit_code(const json_t *run);

/* One run on a few lines. */
void client_print_run(const json_t *run);

/* For what its running and queued steps wait, some lines; none for a run that is final. */
bool client_print_waits(struct ctx *ctx, struct client *client, const json_t *run) MUST_CHECK;

void client_print_json(struct ctx *ctx, const json_t *value);

#endif
