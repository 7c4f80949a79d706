// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_store.c - what is put comes out again: on the grid, within the window, within the memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "series/arena.h"
#include "series/ring.h"
#include "series/store.h"

#define MIB 1048576.
#define GIB (1024 * MIB)

static struct store_point points[30000];

static struct store *new_store(double interval_s, double window_s, unsigned max_series,
			       unsigned max_fine)
{
	struct store_cfg cfg = {interval_s, window_s, max_series, max_fine};
	struct store *st = store__new(&cfg);

	assert_non_null(st);
	return st;
}

static struct series_key proc_key(uint32_t tgid)
{
	struct seep_task_id id = {.tgid = tgid, .start_ns = tgid * 1000ULL};

	return series_key__proc(&id);
}

static struct series *touch(struct store *st, uint32_t tgid)
{
	struct series_key key = proc_key(tgid);
	char name[32];
	struct series *s;

	snprintf(name, sizeof(name), "p[%u]", tgid);
	s = store__touch(st, &key, name);
	assert_non_null(s);
	return s;
}

static struct series *find(struct store *st, uint32_t tgid)
{
	struct series_key key = proc_key(tgid);

	return store__find(st, &key);
}

static void put(struct store *st, struct series *s, double t_s, double bytes)
{
	series__put(st, s, t_s, bytes, NAN, NAN, 0);
}

static size_t read_points(struct store *st, struct series *s, double now_s)
{
	size_t n = series__points(st, s, now_s, NULL, 0);

	assert_true(n <= sizeof(points) / sizeof(points[0]));
	assert_int_equal(series__points(st, s, now_s, points, n), n);
	return n;
}

static struct store_stats stats_of(const struct store *st)
{
	struct store_stats stats;

	store__stats(st, &stats);
	return stats;
}

/* ---- rings and buckets ---- */

static void test_fine_series_keeps_every_poll(void **state)
{
	struct store *st = new_store(10, 21600, 0, 0);
	struct series *s = touch(st, 1);
	size_t i, n;

	for (i = 0; i < 5000; i++)
		series__put(st, s, 1e9 + i * 10, (100 + i) * MIB, .5, GIB, i == 4000);
	assert_true(series__is_fine(s));
	n = read_points(st, s, 1e9 + 49990);
	assert_int_equal(n, 2160);
	for (i = 0; i < n; i++) {
		assert_true(points[i].t_s == 1e9 + (i + 2840) * 10);
		assert_true(points[i].min_bytes == (i + 2940) * MIB);
		assert_true(points[i].last_bytes == (i + 2940) * MIB);
		assert_true(fabs(points[i].load - .5) < .0025);
		assert_int_equal(points[i].start, i == 1160);
	}
	assert_true(series__limit_bytes(s) == GIB);
	assert_true(series__last_s(s) == 1e9 + 49990);
	store__free(st);
}

static void test_coarse_series_keeps_floor_last_load_and_start(void **state)
{
	struct store *st = new_store(10, 21600, 0, 0);
	struct series *s = touch(st, 1);
	size_t i, n;

	/* a sawtooth of 8 polls: a bucket each, lowest in the middle */
	for (i = 0; i < 8 * 270; i++)
		series__put(st, s, i * 10, (i % 8 == 3 ? 1 : 10 + i % 8) * MIB, i % 8 < 4 ? 0 : 1,
			    NAN, i == 804);
	assert_false(series__is_fine(s));
	n = read_points(st, s, 8 * 270 * 10 - 10);
	assert_int_equal(n, 270);
	for (i = 0; i < n; i++) {
		assert_true(points[i].min_bytes == MIB);
		assert_true(points[i].last_bytes == 17 * MIB);
		assert_true(fabs(points[i].load - .5) < .005);
		assert_int_equal(points[i].start, i == 100);
		assert_true(i == 0 || points[i].t_s > points[i - 1].t_s);
	}
	assert_true(isnan(series__limit_bytes(s)));
	store__free(st);
}

