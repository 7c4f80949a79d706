// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "loop.h"

#define BATCH 32

struct loop_source {
	struct loop *loop;
	struct loop_source *next; /* of the living, or of the dead */
	struct loop_source *prev; /* of the living */
	loop_fn fn;
	void *ctx;
	int fd;
	int owns_fd; /* timerfd, signalfd */
	int dead;
};

struct loop {
	struct loop_source *live;
	struct loop_source *dead; /* freed after the batch that may still name them */
	int epoll_fd;
	int exiting;
};

struct loop *loop__new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		free(l);
		return NULL;
	}
	return l;
}

static void bury(struct loop *l)
{
	struct loop_source *s;

	while ((s = l->dead)) {
		l->dead = s->next;
		free(s);
	}
}

void loop__free(struct loop *l)
{
	if (!l)
		return;
	while (l->live)
		loop__remove(l->live);
	bury(l);
	close(l->epoll_fd);
	free(l);
}

struct loop_source *loop__add_fd(struct loop *l, int fd, uint32_t epoll_events, loop_fn fn,
				 void *ctx)
{
	struct loop_source *s = calloc(1, sizeof(*s));
	struct epoll_event ev = {.events = epoll_events, .data.ptr = s};

	if (!s)
		return NULL;
	s->loop = l;
	s->fd = fd;
	s->fn = fn;
	s->ctx = ctx;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
		free(s);
		return NULL;
	}
	s->next = l->live;
	if (s->next)
		s->next->prev = s;
	l->live = s;
	return s;
}

int loop__modify(struct loop_source *s, uint32_t epoll_events)
{
	struct epoll_event ev = {.events = epoll_events, .data.ptr = s};

	return epoll_ctl(s->loop->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) ? -errno : 0;
}

static struct loop_source *add_owned(struct loop *l, int fd, loop_fn fn, void *ctx)
{
	struct loop_source *s = loop__add_fd(l, fd, EPOLLIN, fn, ctx);

	if (!s) {
		close(fd);
		return NULL;
	}
	s->owns_fd = 1;
	return s;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

struct loop_source *loop__add_timer(struct loop *l, uint64_t first_ns, uint64_t period_ns,
				    loop_fn fn, void *ctx)
{
	struct itimerspec its = {
		.it_value = to_timespec(first_ns ? first_ns : 1),
		.it_interval = to_timespec(period_ns),
	};
	int fd;

	fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (timerfd_settime(fd, 0, &its, NULL)) {
		close(fd);
		return NULL;
	}
	return add_owned(l, fd, fn, ctx);
}

struct loop_source *loop__add_signal(struct loop *l, int signo, loop_fn fn, void *ctx)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, signo);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return NULL;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	return add_owned(l, fd, fn, ctx);
}

static void unlink_live(struct loop_source *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		s->loop->live = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

void loop__remove(struct loop_source *s)
{
	if (!s || s->dead)
		return;
	unlink_live(s);
	epoll_ctl(s->loop->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->owns_fd)
		close(s->fd);
	s->dead = 1;
	s->next = s->loop->dead;
	s->loop->dead = s;
}

/* timerfd and signalfd are level-triggered until read. */
static void drain_owned(const struct loop_source *s)
{
	char sink[sizeof(struct signalfd_siginfo) * 4];

	while (s->owns_fd && read(s->fd, sink, sizeof(sink)) > 0)
		;
}

int loop__run(struct loop *l)
{
	struct epoll_event events[BATCH];
	struct loop_source *s;
	int i, n;

	while (!l->exiting) {
		n = epoll_wait(l->epoll_fd, events, BATCH, -1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (i = 0; i < n; i++) {
			s = events[i].data.ptr;
			if (s->dead)
				continue;
			drain_owned(s);
			s->fn(s->ctx, events[i].events);
		}
		bury(l);
	}
	return 0;
}

void loop__stop(struct loop *l)
{
	l->exiting = 1;
}
