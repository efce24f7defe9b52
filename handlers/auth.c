/*
 * DESIGN. A token is read strictly first, by our own reader (auth_token.c); its claims are judged, which costs little; then its
 * signature is verified: HS256 by the secrets alone, RS256 and ES256 by the public keys alone (auth_keys.c), so that no token
 * chooses how a key is used. What was verified is remembered by its hash (auth_cache.c): a client that polls is
 * verified once. The signing library is used to issue only (auth_issue.c): verifying, it ignores exp, crit and duplicate
 * names, takes an algorithm in any case, and a public key for a secret.
 */
#include "handlers/auth.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "handlers/auth_cache.h"
#include "handlers/auth_keyring.h"
#include "handlers/auth_secrets.h"

static const struct principal anonymous = {.subject = "anonymous", .scopes = "admin"};

struct auth {
	bool open; /* LOADSTAR_AUTH=none */
	struct crypto_piece *secrets;
	size_t secret_count;
	struct auth_keyring *ring;
	struct auth_cache *cache;
	const char *issuer, *audience;
};

bool
auth_new(struct ctx *ctx, const struct config *config, struct auth **auth)
{
	struct auth *made = ctx_alloc(ctx, sizeof(*made));

	made->open = text_equal(config->auth, "none");
	made->issuer = config->jwt_issuer;
	made->audience = config->jwt_audience;
	*auth = made;
	if (made->open)
		return true;
	if (!text_equal(config->auth, "jwt"))
		return fail(ctx, FAIL_CONFIG_INVALID, "LOADSTAR_AUTH must be jwt or none");
	if (!auth_secrets_split(ctx, &config->jwt_secret, &made->secrets, &made->secret_count) ||
	    !auth_keyring_new(ctx, config, &auth_pace_default, &made->ring))
		return false;
	if (made->secret_count == 0 && !auth_keyring_is_used(made->ring))
		return fail(ctx, FAIL_CONFIG_INVALID,
		    "none of LOADSTAR_JWT_SECRET, LOADSTAR_JWT_PUBLIC_KEY and LOADSTAR_JWKS_URL is set");
	made->cache = auth_cache_new(ctx);
	return true;
}

static bool
refuse(struct ctx *ctx, const char *why)
{
	return fail(ctx, FAIL_UNAUTHORIZED, "%s", why);
}

static bool
verify_secret(struct ctx *ctx, const struct auth *auth, const struct auth_token *token)
{
	for (size_t i = 0; i < auth->secret_count; i++)
		if (crypto_hmac_verify(&auth->secrets[i], &token->message, &token->signature))
			return true;
	return refuse(ctx, "the token's signature is not ours");
}

/* By the keys there are; then, for a key that is not among them, by those its issuer has now. */
static bool
verify_key(struct ctx *ctx, const struct auth *auth, const struct auth_token *token, uint64_t *generation)
{
	const struct auth_keys *keys = auth_keyring_take(ctx, auth->ring);
	enum auth_match match = auth_keys_verify(keys, token);
	enum auth_news news = AUTH_NO_NEWS;

	if (match == AUTH_UNKNOWN_KEY || (match != AUTH_VERIFIED && !keys->complete))
		news = auth_keyring_ask(auth->ring, keys->generation);
	if (news == AUTH_NEWS) {
		keys = auth_keyring_take(ctx, auth->ring);
		match = auth_keys_verify(keys, token);
	}
	*generation = keys->generation;
	if (match == AUTH_VERIFIED)
		return true;
	if (news == AUTH_NEWS_LATER || !keys->complete)
		return fail(ctx, FAIL_AUTH_KEYS, "the keys that tokens are signed with are being fetched");
	return refuse(ctx, match == AUTH_FORGED ? "the token's signature is not of a key we trust"
						: "the token is signed with a key that is not known");
}

static bool
verify(struct ctx *ctx, const struct auth *auth, const char *text, struct auth_cache_key *key, struct principal *who)
{
	struct auth_token token;

	if (!auth_token_read(ctx, text, &token) || !auth_token_check(ctx, &token, auth->issuer, auth->audience) ||
	    !(token.algorithm == CRYPTO_HS256 ? verify_secret(ctx, auth, &token)
					      : verify_key(ctx, auth, &token, &key->generation)))
		return false;
	who->subject = ctx_strdup(ctx, json_string_or(token.claims, "sub", ""));
	who->scopes = ctx_strdup(ctx, json_string_or(token.claims, "scope", ""));
	auth_cache_put(auth->cache, key, token.expires_s + AUTH_LEEWAY_S, who);
	return true;
}

/* The token after "Bearer ", or NULL. */
static const char *
bearer(const char *authorization)
{
	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	return authorization + 7 + strspn(authorization + 7, " ");
}

static bool
recall(struct ctx *ctx, const struct auth *auth, const char *text, struct auth_cache_key *key, struct principal *who)
{
	crypto_sha256(text, strlen(text), key->hash);
	key->generation = auth_keyring_generation(auth->ring);
	return auth_cache_find(ctx, auth->cache, key, clock_now_us() / CLOCK_SECOND_US, who);
}

bool
auth_recall(struct ctx *ctx, const struct auth *auth, const char *authorization, struct principal **who)
{
	const char *text = bearer(authorization);
	struct auth_cache_key key;

	*who = ctx_alloc(ctx, sizeof(**who));
	if (auth->open)
		**who = anonymous;
	return auth->open || (text != NULL && recall(ctx, auth, text, &key, *who));
}

bool
auth_verify(struct ctx *ctx, const struct auth *auth, const char *authorization, struct principal **who)
{
	const char *text = bearer(authorization);
	struct auth_cache_key key;

	*who = ctx_alloc(ctx, sizeof(**who));
	if (auth->open)
		**who = anonymous;
	else if (text == NULL)
		return refuse(ctx, "no bearer token was sent");
	return auth->open || recall(ctx, auth, text, &key, *who) || verify(ctx, auth, text, &key, *who);
}
