/* template_place: from a place in SQL that was sent back to the file it was made of. */
#include <string.h>

#include "etl/template.h"

struct walk {
	struct ctx *ctx;
	const struct template_value *values;
	size_t count;
	const char *at;       /* in the template */
	int line, column;     /* of at */
	int position, passed; /* of the filled text: what is looked for; characters before at */
};

static int
characters(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* One character of the template, which is one of the filled text. */
static void
step(struct walk *walk)
{
	if (*walk->at == '\n') {
		walk->line++;
		walk->column = 1;
	} else {
		walk->column++;
	}
	walk->passed++;
	for (walk->at++; (*walk->at & 0xc0) == 0x80; walk->at++)
		;
}

static bool
is_before(const struct walk *walk, int line, int column)
{
	return walk->line < line || (walk->line == line && walk->column < column);
}

/* Up to the placeholder, and over it; false: what is looked for is there. */
static bool
pass(void *arg, const char *name, int line, int column)
{
	struct walk *walk = arg;
	char *filled, *placeholder = ctx_printf(walk->ctx, ":%s", name);
	int length;

	while (is_before(walk, line, column)) {
		if (walk->passed + 1 == walk->position)
			return false;
		step(walk);
	}
	if (!template_fill(walk->ctx, "", placeholder, walk->values, walk->count, &filled))
		return false;
	length = characters(filled) + (walk->at[strlen(placeholder)] == '\''); /* template_fill parts two literals */
	if (walk->passed + length >= walk->position)
		return false;
	walk->passed += length;
	walk->at += strlen(placeholder);
	walk->column += (int)strlen(placeholder);
	return true;
}

bool
template_place(struct ctx *ctx, const char *sql, const struct template_value *values, size_t count, int position,
    int *line, int *column)
{
	CTX_SCOPE(tmp, ctx);
	struct walk walk =
	    {.ctx = tmp, .values = values, .count = count, .at = sql, .line = 1, .column = 1, .position = position};
	bool found = !template_scan(sql, pass, &walk);

	while (!found && *walk.at != '\0' && walk.passed + 1 < position)
		step(&walk);
	*line = walk.line;
	*column = walk.column;
	return found || *walk.at != '\0';
}
