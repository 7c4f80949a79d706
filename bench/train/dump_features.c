// SPDX-License-Identifier: BSD-2-Clause
/*
 * dump_features.c - what the detector's trees learn from: one row of features per judgement.
 *
 *	dump_features SERIES.bin ROWS.bin STEP_S
 *
 * SERIES.bin is made by series.py, or by gen_series for the generated corpus (series.py says how
 * it is laid out); the rows are read by train_score.py. A judgement is labelled 1 while a
 * material leak is at work (and has been for a third of the window), 0 on a healthy series or
 * before the onset, -1 (not learned from) in between.
 */
#include "../../user/detect/detector.c"

#include <stdio.h>
#include "../../user/detect/feature.h"
#include "../../user/detect/runs.h"

#define WINDOW_S 21600.
#define HOUR 3600.

struct series {
	char name[48];
	char shape[24];
	int set;
	int leak;
	double onset_s;
	int n;
	int pad;
};

struct row {
	double t_s;
	double bytes;
	double limit_bytes;
	double load;
	double start;
	double leaked_bytes;
};

static double leak_rate(const struct series *s, const struct row *rows)
{
	double most = 0, hours = (rows[s->n - 1].t_s - s->onset_s) / HOUR;
	int i;

	for (i = 0; i < s->n; i++) {
		if (rows[i].leaked_bytes > most)
			most = rows[i].leaked_bytes;
	}
	return most / (hours > .1 ? hours : .1);
}

static float label_of(const struct series *s, const struct row *rows, int i, double rate,
		      int material)
{
	double lost;
	int j = i;

	if (!s->leak)
		return 0;
	if (!material)
		return -1;
	if (rows[i].t_s < s->onset_s)
		return 0;
	if (rows[i].t_s - s->onset_s < WINDOW_S / 3)
		return -1;
	while (j > 0 && rows[j].t_s > rows[i].t_s - WINDOW_S / 2)
		j--;
	lost = rows[i].leaked_bytes - rows[j].leaked_bytes;
	return lost < 0 || lost >= .3 * rate * WINDOW_S / 2 / HOUR ? 1 : -1;
}

static void dump_judgement(struct detector *d, FILE *out, const float head[6])
{
	struct assessment a;
	struct features fs;
	struct view v;

	if (d->last_s < 0)
		return;
	lay_out(d, &v);
	assess__view(&v, &a);
	if (!a.known) /* too little, or flat: nobody asks for its score */
		return;
	lay_out(d, &v);
	runs__join(&v);
	feature__extract(&v, &fs);
	fwrite(head, sizeof(float), 6, out);
	fwrite(fs.f, sizeof(float), F_CNT, out);
}

static void dump_series(const struct series *s, const struct row *rows, int id, double step_s,
			FILE *out)
{
	struct detector *d = detector__new(WINDOW_S);
	double rate = leak_rate(s, rows), next = rows[0].t_s + step_s;
	int material = s->leak && rate >= 1048576 && rate >= .0012 * rows[0].bytes;
	int i;

	for (i = 0; d && i < s->n; i++) {
		const struct row *r = &rows[i];
		struct detector_point p = { r->t_s, r->bytes, r->limit_bytes, r->load,
					    r->start > 0 };
		float head[6] = { (float)id, (float)((r->t_s - rows[0].t_s) / HOUR),
				  label_of(s, rows, i, rate, material),
				  (float)(r->leaked_bytes / (rows[0].bytes + 1)),
				  s->leak && r->t_s >= s->onset_s, (float)material };

		detector__push(d, &p);
		if (r->t_s < next && i < s->n - 1)
			continue;
		next += step_s * (floor((r->t_s - next) / step_s) + 1);
		dump_judgement(d, out, head);
	}
	detector__free(d);
}

int main(int argc, char **argv)
{
	FILE *in = argc > 3 ? fopen(argv[1], "rb") : NULL, *out = in ? fopen(argv[2], "wb") : NULL;
	int id = 0, cnt = F_CNT;
	struct series s;

	if (!out) {
		fprintf(stderr, "usage: dump_features SERIES.bin ROWS.bin STEP_S\n");
		return 2;
	}
	fwrite(&cnt, sizeof(cnt), 1, out);
	while (fread(&s, sizeof(s), 1, in) == 1 && s.n > 0) {
		struct row *rows = malloc(s.n * sizeof(*rows));

		if (!rows || fread(rows, sizeof(*rows), s.n, in) != (size_t)s.n)
			return 1;
		dump_series(&s, rows, id++, atof(argv[3]), out);
		free(rows);
	}
	fclose(in);
	return fclose(out) ? 1 : 0;
}
