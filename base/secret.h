/*
 * secret: a string that must not be shown.
 *
 * A struct secret has no printf form: whoever needs the value calls secret_reveal at the last
 * moment (a connect, a signature). secret_redact_url gives what may be shown of a URL.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/ctx.h"

struct secret {
	const char *hidden; /* NULL: not set. Read it through secret_reveal only */
};

struct secret secret_make(struct ctx *ctx, const char *value);
bool secret_is_set(const struct secret *secret);
const char *secret_reveal(const struct secret *secret);

/* "***", or "(unset)". */
const char *secret_show(const struct secret *secret);

/* The URL with its password and the values of its query replaced by ***; never longer than the
 * original + 64. */
char *secret_redact_url(struct ctx *ctx, const struct secret *url);

/* False when a bare @, / or ? makes it uncertain where the URL's password ends; nothing of such a
 * URL is ever shown. */
bool secret_url_is_sound(const struct secret *url);

/* host:port/database of a URL, or of the socket folder: what an error message may name. */
char *secret_url_place(struct ctx *ctx, const struct secret *url);

#endif
