// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_sites.c - samples and stacks become call sites: merging, ages, bounds, lost stacks, JSON.
 *
 * The symbolizer is replaced by one that reads its answers off the addresses: a stack is the list
 * of its bytes, an address 0xFLL is function F at line LL.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drill/sites.h"

#define MIB 1048576.0

static const char *const functions[] = {"malloc", "leaky", "handler", "main", "cache_put"};
static int frames_calls;

int sym_target__walk(struct sym_target *t, const struct seep_regs *regs, const void *stack,
		     size_t stack_bytes, uint64_t *ips, int cap, enum unwind_end *ret_end)
{
	int i, cnt = stack_bytes / sizeof(*ips);

	(void)t;
	ips[0] = regs->ip;
	for (i = 0; i < cnt && i + 1 < cap; i++)
		ips[i + 1] = ((const uint64_t *)stack)[i];
	*ret_end = i ? UNWIND_OUTERMOST : UNWIND_NO_STACK;
	return i + 1;
}

int sym_target__frames(struct sym_target *t, uint64_t address, int is_return, struct frame *frames,
		       int cap)
{
	(void)t;
	(void)cap;
	frames_calls++;
	frames[0] = (struct frame){.address = address, .module = "/bin/app"};
	if (address >> 8 < sizeof(functions) / sizeof(functions[0])) {
		frames[0].function = functions[address >> 8];
		frames[0].file = "/src/app.c";
		/* two neighbouring addresses lie on one line */
		frames[0].line = (address & 0xff) / 2 + !is_return * 1000;
	}
	return 1;
}

void sym_target__expect(struct sym_target *t, const struct sym_address *addresses, int cnt)
{
	(void)t;
	(void)addresses;
	(void)cnt;
}

static struct sites *new_sites(double min_age_s, unsigned max_stacks)
{
	const struct sites_cfg cfg = {
		.allocator = "glibc", .start_s = 100, .min_age_s = min_age_s,
		.max_stacks = max_stacks,
	};
	struct sites *s = sites__new(&cfg);

	assert_non_null(s);
	frames_calls = 0;
	return s;
}

static void add_stack(struct sites *s, uint64_t id, const uint64_t *callers, int cnt)
{
	const struct seep_stack stack = {
		.stack_id = id, .regs.ip = 0x001, .stack_bytes = cnt * sizeof(*callers),
		.kind = SEEP_ALLOC_MALLOC,
	};

	assert_int_equal(sites__add_stack(s, &stack, callers), 0);
}

static void add_live(struct sites *s, uint64_t stack_id, double size, double weight, double at_s)
{
	const struct seep_live live = {
		.size_bytes = size, .weight_bytes = weight, .at_ns = at_s * 1e9,
		.stack_id = stack_id,
	};

	sites__add_live(s, 0, &live);
}

static const struct site *result(struct sites *s, size_t *ret_cnt)
{
	const struct site *sites;

	assert_int_equal(sites__result(s, 0, &sites, ret_cnt), 0);
	return sites;
}

static const uint64_t leak_chain[] = {0x114, 0x210, 0x308};
static const uint64_t same_lines[] = {0x115, 0x210, 0x308};
static const uint64_t cache_chain[] = {0x404, 0x308};

