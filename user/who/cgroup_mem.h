/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_mem.h - the memory files of one cgroup directory, v1 and v2 in the same terms.
 *
 * Both versions report the cgroup with all its descendants: memory.stat of v2 always does, of v1
 * the "total_" lines do, which match usage_in_bytes whatever use_hierarchy is.
 */
#ifndef SEEP_WHO_CGROUP_MEM_H
#define SEEP_WHO_CGROUP_MEM_H

#include <stdint.h>

struct cgroup_usage;

/* The tightest limit of one cgroup; both UINT64_MAX when it has none. */
struct cgroup_limit {
	uint64_t limit_bytes;
	uint64_t headroom_bytes; /* limit - usage + reclaimable page cache */
};

/*
 * Read all files of the cgroup at dirfd. The nearest_ fields are left at "none": they need the
 * ancestors. 0, -ENOENT when it is gone, -EBADMSG when memory.stat makes no sense, -errno.
 */
int cgroup_mem__read(int dirfd, int version, struct cgroup_usage *ret_usage,
		     struct cgroup_limit *ret_limit);
/* The limit alone, as it binds the cgroups below: no more than two files when there is none. */
struct cgroup_limit cgroup_mem__read_limit(int dirfd, int version);

#endif /* SEEP_WHO_CGROUP_MEM_H */
