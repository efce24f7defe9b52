/*
 * auth_cache: tokens that were verified, by the SHA-256 of their text, until they expire or the keys change. Bounded; any thread
 * may use it. Only what was verified gets in, so that strangers cannot push anything out.
 */
#ifndef HANDLERS_AUTH_CACHE_H
#define HANDLERS_AUTH_CACHE_H

#include "base/crypto.h"

struct auth_cache;
struct principal;

/* Emptied when ctx dies. */
struct auth_cache *auth_cache_new(struct ctx *ctx);

/* What is known about a token. */
struct auth_cache_key {
	unsigned char hash[CRYPTO_SHA256_BYTES];
	uint64_t generation; /* of the keys it was verified with; any other finds nothing */
};

/* True: who lives as long as ctx. */
bool auth_cache_find(struct ctx *ctx, struct auth_cache *cache, const struct auth_cache_key *key, int64_t now_s,
    struct principal *who);

/* until_s: the first second in which the token is no longer good. */
void auth_cache_put(struct auth_cache *cache, const struct auth_cache_key *key, int64_t until_s,
    const struct principal *who);

#endif
