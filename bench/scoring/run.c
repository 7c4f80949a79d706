// SPDX-License-Identifier: BSD-2-Clause
/* run.c - replays one labelled series through seep and the anchors, causally. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"
#include "detect/detector.h"

#define HOUR		   3600.0
#define BAR_BYTES_PER_HOUR (1024.0 * 1024.0)
#define BAR_SHARE_PER_HOUR .0012
#define BIN_CAP		   1024 /* samples of one bin that take part in its median */

struct runner {
	struct detector *detector;
	struct runner_opts opts;
	/* the bin being filled */
	double bin_at;
	double bin[BIN_CAP];
	size_t bin_cnt;
	/* the last ANCHOR_HISTORY whole bins */
	double t_s[ANCHOR_HISTORY];
	double bytes[ANCHOR_HISTORY];
	size_t cnt;
};

struct runner *runner__new(const struct runner_opts *opts)
{
	struct runner *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->opts = *opts;
	r->detector = detector__new(opts->window_s);
	if (!r->detector) {
		free(r);
		return NULL;
	}
	return r;
}

void runner__free(struct runner *r)
{
	if (!r)
		return;
	detector__free(r->detector);
	free(r);
}

/* ---- five-minute medians for the anchors ---- */

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void close_bin(struct runner *r)
{
	if (!r->bin_cnt)
		return;
	if (r->cnt == ANCHOR_HISTORY) {
		memmove(r->t_s, r->t_s + 1, (r->cnt - 1) * sizeof(*r->t_s));
		memmove(r->bytes, r->bytes + 1, (r->cnt - 1) * sizeof(*r->bytes));
		r->cnt--;
	}
	qsort(r->bin, r->bin_cnt, sizeof(*r->bin), by_double);
	r->t_s[r->cnt] = (r->bin_at + .5) * ANCHOR_BIN_S;
	r->bytes[r->cnt++] = r->bin[r->bin_cnt / 2];
	r->bin_cnt = 0;
}

static void fill_bin(struct runner *r, const struct shape_point *p)
{
	double at = floor(p->t_s / ANCHOR_BIN_S);

	if (at > r->bin_at)
		close_bin(r);
	r->bin_at = at;
	if (r->bin_cnt < BIN_CAP)
		r->bin[r->bin_cnt++] = p->bytes;
}

/* ---- one evaluation ---- */

static float seep_score(struct runner *r, struct outcome *o)
{
	struct verdict v;
	double c;

	detector__judge(r->detector, &v);
	c = isnan(v.confidence) ? 0 : fmax(0, fmin(.999, v.confidence));
	snprintf(o->reason, sizeof(o->reason), "%s", detector__reason(r->detector));
	if (v.state == VERDICT_LEAK)
		return (float)(SCORE_LEAK + c);
	if (v.state == VERDICT_SUSPECT)
		return (float)(SCORE_SUSPECT + c);
	return (float)c;
}

static void evaluate(struct runner *r, const struct shape_point *last, struct outcome *o)
{
	struct anchor_view view = {
		.t_s = r->t_s,
		.bytes = r->bytes,
		.cnt = r->cnt,
		.limit_bytes = last->limit_bytes,
		.window_s = r->opts.window_s,
		.life_s = last->t_s - o->begin_s,
	};
	size_t k = o->eval_cnt++;
	double scores[ANCHOR_CNT];
	int i;

	o->eval_s[k] = (float)(last->t_s - o->begin_s);
	o->leaked[k] = (float)last->leaked_bytes;
	o->score[RULE_SEEP][k] = seep_score(r, o);
	if (r->opts.anchors)
		anchors__score(&view, scores);
	for (i = 0; i < ANCHOR_CNT; i++)
		o->score[1 + i][k] = r->opts.anchors ? (float)scores[i] : -INFINITY;
}

/* ---- one series ---- */

static void push(struct runner *r, const struct shape_point *p)
{
	struct detector_point d = {
		.t_s = p->t_s,
		.bytes = p->bytes,
		.limit_bytes = p->limit_bytes,
		.load = p->load,
		.start = p->start,
	};

	detector__push(r->detector, &d);
	fill_bin(r, p);
}

/* As `seep replay` does: at the first sample of each quarter of an hour, and at the end. */
static void replay(struct runner *r, const struct shape_series *s, struct outcome *o)
{
	double next = o->begin_s + EVAL_S;
	size_t i;

	for (i = 0; i < s->cnt; i++) {
		push(r, &s->points[i]);
		if (s->points[i].t_s < next && i + 1 < s->cnt)
			continue;
		evaluate(r, &s->points[i], o);
		next += EVAL_S * (floor((s->points[i].t_s - next) / EVAL_S) + 1);
	}
}

/* Is the leak of the label large enough to be told to people? */
static bool is_material(const struct shape_series *s, double begin, double end)
{
	double from = fmax(s->onset_s, begin), level = 0;
	size_t i, n = 0;

	for (i = 0; i < s->cnt; i++) {
		if (s->points[i].t_s < from)
			continue;
		level += s->points[i].bytes;
		n++;
	}
	if (!n || end <= from)
		return false;
	level /= (double)n;
	return s->leaked_bytes_end / ((end - from) / HOUR) >=
	       fmax(BAR_BYTES_PER_HOUR, BAR_SHARE_PER_HOUR * level);
}

static int outcome_init(const struct runner *r, struct outcome *o, const struct shape_series *s,
			unsigned pair)
{
	size_t cap;
	int i;

	snprintf(o->name, sizeof(o->name), "%s", s->name);
	snprintf(o->shape, sizeof(o->shape), "%s", s->shape);
	o->pair = pair;
	o->begin_s = s->points[0].t_s;
	o->end_s = s->points[s->cnt - 1].t_s;
	o->leak = s->leak && (r->opts.as_labelled || is_material(s, o->begin_s, o->end_s));
	o->immaterial = s->leak && !o->leak;
	o->onset_s = s->onset_s;
	o->leaked_bytes_end = s->leaked_bytes_end;
	cap = (size_t)((o->end_s - o->begin_s) / EVAL_S) + 2;
	o->eval_s = calloc(cap, sizeof(*o->eval_s));
	o->leaked = calloc(cap, sizeof(*o->leaked));
	if (!o->eval_s || !o->leaked)
		return -ENOMEM;
	for (i = 0; i < RULE_CNT; i++) {
		o->score[i] = calloc(cap, sizeof(*o->score[i]));
		if (!o->score[i])
			return -ENOMEM;
	}
	return 0;
}

int runner__run(struct runner *r, const struct shape_series *s, unsigned pair, struct outcomes *out)
{
	struct outcome *o;

	if (s->cnt < 2)
		return 0;
	o = outcomes__add(out);
	if (!o || outcome_init(r, o, s, pair))
		return -ENOMEM;
	detector__reset(r->detector);
	r->cnt = r->bin_cnt = 0;
	replay(r, s, o);
	return 0;
}
