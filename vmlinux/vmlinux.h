/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * vmlinux.h - the few kernel types that seep's BPF programs touch.
 *
 * Written by hand, not dumped: CO-RE relocates every field by name against the running kernel's
 * BTF, so only the fields in use need to stand here, in any order. Types that changed between
 * kernels live in bpf/compat.bpf.h as flavours (name___what). See vmlinux/README.md.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#if defined(__TARGET_ARCH_x86)
#include "x86/arch.h"
#elif defined(__TARGET_ARCH_arm64)
#include "arm64/arch.h"
#else
#error "seep's BPF programs know x86 and arm64: build with -D__TARGET_ARCH_x86 or _arm64"
#endif

typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef _Bool bool;

enum { false = 0, true = 1 };

/* Values of the bpf(2) ABI, as in <linux/bpf.h>. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};

enum {
	BPF_F_NO_PREALLOC = 1,
};

enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum {
	BPF_RB_AVAIL_DATA = 0,
	BPF_RB_RING_SIZE = 1,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

typedef struct {
	u32 val;
} kuid_t;

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

enum cgroup_subsys_id {
	memory_cgrp_id,
	CGROUP_SUBSYS_COUNT = 32,
};

struct css_set {
	struct cgroup_subsys_state *subsys[CGROUP_SUBSYS_COUNT];
};

struct cred {
	kuid_t uid;
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned long maxrss;
	unsigned long min_flt;
	unsigned long maj_flt;
	unsigned long long sum_sched_runtime;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct percpu_counter {
	s64 count;
	s32 *counters; /* __percpu */
};

struct task_struct;

struct mm_struct {
	struct task_struct *owner; /* CONFIG_MEMCG */
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	int exit_code;
	u64 start_boottime;
	unsigned long min_flt;
	unsigned long maj_flt;
	char comm[16];
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct css_set *cgroups;
	const struct cred *real_cred;
	struct sched_entity se;
};

/* the map behind BPF_MAP_TYPE_PERCPU_ARRAY: pptrs are per-CPU pointers to its values */
struct bpf_map {
	u32 max_entries;
};

struct bpf_array {
	struct bpf_map map;
	void *pptrs[0];
};

struct seq_file;
struct linux_binprm;

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#pragma clang attribute pop

#endif /* __VMLINUX_H__ */
