/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h - one epoll loop: file descriptors, periodic timers and signals in one thread.
 *
 * Modules expose a descriptor and a callback; the loop belongs to the agent. A callback may
 * remove any source, its own included.
 */
#ifndef SEEP_BASE_LOOP_H
#define SEEP_BASE_LOOP_H

#include <stdint.h>

struct loop;
struct loop_source;

typedef void (*loop_fn)(void *ctx, uint32_t epoll_events);

struct loop *loop__new(void);
void loop__free(struct loop *l); /* removes what is still watched */

/* Watch fd for epoll_events (level-triggered). The fd stays the caller's. NULL: errno says why. */
struct loop_source *loop__add_fd(struct loop *l, int fd, uint32_t epoll_events, loop_fn fn,
				 void *ctx);
int loop__modify(struct loop_source *s, uint32_t epoll_events);
/* Call fn each period_ns, first after first_ns; missed periods are not made up for. */
struct loop_source *loop__add_timer(struct loop *l, uint64_t first_ns, uint64_t period_ns,
				    loop_fn fn, void *ctx);
/* Block signo and call fn when it arrives. */
struct loop_source *loop__add_signal(struct loop *l, int signo, loop_fn fn, void *ctx);
void loop__remove(struct loop_source *s);

/* Run until loop__stop. 0 or -errno of epoll_wait. */
int loop__run(struct loop *l);
void loop__stop(struct loop *l);

#endif /* SEEP_BASE_LOOP_H */
