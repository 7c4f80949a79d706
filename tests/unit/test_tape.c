// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_tape.c - replay files: everything the format allows, and what hostile files may not do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "series/tape.h"

struct fixture {
	char dir[32];
	char path[64];
	struct tape *tape;
	const char *why;
	/* of the warnings */
	unsigned warned;
	size_t last_line;
	char last_why[80];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/test_tape.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/tape.csv", f->dir);
	f->tape = tape__new();
	assert_non_null(f->tape);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tape__free(f->tape);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void on_warn(void *ctx, const char *file, size_t line, const char *why)
{
	struct fixture *f = ctx;

	assert_string_equal(file, f->path);
	f->warned++;
	f->last_line = line;
	snprintf(f->last_why, sizeof(f->last_why), "%s", why);
}

static void write_file(const struct fixture *f, const void *data, size_t len)
{
	FILE *out = fopen(f->path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static int read_tape(struct fixture *f)
{
	f->why = NULL;
	return tape__read(f->tape, f->path, on_warn, f, &f->why);
}

static int read_text(struct fixture *f, const char *text)
{
	write_file(f, text, strlen(text));
	return read_tape(f);
}

static const struct tape_series *only_series(struct fixture *f)
{
	assert_int_equal(tape__finish(f->tape), 0);
	assert_int_equal(tape__series_cnt(f->tape), 1);
	return tape__series(f->tape, 0);
}

/* ---- what is allowed ---- */

static void test_plain(void **state)
{
	const struct tape_series *s;
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "series,t_s,bytes,limit_bytes,start,load\n"
				      "api,10,1000,5000,1,0.25\n"
				      "api,20.5,2e3,,,\n"),
			 0);
	s = only_series(f);
	assert_string_equal(s->name, "api");
	assert_int_equal(s->row_cnt, 2);
	assert_true(s->rows[0].t_s == 10 && s->rows[0].bytes == 1000);
	assert_true(s->rows[0].limit_bytes == 5000 && s->rows[0].load == .25);
	assert_int_equal(s->rows[0].start, 1);
	assert_true(s->rows[1].t_s == 20.5 && s->rows[1].bytes == 2000);
	assert_true(isnan(s->rows[1].limit_bytes) && isnan(s->rows[1].load));
	assert_int_equal(s->rows[1].start, 0);
	assert_int_equal(tape__good_rows(f->tape), 2);
	assert_int_equal(tape__bad_rows(f->tape), 0);
}

static void test_any_column_order_and_unknown_columns(void **state)
{
	const struct tape_series *s;
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "host,bytes,load,series,t_s\n\"a,\"\"b\",7,0.5,x,1\n"), 0);
	s = only_series(f);
	assert_string_equal(s->name, "x");
	assert_true(s->rows[0].bytes == 7 && s->rows[0].load == .5 && s->rows[0].t_s == 1);
}

static void test_bom_crlf_blank_lines_no_final_newline(void **state)
{
	const struct tape_series *s;
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "\xef\xbb\xbfseries,t_s,bytes\r\n\r\na,1,10\r\n\r\na,2,20"),
			 0);
	s = only_series(f);
	assert_int_equal(s->row_cnt, 2);
	assert_true(s->rows[1].bytes == 20);
	assert_int_equal(tape__bad_rows(f->tape), 0);
}

static void test_quoted_names(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "\"series\",\"t_s\",bytes\n"
				      "\"a, b\",1,10\n\"say \"\"hi\"\"\",1,10\n\"plain\",\"1\",10\n"
				      "plain,2,10\n"),
			 0);
	assert_int_equal(tape__finish(f->tape), 0);
	assert_int_equal(tape__series_cnt(f->tape), 3);
	assert_string_equal(tape__series(f->tape, 0)->name, "a, b");
	assert_string_equal(tape__series(f->tape, 1)->name, "say \"hi\"");
	assert_string_equal(tape__series(f->tape, 2)->name, "plain");
	assert_int_equal(tape__series(f->tape, 2)->row_cnt, 2);
	assert_null(tape__series(f->tape, 3));
}

static void test_sorts_and_last_duplicate_wins(void **state)
{
	const struct tape_series *s;
	struct fixture *f = *state;
	int i;

	assert_int_equal(read_text(f, "series,t_s,bytes\na,5,50\na,1,10\na,3,30\na,5,51\n"
				      "a,2,20\na,1,11\na,4,40\na,5,52\n"),
			 0);
	s = only_series(f);
	assert_int_equal(s->row_cnt, 5);
	for (i = 0; i < 5; i++)
		assert_true(s->rows[i].t_s == i + 1);
	assert_true(s->rows[0].bytes == 11);
	assert_true(s->rows[4].bytes == 52);
}

