// SPDX-License-Identifier: BSD-2-Clause
/*
 * tape.c - replay files: CSV of time series, in and out.
 *
 * The input may be anybody's, so nothing in it is trusted: a row is one line (a quote that is not
 * closed spoils its own line and nothing after it), lines and columns are bounded, and a row that
 * cannot be used is reported with its reason and skipped. Numbers are read without the locale
 * and without copying, at a few million rows a second. A row takes 40 bytes in memory.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "tape.h"

#define LINE_MAX_LEN 16384
#define READ_SZ	     (128 * 1024)
#define COLUMNS_MAX  256
#define T_MAX_S	     1e12 /* below Unix time in milliseconds, which is a usual mistake */
#define BYTES_MAX    1e18
#define NO_SERIES    UINT32_MAX

enum column { COL_SERIES, COL_T, COL_BYTES, COL_LIMIT, COL_START, COL_LOAD, COL_CNT };

static const char *const column_names[COL_CNT] = {
	[COL_SERIES] = "series",     [COL_T] = "t_s",	    [COL_BYTES] = "bytes",
	[COL_LIMIT] = "limit_bytes", [COL_START] = "start", [COL_LOAD] = "load",
};

struct entry {
	struct tape_series series;
	size_t name_len;
	size_t row_cap;
	uint32_t hash;
	uint32_t next; /* in the chain of its hash bucket */
};

struct tape {
	struct entry *entries;
	uint32_t *buckets; /* heads of the chains; a power of two of them */
	uint32_t entry_cnt;
	uint32_t entry_cap;
	uint32_t last; /* series of the row before: rows mostly come in runs */
	uint64_t good_rows;
	uint64_t bad_rows;
};

struct cell {
	const char *s;
	size_t len;
};

/* One file being read. */
struct reader {
	struct tape *tape;
	gzFile gz;
	char *data; /* READ_SZ bytes; [start, end) is not yet consumed */
	size_t start;
	size_t end;
	size_t line;
	bool eof;
	bool skipping;		  /* within a line that is too long */
	int8_t role[COLUMNS_MAX]; /* column of the file -> enum column, -1 = not ours */
	int column_cnt;
};

/* ---- series by name ---- */

static uint32_t hash_name(const char *s, size_t len)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	while (len--)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

static bool has_name(const struct entry *e, const char *name, size_t len)
{
	return e->name_len == len && !memcmp(e->series.name, name, len);
}

