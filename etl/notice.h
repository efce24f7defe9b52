/*
 * notice: what is sent to whom. A webhook gets a POST of {id, event, pipeline, at, run, link} as JSON with the notice's id in
 * Loadstar-Notice-Id; Slack gets {text}. An answer of 2xx takes it; 410 gives it up; everything else is tried again, with a backoff,
 * for a day.
 */
#ifndef ETL_NOTICE_H
#define ETL_NOTICE_H

#include "base/config.h"
#include "base/http_client.h"
#include "sql/notice_store.h"
#include "sql/pool.h"

/* Pure: the body for the target's kind. public_url may be NULL. */
char *notice_body(struct ctx *ctx, const struct notice *notice, const char *public_url, bool slack);

/* Delivers the notice that is due longest, if any; found false: none is. Its outcome goes into the run's log. */
bool notice_deliver(struct ctx *ctx, const struct config *config, struct pool *pool, struct http_client *http,
    bool *found) MUST_CHECK;

#endif
