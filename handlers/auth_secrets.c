#include "handlers/auth_secrets.h"

#include <string.h>

#include "base/fail.h"

enum { SECRET_LEAST_BYTES = 32 };

bool
auth_secrets_split(struct ctx *ctx, const struct secret *all, struct crypto_piece **secrets, size_t *count)
{
	const char *s = secret_is_set(all) ? secret_reveal(all) : "";

	*count = 0;
	*secrets = ctx_alloc_array(ctx, strlen(s) + 1, sizeof(**secrets));
	if (strstr(s, "-----BEGIN ") != NULL)
		return fail(ctx, FAIL_CONFIG_INVALID,
		    "LOADSTAR_JWT_SECRET holds PEM, whose lines would all be secrets: a public key belongs into "
		    "LOADSTAR_JWT_PUBLIC_KEY");
	while (*s != '\0') {
		size_t line = strcspn(s, "\n"), length = line;

		if (length > 0 && s[length - 1] == '\r')
			length--;
		if (length > 0 && length < SECRET_LEAST_BYTES)
			return fail(ctx, FAIL_CONFIG_INVALID,
			    "LOADSTAR_JWT_SECRET: secret %zu has %zu bytes, but needs %d", *count + 1, length,
			    SECRET_LEAST_BYTES);
		if (length > 0)
			(*secrets)[(*count)++] = (struct crypto_piece){ctx_strndup(ctx, s, length), length};
		s += line + (s[line] == '\n');
	}
	return true;
}
