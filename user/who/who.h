/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * who.h - process -> cgroup -> container -> pod: names for the numbers.
 *
 * One cache for all of it. Everything is read once, on first sight of a process or cgroup, and
 * forgotten with it; what the kubelet knows comes later (who__update). Unknown is NULL, never
 * invented. Names come from files an attacker may own: they are bounded, and control characters are
 * replaced before they get here.
 */
#ifndef SEEP_WHO_WHO_H
#define SEEP_WHO_WHO_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <seep/task_id.h>
#include <jansson.h>

#include "kube.h"
#include "selector.h"

struct who;

/* A cgroup of the memory controller (v1) or of the unified hierarchy (v2). */
struct cgroup_info {
	uint64_t id;             /* inode of its directory; 0 = the path could not be resolved */
	const char *path;        /* as in /proc/PID/cgroup, read from the host's cgroup namespace
				  * where that can be told; "/" is the root */
	const char *runtime;     /* "containerd", "cri-o", "docker", "podman", "lxc" or NULL */
	const char *container_id;/* 64 hex digits, or NULL */
	const char *container;   /* the container's name if known, else the short id, or NULL */
	const char *pod_uid;     /* with dashes, or 32 hex digits for static pods, or NULL */
	const char *pod;
	const char *ns;          /* Kubernetes namespace */
	const char *workload;    /* kind/name; from the kubelet, see kube_list.h for how */
	const char *image;
	const char *image_digest;
	const json_t *labels;    /* of the pod: an object of strings */
	const struct selector_label *label_list; /* the same, for selectors */
	size_t label_cnt;
	uint64_t spec_limit_bytes; /* the container's memory limit in the pod's spec; UINT64_MAX =
				    * none or not known */
	int is_named;            /* `container` is a name, not the short id */
	/* Itself or the ancestor that is the container, and the one that is the pod; NULL = none. */
	const struct cgroup_info *container_cgroup;
	const struct cgroup_info *pod_cgroup;
};

struct proc_info {
	struct seep_task_id id;
	uint32_t uid;                    /* real uid; UINT32_MAX = not known */
	const char *comm;
	const char *cmdline;             /* arguments joined by spaces, bounded; NULL for kernel threads */
	const char *exe;                 /* /proc/PID/exe, or NULL */
	const struct cgroup_info *cgroup; /* NULL = vanished before it could be read */
};

/*
 * Sizes and limits of a cgroup with all that is below it, at one poll. UINT64_MAX = no limit or
 * not known; the parts of the signal are 0 where the kernel does not account them.
 */
struct cgroup_usage {
	uint64_t usage_bytes;    /* memory.current / memory.usage_in_bytes (page cache included) */
	uint64_t anon_bytes;
	uint64_t swap_bytes;
	uint64_t shmem_bytes;
	uint64_t kernel_bytes;   /* unreclaimable: slab_unreclaimable, stacks, page tables, ...
				  * 0 on v1, which does not tell it from dentries and inodes */
	uint64_t kernel_total_bytes;     /* with the reclaimable part */
	uint64_t file_bytes;
	uint64_t limit_bytes;    /* its own hard limit */
	uint64_t nearest_limit_bytes;    /* of itself or the ancestor with the least headroom */
	uint64_t headroom_bytes;         /* what can still be allocated before that limit kills;
					  * reclaimable page cache counts as free, swap does not */
	const char *nearest_limit_path;  /* whose limit that is; NULL = none */
	uint64_t oom_kills;      /* memory.events oom_kill / memory.oom_control oom_kill */
	uint64_t limit_hits;     /* memory.events max / memory.failcnt */
};

/* What the detector judges of a cgroup. */
static inline uint64_t cgroup_usage__signal_bytes(const struct cgroup_usage *u)
{
	return u->anon_bytes + u->swap_bytes + u->shmem_bytes + u->kernel_bytes;
}

struct who_cfg {
	const char *proc_dir;   /* default "/proc" */
	const char *cgroup_dir; /* mount point or the directory above memory/ and unified/;
				 * default: found through /proc/self/mountinfo */
	const char *root_dir;   /* prefix of /run, /var/lib, /var/log of the host; default "" */
	unsigned max_procs;     /* bound of the cache; default 32768 */
	unsigned max_cgroups;   /* default 8192 */
};

/* 0, or -errno when no cgroup hierarchy with a memory controller is mounted (who still works,
 * cgroup numbers are unknown: *ret_who is set and usable in that case too). */
int who__new(const struct who_cfg *cfg, struct who **ret_who);
void who__free(struct who *w);

/*
 * Who is it? cgroup_id may be 0 (unknown). comm is what the kernel said. Reads /proc on first
 * sight, after who__refresh(), or when cgroup_id changed; otherwise costs one hash lookup. The
 * answer is valid until who__forget of the same id; cmdline and exe until the call that follows
 * who__refresh. NULL: out of memory or at the bound (counted).
 */
const struct proc_info *who__process(struct who *w, const struct seep_task_id *id,
				     uint64_t cgroup_id, const char *comm);
/* The process ran exec: names are read again at the next who__process. */
void who__refresh(struct who *w, const struct seep_task_id *id);
void who__forget(struct who *w, const struct seep_task_id *id);

/* Known cgroup by path or kernel id; NULL = never seen. */
const struct cgroup_info *who__cgroup_by_path(struct who *w, const char *path);
const struct cgroup_info *who__cgroup_by_id(struct who *w, uint64_t id);

/*
 * Read the memory files of a cgroup and of its ancestors. Ancestors are read once per poll_seq.
 * 0, -ENOENT when it is gone or its path could not be resolved, -EOPNOTSUPP for the root (it is
 * the node: who__node_memory), -ENODEV without a memory controller, -EBADMSG for garbled files,
 * -errno.
 */
int who__cgroup_usage(struct who *w, const struct cgroup_info *cg, uint64_t poll_seq,
		      struct cgroup_usage *ret_usage);

/* Have the kubelet asked for pods, by a thread that begins here. Never a reason to fail:
 * who__kube_status says what is wrong. */
void who__ask_kubelet(struct who *w, const struct kube_cfg *cfg);
/* Take in what the kubelet has answered since the last call. Returns 1 when names may have changed.
 * Cheap when there is nothing new; call once per poll. */
int who__update(struct who *w);
/* 0, or -ENOENT when no kubelet was given. */
int who__kube_status(struct who *w, struct kube_status *ret_status);

/* Does the cgroup's directory still exist? */
int who__cgroup_exists(struct who *w, const char *path);

/* Drop cgroups whose directory is gone and that no process refers to, and look again for names that
 * were not there yet. Call now and then. */
void who__expire(struct who *w);

struct who_stats {
	unsigned procs, cgroups;
	uint64_t dropped_procs, dropped_cgroups; /* at the bound */
	uint64_t vanished;                       /* gone before their names could be read */
	int cgroup_version;                      /* of the memory controller: 1, 2, 0 = none */
	const char *cgroup_mount;
};
void who__stats(const struct who *w, struct who_stats *ret_stats);

/* Node memory from /proc/meminfo. 0 or -errno. */
int who__node_memory(struct who *w, uint64_t *ret_total_bytes, uint64_t *ret_available_bytes);

/* Seam for tests and other users: parse a cgroup path. Fills runtime, container_id (65 bytes)
 * and pod_uid (37 bytes); empty strings where the path does not say. */
void who__parse_cgroup_path(const char *path, const char **ret_runtime, char container_id[65],
			    char pod_uid[37]);

#endif /* SEEP_WHO_WHO_H */
