/*
 * crypto_key: signatures of strangers, verified by OpenSSL.
 *
 * A key knows what it may be used for: RSA of 2048 to 8192 bits verifies RS256 (PKCS #1 v1.5 with SHA-256), an EC key on
 * P-256 verifies ES256 (r and s of 32 bytes each). Nothing else becomes a key, and a key is never a secret: HMACs have a
 * function of their own. Keys live in the ctx and may then be used by any thread at once.
 */
#ifndef BASE_CRYPTO_KEY_H
#define BASE_CRYPTO_KEY_H

#include "base/crypto.h"

enum crypto_algorithm { CRYPTO_HS256, CRYPTO_RS256, CRYPTO_ES256 };

struct crypto_key;
enum crypto_algorithm crypto_key_algorithm(const struct crypto_key *key);

/* Of numbers as big-endian bytes. FAIL_CONFIG_INVALID says what is wrong with them. */
bool crypto_key_rsa(struct ctx *ctx, const struct crypto_piece *n, const struct crypto_piece *e,
    struct crypto_key **key) MUST_CHECK;
bool crypto_key_p256(struct ctx *ctx, const struct crypto_piece *x, const struct crypto_piece *y,
    struct crypto_key **key) MUST_CHECK;

/* Every block of a PEM text, which must all be "PUBLIC KEY"; at least one. FAIL_CONFIG_INVALID. */
bool crypto_keys_from_pem(struct ctx *ctx, const char *pem, struct crypto_key ***keys, size_t *count) MUST_CHECK;

bool crypto_key_verify(const struct crypto_key *key, const struct crypto_piece *message,
    const struct crypto_piece *signature) MUST_CHECK;

/* HMAC-SHA-256, compared in constant time. */
bool crypto_hmac_verify(const struct crypto_piece *secret, const struct crypto_piece *message,
    const struct crypto_piece *mac) MUST_CHECK;

#endif
