/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tape.h - recorded series in CSV (replay files): read and write.
 *
 * Long form with a header: series,t_s,bytes required; limit_bytes, start, load optional; any
 * column order; gzip accepted; "-" is stdin. Quoted fields as in RFC 4180.
 */
#ifndef SEEP_SERIES_TAPE_H
#define SEEP_SERIES_TAPE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct tape_row {
	double t_s;
	double bytes;
	double limit_bytes; /* NAN = empty */
	double load;        /* NAN = empty */
	int start;
};

struct tape_series {
	char *name;
	struct tape_row *rows; /* sorted by t_s */
	size_t row_cnt;
};

struct tape; /* all series of one or more files, in order of first appearance */

/* Called for each garbled row: file, line (1-based), why. */
typedef void (*tape_warn_fn)(void *ctx, const char *file, size_t line, const char *why);

struct tape *tape__new(void);
void tape__free(struct tape *t);
/* Add a file. Rows of a series already known are appended and sorted at tape__finish. 0, or
 * -errno (cannot open, no header, bad gzip): then *ret_why says it in words. */
int tape__read(struct tape *t, const char *path, tape_warn_fn warn, void *ctx,
	       const char **ret_why);
/* Sort; drop duplicate times (last wins). Call once after all reads. */
int tape__finish(struct tape *t);
size_t tape__series_cnt(const struct tape *t);
const struct tape_series *tape__series(const struct tape *t, size_t i);
uint64_t tape__good_rows(const struct tape *t);
uint64_t tape__bad_rows(const struct tape *t);

struct buf;
/* Writing, for `seep record`: header, then rows. Names are quoted where they must be. */
void tape__write_header(struct buf *b);
void tape__write_row(struct buf *b, const char *series, const struct tape_row *row);

#endif /* SEEP_SERIES_TAPE_H */
