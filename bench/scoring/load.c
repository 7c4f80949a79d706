// SPDX-License-Identifier: BSD-2-Clause
/*
 * load.c - recordings with labels, as series that can be run.
 *
 * Labels are one flat JSON object: "name":{"leak":bool,"onset_s":t,"leaked_bytes_end":n,
 * "shape":"..","half":"tune"|"report"}; shape and half may be missing. What leaked between the
 * onset and the end is taken as a straight line, which only the column "lost" depends on.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "load.h"
#include "series/tape.h"

struct label {
	bool leak;
	double onset_s;
	double leaked_bytes_end;
	char shape[24];
	enum corpus_half half;
};

static int read_text(const char *path, char **ret_text)
{
	size_t len = 0, cap = 1 << 16, n;
	char *text = malloc(cap), *more;
	FILE *f = fopen(path, "r");

	while (f && text && (n = fread(text + len, 1, cap - len - 1, f)) > 0) {
		len += n;
		if (cap - len > 1)
			continue;
		more = realloc(text, cap *= 2);
		if (!more)
			break;
		text = more;
	}
	if (!f || !text || ferror(f) || !feof(f)) {
		fprintf(stderr, "accuracy: cannot read labels '%s'\n", path);
		free(text);
		if (f)
			fclose(f);
		return -EIO;
	}
	fclose(f);
	text[len] = 0;
	*ret_text = text;
	return 0;
}

/* The value of a key between `from` and `end`, or NULL. */
static const char *find_key(const char *from, const char *end, const char *key)
{
	char quoted[40];
	const char *p;

	snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	p = strstr(from, quoted);
	if (!p || p >= end)
		return NULL;
	p += strlen(quoted);
	while (p < end && strchr(" \t\r\n:", *p))
		p++;
	return p;
}

static double number_at(const char *from, const char *end, const char *key)
{
	const char *p = find_key(from, end, key);

	return p ? strtod(p, NULL) : 0;
}

/* A JSON string, cut to fit; NULL or anything else: empty. */
static void copy_text(const char *from, char *to, size_t cap)
{
	size_t n = 0;

	if (from && *from == '"')
		for (from++; n + 1 < cap && from[n] && from[n] != '"'; n++)
			to[n] = from[n];
	to[n] = 0;
}

/* Labels are in no order we may rely on, but mostly in that of the file: search from the last. */
static bool find_label(const char *text, const char **cursor, const char *name, struct label *ret)
{
	char quoted[256], half[8];
	const char *p, *end, *s;

	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	p = strstr(*cursor, quoted);
	if (!p)
		p = strstr(text, quoted);
	end = p ? strchr(p, '}') : NULL;
	if (!end)
		return false;
	p += strlen(quoted);
	s = find_key(p, end, "leak");
	ret->leak = s && *s == 't';
	ret->onset_s = number_at(p, end, "onset_s");
	ret->leaked_bytes_end = number_at(p, end, "leaked_bytes_end");
	copy_text(find_key(p, end, "shape"), ret->shape, sizeof(ret->shape));
	copy_text(find_key(p, end, "half"), half, sizeof(half));
	ret->half = !strcmp(half, "tune")     ? HALF_TUNED_ON
		    : !strcmp(half, "report") ? HALF_KEPT_BACK
					      : HALF_UNKNOWN;
	*cursor = end;
	return true;
}

