/* auth_secrets: HS256 secrets, one a line; the first signs, all verify. */
#ifndef HANDLERS_AUTH_SECRETS_H
#define HANDLERS_AUTH_SECRETS_H

#include "base/crypto.h"
#include "base/secret.h"

/* FAIL_CONFIG_INVALID when a line is shorter than 32 bytes or part of a PEM text, whose lines are no secrets. count is 0
 * when nothing is set. Empty lines do not count. */
bool auth_secrets_split(struct ctx *ctx, const struct secret *all, struct crypto_piece **secrets,
    size_t *count) MUST_CHECK;

#endif
