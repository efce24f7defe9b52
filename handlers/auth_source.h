/* auth_source: one place that public keys are read from. */
#ifndef HANDLERS_AUTH_SOURCE_H
#define HANDLERS_AUTH_SOURCE_H

#include "base/config.h"
#include "handlers/auth_keys.h"

/* What was read, in a ctx of its own. data NULL: nothing yet. */
struct auth_source_text {
	struct ctx *ctx;
	const char *data;
	size_t length;
};

struct auth_source {
	const char *setting; /* the variable that names it */
	const char *place;   /* URL, path, or the PEM itself */
	bool is_set;         /* a JWK set; else PEM */
	bool is_url;
	bool is_fixed; /* never read again */
	struct auth_source_text text;
	/* kept by the keyring, monotonic */
	int64_t read_us, due_us, pause_ms;
	bool broken;
};

/* Those the settings name: at most two. FAIL_CONFIG_INVALID for a URL that keys must not come from. */
bool auth_source_list(struct ctx *ctx, const struct config *config, struct auth_source *sources,
    size_t *count) MUST_CHECK;

/* Reads the source's text, at most 256 KiB. */
bool auth_source_fetch(struct ctx *ctx, const struct auth_source *source, int64_t timeout_ms,
    struct auth_source_text *text) MUST_CHECK;

bool auth_source_same(const struct auth_source_text *a, const struct auth_source_text *b);

/* The keys of its text, if there is one. */
bool auth_source_add(struct ctx *ctx, const struct auth_source *source, struct auth_keys *keys) MUST_CHECK;

#endif
