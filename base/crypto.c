#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "base/bug.h"
#include "base/text.h"

void
crypto_random(unsigned char *bytes, size_t length)
{
	ASSERT(RAND_bytes(bytes, (int)length) == 1);
}

static EVP_MD *fetched_sha256;

static void
fetch(void)
{
	fetched_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ASSERT(fetched_sha256 != NULL);
}

/* Looked up once a process: EVP_sha256() makes the library look it up at each use, which takes longer than the hash of a token. */
static const EVP_MD *
sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	ASSERT(pthread_once(&once, fetch) == 0);
	return fetched_sha256;
}

static void
digest_add(EVP_MD_CTX *digest, const void *bytes, size_t length)
{
	ASSERT(EVP_DigestUpdate(digest, bytes, length) == 1);
}

char *
crypto_sha256_pieces(struct ctx *ctx, const struct crypto_piece *pieces, size_t count)
{
	unsigned char hash[CRYPTO_SHA256_BYTES], size[8];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	ASSERT(digest != NULL && EVP_DigestInit_ex(digest, sha256(), NULL) == 1);
	for (size_t i = 0; i < count; i++) {
		for (int k = 0; k < 8; k++)
			size[k] = (unsigned char)((uint64_t)pieces[i].length >> (56 - 8 * k));
		digest_add(digest, size, sizeof(size));
		digest_add(digest, pieces[i].bytes, pieces[i].length);
	}
	ASSERT(EVP_DigestFinal_ex(digest, hash, NULL) == 1);
	EVP_MD_CTX_free(digest);
	return text_hex(ctx, hash, sizeof(hash));
}

char *
crypto_sha256_text(struct ctx *ctx, const char *s)
{
	unsigned char hash[CRYPTO_SHA256_BYTES];

	crypto_sha256(s, strlen(s), hash);
	return text_hex(ctx, hash, sizeof(hash));
}

void
crypto_sha256(const void *bytes, size_t length, unsigned char hash[CRYPTO_SHA256_BYTES])
{
	ASSERT(EVP_Digest(bytes, length, hash, NULL, sha256(), NULL) == 1);
}

bool
crypto_equal(const void *a, const void *b, size_t length)
{
	return CRYPTO_memcmp(a, b, length) == 0;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *
crypto_base64url(struct ctx *ctx, const void *bytes, size_t length)
{
	const unsigned char *in = bytes;
	char *out = ctx_alloc(ctx, length / 3 * 4 + 5), *p = out;
	uint32_t bits = 0;
	int held = 0;

	for (size_t i = 0; i < length; i++) {
		bits = bits << 8 | in[i];
		for (held += 8; held >= 6; held -= 6)
			*p++ = alphabet[bits >> (held - 6) & 63];
	}
	if (held > 0)
		*p++ = alphabet[bits << (6 - held) & 63];
	return out;
}

bool
crypto_base64url_decode(struct ctx *ctx, const char *s, unsigned char **bytes, size_t *length)
{
	size_t n = strlen(s);
	unsigned char *p;
	uint32_t bits = 0;
	int held = 0;

	if (n % 4 == 1)
		return false;
	*bytes = p = ctx_alloc(ctx, n / 4 * 3 + 4);
	for (; *s != '\0'; s++) {
		const char *digit = strchr(alphabet, *s);

		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		held += 6;
		if (held >= 8) {
			held -= 8;
			*p++ = (unsigned char)(bits >> held);
		}
	}
	*length = (size_t)(p - *bytes);
	return (bits & ((1U << held) - 1)) == 0;
}
