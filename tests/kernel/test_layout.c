// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_layout.c - the kernel/user contract, proven: every struct of include/seep has the size and
 * the offsets on this side that the built BPF objects' BTF says it has on the other.
 *
 * Needs the built objects, no privileges. A member added on one side only is found as well: each
 * struct's members are counted.
 */
#include "support.h"

#include <stdio.h>
#include <bpf/btf.h>
#include <seep/alloc.h>
#include <seep/growth.h>

#define RSS    "build/bpf/rss.bpf.o"
#define ALLOC  "build/bpf/alloc.bpf.o"
#define GROWTH "build/bpf/growth.bpf.o"

struct member {
	const char *name;
	size_t offset;
	size_t size;
};

struct layout {
	const char *object;
	const char *name;
	size_t size;
	const struct member *members;
	size_t member_cnt;
};

#define MEMBER(type, field)                                                             \
	{                                                                               \
#field, offsetof(struct type, field), sizeof(((struct type *)0)->field) \
	}
#define LAYOUT(object, type, list)                                                       \
	{                                                                                \
		object, #type, sizeof(struct type), list, sizeof(list) / sizeof(list[0]) \
	}

static const struct member task_id[] = {
	MEMBER(seep_task_id, start_ns),
	MEMBER(seep_task_id, tgid),
	MEMBER(seep_task_id, pad),
};

static const struct member proc[] = {
	MEMBER(seep_proc, cgroup_id),	   MEMBER(seep_proc, css_set),
	MEMBER(seep_proc, sum_seq),	   MEMBER(seep_proc, pages),
	MEMBER(seep_proc, polled),	   MEMBER(seep_proc, held),
	MEMBER(seep_proc, hwm_anon_pages), MEMBER(seep_proc, lwm_anon_pages),
	MEMBER(seep_proc, events),	   MEMBER(seep_proc, seen_seq),
	MEMBER(seep_proc, flags),	   MEMBER(seep_proc, ppid),
	MEMBER(seep_proc, comm),
};

static const struct member cgroup[] = {
	MEMBER(seep_cgroup, pages), MEMBER(seep_cgroup, grown_pages), MEMBER(seep_cgroup, poll_seq),
	MEMBER(seep_cgroup, procs), MEMBER(seep_cgroup, pad),
};

static const struct member poll_held[] = {
	MEMBER(seep_poll_held, kind),
	MEMBER(seep_poll_held, tgid),
	MEMBER(seep_poll_held, pages),
};

static const struct member poll_thread[] = {
	MEMBER(seep_poll_thread, kind),
	MEMBER(seep_poll_thread, tgid),
	MEMBER(seep_poll_thread, cpu_ns),
	MEMBER(seep_poll_thread, faults),
};

static const struct member poll_proc[] = {
	MEMBER(seep_poll_proc, kind),
	MEMBER(seep_poll_proc, tgid),
	MEMBER(seep_poll_proc, cpu_ns),
	MEMBER(seep_poll_proc, faults),
	MEMBER(seep_poll_proc, start_ns),
	MEMBER(seep_poll_proc, cgroup_id),
	MEMBER(seep_poll_proc, pages),
	MEMBER(seep_poll_proc, hwm_anon_pages),
	MEMBER(seep_poll_proc, lwm_anon_pages),
	MEMBER(seep_poll_proc, events),
	MEMBER(seep_poll_proc, flags),
	MEMBER(seep_poll_proc, ppid),
	MEMBER(seep_poll_proc, uid),
	MEMBER(seep_poll_proc, owner_tgid),
	MEMBER(seep_poll_proc, comm),
};

static const struct member event[] = {
	MEMBER(seep_event, kind),
	MEMBER(seep_event, flags),
	MEMBER(seep_event, id),
	MEMBER(seep_event, at_ns),
	MEMBER(seep_event, cgroup_id),
	MEMBER(seep_event, pages),
	MEMBER(seep_event, peak_rss_pages),
	MEMBER(seep_event, ppid),
	MEMBER(seep_event, exit_code),
	MEMBER(seep_event, comm),
};

static const struct member span[] = {
	MEMBER(seep_span, lo),
	MEMBER(seep_span, bytes),
};

static const struct member text[] = {
	MEMBER(seep_text, span),
	MEMBER(seep_text, shadows),
	MEMBER(seep_text, pad),
};

static const struct member regs[] = {
	MEMBER(seep_regs, ip),
	MEMBER(seep_regs, sp),
	MEMBER(seep_regs, bp),
	MEMBER(seep_regs, saved),
};

static const struct member live_key[] = {
	MEMBER(seep_live_key, addr),
	MEMBER(seep_live_key, tgid),
	MEMBER(seep_live_key, pad),
};

static const struct member live[] = {
	MEMBER(seep_live, size_bytes), MEMBER(seep_live, weight_bytes), MEMBER(seep_live, at_ns),
	MEMBER(seep_live, stack_id),   MEMBER(seep_live, tid),		MEMBER(seep_live, kind),
};

static const struct member total[] = {
	MEMBER(seep_total, bytes),
	MEMBER(seep_total, count_x256),
};

static const struct member child[] = {
	MEMBER(seep_child, tgid),
	MEMBER(seep_child, is_copy),
};

static const struct member stack[] = {
	MEMBER(seep_stack, stack_id), MEMBER(seep_stack, regs),	       MEMBER(seep_stack, tgid),
	MEMBER(seep_stack, tid),      MEMBER(seep_stack, stack_bytes), MEMBER(seep_stack, kind),
};

