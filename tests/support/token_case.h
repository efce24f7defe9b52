/* token_case: tokens of every kind for the tests, made by OpenSSL alone and around one fixed moment. */
#ifndef TESTS_TOKEN_CASE_H
#define TESTS_TOKEN_CASE_H

#include <openssl/evp.h>

#include "base/ctx.h"

#define TOKEN_SECRET "0123456789abcdef0123456789abcdef"

/* The clock stands at 2024-01-31T12:00:00Z, 1706702400, until it is let go. token_case_move_clock: seconds from there. */
void token_case_stop_clock(void);
void token_case_move_clock(int64_t seconds);
void token_case_let_clock_go(void);

/* Claims of dana, good for an hour; rest: "" or more members, with a comma before each. */
char *token_case_claims(struct ctx *ctx, const char *rest);

/* header.payload.signature */
char *token_case_join(struct ctx *ctx, const char *header, const char *payload, const void *signature, size_t length);
char *token_case_hmac(struct ctx *ctx, const EVP_MD *digest, const char *secret, const char *header,
    const char *payload);

/* Keys live as long as ctx. curve: as OpenSSL names it. */
EVP_PKEY *token_case_rsa(struct ctx *ctx, unsigned bits);
EVP_PKEY *token_case_ec(struct ctx *ctx, const char *curve);

/* SHA-256 and the key's own way: RSA PKCS #1 v1.5, or r and s of an EC key side by side. */
char *token_case_sign(struct ctx *ctx, EVP_PKEY *key, const char *header, const char *payload);

/* As the library gives it: for EC keys DER. */
unsigned char *token_case_signature(struct ctx *ctx, EVP_PKEY *key, const char *header, const char *payload,
    size_t *length);

/* A public JWK; more: further members, with a comma before each. */
char *token_case_jwk(struct ctx *ctx, const EVP_PKEY *key, const char *kid, const char *more);
char *token_case_pem(struct ctx *ctx, const EVP_PKEY *key, bool private);

#endif