static void test_gaps_stay_gaps(void **state)
{
	struct store *st = new_store(10, 21600, 0, 0);
	struct series *fine = touch(st, 1), *coarse = touch(st, 2);
	size_t i, n;

	for (i = 0; i < 2160; i++) {
		if (i >= 1000 && i < 1400)
			continue;
		put(st, fine, i * 10, GIB);
		put(st, coarse, i * 10, MIB);
	}
	n = read_points(st, fine, 21590);
	assert_int_equal(n, 1760);
	assert_true(points[999].t_s == 9990 && points[1000].t_s == 14000);
	n = read_points(st, coarse, 21590);
	assert_int_equal(n, 270 - 50);
	/* one longer than the window leaves nothing of what was before */
	put(st, fine, 50000, GIB);
	put(st, coarse, 50000, MIB);
	assert_int_equal(read_points(st, fine, 50000), 1);
	assert_true(points[0].t_s == 50000);
	assert_int_equal(read_points(st, coarse, 50000), 1);
	store__free(st);
}

/* What a full ring holds after any number of polls is what a plain array would hold. */
static void test_ring_against_model(void **state)
{
	enum { CAP = 24, POLLS = 4000 };
	static struct ring_bucket model[POLLS * 3];
	static bool has[POLLS * 3];
	uint64_t mem[CAP * 2];
	struct ring r = {0};
	struct ring_bucket b;
	struct ring_poll p;
	int64_t tick = 0, t, first;
	int i, entered;

	assert_true(ring__size(CAP) <= sizeof(mem));
	memset(mem, 0xa5, sizeof(mem));
	memset(has, 0, sizeof(has));
	srand(7);
	for (i = 0; i < POLLS; i++) {
		tick += rand() % 20 ? rand() % 3 : rand() % 40 ? 7 : CAP + 3;
		if (tick >= POLLS * 3)
			break;
		p = (struct ring_poll){rand() % 1000, RING_LOAD_UNKNOWN, rand() % 9 == 0};
		entered = ring__put(&r, mem, CAP, tick, &p);
		assert_int_equal(entered, !has[tick]);
		if (!has[tick] || p.kib < model[tick].min_kib)
			model[tick].min_kib = p.kib;
		model[tick].start = (has[tick] && model[tick].start) || p.start;
		model[tick].last_kib = p.kib;
		has[tick] = true;
		first = ring__first(&r);
		assert_true(first > tick - CAP && first <= tick);
		for (t = tick - CAP > 0 ? tick - CAP : 0; t <= tick + 1; t++) {
			if (!ring__get(&r, mem, CAP, t, &b)) {
				assert_true(t <= tick - CAP || t > tick || !has[t]);
				continue;
			}
			assert_true(has[t] && t > tick - CAP);
			assert_int_equal(b.min_kib, model[t].min_kib);
			assert_int_equal(b.last_kib, model[t].last_kib);
			assert_int_equal(b.start, model[t].start);
		}
		assert_int_equal(ring__put(&r, mem, CAP, tick - 1, &p), -ERANGE);
	}
	assert_true(i > 1000);
}

static void test_load_code(void **state)
{
	double share, back;
	unsigned code;

	assert_int_equal(ring__pack_load(NAN), RING_LOAD_UNKNOWN);
	assert_int_equal(ring__pack_load(-1), RING_LOAD_UNKNOWN);
	assert_true(isnan(ring__unpack_load(RING_LOAD_UNKNOWN)));
	assert_int_equal(ring__pack_load(0), 0);
	assert_true(ring__unpack_load(0) == 0);
	assert_int_equal(ring__pack_load(INFINITY), RING_LOAD_UNKNOWN - 1);
	for (share = 1e-6; share < 1e5; share *= 1.07) {
		back = ring__unpack_load(ring__pack_load(share));
		assert_true(fabs(back - share) <= .0026 * share + .000026);
	}
	for (code = 0; code < 10000; code++) /* what was stored can be stored again */
		assert_int_equal(ring__pack_load(ring__unpack_load(code)), code);
}

