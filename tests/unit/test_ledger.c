// SPDX-License-Identifier: BSD-2-Clause
/* test_ledger.c - call sites summed over slices, and the drill around them while it looks at nobody
 * that can be traced. */
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "drill/drill.h"
#include "drill/ledger.h"

/* ---- the ledger -------------------------------------------------------------------------- */

static struct frame frames[200];

static struct site site(unsigned where, double bytes)
{
	frames[where] = (struct frame){.address = 0x1000 + where, .function = "f"};
	return (struct site){
		.outstanding_bytes = bytes,
		.outstanding_lo_bytes = bytes / 2,
		.outstanding_hi_bytes = bytes * 2,
		.outstanding_count = 3,
		.allocated_bytes = NAN,
		.allocated_count = NAN,
		.growth_bytes_per_hour = NAN,
		.evidence = "too short",
		.allocator = "glibc",
		.samples = 5,
		.frames = &frames[where],
		.frame_cnt = 1,
	};
}

static const char *verdict_in(const json_t *list)
{
	return json_string_value(json_object_get(json_array_get(list, 0), "verdict"));
}

static double number(const json_t *list, size_t i, const char *name)
{
	return json_number_value(json_object_get(json_array_get(list, i), name));
}

static void test_slices_add_up(void **state)
{
	struct site first[] = {site(1, 100), site(2, 5000)}, second[] = {site(1, 9000)};
	struct ledger *l = ledger__new();
	json_t *list, *ci;

	assert_int_equal(ledger__add(l, first, 2, 30), 0);
	assert_int_equal(ledger__add(l, second, 1, 30), 0);
	list = ledger__to_json(l, 10);
	assert_int_equal(json_array_size(list), 2);
	assert_true(number(list, 0, "outstanding_bytes") == 9100);
	assert_true(number(list, 0, "outstanding_count") == 6);
	assert_true(number(list, 0, "samples") == 10);
	assert_true(number(list, 0, "slices") == 2);
	assert_true(number(list, 0, "growth_bytes_per_hour") == 9100 * 60);
	ci = json_object_get(json_array_get(list, 0), "outstanding_ci_bytes");
	assert_int_equal(json_integer_value(json_array_get(ci, 0)), 4550);
	assert_int_equal(json_integer_value(json_array_get(ci, 1)), 18200);
	assert_true(number(list, 1, "outstanding_bytes") == 5000);
	json_decref(list);
	list = ledger__to_json(l, 1);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	ledger__free(l);
}

static void test_what_is_given_out_stays(void **state)
{
	struct site s = site(1, 100);
	struct ledger *l = ledger__new();
	json_t *list;

	assert_int_equal(ledger__add(l, &s, 1, 1), 0);
	list = ledger__to_json(l, 10);
	assert_int_equal(ledger__add(l, &s, 1, 1), 0);
	ledger__free(l);
	assert_true(number(list, 0, "outstanding_bytes") == 100);
	json_decref(list);
}

static void test_churn_and_nothing_are_left_out(void **state)
{
	struct site s[] = {site(1, 100), site(2, 0), site(3, -5)};
	struct ledger *l = ledger__new();
	json_t *list;

	s[0].verdict = SITE_CHURN;
	assert_int_equal(ledger__add(l, s, 3, 0), 0);
	list = ledger__to_json(l, 10);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	ledger__free(l);
	ledger__free(NULL);
}

static void test_smallest_makes_room(void **state)
{
	struct ledger *l = ledger__new();
	struct site s;
	json_t *list;
	unsigned i;

	for (i = 0; i < LEDGER_MAX; i++) {
		s = site(i, 1000 + i);
		assert_int_equal(ledger__add(l, &s, 1, 1), 0);
	}
	s = site(100, 10); /* smaller than all */
	assert_int_equal(ledger__add(l, &s, 1, 1), 0);
	s = site(101, 1e6);
	assert_int_equal(ledger__add(l, &s, 1, 1), 0);
	list = ledger__to_json(l, 1000);
	assert_int_equal(json_array_size(list), LEDGER_MAX);
	assert_true(number(list, 0, "outstanding_bytes") == 1e6);
	assert_true(number(list, 0, "slices") == 1);
	assert_true(number(list, LEDGER_MAX - 1, "outstanding_bytes") == 1001);
	json_decref(list);
	ledger__free(l);
}

