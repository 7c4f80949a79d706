/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h - the program that is traced: this same binary, run anew, doing work when it is asked.
 *
 * What it answers is the CPU time of its thread, because the machine may be shared.
 */
#ifndef SEEP_BENCH_CLOSER_TARGET_H
#define SEEP_BENCH_CLOSER_TARGET_H

#include <stddef.h>
#include <sys/types.h>

#define TARGET_OPTION "--target" /* main hands over to target__serve */

/* A piece of work. */
struct target_job {
	size_t pair_bytes; /* 0: the SQLite job */
	int cnt;	   /* pairs; SQLite jobs */
};

struct target {
	pid_t pid;    /* the program; under a wrapper its child */
	pid_t leader; /* of the process group it is in */
	int to_fd, from_fd;
};

/* wrapper: words of a command in front of it ("heaptrack -o file"), or NULL. 0 or -errno. */
int target__start(struct target *t, const char *wrapper);
void target__stop(struct target *t);
/* CPU nanoseconds of one pair or one SQLite job; negative: it died. */
double target__run(struct target *t, const struct target_job *job);
/* The same in two parts, for programs that work side by side. 0 or -EPIPE. */
int target__begin(struct target *t, const struct target_job *job);
double target__end(struct target *t);

/* Its side. Never returns. */
void target__serve(void);

#endif /* SEEP_BENCH_CLOSER_TARGET_H */
