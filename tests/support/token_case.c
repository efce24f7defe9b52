#include "tests/support/token_case.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/crypto.h"

static int64_t offset_s;

static int64_t
fixed_now(void *arg)
{
	(void)arg;
	return (1706702400 + offset_s) * CLOCK_SECOND_US;
}
static const struct clock fixed = {fixed_now, NULL};

void
token_case_stop_clock(void)
{
	offset_s = 0;
	clock_set(&fixed);
}

void
token_case_move_clock(int64_t seconds)
{
	offset_s = seconds;
}

void
token_case_let_clock_go(void)
{
	clock_set(NULL);
}

char *
token_case_claims(struct ctx *ctx, const char *rest)
{
	return ctx_printf(ctx,
	    "{\"sub\":\"dana\",\"scope\":\"runs:read\",\"iss\":\"https://issuer\",\"aud\":\"loadstar\",\"exp\":1706706000%s}",
	    rest);
}

static char *
head_of(struct ctx *ctx, const char *header, const char *payload)
{
	return ctx_printf(ctx, "%s.%s", crypto_base64url(ctx, header, strlen(header)),
	    crypto_base64url(ctx, payload, strlen(payload)));
}

char *
token_case_join(struct ctx *ctx, const char *header, const char *payload, const void *signature, size_t length)
{
	return ctx_printf(ctx, "%s.%s", head_of(ctx, header, payload), crypto_base64url(ctx, signature, length));
}

char *
token_case_hmac(struct ctx *ctx, const EVP_MD *digest, const char *secret, const char *header, const char *payload)
{
	char *head = head_of(ctx, header, payload);
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	ASSERT(
	    HMAC(digest, secret, (int)strlen(secret), (const unsigned char *)head, strlen(head), mac, &length) != NULL);
	return token_case_join(ctx, header, payload, mac, length);
}

static void
release_key(void *key)
{
	EVP_PKEY_free(key);
}

static EVP_PKEY *
own(struct ctx *ctx, EVP_PKEY *key)
{
	ASSERT(key != NULL);
	ctx_defer(ctx, release_key, key);
	return key;
}

EVP_PKEY *
token_case_rsa(struct ctx *ctx, unsigned bits)
{
	return own(ctx, EVP_RSA_gen(bits));
}

EVP_PKEY *
token_case_ec(struct ctx *ctx, const char *curve)
{
	return own(ctx, EVP_EC_gen(curve));
}

unsigned char *
token_case_signature(struct ctx *ctx, EVP_PKEY *key, const char *header, const char *payload, size_t *length)
{
	char *head = head_of(ctx, header, payload);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned char *signature = ctx_alloc(ctx, 1024);

	*length = 1024;
	ASSERT(EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, key) == 1);
	ASSERT(EVP_DigestSign(digest, signature, length, (const unsigned char *)head, strlen(head)) == 1);
	EVP_MD_CTX_free(digest);
	return signature;
}

char *
token_case_sign(struct ctx *ctx, EVP_PKEY *key, const char *header, const char *payload)
{
	size_t length;
	const unsigned char *signature = token_case_signature(ctx, key, header, payload, &length);
	unsigned char raw[64];
	ECDSA_SIG *pair;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA || EVP_PKEY_get_bits(key) > 256)
		return token_case_join(ctx, header, payload, signature, length);
	pair = d2i_ECDSA_SIG(NULL, &signature, (long)length);
	ASSERT(pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32) == 32);
	ASSERT(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32) == 32);
	ECDSA_SIG_free(pair);
	return token_case_join(ctx, header, payload, raw, sizeof(raw));
}

/* A number of the key in base64url; width 0: as short as it is. */
static char *
number(struct ctx *ctx, const EVP_PKEY *key, const char *name, int width)
{
	unsigned char bytes[1024];
	BIGNUM *n = NULL;
	int length;

	ASSERT(EVP_PKEY_get_bn_param(key, name, &n) == 1);
	length = BN_bn2binpad(n, bytes, width > 0 ? width : BN_num_bytes(n));
	BN_free(n);
	ASSERT(length > 0);
	return crypto_base64url(ctx, bytes, (size_t)length);
}

char *
token_case_jwk(struct ctx *ctx, const EVP_PKEY *key, const char *kid, const char *more)
{
	int width = (EVP_PKEY_get_bits(key) + 7) / 8;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return ctx_printf(ctx, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"n\":\"%s\",\"e\":\"%s\"%s}", kid,
		    number(ctx, key, OSSL_PKEY_PARAM_RSA_N, 0), number(ctx, key, OSSL_PKEY_PARAM_RSA_E, 0), more);
	return ctx_printf(ctx, "{\"kty\":\"EC\",\"crv\":\"%s\",\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}",
	    width == 32 ? "P-256" : "P-384", kid, number(ctx, key, OSSL_PKEY_PARAM_EC_PUB_X, width),
	    number(ctx, key, OSSL_PKEY_PARAM_EC_PUB_Y, width), more);
}

char *
token_case_pem(struct ctx *ctx, const EVP_PKEY *key, bool private)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *data, *pem;
	long length;

	if (private)
		ASSERT(PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
	else
		ASSERT(PEM_write_bio_PUBKEY(out, key) == 1);
	length = BIO_get_mem_data(out, &data);
	pem = ctx_strndup(ctx, data, (size_t)length);
	BIO_free(out);
	return pem;
}
