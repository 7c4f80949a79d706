/* SPDX-License-Identifier: BSD-2-Clause */
/* load.h - recordings with labels, as series that can be run. */
#ifndef SEEP_BENCH_LOAD_H
#define SEEP_BENCH_LOAD_H

#include <stddef.h>
#include "../../tests/replay/shapes.h"

enum corpus_half {
	HALF_UNKNOWN,
	HALF_TUNED_ON,
	HALF_KEPT_BACK,
};

/* Every labelled series of a replay file, in the order of the file. */
struct corpus {
	struct shape_series *v;
	size_t cnt;
	enum corpus_half *half; /* as the labels have it */
	char **shapes;		/* owned names, one per series */
};

/*
 * labels NULL: no labels; then each series is there twice, as it is and with a leak added.
 * 0, or -errno after a message on stderr. The caller frees what it got, also after a failure.
 */
int corpus__load(const char *csv, const char *labels, struct corpus *ret_corpus);
void corpus__free(struct corpus *c);
/* inject.c: a copy with a leak in it. 0, -ENOMEM, or -EINVAL for a series without points. */
int corpus__inject(const struct shape_series *in, struct shape_series *ret_copy);

#endif /* SEEP_BENCH_LOAD_H */
