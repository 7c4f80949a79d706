/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * score.h - the learned part: from features to a probability that growth is a leak.
 */
#ifndef SEEP_DETECT_SCORE_H
#define SEEP_DETECT_SCORE_H

/* f: F_CNT features in the order of feature.h. Returns 0..1. */
double score__of(const float *f);

#endif /* SEEP_DETECT_SCORE_H */
