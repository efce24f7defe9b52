/* uri: percent-encoded paths and queries of strangers, decoded strictly. Pure. */
#ifndef HANDLERS_URI_H
#define HANDLERS_URI_H

#include "base/ctx.h"

/* One path segment or query text: %XX decoded, valid UTF-8, no control bytes. FAIL_BAD_REQUEST says what is wrong. */
bool uri_decode(struct ctx *ctx, const char *raw, size_t length, char **decoded) MUST_CHECK;

/* True when the raw path can be routed: starts with /, visible ASCII, no %00, no %2F, no segment that is . or .. in any spelling. */
bool uri_path_is_sane(const char *path);

#endif
