/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * past.c - a ring of windows; see past.h for what it is good for.
 */
#include <math.h>

#include "past.h"

static void blank(struct past *p, int i)
{
	p->low[i] = p->high[i] = NAN;
	p->sum[i] = 0;
	p->cnt[i] = 0;
}

void past__reset(struct past *p)
{
	int i;

	p->head = -1;
	for (i = 0; i < VIEW_PAST; i++)
		blank(p, i);
}

void past__add(struct past *p, long long window, float floor, float mean)
{
	int i = (int)(window % VIEW_PAST);

	if (isnan(floor))
		return;
	if (p->head < 0 || window - p->head > VIEW_PAST) {
		past__reset(p);
		p->head = window - 1;
	}
	while (p->head < window)
		blank(p, (int)(++p->head % VIEW_PAST));
	p->low[i] = fminf(p->low[i], floor);
	p->high[i] = fmaxf(p->high[i], mean);
	p->sum[i] += mean;
	p->cnt[i]++;
}

void past__read(const struct past *p, struct view *v)
{
	long long window = p->head < VIEW_PAST ? 0 : p->head - VIEW_PAST + 1;
	int n = 0;

	for (; window <= p->head; window++) {
		int i = (int)(window % VIEW_PAST);

		if (!n && !p->cnt[i])
			continue;
		v->past_low[n] = p->low[i];
		v->past_high[n] = p->high[i];
		v->past_mean[n++] = p->cnt[i] ? p->sum[i] / p->cnt[i] : NAN;
	}
	v->n_past = n;
}
