/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_paths.h - the call sites of a trace as paths of names, outermost first, for flame graphs.
 */
#ifndef SEEP_OUT_TRACE_PATHS_H
#define SEEP_OUT_TRACE_PATHS_H

#include "../drill/trace.h"

struct trace_path {
	char *names;  /* each ends in ';', which no name holds: "main;foo;bar;" */
	double bytes; /* outstanding */
	double count;
};

/*
 * Sorted by names, each path once; what owns nothing is left out. With several processes a path
 * begins with "comm (pid);". 0 or -ENOMEM.
 */
int trace_paths__new(const struct trace_result *r, struct trace_path **ret_paths, size_t *ret_cnt);
void trace_paths__free(struct trace_path *paths, size_t cnt);

#endif /* SEEP_OUT_TRACE_PATHS_H */
