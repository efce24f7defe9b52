/*
 * auth: who is asking and what they may do. HS256 tokens by libjwt (issues and verifies).
 *
 * A token's `scope` claim lists scopes separated by spaces; "admin" implies all; a scope may end in ":<pipeline>" and then reaches that
 * pipeline alone. LOADSTAR_AUTH=none gives everybody everything (main refuses it off loopback).
 */
#ifndef HANDLERS_AUTH_H
#define HANDLERS_AUTH_H

#include "base/config.h"

enum scope {
#define SCOPE(id, name) SCOPE_##id,
#include "handlers/scopes.def"
#undef SCOPE
	SCOPE_COUNT
};
const char *scope_name(enum scope scope);

struct principal {
	const char *subject;
	const char *scopes; /* as in the token */
};

struct auth;

/* Takes the secrets of the config: one a line, each at least 32 bytes (FAIL_CONFIG_INVALID). Lives in ctx. */
bool auth_new(struct ctx *ctx, const struct config *config, struct auth **auth) MUST_CHECK;

/* The Authorization header's value → principal, or FAIL_UNAUTHORIZED with a reason that tells no secrets. */
bool auth_verify(struct ctx *ctx, const struct auth *auth, const char *authorization,
    struct principal **who) MUST_CHECK;

/* As auth_verify, for a token that was verified before; false without a failure when it was not. Never waits. */
bool auth_recall(struct ctx *ctx, const struct auth *auth, const char *authorization,
    struct principal **who) MUST_CHECK;

/* FAIL_FORBIDDEN unless the scope is held for the pipeline; pipeline NULL: held for any pipeline at all. */
bool auth_may(struct ctx *ctx, const struct principal *who, enum scope scope, const char *pipeline) MUST_CHECK;

/* Pipelines a scope is restricted to, NULL terminated; NULL: all. For lists. */
const char *const *auth_pipelines(struct ctx *ctx, const struct principal *who, enum scope scope);

/* A signed token. secret: the first line signs. scopes NULL: every scope there is. */
bool auth_issue(struct ctx *ctx, const struct secret *secrets, const char *subject, const char *scopes, int64_t ttl_s,
    const char *issuer, const char *audience, char **token) MUST_CHECK;

#endif
