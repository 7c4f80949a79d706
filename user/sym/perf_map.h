/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf_map.h - names of just-in-time compiled code, from the file its runtime writes for perf.
 *
 * /tmp/perf-PID.map in the target's root, PID as the target sees itself. It grows while the
 * target runs; it is read again when it has grown and a name is missing.
 */
#ifndef SEEP_SYM_PERF_MAP_H
#define SEEP_SYM_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct perf_map;

/* Takes over fd in any case; works on after the target is gone. */
int perf_map__open_fd(int fd, struct perf_map **ret_map);
void perf_map__free(struct perf_map *m);

/* Name and start of the code at the address; the name stays until the next call. 0 or -ENOENT. */
int perf_map__find(struct perf_map *m, uint64_t address, const char **ret_name,
		   uint64_t *ret_start);

#endif /* SEEP_SYM_PERF_MAP_H */