/* Double the table and chain everything anew: as many buckets as entries. */
static int grow(struct tape *t)
{
	uint32_t cap = t->entry_cap ? t->entry_cap * 2 : 64;
	struct entry *entries;
	uint32_t *buckets;
	uint32_t i, at;

	if (cap > UINT32_MAX / 2)
		return -ENOMEM;
	entries = realloc(t->entries, cap * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	t->entries = entries;
	buckets = realloc(t->buckets, cap * sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	t->buckets = buckets;
	t->entry_cap = cap;
	memset(buckets, 0xff, cap * sizeof(*buckets));
	for (i = 0; i < t->entry_cnt; i++) {
		at = entries[i].hash & (cap - 1);
		entries[i].next = buckets[at];
		buckets[at] = i;
	}
	return 0;
}

static int add_entry(struct tape *t, const struct cell *name, uint32_t hash)
{
	uint32_t at;
	struct entry *e;

	if (t->entry_cnt == t->entry_cap && grow(t))
		return -ENOMEM;
	e = &t->entries[t->entry_cnt];
	memset(e, 0, sizeof(*e));
	e->series.name = strndup(name->s, name->len);
	if (!e->series.name)
		return -ENOMEM;
	at = hash & (t->entry_cap - 1);
	e->name_len = name->len;
	e->hash = hash;
	e->next = t->buckets[at];
	t->buckets[at] = t->last = t->entry_cnt++;
	return 0;
}

/* Point tape->last at the series of that name. 0 or -ENOMEM. */
static int select_series(struct tape *t, const struct cell *name)
{
	uint32_t hash, i;

	if (t->last != NO_SERIES && has_name(&t->entries[t->last], name->s, name->len))
		return 0;
	hash = hash_name(name->s, name->len);
	i = t->entry_cap ? t->buckets[hash & (t->entry_cap - 1)] : NO_SERIES;
	for (; i != NO_SERIES; i = t->entries[i].next) {
		if (has_name(&t->entries[i], name->s, name->len)) {
			t->last = i;
			return 0;
		}
	}
	return add_entry(t, name, hash);
}

static int append_row(struct entry *e, const struct tape_row *row)
{
	struct tape_row *rows;
	size_t cap;

	if (e->series.row_cnt == e->row_cap) {
		cap = e->row_cap ? e->row_cap + e->row_cap / 2 : 16;
		rows = realloc(e->series.rows, cap * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		e->series.rows = rows;
		e->row_cap = cap;
	}
	e->series.rows[e->series.row_cnt++] = *row;
	return 0;
}

/* ---- lines ---- */

static int fill(struct reader *r)
{
	int n;

	memmove(r->data, r->data + r->start, r->end - r->start);
	r->end -= r->start;
	r->start = 0;
	n = gzread(r->gz, r->data + r->end, READ_SZ - r->end);
	if (n < 0)
		return -EIO;
	r->end += n;
	r->eof = n == 0;
	return 0;
}

/* 1: a line without its newline; it may be too long (len > LINE_MAX_LEN: no text). 0: end. */
static int next_line(struct reader *r, char **ret_line, size_t *ret_len)
{
	size_t have, len;
	char *nl;

	for (;;) {
		have = r->end - r->start;
		nl = memchr(r->data + r->start, '\n', have);
		if (nl || (r->eof && (have || r->skipping)))
			break;
		if (r->eof)
			return 0;
		if (have > LINE_MAX_LEN) {
			r->skipping = true;
			r->start = r->end;
		}
		if (fill(r))
			return -EIO;
	}
	*ret_line = r->data + r->start;
	len = nl ? (size_t)(nl - *ret_line) : have;
	r->start += len + (nl != NULL);
	r->line++;
	if (len && (*ret_line)[len - 1] == '\r')
		len--;
	*ret_len = r->skipping ? LINE_MAX_LEN + 1 : len;
	r->skipping = false;
	return 1;
}

/* ---- cells ---- */

/* A quoted cell, unescaped in place. *p is behind the opening quote. NULL or why not. */
static const char *quoted_cell(char **p, char *end, struct cell *ret)
{
	char *from = *p, *to = *p;

	ret->s = to;
	while (from < end) {
		if (*from != '"') {
			*to++ = *from++;
		} else if (from + 1 < end && from[1] == '"') {
			*to++ = '"';
			from += 2;
		} else {
			*p = from + 1;
			ret->len = to - ret->s;
			return *p == end || **p == ',' ? NULL : "text behind a closing quote";
		}
	}
	return "a quote is not closed";
}

/* The cell at *p; moves *p to the comma behind it or to the end. NULL or why not. */
static const char *next_cell(char **p, char *end, struct cell *ret)
{
	char *comma;

	if (*p < end && **p == '"') { /* the line is read: NOLINT(clang-analyzer-core.*) */
		(*p)++;
		return quoted_cell(p, end, ret);
	}
	comma = memchr(*p, ',', end - *p);
	if (!comma)
		comma = end;
	ret->s = *p;
	ret->len = comma - *p;
	*p = comma;
	return NULL;
}

static void trim(struct cell *c)
{
	while (c->len && isblank((unsigned char)c->s[0])) {
		c->s++;
		c->len--;
	}
	while (c->len && isblank((unsigned char)c->s[c->len - 1]))
		c->len--;
}

static bool is_word(const struct cell *c, const char *word)
{
	return c->len == strlen(word) && !strncasecmp(c->s, word, c->len);
}

/* ---- numbers ---- */

/* Decimal digits into *mantissa; those that no longer fit are dropped. Returns how many were
 * seen, *ret_dropped of them dropped. */
static int scan_digits(const char **p, const char *end, uint64_t *mantissa, int *ret_dropped)
{
	int seen = 0, dropped = 0;

	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, seen++) {
		if (*mantissa < 1000000000000000000u)
			*mantissa = *mantissa * 10 + (**p - '0');
		else
			dropped++;
	}
	*ret_dropped = dropped;
	return seen;
}

static double scale10(double value, int exp)
{
	static const double tens[] = {1,    1e1,  1e2,	1e3,  1e4,  1e5,  1e6,	1e7,
				      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
				      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

	if (exp >= 0 && exp <= 22)
		return value * tens[exp];
	if (exp < 0 && exp >= -22)
		return value / tens[-exp];
	return value * pow(10, exp);
}

/* The part behind an 'e'. 0 or -EINVAL. */
static int scan_exponent(const char **p, const char *end, int *ret_exp)
{
	bool negative = false;
	uint64_t exp = 0;
	int dropped;

	if (*p < end && (**p == '-' || **p == '+'))
		negative = *(*p)++ == '-';
	if (!scan_digits(p, end, &exp, &dropped))
		return -EINVAL;
	if (exp > 400)
		exp = 400;
	*ret_exp = negative ? -(int)exp : (int)exp;
	return 0;
}

/* A finite decimal number with nothing around it; whatever the locale. 0 or -EINVAL. */
static int parse_number(const struct cell *c, double *ret)
{
	const char *p = c->s, *end = c->s + c->len;
	int seen, dropped, fraction, exp = 0, shift = 0;
	uint64_t mantissa = 0;
	bool negative = false;

	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	seen = scan_digits(&p, end, &mantissa, &dropped);
	shift += dropped;
	if (p < end && *p == '.') {
		p++;
		fraction = scan_digits(&p, end, &mantissa, &dropped);
		shift -= fraction - dropped;
		seen += fraction;
	}
	if (!seen)
		return -EINVAL;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (scan_exponent(&p, end, &exp))
			return -EINVAL;
	}
	if (p != end)
		return -EINVAL;
	*ret = mantissa ? scale10((double)mantissa, shift + exp) : 0;
	if (negative)
		*ret = -*ret;
	return isfinite(*ret) ? 0 : -EINVAL;
}

/* ---- rows ---- */

static const char *set_time(const struct cell *c, double *ret)
{
	if (parse_number(c, ret))
		return "t_s is not a number";
	if (fabs(*ret) > T_MAX_S)
		return "t_s is out of range (it is in seconds)";
	return NULL;
}

static const char *set_bytes(const struct cell *c, double *ret)
{
	if (parse_number(c, ret))
		return "bytes is not a number";
	if (*ret < 0)
		return "bytes is negative";
	if (*ret > BYTES_MAX)
		return "bytes is beyond 1e18";
	return NULL;
}

/* 0, "inf" and the kernel's huge number all mean that there is no limit. */
static const char *set_limit(const struct cell *c, double *ret)
{
	*ret = NAN;
	if (!c->len || is_word(c, "nan") || is_word(c, "inf") || is_word(c, "max"))
		return NULL;
	if (parse_number(c, ret))
		return "limit_bytes is not a number";
	if (*ret < 0)
		return "limit_bytes is negative";
	if (*ret == 0 || *ret > BYTES_MAX)
		*ret = NAN;
	return NULL;
}

static const char *set_load(const struct cell *c, double *ret)
{
	*ret = NAN;
	if (!c->len || is_word(c, "nan"))
		return NULL;
	if (parse_number(c, ret))
		return "load is not a number";
	if (*ret < 0)
		return "load is negative";
	return NULL;
}

static const char *set_start(const struct cell *c, int *ret)
{
	double value = 0;

	if (c->len && !is_word(c, "nan") && parse_number(c, &value))
		return "start is neither 0 nor 1";
	if (value != 0 && value != 1)
		return "start is neither 0 nor 1";
	*ret = value != 0;
	return NULL;
}

static const char *check_name(const struct cell *c)
{
	if (!c->len)
		return "the series has no name";
	if (memchr(c->s, '\0', c->len))
		return "NUL byte in the name of the series";
	return NULL;
}

static const char *set_cell(enum column col, struct cell *c, struct cell *name,
			    struct tape_row *row)
{
	if (col == COL_SERIES) {
		*name = *c;
		return check_name(c);
	}
	trim(c);
	switch (col) {
	case COL_T:
		return set_time(c, &row->t_s);
	case COL_BYTES:
		return set_bytes(c, &row->bytes);
	case COL_LIMIT:
		return set_limit(c, &row->limit_bytes);
	case COL_START:
		return set_start(c, &row->start);
	default:
		return set_load(c, &row->load);
	}
}

/* NULL, or why the row cannot be used. Optional cells may be left off at the end of a row. */
static const char *parse_row(const struct reader *r, char *line, size_t len, struct cell *name,
			     struct tape_row *row)
{
	char *p = line, *end = line + len;
	unsigned found = 0;
	const char *why;
	struct cell c;
	int i;

	for (i = 0; i < r->column_cnt; i++) {
		why = next_cell(&p, end, &c);
		if (!why && r->role[i] >= 0) {
			why = set_cell(r->role[i], &c, name, row);
			found |= 1u << r->role[i];
		}
		if (why)
			return why;
		if (p == end)
			break;
		p++;
		if (i + 1 == r->column_cnt)
			return "more cells than the header has columns";
	}
	if (~found & (1u << COL_SERIES | 1u << COL_T | 1u << COL_BYTES))
		return "too few cells";
	return NULL;
}

static int take_row(struct reader *r, char *line, size_t len, const char **ret_why)
{
	struct tape_row row = {.limit_bytes = NAN, .load = NAN};
	struct cell name = {0};

	*ret_why =
		len > LINE_MAX_LEN ? "the line is too long" : parse_row(r, line, len, &name, &row);
	if (*ret_why)
		return 0;
	if (select_series(r->tape, &name))
		return -ENOMEM;
	return append_row(&r->tape->entries[r->tape->last], &row);
}

/* ---- files ---- */

/* Enter one column of the header. NULL or why not. */
static const char *add_column(struct reader *r, struct cell *c, unsigned *found)
{
	int col;

	if (r->column_cnt == COLUMNS_MAX)
		return "the header has too many columns";
	trim(c);
	for (col = 0; col < COL_CNT && !is_word(c, column_names[col]); col++)
		;
	r->role[r->column_cnt++] = col < COL_CNT ? col : -1;
	if (col == COL_CNT)
		return NULL;
	if (*found & (1u << col))
		return "the header names a column twice";
	*found |= 1u << col;
	return NULL;
}

static const char *parse_header(struct reader *r, char *line, size_t len)
{
	char *p = line, *end = line + len;
	unsigned found = 0;
	const char *why;
	struct cell c;

	for (;; p++) {
		why = next_cell(&p, end, &c);
		if (!why)
			why = add_column(r, &c, &found);
		if (why)
			return why;
		if (p == end)
			break;
	}
	if (!(found & (1u << COL_SERIES)))
		return "the header has no column 'series'";
	if (!(found & (1u << COL_T)))
		return "the header has no column 't_s'";
	if (!(found & (1u << COL_BYTES)))
		return "the header has no column 'bytes'";
	return NULL;
}

/* The header is the first line that is not empty. */
static int read_header(struct reader *r, const char **ret_why)
{
	char *line;
	size_t len;
	int n;

	do {
		n = next_line(r, &line, &len);
		if (n == 1 && r->line == 1 && len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) {
			line += 3;
			len -= 3;
		}
	} while (n == 1 && !len);
	if (n < 0)
		return n;
	*ret_why = "the file is empty";
	if (n == 1)
		*ret_why =
			len > LINE_MAX_LEN ? "the header is too long" : parse_header(r, line, len);
	return *ret_why ? -EINVAL : 0;
}

static int read_rows(struct reader *r, const char *path, tape_warn_fn warn, void *ctx)
{
	const char *why;
	char *line;
	size_t len;
	int n, err;

	while ((n = next_line(r, &line, &len)) == 1) {
		if (!len)
			continue;
		err = take_row(r, line, len, &why);
		if (err)
			return err;
		if (!why) {
			r->tape->good_rows++;
			continue;
		}
		r->tape->bad_rows++;
		if (warn)
			warn(ctx, path, r->line, why);
	}
	return n;
}

/* A descriptor to read from; "-" is stdin. */
static int open_input(const char *path)
{
	struct stat sb;
	int fd;

	fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
			       : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &sb) && S_ISDIR(sb.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	return fd;
}

/* zlib reads plain files as they are. */
static int reader__open(struct reader *r, const char *path)
{
	int fd = open_input(path);

	if (fd < 0)
		return fd;
	r->gz = gzdopen(fd, "rb");
	if (!r->gz) {
		close(fd);
		return -ENOMEM;
	}
	r->data = malloc(READ_SZ);
	if (!r->data)
		return -ENOMEM;
	gzbuffer(r->gz, READ_SZ);
	return 0;
}

static int read_file(struct reader *r, const char *path, tape_warn_fn warn, void *ctx,
		     const char **ret_why)
{
	int err, zerr;

	err = reader__open(r, path);
	if (!err)
		err = read_header(r, ret_why);
	if (!err)
		err = read_rows(r, path, warn, ctx);
	if (r->gz && err == -EIO) {
		gzerror(r->gz, &zerr);
		*ret_why =
			zerr == Z_ERRNO ? strerror(errno) : "the gzip data is damaged or cut off";
	}
	return err;
}

int tape__read(struct tape *t, const char *path, tape_warn_fn warn, void *ctx, const char **ret_why)
{
	struct reader r = {.tape = t};
	const char *why = NULL;
	int err;

	err = read_file(&r, path, warn, ctx, &why);
	/* a file cut off within a gzip member reads as a normal end; only closing tells */
	if (r.gz && gzclose(r.gz) == Z_BUF_ERROR && !err) {
		err = -EIO;
		why = "the gzip data is cut off";
	}
	free(r.data);
	if (err)
		*ret_why = why ? why : strerror(-err);
	return err;
}

/* ---- finishing ---- */

static void merge(struct tape_row *rows, size_t mid, size_t n, struct tape_row *tmp)
{
	size_t i = 0, j = mid, k = 0;

	memcpy(tmp, rows, mid * sizeof(*rows));
	while (i < mid && j < n)
		rows[k++] = rows[j].t_s < tmp[i].t_s ? rows[j++] : tmp[i++];
	memcpy(rows + k, tmp + i, (mid - i) * sizeof(*rows));
}

/* Stable, so that the last of several rows with one time stays the last. */
static void sort_rows(struct tape_row *rows, size_t n, struct tape_row *tmp)
{
	size_t mid = n / 2;

	if (n < 2)
		return;
	sort_rows(rows, mid, tmp);
	sort_rows(rows + mid, n - mid, tmp);
	if (rows[mid].t_s < rows[mid - 1].t_s)
		merge(rows, mid, n, tmp);
}

static bool is_sorted(const struct tape_series *s)
{
	size_t i;

	for (i = 1; i < s->row_cnt; i++)
		if (s->rows[i].t_s < s->rows[i - 1].t_s)
			return false;
	return true;
}

static void drop_duplicates(struct tape_series *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->row_cnt; i++) {
		if (n && s->rows[n - 1].t_s == s->rows[i].t_s)
			n--;
		s->rows[n++] = s->rows[i];
	}
	s->row_cnt = n;
}

static int finish_series(struct entry *e)
{
	struct tape_series *s = &e->series;
	struct tape_row *tmp, *fit;

	if (!is_sorted(s)) {
		tmp = malloc((s->row_cnt / 2 + 1) * sizeof(*tmp));
		if (!tmp)
			return -ENOMEM;
		sort_rows(s->rows, s->row_cnt, tmp);
		free(tmp);
	}
	drop_duplicates(s);
	fit = s->row_cnt ? realloc(s->rows, s->row_cnt * sizeof(*fit)) : NULL;
	if (fit) {
		s->rows = fit;
		e->row_cap = s->row_cnt;
	}
	return 0;
}

int tape__finish(struct tape *t)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < t->entry_cnt && !err; i++)
		err = finish_series(&t->entries[i]);
	return err;
}