static void test_late_timers_do_not_shift_buckets(void **state)
{
	struct store *st = new_store(10, 21600, 0, 0);
	struct series *s = touch(st, 1);
	size_t i;

	for (i = 0; i < 1000; i++)
		put(st, s, i * 10 + ((int)(i % 7) - 3) * 1.6, GIB + i * MIB);
	assert_int_equal(read_points(st, s, 10000), 1000);
	for (i = 0; i < 1000; i++)
		assert_true(points[i].last_bytes == GIB + i * MIB);
	store__free(st);
}

static void test_short_window(void **state)
{
	struct store *st = new_store(.2, 60, 0, 0);
	struct series *s = touch(st, 1);
	size_t i;

	for (i = 0; i < 1000; i++)
		put(st, s, 1.7e9 + i * .2, GIB + i * MIB);
	assert_int_equal(read_points(st, s, 1.7e9 + 999 * .2), 300);
	for (i = 0; i < 300; i++)
		assert_true(points[i].last_bytes == GIB + (i + 700) * MIB);
	store__free(st);
}

static void test_extreme_settings(void **state)
{
	static const double bad[][2] = {{0, 60},   {-1, 60},	   {10, 5},    {NAN, 60},
					{10, NAN}, {INFINITY, 60}, {10, 1e30}, {1e-9, 60}};
	struct store_cfg cfg = {0};
	struct series *s;
	struct store *st;
	unsigned i;
	size_t n;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cfg.interval_s = bad[i][0];
		cfg.window_s = bad[i][1];
		errno = 0;
		assert_null(store__new(&cfg));
		assert_int_equal(errno, EINVAL);
	}
	/* a window of many polls: several to a bucket, and fewer, larger rings */
	st = new_store(1, 86400, 100, 320);
	assert_true(store__cfg(st)->max_fine < 320);
	assert_true(stats_of(st).mapped_bytes < 16 * MIB);
	s = touch(st, 1);
	for (i = 0; i < 86400; i++)
		put(st, s, i, i % 4 == 2 ? GIB : 2 * GIB);
	n = read_points(st, s, 86399);
	assert_int_equal(n, 21601); /* half a bucket at either end */
	for (i = 1; i < n; i++)
		assert_true(points[i].min_bytes == GIB);
	store__free(st);
	/* a window of few polls */
	st = new_store(60, 60, 100, 0);
	s = touch(st, 1);
	for (i = 0; i < 100; i++)
		put(st, s, i * 60, GIB);
	assert_int_equal(read_points(st, s, 99 * 60), 1);
	store__free(st);
}

static void test_nonsense_is_dropped_and_counted(void **state)
{
	struct store *st = new_store(10, 600, 0, 0);
	struct series *s = touch(st, 1);

	put(st, s, 100, MIB);
	put(st, s, 90, MIB); /* back in time */
	put(st, s, 110, -1);
	put(st, s, 110, NAN);
	put(st, s, NAN, MIB);
	put(st, s, INFINITY, MIB);
	put(st, s, 1e300, MIB);
	assert_int_equal(stats_of(st).dropped, 6);
	assert_int_equal(read_points(st, s, 100), 1);
	put(st, s, 110, 1e30); /* more than can be told apart: the most there is */
	assert_int_equal(read_points(st, s, 110), 1 + 1);
	assert_true(points[1].last_bytes == (UINT32_MAX - 1) * 1024.);
	assert_int_equal(series__points(st, s, NAN, points, 10), 0);
	store__free(st);
}

static void test_points_respects_window_and_cap(void **state)
{
	struct store *st = new_store(10, 600, 0, 0);
	struct series *s = touch(st, 1);
	int i;

	assert_int_equal(read_points(st, s, 0), 0);
	for (i = 0; i < 60; i++)
		put(st, s, i * 10, GIB);
	assert_int_equal(series__points(st, s, 590, points, 7), 7);
	assert_true(points[6].t_s == 60);
	assert_int_equal(read_points(st, s, 890), 30); /* half of them too old by now */
	assert_true(points[0].t_s == 300);
	assert_int_equal(read_points(st, s, 290), 30); /* as it was then */
	assert_int_equal(read_points(st, s, 5000), 0);
	store__free(st);
}

