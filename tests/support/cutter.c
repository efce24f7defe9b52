#include "tests/support/cutter.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bug.h"
#include "tests/support/pg_cluster.h"

enum { PAIRS = 16, TICK_MS = 20, CHUNK = 64 * 1024 };

struct pair {
	int client, server; /* 0: free */
	bool doomed;        /* the next answer is swallowed */
};

struct cutter {
	char folder[64];
	enum cut cut;
	int listener;
	pthread_t thread;
	atomic_bool stop;
	bool done; /* by the thread; read after it ended */
	struct pair pairs[PAIRS];
};

static int
open_socket(const char *folder, bool listens)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT(fd > 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
	if (listens)
		ASSERT(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, PAIRS) == 0);
	else
		ASSERT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static void
end_pair(struct pair *pair)
{
	(void)close(pair->client);
	(void)close(pair->server);
	*pair = (struct pair){0};
}

static void
relay(struct pair *pair, int from, int to)
{
	static char bytes[CHUNK]; /* one thread */
	ssize_t length = read(from, bytes, sizeof(bytes));

	for (ssize_t sent = 0, n; length > 0 && sent < length; sent += n) {
		n = write(to, bytes + sent, (size_t)(length - sent));
		if (n <= 0)
			length = 0;
	}
	if (length <= 0)
		end_pair(pair);
}

static bool
is_commit(int fd)
{
	char bytes[12];

	return recv(fd, bytes, sizeof(bytes), MSG_PEEK) == (ssize_t)sizeof(bytes) && bytes[0] == 'Q' &&
	       memcmp(bytes + 5, "COMMIT", 7) == 0;
}

static void
from_client(struct cutter *cutter, struct pair *pair)
{
	bool cuts = !cutter->done && is_commit(pair->client);

	cutter->done = cutter->done || cuts;
	if (cuts && cutter->cut == CUT_BEFORE_SERVER) {
		end_pair(pair);
		return;
	}
	relay(pair, pair->client, pair->server);
	pair->doomed = cuts;
}

static void
serve_pair(struct cutter *cutter, struct pair *pair)
{
	struct pollfd ready[2] = {{.fd = pair->client, .events = POLLIN}, {.fd = pair->server, .events = POLLIN}};

	(void)poll(ready, 2, 0);
	if (ready[1].revents != 0 && pair->doomed)
		end_pair(pair);
	else if (ready[1].revents != 0)
		relay(pair, pair->server, pair->client);
	else if (ready[0].revents != 0)
		from_client(cutter, pair);
}

static void
accept_client(struct cutter *cutter)
{
	for (size_t i = 0; i < PAIRS; i++) {
		if (cutter->pairs[i].client == 0) {
			cutter->pairs[i].client = accept(cutter->listener, NULL, NULL);
			cutter->pairs[i].server = open_socket(pg_cluster_folder(), false);
			return;
		}
	}
}

static void *
run(void *arg)
{
	struct cutter *cutter = arg;

	while (!cutter->stop) {
		struct pollfd all[2 * PAIRS + 1] = {{.fd = cutter->listener, .events = POLLIN}};
		nfds_t count = 1;

		for (size_t i = 0; i < PAIRS; i++) {
			if (cutter->pairs[i].client == 0)
				continue;
			all[count++] = (struct pollfd){.fd = cutter->pairs[i].client, .events = POLLIN};
			all[count++] = (struct pollfd){.fd = cutter->pairs[i].server, .events = POLLIN};
		}
		(void)poll(all, count, TICK_MS);
		if (all[0].revents != 0)
			accept_client(cutter);
		for (size_t i = 0; i < PAIRS; i++)
			if (cutter->pairs[i].client != 0)
				serve_pair(cutter, &cutter->pairs[i]);
	}
	return NULL;
}

struct cutter *
cutter_start(struct ctx *ctx, enum cut cut)
{
	struct cutter *cutter = ctx_alloc(ctx, sizeof(*cutter));

	(void)snprintf(cutter->folder, sizeof(cutter->folder), "/tmp/cutter-XXXXXX");
	ASSERT(mkdtemp(cutter->folder) != NULL);
	cutter->cut = cut;
	cutter->listener = open_socket(cutter->folder, true);
	ASSERT(pthread_create(&cutter->thread, NULL, run, cutter) == 0);
	return cutter;
}

char *
cutter_url(struct ctx *ctx, const struct cutter *cutter, const char *database)
{
	return ctx_printf(ctx, "postgresql://loadstar@/%s?host=%s", database, cutter->folder);
}

bool
cutter_stop(struct cutter *cutter)
{
	char path[128];

	cutter->stop = true;
	(void)pthread_join(cutter->thread, NULL);
	for (size_t i = 0; i < PAIRS; i++)
		if (cutter->pairs[i].client != 0)
			end_pair(&cutter->pairs[i]);
	(void)close(cutter->listener);
	(void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", cutter->folder);
	(void)unlink(path);
	(void)rmdir(cutter->folder);
	return cutter->done;
}