static const struct member step[] = {
	MEMBER(seep_growth_step, stack_id),   MEMBER(seep_growth_step, at_ns),
	MEMBER(seep_growth_step, from_bytes), MEMBER(seep_growth_step, to_bytes),
	MEMBER(seep_growth_step, tid),	      MEMBER(seep_growth_step, pad),
};

static const struct layout layouts[] = {
	LAYOUT(RSS, seep_task_id, task_id),	LAYOUT(RSS, seep_proc, proc),
	LAYOUT(RSS, seep_cgroup, cgroup),	LAYOUT(RSS, seep_poll_thread, poll_thread),
	LAYOUT(RSS, seep_poll_held, poll_held), LAYOUT(RSS, seep_poll_proc, poll_proc),
	LAYOUT(RSS, seep_event, event),		LAYOUT(ALLOC, seep_span, span),
	LAYOUT(ALLOC, seep_text, text),		LAYOUT(ALLOC, seep_regs, regs),
	LAYOUT(ALLOC, seep_live_key, live_key), LAYOUT(ALLOC, seep_live, live),
	LAYOUT(ALLOC, seep_total, total),	LAYOUT(ALLOC, seep_stack, stack),
	LAYOUT(ALLOC, seep_child, child),
	LAYOUT(GROWTH, seep_growth_step, step), LAYOUT(GROWTH, seep_stack, stack),
	LAYOUT(GROWTH, seep_regs, regs),	LAYOUT(GROWTH, seep_span, span),
};

static const char *const objects[] = {RSS, ALLOC, GROWTH};

#define OBJECT_CNT (sizeof(objects) / sizeof(objects[0]))
#define LAYOUT_CNT (sizeof(layouts) / sizeof(layouts[0]))

static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *t,
					    const char *name)
{
	const struct btf_member *m = btf_members(t);
	int i;

	for (i = 0; i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), name))
			return &m[i];
	return NULL;
}

static void check_member(const struct btf *btf, const struct btf_type *t, const struct member *want,
			 const char *type_name)
{
	const struct btf_member *m = find_member(btf, t, want->name);

	if (!m)
		fail_msg("struct %s: the BPF side has no member '%s'", type_name, want->name);
	if (m->offset != want->offset * 8)
		fail_msg("%s.%s: offset %u bits in BPF, %zu here", type_name, want->name, m->offset,
			 want->offset * 8);
	if (btf__resolve_size(btf, m->type) != (int64_t)want->size)
		fail_msg("%s.%s: %lld bytes in BPF, %zu here", type_name, want->name,
			 (long long)btf__resolve_size(btf, m->type), want->size);
}

static void check_layout(const struct btf *btf, const struct layout *want)
{
	int id = btf__find_by_name_kind(btf, want->name, BTF_KIND_STRUCT);
	const struct btf_type *t;
	size_t i;

	if (id < 0)
		fail_msg("struct %s is not in the BTF of %s", want->name, want->object);
	t = btf__type_by_id(btf, id);
	if (t->size != want->size || btf_vlen(t) != want->member_cnt)
		fail_msg("struct %s: %u bytes, %u members in BPF; %zu bytes, %zu members here",
			 want->name, t->size, btf_vlen(t), want->size, want->member_cnt);
	for (i = 0; i < want->member_cnt; i++)
		check_member(btf, t, &want->members[i], want->name);
}

static struct btf *parse(const char *object)
{
	struct btf *btf = btf__parse(object, NULL);

	if (!btf)
		fail_msg("%s cannot be read: run from the root of the tree, after make", object);
	return btf;
}

static void test_structs_agree(void **state)
{
	struct btf *btf;
	size_t i, j;

	for (j = 0; j < OBJECT_CNT; j++) {
		btf = parse(objects[j]);
		for (i = 0; i < LAYOUT_CNT; i++)
			if (!strcmp(layouts[i].object, objects[j]))
				check_layout(btf, &layouts[i]);
		btf__free(btf);
	}
}

static int has_row(const char *object, const char *name)
{
	size_t i;

	for (i = 0; i < LAYOUT_CNT; i++)
		if (!strcmp(layouts[i].object, object) && !strcmp(layouts[i].name, name))
			return 1;
	return 0;
}

/* How many structs of an object have our prefix; each must have a row. */
static size_t count_structs(const char *object)
{
	struct btf *btf = parse(object);
	const struct btf_type *t;
	const char *name;
	size_t found = 0;
	uint32_t id;

	for (id = 1; id < btf__type_cnt(btf); id++) {
		t = btf__type_by_id(btf, id);
		name = btf__name_by_offset(btf, t->name_off);
		if (!btf_is_struct(t) || strncmp(name, "seep_", 5))
			continue;
		if (!has_row(object, name))
			fail_msg("struct %s has no row in this test", name);
		found++;
	}
	btf__free(btf);
	return found;
}

/* A struct added to include/seep must be added here. */
static void test_no_struct_is_forgotten(void **state)
{
	size_t i, found = 0;

	for (i = 0; i < OBJECT_CNT; i++)
		found += count_structs(objects[i]);
	assert_int_equal(found, LAYOUT_CNT);
}

/* Padding that the two compilers might fill differently would travel to user space uninitialised. */
static void test_no_hidden_padding(void **state)
{
	size_t i, j, sum;

	for (i = 0; i < LAYOUT_CNT; i++) {
		for (sum = 0, j = 0; j < layouts[i].member_cnt; j++)
			sum += layouts[i].members[j].size;
		if (sum != layouts[i].size)
			fail_msg("struct %s: %zu bytes, its members %zu", layouts[i].name,
				 layouts[i].size, sum);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structs_agree),
		cmocka_unit_test(test_no_struct_is_forgotten),
		cmocka_unit_test(test_no_hidden_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