static void test_resample(void **state)
{
	struct store *st = new_store(10, 21600, 0, 0);
	struct series *fine = touch(st, 1), *coarse = touch(st, 2);
	double bins[2160];
	int i;

	for (i = 1; i <= 2160; i++) {
		if (i > 720 && i <= 1440)
			continue;
		put(st, fine, i * 10, i * GIB);
		put(st, coarse, i * 10, i * 1024.);
	}
	series__resample(st, fine, 21600, bins, 60);
	for (i = 0; i < 60; i++)
		assert_true(i >= 20 && i < 40 ? isnan(bins[i]) : bins[i] == (i + 1) * 36 * GIB);
	series__resample(st, fine, 21600, bins, 2160);
	for (i = 0; i < 2160; i++)
		assert_true(i >= 720 && i < 1440 ? isnan(bins[i]) : bins[i] == (i + 1) * GIB);
	/* more bins than buckets: no holes but the true one */
	series__resample(st, coarse, 21600, bins, 1080);
	for (i = 0; i < 1080; i++) {
		if (i < 358 || i > 722)
			assert_true(fabs(bins[i] - 2048. * i) < 10 * 1024);
		else if (i > 363 && i < 718)
			assert_true(isnan(bins[i]));
	}
	series__resample(st, coarse, 21600, bins, 0);
	store__free(st);
}

/* ---- fine rings change hands ---- */

static void test_promotion_by_size_keeps_history(void **state)
{
	struct store *st = new_store(10, 21600, 0, 0);
	struct series *s = touch(st, 1);
	size_t i, n;

	for (i = 0; i < 804; i++)
		put(st, s, i * 10, MIB + i * 1024);
	for (; i < 1000; i++)
		put(st, s, i * 10, GIB + i * 1024);
	assert_true(series__is_fine(s));
	assert_int_equal(stats_of(st).promoted, 1);
	n = read_points(st, s, 9990);
	assert_int_equal(n, 101 + 192); /* fine from the next coarse bucket on */
	assert_true(points[0].min_bytes == MIB);
	assert_true(points[100].min_bytes == MIB + 800 * 1024);
	assert_true(points[100].last_bytes == GIB + 807 * 1024);
	assert_true(points[101].t_s == 8080 && points[101].min_bytes == GIB + 808 * 1024);
	for (i = 1; i < n; i++)
		assert_true(points[i].t_s > points[i - 1].t_s);
	store__free(st);
}

static void test_promotion_by_interest(void **state)
{
	struct store *st = new_store(10, 21600, 0, 0);
	struct series *s = touch(st, 1);
	int i;

	put(st, s, 0, MIB);
	series__set_interest(st, s, 63);
	for (i = 1; i < 16; i++)
		put(st, s, i * 10, MIB);
	assert_false(series__is_fine(s));
	series__set_interest(st, s, 64);
	for (; i < 32; i++)
		put(st, s, i * 10, MIB);
	assert_true(series__is_fine(s));
	store__free(st);
}

