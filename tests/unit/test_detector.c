// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_detector.c - what the detector says of each shape of memory, and that it says the same
 * however fast the tape runs and however bad the points are.
 *
 * Shapes are small functions of the time in hours; a tape is played with a window of 6 h (or the
 * same tape squeezed) and judged every window/72.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/detector.h"

#define MIB 1048576.
#define WINDOW_S 21600.
#define STEP_S 60.
#define BEGIN_S 1000.

struct tape {
	double (*bytes)(double h);
	double (*load)(double h);   /* NULL: unknown */
	int (*start)(double h);     /* NULL: no marks */
	double hours;
	double limit;
};

struct outcome {
	int opened;                 /* how many times an alarm opened */
	double first_h;             /* NAN: never */
	struct verdict last;
	unsigned int states;        /* a hash of the states along the way */
};

/* A repeatable number in -1..1 for each time. */
static double rnd(double h, unsigned int salt)
{
	uint64_t x = (uint64_t)llround(h * 3600) * 2654435761u + salt * 40503u + 1;

	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	x ^= x >> 33;
	return (double)(x >> 11) / 4503599627370496. - 1;
}

static double noise(double h)
{
	return 200 * MIB + .6 * MIB * rnd(h, 1);
}

static double teeth(double h, double period, double size)
{
	return size * fmod(h, period) / period;
}

