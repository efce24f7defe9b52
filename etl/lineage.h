/*
 * lineage: what is made of what, from a specification alone: sources, tables, scripts, views and questions as nodes, an edge from each to what is
 * made of it. What a view or question reads are the declared names in its text, outside literals and comments, that stand alone or
 * behind the pipeline's schema. PostgreSQL would know better (a column, or a WITH query, of a table's name is taken for the table), but
 * only once the view is there.
 */
#ifndef ETL_LINEAGE_H
#define ETL_LINEAGE_H

#include "etl/spec.h"

/* {"nodes": [{"id", "kind", "name"}], "edges": [{"from", "to", "kind"}]}; kinds of edges: load, lookup, read, and use for scripts, which may
 * also write. */
json_t *lineage_to_json(struct ctx *ctx, const struct spec *spec);

#endif