static void test_demotion_when_the_pool_is_empty(void **state)
{
	struct store *st = new_store(10, 21600, 64, 4);
	struct series *s[6];
	int i, k;

	for (k = 0; k < 6; k++)
		s[k] = touch(st, k + 1);
	for (i = 0; i < 8; i++)
		for (k = 0; k < 4; k++)
			put(st, s[k], i * 10, (100 + k) * MIB);
	for (k = 0; k < 4; k++)
		assert_true(series__is_fine(s[k]));
	/* about as big as the smallest owner: not worth the change; much bigger: is */
	for (i = 8; i < 24; i++)
		put(st, s[4], i * 10, 110 * MIB);
	assert_false(series__is_fine(s[4]));
	for (i = 24; i < 40; i++)
		put(st, s[4], i * 10, 300 * MIB);
	assert_true(series__is_fine(s[4]));
	assert_false(series__is_fine(s[0]));
	assert_int_equal(read_points(st, s[0], 70), 1); /* coarse, but still there */
	assert_true(points[0].min_bytes == 100 * MIB);
	/* interest beats size; the pinned keep theirs */
	series__set_interest(st, s[1], 255);
	series__set_interest(st, s[5], 64);
	for (i = 40; i < 56; i++)
		put(st, s[5], i * 10, MIB);
	assert_true(series__is_fine(s[5]));
	assert_true(series__is_fine(s[1]));
	assert_false(series__is_fine(s[2]));
	assert_int_equal(stats_of(st).fine, 4);
	assert_int_equal(stats_of(st).demoted, 2);
	store__remove(st, s[5]);
	assert_int_equal(stats_of(st).fine, 3);
	store__free(st);
}

/* ---- who is evicted ---- */

static unsigned evicted[16], evicted_cnt;

static void on_evict(void *ctx, struct series *s)
{
	assert_ptr_equal(ctx, evicted);
	assert_string_not_equal(series__name(s), "");
	evicted[evicted_cnt++ % 16] = series__key(s)->tgid;
}

static void test_eviction_order(void **state)
{
	struct store *st = new_store(10, 600, 4, 0);
	struct series *s[4];
	struct series_key key;
	int k;

	evicted_cnt = 0;
	store__on_evict(st, on_evict, evicted);
	for (k = 0; k < 4; k++)
		s[k] = touch(st, k + 1);
	put(st, s[0], 0, 9 * MIB);
	put(st, s[1], 20, 5 * MIB);
	put(st, s[2], 10, 5 * MIB);
	put(st, s[3], 0, MIB);
	series__set_interest(st, s[3], 1);
	/* least interesting, then smallest, then longest without a poll */
	put(st, touch(st, 5), 20, 100 * MIB);
	put(st, touch(st, 6), 20, 100 * MIB);
	put(st, touch(st, 7), 20, 100 * MIB);
	assert_int_equal(evicted_cnt, 3);
	assert_int_equal(evicted[0], 3);
	assert_int_equal(evicted[1], 2);
	assert_int_equal(evicted[2], 1);
	assert_int_equal(stats_of(st).evicted, 3);
	assert_null(find(st, 3));
	assert_ptr_equal(find(st, 4), s[3]);
	/* pinned ones never go */
	for (k = 4; k <= 7; k++)
		series__set_interest(st, find(st, k), 255);
	key = proc_key(8);
	assert_null(store__touch(st, &key, "late"));
	series__set_interest(st, find(st, 6), 254);
	assert_non_null(store__touch(st, &key, "late"));
	assert_null(find(st, 6));
	store__free(st);
}

/* Whoever would be the next to go, or is of no more interest than that, finds no room. */
static void test_room_for_newcomers(void **state)
{
	struct store *st = new_store(10, 600, 3, 0);
	int k;

	assert_int_equal(store__has_room(st, 0), 1);
	for (k = 1; k <= 3; k++)
		series__set_interest(st, touch(st, k), 10 * k);
	assert_int_equal(store__has_room(st, 10), 0);
	assert_int_equal(store__has_room(st, 11), 1);
	series__set_interest(st, find(st, 1), 40);
	assert_int_equal(store__has_room(st, 20), 0);
	assert_int_equal(store__has_room(st, 21), 1);
	series__set_interest(st, find(st, 3), 5); /* it may fall again */
	assert_int_equal(store__has_room(st, 5), 0);
	assert_int_equal(store__has_room(st, 6), 1);
	for (k = 1; k <= 3; k++)
		series__set_interest(st, find(st, k), 255);
	assert_int_equal(store__has_room(st, 255), 0);
	store__remove(st, find(st, 2));
	assert_int_equal(store__has_room(st, 0), 1);
	store__free(st);
}

static void remove_itself(void *ctx, struct series *s)
{
	store__remove(ctx, s);
}