static double clamp(double x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* ---- healthy ---- */

static double h_flat(double h) { (void)h; return 300 * MIB; }
static double h_warm_up(double h) { return noise(h) + 300 * MIB * (1 - exp(-h / .5)); }
static double h_warm_slow(double h) { return noise(h) + 150 * MIB * (1 - exp(-h / 1.5)); }
static double h_warm_log(double h) { return noise(h) + 15 * MIB * log1p(h / .02); }
static double h_fill(double h) { return noise(h) + 400 * MIB * clamp((h - 8) / 1); }
static double h_sawtooth(double h) { return noise(h) + teeth(h, .7, 150 * MIB); }
static double h_slow_teeth(double h) { return noise(h) + teeth(h, 2.3, 90 * MIB); }
static double h_step(double h) { return noise(h) + (h > 9.1 ? 120 * MIB : 0); }
static double h_steps(double h)
{
	return noise(h) + (h > 7 ? 60 * MIB : 0) + (h > 12 ? 30 * MIB : 0) - (h > 17 ? 50 * MIB : 0);
}
static double h_batch(double h)
{
	return noise(h) + 500 * MIB * fmin(clamp((h - 10) / .5), clamp((12 - h) / .2));
}
static double h_late(double h) { return noise(h) + (h > 8 && h < 13 ? 200 * MIB : 0); }
static double h_thp(double h)
{
	return 200 * MIB + 2 * MIB * floor(1.5 * (1 + rnd(floor(h * 6), 3)));
}
static double h_fragments(double h) { return noise(h) + 80 * MIB * sqrt(clamp(h / 2)); }
static double h_wander(double h)
{
	return noise(h) + 6 * MIB * (sin(h * 1.9) + sin(h * 3.1 + 1) + sin(h * .9 + 2));
}
static double h_percent(double h) { return 687194767. * round(91.4 + 1.2 * rnd(h, 5)); }
static double h_daily_load(double h) { return fmax(.05, 1 - .8 * cos(h * .2618)) + .03 * rnd(h, 7); }
static double h_daily(double h)
{
	return noise(h) + 100 * MIB * (1 - .8 * cos(h * .2618));
}
static double h_day_sticky(double h)
{
	return noise(h) + 100 * MIB * (1 - .8 * cos(fmin(fmod(h, 24), 12) * .2618));
}
static double h_first_rise(double h)
{
	return noise(h) + 10 * MIB * (1 - .8 * cos((h + 2) * .2618));
}
static double h_noisy_load(double h) { return fmax(.05, (1 - .8 * cos(h * .2618)) * (1 + .5 * rnd(h, 9))); }
static double h_ramp_start(double h) { return 20 * MIB + 300 * MIB * clamp(h / 2.9); }
static double h_rewarm(double h) { return noise(h) + 150 * MIB * (1 - exp(-fmod(h, 4) / .3)); }
static int every_4h(double h) { return fmod(h, 4) < STEP_S / 3600 / 2; }

/* ---- leaky ---- */

static double l_linear(double h) { return noise(h) + 12 * MIB * h; }
static double l_slow(double h) { return 4096 * MIB + 3 * MIB * rnd(h, 1) + 14 * MIB * h; }
static double l_stairs(double h) { return noise(h) + 9 * MIB * floor(h / .45 + .3 * rnd(floor(h), 2)); }
static double l_accelerating(double h) { return noise(h) + .8 * MIB * h * h; }
static double l_sawtooth(double h) { return noise(h) + teeth(h, .6, 60 * MIB) + 10 * MIB * h; }
static double l_daily(double h) { return h_daily(h) + 20 * MIB * h; }
static double l_deploy(double h)
{
	return noise(h) + (h > 6 ? 50 * MIB + 15 * MIB * (h - 6) : 0);
}
static double l_late(double h) { return noise(h) + 12 * MIB * fmax(0, h - 12); }
static double l_restarts(double h) { return noise(h) + 20 * MIB * fmod(h, 4); }
static double l_percent(double h)
{
	return 687194767. * round(40 + .8 * rnd(h, 5) + .9 * h);
}
static double l_stops(double h) { return noise(h) + 20 * MIB * fmin(h, 8); }
static double l_doubling(double h) { return noise(h) + 250 * MIB * fmax(0, h - 15); }
static double l_fast(double h) { return noise(h) + 400 * MIB * fmax(0, h - 9); }

struct named {
	const char *name;
	struct tape tape;
};

static const struct named healthy[] = {
	{ "noise", { noise, NULL, NULL, 24, NAN } },
	{ "flat", { h_flat, NULL, NULL, 24, NAN } },
	{ "warm-up", { h_warm_up, NULL, NULL, 24, NAN } },
	{ "slow warm-up", { h_warm_slow, NULL, NULL, 24, NAN } },
	{ "log-like warm-up", { h_warm_log, NULL, NULL, 24, NAN } },
	{ "cache fill", { h_fill, NULL, NULL, 24, NAN } },
	{ "sawtooth", { h_sawtooth, NULL, NULL, 24, NAN } },
	{ "slow sawtooth", { h_slow_teeth, NULL, NULL, 24, NAN } },
	{ "step", { h_step, NULL, NULL, 24, NAN } },
	{ "steps", { h_steps, NULL, NULL, 24, NAN } },
	{ "batch job", { h_batch, NULL, NULL, 24, NAN } },
	{ "late return", { h_late, NULL, NULL, 24, NAN } },
	{ "huge pages", { h_thp, NULL, NULL, 24, NAN } },
	{ "fragmentation", { h_fragments, NULL, NULL, 24, NAN } },
	{ "wander", { h_wander, NULL, NULL, 24, NAN } },
	{ "integer percent", { h_percent, NULL, NULL, 24, 68719476736. } },
	{ "daily load", { h_daily, h_daily_load, NULL, 30, NAN } },
	{ "first day", { h_daily, h_daily_load, NULL, 11, NAN } },
	{ "first rise, load unknown", { h_first_rise, NULL, NULL, 30, NAN } },
	{ "noisy load", { h_daily, h_noisy_load, NULL, 30, NAN } },
	{ "load's high kept", { h_day_sticky, h_daily_load, NULL, 20, NAN } },
	{ "start-up in a line", { h_ramp_start, NULL, NULL, 24, NAN } },
	{ "repeated warm-up", { h_rewarm, NULL, every_4h, 30, NAN } },
};

static const struct named leaky[] = {
	{ "linear", { l_linear, NULL, NULL, 24, NAN } },
	{ "slow", { l_slow, NULL, NULL, 24, NAN } },
	{ "staircase", { l_stairs, NULL, NULL, 24, NAN } },
	{ "accelerating", { l_accelerating, NULL, NULL, 24, NAN } },
	{ "under a sawtooth", { l_sawtooth, NULL, NULL, 24, NAN } },
	{ "under daily load", { l_daily, h_daily_load, NULL, 30, NAN } },
	{ "after a deploy", { l_deploy, NULL, NULL, 24, NAN } },
	{ "late", { l_late, NULL, NULL, 24, NAN } },
	{ "restarted", { l_restarts, NULL, every_4h, 24, NAN } },
	{ "integer percent", { l_percent, NULL, NULL, 24, 68719476736. } },
	{ "fast", { l_fast, NULL, NULL, 12, NAN } },
	{ "doubling", { l_doubling, NULL, NULL, 18, NAN } },
};

static struct detector_point point_at(const struct tape *t, double h, double scale)
{
	struct detector_point p = {
		.t_s = BEGIN_S + h * 3600 * scale,
		.bytes = t->bytes(h),
		.limit_bytes = t->limit,
		.load = t->load ? t->load(h) : NAN,
		.start = t->start ? t->start(h) : 0,
	};

	return p;
}

static void judge(struct detector *d, double h, struct outcome *o, int *was_open)
{
	int open;

	detector__judge(d, &o->last);
	assert_false(o->last.since_s < BEGIN_S); /* nothing is known of the time before */
	open = o->last.state == VERDICT_LEAK;
	if (open && !*was_open) {
		o->opened++;
		if (isnan(o->first_h))
			o->first_h = h;
	}
	*was_open = open;
	o->states = o->states * 31 + o->last.state;
}

/* Play a tape squeezed by `scale`, judging every window/per_window. */
static void play_into(struct detector *d, const struct tape *t, double scale, int per_window,
		      struct outcome *o)
{
	int i, n = (int)(t->hours * 3600 / STEP_S), every = (int)(WINDOW_S / per_window / STEP_S);
	int was_open = 0;

	memset(o, 0, sizeof(*o));
	o->first_h = NAN;
	for (i = 0; i < n; i++) {
		double h = i * STEP_S / 3600;
		struct detector_point p = point_at(t, h, scale);

		detector__push(d, &p);
		if (i % every == every - 1)
			judge(d, h, o, &was_open);
	}
}

static struct outcome play(const struct tape *t, double scale, int per_window)
{
	struct detector *d = detector__new(WINDOW_S * scale);
	struct outcome o;

	assert_non_null(d);
	play_into(d, t, scale, per_window, &o);
	detector__free(d);
	return o;
}

static void test_healthy_shapes_stay_quiet(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(healthy) / sizeof(healthy[0]); i++) {
		struct outcome o = play(&healthy[i].tape, 1, 24);

		if (o.opened)
			print_error("'%s' alarmed at %.1f h\n", healthy[i].name, o.first_h);
		assert_int_equal(o.opened, 0);
		assert_int_not_equal(o.last.state, VERDICT_RECOVERED);
	}
}

