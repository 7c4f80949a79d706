/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence.c - says in plain English, with the numbers in the sentence, what was seen.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "evidence.h"

#define LINES 6 /* nobody reads more */
#define LOAD_TOLD .1 /* less than this the load explains nothing */

struct page {
	char (*lines)[DETECTOR_EVIDENCE_LEN];
	int cap;
	int n;
};

static const struct {
	const char *reason;
	const char *text;
} reasons[] = {
	{ "warming", "the history is too short to tell a leak from a warm-up" },
	{ "flat", "the floor did not grow by an amount that matters" },
	{ "shrinks", "the floor shrinks" },
	{ "step", "the growth is one step, not a trend" },
	{ "few-steps", "the growth came in too few separate rises to call it a trend" },
	{ "plateau", "the growth stopped: a warm-up or a fill that reached its plateau" },
	{ "slowing", "the growth slows down as a fill or a warm-up does" },
	{ "unsteady", "the growth is not consistent along the window" },
	{ "noise", "the growth is not large against the noise of the floor" },
	{ "given-back", "much of the growth was given back" },
	{ "not-new", "the level was held before: a climb back is not growth" },
	{ "load", "the load explains the growth" },
	{ "weak", "the signs of a leak are there but not strong enough" },
};

__attribute__((format(printf, 2, 3))) static void say(struct page *p, const char *format, ...)
{
	va_list args;

	if (p->n >= p->cap)
		return;
	va_start(args, format);
	vsnprintf(p->lines[p->n++], DETECTOR_EVIDENCE_LEN, format, args);
	va_end(args);
}

static const char *size(double bytes, char *buf, size_t sz)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t u = 0;

	while (fabs(bytes) >= 1024 && u < 4) {
		bytes /= 1024;
		u++;
	}
	snprintf(buf, sz, fabs(bytes) < 10 && u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
	return buf;
}

static const char *span(double s, char *buf, size_t sz)
{
	if (isinf(s))
		snprintf(buf, sz, "never");
	else if (s < 120)
		snprintf(buf, sz, "%.0f s", s);
	else if (s < 2 * 3600)
		snprintf(buf, sz, "%.0f min", s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, sz, "%.1f h", s / 3600);
	else
		snprintf(buf, sz, "%.1f days", s / 86400);
	return buf;
}

static void say_growth(struct page *p, const struct assessment *a)
{
	char b[5][32];

	say(p, "the floor %s %s in %s: %s per hour (95 %%: %s to %s)",
	    a->growth_bytes < 0 ? "fell" : "grew",
	    size(fabs(a->growth_bytes), b[0], sizeof(b[0])),
	    span(a->horizon_s, b[1], sizeof(b[1])), size(a->slope * 3600, b[2], sizeof(b[2])),
	    size(a->slope_lo * 3600, b[3], sizeof(b[3])),
	    size(a->slope_hi * 3600, b[4], sizeof(b[4])));
}

static void say_shape(struct page *p, const struct assessment *a)
{
	const struct trend *t = &a->trend;
	char b[2][32];

	say(p, "the last third of that span grew at %.0f %%, the first at %.0f %% of the overall rate; "
	    "the largest single rise is %.0f %% of the growth",
	    100 * t->late, 100 * t->early, 100 * t->jump);
	say(p, "a straight line explains %.0f %% of the window; noise of the floor is %s, the "
	    "largest amount given back %s", 100 * a->straight,
	    size(t->noise, b[0], sizeof(b[0])), size(t->drawdown, b[1], sizeof(b[1])));
}

static void say_reason(struct page *p, const struct assessment *a)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (!strcmp(a->reason, reasons[i].reason))
			say(p, "not called a leak: %s", reasons[i].text);
	}
}

int evidence__write(const struct assessment *a, int open, char lines[][DETECTOR_EVIDENCE_LEN],
		    int cap)
{
	struct page p = { lines, cap < LINES ? cap : LINES, 0 };

	if (!open)
		say_reason(&p, a);
	if (a->known) {
		say_growth(&p, a);
		say_shape(&p, a);
	}
	if (a->load_share > LOAD_TOLD)
		say(&p, "the load explains %.0f %% of the growth", 100 * a->load_share);
	if (a->restarts)
		say(&p, "the same growth was seen in %d runs, before and after restarts",
		    a->restarts);
	if (a->known)
		say(&p, "score %.2f of 1 (an alarm opens at %.2f)", a->score, SCORE_OPEN);
	if (!p.n)
		say(&p, "nothing was seen yet");
	return p.n;
}