static void test_merging(void **state)
{
	struct sites *s = new_sites(0, 0);
	const struct site *sites;
	size_t cnt;

	(void)state;
	add_stack(s, 1, leak_chain, 3);
	add_stack(s, 2, leak_chain, 3); /* the same chain under another id */
	add_stack(s, 3, same_lines, 3); /* another address on the same line */
	add_stack(s, 4, cache_chain, 2);
	sites__begin_snapshot(s, 110);
	add_live(s, 1, 100, 100, 101);
	add_live(s, 2, 200, 200, 102);
	add_live(s, 3, 300, 300, 103);
	add_live(s, 4, 5000, 5000, 109);
	sites__end_snapshot(s);
	sites = result(s, &cnt);
	assert_int_equal(cnt, 2);
	assert_true(sites[0].outstanding_bytes == 5000 && sites[1].outstanding_bytes == 600);
	assert_true(sites[1].outstanding_count == 3 && sites[1].samples == 3);
	assert_true(sites[1].outstanding_lo_bytes == 600 && sites[1].outstanding_hi_bytes == 600);
	assert_true(sites[1].oldest_age_s == 9);
	assert_int_equal(sites[1].frame_cnt, 3); /* without the allocator's own */
	assert_string_equal(sites[1].frames[0].function, "leaky");
	assert_int_equal(sites[1].frames[0].line, 10);
	assert_string_equal(sites[1].frames[2].function, "main");
	assert_string_equal(sites[1].allocator, "glibc");
	assert_true(sites[1].is_whole);
	assert_int_equal(frames_calls, 5); /* each address once */
	sites__free(s);
}

static void test_top(void **state)
{
	struct sites *s = new_sites(0, 0);
	const struct site *sites;
	size_t cnt;

	(void)state;
	add_stack(s, 1, leak_chain, 3);
	add_stack(s, 4, cache_chain, 2);
	sites__begin_snapshot(s, 110);
	add_live(s, 1, 100, 100, 101);
	add_live(s, 4, 5000, 5000, 109);
	sites__end_snapshot(s);
	assert_int_equal(sites__result(s, 1, &sites, &cnt), 0);
	assert_int_equal(cnt, 1);
	assert_true(sites[0].outstanding_bytes == 5000);
	sites__free(s);
}

static void test_ages(void **state)
{
	struct sites *s = new_sites(0, 0);
	const struct site *site;
	size_t cnt;
	int i;

	(void)state;
	add_stack(s, 1, leak_chain, 3);
	sites__begin_snapshot(s, 200);
	for (i = 0; i < 100; i++)
		add_live(s, 1, 10, 10, 200 - i - .5); /* ages .5 to 99.5 s */
	sites__end_snapshot(s);
	site = result(s, &cnt);
	assert_true(fabs(site->oldest_age_s - 99.5) < 1e-6);
	assert_true(fabs(site->median_age_s - 50) < 5);
	assert_true(site->cohort_bytes[0] == 10 && site->cohort_bytes[1] == 10);
	assert_true(site->cohort_bytes[2] == 20 && site->cohort_bytes[6] == 320);
	assert_true(site->cohort_bytes[7] == 360);
	sites__free(s);
}

static void test_min_age(void **state)
{
	struct sites *s = new_sites(5, 0);
	struct sites_totals totals;

	(void)state;
	add_stack(s, 1, leak_chain, 3);
	sites__begin_snapshot(s, 110);
	add_live(s, 1, 100, 100, 106);
	add_live(s, 1, 10, 10, 104);
	sites__end_snapshot(s);
	sites__totals(s, &totals);
	assert_true(totals.outstanding_bytes == 10 && totals.live_samples == 1);
	sites__free(s);
}

/* A leak of 1 MiB/s in samples of 512 KiB; what a snapshot no longer holds is gone. */
static void test_growth_and_verdict(void **state)
{
	struct sites *s = new_sites(0, 0);
	const struct site *site;
	size_t cnt;
	int t, i;

	(void)state;
	add_stack(s, 1, leak_chain, 3);
	for (t = 1; t <= 40; t++) { /* more snapshots than rows */
		sites__begin_snapshot(s, 100 + t);
		for (i = 0; i < 2 * t; i++)
			add_live(s, 1, 1000, MIB / 2, 100.25 + i / 2.0);
		sites__end_snapshot(s);
	}
	site = result(s, &cnt);
	assert_int_equal(cnt, 1);
	assert_int_equal(site->verdict, SITE_LEAK);
	assert_true(fabs(site->growth_bytes_per_hour / (3600 * MIB) - 1) < .02);
	assert_true(site->outstanding_bytes == 40 * MIB);
	assert_true(site->outstanding_lo_bytes < 35 * MIB && site->outstanding_hi_bytes > 46 * MIB);
	assert_non_null(strstr(site->evidence, "100 %"));
	sites__begin_snapshot(s, 141);
	sites__end_snapshot(s);
	result(s, &cnt);
	assert_int_equal(cnt, 0);
	sites__free(s);
}