/* An interval that is open above has no number. */
/* Two slices and six samples are too few for ages; five lost blocks of eight are not. */
static void test_what_nothing_refers_to_leaks(void **state)
{
	struct ledger *l = ledger__new();
	struct site s = site(1, 1000);
	const json_t *told;
	json_t *list;

	s.asked = 4;
	s.unreferred = 2;
	assert_int_equal(ledger__add(l, &s, 1, 30), 0);
	list = ledger__to_json(l, 10);
	assert_string_equal(verdict_in(list), "unknown");
	json_decref(list);
	s.unreferred = 3;
	assert_int_equal(ledger__add(l, &s, 1, 30), 0);
	list = ledger__to_json(l, 10);
	assert_string_equal(verdict_in(list), "leak");
	told = json_object_get(json_array_get(list, 0), "references");
	assert_int_equal(json_integer_value(json_object_get(told, "blocks")), 8);
	assert_int_equal(json_integer_value(json_object_get(told, "unreferenced")), 5);
	json_decref(list);
	ledger__free(l);
}

static void test_unknown_is_null(void **state)
{
	struct site s = site(1, 100);
	struct ledger *l = ledger__new();
	json_t *list, *ci;

	s.outstanding_hi_bytes = INFINITY;
	assert_int_equal(ledger__add(l, &s, 1, 0), 0);
	list = ledger__to_json(l, 10);
	ci = json_object_get(json_array_get(list, 0), "outstanding_ci_bytes");
	assert_int_equal(json_integer_value(json_array_get(ci, 0)), 50);
	assert_true(json_is_null(json_array_get(ci, 1)));
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "growth_bytes_per_hour")));
	json_decref(list);
	ledger__free(l);
}

/* ---- blocks that are followed ------------------------------------------------------------ */

#define SLICE_S 60
#define EVERY_S 100
#define EACH    10 /* blocks that a slice leaves behind */

/* Of every ten blocks that lived through a slice so many are freed before the next one. */
static unsigned freed_of_ten;

static int was_freed(void *ctx, const struct trace_block *block)
{
	return block->addr / 16 % 10 < freed_of_ten;
}

/* One site over some slices; of what is carried into a slice, this share is freed in it. */
static json_t *live_through(int slices, int leaves_until, double freed_share, double age_s)
{
	struct trace_left left[EACH];
	const struct trace_block *carried;
	struct ledger *l = ledger__new();
	struct site s = site(1, 1000);
	json_t *list, *o;
	size_t cnt, alive;
	int i, j;

	for (i = 0; i < slices; i++) {
		double end_s = 1000 + i * EVERY_S + SLICE_S;

		ledger__recheck(l, was_freed, NULL);
		cnt = ledger__carried(l, &carried);
		alive = cnt - (size_t)(cnt * freed_share + .5);
		ledger__settle(l, carried, alive, SLICE_S, end_s);
		assert_int_equal(ledger__carried(l, &carried), alive);
		assert_int_equal(ledger__add(l, &s, i < leaves_until, SLICE_S), 0);
		for (j = 0; j < EACH; j++) {
			left[j].site = &s;
			left[j].block.addr = 0x1000 + (i * EACH + j) * 16;
			left[j].block.live.at_ns = (end_s - age_s) * 1e9;
		}
		ledger__carry(l, left, i < leaves_until ? EACH : 0, SLICE_S, end_s);
	}
	list = ledger__to_json(l, 1);
	o = json_incref(json_array_get(list, 0));
	json_decref(list);
	ledger__free(l);
	return o;
}

static void expect_verdict(int slices, int leaves_until, double freed_share, double age_s,
			   const char *verdict)
{
	json_t *o = live_through(slices, leaves_until, freed_share, age_s);

	if (strcmp(json_string_value(json_object_get(o, "verdict")), verdict))
		fail_msg("not %s: %s", verdict, json_dumps(o, 0));
	assert_int_equal(json_array_size(json_object_get(o, "evidence")), 1);
	json_decref(o);
}

static void test_frees_tell_leak_from_cache(void **state)
{
	expect_verdict(6, 6, 0, 30, "leak");
	expect_verdict(6, 6, .3, 30, "cache");
	expect_verdict(6, 6, .01, 30, "leak");
	/* too early, no growth any more, or nothing to be followed */
	expect_verdict(2, 2, 0, 30, "unknown");
	expect_verdict(6, 3, 0, 30, "unknown");
	expect_verdict(6, 6, 0, 5, "unknown");
}

static void test_frees_between_slices_count(void **state)
{
	freed_of_ten = 8;
	expect_verdict(6, 6, 0, 30, "cache");
	freed_of_ten = 1;
	expect_verdict(6, 6, 0, 30, "leak");
	freed_of_ten = 6; /* neither: the last ones have not been asked yet */
	expect_verdict(4, 4, 0, 30, "unknown");
	freed_of_ten = 0;
}

