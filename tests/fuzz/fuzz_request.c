/*
 * Any bytes as a request, as the HTTP library hands them over: a request line, headers, an empty line, a body. It goes the whole way
 * of a real one (head, client, route, token, parameters, body) up to the first question to a database, which is lost. A header
 * `Scope: …` stands for a token with these scopes. Whatever comes: an answer that is one, and no failure of ours.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "etl/overview.h"
#include "handlers/routes.h"
#include "server/exchange.h"
#include "sql/board_internal.h"
#include "sql/pg_internal.h"
#include "sql/run_store.h"

const char *__lsan_default_suppressions(void);

/* As in fuzz_spec.c: libfyaml loses its buffer when a long quoted text ends in an error. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"
#define RUN "019a2f10-7c00-7abc-8def-0123456789ab"

enum { MOST_PAIRS = 64, BODY_LIMIT = 64 * 1024 };

struct pairs {
	struct http_pair items[MOST_PAIRS];
	size_t count;
};

static struct {
	struct pairs query, headers;
	struct sockaddr_in address;
	union MHD_ConnectionInfo info;
} asked;

static const struct spec *shop;

/* ---- the library: what it has read */

static const struct pairs *
pairs_of(enum MHD_ValueKind kind)
{
	return kind == MHD_HEADER_KIND ? &asked.headers : &asked.query;
}

int
MHD_get_connection_values(struct MHD_Connection *connection, enum MHD_ValueKind kind, MHD_KeyValueIterator iterator,
    void *arg)
{
	const struct pairs *pairs = pairs_of(kind);
	size_t i = 0;

	(void)connection;
	while (i < pairs->count && iterator(arg, kind, pairs->items[i].name, pairs->items[i].value) == MHD_YES)
		i++;
	return (int)i;
}

int
MHD_get_connection_values_n(struct MHD_Connection *connection, enum MHD_ValueKind kind, MHD_KeyValueIteratorN iterator,
    void *arg)
{
	const struct pairs *pairs = pairs_of(kind);
	size_t i = 0;

	(void)connection;
	for (; i < pairs->count; i++) {
		const struct http_pair *pair = &pairs->items[i];

		if (iterator(arg, kind, pair->name, strlen(pair->name), pair->value, strlen(pair->value)) != MHD_YES)
			break;
	}
	return (int)i;
}

const char *
MHD_lookup_connection_value(struct MHD_Connection *connection, enum MHD_ValueKind kind, const char *name)
{
	const struct pairs *pairs = pairs_of(kind);

	(void)connection;
	for (size_t i = 0; i < pairs->count; i++)
		if (strcasecmp(pairs->items[i].name, name) == 0)
			return pairs->items[i].value;
	return NULL;
}

