/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc_plan.h - where the allocators of a process are, and what to probe in them.
 *
 * All files that are mapped to run are looked at, through the process's own root: any of them may
 * define the malloc family, and more than one may (a program that shadows the C library's, or calls
 * both). Functions with several names are one place; functions that only jump to another one are
 * left for that one.
 */
#ifndef SEEP_PROBE_ALLOC_PLAN_H
#define SEEP_PROBE_ALLOC_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "allocators.h"
#include "alloc_probe.h"

struct alloc_plan;
struct map_region;

/* One file with probes. */
struct alloc_module {
	int fd;	    /* of the file, open while the plan is there */
	char *path; /* in the process's mount namespace */
	const struct map_region *first; /* its first mapping that may run */
	const struct allocator *allocator;
	struct seep_text text; /* where its code is mapped */
	int is_program;
	int has_unseen_new; /* operator new allocates by itself, and its ends are not known */
};

/* One place to probe. */
struct alloc_point {
	struct alloc_site_info info;
	size_t module;
	enum seep_alloc_kind kind;
	uint64_t file_offset;
	uint64_t address; /* in the process */
	uint64_t cookie;
};

/* 0; -ESRCH, -EACCES, -ENOENT: no allocator found, -EIO: who reads its files failed; `why` says it. */
int alloc_plan__new(pid_t pid, int at_entry, struct alloc_plan **ret_plan, char *why,
		    size_t why_cap);
void alloc_plan__free(struct alloc_plan *p);

size_t alloc_plan__modules(const struct alloc_plan *p, const struct alloc_module **ret_modules);
size_t alloc_plan__points(const struct alloc_plan *p, const struct alloc_point **ret_points);
/*
 * Where the process has code now: its program, and all else with what lies between; and in how many
 * mappings (ret_cnt may be NULL). 0 or -errno.
 */
int alloc_plan__code(pid_t pid, struct seep_span ret_spans[SEEP_CODE_SPANS], size_t *ret_cnt);

#endif /* SEEP_PROBE_ALLOC_PLAN_H */
