/*
 * routes: the whole API on one screen is routes.def; this finds the row of a request, asks who sends it, and calls its
 * handler. ROUTE(method, path, scope, query, produces, handler, operation): {…} are path values; query: the parameters
 * it knows, * when the handler tells which; produces: media types the Accept header may choose from, "" for any; operation: operationId of openapi.yaml.
 */
#ifndef HANDLERS_ROUTES_H
#define HANDLERS_ROUTES_H

#include "handlers/app.h"
#include "handlers/auth.h"
#include "handlers/http.h"

typedef bool route_handler(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply);

enum { SCOPE_PUBLIC = SCOPE_COUNT };

struct route {
	enum http_method method;
	const char *path;
	int scope; /* enum scope or SCOPE_PUBLIC */
	const char *query;
	const char *produces;
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

/* One handler a row of the table. */
#define ROUTE(method, path, scope, query, produces, handler, operation) route_handler handler;
#include "handlers/routes.def"
#undef ROUTE

#endif
