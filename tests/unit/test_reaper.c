/* Who keeps a connection without getting anywhere, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/reaper.h"

/* Far below the reaper's tick, and far beyond the test's end. */
enum { AT_ONCE_US = 1000, LATER_US = 60 * 1000 * 1000 };

struct side {
	int ours, theirs;
	struct reaper_entry *entry;
};

static struct side
add(struct reaper *reaper, enum reaper_phase phase)
{
	int fds[2];
	struct side side;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	side = (struct side){fds[0], fds[1], reaper_add(reaper, fds[0])};
	reaper_enter(reaper, side.entry, phase);
	return side;
}

/* Whether the other side sees the end. */
static bool
drop(struct reaper *reaper, struct side side)
{
	char byte;
	bool ended = recv(side.theirs, &byte, 1, 0) == 0;

	reaper_remove(reaper, side.entry);
	(void)close(side.ours);
	(void)close(side.theirs);
	return ended;
}

static void
each_phase_has_its_time(void **state)
{
	static const struct reaper_limits limits = {{
	    [REAPER_READING] = AT_ONCE_US,
	    [REAPER_SENDING] = AT_ONCE_US,
	    [REAPER_IDLE] = LATER_US,
	}};
	struct ctx *ctx = ctx_new("test", 0);
	struct reaper *reaper = reaper_new(ctx, &limits);
	struct side sides[REAPER_PHASE_COUNT];

	(void)state;
	for (int i = 0; i < REAPER_PHASE_COUNT; i++)
		sides[i] = add(reaper, (enum reaper_phase)i);
	clock_sleep_ms(10);
	reaper_start(reaper);
	clock_sleep_ms(300);
	reaper_stop(reaper);
	assert_true(drop(reaper, sides[REAPER_READING]));
	assert_true(drop(reaper, sides[REAPER_SENDING]));
	assert_false(drop(reaper, sides[REAPER_IDLE]));
	assert_false(drop(reaper, sides[REAPER_ANSWERING]));
	ctx_free(ctx);
}

/* A client may close its side after its request, and read the answer. Who closes it before has left. */
static void
who_left_is_ended(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct reaper *reaper = reaper_new(ctx, &reaper_limits);
	struct side sides[REAPER_PHASE_COUNT];

	(void)state;
	for (int i = 0; i < REAPER_PHASE_COUNT; i++) {
		sides[i] = add(reaper, (enum reaper_phase)i);
		assert_int_equal(shutdown(sides[i].theirs, SHUT_WR), 0);
	}
	reaper_start(reaper);
	clock_sleep_ms(1500); /* it is seen at one tick and believed at the next */
	reaper_stop(reaper);
	assert_true(drop(reaper, sides[REAPER_READING]));
	assert_true(drop(reaper, sides[REAPER_IDLE]));
	assert_false(drop(reaper, sides[REAPER_SENDING]));
	assert_false(drop(reaper, sides[REAPER_ANSWERING]));
	ctx_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_phase_has_its_time),
	    cmocka_unit_test(who_left_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
