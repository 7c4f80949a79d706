/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.h - takes out of the memory what the work explains: memory = a + b load + c time.
 */
#ifndef SEEP_DETECT_LOAD_H
#define SEEP_DETECT_LOAD_H

#include "view.h"

struct load_fit {
	int known;      /* load was there, and enough of it */
	double b;       /* bytes per unit of load, >= 0 */
	double c;       /* what time explains, at b */
	double c_hi;    /* the same at the upper end of b's interval */
	double c_none;  /* the same without load */
	float smooth[VIEW_LONG]; /* the load as memory follows it (best of several ways) */
	double alone_b;  /* bytes per unit of load when time explains nothing */
	double alone_r2; /* part of the variance that this explains */
	float alone[VIEW_LONG]; /* the load as memory follows it best in that case */
};

/* y: floors or means of the joined history of v. */
void load__fit(const struct view *v, const float *y, struct load_fit *ret);
/* Subtract b * (load - its mean) from n values. */
void load__remove(const struct load_fit *lf, float *y, int n);

#endif /* SEEP_DETECT_LOAD_H */
