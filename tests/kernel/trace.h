/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a probe on a child's allocator, and its live samples by size.
 *
 * Tests give each call site blocks of a size of its own, so that sizes stand for sites. Everything
 * here fails the running cmocka test by itself.
 */
#ifndef SEEP_TESTS_KERNEL_TRACE_H
#define SEEP_TESTS_KERNEL_TRACE_H

#include "support.h"

#include <errno.h>
#include <string.h>
#include <bpf/btf.h>

#include "probe/alloc_probe.h"
#include "probe/feat.h"

#define TRACE_SIZES 512

struct tally {
	uint64_t size, cnt, weight;
	uint64_t stack_id; /* of the last */
	uint32_t kind;
};

struct trace {
	struct alloc_probe *probe;
	struct tally tallies[TRACE_SIZES];
	size_t size_cnt;
	uint64_t live_cnt, live_weight;
	uint64_t stacks; /* drained so far */
	uint64_t last_bytes;
	uint64_t stats[SEEP_ALLOC_STAT_CNT];
};

static inline int trace__has_sessions(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *t;
	int id, i, found = 0;

	id = btf ? btf__find_by_name_kind(btf, "bpf_attach_type", BTF_KIND_ENUM) : -1;
	t = id > 0 ? btf__type_by_id(btf, id) : NULL;
	for (i = 0; t && i < btf_vlen(t); i++)
		found |= !strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off),
				 "BPF_TRACE_UPROBE_SESSION");
	btf__free(btf);
	return found;
}

/* How this kernel's allocators are probed unless another way is asked for. */
static inline const char *trace__newest_way(void)
{
	static const char *way; /* asked for once: it takes seconds on an emulated machine */

	if (!way)
		way = trace__has_sessions() ? "session" :
		      feat__has_uprobe_multi() ? "multi" : "perf";
	return way;
}

/* 0 after saying why where this machine, or this user, cannot. */
static inline int trace__start(struct trace *t, pid_t pid, const struct alloc_probe_cfg *wanted)
{
	struct alloc_probe_cfg cfg = *wanted;
	char why[256] = "";
	int err;

	memset(t, 0, sizeof(*t));
	cfg.pid = pid;
	err = alloc_probe__new(&cfg, &t->probe, why, sizeof(why));
	if (err == -EPERM || err == -EACCES || err == -ENOSYS || err == -EOPNOTSUPP) {
		print_message("[   SKIP   ] cannot probe here: %s\n", why);
		return 0;
	}
	if (err)
		fail_msg("alloc_probe__new: %s (%s)", strerror(-err), why);
	return 1;
}

static inline void trace__stop(struct trace *t)
{
	alloc_probe__free(t->probe);
}

static inline void trace__on_stack(void *ctx, const struct seep_stack *stack, const void *bytes)
{
	struct trace *t = ctx;

	t->stacks++;
	t->last_bytes = stack->stack_bytes;
}

static inline void trace__on_live(void *ctx, uint64_t addr, const struct seep_live *live)
{
	struct trace *t = ctx;
	struct tally *tally = t->tallies;

	t->live_cnt++;
	t->live_weight += live->weight_bytes;
	for (; tally < t->tallies + t->size_cnt && tally->size != live->size_bytes; tally++)
		;
	if (tally == t->tallies + TRACE_SIZES)
		return;
	if (tally == t->tallies + t->size_cnt) {
		t->size_cnt++;
		*tally = (struct tally){.size = live->size_bytes};
	}
	tally->cnt++;
	tally->weight += live->weight_bytes;
	tally->stack_id = live->stack_id;
	tally->kind = live->kind;
}

/* Take a snapshot. */
static inline void trace__look(struct trace *t)
{
	t->size_cnt = 0;
	t->live_cnt = 0;
	t->live_weight = 0;
	assert_int_equal(alloc_probe__drain(t->probe, trace__on_stack, t), 0);
	assert_int_equal(alloc_probe__live(t->probe, trace__on_live, t), 0);
	alloc_probe__stats(t->probe, t->stats);
}

/* What lives of blocks of this size, in the last snapshot. */
static inline struct tally trace__of(const struct trace *t, uint64_t size)
{
	size_t i;

	for (i = 0; i < t->size_cnt; i++)
		if (t->tallies[i].size == size)
			return t->tallies[i];
	return (struct tally){.size = size};
}

/* Nothing was lost, and the counters add up to what lives. */
static inline void trace__assert_sound(const struct trace *t)
{
	const uint64_t *s = t->stats;

	assert_int_equal(s[SEEP_ALLOC_STAT_LIVE_FULL], 0);
	assert_int_equal(s[SEEP_ALLOC_STAT_RING_FULL], 0);
	assert_int_equal(s[SEEP_ALLOC_STAT_BUSY], 0);
	assert_int_equal(s[SEEP_ALLOC_STAT_SLOT_FULL], 0);
	assert_int_equal(s[SEEP_ALLOC_STAT_MISSED_FREE], 0);
	assert_int_equal(s[SEEP_ALLOC_STAT_BAD_STACK], 0);
	assert_int_equal(s[SEEP_ALLOC_STAT_FOREIGN], 0);
	assert_int_equal(s[SEEP_ALLOC_STAT_ALLOC_BYTES] - s[SEEP_ALLOC_STAT_FREE_BYTES],
			 t->live_weight);
}

#define TRACE_OR_SKIP(t, pid, cfg)              \
	do {                                    \
		if (!trace__start(t, pid, cfg)) \
			skip();                 \
	} while (0)

#endif /* SEEP_TESTS_KERNEL_TRACE_H */
