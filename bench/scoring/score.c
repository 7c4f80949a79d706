// SPDX-License-Identifier: BSD-2-Clause
/* score.c - from scores over time to alarms, and from alarms to precision and recall. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "score.h"

#define DAY	      86400.0
#define MIB	      (1024.0 * 1024.0)
#define THRESHOLD_CNT 160 /* tried along a curve */

/* ---- one series ---- */

/* Walks the alarms: the index where the next one opens, from *cursor on; eval_cnt: no more. */
static size_t next_alarm(const struct outcome *o, int rule, double threshold, size_t *cursor)
{
	size_t i = *cursor, opened;
	double last;

	while (i < o->eval_cnt && !(o->score[rule][i] >= threshold))
		i++;
	opened = i;
	for (last = 0; i < o->eval_cnt; i++) {
		if (o->score[rule][i] >= threshold)
			last = o->eval_s[i];
		else if (o->eval_s[i] - last >= QUIET_S)
			break;
	}
	*cursor = i;
	return opened;
}

size_t list_alarms(const struct outcome *o, int rule, double threshold, double *ret_s, size_t cap)
{
	size_t cursor = 0, n = 0, i;

	while ((i = next_alarm(o, rule, threshold, &cursor)) < o->eval_cnt) {
		if (n < cap)
			ret_s[n] = o->begin_s + o->eval_s[i];
		n++;
	}
	return n;
}

struct hit score_one(const struct outcome *o, int rule, double threshold)
{
	double healthy_end = o->leak ? fmin(o->onset_s, o->end_s) : o->end_s;
	struct hit h = {.healthy_days = fmax(0, healthy_end - o->begin_s) / DAY};
	size_t cursor = 0, i;
	double t;

	while ((i = next_alarm(o, rule, threshold, &cursor)) < o->eval_cnt) {
		t = o->begin_s + o->eval_s[i];
		if (!o->leak || t < o->onset_s) {
			h.false_cnt++;
		} else if (!h.found) {
			h.found = true;
			h.delay_s = t - o->onset_s;
			h.lost_bytes = o->leaked[i];
		}
	}
	return h;
}

/* ---- all series ---- */

struct tally {
	double tp, fn, fp;
};

static void add_hit(struct tally *t, const struct outcome *o, const struct hit *h, double weight)
{
	if (o->leak) {
		t->tp += h->found;
		t->fn += !h->found;
	}
	t->fp += h->false_cnt > 0 ? weight : 0;
}

static double ratio(double a, double b)
{
	return a + b > 0 ? a / (a + b) : NAN;
}

