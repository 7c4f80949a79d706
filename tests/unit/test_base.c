// SPDX-License-Identifier: BSD-2-Clause
/* test_base.c - buffers, small files, sizes and durations, and the log. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/units.h"

static char dir[64];

static int make_temp(void **state)
{
	strcpy(dir, "/tmp/seep-base-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int remove_temp(void **state)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* One at a time: the answer is in a static buffer. */
static const char *below(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(fs__write_atomic(below(name), text, strlen(text), 0600), 0);
}

/* ---- buf --------------------------------------------------------------------------------- */

static void test_buf(void **state)
{
	struct buf b = {0};
	int i;

	buf__consume(&b, 10); /* of nothing */
	assert_int_equal(b.len, 0);
	buf__puts(&b, "one ");
	buf__printf(&b, "%d %s", 2, "three");
	buf__append(&b, "\0x", 2);
	assert_int_equal(b.len, 13);
	assert_memory_equal(b.data, "one 2 three\0x", 14);
	buf__consume(&b, 4);
	assert_string_equal(b.data, "2 three");
	buf__consume(&b, SIZE_MAX);
	assert_int_equal(b.len, 0);
	for (i = 0; i < 10000; i++)
		buf__printf(&b, "%04d", i);
	assert_int_equal(b.len, 40000);
	assert_memory_equal(b.data + 39996, "9999", 5);
	assert_int_equal(b.err, 0);
	buf__free(&b);
	assert_null(b.data);
	buf__free(&b);
}

/* ---- fs ---------------------------------------------------------------------------------- */

static void test_read_is_bounded_and_terminated(void **state)
{
	char text[8];

	write_file("long", "0123456789");
	memset(text, 'x', sizeof(text));
	assert_int_equal(fs__read(below("long"), text, sizeof(text)), 7);
	assert_string_equal(text, "0123456");
	write_file("empty", "");
	assert_int_equal(fs__read(below("empty"), text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(fs__read(below("missing"), text, sizeof(text)), -ENOENT);
	assert_int_equal(fs__read(dir, text, sizeof(text)), -EISDIR);
}

static void test_read_does_not_wait_for_a_fifo(void **state)
{
	char text[8];

	assert_int_equal(mkfifo(below("fifo"), 0600), 0);
	assert_int_equal(fs__read(below("fifo"), text, sizeof(text)), 0);
}

static void test_read_u64(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t value;
	} rows[] = {
		{"0\n", 0, 0},
		{"18446744073709551615", 0, UINT64_MAX},
		{"max\n", 0, UINT64_MAX},
		{"123 rest", 0, 123},
		{"18446744073709551616", -EINVAL, 7},
		{"", -EINVAL, 7},
		{"\n", -EINVAL, 7},
		{"none", -EINVAL, 7},
	};
	uint64_t value;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file("number", rows[i].text);
		value = 7; /* untouched on failure */
		assert_int_equal(fs__read_u64_at(AT_FDCWD, below("number"), &value), rows[i].err);
		assert_true(value == rows[i].value);
	}
}