const union MHD_ConnectionInfo *
MHD_get_connection_info(struct MHD_Connection *connection, enum MHD_ConnectionInfoType type, ...)
{
	(void)connection;
	ASSERT(type == MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	asked.info.client_addr = (struct sockaddr *)(void *)&asked.address;
	return &asked.info;
}

/* ---- the databases: sessions that are lost at the first word, and one pipeline */

const struct secret *
pool_url(const struct pool *pool)
{
	(void)pool;
	return NULL;
}

bool
pool_take(struct ctx *ctx, struct pool *pool, struct pg **db)
{
	(void)pool;
	*db = ctx_alloc(ctx, sizeof(**db));
	**db = (struct pg){.owner = ctx, .what = "control database", .place = "nowhere"};
	return true;
}

bool
catalog_find(struct ctx *ctx, struct catalog *catalog, struct pg *db, const char *pipeline, const char *hash,
    const struct spec **spec)
{
	(void)catalog;
	(void)db;
	*spec = shop;
	return (strcmp(pipeline, shop->pipeline) == 0 && (hash == NULL || strcmp(hash, shop->hash) == 0)) ||
	       fail(ctx, FAIL_NOT_FOUND, "there is no pipeline %s", pipeline);
}

/* ---- the service */

static const char pipeline[] =
    "spec: 1\n"
    "pipeline: shop\n"
    "warehouse: warehouse\n"
    "params: { region: { type: text, pattern: \"[a-z]{2}\", default: ch }, size: { type: integer, default: 7 } }\n"
    "sources: { rds: { type: postgres, connection: rds } }\n"
    "tables:\n"
    "  dim_robots:\n"
    "    kind: dimension\n"
    "    source: { from: rds, query: extract/robots.sql }\n"
    "    key: [robot_id]\n"
    "    columns: { robot_id: bigint, model: text, updated_at: timestamptz }\n"
    "    history: { scd: 2, track: all, valid_from: updated_at, deletes: ignore }\n"
    "  fact_uses:\n"
    "    kind: fact\n"
    "    source: { from: rds, query: extract/uses.sql }\n"
    "    grain: [use_id, at]\n"
    "    columns: { use_id: bigint, robot_id: bigint, at: timestamptz }\n"
    "    time: at\n"
    "    begin: 2024-01-01\n"
    "    slice: P1M\n"
    "    lookups: { robot_key: { dimension: dim_robots, match: robot_id, as_of: at, missing: fail } }\n"
    "views:\n"
    "  - views/view_uses.sql\n";

static const struct spec *
read_shop(struct ctx *ctx)
{
	static struct spec_file items[] = {
	    {"extract/robots.sql", "SELECT * FROM robots WHERE region = :region AND size = :size"},
	    {"extract/uses.sql", "SELECT * FROM uses WHERE at >= :from AND at < :to"},
	    {"pipeline.yaml", pipeline},
	    {"views/view_uses.sql", "CREATE OR REPLACE VIEW view_uses AS SELECT * FROM fact_uses;"},
	};
	struct spec_files files = {.items = items, .count = LENGTH_OF(items)};
	struct spec_error *errors = NULL;
	struct spec *spec;

	ASSERT(spec_parse(ctx, &files, &spec, &errors));
	return spec;
}

static struct board *
make_board(struct ctx *ctx)
{
	struct board *board = ctx_alloc(ctx, sizeof(*board));
	struct run run = {.id = RUN, .pipeline = "shop", .type = "full", .mode = "auto", .version = 3};

	run.tables = run.error = json_new_array(ctx);
	run.params = run.labels = json_new_object(ctx);
	run.allow = json_new_array(ctx);
	run.spec_version = shop->hash;
	run.requested_by = run.trigger_kind = "dana";
	ASSERT(pthread_mutex_init(&board->lock, NULL) == 0);
	board_put_run(ctx, board, &run, 0, NULL);
	return board;
}

static struct http_listener *
our_service(void)
{
	static struct http_listener listener;
	static struct config config = {.auth = "jwt",
	    .http_body_bytes = BODY_LIMIT,
	    .trusted_proxies = "10.0.0.0/8, ::1",
	    .cors_origins = "https://dash.example.org",
	    .jwt_issuer = "https://issuer"};
	static struct app app;
	struct ctx *always;

	if (listener.server == NULL) {
		log_set_level(LOG_ERROR);
		always = ctx_new("fuzz", 0);
		shop = read_shop(always);
		config.jwt_secret = secret_make(always, SECRET);
		app = (struct app){.config = &config, .control_id = RUN, .epoch = 1, .board = make_board(always)};
		app.overview = overview_new(&config, NULL, 1);
		ASSERT(auth_new(always, &config, &app.auth));
		listener.server = http_new(always, &app);
		/* as http_start does before it listens */
		ASSERT(edge_open(always, &config, (struct edge *)(uintptr_t)http_edge(listener.server)));
	}
	atomic_store(&app.board->succeeded_us, clock_monotonic_us());
	return &listener;
}

/* ---- the request */

static void
add(struct pairs *pairs, const char *name, const char *value)
{
	if (pairs->count < MOST_PAIRS)
		pairs->items[pairs->count++] = (struct http_pair){name, value};
}

/* The line up to its end, cut off; *rest is what follows it. */
static char *
take_line(char **rest)
{
	char *line = *rest, *end = strchr(line, '\n');

	*rest = end != NULL ? end + 1 : line + strlen(line);
	if (end != NULL)
		*end = '\0';
	line[strcspn(line, "\r")] = '\0';
	return line;
}

static void
read_header(struct ctx *ctx, char *line)
{
	char *colon = strchr(line, ':'), *value, *token;

	if (colon == NULL)
		return;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	if (strcasecmp(line, "Scope") != 0) {
		add(&asked.headers, line, value);
		return;
	}
	if (auth_issue(ctx, &http_app(our_service()->server)->config->jwt_secret, "dana", value, 60, "https://issuer",
		NULL, &token))
		add(&asked.headers, "Authorization", ctx_printf(ctx, "Bearer %s", token));
	fail_clear(ctx);
}

/* As the library takes it apart, + being a blank. */
static void
read_query(char *query)
{
	while (query != NULL) {
		char *next = strchr(query, '&'), *value;

		if (next != NULL)
			*next++ = '\0';
		for (char *plus = query; (plus = strchr(plus, '+')) != NULL;)
			*plus = ' ';
		value = strchr(query, '=');
		if (value != NULL)
			*value++ = '\0';
		add(&asked.query, query, value != NULL ? value : "");
		query = next;
	}
}

static void
read_head(struct ctx *ctx, char **rest, const char **method, char **path)
{
	char *line = take_line(rest), *end, *mark;

	*method = line;
	*path = strchr(line, ' ');
	if (*path == NULL)
		*path = line + strlen(line);
	else
		*(*path)++ = '\0';
	end = strchr(*path, ' ');
	if (end != NULL)
		*end = '\0';
	mark = strchr(*path, '?');
	if (mark != NULL)
		*mark++ = '\0';
	asked.query.count = asked.headers.count = 0;
	read_query(mark);
	while (**rest != '\0' && *(line = take_line(rest)) != '\0')
		read_header(ctx, line);
}

/* ---- what must hold */

static size_t
headers_named(const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < asked.headers.count; i++)
		count += strcasecmp(asked.headers.items[i].name, name) == 0;
	return count;
}