static void test_followed_blocks_are_bounded(void **state)
{
	static struct trace_left left[LEDGER_BLOCKS_EACH + 50];
	const struct trace_block *carried;
	struct ledger *l = ledger__new();
	struct site s = site(1, 1000);
	size_t i;

	for (i = 0; i < LEDGER_BLOCKS_EACH + 50; i++)
		left[i] = (struct trace_left){{.addr = i * 16}, &s};
	ledger__carry(l, left, 10, 1, 100); /* of a site that is not in the books */
	assert_int_equal(ledger__carried(l, &carried), 0);
	assert_int_equal(ledger__add(l, &s, 1, 1), 0);
	ledger__carry(l, left, LEDGER_BLOCKS_EACH + 50, 1, 100);
	assert_int_equal(ledger__carried(l, &carried), LEDGER_BLOCKS_EACH);
	ledger__forget(l);
	assert_int_equal(ledger__carried(l, &carried), 0);
	ledger__free(l);
}

/* ---- the drill --------------------------------------------------------------------------- */

struct heard {
	struct seep_task_id ids[16];
	int cnt;
};

static void hear(void *ctx, const struct drill_result *r)
{
	struct heard *h = ctx;

	assert_int_equal(r->slices, 0);
	assert_int_equal(json_array_size(r->sites), 0);
	h->ids[h->cnt++] = r->id;
}

static void hear_n(struct drill *d, struct heard *h, int n)
{
	struct pollfd fd = {.fd = drill__fd(d), .events = POLLIN};

	while (h->cnt < n) {
		assert_int_equal(poll(&fd, 1, 60000), 1);
		drill__collect(d, hear, h);
	}
}

static void test_drill_ends_at_once(void **state)
{
	struct drill_cfg cfg = {.window_s = 21600, .max_targets = 100};
	struct drill *d = NULL;
	struct heard h = {0};

	drill__free(NULL);
	assert_int_equal(drill__new(&cfg, &d), 0);
	drill__collect(d, hear, &h);
	drill__want(d, NULL, 0);
	drill__free(d);
	assert_int_equal(h.cnt, 0);
}

/* More targets that cannot be traced than threads: each gets its answer, nobody blocks a slot. */
static void test_drill_moves_on(void **state)
{
	struct drill_cfg cfg = {.window_s = 21600, .max_targets = 2};
	struct seep_task_id ids[5];
	struct drill *d = NULL;
	struct heard h = {0};
	int i, j;

	for (i = 0; i < 5; i++) /* above any pid */
		ids[i] = (struct seep_task_id){.tgid = 0x7ffffff0 + i, .start_ns = 1};
	assert_int_equal(drill__new(&cfg, &d), 0);
	drill__want(d, ids, 5);
	hear_n(d, &h, 5);
	for (i = 0; i < 5; i++)
		for (j = 0; j < i; j++)
			assert_int_not_equal(h.ids[i].tgid, h.ids[j].tgid);
	drill__want(d, ids, 1); /* let go of the others... */
	drill__want(d, ids, 2); /* ...and ask for one of them again */
	hear_n(d, &h, 6);
	assert_int_equal(h.ids[5].tgid, ids[1].tgid);
	drill__free(d);
}

/* The pid is somebody's, but not of the process that was judged. */
static void test_drill_knows_a_reused_pid(void **state)
{
	struct drill_cfg cfg = {.window_s = 21600};
	struct seep_task_id id = {.tgid = getppid(), .start_ns = 1};
	struct drill *d = NULL;
	struct heard h = {0};

	assert_int_equal(drill__new(&cfg, &d), 0);
	drill__want(d, &id, 1);
	hear_n(d, &h, 1);
	drill__free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices_add_up),
		cmocka_unit_test(test_what_is_given_out_stays),
		cmocka_unit_test(test_churn_and_nothing_are_left_out),
		cmocka_unit_test(test_smallest_makes_room),
		cmocka_unit_test(test_unknown_is_null),
		cmocka_unit_test(test_frees_tell_leak_from_cache),
		cmocka_unit_test(test_frees_between_slices_count),
		cmocka_unit_test(test_followed_blocks_are_bounded),
		cmocka_unit_test(test_what_nothing_refers_to_leaks),
		cmocka_unit_test(test_drill_ends_at_once),
		cmocka_unit_test(test_drill_moves_on),
		cmocka_unit_test(test_drill_knows_a_reused_pid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
