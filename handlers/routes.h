/*
 * routes: the whole API on one screen is routes.def; this finds the row of a request, asks who sends it, and calls its
 * handler. ROUTE(method, path, scope, query, produces, source, handler, operation): {…} are path values; query: the parameters
 * it knows, * when the handler tells which; produces: media types the Accept header may choose from, "" for any; source: MEMORY when the handler heeds
 * request.at_once, else DATABASE; operation: operationId of openapi.yaml.
 */
#ifndef HANDLERS_ROUTES_H
#define HANDLERS_ROUTES_H

#include "handlers/app.h"
#include "handlers/auth.h"
#include "handlers/http.h"

typedef bool route_handler(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply);

enum { SCOPE_PUBLIC = SCOPE_COUNT };

enum route_source { FROM_DATABASE, FROM_MEMORY };

struct route {
	enum http_method method;
	const char *path;
	int scope; /* enum scope or SCOPE_PUBLIC */
	const char *query;
	const char *produces;
	enum route_source source;
	route_handler *handler;
	const char *operation;
};
extern const struct route routes[];
extern const size_t routes_count;

/* The route of a method and a raw path; path values go to request when it is given. NULL: *allow lists the methods of
 * the path, or is NULL when there is no such path or (failure recorded) it cannot be decoded. HEAD is answered by GET. */
const struct route *routes_match(struct ctx *ctx, enum http_method method, const char *path, struct request *request,
    const char **allow);

/* Answers a request, whatever it is; failures become problem documents. The failure stays in ctx for the log. */
void routes_answer(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply);

/* Answers from memory, without waiting for anybody, or is false. What is false is not refused: it may be that the token
 * was not seen before, that the run is not on the board, or that something is wrong; routes_answer tells. Then ctx is
 * good for nothing more, and reply says nothing. */
bool routes_answer_at_once(struct ctx *ctx, struct app *app, struct request *request, struct reply *reply) MUST_CHECK;

/* One handler a row of the table. */
#define ROUTE(method, path, scope, query, produces, source, handler, operation) route_handler handler;
#include "handlers/routes.def"
#undef ROUTE

#endif
