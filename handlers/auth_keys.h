/*
 * auth_keys: a set of public keys that tokens are verified with. Filled by one thread, then immutable and counted: whoever
 * verifies holds the set of the moment, whatever is published meanwhile. Secrets are never in it, so that no public
 * key can serve as one.
 */
#ifndef HANDLERS_AUTH_KEYS_H
#define HANDLERS_AUTH_KEYS_H

#include "handlers/auth_token.h"

struct auth_keys {
	atomic_int references;
	struct ctx *ctx; /* owns all of it, this struct too */
	struct auth_key *keys;
	size_t count;
	uint64_t generation; /* another set has another one */
	bool complete;       /* every configured source was read at least once */
};

/* Empty, with one reference. */
struct auth_keys *auth_keys_new(void);
struct auth_keys *auth_keys_hold(struct auth_keys *keys);
void auth_keys_drop(void *keys); /* NULL is allowed; fits ctx_defer */

/* PEM with one or more public keys, tried for every kid. FAIL_CONFIG_INVALID. */
bool auth_keys_add_pem(struct ctx *ctx, struct auth_keys *keys, const char *pem) MUST_CHECK;

/* A JWK set (RFC 7517). Keys that are not for RS256 or ES256 signatures, or too weak, are left out and logged.
 * FAIL_CONFIG_INVALID when the text is no set. */
bool auth_keys_add_jwks(struct ctx *ctx, struct auth_keys *keys, const char *text, size_t length) MUST_CHECK;

enum auth_match { AUTH_VERIFIED, AUTH_FORGED, AUTH_UNKNOWN_KEY };

/* RS256 and ES256 alone. Unknown: there is no key of the token's kid. */
enum auth_match auth_keys_verify(const struct auth_keys *keys, const struct auth_token *token);

#endif
