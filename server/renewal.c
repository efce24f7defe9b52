#include "server/renewal.h"

#include <pthread.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"

static const int64_t PAUSE_US = 5 * CLOCK_SECOND_US;

struct renewal {
	const struct config *config;
	struct http_listener *listener;
	/* of the thread alone: */
	struct ctx *last_ctx;         /* owns last */
	struct edge_certificate last; /* tried last, well or in vain */
	bool unreadable;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping; /* under lock */
	pthread_t thread;
};

/* Told once: a file that is away while it is replaced will be back. */
static bool
read_files(struct ctx *ctx, struct renewal *renewal, struct edge_certificate *certificate)
{
	bool ok = edge_read_certificate(ctx, renewal->config, certificate);

	if (!ok && !renewal->unreadable)
		log_failure(ctx, "the certificate cannot be read; the one before stays");
	renewal->unreadable = !ok;
	return ok;
}

static void
keep(struct renewal *renewal, const struct edge_certificate *certificate)
{
	struct ctx *ctx = ctx_new("certificate", 0);

	if (renewal->last_ctx != NULL)
		ctx_free(renewal->last_ctx);
	renewal->last_ctx = ctx;
	renewal->last =
	    (struct edge_certificate){ctx_strdup(ctx, certificate->chain), ctx_strdup(ctx, certificate->key)};
}

static void
look(struct renewal *renewal)
{
	struct ctx *ctx = ctx_new("certificate", 0);
	struct edge_certificate certificate;

	listener_bury(renewal->listener);
	if (read_files(ctx, renewal, &certificate) &&
	    !(text_equal(certificate.chain, renewal->last.chain) && text_equal(certificate.key, renewal->last.key))) {
		keep(renewal, &certificate);
		if (listener_renew(ctx, renewal->listener, &certificate))
			log_line(ctx, LOG_INFO, "new connections get the renewed certificate", "file",
			    renewal->config->tls_cert, NULL);
		else
			log_failure(ctx, "the renewed certificate cannot be used; the one before stays");
	}
	ctx_free(ctx);
}

static void *
run_renewal(void *arg)
{
	struct renewal *renewal = arg;

	pthread_mutex_lock(&renewal->lock);
	while (!renewal->stopping) {
		int64_t until_us = clock_monotonic_us() + PAUSE_US;
		struct timespec until = {until_us / CLOCK_SECOND_US, until_us % CLOCK_SECOND_US * 1000};

		if (pthread_cond_timedwait(&renewal->changed, &renewal->lock, &until) == 0)
			continue;
		pthread_mutex_unlock(&renewal->lock);
		look(renewal);
		pthread_mutex_lock(&renewal->lock);
	}
	pthread_mutex_unlock(&renewal->lock);
	return NULL;
}

struct renewal *
renewal_start(struct ctx *ctx, const struct config *config, struct http_listener *listener,
    const struct edge_certificate *certificate)
{
	struct renewal *renewal = ctx_alloc(ctx, sizeof(*renewal));
	pthread_condattr_t monotonic;

	renewal->config = config;
	renewal->listener = listener;
	keep(renewal, certificate);
	ASSERT(pthread_mutex_init(&renewal->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&monotonic) == 0);
	ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&renewal->changed, &monotonic) == 0);
	ASSERT(pthread_create(&renewal->thread, NULL, run_renewal, renewal) == 0);
	return renewal;
}

void
renewal_stop(struct renewal *renewal)
{
	if (renewal == NULL)
		return;
	pthread_mutex_lock(&renewal->lock);
	renewal->stopping = true;
	pthread_cond_signal(&renewal->changed);
	pthread_mutex_unlock(&renewal->lock);
	pthread_join(renewal->thread, NULL);
	ctx_free(renewal->last_ctx);
}
