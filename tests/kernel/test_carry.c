// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_carry.c - blocks that one probe left alive are followed by the next one: whose free comes
 * later is known to be freed, and nothing is counted twice.
 */
#include "trace.h"

#include <stdlib.h>
#include <sys/mman.h>

#define BLOCKS 103
#define FREED  41
#define REGION (1 << 20)

static void *blocks[BLOCKS];
static char *region;
static void *volatile kept;

static void leave_then_free_some(struct turn *t, void *arg)
{
	int i;

	turn__wait(t, 0);
	for (i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(211);
	region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	turn__wait(t, 0);
	for (i = 0; i < FREED; i++)
		free(blocks[i * 2]);
	for (i = 0; i < 7; i++)
		kept = malloc(307);
	munmap(region, REGION);
	turn__wait(t, 0);
}

struct snapshot {
	struct {
		uint64_t addr;
		struct seep_live live;
	} v[256];
	size_t cnt;
};

static void take(void *ctx, uint64_t addr, const struct seep_live *live)
{
	struct snapshot *s = ctx;

	assert_true(s->cnt < 256);
	s->v[s->cnt].addr = addr;
	s->v[s->cnt++].live = *live;
}

static size_t of_size(const struct snapshot *s, uint64_t size)
{
	size_t i, cnt = 0;

	for (i = 0; i < s->cnt; i++)
		cnt += s->v[i].live.size_bytes == size;
	return cnt;
}

/* With another probe, or once more with the same one, which must know nothing of before. */
static void look_again(struct trace *t, const struct child *c, int is_same_probe)
{
	struct alloc_probe_cfg cfg = {0};

	if (!is_same_probe) {
		trace__stop(t);
		assert_true(trace__start(t, c->pid, &cfg));
		return;
	}
	alloc_probe__detach(t->probe);
	assert_int_equal(alloc_probe__resume(t->probe, 0), 0);
	t->live_cnt = t->stacks = 0;
	trace__look(t);
	assert_int_equal(t->live_cnt, 0);
	assert_int_equal(t->stacks, 0);
	assert_int_equal(t->stats[SEEP_ALLOC_STAT_ALLOCS], 0);
}

static void frees_of_earlier_blocks_are_seen(void **state)
{
	struct alloc_probe_cfg cfg = {0};
	struct snapshot before = {0}, after = {0};
	struct child c;
	struct trace t;
	size_t i;

	child__start(&c, leave_then_free_some, NULL);
	if (!trace__start(&t, c.pid, &cfg)) {
		child__finish(&c);
		skip();
	}
	child__step(&c);
	assert_int_equal(alloc_probe__live(t.probe, take, &before), 0);
	assert_int_equal(of_size(&before, 211), BLOCKS);
	assert_int_equal(of_size(&before, REGION), 1);
	look_again(&t, &c, *state != NULL);
	for (i = 0; i < before.cnt; i++)
		assert_int_equal(alloc_probe__carry(t.probe, before.v[i].addr, &before.v[i].live),
				 0);
	child__step(&c);
	assert_int_equal(alloc_probe__live(t.probe, take, &after), 0);
	assert_int_equal(of_size(&after, 211), BLOCKS - FREED);
	assert_int_equal(of_size(&after, 307), 7);
	assert_int_equal(of_size(&after, REGION), 0);
	trace__stop(&t);
	child__finish(&c);
}

int main(void)
{
	static int is_same_probe = 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frees_of_earlier_blocks_are_seen),
		{"frees_of_earlier_blocks_are_seen (same probe)", frees_of_earlier_blocks_are_seen,
		 NULL, NULL, &is_same_probe},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
