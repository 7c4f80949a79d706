// SPDX-License-Identifier: BSD-2-Clause
/* test_loop.c - one epoll loop: descriptors, timers, signals, and sources that go while it runs. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/loop.h"

#define MS 1000000ULL

struct env {
	struct loop *loop;
	struct loop_source *a, *b;
	int pipe[2];
	int calls, stop_at;
	uint32_t events;
};

static int setup(void **state)
{
	static struct env e;

	e = (struct env){.loop = loop__new(), .stop_at = 1};
	*state = &e;
	return !e.loop || pipe2(e.pipe, O_CLOEXEC | O_NONBLOCK);
}

static int teardown(void **state)
{
	struct env *e = *state;

	loop__free(e->loop);
	close(e->pipe[0]);
	close(e->pipe[1]);
	return 0;
}

static void count(void *ctx, uint32_t events)
{
	struct env *e = ctx;

	e->events = events;
	if (++e->calls == e->stop_at)
		loop__stop(e->loop);
}

static void test_fd_is_level_triggered(void **state)
{
	struct env *e = *state;

	e->stop_at = 3;
	assert_non_null(loop__add_fd(e->loop, e->pipe[0], EPOLLIN, count, e));
	assert_int_equal(write(e->pipe[1], "x", 1), 1);
	assert_int_equal(loop__run(e->loop), 0);
	assert_int_equal(e->calls, 3);
	assert_int_equal(e->events, EPOLLIN);
}

static void test_modify(void **state)
{
	struct env *e = *state;
	struct loop_source *s = loop__add_fd(e->loop, e->pipe[1], 0, count, e);

	assert_non_null(s);
	assert_int_equal(loop__modify(s, EPOLLOUT), 0);
	assert_int_equal(loop__run(e->loop), 0);
	assert_int_equal(e->events, EPOLLOUT);
}

static void test_bad_fd(void **state)
{
	struct env *e = *state;

	errno = 0;
	assert_null(loop__add_fd(e->loop, -1, EPOLLIN, count, e));
	assert_int_equal(errno, EBADF);
}

static void test_timer_repeats(void **state)
{
	struct env *e = *state;

	e->stop_at = 4;
	assert_non_null(loop__add_timer(e->loop, 0, MS, count, e));
	assert_int_equal(loop__run(e->loop), 0);
	assert_int_equal(e->calls, 4);
}

static void test_signal(void **state)
{
	struct env *e = *state;

	assert_non_null(loop__add_signal(e->loop, SIGUSR1, count, e));
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop__run(e->loop), 0);
	assert_int_equal(e->calls, 1);
}

static void remove_both(void *ctx, uint32_t events)
{
	struct env *e = ctx;

	e->calls++;
	loop__remove(e->a);
	loop__remove(e->b);
	loop__remove(e->b); /* harmless until the callback returns */
	loop__stop(e->loop);
}

/* Both are due in one batch: the first to be called takes the other's event with it. */
static void test_remove_self_and_other(void **state)
{
	struct env *e = *state;
	int other[2];

	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	assert_int_equal(write(e->pipe[1], "x", 1), 1);
	assert_int_equal(write(other[1], "x", 1), 1);
	e->a = loop__add_fd(e->loop, e->pipe[0], EPOLLIN, remove_both, e);
	e->b = loop__add_fd(e->loop, other[0], EPOLLIN, remove_both, e);
	assert_int_equal(loop__run(e->loop), 0);
	assert_int_equal(e->calls, 1);
	close(other[0]);
	close(other[1]);
}

static void remove_timer(void *ctx, uint32_t events)
{
	struct env *e = ctx;

	e->calls++;
	loop__remove(e->a);
	e->a = NULL;
	loop__remove(NULL);
	assert_non_null(loop__add_timer(e->loop, MS, 0, count, e));
	e->stop_at = e->calls + 1;
}

static void test_timer_replaces_itself(void **state)
{
	struct env *e = *state;

	e->a = loop__add_timer(e->loop, 1, MS, remove_timer, e);
	assert_int_equal(loop__run(e->loop), 0);
	assert_int_equal(e->calls, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fd_is_level_triggered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_modify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_fd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_repeats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_self_and_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_replaces_itself, setup, teardown),
	};

	loop__free(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
