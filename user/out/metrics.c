// SPDX-License-Identifier: BSD-2-Clause
/*
 * metrics.c - see metrics.h. The text formats are those of prometheus.io/docs/instrumenting and
 * of OpenMetrics 1.0, which differ in the names of counters, in the content type and in the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../incident/text.h"
#include "metrics.h"

struct metric_labels {
	struct metric_labels *next; /* all of the set, for freeing */
	size_t cnt;
	struct metric_label v[METRICS_LABELS_MAX]; /* names are static, values ours */
};

struct sample {
	const struct metric_labels *labels;
	double value;
};

struct family {
	struct sample *samples;
	size_t cnt, cap;
};

struct metrics {
	const struct metric_desc *descs;
	struct family *families;
	size_t cnt;
	struct metric_labels *all_labels;
	int err;
};

struct metrics *metrics__new(const struct metric_desc *descs, size_t cnt)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->families = calloc(cnt, sizeof(*m->families));
	if (!m->families) {
		free(m);
		return NULL;
	}
	m->descs = descs;
	m->cnt = cnt;
	return m;
}

static void free_labels(struct metric_labels *l)
{
	size_t i;

	for (i = 0; i < l->cnt; i++)
		free((char *)l->v[i].value);
	free(l);
}

void metrics__free(struct metrics *m)
{
	struct metric_labels *next;
	size_t i;

	if (!m)
		return;
	for (i = 0; i < m->cnt; i++)
		free(m->families[i].samples);
	free(m->families);
	for (; m->all_labels; m->all_labels = next) {
		next = m->all_labels->next;
		free_labels(m->all_labels);
	}
	free(m);
}

/* ---- taking ------------------------------------------------------------------------------ */

/* FNV-1a */
static uint32_t hash_of(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* NULL: out of memory. */
static char *safe_value(const char *value)
{
	char *clean = text__clean(value, METRICS_LABEL_MAX), *marked = NULL;

	if (!clean || !strcmp(clean, value))
		return clean;
	/* room for the mark within the bound, cut between characters again */
	free(clean);
	clean = text__clean(value, METRICS_LABEL_MAX - 9);
	if (clean && asprintf(&marked, "%s~%08" PRIx32, clean, hash_of(value)) < 0)
		marked = NULL;
	free(clean);
	return marked;
}

const struct metric_labels *metrics__labels(struct metrics *m, const struct metric_label *labels,
					    size_t cnt)
{
	struct metric_labels *l = calloc(1, sizeof(*l));
	size_t i;

	if (!l) {
		m->err = -ENOMEM;
		return NULL;
	}
	for (i = 0; i < cnt && l->cnt < METRICS_LABELS_MAX; i++) {
		struct metric_label *to = &l->v[l->cnt];

		if (!labels[i].value || !*labels[i].value)
			continue;
		to->name = labels[i].name;
		to->value = safe_value(labels[i].value);
		if (to->value)
			l->cnt++;
		else
			m->err = -ENOMEM;
	}
	l->next = m->all_labels;
	m->all_labels = l;
	return l;
}

static int make_room(struct family *f)
{
	size_t cap = f->cap ? 2 * f->cap : 8;
	struct sample *samples;

	if (f->cnt < f->cap)
		return 0;
	samples = reallocarray(f->samples, cap, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	f->samples = samples;
	f->cap = cap;
	return 0;
}

void metrics__add(struct metrics *m, size_t family, const struct metric_labels *labels,
		  double value)
{
	struct family *f = &m->families[family];

	if (!isfinite(value))
		return;
	if (make_room(f)) {
		m->err = -ENOMEM;
		return;
	}
	f->samples[f->cnt++] = (struct sample){.labels = labels, .value = value};
}

void metrics__add_one(struct metrics *m, size_t family, const char *label, const char *value,
		      double number)
{
	const struct metric_label one = {label, value};

	metrics__add(m, family, metrics__labels(m, &one, 1), number);
}

/* ---- telling ----------------------------------------------------------------------------- */

int metrics__foreach(const struct metrics *m, metrics_family_fn on_family,
		     metrics_sample_fn on_sample, void *ctx)
{
	static const struct metric_labels none;
	size_t i, j;

	for (i = 0; i < m->cnt; i++) {
		const struct family *f = &m->families[i];

		if (!f->cnt)
			continue;
		on_family(ctx, &m->descs[i]);
		for (j = 0; j < f->cnt; j++) {
			const struct metric_labels *l = f->samples[j].labels;

			if (!l)
				l = &none;
			on_sample(ctx, l->v, l->cnt, f->samples[j].value);
		}
	}
	return m->err;
}

enum metrics_format metrics__format_of(const char *accept)
{
	return strstr(accept, "application/openmetrics-text") ? METRICS_OPENMETRICS
							      : METRICS_PROMETHEUS;
}

const char *metrics__content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

struct text {
	enum metrics_format format;
	struct buf *b;
	const struct metric_desc *desc;
};

static void text_family(void *ctx, const struct metric_desc *desc)
{
	struct text *t = ctx;
	size_t len = strlen(desc->name);

	t->desc = desc;
	/* OpenMetrics names a family of counters without the suffix of its samples */
	if (t->format == METRICS_OPENMETRICS && desc->type == METRIC_COUNTER)
		len -= strlen("_total");
	buf__printf(t->b, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, desc->name, desc->help,
		    (int)len, desc->name, desc->type == METRIC_COUNTER ? "counter" : "gauge");
}

static void put_label(struct buf *b, const struct metric_label *l)
{
	const char *p;

	buf__printf(b, "%s=\"", l->name);
	for (p = l->value; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf__append(b, "\\", 1);
		buf__append(b, p, 1); /* no newlines: text__clean took them out */
	}
	buf__append(b, "\"", 1);
}

/* As short as it can be read back. */
static void put_value(struct buf *b, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	buf__puts(b, text);
}

static void text_sample(void *ctx, const struct metric_label *labels, size_t cnt, double value)
{
	struct text *t = ctx;
	size_t i;

	buf__puts(t->b, t->desc->name);
	for (i = 0; i < cnt; i++) {
		buf__puts(t->b, i ? "," : "{");
		put_label(t->b, &labels[i]);
	}
	buf__puts(t->b, cnt ? "} " : " ");
	put_value(t->b, value);
	buf__puts(t->b, "\n");
}

int metrics__render(const struct metrics *m, enum metrics_format format, struct buf *body)
{
	struct text t = {.format = format, .b = body};
	int err = metrics__foreach(m, text_family, text_sample, &t);

	if (format == METRICS_OPENMETRICS)
		buf__puts(body, "# EOF\n");
	return err ? err : body->err;
}
