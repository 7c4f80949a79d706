// SPDX-License-Identifier: BSD-2-Clause
/* report.c - the tables of the bench, as text or as JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "report.h"

#define BOOT	  1000
#define ROW_MAX	  (2 + 2 * ANCHOR_CNT)
#define SHAPE_MAX 80

struct row {
	char name[32];
	int rule;
	double threshold;
	struct quality q;
	double recall_at[3];
};

static const double rates[3] = {10, 50, 100};
static int json_sets;

/* ---- rows ---- */

static void fill_row(const struct set *s, struct row *row, const char *name, const char *suffix,
		     int rule, double threshold)
{
	int i;

	snprintf(row->name, sizeof(row->name), "%s%s", name, suffix);
	row->rule = rule;
	row->threshold = threshold;
	row->q = score_rule(&s->report, rule, threshold, NULL, BOOT);
	for (i = 0; i < 3; i++)
		row->recall_at[i] = recall_at(&s->report, rule, rates[i]);
}

static int make_rows(const struct set *s, bool with_anchors, struct row *rows)
{
	int i, n = 0;

	fill_row(s, &rows[n++], "seep", "", RULE_SEEP, SCORE_LEAK);
	fill_row(s, &rows[n++], "seep", ", suspects", RULE_SEEP, SCORE_SUSPECT);
	for (i = 0; with_anchors && i < ANCHOR_CNT; i++) {
		fill_row(s, &rows[n++], anchors[i].name, "", 1 + i, anchors[i].published);
		fill_row(s, &rows[n++], anchors[i].name, ", tuned", 1 + i,
			 best_threshold(s->tune, 1 + i));
	}
	return n;
}

/* Names of the shapes in a set, in order of appearance, leaky ones first. */
static size_t list_shapes(const struct outcomes *o, const char **ret, size_t cap)
{
	size_t i, k, n = 0;
	int leak;

	for (leak = 1; leak >= 0; leak--) {
		for (i = 0; i < o->cnt && n < cap; i++) {
			if (o->v[i].leak != leak)
				continue;
			for (k = 0; k < n && strcmp(ret[k], o->v[i].shape); k++)
				;
			if (k == n)
				ret[n++] = o->v[i].shape;
		}
	}
	return n;
}

/* ---- text ---- */

static void print_interval(const struct interval *v)
{
	if (isnan(v->value))
		printf("  %-17s", "-");
	else
		printf("  %.3f %.3f-%.3f", v->value, v->lo, v->hi);
}

static void print_number(double v, int width, int digits)
{
	if (isnan(v))
		printf("  %*s", width, "-");
	else
		printf("  %*.*f", width, digits, v);
}

static void print_rows(const struct row *rows, int n)
{
	int i, k;

	printf("%-22s %9s  %-17s  %-17s  %-17s  %7s  %8s  %8s  %5s  %5s  %5s\n", "rule",
	       "threshold", "P", "R", "F1", "delay h", "lost MiB", "false/kd", "R@10", "R@50",
	       "R@100");
	for (i = 0; i < n; i++) {
		const struct row *r = &rows[i];

		printf("%-22s %9.3g", r->name, r->threshold);
		print_interval(&r->q.precision);
		print_interval(&r->q.recall);
		print_interval(&r->q.f1);
		print_number(r->q.delay_h, 7, 1);
		print_number(r->q.lost_mib, 8, 1);
		print_number(r->q.false_per_1000, 8, 1);
		for (k = 0; k < 3; k++)
			print_number(r->recall_at[k], 5, 3);
		printf("\n");
	}
}

/* Share of a shape's series that were found (leaky) or disturbed (healthy). */
static double share(const struct quality *q)
{
	if (q->leaky)
		return q->recall.value;
	return q->healthy ? (double)q->fp / (double)q->healthy : NAN;
}

static void print_shape(const struct set *s, const struct row *rows, int n, const char *shape)
{
	struct quality q = score_rule(&s->report, RULE_SEEP, SCORE_LEAK, shape, BOOT);
	int i;

	if (!q.leaky) /* precision is of the whole set, not of a healthy shape */
		q.precision.value = q.f1.value = NAN;
	printf("%-20s %5zu %5zu", shape, q.leaky, q.healthy);
	print_interval(&q.precision);
	print_interval(&q.recall);
	print_interval(&q.f1);
	print_number(q.delay_h, 7, 1);
	print_number(q.lost_mib, 8, 1);
	print_number(q.false_per_1000, 8, 1);
	printf("  |");
	for (i = 1; i < n; i++) {
		if (i > 1 && !strstr(rows[i].name, "tuned"))
			continue;
		q = score_rule(&s->report, rows[i].rule, rows[i].threshold, shape, 0);
		print_number(share(&q), 4, 2);
	}
	printf("\n");
}

static void print_shape_header(int row_cnt)
{
	int i;

	printf("\nper shape: seep at its leak tier, P and F1 against all healthy series\n"
	       "at equal odds; right of the bar the share of series found (leaky) or\n"
	       "disturbed (healthy) by seep's suspects and by the anchors, tuned\n\n");
	printf("%-20s %5s %5s  %-17s  %-17s  %-17s  %7s  %8s  %8s  |", "shape", "leaky", "well",
	       "P", "R", "F1", "delay h", "lost MiB", "false/kd");
	printf("  %4s", "susp");
	for (i = 0; row_cnt > 2 && i < ANCHOR_CNT; i++)
		printf("  %4s", anchors[i].tag);
	printf("\n");
}

