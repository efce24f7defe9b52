#include "base/secret.h"

#include <string.h>

#include "base/text.h"

struct secret
secret_make(struct ctx *ctx, const char *value)
{
	return (struct secret){.hidden = ctx_strdup(ctx, value)};
}

bool
secret_is_set(const struct secret *secret)
{
	return secret->hidden != NULL && secret->hidden[0] != '\0';
}

const char *
secret_reveal(const struct secret *secret)
{
	return secret->hidden;
}

const char *
secret_show(const struct secret *secret)
{
	return secret_is_set(secret) ? "***" : "(unset)";
}

/* Start of what follows "scheme://", and of the host after "user:password@"; NULL when s is not a
 * URL. The last @ of all counts, so that no password shows when its @ / or ? are not escaped. */
static const char *
authority_of(const char *s, const char **host)
{
	const char *start = strstr(s, "://");
	const char *at;

	if (start == NULL)
		return NULL;
	start += 3;
	at = strrchr(start, '@');
	*host = at != NULL ? at + 1 : start;
	return start;
}

/* Whether it is certain where the password ends. */
static bool
is_sound(const char *start, const char *host)
{
	return host == start || start + strcspn(start, "@/?") == host - 1;
}

bool
secret_url_is_sound(const struct secret *url)
{
	const char *s = secret_is_set(url) ? url->hidden : "";
	const char *host, *start = authority_of(s, &host);

	return start == NULL || is_sound(start, host);
}

char *
secret_redact_url(struct ctx *ctx, const struct secret *url)
{
	const char *s = secret_is_set(url) ? url->hidden : "";
	const char *host, *start = authority_of(s, &host);
	const char *query;
	struct text out;

	if (start == NULL)
		return ctx_strdup(ctx, s[0] == '\0' ? "(unset)" : "***");
	text_init(&out, ctx);
	text_add_bytes(&out, s, (size_t)(start - s));
	if (!is_sound(start, host)) {
		text_add(&out, "***");
		return out.data;
	}
	if (host > start) {
		size_t user = strcspn(start, ":@");

		text_add_bytes(&out, start, user);
		text_add(&out, start[user] == ':' ? ":***@" : "@");
	}
	query = host + strcspn(host, "?");
	text_add_bytes(&out, host, (size_t)(query - host));
	if (*query == '?')
		text_add(&out, "?***");
	return out.data;
}

/* Value of a query parameter such as host=, undecoded; NULL when absent. */
static char *
query_value(struct ctx *ctx, const char *s, const char *name)
{
	const char *p = strchr(s, '?');

	while (p != NULL) {
		p++;
		if (text_starts_with(p, name) && p[strlen(name)] == '=') {
			p += strlen(name) + 1;
			return ctx_strndup(ctx, p, strcspn(p, "&"));
		}
		p = strchr(p, '&');
	}
	return NULL;
}

char *
secret_url_place(struct ctx *ctx, const struct secret *url)
{
	const char *s = secret_is_set(url) ? url->hidden : "";
	const char *host, *start = authority_of(s, &host);
	char *place, *parameter;

	if (start == NULL || !is_sound(start, host))
		return ctx_strdup(ctx, s[0] == '\0' ? "(unset)" : "(unreadable URL)");
	place = ctx_strndup(ctx, host, strcspn(host, "?"));
	parameter = query_value(ctx, s, "host");
	return parameter != NULL ? ctx_printf(ctx, "%s%s", parameter, place) : place;
}
