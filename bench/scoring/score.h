/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * score.h - from scores over time to alarms, and from alarms to precision and recall.
 *
 * A rule gives one score at each evaluation; an alarm is open from the first score at or over the
 * threshold until the score has been under it for an hour. All numbers of the tables come from
 * here, for seep and for the anchors alike.
 */
#ifndef SEEP_BENCH_SCORE_H
#define SEEP_BENCH_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../anchors.h"

#define EVAL_S	  900.0
#define QUIET_S	  3600.0 /* an alarm closes after this long under the threshold */
#define RULE_SEEP 0	 /* then the anchors, in their order */
#define RULE_CNT  (1 + ANCHOR_CNT)
/* Scores of seep: the tier, plus the confidence within it. */
#define SCORE_SUSPECT 1.0
#define SCORE_LEAK    2.0

/* What is kept of one series once it was replayed. */
struct outcome {
	char name[48];
	char shape[24];
	char reason[24]; /* of the detector, at the end */
	unsigned pair;	 /* original and injected copy share it */
	bool leak;	 /* and material: at least max(1 MiB/h, .12 %/h of the level) */
	bool immaterial; /* labelled a leak, but below the bar: counted as healthy */
	double onset_s;
	double begin_s;
	double end_s;
	double leaked_bytes_end;
	size_t eval_cnt;
	float *eval_s; /* since begin_s */
	float *leaked; /* bytes lost by then */
	float *score[RULE_CNT];
};

struct outcomes {
	struct outcome *v;
	size_t cnt;
	size_t cap;
};

/* Of one series at one threshold. */
struct hit {
	bool found;	    /* leaky: an alarm opened at or after the onset */
	unsigned false_cnt; /* alarms that opened on healthy memory */
	double delay_s;
	double lost_bytes;
	double healthy_days; /* exposure: all of a healthy series, a leaky one up to its onset */
};

struct interval {
	double value, lo, hi;
};

struct quality {
	size_t leaky, healthy;
	size_t tp, fn, fp;
	struct interval precision, recall, f1;
	double delay_h;	 /* median */
	double lost_mib; /* median */
	double false_cnt;
	double healthy_days;
	double false_per_1000; /* healthy series-days */
};

/* Shapes equal to `shape` only; NULL: all. boot: resamples for the intervals, 0: none. */
struct quality score_rule(const struct outcomes *o, int rule, double threshold, const char *shape,
			  int boot);
struct hit score_one(const struct outcome *o, int rule, double threshold);
/* When alarms opened, on the clock of the series: how many, of which up to cap are filled in. */
size_t list_alarms(const struct outcome *o, int rule, double threshold, double *ret_s, size_t cap);
/* The threshold with the best F1. */
double best_threshold(const struct outcomes *o, int rule);
/* The best recall of any threshold with at most this many false alarms per 1000 days. */
double recall_at(const struct outcomes *o, int rule, double false_per_1000);

struct outcome *outcomes__add(struct outcomes *o);
void outcomes__free(struct outcomes *o);

#endif /* SEEP_BENCH_SCORE_H */