static void test_leaky_shapes_alarm_once(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(leaky) / sizeof(leaky[0]); i++) {
		struct outcome o = play(&leaky[i].tape, 1, 24);

		if (o.opened != 1)
			print_error("'%s' alarmed %d times, at the end %s\n", leaky[i].name, o.opened,
				    verdict__state_name(o.last.state));
		assert_int_equal(o.opened, 1);
		assert_int_equal(o.last.state, VERDICT_LEAK);
		assert_int_equal(o.last.class, CLASS_LEAK);
	}
}

static void test_leak_from_the_start_within_a_window(void **state)
{
	struct tape t = { l_linear, NULL, NULL, 6.2, NAN };
	struct outcome o = play(&t, 1, 72);

	(void)state;
	assert_int_equal(o.opened, 1);
	assert_true(o.first_h <= 6);
}

static void test_numbers_of_a_linear_leak(void **state)
{
	struct tape t = { l_linear, NULL, NULL, 12, NAN };
	struct outcome o = play(&t, 1, 24);
	const struct verdict *v = &o.last;

	(void)state;
	assert_true(fabs(v->slope_bytes_per_hour / MIB - 12) < 1);
	assert_true(v->slope_lo_bytes_per_hour <= 12 * MIB);
	assert_true(v->slope_hi_bytes_per_hour >= 12 * MIB);
	assert_true(v->slope_lo_bytes_per_hour <= v->slope_bytes_per_hour);
	assert_true(fabs(v->growth_bytes / MIB - 12 * v->horizon_s / 3600) < 15);
	assert_true(v->confidence > .9 && v->confidence <= 1);
	assert_true(v->since_s < BEGIN_S + 4 * 3600);
}

