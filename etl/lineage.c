#include "etl/lineage.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "etl/template.h"

struct graph {
	struct ctx *ctx;
	const struct spec *spec;
	json_t *nodes, *edges;
};

/* One statement whose words are looked at. */
struct reading {
	struct graph *graph;
	const char *kind, *name;   /* of what reads */
	struct template_word last; /* the word before */
	json_t *seen;              /* names that have their edge */
};

static const char *
node_id(struct graph *graph, const char *kind, const char *name)
{
	return ctx_printf(graph->ctx, "%s:%s", kind, name);
}

static void
add_node(struct graph *graph, const char *kind, const char *name)
{
	json_t *node = json_new_object(graph->ctx);

	json_put_string(graph->ctx, node, "id", node_id(graph, kind, name));
	json_put_string(graph->ctx, node, "kind", kind);
	json_put_string(graph->ctx, node, "name", name);
	json_add(graph->nodes, node);
}

static void
add_edge(struct graph *graph, const char *from, const char *to, const char *kind)
{
	json_t *edge = json_new_object(graph->ctx);

	json_put_string(graph->ctx, edge, "from", from);
	json_put_string(graph->ctx, edge, "to", to);
	json_put_string(graph->ctx, edge, "kind", kind);
	json_add(graph->edges, edge);
}

/* As PostgreSQL folds it: a name in quotes as it is, others in lower case. */
static bool
is_name(const struct template_word *word, const char *name)
{
	return strlen(name) == word->length && (word->quoted ? strncmp(name, word->at, word->length) == 0
							     : strncasecmp(name, word->at, word->length) == 0);
}

static void
add_read(struct reading *reading, const char *kind, const char *name)
{
	struct graph *graph = reading->graph;

	if (json_object_get(reading->seen, name) != NULL ||
	    (text_equal(kind, reading->kind) && text_equal(name, reading->name)))
		return;
	json_put_bool(reading->seen, name, true);
	add_edge(graph, node_id(graph, kind, name), node_id(graph, reading->kind, reading->name),
	    text_equal(reading->kind, "script") ? "use" : "read");
}

static bool
read_word(void *arg, const struct template_word *word)
{
	struct reading *reading = arg;
	const struct spec *spec = reading->graph->spec;
	bool alone = !word->after_dot || is_name(&reading->last, spec->schema);

	reading->last = *word;
	for (size_t i = 0; alone && i < spec->table_count; i++)
		if (is_name(word, spec->tables[i].name))
			add_read(reading, "table", spec->tables[i].name);
	for (size_t i = 0; alone && i < spec->view_count; i++)
		if (is_name(word, spec->views[i].name))
			add_read(reading, "view", spec->views[i].name);
	return true;
}

static void
add_reads(struct graph *graph, const char *kind, const char *name, const char *sql)
{
	struct reading reading = {.graph = graph, .kind = kind, .name = name, .seen = json_new_object(graph->ctx)};

	(void)template_words(sql, read_word, &reading);
}

static void
add_table(struct graph *graph, const struct spec_table *table)
{
	const char *id = node_id(graph, "table", table->name);

	if (table->calendar.kind == CALENDAR_NONE) /* else nobody gives its rows */
		add_edge(graph, node_id(graph, table->stage != NULL ? "table" : "source", table->source->name), id,
		    "load");
	for (size_t i = 0; i < table->lookup_count; i++)
		add_edge(graph, node_id(graph, "table", table->lookups[i].dimension->name), id, "lookup");
}

json_t *
lineage_to_json(struct ctx *ctx, const struct spec *spec)
{
	struct graph graph = {.ctx = ctx, .spec = spec, .nodes = json_new_array(ctx), .edges = json_new_array(ctx)};
	json_t *object = json_new_object(ctx);

	for (size_t i = 0; i < spec->source_count; i++)
		add_node(&graph, "source", spec->sources[i].name);
	for (size_t i = 0; i < spec->table_count; i++) {
		add_node(&graph, "table", spec->tables[i].name);
		add_table(&graph, &spec->tables[i]);
	}
	for (size_t i = 0; i < spec->script_count; i++) {
		add_node(&graph, "script", spec->scripts[i].name);
		add_reads(&graph, "script", spec->scripts[i].name, spec->scripts[i].text);
	}
	for (size_t i = 0; i < spec->view_count; i++) {
		add_node(&graph, "view", spec->views[i].name);
		add_reads(&graph, "view", spec->views[i].name, spec->views[i].statement);
	}
	for (size_t i = 0; i < spec->query_count; i++) {
		add_node(&graph, "query", spec->queries[i].name);
		add_reads(&graph, "query", spec->queries[i].name, spec->queries[i].text);
	}
	json_put(object, "nodes", graph.nodes);
	json_put(object, "edges", graph.edges);
	return object;
}
