#include "base/crypto_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"

enum {
	RSA_LEAST_BITS = 2048,
	RSA_MOST_BITS = 8192,
	RSA_EXPONENT_MOST_BITS = 64,
	P256_BYTES = 32,
};

struct crypto_key {
	EVP_PKEY *key;
	enum crypto_algorithm algorithm;
};

enum crypto_algorithm
crypto_key_algorithm(const struct crypto_key *key)
{
	return key->algorithm;
}

static void
release_key(void *handle)
{
	EVP_PKEY_free(handle);
}

/* What OpenSSL says of a failure is for this call alone: the thread's queue of errors is also read by TLS. */
static bool
refuse(struct ctx *ctx, const char *why)
{
	ERR_clear_error();
	return fail(ctx, FAIL_CONFIG_INVALID, "%s", why);
}

static bool
check_rsa(struct ctx *ctx, const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);
	BIGNUM *e = NULL;
	bool sane;

	if (bits < RSA_LEAST_BITS || bits > RSA_MOST_BITS)
		return fail(ctx, FAIL_CONFIG_INVALID, "an RSA key of %d bits: %d to %d are allowed", bits,
		    RSA_LEAST_BITS, RSA_MOST_BITS);
	ASSERT(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1);
	sane = BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= RSA_EXPONENT_MOST_BITS;
	BN_free(e);
	return sane || refuse(ctx, "an RSA key with an exponent that is no public exponent");
}

static bool
check_ec(struct ctx *ctx, const EVP_PKEY *key)
{
	char curve[64] = "";

	if (EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) != 1 || strcmp(curve, "prime256v1") != 0)
		return refuse(ctx, "an EC key on another curve than P-256");
	return true;
}

/* Takes the key over, whatever it is. NULL: the numbers made none. */
static bool
adopt(struct ctx *ctx, EVP_PKEY *raw, struct crypto_key **key)
{
	EVP_PKEY_CTX *check;
	bool sound;
	int kind;

	if (raw == NULL)
		return refuse(ctx, "no public key can be made of it");
	ctx_defer(ctx, release_key, raw);
	kind = EVP_PKEY_get_base_id(raw);
	if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC)
		return refuse(ctx, "neither an RSA key nor an EC key");
	if (!(kind == EVP_PKEY_RSA ? check_rsa(ctx, raw) : check_ec(ctx, raw)))
		return false;
	check = EVP_PKEY_CTX_new(raw, NULL);
	sound = check != NULL && EVP_PKEY_public_check(check) == 1;
	EVP_PKEY_CTX_free(check);
	if (!sound)
		return refuse(ctx, "a public key whose numbers cannot be one");
	*key = ctx_alloc(ctx, sizeof(**key));
	(*key)->key = raw;
	(*key)->algorithm = kind == EVP_PKEY_RSA ? CRYPTO_RS256 : CRYPTO_ES256;
	return true;
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	ASSERT(params != NULL && maker != NULL && EVP_PKEY_fromdata_init(maker) == 1);
	if (EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(maker);
	OSSL_PARAM_free(params);
	return key;
}