static void print_shapes(const struct set *s, const struct row *rows, int n)
{
	const char *names[SHAPE_MAX];
	size_t i, cnt = list_shapes(&s->report, names, SHAPE_MAX);

	if (cnt == s->report.cnt)
		return; /* one series each: that is what --list is for */
	print_shape_header(n);
	for (i = 0; i < cnt; i++)
		print_shape(s, rows, n, names[i]);
}

static void count_set(const struct outcomes *o, size_t *ret_leaky, size_t *ret_small)
{
	size_t i;

	*ret_leaky = *ret_small = 0;
	for (i = 0; i < o->cnt; i++) {
		*ret_leaky += o->v[i].leak;
		*ret_small += o->v[i].immaterial;
	}
}

void report__text(const struct set *s, bool with_anchors)
{
	struct row rows[ROW_MAX];
	int n = make_rows(s, with_anchors, rows);
	size_t leaky, small;

	count_set(&s->report, &leaky, &small);
	printf("\n%s: %zu series, %zu leaky, %zu healthy (%zu of them with a leak below the bar), "
	       "%.0f healthy days\n\n",
	       s->title, s->report.cnt, leaky, s->report.cnt - leaky, small,
	       rows[0].q.healthy_days);
	print_rows(rows, n);
	print_shapes(s, rows, n);
}

/* ---- JSON ---- */

static void json_number(const char *key, double v)
{
	if (isfinite(v))
		printf("\"%s\":%.6g", key, v);
	else
		printf("\"%s\":null", key);
}

static void json_interval(const char *key, const struct interval *v)
{
	char name[32];

	json_number(key, v->value);
	snprintf(name, sizeof(name), "%s_lo", key);
	printf(",");
	json_number(name, v->lo);
	snprintf(name, sizeof(name), "%s_hi", key);
	printf(",");
	json_number(name, v->hi);
}

static void json_quality(const struct quality *q)
{
	printf("\"leaky\":%zu,\"healthy\":%zu,\"tp\":%zu,\"fp\":%zu,\"fn\":%zu,", q->leaky,
	       q->healthy, q->tp, q->fp, q->fn);
	json_interval("precision", &q->precision);
	printf(",");
	json_interval("recall", &q->recall);
	printf(",");
	json_interval("f1", &q->f1);
	printf(",");
	json_number("delay_h", q->delay_h);
	printf(",");
	json_number("lost_mib", q->lost_mib);
	printf(",");
	json_number("false_per_1000_days", q->false_per_1000);
}

static void json_rows(const struct row *rows, int n)
{
	char key[24];
	int i, k;

	for (i = 0; i < n; i++) {
		printf("%s{\"rule\":\"%s\",", i ? "," : "", rows[i].name);
		json_number("threshold", rows[i].threshold);
		printf(",");
		json_quality(&rows[i].q);
		for (k = 0; k < 3; k++) {
			snprintf(key, sizeof(key), "recall_at_%.0f", rates[k]);
			printf(",");
			json_number(key, rows[i].recall_at[k]);
		}
		printf("}");
	}
}

void report__json(const struct set *s, bool with_anchors)
{
	struct row rows[ROW_MAX];
	int n = make_rows(s, with_anchors, rows);
	const char *names[SHAPE_MAX];
	size_t i, cnt = list_shapes(&s->report, names, SHAPE_MAX);

	printf("%s{\"set\":\"%s\",\"series\":%zu,\"rules\":[", json_sets++ ? "," : "", s->title,
	       s->report.cnt);
	json_rows(rows, n);
	printf("],\"shapes\":[");
	for (i = 0; i < cnt; i++) {
		struct quality q = score_rule(&s->report, RULE_SEEP, SCORE_LEAK, names[i], BOOT);

		printf("%s{\"shape\":\"%s\",", i ? "," : "", names[i]);
		json_quality(&q);
		printf("}");
	}
	printf("]}");
}

/* ---- one by one ---- */

void report__wrong(const struct outcomes *o)
{
	size_t i;

	for (i = 0; i < o->cnt; i++) {
		const struct outcome *x = &o->v[i];
		struct hit h = score_one(x, RULE_SEEP, SCORE_LEAK);

		if (h.false_cnt)
			fprintf(stderr, "false  %-16s %-18s %u alarms\n", x->name, x->shape,
				h.false_cnt);
		if (x->leak && !h.found)
			fprintf(stderr,
				"missed %-16s %-18s onset %.1f h of %.1f h, %.0f MiB, reason %s\n",
				x->name, x->shape, (x->onset_s - x->begin_s) / 3600,
				(x->end_s - x->begin_s) / 3600, x->leaked_bytes_end / 1048576,
				x->reason);
	}
}

void report__list(const struct outcomes *o, double time_by)
{
	double at[32];
	size_t i, k, n;

	for (i = 0; i < o->cnt; i++) {
		const struct outcome *x = &o->v[i];

		n = list_alarms(x, RULE_SEEP, SCORE_LEAK, at, 32);
		printf("%s %s %s ", x->name, x->shape, x->leak ? "leak" : "healthy");
		for (k = 0; k < n && k < 32; k++)
			printf("%s%.6g", k ? "," : "", at[k] * time_by);
		printf("%s\n", n ? "" : "-");
	}
}