static void test_write_atomic(void **state)
{
	struct stat st;
	char text[16];

	write_file("f", "first");
	assert_int_equal(fs__write_atomic(below("f"), "second", 6, 0640), 0);
	assert_int_equal(fs__read(below("f"), text, sizeof(text)), 6);
	assert_string_equal(text, "second");
	assert_int_equal(stat(below("f"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fs__write_atomic(below("none/f"), "x", 1, 0600), -ENOENT);
	/* a target that cannot be replaced leaves no temporary file behind */
	assert_int_equal(fs__mkdir_p(below("sub/d"), 0700), 0);
	assert_int_equal(fs__write_atomic(below("sub/d"), "x", 1, 0600), -EISDIR);
	assert_int_equal(rmdir(below("sub/d")), 0);
	assert_int_equal(rmdir(below("sub")), 0);
}

static void test_mkdir_p(void **state)
{
	char path[PATH_MAX + 8];
	struct stat st;

	assert_int_equal(fs__mkdir_p(below("a/b/c/"), 0700), 0);
	assert_int_equal(stat(below("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700); /* with or without the slash */
	assert_int_equal(stat(below("a/b"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fs__mkdir_p(below("a/b/c"), 0700), 0);
	assert_int_equal(fs__mkdir_p("/", 0700), 0);
	assert_int_equal(fs__mkdir_p("", 0700), -ENOENT);
	write_file("file", "");
	assert_int_equal(fs__mkdir_p(below("file"), 0700), -ENOTDIR);
	assert_int_equal(fs__mkdir_p(below("file/d"), 0700), -ENOTDIR);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(fs__mkdir_p(path, 0700), -ENAMETOOLONG);
}

static void test_find_u64(void **state)
{
	static const char text[] = "Name:\tVmRSS: 9\nVmRSSX: 8\nVmRSS:\t  123 kB\nanon 7\n"
				   "empty\t\n5 5\nbad -1\nlast 42";
	uint64_t value = 1;

	assert_int_equal(fs__find_u64(text, "VmRSS", &value), 1);
	assert_int_equal(value, 123);
	assert_int_equal(fs__find_u64(text, "anon", &value), 1);
	assert_int_equal(value, 7);
	assert_int_equal(fs__find_u64(text, "last", &value), 1);
	assert_int_equal(value, 42);
	assert_int_equal(fs__find_u64(text, "missing", &value), 0);
	assert_int_equal(fs__find_u64(text, "empty", &value), 0); /* not the next line's number */
	assert_int_equal(fs__find_u64(text, "bad", &value), 0);
	assert_int_equal(value, 42);
}

/* ---- units ------------------------------------------------------------------------------- */

static void test_parse_size(void **state)
{
	static const char *const bad[] = {"", "K", "1X", "-1", "nan", "inf", "1 KX", "1KiBs", "1..5"};
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"100", 100}, {"512K", 512 << 10}, {"1.5G", 3ULL << 29}, {"2 MiB", 2 << 20},
		{"4kb", 4096}, {"1T", 1ULL << 40}, {"0", 0}, {"7B", 7},
	};
	uint64_t bytes = 5;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(units__parse_size(bad[i], &bytes), -EINVAL);
	assert_int_equal(units__parse_size("99999999999T", &bytes), -ERANGE);
	assert_int_equal(bytes, 5);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(units__parse_size(good[i].text, &bytes), 0);
		assert_true(bytes == good[i].bytes);
	}
}

static void test_parse_duration(void **state)
{
	static const char *const bad[] = {"", "s", "1x", "1h30", "-1s", "nan", "inf", "1s s", "10 s"};
	static const struct {
		const char *text;
		double seconds;
	} good[] = {
		{"200ms", .2}, {"10s", 10}, {"5m", 300}, {"6h", 21600}, {"7d", 604800},
		{"1h30m", 5400}, {"2.5", 2.5}, {"1m1ms", 60.001}, {"0", 0},
	};
	double seconds = 5;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(units__parse_duration(bad[i], &seconds), -EINVAL);
	assert_int_equal(units__parse_duration("1e308d", &seconds), -ERANGE);
	assert_true(seconds == 5);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(units__parse_duration(good[i].text, &seconds), 0);
		assert_true(fabs(seconds - good[i].seconds) < 1e-9);
	}
}

static void test_format_bytes(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} rows[] = {
		{0, "0 B"}, {999, "999 B"}, {1023, "1.0 KiB"}, {1536, "1.5 KiB"},
		{-3.25 * (1 << 20), "-3.2 MiB"}, {1ULL << 40, "1.0 TiB"}, {100 << 10, "100 KiB"},
		{NAN, "-"}, {INFINITY, "-"},
	};
	char text[16];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(units__format_bytes(rows[i].bytes, text, sizeof(text)),
				    rows[i].text);
	units__format_bytes(-1e300, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text));
}

static void test_format_duration(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} rows[] = {
		{0, "0ms"}, {.25, "250ms"}, {9.5, "9.5s"}, {35, "35s"}, {59.7, "1m"},
		{4320, "1h 12m"}, {3600, "1h"}, {183600, "2d 3h"}, {172800, "2d"},
		{NAN, "-"}, {INFINITY, "-"}, {1e300, "-"},
	};
	char text[24];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(units__format_duration(rows[i].seconds, text, sizeof(text)),
				    rows[i].text);
}

static void test_format_time(void **state)
{
	char text[32];

	setenv("TZ", "UTC", 1);
	assert_string_equal(units__format_time(1700000000, text, sizeof(text)),
			    "2023-11-14 22:13:20");
	assert_string_equal(units__format_time(NAN, text, sizeof(text)), "-");
	assert_string_equal(units__format_time(-5, text, sizeof(text)), "-");
	assert_string_equal(units__format_time(1e300, text, sizeof(text)), "-");
}

/* ---- log --------------------------------------------------------------------------------- */

/* What log__write puts on stderr. */
static void captured(char *text, size_t cap, enum log_level level, const char *name)
{
	FILE *file = fopen(below("stderr"), "w+");
	int saved = dup(STDERR_FILENO);

	assert_non_null(file);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	log__write(level, "name '%s'", name);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	fclose(file);
	assert_true(fs__read(below("stderr"), text, cap) >= 0);
}

static void test_log(void **state)
{
	char text[2048], long_name[1500];

	log__set_level(LOG_LEVEL_WARN);
	captured(text, sizeof(text), LOG_LEVEL_INFO, "a");
	assert_string_equal(text, "");
	captured(text, sizeof(text), LOG_LEVEL_WARN, "a");
	assert_string_equal(text, "seep: warning: name 'a'\n");
	captured(text, sizeof(text), LOG_LEVEL_ERROR, "a\nseep: error: \x1b[2J");
	assert_string_equal(text, "seep: error: name 'a?seep: error: ?[2J'\n");
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	captured(text, sizeof(text), LOG_LEVEL_ERROR, long_name);
	assert_int_equal(text[strlen(text) - 1], '\n');
	log__set_timestamps(1);
	captured(text, sizeof(text), LOG_LEVEL_ERROR, "a");
	log__set_timestamps(0);
	assert_non_null(strstr(text, " seep: error: name 'a'\n"));
	assert_ptr_not_equal(strstr(text, "seep:"), text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_read_is_bounded_and_terminated),
		cmocka_unit_test(test_read_does_not_wait_for_a_fifo),
		cmocka_unit_test(test_read_u64),
		cmocka_unit_test(test_write_atomic),
		cmocka_unit_test(test_mkdir_p),
		cmocka_unit_test(test_find_u64),
		cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_parse_duration),
		cmocka_unit_test(test_format_bytes),
		cmocka_unit_test(test_format_duration),
		cmocka_unit_test(test_format_time),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, make_temp, remove_temp);
}
