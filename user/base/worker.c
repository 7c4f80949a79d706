// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker.h"

enum state { IDLE, GIVEN, DONE };

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	worker_fn fn;
	int done_fd;
	enum state state;
	void *job;
	atomic_int stopping;
};

static void tell_done(struct worker *w)
{
	uint64_t one = 1;

	(void)!write(w->done_fd, &one, sizeof(one)); /* full: the reader is awake anyway */
}

static void *run(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (w->state != GIVEN && !w->stopping)
			pthread_cond_wait(&w->changed, &w->lock);
		if (w->stopping)
			break;
		pthread_mutex_unlock(&w->lock);
		w->fn(w, w->job);
		pthread_mutex_lock(&w->lock);
		w->state = DONE;
		tell_done(w);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int worker__new(worker_fn fn, int done_fd, struct worker **ret_worker)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->done_fd = done_fd;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	err = pthread_create(&w->thread, NULL, run, w);
	if (err) {
		free(w);
		return -err;
	}
	*ret_worker = w;
	return 0;
}

void *worker__free(struct worker *w)
{
	void *job;

	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->stopping = 1;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	job = w->job;
	free(w);
	return job;
}

int worker__give(struct worker *w, void *job)
{
	int err = -EBUSY;

	pthread_mutex_lock(&w->lock);
	if (w->state == IDLE) {
		w->job = job;
		w->state = GIVEN;
		pthread_cond_signal(&w->changed);
		err = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return err;
}

void *worker__take(struct worker *w)
{
	void *job = NULL;

	pthread_mutex_lock(&w->lock);
	if (w->state == DONE) {
		job = w->job;
		w->job = NULL;
		w->state = IDLE;
	}
	pthread_mutex_unlock(&w->lock);
	return job;
}

int worker__is_idle(struct worker *w)
{
	int idle;

	pthread_mutex_lock(&w->lock);
	idle = w->state == IDLE;
	pthread_mutex_unlock(&w->lock);
	return idle;
}

int worker__stopping(const struct worker *w)
{
	return w->stopping;
}
