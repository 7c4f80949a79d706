/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loads.h - the work that is measured, with and without a probe.
 *
 * Each load gives the CPU time it took, the kernel's part included, in nanoseconds an operation:
 * the machine may be shared, and waiting is not the probe's doing. 0 when the load failed.
 */
#ifndef SEEP_BENCH_OVERHEAD_LOADS_H
#define SEEP_BENCH_OVERHEAD_LOADS_H

#include <stddef.h>
#include <sys/types.h>

struct fault_load {
	int threads;  /* each on pages of its own, in one mm */
	int huge;     /* 2 MiB pages where the kernel gives them */
	size_t pages; /* a thread touches and releases so many ... */
	int rounds;   /* ... so often */
};

/* Per page touched, its release included. */
double load__faults(const struct fault_load *load);
/* Per fork of this process, the child's exit included. */
double load__forks(int cnt);
/* Per process that runs /bin/true. */
double load__execs(int cnt);

/* A tree of `files` C sources in a new directory; its path in `dir`. 0 or -errno. */
int load__make_tree(char *dir, size_t cap, int files);
void load__remove_tree(const char *dir, int files);
/* CPU seconds of compiling the tree, one file after the other; ret_wall_s: by the clock. */
double load__build(const char *dir, int files, double *ret_wall_s);

/* `cnt` children that touched a few pages and sleep until the crowd is sent home. */
struct sleepers {
	pid_t *pids;
	size_t cnt;
	int gate; /* closing it lets them all end */
};

int sleepers__start(struct sleepers *s, size_t cnt);
void sleepers__end(struct sleepers *s);

#endif /* SEEP_BENCH_OVERHEAD_LOADS_H */