static void test_callbacks_may_remove(void **state)
{
	struct store *st = new_store(10, 600, 4, 0);
	int k;

	store__on_evict(st, remove_itself, st);
	for (k = 1; k <= 9; k++)
		put(st, touch(st, k), k, GIB);
	assert_int_equal(stats_of(st).series, 4);
	assert_non_null(find(st, 9));
	store__foreach(st, remove_itself, st);
	assert_int_equal(stats_of(st).series, 0);
	assert_int_equal(stats_of(st).fine, 0);
	assert_null(find(st, 9));
	store__free(st);
}

/* ---- names and keys ---- */

static void test_touch_finds_and_renames(void **state)
{
	struct store *st = new_store(10, 600, 0, 0);
	struct series *s = touch(st, 1);
	struct series_key key = proc_key(1);
	int user;

	series__set_user(s, &user);
	assert_ptr_equal(store__touch(st, &key, "sh[1]"), s);
	assert_string_equal(series__name(s), "sh[1]");
	assert_ptr_equal(store__touch(st, &key, NULL), s);
	assert_string_equal(series__name(s), "sh[1]");
	assert_ptr_equal(series__user(s), &user);
	assert_int_equal(series__key(s)->tgid, 1);
	key.value++; /* the same pid, another process */
	assert_null(store__find(st, &key));
	assert_ptr_not_equal(store__touch(st, &key, "sh[1]"), s);
	store__free(st);
}

