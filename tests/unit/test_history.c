/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_history.c - incidents survive SIGKILL; full disks, damaged files and foreign schemas are
 * survived. Every test works on a real database in a directory of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <glob.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "incident/history.h"
#include "incident_sample.h"

static char dir[64];
static char path[128];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/seep-history-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/incidents.db", dir);
	return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(name);
}

static int remove_dir(void **state)
{
	umount2(dir, MNT_DETACH); /* left behind when test_full_disk failed */
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct history *open_history(void)
{
	struct history *h = NULL;
	const char *why;
	int err;

	err = history__open(path, &h, &why);
	if (err)
		fail_msg("cannot open: %d, %s", err, why);
	return h;
}

/* An incident of its own, opened n seconds after T0. */
static struct incident *numbered(int n)
{
	char id[INCIDENT_ID_LEN], key[32];
	struct incident *in;

	snprintf(id, sizeof(id), "id%08d", n);
	snprintf(key, sizeof(key), "p:%d:1", n);
	in = sample_incident(id, key);
	in->opened_s = in->updated_s = T0 + n;
	return in;
}

static int put_numbered(struct history *h, int n, int closed)
{
	struct incident *in = numbered(n);
	int err;

	if (closed)
		incident__close(in, T0 + n, "growth stopped");
	err = history__put(h, in);
	incident__free(in);
	return err;
}

struct ids {
	int cnt;
	int stop_at; /* 0: never */
	char first[INCIDENT_ID_LEN], last[INCIDENT_ID_LEN];
};

static int collect(void *ctx, struct incident *in)
{
	struct ids *ids = ctx;

	if (!ids->cnt)
		strcpy(ids->first, in->id);
	strcpy(ids->last, in->id);
	incident__free(in);
	return ++ids->cnt == ids->stop_at;
}

static struct ids query(struct history *h, struct history_query q)
{
	struct ids ids = {0};

	assert_int_equal(history__query(h, &q, collect, &ids), 0);
	return ids;
}

static int count(struct history *h)
{
	return query(h, (struct history_query){.since_s = NAN, .limit = 1 << 30}).cnt;
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int file_count(const char *pattern)
{
	char full[192];
	glob_t found;
	int cnt;

	snprintf(full, sizeof(full), "%s/%s", dir, pattern);
	cnt = glob(full, 0, NULL, &found) ? 0 : (int)found.gl_pathc;
	globfree(&found);
	return cnt;
}

static int keep(void *ctx, struct incident *in)
{
	*(struct incident **)ctx = in;
	return 1;
}

/* ---- the ordinary ---- */

static void test_put_and_get(void **state)
{
	struct history_query all = {.since_s = NAN};
	struct incident *in = sample_incident("0123abcd", "c:/a'b\"\xff;--"), *back = NULL;
	struct history *h = open_history();
	json_t *a, *b;

	assert_int_equal(history__put(h, in), 0);
	assert_int_equal(history__query(h, &all, keep, &back), 0);
	assert_non_null(back);
	a = incident__to_json(in, 0);
	b = incident__to_json(back, 0);
	assert_true(json_equal(a, b));
	assert_string_equal(back->key, in->key);
	json_decref(a);
	json_decref(b);
	incident__free(in);
	incident__free(back);
	history__close(h);
}

static void test_put_replaces_by_id(void **state)
{
	struct history *h = open_history();

	assert_int_equal(put_numbered(h, 7, 0), 0);
	assert_int_equal(put_numbered(h, 7, 1), 0);
	assert_int_equal(count(h), 1);
	assert_int_equal(query(h, (struct history_query){.open_only = 1, .since_s = NAN}).cnt, 0);
	history__close(h);
	h = open_history();
	assert_int_equal(count(h), 1);
	history__close(h);
}

static void test_queries(void **state)
{
	struct history *h = open_history();
	struct ids ids;
	int i;

	for (i = 0; i < 50; i++)
		assert_int_equal(put_numbered(h, i, i % 2), 0);
	ids = query(h, (struct history_query){.since_s = NAN});
	assert_int_equal(ids.cnt, 50);
	assert_string_equal(ids.first, "id00000049");
	assert_string_equal(ids.last, "id00000000");
	assert_int_equal(query(h, (struct history_query){.open_only = 1, .since_s = NAN}).cnt, 25);
	/* open ones were open after any time; of the closed ones 41, 43, 45, 47, 49 */
	assert_int_equal(query(h, (struct history_query){.since_s = T0 + 40}).cnt, 25 + 5);
	assert_int_equal(query(h, (struct history_query){.since_s = NAN, .limit = 7}).cnt, 7);
	assert_int_equal(
		query(h, (struct history_query){.since_s = NAN, .id_prefix = "ID0000001"}).cnt, 10);
	assert_int_equal(query(h, (struct history_query){.since_s = NAN, .id_prefix = "%"}).cnt, 0);
	assert_int_equal(query(h, (struct history_query){.since_s = NAN, .id_prefix = "'"}).cnt, 0);
	assert_int_equal(query(h, (struct history_query){.since_s = NAN, .id_prefix = ""}).cnt, 50);
	assert_int_equal(query(h, (struct history_query){.since_s = NAN, .key = "p:3:1"}).cnt, 1);
	assert_int_equal(query(h, (struct history_query){.since_s = NAN, .key = "p:3"}).cnt, 0);
	history__close(h);
}

static void test_callback_stops_the_query(void **state)
{
	struct history_query all = {.since_s = NAN};
	struct ids ids = {.stop_at = 3};
	struct history *h = open_history();
	int i;

	for (i = 0; i < 10; i++)
		put_numbered(h, i, 0);
	assert_int_equal(history__query(h, &all, collect, &ids), 0);
	assert_int_equal(ids.cnt, 3);
	/* and leaves nothing behind that would block a writer */
	run_sql("BEGIN EXCLUSIVE; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
	history__close(h);
}

static int put_again(void *ctx, struct incident *in)
{
	struct history_query all = {.since_s = NAN};
	struct ids ids = {0};
	int err;

	err = history__query(ctx, &all, collect, &ids);
	incident__close(in, T0 + 1000, "closed in the callback");
	err |= history__put(ctx, in);
	incident__free(in);
	assert_int_equal(err, 0);
	return 0;
}

static void test_callback_may_use_the_history(void **state)
{
	struct history_query all = {.since_s = NAN};
	struct history *h = open_history();
	int i;

	for (i = 0; i < 10; i++)
		put_numbered(h, i, 0);
	assert_int_equal(history__query(h, &all, put_again, h), 0);
	assert_int_equal(count(h), 10);
	assert_int_equal(query(h, (struct history_query){.open_only = 1, .since_s = NAN}).cnt, 0);
	history__close(h);
}

static void test_unreadable_rows_are_skipped_and_counted(void **state)
{
	struct history_stats stats;
	struct history *h = open_history();
	int i;

	for (i = 0; i < 6; i++)
		put_numbered(h, i, 0);
	run_sql("UPDATE incident SET document = '{' WHERE id = 'id00000001'");
	run_sql("UPDATE incident SET document = '' WHERE id = 'id00000002'");
	run_sql("UPDATE incident SET document = x'ff00ff' WHERE id = 'id00000003'");
	run_sql("UPDATE incident SET document = '{\"schema\": 1}' WHERE id = 'id00000004'");
	assert_int_equal(count(h), 2);
	history__stats(h, &stats);
	assert_int_equal(stats.unreadable, 4);
	assert_int_equal(stats.rows, 6);
	assert_int_equal(stats.failed, 0);
	history__close(h);
}

static void test_file_is_private(void **state)
{
	struct history *h = open_history();
	char wal[160];
	struct stat st;

	put_numbered(h, 1, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	history__close(h);
}

/* ---- bounds ---- */

/* 10 000 rows at once: a test of the bound, not of the speed of 10 000 commits. */
static void fill(struct history *h, int rows)
{
	int i;

	run_sql("PRAGMA synchronous = OFF");
	for (i = 0; i < rows; i++)
		assert_int_equal(put_numbered(h, i, i >= 10), 0);
}

static void test_many_rows(void **state)
{
	struct history *h = open_history();
	struct history_stats stats;
	struct ids ids;
	uint64_t before;

	fill(h, 10000);
	ids = query(h, (struct history_query){.since_s = NAN});
	assert_int_equal(ids.cnt, 1000);
	assert_string_equal(ids.first, "id00009999");
	assert_int_equal(query(h, (struct history_query){.open_only = 1, .since_s = NAN}).cnt, 10);
	history__stats(h, &stats);
	assert_int_equal(stats.rows, 10000);
	before = stats.size_bytes;

	assert_int_equal(history__expire(h, NAN, 100), 0);
	assert_int_equal(count(h), 100);
	/* the open ones are the oldest, and stay */
	assert_int_equal(query(h, (struct history_query){.open_only = 1, .since_s = NAN}).cnt, 10);
	history__close(h);
	h = open_history();
	history__stats(h, &stats);
	assert_int_equal(stats.rows, 100);
	assert_true(stats.size_bytes < before / 10);
	history__close(h);
}

static void test_expire_by_age(void **state)
{
	struct history *h = open_history();
	int i;

	for (i = 0; i < 40; i++)
		put_numbered(h, i, i >= 10);
	assert_int_equal(history__expire(h, T0 + 25, 0), 0);
	assert_int_equal(count(h), 10 + 15);
	assert_int_equal(history__expire(h, NAN, 0), 0);
	assert_int_equal(count(h), 25);
	assert_int_equal(history__expire(h, T0 + 1000, 0), 0);
	assert_int_equal(count(h), 10);
	assert_int_equal(history__expire(h, T0 + 1000, 1), 0);
	assert_int_equal(count(h), 10);
	history__close(h);
}

/* ---- failures ---- */

/* The child reports each put that returned; it ends by SIGKILL only. */
static void put_forever(int first, int fd)
{
	struct history *h;
	const char *why;
	int n;

	if (history__open(path, &h, &why))
		_exit(1);
	for (n = first;; n++) {
		if (put_numbered(h, n, n % 3 == 0))
			_exit(2);
		if (write(fd, &n, sizeof(n)) != sizeof(n))
			_exit(3);
	}
}

/* Returns the number after the last one that was reported. */
static int kill_a_writer(int first, unsigned after_us)
{
	int fds[2], n, next = first, status;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid)
		put_forever(first, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n)); /* it is up */
	usleep(after_us);
	kill(pid, SIGKILL);
	do {
		assert_int_equal(n, next);
		next++;
	} while (read(fds[0], &n, sizeof(n)) == sizeof(n));
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return next;
}

static void test_sigkill_loses_no_put(void **state)
{
	struct history_stats stats;
	struct history *h;
	int cycle, next = 0, cnt;

	srand(7919);
	for (cycle = 0; cycle < 20; cycle++) {
		next = kill_a_writer(next, rand() % 20000);
		h = open_history();
		cnt = count(h);
		/* one more may have been written without having been reported */
		assert_in_range(cnt, next, next + 1);
		history__stats(h, &stats);
		assert_int_equal(stats.unreadable, 0);
		next = cnt;
		history__close(h);
	}
	assert_int_equal(file_count("*.corrupt-*"), 0);
}

/* Fill a file system that is too small, then make room. */
static void test_full_disk(void **state)
{
	struct history_stats stats;
	struct history *h;
	char hog[160];
	int n = 0, fd, err;

	if (mount("none", dir, "tmpfs", 0, "size=2m")) {
		print_message("cannot mount a tmpfs (root only): %s\n", strerror(errno));
		skip();
	}
	h = open_history();
	snprintf(hog, sizeof(hog), "%s/hog", dir);
	fd = open(hog, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, dir, sizeof(dir)) == sizeof(dir))
		;
	while (!(err = put_numbered(h, n, 0)))
		n++;
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(put_numbered(h, n, 0), -ENOSPC);
	assert_int_equal(count(h), n);
	history__stats(h, &stats);
	assert_int_equal(stats.failed, 2);
	assert_int_equal(stats.last_err, -ENOSPC);

	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	assert_int_equal(put_numbered(h, n, 0), 0);
	assert_int_equal(count(h), n + 1);
	history__stats(h, &stats);
	assert_int_equal(stats.last_err, 0); /* over, and said so */
	history__close(h);
	h = open_history();
	assert_int_equal(count(h), n + 1);
	history__close(h);
}

/* The same without mounting: in a child, since a file size limit cannot be undone by halves. */
static int fail_by_rlimit(void)
{
	struct rlimit limit = {.rlim_cur = 300000, .rlim_max = RLIM_INFINITY};
	struct history *h;
	const char *why;
	int n = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (history__open(path, &h, &why))
		return 1;
	setrlimit(RLIMIT_FSIZE, &limit);
	while (n < 10000 && !put_numbered(h, n, 0))
		n++;
	if (n == 0 || n == 10000)
		return 2;
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	if (put_numbered(h, n, 0) || count(h) != n + 1)
		return 3;
	history__close(h);
	return 0;
}

static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_file_size_limit(void **state)
{
	assert_int_equal(in_child(fail_by_rlimit), 0);
}

/* As a user to whom permissions apply. */
static int open_is_refused(void)
{
	struct history *h = NULL;
	const char *why = NULL;

	if (!geteuid() && (setgid(65534) || setuid(65534)))
		return 1;
	if (history__open(path, &h, &why) >= 0)
		return 2;
	return !why || h;
}

static void test_unwritable(void **state)
{
	struct history *h;

	assert_int_equal(chmod(dir, 0555), 0); /* no file, and none can be made */
	assert_int_equal(in_child(open_is_refused), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	h = open_history();
	put_numbered(h, 1, 0);
	history__close(h);
	assert_int_equal(chmod(path, 0444), 0); /* a file that others may only read */
	assert_int_equal(in_child(open_is_refused), 0);
	assert_int_equal(chmod(path, 0600), 0);
	h = open_history();
	assert_int_equal(count(h), 1);
	history__close(h);
}

static void test_impossible_paths(void **state)
{
	struct history *h = NULL;
	const char *why = NULL;
	char sub[160];

	snprintf(sub, sizeof(sub), "%s/no/such/dir", dir);
	assert_int_equal(history__open(sub, &h, &why), -ENOENT);
	assert_non_null(why);
	assert_int_equal(history__open(dir, &h, &why), -EISDIR);
	assert_non_null(why);
	assert_null(h);
	history__close(NULL);
}

static void write_file(const char *name, const void *data, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void expect_moved_aside(void)
{
	struct history *h = NULL;
	const char *why = NULL;

	assert_int_equal(history__open(path, &h, &why), 0);
	assert_non_null(why);
	assert_int_equal(file_count("*.corrupt-*[0-9]"), 1);
	assert_int_equal(count(h), 0);
	assert_int_equal(put_numbered(h, 1, 0), 0);
	history__close(h);
	h = open_history();
	assert_int_equal(count(h), 1);
	history__close(h);
}

static void test_garbage_is_moved_aside(void **state)
{
	char garbage[8192];

	memset(garbage, 'g', sizeof(garbage));
	write_file(path, garbage, sizeof(garbage));
	expect_moved_aside();
}

static void test_damaged_page_is_moved_aside(void **state)
{
	struct history *h = open_history();
	char garbage[4096];
	int i, fd;

	for (i = 0; i < 50; i++)
		put_numbered(h, i, 0);
	history__close(h);
	memset(garbage, 0x5a, sizeof(garbage));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	for (i = 2; i < 12; i++)
		assert_int_equal(pwrite(fd, garbage, sizeof(garbage), i * 4096), sizeof(garbage));
	close(fd);
	expect_moved_aside();
}

static void test_truncated_file_is_moved_aside(void **state)
{
	struct history *h = open_history();
	int i;

	for (i = 0; i < 50; i++)
		put_numbered(h, i, 0);
	history__close(h);
	assert_int_equal(truncate(path, 5 * 4096 + 1), 0);
	expect_moved_aside();
}

/* The log of the old file must not be taken for the log of the new one. */
static void test_log_moves_along(void **state)
{
	struct history *h = open_history();
	char garbage[16384];
	int i, next;

	for (i = 0; i < 50; i++)
		put_numbered(h, i, 0);
	history__close(h);
	next = kill_a_writer(50, 0);
	assert_true(next > 50);
	assert_int_equal(file_count("*.db-wal"), 1);
	memset(garbage, 'g', sizeof(garbage));
	write_file(path, garbage, sizeof(garbage));
	expect_moved_aside();
	assert_int_equal(file_count("*.corrupt-*-wal"), 1);
}

static void test_empty_file_is_a_new_history(void **state)
{
	struct history *h;

	write_file(path, "", 0);
	h = open_history();
	assert_int_equal(put_numbered(h, 1, 0), 0);
	history__close(h);
}

static void test_newer_schema_is_refused(void **state)
{
	struct history *h = open_history();
	const char *why = NULL;
	struct stat before, after;

	put_numbered(h, 1, 0);
	history__close(h);
	run_sql("PRAGMA user_version = 1000");
	assert_int_equal(stat(path, &before), 0);
	h = NULL;
	assert_int_equal(history__open(path, &h, &why), -ENOTSUP);
	assert_null(h);
	assert_non_null(strstr(why, "newer"));
	assert_int_equal(stat(path, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(file_count("*.corrupt-*"), 0);
}

/* A damaged header: it took the agent to a migration that there is not. */
static void test_a_version_that_cannot_be_is_damage(void **state)
{
	struct history *h = open_history();
	const char *why = NULL;

	put_numbered(h, 1, 0);
	history__close(h);
	run_sql("PRAGMA user_version = -16711681");
	assert_int_equal(history__open(path, &h, &why), 0);
	assert_non_null(strstr(why, "corrupt"));
	assert_int_equal(file_count("*.corrupt-*[0-9]"), 1);
	assert_int_equal(count(h), 0);
	history__close(h);
}

static void test_busy_database_fails_and_recovers(void **state)
{
	struct history *h = open_history();
	sqlite3 *other;

	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(put_numbered(h, 1, 0), -EBUSY);
	assert_int_equal(count(h), 0);
	sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(other);
	assert_int_equal(put_numbered(h, 1, 0), 0);
	assert_int_equal(count(h), 1);
	history__close(h);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put_and_get),
		TEST(test_put_replaces_by_id),
		TEST(test_queries),
		TEST(test_callback_stops_the_query),
		TEST(test_callback_may_use_the_history),
		TEST(test_unreadable_rows_are_skipped_and_counted),
		TEST(test_file_is_private),
		TEST(test_many_rows),
		TEST(test_expire_by_age),
		TEST(test_sigkill_loses_no_put),
		TEST(test_full_disk),
		TEST(test_file_size_limit),
		TEST(test_unwritable),
		TEST(test_impossible_paths),
		TEST(test_garbage_is_moved_aside),
		TEST(test_damaged_page_is_moved_aside),
		TEST(test_truncated_file_is_moved_aside),
		TEST(test_log_moves_along),
		TEST(test_empty_file_is_a_new_history),
		TEST(test_newer_schema_is_refused),
		TEST(test_a_version_that_cannot_be_is_damage),
		TEST(test_busy_database_fails_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
