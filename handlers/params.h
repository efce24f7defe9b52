/* params: values of the query string, and bodies that are options. A wrong one is a wrong field with the pointer "?name", so that all of them are found;
 * look at ctx_failed() after the last. */
#ifndef HANDLERS_PARAMS_H
#define HANDLERS_PARAMS_H

#include "handlers/http.h"

enum { PAGE_LIMIT_DEFAULT = 100, PAGE_LIMIT_MOST = 1000 };

int64_t param_limit(struct ctx *ctx, const struct request *request);
/* 0 when absent; 1970 begins a microsecond later, so that it is something. */
int64_t param_time_us(struct ctx *ctx, const struct request *request, const char *name);
bool param_flag(struct ctx *ctx, const struct request *request, const char *name); /* 1, true, 0, false */

/* A number ≥ 0; otherwise when absent. */
int64_t param_count(struct ctx *ctx, const struct request *request, const char *name, int64_t otherwise);

/* A comma separated list, NULL terminated; NULL when absent. is_known NULL: any value. */
const char *const *param_list(struct ctx *ctx, const struct request *request, const char *name,
    bool (*is_known)(const char *value));

/* One value of the kind is_known says; NULL when absent. */
const char *param_one(struct ctx *ctx, const struct request *request, const char *name,
    bool (*is_known)(const char *value));

/* The body of a command: none (*body is NULL), or an object whose members are among the known ones, separated by spaces. */
bool param_body(struct ctx *ctx, const struct request *request, const char *known, json_t **body) MUST_CHECK;

/* Cursors: numbers and an id (NULL: none), opaque to clients, with a check over them and the path of the list: that of another list, or
 * one that was changed on its way, is a wrong field. No secret: who makes one by hand gets the page he asks for. cursor_read is false when
 * the request has none or a wrong one. */
char *cursor_make(struct ctx *ctx, const struct request *request, const int64_t *numbers, size_t count, const char *id);
char *cursor_seal(struct ctx *ctx, const struct request *request, const char *content); /* cursor_make's second half */
bool cursor_read(struct ctx *ctx, const struct request *request, int64_t *numbers, size_t count, const char **id);

#endif
