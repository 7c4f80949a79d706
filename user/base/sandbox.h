/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.h - processes without rights, for work on what strangers wrote.
 *
 * Early in its life a program lets a small process be born that gives up its identity (confine.h),
 * and is the parent of all sandboxes: they need no privileges to be made later, and have none. What
 * goes on in one is confined further, ends with it, and harms nobody else. The two sides talk over a
 * stream socket (message.h); the inner one is not to be trusted.
 */
#ifndef SEEP_BASE_SANDBOX_H
#define SEEP_BASE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

struct sandbox;

/* Runs inside, until it returns; sock is all that it has. */
typedef void (*sandbox_fn)(int sock);

/*
 * To be called while there is one thread, with all privileges; a first sandbox is tried. Who does not
 * call it has the parent of sandboxes made with the first of them. 0 or -errno.
 */
int sandbox__prepare(void);

/* 0 or -errno. For all threads. */
int sandbox__new(sandbox_fn fn, struct sandbox **ret_sandbox);
int sandbox__sock(const struct sandbox *s);
int sandbox__pid(const struct sandbox *s);
unsigned sandbox__confined(const struct sandbox *s); /* CONFINED_x */

/* End it, whatever it is doing, and free it. NULL is fine. */
void sandbox__free(struct sandbox *s);
/*
 * The same for one that does not do what it should. ret_how says how it had ended before that:
 * "signal 11", "exit status 1"; "" = it had not.
 */
#define SANDBOX_HOW_LEN 64
void sandbox__fail(struct sandbox *s, char ret_how[SANDBOX_HOW_LEN]);

/* What all sandboxes of this process cost and did so far. */
struct sandbox_stats {
	uint64_t started, running;
	uint64_t failed;   /* ended of themselves, or did not do what they should */
	uint64_t refused;  /* could not be started */
	uint64_t cpu_ns;   /* of those that had ended when another one was begun or ended */
	uint64_t max_rss_bytes; /* of the largest one of those */
	unsigned confined; /* what all of them have given up, CONFINED_x; 0: there was none */
	int last_err;	   /* why one could not be started; 0: never */
};
void sandbox__stats(struct sandbox_stats *ret_stats);

#endif /* SEEP_BASE_SANDBOX_H */
