/*
 * Any bytes as what strangers send to be let in. The first byte says what they are: T a token as it comes, S a header and claims (a
 * line each) that we sign, so that the reader behind the signature is reached, K a key set, P a PEM file.
 */
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "base/log.h"
#include "handlers/auth.h"
#include "handlers/auth_keys.h"
#include "tests/support/token_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The public halves of two keys that signed tokens of the corpus. */
static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
			  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxdes8Lj3U2X8EQPZbRvCQxVqn/M\n"
			  "/NOMJHZFScjZvy50GNb8lixtSu8Ih6xIrRr3Hqdwvpn6CVLfVIy7wGClrg==\n"
			  "-----END PUBLIC KEY-----\n"
			  "-----BEGIN PUBLIC KEY-----\n"
			  "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlxYFglsJI2xjGYUPjEon\n"
			  "3QWXlOphOed6Nn6Pqn2nnYEizpzKXMgPqrms1BzyyInPbtluVShU9OZXn9FoaPh6\n"
			  "/taWaQgtXNTy5dhKE5liyuA8PjcirYMlAEfmdp4Y8luaxBTAs3Oa1BZqbB50PDzO\n"
			  "YfKJk8RGx+wxTbLo5bfmV1oPwrQH5nbbsXx4wFIM2b/PL79LtrKzC+TCNRC6hgQQ\n"
			  "9Ks+qFw9k+1w3UTsPOpuRQDW11l+mGeqUYdA5uOBCdEHlm+CeBKdkxKWwEj5If32\n"
			  "GnJAmAXw6BB7dCxD3oq6aW9sUyrB37vbgHXIMWR8fFj3e/igtGu3nbcPpgrbdsAd\n"
			  "twIDAQAB\n"
			  "-----END PUBLIC KEY-----\n";

static struct auth *
our_auth(void)
{
	static struct ctx *always;
	static struct auth *auth;

	if (auth == NULL) {
		struct config config = {.auth = "jwt", .jwt_public_key = pem, .jwt_issuer = "https://issuer"};

		log_set_level(LOG_ERROR);
		token_case_stop_clock();
		always = ctx_new("fuzz", 0);
		config.jwt_secret = secret_make(always, TOKEN_SECRET);
		ASSERT(auth_new(always, &config, &auth));
	}
	return auth;
}

/* Who gets in is somebody, by a text that has one form only; and gets in again. */
static void
offer(struct ctx *ctx, const char *token)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	const char *bearer = ctx_printf(ctx, "Bearer %s", token);
	struct principal *who, *again;

	if (!auth_verify(ctx, our_auth(), bearer, &who)) {
		ASSERT(ctx_failure(ctx)->code == FAIL_UNAUTHORIZED);
		fail_clear(ctx);
		return;
	}
	token += strspn(token, " ");
	ASSERT(token[strspn(token, alphabet)] == '\0');
	ASSERT(who->subject[0] != '\0' && strlen(who->subject) < 256);
	ASSERT(auth_verify(ctx, our_auth(), bearer, &again) && strcmp(who->subject, again->subject) == 0 &&
	       strcmp(who->scopes, again->scopes) == 0);
	ASSERT(!auth_verify(ctx, our_auth(), ctx_printf(ctx, "%s=", bearer), &again));
	fail_clear(ctx);
}

static void
sign(struct ctx *ctx, char *text)
{
	char *line = strchr(text, '\n');

	if (line == NULL)
		return;
	*line = '\0';
	offer(ctx, token_case_hmac(ctx, EVP_sha256(), TOKEN_SECRET, text, line + 1));
}

static void
read_keys(struct ctx *ctx, char kind, const char *text, size_t length)
{
	struct auth_keys *keys = auth_keys_new();
	bool ok = kind == 'K' ? auth_keys_add_jwks(ctx, keys, text, length) : auth_keys_add_pem(ctx, keys, text);

	ASSERT(ok != ctx_failed(ctx));
	auth_keys_drop(keys);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctx *ctx = ctx_new("fuzz", 256 * 1024 * 1024);
	char *text;

	if (size > 0) {
		text = ctx_strndup(ctx, (const char *)data + 1, size - 1);
		if (data[0] == 'T')
			offer(ctx, text);
		else if (data[0] == 'S')
			sign(ctx, text);
		else if (data[0] == 'K' || data[0] == 'P')
			read_keys(ctx, (char)data[0], text, size - 1);
	}
	ctx_free(ctx);
	return 0;
}