bool
crypto_key_rsa(struct ctx *ctx, const struct crypto_piece *n, const struct crypto_piece *e, struct crypto_key **key)
{
	OSSL_PARAM_BLD *build;
	BIGNUM *modulus, *exponent;
	EVP_PKEY *raw;

	if (n->length > RSA_MOST_BITS / 8 || e->length > RSA_EXPONENT_MOST_BITS / 8)
		return refuse(ctx, "an RSA key of too many bits");
	build = OSSL_PARAM_BLD_new();
	modulus = BN_bin2bn(n->bytes, (int)n->length, NULL);
	exponent = BN_bin2bn(e->bytes, (int)e->length, NULL);
	ASSERT(build != NULL && modulus != NULL && exponent != NULL);
	ASSERT(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1);
	ASSERT(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
	raw = from_params("RSA", build);
	OSSL_PARAM_BLD_free(build);
	BN_free(modulus);
	BN_free(exponent);
	return adopt(ctx, raw, key);
}

bool
crypto_key_p256(struct ctx *ctx, const struct crypto_piece *x, const struct crypto_piece *y, struct crypto_key **key)
{
	unsigned char point[1 + 2 * P256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
	OSSL_PARAM_BLD *build;
	EVP_PKEY *raw;

	if (x->length != P256_BYTES || y->length != P256_BYTES)
		return refuse(ctx, "coordinates that do not have the 32 bytes of P-256");
	memcpy(point + 1, x->bytes, P256_BYTES);
	memcpy(point + 1 + P256_BYTES, y->bytes, P256_BYTES);
	build = OSSL_PARAM_BLD_new();
	ASSERT(build != NULL);
	ASSERT(OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1);
	ASSERT(OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1);
	raw = from_params("EC", build);
	OSSL_PARAM_BLD_free(build);
	return adopt(ctx, raw, key);
}

/* The library skips blocks it was not asked for; a private key in the file, or a certificate that is not used, is to be told. */
static bool
count_blocks(struct ctx *ctx, const char *pem, size_t *count)
{
	static const char begin[] = "-----BEGIN ", wanted[] = "PUBLIC KEY-----";

	*count = 0;
	for (const char *s = strstr(pem, begin); s != NULL; s = strstr(s, begin)) {
		s += strlen(begin);
		if (strncmp(s, wanted, strlen(wanted)) != 0)
			return fail(ctx, FAIL_CONFIG_INVALID, "a PEM block %.*s, but only PUBLIC KEY may be here",
			    (int)strcspn(s, "-\r\n"), s);
		++*count;
	}
	return *count > 0 || refuse(ctx, "no PEM of public keys");
}

bool
crypto_keys_from_pem(struct ctx *ctx, const char *pem, struct crypto_key ***keys, size_t *count)
{
	BIO *in;
	bool ok = true;

	if (!count_blocks(ctx, pem, count))
		return false;
	*keys = ctx_alloc_array(ctx, *count, sizeof(**keys));
	in = BIO_new_mem_buf(pem, -1);
	ASSERT(in != NULL);
	for (size_t i = 0; i < *count && ok; i++)
		ok = adopt(ctx, PEM_read_bio_PUBKEY(in, NULL, NULL, NULL), &(*keys)[i]);
	BIO_free(in);
	return ok;
}

/* r and s, side by side, as OpenSSL wants them; NULL when they are not 32 bytes each. */
static unsigned char *
to_der(const struct crypto_piece *signature, int *length)
{
	const unsigned char *bytes = signature->bytes;
	ECDSA_SIG *pair;
	BIGNUM *r, *s;
	unsigned char *der = NULL;

	if (signature->length != (size_t)2 * P256_BYTES)
		return NULL;
	pair = ECDSA_SIG_new();
	r = BN_bin2bn(bytes, P256_BYTES, NULL);
	s = BN_bin2bn(bytes + P256_BYTES, P256_BYTES, NULL);
	ASSERT(pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1);
	*length = i2d_ECDSA_SIG(pair, &der);
	ECDSA_SIG_free(pair);
	ASSERT(*length > 0);
	return der;
}

static bool
digest_verify(EVP_PKEY *key, const struct crypto_piece *message, const unsigned char *signature, size_t length)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool good;

	ASSERT(digest != NULL);
	good = EVP_DigestVerifyInit(digest, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestVerify(digest, signature, length, message->bytes, message->length) == 1;
	EVP_MD_CTX_free(digest);
	ERR_clear_error();
	return good;
}

bool
crypto_key_verify(const struct crypto_key *key, const struct crypto_piece *message,
    const struct crypto_piece *signature)
{
	unsigned char *der;
	int length = 0;
	bool good;

	if (key->algorithm == CRYPTO_RS256)
		return signature->length == (size_t)EVP_PKEY_get_size(key->key) &&
		       digest_verify(key->key, message, signature->bytes, signature->length);
	der = to_der(signature, &length);
	good = der != NULL && digest_verify(key->key, message, der, (size_t)length);
	OPENSSL_free(der);
	return good;
}

bool
crypto_hmac_verify(const struct crypto_piece *secret, const struct crypto_piece *message,
    const struct crypto_piece *mac)
{
	unsigned char ours[CRYPTO_SHA256_BYTES];
	unsigned length = 0;

	if (mac->length != sizeof(ours))
		return false;
	ASSERT(HMAC(EVP_sha256(), secret->bytes, (int)secret->length, message->bytes, message->length, ours, &length) !=
		   NULL &&
	       length == sizeof(ours));
	return crypto_equal(ours, mac->bytes, sizeof(ours));
}