/* ---- the object ---- */

struct tape *tape__new(void)
{
	struct tape *t = calloc(1, sizeof(*t));

	if (t)
		t->last = NO_SERIES;
	return t;
}

void tape__free(struct tape *t)
{
	uint32_t i;

	if (!t)
		return;
	for (i = 0; i < t->entry_cnt; i++) {
		free(t->entries[i].series.name);
		free(t->entries[i].series.rows);
	}
	free(t->entries);
	free(t->buckets);
	free(t);
}

size_t tape__series_cnt(const struct tape *t)
{
	return t->entry_cnt;
}

const struct tape_series *tape__series(const struct tape *t, size_t i)
{
	return i < t->entry_cnt ? &t->entries[i].series : NULL;
}

uint64_t tape__good_rows(const struct tape *t)
{
	return t->good_rows;
}

uint64_t tape__bad_rows(const struct tape *t)
{
	return t->bad_rows;
}

/* ---- writing ---- */

static bool needs_quotes(const char *name)
{
	for (; *name; name++)
		if (*name == '"' || *name == ',' || iscntrl((unsigned char)*name))
			return true;
	return false;
}

/* Control characters become spaces, since a row is one line. */
static void write_quoted(struct buf *b, const char *name)
{
	char c;

	buf__puts(b, "\"");
	for (; *name; name++) {
		c = iscntrl((unsigned char)*name) ? ' ' : *name;
		buf__append(b, &c, 1);
		if (c == '"')
			buf__append(b, &c, 1);
	}
	buf__puts(b, "\"");
}

static void write_name(struct buf *b, const char *name)
{
	if (needs_quotes(name))
		write_quoted(b, name);
	else
		buf__puts(b, name);
}

void tape__write_header(struct buf *b)
{
	buf__puts(b, "series,t_s,bytes,limit_bytes,start,load\n");
}

void tape__write_row(struct buf *b, const char *series, const struct tape_row *row)
{
	write_name(b, series);
	buf__printf(b, ",%.15g,%.0f,", row->t_s, row->bytes);
	if (!isnan(row->limit_bytes))
		buf__printf(b, "%.0f", row->limit_bytes);
	buf__puts(b, row->start ? ",1," : ",,");
	if (!isnan(row->load))
		buf__printf(b, "%.6g", row->load);
	buf__puts(b, "\n");
}