static void test_long_names_keep_their_end(void **state)
{
	static const char path[] = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-"
				   "pod0123456789.slice/cri-containerd-%s.scope";
	struct store *st = new_store(10, 600, 0, 0);
	struct series_key key;
	char a[256], utf8[256];
	struct series *s;
	int i;

	snprintf(a, sizeof(a), path, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	key = series_key__cgroup(a);
	assert_int_equal(key.kind, SERIES_CGROUP);
	s = store__touch(st, &key, a);
	assert_int_equal(strlen(series__name(s)), SERIES_NAME_LEN - 1);
	assert_memory_equal(series__name(s), "...", 3);
	assert_string_equal(series__name(s) + 3, a + strlen(a) - 60);
	for (i = 0; i < 50; i++)
		memcpy(utf8 + 3 * i, "\xe2\x82\xac", 3);
	strcpy(utf8 + 150, "x");
	s = store__touch(st, &key, utf8);
	assert_memory_equal(series__name(s), "...\xe2\x82\xac", 6);
	store__free(st);
}

static void test_rekey_joins_a_restarted_process(void **state)
{
	struct store *st = new_store(10, 600, 0, 0);
	struct series *s = touch(st, 1), *other = touch(st, 2);
	struct series_key key = proc_key(3), taken = proc_key(2);

	put(st, s, 0, GIB);
	assert_int_equal(store__rekey(st, s, &taken, "x"), -EEXIST);
	assert_int_equal(store__rekey(st, s, &key, "api[3]"), 0);
	assert_null(find(st, 1));
	assert_ptr_equal(find(st, 3), s);
	assert_ptr_equal(find(st, 2), other);
	assert_string_equal(series__name(s), "api[3]");
	series__put(st, s, 10, MIB, NAN, NAN, 1);
	assert_int_equal(read_points(st, s, 10), 2);
	assert_int_equal(points[0].start, 0);
	assert_int_equal(points[1].start, 1);
	assert_int_equal(store__rekey(st, s, &key, "again"), 0);
	store__free(st);
}

static void test_many_series_are_found(void **state)
{
	struct store *st = new_store(10, 600, 8192, 0);
	unsigned i;

	for (i = 1; i <= 8192; i++)
		put(st, touch(st, i), 0, i * 1024.);
	for (i = 1; i <= 8192; i += 2)
		store__remove(st, find(st, i));
	for (i = 1; i <= 8192; i++)
		assert_true((find(st, i) != NULL) == (i % 2 == 0));
	for (i = 10001; i <= 10000 + 4096; i++)
		put(st, touch(st, i), 10, 1024);
	assert_int_equal(stats_of(st).series, 8192);
	assert_int_equal(stats_of(st).evicted, 0);
	/* a reused slot has nothing of its former owner */
	assert_int_equal(read_points(st, find(st, 10001), 10), 1);
	store__free(st);
}

/* ---- memory ---- */

static void test_memory_per_series(void **state)
{
	struct store *st = new_store(10, 21600, 0, 0);
	struct store_stats stats;
	size_t empty = stats_of(st).touched_bytes;
	int i, k;

	for (k = 1; k <= 1000; k++)
		touch(st, k);
	for (i = 0; i < 2200; i++)
		for (k = 1; k <= 1000; k++)
			put(st, find(st, k), i * 10, 10 * MIB);
	stats = stats_of(st);
	assert_int_equal(stats.series, 1000);
	assert_int_equal(stats.fine, 0);
	assert_true((stats.touched_bytes - empty) / 1000 <= 3072);
	assert_true(stats.mapped_bytes <= 32 * MIB);
	for (k = 1; k <= 320; k++)
		for (i = 2200; i < 2216; i++)
			put(st, find(st, k), i * 10, GIB);
	stats = stats_of(st);
	assert_int_equal(stats.fine, 320);
	assert_true(stats.touched_bytes <= 10 * MIB);
	for (k = 1; k <= 1000; k++)
		store__remove(st, find(st, k));
	assert_int_equal(stats_of(st).touched_bytes, empty);
	store__free(st);
}

/* Slots of any size next to each other: what is freed is given back, what is used stays. */
static void test_arena_keeps_neighbours(void **state)
{
	static const size_t sizes[] = {8, 1000, 2744, 4096, 21888, 40000};
	struct arena a;
	unsigned i, k, slot;

	for (k = 0; k < 6; k++) {
		assert_int_equal(arena__init(&a, 100, sizes[k]), 0);
		for (i = 0; i < 100; i++) {
			assert_int_equal(arena__alloc(&a), i);
			memset(arena__at(&a, i), i, sizes[k]);
		}
		assert_int_equal(arena__alloc(&a), ARENA_FULL);
		for (i = 0; i < 100; i++)
			if (i % 3)
				arena__free(&a, i);
		for (i = 0; i < 100; i += 3)
			for (slot = 0; slot < sizes[k]; slot++)
				assert_int_equal(((char *)arena__at(&a, i))[slot], i);
		assert_int_equal(arena__alloc(&a), 1);
		assert_true(arena__is_used(&a, 1) && !arena__is_used(&a, 2));
		arena__destroy(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fine_series_keeps_every_poll),
		cmocka_unit_test(test_coarse_series_keeps_floor_last_load_and_start),
		cmocka_unit_test(test_gaps_stay_gaps),
		cmocka_unit_test(test_ring_against_model),
		cmocka_unit_test(test_load_code),
		cmocka_unit_test(test_late_timers_do_not_shift_buckets),
		cmocka_unit_test(test_short_window),
		cmocka_unit_test(test_extreme_settings),
		cmocka_unit_test(test_nonsense_is_dropped_and_counted),
		cmocka_unit_test(test_points_respects_window_and_cap),
		cmocka_unit_test(test_resample),
		cmocka_unit_test(test_promotion_by_size_keeps_history),
		cmocka_unit_test(test_promotion_by_interest),
		cmocka_unit_test(test_demotion_when_the_pool_is_empty),
		cmocka_unit_test(test_eviction_order),
		cmocka_unit_test(test_room_for_newcomers),
		cmocka_unit_test(test_callbacks_may_remove),
		cmocka_unit_test(test_touch_finds_and_renames),
		cmocka_unit_test(test_long_names_keep_their_end),
		cmocka_unit_test(test_rekey_joins_a_restarted_process),
		cmocka_unit_test(test_many_series_are_found),
		cmocka_unit_test(test_memory_per_series),
		cmocka_unit_test(test_arena_keeps_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
