/* Named connections: where they are, and which pipelines may use them. */
#include <ctype.h>
#include <string.h>

#include "base/config.h"
#include "base/fail.h"
#include "base/text.h"

/* Takes x-pipelines=… out of a URL's query: it is for us, not for who is connected to. NULL when it is not there. */
static const char *
take_pipelines(struct ctx *ctx, const char **url)
{
	static const char name[] = "x-pipelines=";
	const char *at = strchr(*url, '?'), *value, *rest;

	while (at != NULL && strncmp(at + 1, name, sizeof(name) - 1) != 0)
		at = strchr(at + 1, '&');
	if (at == NULL)
		return NULL;
	value = at + sizeof(name);
	rest = value + strcspn(value, "&");
	/* The first parameter's ? is the next one's. */
	*url = ctx_printf(ctx, "%.*s%s%s", (int)(at - *url), *url, *rest != '\0' && *at == '?' ? "?" : "",
	    *rest != '\0' && *at == '?' ? rest + 1 : rest);
	return ctx_strndup(ctx, value, (size_t)(rest - value));
}

void
config_split_pipelines(struct ctx *ctx, struct config *config)
{
	for (struct config_connection *c = config->connections; c != NULL; c = c->next) {
		const char *url = secret_is_set(&c->url) ? secret_reveal(&c->url) : "";

		c->pipelines = take_pipelines(ctx, &url);
		if (c->pipelines != NULL)
			c->url = secret_make(ctx, url);
	}
}

char *
config_connection_variable(struct ctx *ctx, const char *name)
{
	char *variable = ctx_printf(ctx, "LOADSTAR_CONNECTION_%s", name);

	for (char *p = variable; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	return variable;
}

bool
config_connection(struct ctx *ctx, const struct config *config, const char *name, struct secret *url)
{
	for (const struct config_connection *c = config->connections; c != NULL; c = c->next) {
		if (strcmp(c->name, name) == 0) {
			*url = c->url;
			return true;
		}
	}
	return fail(ctx, FAIL_CONNECTION_MISSING, "connection %s is not configured: set %s", name,
	    config_connection_variable(ctx, name));
}

static bool
lists(const char *names, const char *name)
{
	size_t length = strlen(name);

	for (; *names != '\0'; names += strcspn(names, ","), names += *names == ',')
		if (strcspn(names, ",") == length && strncmp(names, name, length) == 0)
			return true;
	return false;
}

bool
config_connection_of(struct ctx *ctx, const struct config *config, const char *pipeline, const char *name,
    struct secret *url)
{
	for (const struct config_connection *c = config->connections; c != NULL; c = c->next)
		if (strcmp(c->name, name) == 0 && c->pipelines != NULL && !lists(c->pipelines, pipeline))
			return fail(ctx, FAIL_CONNECTION_MISSING,
			    "connection %s is not for pipeline %s: see x-pipelines of %s", name, pipeline,
			    config_connection_variable(ctx, name));
	return config_connection(ctx, config, name, url);
}