/* What was let in has one reading. */
static void
check_head(const struct exchange *exchange)
{
	ASSERT(headers_named("Content-Length") + headers_named("Transfer-Encoding") <= 1);
	ASSERT(
	    headers_named("Host") <= 1 && headers_named("Authorization") <= 1 && headers_named("Idempotency-Key") <= 1);
	for (size_t i = 0; i < asked.headers.count; i++)
		ASSERT(strpbrk(asked.headers.items[i].name, " \t:") == NULL && asked.headers.items[i].name[0] != '\0');
	ASSERT(strstr(exchange->path, "%00") == NULL && strcasestr(exchange->path, "%2f") == NULL);
}

static void
check_problem(struct ctx *ctx, const struct reply *reply)
{
	const json_t *problem = json_trusted(ctx, reply->body);

	ASSERT(strcmp(reply->content_type, "application/problem+json") == 0);
	ASSERT(json_int_or(problem, "status", 0) == reply->status && json_string_or(problem, "title", "")[0] != '\0');
	ASSERT((reply->status == 405) == (reply->allow != NULL));
	ASSERT((reply->status == 401) == reply->authenticate);
}

static void
check_reply(struct ctx *ctx, const struct reply *reply)
{
	enum fail_code code = ctx_failure(ctx)->code;

	ASSERT(code != FAIL_INTERNAL && code != FAIL_MEMORY_LIMIT);
	if (reply->kind != REPLY_BODY) {
		ASSERT(code == FAIL_NONE && strcmp(reply->run_id, RUN) == 0);
		return;
	}
	ASSERT(reply->status >= 200 && reply->length == strlen(reply->body));
	if (code != FAIL_NONE)
		check_problem(ctx, reply);
	else
		ASSERT(reply->status < 400);
}

static void
answer(struct ctx *ctx, struct exchange *exchange)
{
	struct app *app = http_app(exchange->listener->server);
	struct request request;
	struct reply reply = {0}, early;
	bool at_once;

	if (!intake_check(exchange, &reply)) {
		reply_problem(exchange->ctx, &(struct request){.path = exchange->path}, &reply);
		check_problem(exchange->ctx, &reply);
		return;
	}
	check_head(exchange);
	intake_tags(exchange);
	ASSERT(exchange->request_id[0] != '\0' && strlen(exchange->tags.trace_id) == 32);
	if (!intake_request(ctx, exchange, &request)) {
		reply_problem(ctx, &request, &reply);
	} else {
		at_once = routes_answer_at_once(exchange->ctx, app, &request, &early);
		request.at_once = false;
		routes_answer(ctx, app, &request, &reply);
		ASSERT(!at_once || (early.kind == reply.kind && early.status == reply.status));
	}
	ASSERT(inet_pton(strchr(request.client, ':') != NULL ? AF_INET6 : AF_INET, request.client,
		   &(struct in6_addr){0}) == 1);
	check_reply(ctx, &reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_listener *listener = our_service();
	struct ctx *ctx = ctx_new("fuzz", 64 * 1024 * 1024);
	char *rest = ctx_strndup(ctx, (const char *)data, size), *path;
	struct exchange exchange = {.ctx = ctx_new("fuzz", 1024 * 1024), .listener = listener};

	asked.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
	read_head(ctx, &rest, &exchange.method_name, &path);
	exchange.path = path;
	text_init(&exchange.body, exchange.ctx);
	if (strlen(rest) <= BODY_LIMIT) {
		text_add(&exchange.body, rest);
		answer(ctx, &exchange);
	}
	ctx_free(exchange.ctx);
	ctx_free(ctx);
	return 0;
}
