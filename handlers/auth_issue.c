/* auth_issue: tokens of our own, signed by libjwt. */
#include <jwt.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/auth.h"
#include "handlers/auth_secrets.h"

static char *
every_scope(struct ctx *ctx)
{
	struct text all;

	text_init(&all, ctx);
	for (size_t i = 0; i < SCOPE_COUNT; i++)
		text_addf(&all, "%s%s", i > 0 ? " " : "", scope_name((enum scope)i));
	return all.data;
}

static bool
add_claims(jwt_t *jwt, const char *subject, const char *scopes, int64_t ttl_s)
{
	int64_t now_s = clock_now_us() / CLOCK_SECOND_US;

	return jwt_add_grant(jwt, "sub", subject) == 0 && jwt_add_grant(jwt, "scope", scopes) == 0 &&
	       jwt_add_grant_int(jwt, "iat", (long)now_s) == 0 &&
	       jwt_add_grant_int(jwt, "exp", (long)(now_s + ttl_s)) == 0;
}

bool
auth_issue(struct ctx *ctx, const struct secret *secrets, const char *subject, const char *scopes, int64_t ttl_s,
    const char *issuer, const char *audience, char **token)
{
	struct crypto_piece *keys;
	size_t count;
	jwt_t *jwt = NULL;
	char *text = NULL;

	if (!auth_secrets_split(ctx, secrets, &keys, &count))
		return false;
	if (count == 0)
		return fail(ctx, FAIL_CONFIG_INVALID,
		    "LOADSTAR_JWT_SECRET is not set: this service verifies tokens that others sign");
	if (jwt_new(&jwt) == 0 && jwt_set_alg(jwt, JWT_ALG_HS256, keys[0].bytes, (int)keys[0].length) == 0 &&
	    add_claims(jwt, subject, scopes != NULL ? scopes : every_scope(ctx), ttl_s) &&
	    (issuer == NULL || jwt_add_grant(jwt, "iss", issuer) == 0) &&
	    (audience == NULL || jwt_add_grant(jwt, "aud", audience) == 0))
		text = jwt_encode_str(jwt);
	jwt_free(jwt);
	if (text == NULL)
		return fail(ctx, FAIL_INTERNAL, "the token could not be signed");
	*token = ctx_strdup(ctx, text);
	free(text);
	return true;
}
