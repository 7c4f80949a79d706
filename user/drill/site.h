/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site.h - a call site and what it still owns: the arrow from drill/ to incidents and outputs.
 */
#ifndef SEEP_DRILL_SITE_H
#define SEEP_DRILL_SITE_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "../sym/frame.h"

#define SITE_COHORTS 20 /* log2 of the age in seconds: [0] < 1 s, [k] < 2^k s */

#define SITE_EVIDENCE_LEN 256

enum site_verdict { SITE_UNKNOWN, SITE_LEAK, SITE_CACHE, SITE_CHURN };

struct site {
	double outstanding_bytes;            /* estimate */
	double outstanding_lo_bytes, outstanding_hi_bytes; /* 95 % */
	double outstanding_count;
	double allocated_bytes, allocated_count; /* since the start, freed or not; NAN = not known */
	double growth_bytes_per_hour;        /* NAN = run too short */
	double oldest_age_s, median_age_s;
	double cohort_bytes[SITE_COHORTS];
	unsigned asked, unreferred;          /* of its blocks: looked for in all memory, found nowhere */
	enum site_verdict verdict;
	char evidence[SITE_EVIDENCE_LEN];    /* the numbers behind the verdict, one sentence */
	const char *allocator;
	uint64_t samples;
	struct frame *frames;                /* innermost first */
	int frame_cnt;
	int is_whole;                        /* the chain reaches its outermost frame */
};

const char *site__verdict_name(enum site_verdict verdict);
/*
 * 1: most of the blocks that were looked for are referred to from nowhere, and they are enough to tell:
 * it leaks, whatever their ages say.
 */
int site__is_lost(unsigned asked, unsigned unreferred);
/* What the ages of its blocks say, as long as that is not overruled so; or NULL. */
const char *site__ages(const struct site *s);
/* {"blocks":asked,"unreferenced":unreferred}; null when none was looked for. */
json_t *site__references(unsigned asked, unsigned unreferred);
/* The same in words; "" when none was. Returns buf. */
const char *site__say_references(unsigned asked, unsigned unreferred, char *buf, size_t cap);
/* The verdict's numbers as an array of sentences: this one (NULL: none) and that on references. */
json_t *site__evidence(const char *sentence, unsigned asked, unsigned unreferred);
/* SITE of the CLI contract. NULL: out of memory. */
json_t *site__to_json(const struct site *s);

#endif /* SEEP_DRILL_SITE_H */
