#include "server/handler_pool.h"

#include <pthread.h>

#include "base/bug.h"

struct handler_pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct handler_job *first, **end;
	bool stopping;
	void (*run)(struct handler_job *job);
	pthread_t *threads;
	int thread_count;
};

/* The next job; NULL when the pool stops and the queue is empty. */
static struct handler_job *
take_job(struct handler_pool *pool)
{
	struct handler_job *job;

	pthread_mutex_lock(&pool->lock);
	while (pool->first == NULL && !pool->stopping)
		pthread_cond_wait(&pool->changed, &pool->lock);
	job = pool->first;
	if (job != NULL) {
		pool->first = job->next;
		if (pool->first == NULL)
			pool->end = &pool->first;
	}
	pthread_mutex_unlock(&pool->lock);
	return job;
}

static void *
run_jobs(void *arg)
{
	struct handler_pool *pool = arg;
	struct handler_job *job;

	while ((job = take_job(pool)) != NULL)
		pool->run(job);
	return NULL;
}

struct handler_pool *
handler_pool_start(struct ctx *ctx, int threads, void (*run)(struct handler_job *job))
{
	struct handler_pool *pool = ctx_alloc(ctx, sizeof(*pool));

	pool->end = &pool->first;
	pool->run = run;
	pool->thread_count = threads;
	pool->threads = ctx_alloc_array(ctx, (size_t)threads, sizeof(*pool->threads));
	ASSERT(pthread_mutex_init(&pool->lock, NULL) == 0);
	ASSERT(pthread_cond_init(&pool->changed, NULL) == 0);
	for (int i = 0; i < threads; i++)
		ASSERT(pthread_create(&pool->threads[i], NULL, run_jobs, pool) == 0);
	return pool;
}

void
handler_pool_push(struct handler_pool *pool, struct handler_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&pool->lock);
	*pool->end = job;
	pool->end = &job->next;
	pthread_cond_signal(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

void
handler_pool_stop(struct handler_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
}
