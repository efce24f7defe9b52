#include "server/edge.h"

#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"

enum { PEM_LIMIT_BYTES = 256 * 1024 };

/* scheme://host or scheme://host:port, as browsers send it: lower case, no path. */
static bool
is_origin(const char *s)
{
	size_t scheme = text_starts_with(s, "https://") ? 8 : text_starts_with(s, "http://") ? 7 : 0;
	size_t rest = strspn(s + scheme, "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]");

	return scheme > 0 && rest > 0 && s[scheme + rest] == '\0';
}

static bool
read_origins(struct ctx *ctx, const char *text, struct edge *edge)
{
	if (text == NULL)
		return true;
	edge->origins = ctx_alloc_array(ctx, strlen(text) + 1, sizeof(*edge->origins));
	for (const char *s = text + strspn(text, ", "); *s != '\0'; s += strspn(s, ", ")) {
		size_t length = strcspn(s, ", ");
		const char *origin = ctx_strndup(ctx, s, length);

		if (text_equal(origin, "*"))
			edge->any_origin = true;
		else if (is_origin(origin))
			edge->origins[edge->origin_count++] = origin;
		else
			return fail(ctx, FAIL_CONFIG_INVALID,
			    "LOADSTAR_CORS_ORIGINS has %s, but must be * or origins such as https://dash.example.org",
			    text_sanitize(ctx, origin));
		s += length;
	}
	return true;
}

static bool
read_pem(struct ctx *ctx, const char *variable, const char *path, const char **pem)
{
	char *text;
	size_t length;

	if (!file_read(ctx, path, PEM_LIMIT_BYTES, &text, &length))
		return false;
	*pem = text;
	return strstr(text, "-----BEGIN ") != NULL ||
	       fail(ctx, FAIL_CONFIG_INVALID, "%s: %s is not a PEM file", variable, path);
}

bool
edge_read_certificate(struct ctx *ctx, const struct config *config, struct edge_certificate *certificate)
{
	*certificate = (struct edge_certificate){NULL, NULL};
	if (config->tls_cert == NULL && config->tls_key == NULL)
		return true;
	if (config->tls_cert == NULL || config->tls_key == NULL)
		return fail(ctx, FAIL_CONFIG_INVALID, "LOADSTAR_TLS_CERT and LOADSTAR_TLS_KEY go together");
	return read_pem(ctx, "LOADSTAR_TLS_CERT", config->tls_cert, &certificate->chain) &&
	       read_pem(ctx, "LOADSTAR_TLS_KEY", config->tls_key, &certificate->key);
}

bool
edge_open(struct ctx *ctx, const struct config *config, struct edge *edge)
{
	*edge = (struct edge){0};
	return read_origins(ctx, config->cors_origins, edge) &&
	       peers_parse(ctx, config->trusted_proxies, &edge->trusted) &&
	       edge_read_certificate(ctx, config, &edge->certificate);
}

bool
edge_has_origins(const struct edge *edge)
{
	return edge->any_origin || edge->origin_count > 0;
}

const char *
edge_allow_origin(const struct edge *edge, const char *origin)
{
	if (origin == NULL)
		return NULL;
	if (edge->any_origin)
		return "*";
	for (size_t i = 0; i < edge->origin_count; i++)
		if (text_equal(edge->origins[i], origin))
			return edge->origins[i];
	return NULL;
}