static void test_onset_of_a_late_leak(void **state)
{
	struct tape t = { l_late, NULL, NULL, 24, NAN };
	struct outcome o = play(&t, 1, 24);

	(void)state;
	assert_true(o.first_h > 12);
	assert_true(fabs((o.last.since_s - 1000) / 3600 - 12) < 2.5);
}

static void test_time_to_limit(void **state)
{
	struct tape t = { l_linear, NULL, NULL, 12, 500 * MIB };
	struct outcome o = play(&t, 1, 24);
	const struct verdict *v = &o.last;
	double left = 500 * MIB - (200 + 12 * 12) * MIB;

	(void)state;
	assert_true(v->limit_bytes == 500 * MIB);
	assert_true(fabs(v->time_to_limit_s / (left / (12 * MIB) * 3600) - 1) < .1);
	assert_true(v->time_to_limit_lo_s <= v->time_to_limit_s);
	assert_true(v->time_to_limit_hi_s >= v->time_to_limit_s);
	t.limit = 300 * MIB; /* already past it */
	o = play(&t, 1, 24);
	assert_true(o.last.time_to_limit_s == 0);
	t.limit = NAN;
	o = play(&t, 1, 24);
	assert_true(isnan(o.last.time_to_limit_s) && isnan(o.last.limit_bytes));
}

static void test_fast_leak_near_its_limit(void **state)
{
	struct tape t = { l_fast, NULL, NULL, 10.4, 800 * MIB };
	struct outcome o = play(&t, 1, 360);

	(void)state;
	assert_int_equal(o.opened, 1);
	assert_true(o.first_h < 10.3); /* the limit is hit at 10.5 h, the leak began at 9 h */
}

static void test_doubling_of_a_stable_process(void **state)
{
	struct tape t = { l_doubling, NULL, NULL, 17, NAN };
	struct outcome o = play(&t, 1, 360);

	(void)state;
	assert_int_equal(o.opened, 1);
	assert_true(o.first_h > 15 && o.first_h < 16.3); /* a sixth of a window after the onset */
}

/* A new series has to be surer; one that was judged before has not, until it is reset. */
static void test_a_vouched_series_is_not_new(void **state)
{
	struct detector *d = detector__new(WINDOW_S);
	int i, earlier = 0, cnt = sizeof(leaky) / sizeof(leaky[0]);
	struct outcome fresh, vouched, again;

	(void)state;
	assert_non_null(d);
	for (i = 0; i < cnt; i++) {
		fresh = play(&leaky[i].tape, 1, 24);
		detector__vouch(d);
		play_into(d, &leaky[i].tape, 1, 24, &vouched);
		detector__reset(d);
		play_into(d, &leaky[i].tape, 1, 24, &again);
		detector__reset(d);
		assert_true(vouched.first_h <= fresh.first_h);
		assert_true(again.first_h == fresh.first_h);
		earlier += vouched.first_h < fresh.first_h;
	}
	assert_true(earlier >= 2);
	detector__free(d);
}

