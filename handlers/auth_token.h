/*
 * auth_token: a JWT as text, read strictly (RFC 7515, 7519, 8725), and its claims judged. No keys here.
 *
 * Three segments of canonical base64url, at most 8 KiB; header and claims are JSON objects without duplicate names; alg is HS256,
 * RS256 or ES256 in exactly this case; typ is absent, JWT or at+jwt; a header that brings a key, asks for an extension or
 * wraps another token is refused.
 */
#ifndef HANDLERS_AUTH_TOKEN_H
#define HANDLERS_AUTH_TOKEN_H

#include "base/crypto_key.h"
#include "base/json.h"

enum { AUTH_LEEWAY_S = 30 }; /* clocks differ: by so much exp, nbf and iat may be off */

struct auth_token {
	enum crypto_algorithm algorithm;
	const char *kid; /* NULL: none */
	const json_t *claims;
	struct crypto_piece message; /* what is signed */
	struct crypto_piece signature;
	int64_t expires_s;
};

/* The text's parts; what they point to lives in ctx or in text. FAIL_UNAUTHORIZED with a reason that repeats nothing of it. */
bool auth_token_read(struct ctx *ctx, const char *text, struct auth_token *token) MUST_CHECK;

/* exp, which must be there, nbf, iat, sub; iss and aud when they are expected (not NULL). Sets expires_s. */
bool auth_token_check(struct ctx *ctx, struct auth_token *token, const char *issuer, const char *audience) MUST_CHECK;

#endif
