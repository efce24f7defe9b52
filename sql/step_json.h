/* step_json: the step object's parts that more than one file makes. */
#ifndef SQL_STEP_JSON_H
#define SQL_STEP_JSON_H

#include "base/json.h"
#include "sql/pg.h"

/* The slice member of a step or error object, from the columns scope, slice, slice_from, slice_to that begin at column: {from,
 * to}, {batch, files} or null. */
json_t *step_json_slice(struct ctx *ctx, const struct pg_rows *rows, int row, int column);

/* {batch, files: [{path, size}]} of the files that a step has as planned. */
json_t *step_json_files(struct ctx *ctx, const json_t *planned);

#endif
