/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent_run.h - `build/seep agent` with state of its own, and what it takes. Without closer looks: what
 * else leaks on the machine would be measured with it.
 */
#ifndef SEEP_BENCH_OVERHEAD_AGENT_RUN_H
#define SEEP_BENCH_OVERHEAD_AGENT_RUN_H

#include <sys/types.h>

#define AGENT_RUN_PATH "build/seep"

struct agent_run {
	pid_t pid;
	char dir[64];
	char socket[80];
};

/* root: where the host's /run is (--host-root), or NULL. 0 or -errno. */
int agent_run__start(struct agent_run *a, const char *root);
void agent_run__stop(struct agent_run *a);

/* All threads' run time, to the nanosecond. */
double agent_run__cpu_s(const struct agent_run *a);
double agent_run__rss_mib(const struct agent_run *a);
/* Kernel memory of the agent's BPF maps, from its descriptors. */
double agent_run__map_mib(const struct agent_run *a);

#endif /* SEEP_BENCH_OVERHEAD_AGENT_RUN_H */