static void test_sorts_many_rows(void **state)
{
	const struct tape_series *s;
	struct fixture *f = *state;
	struct buf b = {0};
	unsigned i, n = 5000;

	buf__puts(&b, "series,t_s,bytes\n");
	for (i = 0; i < n; i++) /* 2003 is prime to n: each time once, in no order */
		buf__printf(&b, "a,%u,%u\n", i * 2003 % n, i * 2003 % n + 7);
	write_file(f, b.data, b.len);
	buf__free(&b);
	assert_int_equal(read_tape(f), 0);
	s = only_series(f);
	assert_int_equal(s->row_cnt, n);
	for (i = 0; i < n; i++)
		assert_true(s->rows[i].t_s == i && s->rows[i].bytes == i + 7);
}

static void test_several_files_and_many_series(void **state)
{
	struct fixture *f = *state;
	struct buf b = {0};
	char name[16];
	int i, file;

	for (file = 0; file < 2; file++) {
		b.len = 0;
		tape__write_header(&b);
		for (i = 0; i < 3000; i++)
			buf__printf(&b, "s%d,%d,%d,,,\n", i, 10 - file, i + file);
		write_file(f, b.data, b.len);
		assert_int_equal(read_tape(f), 0);
	}
	buf__free(&b);
	assert_int_equal(tape__finish(f->tape), 0);
	assert_int_equal(tape__series_cnt(f->tape), 3000);
	for (i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		assert_string_equal(tape__series(f->tape, i)->name, name);
		assert_int_equal(tape__series(f->tape, i)->row_cnt, 2);
		assert_true(tape__series(f->tape, i)->rows[0].bytes == i + 1);
	}
}

