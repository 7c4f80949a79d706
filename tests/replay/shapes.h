/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shapes.h - labelled memory series made from a seed, leaky and healthy.
 *
 * The corpus that the detector is measured on. A series is drawn from (seed, split, index) only,
 * with an own random generator, so a number in docs/accuracy.md can be had again on any machine.
 * Used in memory by bench/accuracy.c and written to files by gen.c.
 */
#ifndef SEEP_REPLAY_SHAPES_H
#define SEEP_REPLAY_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shape_set;

/* strangers.c: programs simulated by their mechanism. Nothing may be tuned on them. */
extern const struct shape_set strangers;
/* guests.c: whole machines and pods as others record them. Nothing is learned from them. */
extern const struct shape_set guests;

enum shape_split {
	SPLIT_TUNE,   /* thresholds may be chosen on these */
	SPLIT_REPORT, /* only looked at for the tables */
};

struct shape_opts {
	uint64_t seed;
	enum shape_split split;
	bool wide;   /* nuisances from outside the tuned ranges, instead of inside */
	double days; /* length of each series; 0: drawn, one to seven */
	int kind;    /* an index below shapes__cnt(set), or -1: drawn, half of them leaky */
	const struct shape_set *set; /* NULL: the shapes of shapes.c */
};

struct shape_point {
	double t_s;
	double bytes;
	double limit_bytes;  /* NAN: none */
	double load;	     /* NAN: unknown */
	double leaked_bytes; /* truth: lost since the onset, over all restarts */
	int start;
};

struct shape_series {
	char name[32];	   /* says nothing of the label */
	const char *shape; /* static */
	bool leak;
	double onset_s; /* same clock as the points; 0 when healthy */
	double leaked_bytes_end;
	double interval_s;
	struct shape_point *points; /* sorted by time */
	size_t cnt;
};

/* set NULL: the shapes of shapes.c. */
int shapes__cnt(const struct shape_set *set);
const char *shapes__name(const struct shape_set *set, int kind);
bool shapes__leaks(const struct shape_set *set, int kind);
/* Index of a shape by name, or -1. */
int shapes__find(const struct shape_set *set, const char *name);

/* 0, or -ENOMEM. The caller releases ret_series. */
int shapes__generate(const struct shape_opts *opts, uint64_t index,
		     struct shape_series *ret_series);
void shapes__release(struct shape_series *series);

#endif /* SEEP_REPLAY_SHAPES_H */
