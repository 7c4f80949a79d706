/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc_scan.h - which allocators the files of a process hold, and where their functions are.
 *
 * Runs in a sandbox, once for each process: it reads tables of symbols and decodes instructions of
 * whatever the process has mapped. What it says is checked by alloc_plan.c, which knows the process's
 * mappings from the kernel, and can only lead to probes in that very process.
 */
#ifndef SEEP_PROBE_ALLOC_SCAN_H
#define SEEP_PROBE_ALLOC_SCAN_H

#include <stdint.h>
#include <linux/types.h>
#include <seep/alloc.h>

#include "../sym/session.h"
#include "placement.h"

#define SCAN_POINTS_MAX 256
#define ASK_SCAN	SESSION_FIRST_TYPE

struct scan_question {
	uint64_t program_dev, program_inode; /* of /proc/PID/exe */
	int32_t at_entry;		     /* probe functions where they begin */
};

/* One file with probes. */
struct scan_module {
	uint64_t start; /* its first mapping that may run */
	uint32_t allocator;
	uint8_t has_malloc, has_unseen_new;
};

struct scan_point {
	uint64_t offset; /* of the function in the file; of the instruction, if it is an exit */
	struct placement place;
	uint16_t function; /* of the table */
	uint8_t table, module, is_exit;
};

struct scan_answer {
	int32_t err; /* 0, or errno */
	uint32_t module_cnt, point_cnt;
	struct scan_module modules[SEEP_ALLOCATOR_TEXTS];
	struct scan_point points[SCAN_POINTS_MAX];
};

/* A sandbox_fn: answers one question. */
void alloc_scan__run(int sock);

#endif /* SEEP_PROBE_ALLOC_SCAN_H */
