/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shapes_gen.h - what one generated series is drawn with; shared by the files that draw shapes.
 *
 * A shape fills v[] (what the program uses rightly) and, when it leaks, cum[] and the onset. The
 * base and the noise are already laid when it is called.
 */
#ifndef SEEP_REPLAY_SHAPES_GEN_H
#define SEEP_REPLAY_SHAPES_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB  1024.0
#define MIB  (1024.0 * KIB)
#define GIB  (1024.0 * MIB)
#define HOUR 3600.0
#define DAY  (24 * HOUR)
/*
 * A leak is at least 1.6 times the material bar, max(1 MiB/h, .12 % of the level per hour), and
 * grows by several times the noise and the quantum in the hours left to see it.
 */
#define BAR_FACTOR 1.6
#define VISIBLE_H  9.0 /* every leak gets at least this long before the series ends */

enum quant {
	QUANT_NONE,
	QUANT_BYTES,
	QUANT_PERCENT, /* whole percents of the machine or the limit */
};

struct rng {
	uint64_t s[4];
};

struct gen {
	struct rng rng;
	bool wide;
	double interval;
	double span;
	size_t n;
	double *t;    /* since the start of the series */
	double *v;    /* what the program uses rightly */
	double *leak; /* lost in this life */
	double *cum;  /* lost over all lives */
	double *load; /* NAN: not recorded */
	unsigned char *start;
	double base;
	double noise; /* standard deviation over base */
	enum quant quant;
	double quantum; /* bytes, or share of the machine for QUANT_PERCENT */
	double machine; /* base over the machine's size, for QUANT_PERCENT */
	double limit;
	double onset;	 /* since the start; NAN when healthy */
	bool own_starts; /* the shape places its own restarts */
	bool own_load;	 /* the shape fills the load column */
	bool clock_steps;
};

enum load_kind {
	LOAD_FLAT,
	LOAD_DAILY,
	LOAD_BUSINESS,
	LOAD_CAMPAIGN, /* traffic that comes and stays */
};

enum shape_trait {
	SHAPE_CALM = 1,	    /* a large process with little noise */
	SHAPE_OWN_BASE = 2, /* changes the base: called before it is laid */
	SHAPE_GAPPY = 4,    /* loses many samples */
	SHAPE_WEEK = 8,	    /* about a week at five minutes */
};

struct shape {
	const char *name;
	bool leak;
	void (*draw)(struct gen *g);
	unsigned traits;
};

struct shape_set {
	const struct shape *v;
	int cnt;
};

extern const struct shape *const leaky_shapes, *const healthy_shapes;
extern const int leaky_shape_cnt, healthy_shape_cnt;

struct shape_opts;

/* No seed of one split can give a series of the other. */
void gen__seed(struct rng *r, const struct shape_opts *o, uint64_t index);

/*
 * One draw to a list of arguments or of initialisers: C leaves their order open, and the corpus
 * must not depend on the compiler.
 */
double gen__uni(struct gen *g, double lo, double hi);
double gen__loguni(struct gen *g, double lo, double hi);
bool gen__chance(struct gen *g, double p);
int gen__pick(struct gen *g, int n);
double gen__normal(struct gen *g);
double gen__expo(struct gen *g, double mean);

/* Fills work[] with the load in 0..1; the column gets a scaled and noisy view of it. */
void gen__make_load(struct gen *g, enum load_kind kind, double *work);
void gen__hide_load(struct gen *g);

/* An onset that leaves VISIBLE_H, half of the time the very start; and the hours from it on. */
double gen__draw_onset(struct gen *g);
double gen__hours_left(const struct gen *g);
/*
 * Bytes per hour for a leak with `hours` left to be seen. `blur`: bytes by which the floor is
 * uncertain for other reasons than the noise.
 */
double gen__draw_rate(struct gen *g, double hours, double blur);

/* Below it nobody is to be told: bytes per hour at the base. */
double gen__bar(const struct gen *g);

/* ---- layers: each adds its part to v[] ---- */

void layer__noise(struct gen *g, double sd, double tau);
/* Requests in flight: short humps upward, never downward. */
void layer__spikes(struct gen *g, double size, double every);
void layer__ramp(struct gen *g, double t0, double dur, double height);
void layer__step(struct gen *g, double t0, double height);
void layer__saturating(struct gen *g, double t0, double tau, double height);
void layer__log(struct gen *g, double t0, double tau, double height);

struct saw {
	double period;
	double amp;
	double irregular;    /* log-normal spread of period and amplitude */
	double floor_jitter; /* share of amp that a collection leaves behind */
	double grow_tau;     /* > 0: the amplitude grows to amp with this time constant */
};

void layer__sawtooth(struct gen *g, const struct saw *s);
struct saw layer__draw_saw(struct gen *g);
/* How far a floor taken from samples can be off under this sawtooth. */
double layer__saw_blur(const struct gen *g, const struct saw *s);

/* Memory that follows the work at once or with a lag of some minutes. */
void layer__load_memory(struct gen *g, const double *work, double amp);
/* The same, but an allocator keeps what was once needed, for hours or for good. */
void layer__sticky_memory(struct gen *g, const double *work, double amp);
/* Several healthy things at once, as in most real programs; returns their blur. */
double layer__medley(struct gen *g);
/* The process ends and starts again at the first sample after t0: what leaked is given back. */
void layer__restart(struct gen *g, double t0, double dip, double tau);
/* With a drawn dip of the base, and a drawn time until it is made up for. */
void layer__draw_restart(struct gen *g, double t0, double dip_max, double tau_max);

/* ---- leaks: each adds its part to cum[] and sets the onset ---- */

void leak__linear(struct gen *g, double onset, double rate);
/* A loss per unit of work: the rate follows the load. */
void leak__by_work(struct gen *g, double onset, double rate, const double *work);
void leak__bursts(struct gen *g, double onset, double rate, double every);
/* Nothing reset the leak so far: lost in this life = lost over all. */
void leak__settle(struct gen *g);

#endif /* SEEP_REPLAY_SHAPES_GEN_H */
