// SPDX-License-Identifier: BSD-2-Clause
/*
 * gen_series.c - the generated corpus (tests/replay/shapes.c) in the binary layout of series.py.
 *
 *	gen_series SEED WIDE COUNT OUT.bin
 *
 * The tune split only: the report split is never learned from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shapes.h"

struct series {
	char name[48];
	char shape[24];
	int set;
	int leak;
	double onset_s;
	int n;
	int pad;
};

static void write_series(FILE *f, const struct shape_series *s)
{
	struct series h = { .leak = s->leak, .onset_s = s->onset_s, .n = (int)s->cnt };
	size_t i;

	snprintf(h.name, sizeof(h.name), "%s", s->name);
	snprintf(h.shape, sizeof(h.shape), "%s", s->shape);
	fwrite(&h, sizeof(h), 1, f);
	for (i = 0; i < s->cnt; i++) {
		const struct shape_point *p = &s->points[i];
		double row[6] = { p->t_s,  p->bytes, p->limit_bytes,
				  p->load, p->start, p->leaked_bytes };

		fwrite(row, sizeof(row), 1, f);
	}
}

int main(int argc, char **argv)
{
	struct shape_opts o = { .split = SPLIT_TUNE, .kind = -1 };
	struct shape_series s;
	FILE *f;
	int i;

	if (argc < 5 || !(f = fopen(argv[4], "wb"))) {
		fprintf(stderr, "usage: gen_series SEED WIDE COUNT OUT.bin\n");
		return 2;
	}
	o.seed = strtoull(argv[1], NULL, 10);
	o.wide = atoi(argv[2]);
	for (i = 0; i < atoi(argv[3]); i++) {
		if (shapes__generate(&o, i, &s))
			return 1;
		write_series(f, &s);
		shapes__release(&s);
	}
	return fclose(f) ? 1 : 0;
}