static void add_block(struct sites *s, uint64_t addr, uint64_t at_ns)
{
	const struct seep_live live = {
		.size_bytes = 10, .weight_bytes = 10, .at_ns = at_ns, .stack_id = 1,
	};

	sites__add_live(s, addr, &live);
}

/* Counted are blocks that were asked about and are there still, not what has their address now. */
static void test_references(void **state)
{
	const struct reach_block asked[] = {
		{0x1000, 10, 101000000000, 0}, {0x2000, 10, 101000000000, 1},
		{0x3000, 10, 101000000000, 0}, {0x4000, 10, 101000000000, 0},
		{0x5000, 10, 101000000000, 0}, {0x6000, 10, 101000000000, 0},
		{0x7000, 10, 101000000000, 0},
	};
	struct sites *s = new_sites(0, 0);
	const struct site *site;
	size_t cnt, i;

	(void)state;
	add_stack(s, 1, leak_chain, 3);
	sites__set_asked(s, asked, 7);
	sites__begin_snapshot(s, 110);
	for (i = 0; i < 6; i++)
		add_block(s, asked[i].addr, asked[i].at_ns);
	add_block(s, asked[6].addr, asked[6].at_ns + 1);
	add_block(s, 0x8000, asked[0].at_ns);
	sites__end_snapshot(s);
	site = result(s, &cnt);
	assert_int_equal(cnt, 1);
	assert_int_equal(site->asked, 6);
	assert_int_equal(site->unreferred, 5);
	assert_int_equal(site->verdict, SITE_LEAK);
	assert_null(site__ages(site));
	sites__begin_snapshot(s, 111);
	add_block(s, asked[0].addr, asked[0].at_ns);
	sites__end_snapshot(s);
	site = result(s, &cnt);
	assert_int_equal(site->asked, 1);
	assert_int_equal(site->verdict, SITE_UNKNOWN);
	assert_non_null(site__ages(site));
	sites__free(s);
}

static void test_lost_stacks(void **state)
{
	struct sites *s = new_sites(0, 0);
	struct sites_totals totals;
	const struct site *site;
	size_t cnt;

	(void)state;
	sites__begin_snapshot(s, 110);
	add_live(s, 77, 100, 100, 101);
	sites__end_snapshot(s);
	site = result(s, &cnt);
	assert_int_equal(cnt, 1);
	assert_string_equal(site->frames[0].function, "(stack not captured)");
	assert_false(site->is_whole);
	sites__totals(s, &totals);
	assert_int_equal(totals.unknown_stacks, 1);
	add_stack(s, 77, leak_chain, 3); /* it comes late */
	sites__begin_snapshot(s, 111);
	add_live(s, 77, 100, 100, 101);
	sites__end_snapshot(s);
	site = result(s, &cnt);
	assert_int_equal(cnt, 1);
	assert_string_equal(site->frames[0].function, "leaky");
	sites__free(s);
}

static void test_bound(void **state)
{
	struct sites *s = new_sites(0, 4);
	struct sites_totals totals;
	const struct site *sites;
	uint64_t chain[1];
	size_t cnt;
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		chain[0] = 0x100000 + i; /* functions without a name are told apart by address */
		add_stack(s, i, chain, 1);
	}
	sites__begin_snapshot(s, 110);
	for (i = 0; i < 100; i++)
		add_live(s, i, 10, 10, 101);
	sites__end_snapshot(s);
	sites = result(s, &cnt);
	assert_int_equal(cnt, 4 + 2); /* and the two that hold the rest */
	assert_string_equal(sites[0].frames[0].function, "(stack not captured)");
	assert_string_equal(sites[1].frames[0].function, "(other call sites)");
	sites__totals(s, &totals);
	assert_int_equal(totals.merged_stacks, 96);
	assert_int_equal(totals.stacks, 4);
	assert_true(totals.outstanding_bytes == 1000);
	sites__free(s);
}

