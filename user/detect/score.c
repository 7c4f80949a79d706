/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * score.c - a sum of small decision trees, compiled in as a constant table.
 *
 * The table is made by bench/train/train.sh and never edited by hand; its head says from what.
 * Most features may only push one way (more growth never makes a leak less likely), which keeps
 * the trees from learning quirks of the series they saw.
 */
#include <math.h>
#include <stdint.h>

#include "score.h"

#define LEAF 255

struct node {
	float x;         /* the bar, or the value of a leaf */
	uint8_t feature; /* LEAF: x is the value */
	uint8_t left;    /* where to go when feature <= x, counted from the root of the tree */
	uint8_t right;
};

#include "score_table.h"

static double tree(const struct node *root, const float *f)
{
	const struct node *n = root;

	while (n->feature != LEAF)
		n = root + (f[n->feature] <= n->x ? n->left : n->right);
	return n->x;
}

double score__of(const float *f)
{
	double sum = score_base;
	unsigned int i;

	for (i = 0; i < sizeof(score_roots) / sizeof(score_roots[0]); i++)
		sum += tree(&score_nodes[score_roots[i]], f);
	return 1 / (1 + exp(-sum));
}
