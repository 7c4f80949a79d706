/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - a thread that does one slow thing at a time for a loop.
 *
 * The loop gives a job when the worker is idle, is woken through a descriptor when it is done, and
 * takes it back. In between the job belongs to the thread alone: nothing else is shared.
 */
#ifndef SEEP_BASE_WORKER_H
#define SEEP_BASE_WORKER_H

struct worker;

/* Runs in the thread. Long waits should look at worker__stopping now and then. */
typedef void (*worker_fn)(struct worker *w, void *job);

/* done_fd is an eventfd that is written to when a job is done; may be shared. 0 or -errno. */
int worker__new(worker_fn fn, int done_fd, struct worker **ret_worker);
/* Waits for the running job; returns what was given and not taken back, or NULL. */
void *worker__free(struct worker *w);

/* 0, or -EBUSY: a job is still there. */
int worker__give(struct worker *w, void *job);
/* A job that is done, or NULL. */
void *worker__take(struct worker *w);
int worker__is_idle(struct worker *w);
int worker__stopping(const struct worker *w);

#endif /* SEEP_BASE_WORKER_H */
