/*
 * auth_keyring: where public keys come from, and the set of the moment.
 *
 * Sources: LOADSTAR_JWT_PUBLIC_KEY (a PEM file, or PEM itself) and LOADSTAR_JWKS_URL (https; http on loopback; a file). A thread of its
 * own reads them again: files every few seconds, URLs every few minutes, and a key set at once when a token names a
 * key that is not in it. A source that cannot be read keeps its keys for a day. Requests only ever take the set that is there.
 */
#ifndef HANDLERS_AUTH_KEYRING_H
#define HANDLERS_AUTH_KEYRING_H

#include "base/config.h"
#include "handlers/auth_keys.h"

struct auth_keyring;

/* How often, and for how long; tests are in more of a hurry. */
struct auth_pace {
	int64_t url_ms, file_ms;    /* between two readings of a source */
	int64_t retry_ms;           /* after a reading that failed, doubled up to url_ms */
	int64_t stale_ms;           /* how long keys outlive their source */
	int64_t fetch_ms;           /* a whole fetch */
	int64_t wait_ms;            /* a request waits for a fetch it caused */
	int64_t refill_ms, at_once; /* fetches that unknown keys may cause: so many at once, then one per refill_ms */
	int waiting;                /* requests that may wait at once */
};
extern const struct auth_pace auth_pace_default;

/* Reads the sources once. A file that cannot be read or has no usable key is FAIL_CONFIG_INVALID; a URL that does not
 * answer is logged and asked again. The thread ends with ctx. */
bool auth_keyring_new(struct ctx *ctx, const struct config *config, const struct auth_pace *pace,
    struct auth_keyring **ring) MUST_CHECK;

/* True when there is any source at all. */
bool auth_keyring_is_used(const struct auth_keyring *ring);

/* The set of the moment, held until ctx dies. Any thread. */
const struct auth_keys *auth_keyring_take(struct ctx *ctx, struct auth_keyring *ring);
uint64_t auth_keyring_generation(struct auth_keyring *ring);

/* A token names a key that is not in the set of this generation. Waits for the key set to be read again, if it may be. */
enum auth_news { AUTH_NEWS, AUTH_NO_NEWS, AUTH_NEWS_LATER };
enum auth_news auth_keyring_ask(struct auth_keyring *ring, uint64_t generation);

#endif