static int convert(const struct tape_series *in, const struct label *l, struct shape_series *s,
		   char **ret_shape)
{
	double end = in->row_cnt ? in->rows[in->row_cnt - 1].t_s : 0;
	size_t i;

	*ret_shape = strdup(l->shape[0] ? l->shape : l->leak ? "leak" : "healthy");
	s->points = calloc(in->row_cnt + 1, sizeof(*s->points));
	if (!*ret_shape || !s->points)
		return -ENOMEM;
	snprintf(s->name, sizeof(s->name), "%s", in->name);
	s->shape = *ret_shape;
	s->leak = l->leak;
	s->onset_s = l->onset_s;
	s->leaked_bytes_end = l->leaked_bytes_end;
	for (i = 0; i < in->row_cnt; i++) {
		const struct tape_row *r = &in->rows[i];
		double part = (r->t_s - l->onset_s) / fmax(1, end - l->onset_s);

		s->points[s->cnt++] = (struct shape_point){
			.t_s = r->t_s,
			.bytes = r->bytes,
			.limit_bytes = r->limit_bytes,
			.load = r->load,
			.leaked_bytes = l->leak ? l->leaked_bytes_end * fmax(0, part) : 0,
			.start = r->start,
		};
	}
	return 0;
}

static int label_all(const struct tape *tape, const char *text, struct corpus *c)
{
	const char *cursor = text;
	size_t i, n = tape__series_cnt(tape), missing = 0;
	struct label l;
	int err;

	c->v = calloc(n + 1, sizeof(*c->v));
	c->shapes = calloc(n + 1, sizeof(*c->shapes));
	c->half = calloc(n + 1, sizeof(*c->half));
	if (!c->v || !c->shapes || !c->half)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const struct tape_series *s = tape__series(tape, i);

		if (!find_label(text, &cursor, s->name, &l)) {
			missing++;
			continue;
		}
		c->half[c->cnt] = l.half;
		err = convert(s, &l, &c->v[c->cnt], &c->shapes[c->cnt]);
		c->cnt++;
		if (err)
			return err;
	}
	if (missing)
		fprintf(stderr, "accuracy: %zu series without a label, ignored\n", missing);
	return 0;
}

/* An added leak would run through the limit, and give itself away to a rule that looks at it. */
static void drop_limits(struct shape_series *s)
{
	size_t i;

	for (i = 0; i < s->cnt; i++)
		s->points[i].limit_bytes = NAN;
}

static int inject_all(const struct tape *tape, struct corpus *c)
{
	size_t i, n = tape__series_cnt(tape);
	struct label healthy = {.shape = "as-recorded"};
	struct shape_series *s;
	int err = 0;

	c->v = calloc(2 * n + 1, sizeof(*c->v));
	c->shapes = calloc(2 * n + 1, sizeof(*c->shapes));
	c->half = calloc(2 * n + 1, sizeof(*c->half));
	if (!c->v || !c->shapes || !c->half)
		return -ENOMEM;
	for (i = 0; !err && i < n; i++) {
		s = &c->v[c->cnt];
		err = convert(tape__series(tape, i), &healthy, s, &c->shapes[c->cnt]);
		c->cnt++;
		if (err)
			break;
		drop_limits(s);
		err = corpus__inject(s, s + 1);
		c->cnt += !err;
	}
	return err;
}

static void warn_row(void *ctx, const char *file, size_t line, const char *why)
{
	(void)ctx;
	fprintf(stderr, "accuracy: %s:%zu: %s\n", file, line, why);
}

int corpus__load(const char *csv, const char *labels, struct corpus *ret_corpus)
{
	struct tape *tape = tape__new();
	const char *why = "out of memory";
	char *text = NULL;
	int err;

	memset(ret_corpus, 0, sizeof(*ret_corpus));
	err = tape ? tape__read(tape, csv, warn_row, NULL, &why) : -ENOMEM;
	if (!err)
		err = tape__finish(tape);
	if (err)
		fprintf(stderr, "accuracy: cannot read '%s': %s\n", csv, why);
	if (!err && labels)
		err = read_text(labels, &text);
	if (!err)
		err = labels ? label_all(tape, text, ret_corpus) : inject_all(tape, ret_corpus);
	free(text);
	tape__free(tape);
	return err;
}

void corpus__free(struct corpus *c)
{
	size_t i;

	for (i = 0; i < c->cnt; i++) {
		shapes__release(&c->v[i]);
		free(c->shapes[i]);
	}
	free(c->v);
	free(c->shapes);
	free(c->half);
	memset(c, 0, sizeof(*c));
}
