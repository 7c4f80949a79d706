// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_journal.c - what is restored is what was polled, whatever happened to the files.
 *
 * A scripted node (series that grow, idle, pause, end, restart, are renamed) is polled into a
 * store and a journal. The store is written out as text after every poll; a restore from any
 * damaged copy of the files must give one of these texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "series/journal.h"

#define MIB	   1048576.
#define POLLS	   80
#define INTERVAL_S .25
#define WINDOW_S   60.
#define T0_S	   1.7e9
#define HEADER_SZ  16 /* of a segment */
#define BOOT	   "11111111-2222-3333-4444-555555555555"

struct fixture {
	char dir[64];  /* of the journal under test */
	char copy[64]; /* for damaged copies */
	char root[32];
	struct store *st;
	struct journal *j;
	char *dumps[POLLS + 1];	   /* the store after so many polls */
	uint64_t sizes[POLLS + 1]; /* bytes written after so many polls */
};

/* ---- files ---- */

static void remove_files(const char *dir)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static char *segment_path(const char *dir, unsigned seq)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/window-%06u.seg", dir, seq);
	return path;
}

static size_t read_segment(const char *dir, unsigned seq, char *data, size_t cap)
{
	FILE *f = fopen(segment_path(dir, seq), "r");
	size_t n;

	if (!f)
		return 0;
	n = fread(data, 1, cap, f);
	assert_true(n < cap);
	fclose(f);
	return n;
}