static void test_no_alarm_before_half_a_window(void **state)
{
	struct tape t = { l_linear, NULL, NULL, 2.9, NAN };

	(void)state;
	assert_int_equal(play(&t, 1, 360).opened, 0);
}

static void test_squeezed_tape_same_verdict(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(leaky) / sizeof(leaky[0]); i++) {
		struct outcome a = play(&leaky[i].tape, 1, 24);
		struct outcome b = play(&leaky[i].tape, 60 / WINDOW_S, 24);

		assert_int_equal(a.last.state, b.last.state);
		assert_int_equal(a.opened, b.opened);
		assert_true(fabs(a.first_h - b.first_h) < .26);
	}
	for (i = 0; i < sizeof(healthy) / sizeof(healthy[0]); i++) {
		struct outcome b = play(&healthy[i].tape, 60 / WINDOW_S, 24);

		assert_int_equal(b.opened, 0);
	}
}

static void test_deterministic(void **state)
{
	struct outcome a = play(&leaky[5].tape, 1, 24), b = play(&leaky[5].tape, 1, 24);

	(void)state;
	assert_int_equal(a.states, b.states);
	assert_true(a.last.slope_bytes_per_hour == b.last.slope_bytes_per_hour);
	assert_true(a.last.confidence == b.last.confidence);
}

static void test_reset_forgets(void **state)
{
	struct detector *d = detector__new(WINDOW_S);
	struct outcome first, again;
	struct verdict v;

	(void)state;
	play_into(d, &leaky[0].tape, 1, 24, &first);
	detector__reset(d);
	detector__judge(d, &v);
	assert_int_equal(v.state, VERDICT_WARMING);
	play_into(d, &leaky[0].tape, 1, 24, &again);
	assert_int_equal(first.states, again.states);
	detector__free(d);
}

static void test_how_often_one_judges_matters_little(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(leaky) / sizeof(leaky[0]); i++) {
		struct outcome a = play(&leaky[i].tape, 1, 360), b = play(&leaky[i].tape, 1, 24);

		assert_int_equal(a.last.state, b.last.state);
		assert_true(fabs(a.first_h - b.first_h) < 1);
	}
}

static void test_warming_until_it_can_know(void **state)
{
	struct detector *d = detector__new(WINDOW_S);
	struct verdict v;
	int i;

	(void)state;
	detector__judge(d, &v);
	assert_int_equal(v.state, VERDICT_WARMING);
	assert_true(isnan(v.slope_bytes_per_hour) && isnan(v.since_s) && isnan(v.limit_bytes));
	assert_string_equal(detector__reason(d), "warming");
	for (i = 0; i < 60; i++) {
		struct detector_point p = { i * 60., 5e7, NAN, NAN, i == 0 };

		detector__push(d, &p);
	}
	detector__judge(d, &v);
	assert_int_equal(v.state, VERDICT_WARMING);
	detector__free(d);
}

/* Points that cannot be: they must neither crash nor change anything. */
static void test_bad_points_are_dropped(void **state)
{
	static const double bad[] = { NAN, -1, INFINITY, -INFINITY, 1e300 };
	const struct tape *t = &leaky[0].tape;
	struct detector *a = detector__new(WINDOW_S), *b = detector__new(WINDOW_S);
	struct verdict va, vb;
	size_t k;
	int i;

	(void)state;
	for (i = 0; i < 900; i++) {
		struct detector_point p = point_at(t, i / 60., 1), q = p;

		detector__push(a, &p);
		detector__push(b, &p);
		for (k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
			q.t_s = p.t_s + .1;
			q.bytes = bad[k];
			detector__push(b, &q);
		}
		q = p;
		q.bytes = 1;
		q.t_s = p.t_s - 30; /* back in time */
		detector__push(b, &q);
		q.t_s = p.t_s;
		detector__push(b, &q);
		q.t_s = NAN;
		detector__push(b, &q);
		q.t_s = INFINITY;
		detector__push(b, &q);
	}
	detector__judge(a, &va);
	detector__judge(b, &vb);
	assert_int_equal(va.state, vb.state);
	assert_true(va.slope_bytes_per_hour == vb.slope_bytes_per_hour);
	assert_true(va.confidence == vb.confidence);
	detector__free(a);
	detector__free(b);
}

