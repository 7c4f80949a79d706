/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence.h - the numbers behind a judgement as plain sentences.
 */
#ifndef SEEP_DETECT_EVIDENCE_H
#define SEEP_DETECT_EVIDENCE_H

#include "assess.h"
#include "detector.h"

int evidence__write(const struct assessment *a, int open, char lines[][DETECTOR_EVIDENCE_LEN],
		    int cap);

#endif /* SEEP_DETECT_EVIDENCE_H */