static void write_segment(const char *dir, unsigned seq, const char *data, size_t len)
{
	FILE *f;

	mkdir(dir, 0700);
	f = fopen(segment_path(dir, seq), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static unsigned count_files(const char *dir)
{
	unsigned n = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* ---- the scripted node ---- */

static struct store *new_store(void)
{
	struct store_cfg cfg = {INTERVAL_S, WINDOW_S, 16, 16};
	struct store *st = store__new(&cfg);

	assert_non_null(st);
	return st;
}

static double time_of(int poll)
{
	return T0_S + poll * INTERVAL_S;
}

static struct series *proc(struct store *st, uint32_t tgid, const char *name)
{
	struct seep_task_id id = {.tgid = tgid, .start_ns = tgid * 7919ULL};
	struct series_key key = series_key__proc(&id);
	struct series *s = store__touch(st, &key, name);

	assert_non_null(s);
	return s;
}

static void poll_changing(struct store *st, int i)
{
	double t_s = time_of(i), limit = i < 40 ? NAN : i < 60 ? 256 * MIB : 512 * MIB;
	struct series_key key = series_key__cgroup("/api");
	struct series *s;

	series__put(st, proc(st, 1, "grower"), t_s, (64 + i * .37) * MIB, i % 5 * .3, NAN, i == 0);
	series__put(st, proc(st, 2, "idle"), t_s, 2 * MIB, 0, NAN, 0);
	series__put(st, proc(st, 3, i < 18 ? "sh[3]" : "node[3]"), t_s,
		    (i % 8 == 5 ? 1 : 3 + i % 8) * MIB, NAN, NAN, 0);
	s = store__touch(st, &key, "/api");
	series__put(st, s, t_s, (40 + i % 3) * MIB, 2.5, limit, i == 33);
	if (i == 12)
		series__set_interest(st, s, 200);
}

static void poll_coming_and_going(struct store *st, int i)
{
	struct seep_task_id id = {.tgid = 50, .start_ns = 50};
	struct series_key key = series_key__proc(&id);
	double t_s = time_of(i);

	if (i < 10 || (i > 15 && i < 70)) /* a pause is not a zero */
		series__put(st, proc(st, 4, "pausing"), t_s, 5 * MIB, .01, NAN, 0);
	if (i < 20)
		series__put(st, proc(st, 5, "ending"), t_s, 6 * MIB, 0, NAN, 0);
	if (i == 20)
		store__remove(st, proc(st, 5, "ending"));
	if (i >= 20) /* takes over its slot */
		series__put(st, proc(st, 6, "next"), t_s, 6 * MIB, 0, NAN, i == 20);
	if (i < 30)
		series__put(st, proc(st, 7, "worker[7]"), t_s, (50 + i) * MIB, .5, NAN, 0);
	if (i == 30)
		assert_int_equal(store__rekey(st, proc(st, 7, "worker[7]"), &key, "worker[50]"), 0);
	if (i >= 30)
		series__put(st, store__touch(st, &key, "worker[50]"), t_s, (20 + i) * MIB, .5, NAN,
			    i == 30);
}

static void poll_node(struct store *st, int i)
{
	poll_changing(st, i);
	poll_coming_and_going(st, i);
}

/* ---- the store as text ---- */

struct dump {
	struct store *st;
	double now_s;
	char *lines[64];
	unsigned cnt;
};

static void dump_series(void *ctx, struct series *s)
{
	static struct store_point p[2000];
	const struct series_key *key = series__key(s);
	struct dump *d = ctx;
	struct buf b = {0};
	size_t i, n;

	buf__printf(&b, "%u/%u/%016lx %s limit %.0f last %.17g fine %d:", key->kind, key->tgid,
		    (unsigned long)key->value, series__name(s), series__limit_bytes(s),
		    series__last_s(s), series__is_fine(s));
	n = series__points(d->st, s, d->now_s, p, 2000);
	for (i = 0; i < n; i++)
		buf__printf(&b, " %.17g,%.0f,%.0f,%.9g,%d", p[i].t_s, p[i].min_bytes,
			    p[i].last_bytes, p[i].load, p[i].start);
	assert_int_equal(b.err, 0);
	d->lines[d->cnt++] = b.data;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *dump(struct store *st, double now_s)
{
	struct dump d = {.st = st, .now_s = now_s};
	struct buf b = {0};
	unsigned i;

	store__foreach(st, dump_series, &d);
	qsort(d.lines, d.cnt, sizeof(d.lines[0]), compare_lines);
	buf__puts(&b, "");
	for (i = 0; i < d.cnt; i++) {
		buf__printf(&b, "%s\n", d.lines[i]);
		free(d.lines[i]);
	}
	return b.data;
}

/* ---- running and restoring ---- */

static struct journal *open_journal(const char *dir, struct store *st, const char *boot_id,
				    unsigned *ret_restored)
{
	struct journal_cfg cfg = {.dir = dir, .boot_id = boot_id};
	struct journal *j = NULL;

	assert_int_equal(journal__open(&cfg, st, &j, ret_restored), 0);
	assert_non_null(j);
	return j;
}

static struct journal_stats stats_of(const struct journal *j)
{
	struct journal_stats stats;

	journal__stats(j, &stats);
	return stats;
}

static void run(struct fixture *f, int from, int to)
{
	int i;

	for (i = from; i < to; i++) {
		poll_node(f->st, i);
		assert_int_equal(journal__tick(f->j, f->st, time_of(i)), 0);
		free(f->dumps[i + 1]);
		f->dumps[i + 1] = dump(f->st, time_of(POLLS));
		f->sizes[i + 1] = stats_of(f->j).bytes;
	}
}

/* As after a SIGKILL: nothing is said to the old objects that would matter. */
static unsigned restart(struct fixture *f, const char *boot_id)
{
	unsigned restored = 0;

	journal__close(f->j);
	store__free(f->st);
	f->st = new_store();
	f->j = open_journal(f->dir, f->st, boot_id, &restored);
	return restored;
}

/* Equal texts; else show where they part. */
static void expect_text(const char *text, const char *expected)
{
	size_t i = 0, from;

	while (text[i] && text[i] == expected[i])
		i++;
	from = i > 100 ? i - 100 : 0;
	if (text[i] != expected[i])
		fail_msg("\ngot      %.200s\nexpected %.200s", text + from, expected + from);
}

static void expect_dump(struct fixture *f, int polls)
{
	char *text = dump(f->st, time_of(POLLS));

	expect_text(text, f->dumps[polls]);
	free(text);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	unsigned restored = 99;

	assert_non_null(f);
	strcpy(f->root, "/tmp/test_journal.XXXXXX");
	assert_non_null(mkdtemp(f->root));
	snprintf(f->dir, sizeof(f->dir), "%s/state", f->root);
	snprintf(f->copy, sizeof(f->copy), "%s/copy", f->root);
	f->dumps[0] = strdup("");
	f->st = new_store();
	f->j = open_journal(f->dir, f->st, BOOT, &restored);
	assert_int_equal(restored, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int i;

	journal__close(f->j);
	store__free(f->st);
	remove_files(f->dir);
	remove_files(f->copy);
	rmdir(f->root);
	for (i = 0; i <= POLLS; i++)
		free(f->dumps[i]);
	free(f);
	return 0;
}

/* ---- restarts ---- */

static void test_restart_is_exact(void **state)
{
	struct fixture *f = *state;
	int i;

	for (i = 0; i < POLLS; i++) { /* one after every poll */
		run(f, i, i + 1);
		assert_int_equal(restart(f, BOOT), i + 1);
		expect_dump(f, i + 1);
		assert_int_equal(stats_of(f->j).torn_bytes, 0);
	}
}

static void test_restart_once(void **state)
{
	struct fixture *f = *state;

	run(f, 0, POLLS);
	assert_int_equal(stats_of(f->j).ticks, POLLS);
	assert_true(stats_of(f->j).last_write_s == time_of(POLLS - 1));
	assert_int_equal(restart(f, BOOT), POLLS);
	expect_dump(f, POLLS);
	assert_int_equal(restart(f, BOOT), POLLS);
	expect_dump(f, POLLS);
}

static void test_gap_stays_a_gap(void **state)
{
	static struct store_point p[600];
	struct fixture *f = *state;
	struct series *s;
	size_t n, i;

	run(f, 0, 32);
	restart(f, BOOT);
	run(f, 64, POLLS);
	restart(f, BOOT);
	expect_dump(f, POLLS);
	s = proc(f->st, 1, NULL);
	n = series__points(f->st, s, time_of(POLLS), p, 600);
	assert_int_equal(n, 32 + POLLS - 64);
	for (i = 0; i < n; i++)
		assert_true(p[i].t_s < time_of(32) || p[i].t_s >= time_of(64));
}

static void test_restored_series_are_not_polls(void **state)
{
	struct fixture *f = *state;
	double last_s;

	run(f, 0, 5);
	restart(f, BOOT);
	/* a poll that sees nobody: nothing may be made up for it */
	assert_int_equal(journal__tick(f->j, f->st, time_of(50)), 0);
	restart(f, BOOT);
	last_s = series__last_s(proc(f->st, 1, NULL));
	assert_true(last_s == time_of(4));
}

static void test_other_boot_keeps_cgroups_only(void **state)
{
	struct seep_task_id id = {.tgid = 1, .start_ns = 7919};
	struct series_key key = series_key__proc(&id), cg = series_key__cgroup("/api");
	struct store_stats stats;
	struct fixture *f = *state;
	struct series *s;

	run(f, 0, 40);
	assert_int_equal(restart(f, "another boot"), 40);
	store__stats(f->st, &stats);
	assert_int_equal(stats.series, 1);
	assert_null(store__find(f->st, &key));
	s = store__find(f->st, &cg);
	assert_non_null(s);
	assert_true(series__points(f->st, s, time_of(40), NULL, 0) > 10);
	run(f, 60, POLLS); /* the same pids, but of this boot */
	restart(f, "another boot");
	expect_dump(f, POLLS);
	restart(f, NULL);
	store__stats(f->st, &stats);
	assert_int_equal(stats.series, 1);
}

static void remove_cgroup(struct store *st)
{
	struct series_key key = series_key__cgroup("/api");

	store__remove(st, store__find(st, &key));
}

/* Polls that lie far in the future are given up, for they would keep new ones out. */
static void test_clock_set_back(void **state)
{
	struct fixture *f = *state;
	double last_s;

	run(f, 60, 70);
	journal__close(f->j);
	store__free(f->st);
	f->st = new_store();
	f->j = open_journal(f->dir, f->st, "another boot", &(unsigned){0});
	remove_cgroup(f->st);
	run(f, 0, 10);
	restart(f, "another boot");
	expect_dump(f, 10);
	last_s = series__last_s(proc(f->st, 1, NULL));
	assert_true(last_s == time_of(9));
}

/* ---- damage ---- */

/* Restore from the copy; the store's text. */
static char *restore_copy(struct fixture *f, unsigned *ret_restored, uint64_t *ret_torn)
{
	struct store *st = new_store();
	struct journal *j = open_journal(f->copy, st, BOOT, ret_restored);
	char *text = dump(st, time_of(POLLS));

	*ret_torn = stats_of(j).torn_bytes;
	/* whatever was restored, it can be written again */
	assert_int_equal(journal__tick(j, st, time_of(POLLS + 100)), 0);
	journal__close(j);
	store__free(st);
	return text;
}

/* SIGKILL within any write: every length of every segment, those after it not yet there. */
static void test_cut_at_every_byte(void **state)
{
	static char image[65536], before[65536];
	struct fixture *f = *state;
	size_t len, cut, before_len = 0;
	unsigned restored, seq;
	uint64_t torn, base = 0;
	char *text;
	int polls;

	run(f, 0, 40);
	assert_int_equal(count_files(f->dir), 2);
	for (seq = 1; seq <= 2; seq++) {
		len = read_segment(f->dir, seq, image, sizeof(image));
		for (cut = 0; cut <= len; cut++) {
			for (polls = 0; polls < 40 && f->sizes[polls + 1] <= base + cut; polls++)
				;
			if (seq > 1)
				write_segment(f->copy, seq - 1, before, before_len);
			write_segment(f->copy, seq, image, cut);
			text = restore_copy(f, &restored, &torn);
			assert_int_equal(restored, polls);
			expect_text(text, f->dumps[polls]);
			assert_int_equal(torn > 0, cut > 0 && cut != HEADER_SZ &&
							   base + cut != f->sizes[polls]);
			free(text);
			remove_files(f->copy);
		}
		base += len;
		before_len = len;
		memcpy(before, image, len);
	}
}

static void test_torn_tail_is_cut_once(void **state)
{
	struct fixture *f = *state;

	run(f, 0, 20);
	assert_int_equal(truncate(segment_path(f->dir, 1), f->sizes[20] - 1), 0);
	assert_int_equal(restart(f, BOOT), 19);
	assert_int_equal(stats_of(f->j).torn_bytes, f->sizes[20] - f->sizes[19] - 1);
	expect_dump(f, 19);
	run(f, 19, 22);
	assert_int_equal(restart(f, BOOT), 22);
	assert_int_equal(stats_of(f->j).torn_bytes, 0);
	expect_dump(f, 22);
}

/* Any byte changed: the polls up to it are kept, those of other segments too. */
static void test_flip_every_byte(void **state)
{
	static char first[65536], image[65536];
	struct fixture *f = *state;
	size_t len, first_len, i;
	unsigned restored;
	uint64_t torn;
	char *text;
	int polls;

	run(f, 0, 40);
	first_len = read_segment(f->dir, 1, first, sizeof(first));
	len = read_segment(f->dir, 2, image, sizeof(image));
	assert_true(first_len > 0 && len > 0);
	for (i = 0; i < first_len + len; i++) {
		char *at = i < first_len ? &first[i] : &image[i - first_len];
		char saved = *at;

		*at ^= 1 << i % 8;
		write_segment(f->copy, 1, first, first_len);
		write_segment(f->copy, 2, image, len);
		*at = saved;
		text = restore_copy(f, &restored, &torn);
		assert_true(restored < 40 && torn > 0);
		for (polls = 0; polls < 40 && f->sizes[polls + 1] <= i; polls++)
			;
		if (i >= first_len) {
			assert_int_equal(restored, polls);
			expect_text(text, f->dumps[polls]);
		} else {
			assert_true(restored >= (unsigned)polls + 10);
		}
		free(text);
		remove_files(f->copy);
	}
}

/* Records that pass the checksum and make no sense. */
static void test_forged_records(void **state)
{
	static char image[65536];
	struct fixture *f = *state;
	uint32_t len, crc;
	size_t at, total;
	unsigned restored, i;
	uint64_t torn;
	int round;

	run(f, 0, 25);
	total = read_segment(f->dir, 1, image, sizeof(image));
	srand(11);
	for (round = 0; round < 1000; round++) {
		static char forged[65536];

		memcpy(forged, image, total);
		for (at = 16, i = rand() % 25; i; i--) {
			memcpy(&len, forged + at, 4);
			at += 8 + len;
		}
		memcpy(&len, forged + at, 4);
		for (i = 1 + rand() % 4; i; i--)
			forged[at + 8 + rand() % len] = rand() % 3 ? rand() : 0xff;
		if (rand() % 4 == 0) {
			len = 1 + rand() % len;
			memcpy(forged + at, &len, 4);
		}
		crc = crc32(0, (Bytef *)forged + at + 8, len);
		memcpy(forged + at + 4, &crc, 4);
		write_segment(f->copy, 1, forged, total);
		free(restore_copy(f, &restored, &torn));
		assert_true(restored <= 25);
		remove_files(f->copy);
	}
}

static void test_absurd_length(void **state)
{
	static char image[65536];
	struct fixture *f = *state;
	unsigned restored;
	uint64_t torn;
	size_t len;

	run(f, 0, 5);
	len = read_segment(f->dir, 1, image, sizeof(image));
	memset(image + f->sizes[3], 0xff, 4);
	write_segment(f->copy, 1, image, len);
	free(restore_copy(f, &restored, &torn));
	assert_int_equal(restored, 3);
	assert_int_equal(torn, len - f->sizes[3]);
}

static void test_foreign_files(void **state)
{
	static char image[65536];
	struct fixture *f = *state;
	unsigned char version[4] = {2, 0, 0, 0};
	struct stat sb;
	char path[128];
	uint32_t crc;
	size_t len;

	run(f, 0, 5);
	len = read_segment(f->dir, 1, image, sizeof(image));
	memcpy(image + 8, version, 4); /* a format of the future */
	crc = crc32(0, (Bytef *)image, 12);
	memcpy(image + 12, &crc, 4);
	write_segment(f->dir, 2, image, len);
	write_segment(f->dir, 3, "", 0);
	write_segment(f->dir, 4, "not a journal at all", 20);
	snprintf(path, sizeof(path), "%s/window-000005.seg", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/window-000006.seg", f->dir);
	assert_int_equal(symlink("/dev/zero", path), 0);
	snprintf(path, sizeof(path), "%s/window-000007.seg", f->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(restart(f, BOOT), 5);
	expect_dump(f, 5);
	assert_int_equal(stats_of(f->j).set_aside, 1);
	snprintf(path, sizeof(path), "%s/window-000002.seg.newer", f->dir);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_size, len);
	run(f, 5, 8);
	assert_int_equal(restart(f, BOOT), 8);
	expect_dump(f, 8);
	snprintf(path, sizeof(path), "%s/window-000005.seg", f->dir);
	rmdir(path);
}

/* ---- disk trouble ---- */

static void test_directory_cannot_be_made(void **state)
{
	struct journal_cfg cfg = {.boot_id = BOOT};
	struct store *st = new_store();
	struct journal *j = NULL;
	struct fixture *f = *state;
	unsigned restored = 99;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/file", f->root);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	strcat(path, "/state");
	cfg.dir = path;
	assert_int_equal(journal__open(&cfg, st, &j, &restored), -ENOTDIR);
	assert_non_null(j);
	assert_int_equal(restored, 0);
	poll_node(st, 0);
	assert_int_equal(journal__tick(j, st, time_of(0)), -ENOTDIR);
	assert_int_equal(stats_of(j).last_err, ENOTDIR);
	assert_true(stats_of(j).failed >= 1);
	/* the obstacle goes away */
	*strrchr(path, '/') = '\0';
	unlink(path);
	poll_node(st, 1);
	assert_int_equal(journal__tick(j, st, time_of(1)), 0);
	assert_int_equal(stats_of(j).last_err, 0);
	journal__close(j);
	store__free(st);
	strcat(path, "/state");
	remove_files(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

/* Readable, not writable: seen by a child without privileges. */
static void test_directory_is_read_only(void **state)
{
	struct fixture *f = *state;
	struct journal_cfg cfg = {.dir = f->dir, .boot_id = BOOT};
	struct store *st = new_store();
	struct journal *j = NULL;
	unsigned restored = 0;
	int status, err;
	pid_t pid;

	run(f, 0, 10);
	journal__close(f->j);
	f->j = NULL;
	assert_int_equal(chmod(f->root, 0755), 0);
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(chmod(segment_path(f->dir, 1), 0444), 0);
	pid = fork();
	if (!pid) {
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(9);
		err = journal__open(&cfg, st, &j, &restored);
		if (err != -EACCES || restored != 10)
			_exit(1);
		_exit(journal__tick(j, st, time_of(11)) == -EACCES ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	store__free(st);
}

/* A file size limit is a disk that is full in the middle of a record. */
static void test_disk_full(void **state)
{
	struct rlimit old, limit;
	struct fixture *f = *state;
	struct stat sb;

	run(f, 0, 10);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = f->sizes[10] + 11;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	poll_node(f->st, 10);
	assert_int_equal(journal__tick(f->j, f->st, time_of(10)), -EFBIG);
	assert_int_equal(stat(segment_path(f->dir, 1), &sb), 0);
	assert_int_equal(sb.st_size, f->sizes[10]); /* nothing half is left */
	limit.rlim_cur = 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	poll_node(f->st, 11);
	assert_int_equal(journal__tick(f->j, f->st, time_of(11)), -EFBIG);
	assert_int_equal(count_files(f->dir), 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(stats_of(f->j).failed, 2);
	assert_int_equal(stats_of(f->j).last_err, EFBIG);
	run(f, 12, 20);
	assert_int_equal(stats_of(f->j).last_err, 0);
	assert_int_equal(count_files(f->dir), 2);
	assert_int_equal(restart(f, BOOT), 18);
	assert_int_equal(stats_of(f->j).torn_bytes, 0);
}

static void test_directory_is_removed(void **state)
{
	struct fixture *f = *state;

	run(f, 0, 10);
	remove_files(f->dir);
	poll_node(f->st, 10); /* goes to the unlinked segment: nobody can tell */
	assert_int_equal(journal__tick(f->j, f->st, time_of(10)), 0);
	poll_node(f->st, 50); /* a new segment is due, and there is no directory */
	assert_int_equal(journal__tick(f->j, f->st, time_of(50)), -ENOENT);
	run(f, 51, 55);
	assert_int_equal(restart(f, BOOT), 4);
}

/* An agent that polls as fast as it can, and tells which polls it has finished. */
static void run_until_killed(struct fixture *f, int from, int fd)
{
	unsigned restored;
	int i;

	store__free(f->st);
	f->st = new_store();
	f->j = open_journal(f->dir, f->st, BOOT, &restored);
	for (i = from;; i++) {
		poll_node(f->st, i);
		if (journal__tick(f->j, f->st, time_of(i)) || write(fd, &i, sizeof(i)) < 0)
			_exit(1);
	}
}

/* Returns the last poll that was finished before the kill. */
static int run_and_kill(struct fixture *f, int from, int polls)
{
	int fds[2], done = -1;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid)
		run_until_killed(f, from, fds[1]);
	close(fds[1]);
	while (polls--)
		assert_int_equal(read(fds[0], &done, sizeof(done)), sizeof(done));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	while (read(fds[0], &done, sizeof(done)) == sizeof(done))
		;
	close(fds[0]);
	return done;
}

static void test_sigkill(void **state)
{
	struct fixture *f = *state;
	int done = -1, round, polls;
	unsigned restored;
	struct series *s;

	journal__close(f->j);
	for (round = 0; round < 20; round++) {
		done = run_and_kill(f, done + 1, 3 + round % 4);
		store__free(f->st);
		f->st = new_store();
		f->j = open_journal(f->dir, f->st, BOOT, &restored);
		s = proc(f->st, 1, NULL);
		assert_true(series__last_s(s) >= time_of(done));
		assert_true(series__last_s(s) <= time_of(done + 1));
		done += series__last_s(s) > time_of(done);
		/* no poll of the window is missing, whichever was hit */
		polls = done + 1 < WINDOW_S / INTERVAL_S ? done + 1 : WINDOW_S / INTERVAL_S;
		assert_int_equal(series__points(f->st, s, time_of(done), NULL, 0), polls);
		journal__close(f->j);
	}
	f->j = NULL;
}

static void test_second_agent_is_kept_out(void **state)
{
	struct fixture *f = *state;
	struct journal_cfg cfg = {.dir = f->dir, .boot_id = BOOT};
	struct store *st = new_store();
	struct journal *j = NULL;
	unsigned restored = 0;

	run(f, 0, 10);
	assert_int_equal(journal__open(&cfg, st, &j, &restored), -EBUSY);
	assert_int_equal(restored, 10);
	assert_int_equal(journal__tick(j, st, time_of(11)), -EBUSY);
	run(f, 10, 20);
	journal__close(f->j);
	f->j = NULL;
	assert_int_equal(journal__tick(j, st, time_of(20)), 0);
	journal__close(j);
	store__free(st);
	assert_int_equal(restart(f, BOOT), 21);
}

static void test_time_must_go_on(void **state)
{
	struct fixture *f = *state;

	run(f, 0, 3);
	assert_int_equal(journal__tick(f->j, f->st, time_of(2)), -EINVAL);
	assert_int_equal(journal__tick(f->j, f->st, NAN), -EINVAL);
	run(f, 3, 5);
	assert_int_equal(restart(f, BOOT), 5);
	expect_dump(f, 5);
}

/* ---- size ---- */

static void test_old_segments_go(void **state)
{
	struct fixture *f = *state;
	struct stat sb;
	char *text;
	int i;

	for (i = 0; i < 1000; i++) { /* 250 s of a window of 60 s */
		series__put(f->st, proc(f->st, 1, "p"), time_of(i), (100 + i) * MIB, .1, NAN, 0);
		assert_int_equal(journal__tick(f->j, f->st, time_of(i)), 0);
	}
	assert_true(count_files(f->dir) <= 10);
	assert_int_equal(stat(f->dir, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0700);
	assert_int_equal(access(segment_path(f->dir, 1), F_OK), -1);
	text = dump(f->st, time_of(999));
	restart(f, BOOT);
	free(f->dumps[0]);
	f->dumps[0] = dump(f->st, time_of(999));
	expect_text(text, f->dumps[0]);
	free(text);
	for (i = 0; i < 60; i++) { /* a crash loop does not make a file each */
		restart(f, BOOT);
		series__put(f->st, proc(f->st, 1, "p"), time_of(1000 + i), MIB, .1, NAN, 0);
		assert_int_equal(journal__tick(f->j, f->st, time_of(1000 + i)), 0);
	}
	assert_true(count_files(f->dir) <= 12);
}

static void test_idle_series_cost_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t before = 0;
	int i, k;

	for (i = 0; i < 20; i++) {
		for (k = 1; k <= 16; k++)
			series__put(f->st, proc(f->st, k, "idle"), time_of(i), k * MIB, .25, NAN,
				    0);
		if (i == 10)
			before = stats_of(f->j).bytes;
		assert_int_equal(journal__tick(f->j, f->st, time_of(i)), 0);
	}
	assert_int_equal(stats_of(f->j).bytes - before, 10 * (8 + 9));
}

static void test_fewer_slots_after_a_restart(void **state)
{
	struct store_cfg cfg = {INTERVAL_S, WINDOW_S, 3, 3};
	struct store_stats stats;
	struct fixture *f = *state;
	unsigned restored;

	run(f, 0, 40);
	journal__close(f->j);
	store__free(f->st);
	f->st = store__new(&cfg);
	assert_non_null(f->st);
	f->j = open_journal(f->dir, f->st, BOOT, &restored);
	assert_int_equal(restored, 40);
	store__stats(f->st, &stats);
	assert_true(stats.series >= 1 && stats.series <= 3);
	poll_changing(f->st, 41);
	assert_int_equal(journal__tick(f->j, f->st, time_of(41)), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_restart_is_exact),
		TEST(test_restart_once),
		TEST(test_gap_stays_a_gap),
		TEST(test_restored_series_are_not_polls),
		TEST(test_other_boot_keeps_cgroups_only),
		TEST(test_clock_set_back),
		TEST(test_cut_at_every_byte),
		TEST(test_torn_tail_is_cut_once),
		TEST(test_flip_every_byte),
		TEST(test_forged_records),
		TEST(test_absurd_length),
		TEST(test_foreign_files),
		TEST(test_directory_cannot_be_made),
		TEST(test_directory_is_read_only),
		TEST(test_disk_full),
		TEST(test_directory_is_removed),
		TEST(test_sigkill),
		TEST(test_second_agent_is_kept_out),
		TEST(test_time_must_go_on),
		TEST(test_old_segments_go),
		TEST(test_idle_series_cost_nothing),
		TEST(test_fewer_slots_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