static void test_odd_limits_and_loads(void **state)
{
	static const double odd[] = { NAN, 0, -5, INFINITY, -INFINITY, 1e300 };
	struct detector *d = detector__new(WINDOW_S);
	struct verdict v;
	int i;

	(void)state;
	for (i = 0; i < 1440; i++) {
		struct detector_point p = point_at(&leaky[0].tape, i / 60., 1);

		p.limit_bytes = odd[i % 6];
		p.load = odd[(i + 3) % 6];
		detector__push(d, &p);
		if (i % 15 == 14)
			detector__judge(d, &v);
	}
	assert_int_equal(v.state, VERDICT_LEAK);
	assert_true(isnan(v.limit_bytes));
	detector__free(d);
}

static void test_gap_is_a_gap(void **state)
{
	struct detector *d = detector__new(WINDOW_S);
	struct verdict v;
	int i, opened = 0;

	(void)state;
	/* noise, with two holes, a very long one, and single points lost */
	for (i = 0; i < 6000; i++) {
		struct detector_point p = point_at(&healthy[0].tape, i / 60., 1);

		if ((i > 500 && i < 640) || (i > 2000 && i < 4000) || i % 7 == 3)
			continue;
		detector__push(d, &p);
		if (i % 15 == 14) {
			detector__judge(d, &v);
			opened |= v.state == VERDICT_LEAK;
		}
	}
	assert_false(opened);
	detector__free(d);
}

/* It pauses, nobody looks for half a window, and it goes on: that was no long calm. */
static double pauses_at_10h(double h)
{
	return l_linear(h < 10 ? h : h < 16.5 ? 10 : h - 6.5);
}

static void test_a_gap_is_not_calm(void **state)
{
	struct tape t = { pauses_at_10h, NULL, NULL, 20, NAN };
	struct detector *d = detector__new(WINDOW_S);
	struct verdict v = {0};
	int i, closed = 0;

	(void)state;
	for (i = 0; i < 20 * 60; i++) {
		double h = i / 60.;
		struct detector_point p = point_at(&t, h, 1);

		if (h > 13.5 && h < 16.5)
			continue;
		detector__push(d, &p);
		if (i % 5 == 4)
			detector__judge(d, &v);
		closed |= h > 10 && v.state != VERDICT_LEAK;
	}
	assert_false(closed);
	detector__free(d);
}

static void test_alarm_closes_when_growth_stops(void **state)
{
	struct tape t = { l_stops, NULL, NULL, 8.5, NAN };
	struct outcome o = play(&t, 1, 24);

	(void)state;
	assert_int_equal(o.last.state, VERDICT_LEAK);
	t.hours = 16;
	o = play(&t, 1, 24);
	assert_int_equal(o.opened, 1);
	assert_int_equal(o.last.state, VERDICT_RECOVERED);
	t.hours = 40;
	o = play(&t, 1, 24);
	assert_int_equal(o.opened, 1);
	assert_int_equal(o.last.state, VERDICT_HEALTHY);
}

static double fixed_at_10h(double h)
{
	return h < 10 ? l_linear(h) : noise(h);
}

static int at_10h(double h)
{
	return fabs(h - 10) < STEP_S / 3600 / 2;
}

static void test_alarm_closes_after_a_restart_without_regrowth(void **state)
{
	struct tape t = { fixed_at_10h, NULL, at_10h, 22, NAN };
	struct outcome o = play(&t, 1, 24);

	(void)state;
	assert_int_equal(o.opened, 1);
	assert_int_not_equal(o.last.state, VERDICT_LEAK);
}

