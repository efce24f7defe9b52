/* uuid: version 7 identifiers (RFC 9562): ordered by creation time, so that indexes stay dense. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/ctx.h"

enum { UUID_TEXT_LENGTH = 36 };

/* A new one in lower case. Within one thread and millisecond they still ascend. */
char *uuid_make(struct ctx *ctx);

/* True for the canonical 36 characters, lower case. */
bool uuid_is_valid(const char *s);

#endif
