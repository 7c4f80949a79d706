/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runs.h - joins the runs of a program that is restarted now and then into one history.
 */
#ifndef SEEP_DETECT_RUNS_H
#define SEEP_DETECT_RUNS_H

#include "view.h"

/*
 * Rewrites the long arrays of v: the first part of each run (its warm-up) is left out and each
 * earlier run is shifted to end where the next one begins, so that growth repeated in every run
 * adds up and a warm-up repeated in every run does not. Fills v->runs, v->run_late.
 */
void runs__join(struct view *v);

#endif /* SEEP_DETECT_RUNS_H */
