/* dry_run: what a request would do, written nowhere. */
#ifndef HANDLERS_DRY_RUN_H
#define HANDLERS_DRY_RUN_H

#include "etl/run_request.h"
#include "handlers/app.h"
#include "handlers/http.h"

/* 200 with the plan: steps, and the SQL of one slice a table. May ask the warehouse for what is loaded. */
bool dry_run_plan(struct ctx *ctx, const struct app *app, const struct spec *spec, const struct run_request *want,
    struct reply *reply) MUST_CHECK;

#endif