static void test_a_shape_has_its_class(void **state)
{
	struct tape warm = { h_warm_up, NULL, NULL, 5, NAN };
	struct tape step = { h_step, NULL, NULL, 12, NAN };
	struct tape day = { h_daily, h_daily_load, NULL, 10, NAN };

	(void)state;
	assert_int_equal(play(&step, 1, 24).last.class, CLASS_STEP);
	assert_int_equal(play(&day, 1, 24).last.class, CLASS_LOAD);
	assert_int_not_equal(play(&warm, 1, 24).last.class, CLASS_LEAK);
}

static void test_evidence(void **state)
{
	struct detector *d = detector__new(WINDOW_S);
	char lines[DETECTOR_EVIDENCE_MAX][DETECTOR_EVIDENCE_LEN];
	struct outcome o;
	int i, n;

	(void)state;
	n = detector__evidence(d, lines, DETECTOR_EVIDENCE_MAX);
	assert_true(n >= 1);
	play_into(d, &leaky[0].tape, 1, 24, &o);
	assert_int_equal(detector__evidence(d, lines, 0), 0);
	assert_int_equal(detector__evidence(d, lines, 1), 1);
	n = detector__evidence(d, lines, DETECTOR_EVIDENCE_MAX);
	assert_in_range(n, 4, 6);
	for (i = 0; i < n; i++) {
		assert_true(strlen(lines[i]) > 10);
		assert_true(strlen(lines[i]) < DETECTOR_EVIDENCE_LEN - 1);
		assert_null(strstr(lines[i], "nan"));
	}
	assert_non_null(strstr(lines[0], "MiB"));
	assert_string_equal(detector__reason(d), "");
	detector__reset(d);
	play_into(d, &healthy[9].tape, 1, 24, &o);
	assert_true(strlen(detector__reason(d)) > 0);
	detector__free(d);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(verdict__state_name(VERDICT_RECOVERED), "recovered");
	assert_string_equal(verdict__class_name(CLASS_WARM_UP), "warm-up");
	assert_non_null(verdict__state_name((enum verdict_state)99));
	assert_non_null(verdict__class_name((enum verdict_class)-1));
}

static void test_memory_is_bounded(void **state)
{
	(void)state;
	assert_true(detector__size() <= 3600);
	assert_null(detector__new(0));
	assert_null(detector__new(-1));
	assert_null(detector__new(NAN));
	assert_null(detector__new(INFINITY));
	detector__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_healthy_shapes_stay_quiet),
		cmocka_unit_test(test_leaky_shapes_alarm_once),
		cmocka_unit_test(test_leak_from_the_start_within_a_window),
		cmocka_unit_test(test_numbers_of_a_linear_leak),
		cmocka_unit_test(test_onset_of_a_late_leak),
		cmocka_unit_test(test_time_to_limit),
		cmocka_unit_test(test_fast_leak_near_its_limit),
		cmocka_unit_test(test_doubling_of_a_stable_process),
		cmocka_unit_test(test_a_vouched_series_is_not_new),
		cmocka_unit_test(test_no_alarm_before_half_a_window),
		cmocka_unit_test(test_squeezed_tape_same_verdict),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_reset_forgets),
		cmocka_unit_test(test_how_often_one_judges_matters_little),
		cmocka_unit_test(test_warming_until_it_can_know),
		cmocka_unit_test(test_bad_points_are_dropped),
		cmocka_unit_test(test_odd_limits_and_loads),
		cmocka_unit_test(test_gap_is_a_gap),
		cmocka_unit_test(test_a_gap_is_not_calm),
		cmocka_unit_test(test_alarm_closes_when_growth_stops),
		cmocka_unit_test(test_alarm_closes_after_a_restart_without_regrowth),
		cmocka_unit_test(test_a_shape_has_its_class),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
