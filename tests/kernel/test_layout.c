// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_layout.c - the kernel/user contract, proven: every struct of include/seep has the size and
 * the offsets on this side that the built BPF object's BTF says it has on the other.
 *
 * Needs the built object, no privileges. A member added on one side only is found as well: each
 * struct's members are counted.
 */
#include "support.h"

#include <stdio.h>
#include <bpf/btf.h>

#define OBJECT "build/bpf/rss.bpf.o"

struct member {
	const char *name;
	size_t offset;
	size_t size;
};

struct layout {
	const char *name;
	size_t size;
	const struct member *members;
	size_t member_cnt;
};

#define MEMBER(type, field)                                                             \
	{                                                                               \
#field, offsetof(struct type, field), sizeof(((struct type *)0)->field) \
	}
#define LAYOUT(type, list)                                                       \
	{                                                                        \
#type, sizeof(struct type), list, sizeof(list) / sizeof(list[0]) \
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
	MEMBER(seep_proc, events),	   MEMBER(seep_proc, flags),
	MEMBER(seep_proc, ppid),	   MEMBER(seep_proc, comm),
};

static const struct member cgroup[] = {
	MEMBER(seep_cgroup, pages), MEMBER(seep_cgroup, grown_pages), MEMBER(seep_cgroup, poll_seq),
	MEMBER(seep_cgroup, procs), MEMBER(seep_cgroup, pad),
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

static const struct layout layouts[] = {
	LAYOUT(seep_task_id, task_id),	   LAYOUT(seep_proc, proc),
	LAYOUT(seep_cgroup, cgroup),	   LAYOUT(seep_poll_thread, poll_thread),
	LAYOUT(seep_poll_proc, poll_proc), LAYOUT(seep_event, event),
};

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
		fail_msg("struct %s is not in the BTF of %s", want->name, OBJECT);
	t = btf__type_by_id(btf, id);
	if (t->size != want->size || btf_vlen(t) != want->member_cnt)
		fail_msg("struct %s: %u bytes, %u members in BPF; %zu bytes, %zu members here",
			 want->name, t->size, btf_vlen(t), want->size, want->member_cnt);
	for (i = 0; i < want->member_cnt; i++)
		check_member(btf, t, &want->members[i], want->name);
}

static void test_structs_agree(void **state)
{
	struct btf *btf = btf__parse(OBJECT, NULL);
	size_t i;

	if (!btf)
		fail_msg("%s cannot be read: run from the root of the tree, after make", OBJECT);
	for (i = 0; i < LAYOUT_CNT; i++)
		check_layout(btf, &layouts[i]);
	btf__free(btf);
}

/* A struct added to include/seep must be added here: all of its name prefix are counted. */
static void test_no_struct_is_forgotten(void **state)
{
	struct btf *btf = btf__parse(OBJECT, NULL);
	const struct btf_type *t;
	const char *name;
	size_t i, found = 0;
	uint32_t id;

	assert_non_null(btf);
	for (id = 1; id < btf__type_cnt(btf); id++) {
		t = btf__type_by_id(btf, id);
		name = btf__name_by_offset(btf, t->name_off);
		if (!btf_is_struct(t) || strncmp(name, "seep_", 5))
			continue;
		for (i = 0; i < LAYOUT_CNT && strcmp(layouts[i].name, name); i++)
			;
		if (i == LAYOUT_CNT)
			fail_msg("struct %s has no row in this test", name);
		found++;
	}
	assert_int_equal(found, LAYOUT_CNT);
	btf__free(btf);
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
