/* auth_scopes: what the words of a scope claim allow. */
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/auth.h"

static const char *const names[SCOPE_COUNT] = {
#define SCOPE(id, name) [SCOPE_##id] = name,
#include "handlers/scopes.def"
#undef SCOPE
};

const char *
scope_name(enum scope scope)
{
	ASSERT(scope < SCOPE_COUNT);
	return names[scope];
}

/* What a word of the scope claim gives of a scope: false nothing, else *pipeline NULL (all) or one. */
static bool
word_gives(const char *word, size_t length, const char *name, const char **pipeline, size_t *pipeline_length)
{
	size_t size = strlen(name);

	if (length < size || strncmp(word, name, size) != 0)
		return false;
	*pipeline = NULL;
	if (length == size)
		return true;
	*pipeline = word + size + 1;
	*pipeline_length = length - size - 1;
	return word[size] == ':' && *pipeline_length > 0;
}

typedef bool word_visitor(void *arg, const char *pipeline, size_t length);

/* Calls visit for each word that gives the scope, until it says true. */
static bool
visit_words(const struct principal *who, enum scope scope, word_visitor *visit, void *arg)
{
	for (const char *s = who->scopes + strspn(who->scopes, " "); *s != '\0'; s += strspn(s, " ")) {
		size_t length = strcspn(s, " "), pipeline_length = 0;
		const char *pipeline;

		if ((word_gives(s, length, scope_name(scope), &pipeline, &pipeline_length) ||
			word_gives(s, length, scope_name(SCOPE_ADMIN), &pipeline, &pipeline_length)) &&
		    visit(arg, pipeline, pipeline_length))
			return true;
		s += length;
	}
	return false;
}

static bool
reaches(void *arg, const char *pipeline, size_t length)
{
	const char *wanted = arg;

	return wanted == NULL || pipeline == NULL ||
	       (strlen(wanted) == length && strncmp(wanted, pipeline, length) == 0);
}

bool
auth_may(struct ctx *ctx, const struct principal *who, enum scope scope, const char *pipeline)
{
	char wanted[64]; /* longer than any pipeline's name */

	if (pipeline != NULL) {
		if (!text_is_name(pipeline))
			return fail(ctx, FAIL_FORBIDDEN, "the token does not reach this pipeline");
		memcpy(wanted, pipeline, strlen(pipeline) + 1);
	}
	if (visit_words(who, scope, reaches, pipeline != NULL ? wanted : NULL))
		return true;
	if (pipeline == NULL)
		return fail(ctx, FAIL_FORBIDDEN, "the token lacks the scope %s", scope_name(scope));
	return fail(ctx, FAIL_FORBIDDEN, "the token lacks the scope %s for pipeline %s", scope_name(scope), pipeline);
}

struct collection {
	struct ctx *ctx;
	const char **items;
	size_t count;
};

static bool
collect(void *arg, const char *pipeline, size_t length)
{
	struct collection *collection = arg;

	if (pipeline == NULL)
		return true;
	collection->items[collection->count++] = ctx_strndup(collection->ctx, pipeline, length);
	return false;
}

const char *const *
auth_pipelines(struct ctx *ctx, const struct principal *who, enum scope scope)
{
	struct collection collection = {.ctx = ctx};

	collection.items = ctx_alloc_array(ctx, strlen(who->scopes) + 1, sizeof(*collection.items));
	return visit_words(who, scope, collect, &collection) ? NULL : collection.items;
}
