// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_own_stack.c - no program of ours on a uprobe runs on a stack that another task may be on.
 *
 * A kernel that preempts gives it one stack a CPU (6.13 and later) unless it has a tail call, see
 * bpf/alloc.bpf.c: one program without was enough to crash 7.3. Loading it is not needed to tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <linux/bpf.h>

#include <linux/types.h>
#include <seep/alloc.h>

#include "alloc.skel.h"

static int has_tail_call(const struct bpf_program *prog)
{
	const struct bpf_insn *insns = bpf_program__insns(prog);
	size_t cnt = bpf_program__insn_cnt(prog), i;

	for (i = 0; i < cnt; i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) && !insns[i].src_reg &&
		    insns[i].imm == BPF_FUNC_tail_call)
			return 1;
	return 0;
}

/* Two instructions: no stack at all. */
static int is_nothing(const struct bpf_program *prog)
{
	return bpf_program__insn_cnt(prog) <= 2;
}

static void test_uprobes_keep_the_stack_of_their_task(void **state)
{
	struct alloc_bpf *skel = alloc_bpf__open();
	struct bpf_program *prog;
	int cnt = 0;

	assert_non_null(skel);
	bpf_object__for_each_program(prog, skel->obj)
	{
		if (bpf_program__type(prog) != BPF_PROG_TYPE_KPROBE || is_nothing(prog))
			continue;
		cnt++;
		if (!has_tail_call(prog))
			fail_msg("%s has no tail call", bpf_program__name(prog));
	}
	assert_true(cnt >= 8);
	alloc_bpf__destroy(skel);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uprobes_keep_the_stack_of_their_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