static void test_gzip(void **state)
{
	static const char text[] = "series,t_s,bytes\na,1,10\na,2,20\n";
	struct fixture *f = *state;
	gzFile gz = gzopen(f->path, "wb");

	assert_non_null(gz);
	assert_int_equal(gzwrite(gz, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(gzclose(gz), Z_OK);
	assert_int_equal(read_tape(f), 0);
	assert_int_equal(only_series(f)->row_cnt, 2);
}

static void test_stdin(void **state)
{
	struct fixture *f = *state;
	const char *why = NULL;
	int saved, fd;

	write_file(f, "series,t_s,bytes\na,1,10\n", 24);
	saved = dup(STDIN_FILENO);
	fd = open(f->path, O_RDONLY);
	assert_true(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	assert_int_equal(tape__read(f->tape, "-", NULL, NULL, &why), 0);
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	close(saved);
	close(fd);
	assert_int_equal(only_series(f)->row_cnt, 1);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		double value;
	} good[] = {
		{"0", 0},
		{"+7", 7},
		{" 8 ", 8},
		{"1.", 1},
		{".5", .5},
		{"1e3", 1000},
		{"1.5E+6", 1.5e6},
		{"25e-1", 2.5},
		{"0.1", .1},
		{"123456789.123", 123456789.123},
		{"18446744073709551", 18446744073709551.},
		{"0000000000000000000000000000012", 12},
		{"1.00000000000000000000000000000000000000001", 1},
		{"0e999", 0},
		{"1e-999", 0},
		{"1e18", 1e18},
		{"100000000000000000000e-3", 1e17},
	};
	struct fixture *f = *state;
	const struct tape_series *s;
	struct buf b = {0};
	unsigned i, n = sizeof(good) / sizeof(good[0]);

	buf__puts(&b, "series,t_s,bytes\n");
	for (i = 0; i < n; i++)
		buf__printf(&b, "a,%u,%s\n", i, good[i].text);
	write_file(f, b.data, b.len);
	buf__free(&b);
	assert_int_equal(read_tape(f), 0);
	assert_int_equal(tape__bad_rows(f->tape), 0);
	s = only_series(f);
	for (i = 0; i < n; i++)
		assert_true(fabs(s->rows[i].bytes - good[i].value) <= 1e-15 * good[i].value);
}

static void test_limits_that_are_none(void **state)
{
	static const char *const none[] = {"", "0", "inf", "nan", "max", "9223372036854771712"};
	const struct tape_series *s;
	struct fixture *f = *state;
	struct buf b = {0};
	unsigned i;

	buf__puts(&b, "series,t_s,bytes,limit_bytes\na,100,1\n");
	for (i = 0; i < 6; i++)
		buf__printf(&b, "a,%u,1,%s\n", i, none[i]);
	write_file(f, b.data, b.len);
	buf__free(&b);
	assert_int_equal(read_tape(f), 0);
	assert_int_equal(tape__bad_rows(f->tape), 0);
	s = only_series(f);
	assert_int_equal(s->row_cnt, 7);
	for (i = 0; i < 7; i++)
		assert_true(isnan(s->rows[i].limit_bytes));
}

/* ---- what is not ---- */

static void test_garbled_rows(void **state)
{
	static const char *const bad[] = {
		"a,1",		       /* cut short */
		"garbage",     ",1,1", /* no name */
		"a,,1",	       "a,1,",	     "a,x,1",
		"a,1,x",       "a,1,1x",     "a,1,0x10",
		"a,1,1_000",   "a,1,--1",    "a,1,1e",
		"a,1,.",       "a,1,1 2",    "a,1,-5",
		"a,1,nan",     "a,1,inf",    "a,1,1e999",
		"a,1,1.1e18",  "a,nan,1",    "a,1763722414000,1", /* milliseconds */
		"a,1,1,-1",    "a,1,1,x",    "a,1,1,,2",
		"a,1,1,,x",    "a,1,1,,,-1", "a,1,1,,,x",
		"a,1,1,,,1,1", /* too many */
		"\"a,1,1",     /* not closed: must not swallow what follows */
		"\"a\"b,1,1",
	};
	struct fixture *f = *state;
	struct buf b = {0};
	unsigned i, n = sizeof(bad) / sizeof(bad[0]);

	buf__puts(&b, "series,t_s,bytes,limit_bytes,start,load\n");
	for (i = 0; i < n; i++)
		buf__printf(&b, "ok,%u,1,,,\n%s\n", i, bad[i]);
	write_file(f, b.data, b.len);
	buf__free(&b);
	assert_int_equal(read_tape(f), 0);
	assert_int_equal(only_series(f)->row_cnt, n);
	assert_int_equal(tape__bad_rows(f->tape), n);
	assert_int_equal(tape__good_rows(f->tape), n);
	assert_int_equal(f->warned, n);
	assert_int_equal(f->last_line, 2 * n + 1);
	assert_string_equal(f->last_why, "text behind a closing quote");
}

static void test_nul_in_name(void **state)
{
	static const char text[] = "series,t_s,bytes\na\0b,1,1\n";
	struct fixture *f = *state;

	write_file(f, text, sizeof(text) - 1);
	assert_int_equal(read_tape(f), 0);
	assert_int_equal(tape__bad_rows(f->tape), 1);
	assert_int_equal(tape__series_cnt(f->tape), 0);
}

/* A line of any length costs no memory and spoils only itself. */
static void test_long_line(void **state)
{
	static const size_t lens[] = {16384, 16385, 131072, 1000000};
	struct fixture *f = *state;
	struct buf b = {0};
	unsigned i;
	size_t k;

	buf__puts(&b, "series,t_s,bytes\n");
	for (i = 0; i < 4; i++) {
		for (k = 0; k < lens[i]; k++)
			buf__append(&b, "x", 1);
		buf__printf(&b, "\na,%u,1\n", i);
	}
	write_file(f, b.data, b.len);
	buf__free(&b);
	assert_int_equal(read_tape(f), 0);
	assert_int_equal(tape__bad_rows(f->tape), 4);
	assert_string_equal(f->last_why, "the line is too long");
	assert_int_equal(f->last_line, 8);
	assert_int_equal(only_series(f)->row_cnt, 4);
}

static void expect_refused(struct fixture *f, const char *text, int err, const char *why)
{
	assert_int_equal(read_text(f, text), err);
	assert_non_null(f->why);
	assert_string_equal(f->why, why);
}

static void test_bad_headers(void **state)
{
	struct fixture *f = *state;

	expect_refused(f, "", -EINVAL, "the file is empty");
	expect_refused(f, "\n\n", -EINVAL, "the file is empty");
	expect_refused(f, "a,1,10\n", -EINVAL, "the header has no column 'series'");
	expect_refused(f, "series,bytes\n", -EINVAL, "the header has no column 't_s'");
	expect_refused(f, "series,t_s\n", -EINVAL, "the header has no column 'bytes'");
	expect_refused(f, "series,t_s,bytes,t_s\n", -EINVAL, "the header names a column twice");
	expect_refused(f, "series,\"t_s,bytes\n", -EINVAL, "a quote is not closed");
}

static void test_header_of_too_many_columns(void **state)
{
	struct fixture *f = *state;
	char text[1024] = "series,t_s,bytes";

	memset(text + strlen(text), ',', 300);
	expect_refused(f, text, -EINVAL, "the header has too many columns");
}

static void test_cannot_open(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_tape(f), -ENOENT);
	assert_non_null(f->why);
	assert_int_equal(tape__read(f->tape, f->dir, NULL, NULL, &f->why), -EISDIR);
}

/* Cut at any length, or with any byte changed, a gzip file does no harm and is not taken for
 * whole. */
static void test_damaged_gzip(void **state)
{
	static const char text[] = "series,t_s,bytes\na,1,10\na,2,20\nb,3,30\nb,4,40\n";
	struct fixture *f = *state;
	unsigned char image[256];
	size_t len, i;
	FILE *in;
	gzFile gz = gzopen(f->path, "wb");

	assert_non_null(gz);
	assert_int_equal(gzwrite(gz, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(gzclose(gz), Z_OK);
	in = fopen(f->path, "r");
	assert_non_null(in);
	len = fread(image, 1, sizeof(image), in);
	fclose(in);
	for (i = 0; i < len; i++) {
		write_file(f, image, i);
		assert_true(read_tape(f) < 0);
		assert_non_null(f->why);
	}
	for (i = 0; i < len; i++) {
		image[i] ^= 0x10;
		write_file(f, image, len);
		read_tape(f);
		image[i] ^= 0x10;
	}
	assert_int_equal(tape__finish(f->tape), 0);
}

/* ---- writing ---- */

static void test_round_trip(void **state)
{
	static const char *const names[] = {"api[4711]",     "a,b",   "say \"hi\"",
					    "/kube/x.slice", " lead", "\xc3\xa4"};
	struct tape_row row = {.t_s = 1763722414.25,
			       .bytes = 4398046511104.,
			       .limit_bytes = 8e9,
			       .load = 1.25,
			       .start = 1};
	struct tape_row bare = {.t_s = .2, .bytes = 0, .limit_bytes = NAN, .load = NAN};
	const struct tape_series *s;
	struct fixture *f = *state;
	struct buf b = {0};
	int i;

	tape__write_header(&b);
	for (i = 0; i < 6; i++) {
		tape__write_row(&b, names[i], &bare);
		tape__write_row(&b, names[i], &row);
	}
	assert_int_equal(b.err, 0);
	write_file(f, b.data, b.len);
	buf__free(&b);
	assert_int_equal(read_tape(f), 0);
	assert_int_equal(tape__bad_rows(f->tape), 0);
	assert_int_equal(tape__finish(f->tape), 0);
	assert_int_equal(tape__series_cnt(f->tape), 6);
	for (i = 0; i < 6; i++) {
		s = tape__series(f->tape, i);
		assert_string_equal(s->name, names[i]);
		assert_true(s->rows[0].t_s == .2 && s->rows[0].bytes == 0);
		assert_true(isnan(s->rows[0].limit_bytes) && isnan(s->rows[0].load));
		assert_true(s->rows[1].t_s == row.t_s && s->rows[1].bytes == row.bytes);
		assert_true(s->rows[1].limit_bytes == 8e9 && s->rows[1].load == 1.25);
		assert_int_equal(s->rows[1].start, 1);
	}
}

static void test_newline_in_name_cannot_forge_rows(void **state)
{
	struct tape_row row = {.t_s = 1, .bytes = 2, .limit_bytes = NAN, .load = NAN};
	struct fixture *f = *state;
	struct buf b = {0};

	tape__write_header(&b);
	tape__write_row(&b, "a\nb,1,1\n", &row);
	write_file(f, b.data, b.len);
	buf__free(&b);
	assert_int_equal(read_tape(f), 0);
	assert_string_equal(only_series(f)->name, "a b,1,1 ");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_any_column_order_and_unknown_columns),
		TEST(test_bom_crlf_blank_lines_no_final_newline),
		TEST(test_quoted_names),
		TEST(test_sorts_and_last_duplicate_wins),
		TEST(test_sorts_many_rows),
		TEST(test_several_files_and_many_series),
		TEST(test_gzip),
		TEST(test_stdin),
		TEST(test_numbers),
		TEST(test_limits_that_are_none),
		TEST(test_garbled_rows),
		TEST(test_nul_in_name),
		TEST(test_long_line),
		TEST(test_bad_headers),
		TEST(test_header_of_too_many_columns),
		TEST(test_cannot_open),
		TEST(test_damaged_gzip),
		TEST(test_round_trip),
		TEST(test_newline_in_name_cannot_forge_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