static double f1_of(const struct tally *t)
{
	double d = 2 * t->tp + t->fp + t->fn;

	return d > 0 ? 2 * t->tp / d : NAN;
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of(double *v, size_t n)
{
	if (!n)
		return NAN;
	qsort(v, n, sizeof(*v), by_double);
	return v[n / 2];
}

static uint64_t next_random(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static void set_interval(struct interval *ret, double *v, int n)
{
	int i, m = 0;

	for (i = 0; i < n; i++)
		if (!isnan(v[i]))
			v[m++] = v[i];
	qsort(v, (size_t)m, sizeof(*v), by_double);
	ret->lo = m ? v[m / 40] : NAN;
	ret->hi = m ? v[m - 1 - m / 40] : NAN;
}

/* Pairs, not series, are drawn again: an original and its injected copy are not independent. */
static void bootstrap(const struct tally *pairs, size_t cnt, int boot, struct quality *q)
{
	double *p = calloc((size_t)boot * 3, sizeof(*p)), *r = p + boot, *f = r + boot;
	uint64_t rng = 20240229;
	size_t i;
	int b;

	for (b = 0; p && b < boot; b++) {
		struct tally t = {0};

		for (i = 0; i < cnt; i++) {
			const struct tally *one = &pairs[next_random(&rng) % cnt];

			t.tp += one->tp;
			t.fn += one->fn;
			t.fp += one->fp;
		}
		r[b] = ratio(t.tp, t.fn);
		/* Without any leak among the drawn there is nothing to be precise about. */
		p[b] = isnan(r[b]) ? NAN : ratio(t.tp, t.fp);
		f[b] = isnan(r[b]) ? NAN : f1_of(&t);
	}
	if (!p)
		return;
	set_interval(&q->precision, p, boot);
	set_interval(&q->recall, r, boot);
	set_interval(&q->f1, f, boot);
	free(p);
}

struct pass {
	struct tally total;
	struct tally *pairs; /* in order of appearance */
	size_t pair_cnt;
	double *delay;
	double *lost;
	size_t found;
};

static void add_outcome(struct pass *p, const struct outcome *o, const struct hit *h,
			struct quality *q)
{
	q->leaky += o->leak;
	q->healthy += !o->leak;
	q->fp += h->false_cnt > 0;
	q->false_cnt += h->false_cnt;
	q->healthy_days += h->healthy_days;
	if (o->leak && h->found) {
		p->delay[p->found] = h->delay_s / 3600;
		p->lost[p->found++] = h->lost_bytes / MIB;
	}
}

static void finish_quality(struct pass *p, int boot, struct quality *q)
{
	q->tp = (size_t)p->total.tp;
	q->fn = (size_t)p->total.fn;
	q->precision.value = ratio(p->total.tp, p->total.fp);
	q->recall.value = ratio(p->total.tp, p->total.fn);
	q->f1.value = f1_of(&p->total);
	q->delay_h = median_of(p->delay, p->found);
	q->lost_mib = median_of(p->lost, p->found);
	q->false_per_1000 = q->healthy_days > 0 ? 1000 * q->false_cnt / q->healthy_days : NAN;
	if (boot && p->pair_cnt)
		bootstrap(p->pairs, p->pair_cnt, boot, q);
}

/*
 * What a false alarm of another shape's healthy series weighs in the precision of a leaky shape,
 * so that the shape stands against all healthy series at equal odds.
 */
static double foreign_weight(const struct outcomes *o, const char *shape)
{
	size_t i, own = 0, healthy = 0;

	for (i = 0; shape && i < o->cnt; i++) {
		own += o->v[i].leak && !strcmp(o->v[i].shape, shape);
		healthy += !o->v[i].leak;
	}
	return healthy ? (double)own / (double)healthy : 0;
}

struct quality score_rule(const struct outcomes *o, int rule, double threshold, const char *shape,
			  int boot)
{
	struct quality q = {0};
	struct pass p = {0};
	struct hit h;
	double weight, foreign = foreign_weight(o, shape);
	unsigned last = 0;
	size_t i;
	bool own;

	p.pairs = calloc(o->cnt + 1, sizeof(*p.pairs));
	p.delay = calloc(o->cnt + 1, sizeof(*p.delay));
	p.lost = calloc(o->cnt + 1, sizeof(*p.lost));
	for (i = 0; p.pairs && p.delay && p.lost && i < o->cnt; i++) {
		own = !shape || !strcmp(shape, o->v[i].shape);
		weight = own ? 1 : o->v[i].leak ? 0 : foreign;
		if (weight <= 0)
			continue;
		if (!p.pair_cnt || o->v[i].pair != last)
			p.pair_cnt++;
		last = o->v[i].pair;
		h = score_one(&o->v[i], rule, threshold);
		add_hit(&p.total, &o->v[i], &h, weight);
		add_hit(&p.pairs[p.pair_cnt - 1], &o->v[i], &h, weight);
		if (own)
			add_outcome(&p, &o->v[i], &h, &q);
	}
	finish_quality(&p, boot, &q);
	free(p.pairs);
	free(p.delay);
	free(p.lost);
	return q;
}

/* ---- thresholds ---- */

static int by_float(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* The highest scores of the series say where along its range a rule decides anything. */
static int list_thresholds(const struct outcomes *o, int rule, double *ret)
{
	float *top = calloc(o->cnt + 1, sizeof(*top));
	size_t i, k, n = 0;
	int cnt = 0;

	for (i = 0; top && i < o->cnt; i++) {
		float best = -INFINITY;

		for (k = 0; k < o->v[i].eval_cnt; k++)
			best = fmaxf(best, o->v[i].score[rule][k]);
		if (isfinite(best))
			top[n++] = best;
	}
	if (top)
		qsort(top, n, sizeof(*top), by_float);
	for (i = 0; n && i < THRESHOLD_CNT; i++) {
		double t = top[i * (n - 1) / (THRESHOLD_CNT - 1)];

		if (!cnt || t > ret[cnt - 1])
			ret[cnt++] = t;
	}
	free(top);
	return cnt;
}

double best_threshold(const struct outcomes *o, int rule)
{
	double list[THRESHOLD_CNT], best = INFINITY, best_f1 = -1;
	int i, n = list_thresholds(o, rule, list);

	for (i = 0; i < n; i++) {
		struct quality q = score_rule(o, rule, list[i], NULL, 0);

		if (q.f1.value > best_f1) {
			best_f1 = q.f1.value;
			best = list[i];
		}
	}
	return best;
}

double recall_at(const struct outcomes *o, int rule, double false_per_1000)
{
	double list[THRESHOLD_CNT + 2], best = 0;
	int i, n = list_thresholds(o, rule, list);

	if (rule == RULE_SEEP) {
		list[n++] = SCORE_LEAK;
		list[n++] = SCORE_SUSPECT;
	}
	for (i = 0; i < n; i++) {
		struct quality q = score_rule(o, rule, list[i], NULL, 0);

		if (q.false_per_1000 <= false_per_1000)
			best = fmax(best, q.recall.value);
	}
	return best;
}

/* ---- the list ---- */

struct outcome *outcomes__add(struct outcomes *o)
{
	size_t cap = o->cap ? 2 * o->cap : 256;
	struct outcome *v;

	if (o->cnt == o->cap) {
		v = realloc(o->v, cap * sizeof(*v));
		if (!v)
			return NULL;
		o->v = v;
		o->cap = cap;
	}
	memset(&o->v[o->cnt], 0, sizeof(*o->v));
	return &o->v[o->cnt++];
}

void outcomes__free(struct outcomes *o)
{
	size_t i;
	int r;

	for (i = 0; i < o->cnt; i++) {
		free(o->v[i].eval_s);
		free(o->v[i].leaked);
		for (r = 0; r < RULE_CNT; r++)
			free(o->v[i].score[r]);
	}
	free(o->v);
	memset(o, 0, sizeof(*o));
}
