/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * otlp.h - pushes metrics to an OpenTelemetry collector: OTLP/HTTP, JSON encoding.
 *
 * One export at a time, in a thread of its own. What could not be delivered is not kept: the next
 * export tells newer numbers, and counters go on from where they are.
 */
#ifndef SEEP_OUT_OTLP_H
#define SEEP_OUT_OTLP_H

#include <stdint.h>

#include "../base/buf.h"
#include "metrics.h"
#include "post.h"

struct otlp;

struct otlp_cfg {
	const char *url;	 /* as it stands: ".../v1/metrics" */
	const char *header_file; /* as in post.h, or NULL */
	const char *node;
	double start_s; /* when counters began, Unix seconds */
};

/* Strings must outlive it. 0 or -errno. */
int otlp__new(const struct otlp_cfg *cfg, struct otlp **ret_otlp);
/* A running export is told to give up. NULL is fine. */
void otlp__free(struct otlp *o);

/* Readable when an export is over: then call otlp__settle. */
int otlp__fd(const struct otlp *o);
void otlp__settle(struct otlp *o);
/* Never blocks. 0, -EBUSY while an export is under way, -ENOMEM. */
int otlp__push(struct otlp *o, const struct metrics *m, double now_s);

/* The body alone (tests). 0 or -ENOMEM. */
int otlp__encode(const struct metrics *m, const char *node, double start_s, double now_s,
		 struct buf *body);

struct otlp_stats {
	uint64_t sent, failed, skipped; /* skipped: the one before was still under way */
	char error[POST_WHY_LEN];       /* of the last one; "" when it went well */
};
void otlp__stats(const struct otlp *o, struct otlp_stats *ret_stats);

#endif /* SEEP_OUT_OTLP_H */
