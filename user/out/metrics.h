/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.h - a set of metrics, taken once and told in any format.
 *
 * The families are a table of the caller's; samples are added by the index of their row, and each
 * label set is shared by all families of one object. Labels are made safe when they come in:
 * valid UTF-8 without control characters, at most METRICS_LABEL_MAX bytes. A value that had to be
 * changed for that ends in a hash of what it was, so that two objects never become one series.
 *
 * Adding never fails by itself: what could not be kept makes the rendering fail with -ENOMEM.
 */
#ifndef SEEP_OUT_METRICS_H
#define SEEP_OUT_METRICS_H

#include <stddef.h>

#include "../base/buf.h"

#define METRICS_LABEL_MAX  200
#define METRICS_LABELS_MAX 12 /* of one sample */

enum metric_type { METRIC_GAUGE, METRIC_COUNTER };

/* Counters end in _total; units are base units and stand in the name. */
struct metric_desc {
	const char *name;
	enum metric_type type;
	const char *help;
};

struct metric_label {
	const char *name;
	const char *value; /* NULL or "": the label is left out */
};

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

struct metrics;
struct metric_labels;

/* descs must outlive the set. NULL: out of memory. */
struct metrics *metrics__new(const struct metric_desc *descs, size_t cnt);
void metrics__free(struct metrics *m);

/* A label set for metrics__add; lives as long as the metrics. NULL: out of memory (noted). */
const struct metric_labels *metrics__labels(struct metrics *m, const struct metric_label *labels,
					    size_t cnt);
/* labels NULL: none. NAN and infinities are unknown, and left out. */
void metrics__add(struct metrics *m, size_t family, const struct metric_labels *labels,
		  double value);
/* The same with at most one label. */
void metrics__add_one(struct metrics *m, size_t family, const char *label, const char *value,
		      double number);

/* What an Accept header asks for, and the Content-Type of it. */
enum metrics_format metrics__format_of(const char *accept);
const char *metrics__content_type(enum metrics_format format);

/* 0 or -ENOMEM. Families without samples do not appear. */
int metrics__render(const struct metrics *m, enum metrics_format format, struct buf *body);

/* For exporters that are not text: every sample, family by family. */
typedef void (*metrics_family_fn)(void *ctx, const struct metric_desc *desc);
typedef void (*metrics_sample_fn)(void *ctx, const struct metric_label *labels, size_t cnt,
				  double value);
int metrics__foreach(const struct metrics *m, metrics_family_fn on_family,
		     metrics_sample_fn on_sample, void *ctx);

#endif /* SEEP_OUT_METRICS_H */
