/* crypto: the few things we need from OpenSSL. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/ctx.h"

enum { CRYPTO_SHA256_BYTES = 32 };

/* Unpredictable bytes. */
void crypto_random(unsigned char *bytes, size_t length);

/* SHA-256 of several pieces in order, as lower-case hex. Each piece is preceded by its length, so that no two lists of
 * pieces collide. */
struct crypto_piece {
	const void *bytes;
	size_t length;
};
char *crypto_sha256_pieces(struct ctx *ctx, const struct crypto_piece *pieces, size_t count);

/* SHA-256 of one text, lower-case hex. */
char *crypto_sha256_text(struct ctx *ctx, const char *s);

/* SHA-256 as it is. */
void crypto_sha256(const void *bytes, size_t length, unsigned char hash[CRYPTO_SHA256_BYTES]);

/* Compares in constant time. */
bool crypto_equal(const void *a, const void *b, size_t length);

/* Unpadded base64url (RFC 4648 section 5). Decode is strict: false for padding, other alphabets, stray bits. */
char *crypto_base64url(struct ctx *ctx, const void *bytes, size_t length);
bool crypto_base64url_decode(struct ctx *ctx, const char *s, unsigned char **bytes, size_t *length) MUST_CHECK;

#endif
