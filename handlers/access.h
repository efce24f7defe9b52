/* access: the run that a path names, for a principal who may see it. A run of a pipeline the token does not reach is
 * FAIL_NOT_FOUND: nobody learns of runs that are not theirs. */
#ifndef HANDLERS_ACCESS_H
#define HANDLERS_ACCESS_H

#include "handlers/app.h"
#include "handlers/auth.h"
#include "handlers/http.h"

/* The picture of the run path_values[0], from the board where it has it, else from the database unless it must be at once. Lives as long as ctx. */
bool access_run_page(struct ctx *ctx, struct app *app, const struct request *request, enum scope scope,
    const struct board_page **page) MUST_CHECK;

/* As above, for those who want its id alone. */
bool access_run(struct ctx *ctx, struct app *app, const struct request *request, enum scope scope,
    const char **id) MUST_CHECK;

/* True when a list of auth_pipelines (NULL: all) has the pipeline. */
bool access_reaches(const char *const *reached, const char *pipeline);

/* FAIL_NOT_FOUND unless the scope reaches the pipeline. */
bool access_pipeline(struct ctx *ctx, const struct request *request, enum scope scope, const char *pipeline) MUST_CHECK;

/* For lists: the pipelines ?pipeline= names that the scope reaches, or all it reaches, NULL terminated; NULL: all there are. */
const char *const *access_pipelines(struct ctx *ctx, const struct request *request, enum scope scope);

/* The active version of a pipeline. The control session goes back at once. */
bool access_spec(struct ctx *ctx, struct app *app, const char *pipeline, const struct spec **spec) MUST_CHECK;

#endif