static void test_allocated(void **state)
{
	struct sites *s = new_sites(0, 0);
	const struct site *sites;
	size_t cnt;

	(void)state;
	add_stack(s, 1, leak_chain, 3);
	add_stack(s, 2, leak_chain, 3);
	add_stack(s, 4, cache_chain, 2);
	sites__begin_snapshot(s, 110);
	add_live(s, 1, 100, 100, 101);
	sites__end_snapshot(s);
	sites__set_allocated(s, 1, 500, 5);
	sites__set_allocated(s, 1, 700, 7); /* the last word */
	sites__set_allocated(s, 2, 1000, 1);
	sites__set_allocated(s, 4, 64, 2);  /* owns nothing any more */
	sites__set_allocated(s, 99, 1, 1);
	sites = result(s, &cnt);
	assert_int_equal(cnt, 2);
	assert_true(sites[0].allocated_bytes == 1700 && sites[0].allocated_count == 8);
	assert_true(sites[1].outstanding_bytes == 0 && sites[1].allocated_bytes == 64);
	assert_true(isnan(sites[1].oldest_age_s));
	sites__free(s);
}

static void test_json(void **state)
{
	struct frame frames[] = {
		{.address = 0x1234, .offset = 16, .function = "f\n\"\xff<x>", .file = "/a.c",
		 .line = 7, .inlined = 1, .module = "/bin/app", .build_id = "abcd"},
		{.address = 0x2000, .kind = FRAME_PYTHON},
	};
	const struct site site = {
		.outstanding_bytes = 1234.4, .outstanding_lo_bytes = 1000,
		.outstanding_hi_bytes = 2000, .outstanding_count = 3,
		.growth_bytes_per_hour = NAN, .oldest_age_s = 12.3456, .median_age_s = NAN,
		.cohort_bytes = {0, 7, 0, 9}, .verdict = SITE_CACHE, .evidence = "why",
		.allocator = "glibc", .samples = 3, .frames = frames, .frame_cnt = 2,
		.allocated_bytes = NAN,
	};
	json_t *json = site__to_json(&site), *frame;

	(void)state;
	assert_non_null(json);
	assert_int_equal(json_integer_value(json_object_get(json, "outstanding_bytes")), 1234);
	assert_true(json_is_null(json_object_get(json, "growth_bytes_per_hour")));
	assert_true(json_is_null(json_object_get(json, "median_age_s")));
	assert_int_equal(json_integer_value(json_object_get(json, "oldest_age_s")), 12);
	assert_string_equal(json_string_value(json_object_get(json, "verdict")), "cache");
	assert_int_equal(json_array_size(json_object_get(json, "age_cohorts")), 4);
	assert_int_equal(json_array_size(json_object_get(json, "outstanding_ci_bytes")), 2);
	frame = json_array_get(json_object_get(json, "frames"), 0);
	assert_string_equal(json_string_value(json_object_get(frame, "function")), "f?\"?<x>");
	assert_string_equal(json_string_value(json_object_get(frame, "address")), "0x1234");
	assert_true(json_is_true(json_object_get(frame, "inlined")));
	frame = json_array_get(json_object_get(json, "frames"), 1);
	assert_true(json_is_null(json_object_get(frame, "function")));
	assert_true(json_is_null(json_object_get(frame, "line")));
	assert_string_equal(json_string_value(json_object_get(frame, "kind")), "python");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_min_age),
		cmocka_unit_test(test_growth_and_verdict),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_lost_stacks),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_allocated),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
