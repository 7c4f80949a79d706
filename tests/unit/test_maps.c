/* SPDX-License-Identifier: BSD-2-Clause */
/* test_maps.c - /proc/PID/maps, real and garbled, and opening what is mapped. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sym/maps.h"

static const char sample[] =
	"00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/db us\\012d\n"
	"e03000-e24000 rw-p 00000000 00:00 0           [heap]\n"
	"35b1800000-35b1820000 r--s 00000000 fd:1f 135522  /usr/lib64/x.so (deleted)\n"
	"7ffff7fc9000-7ffff7fcb000 r-xp 00000000 00:00 0  [vdso]\n"
	"7ffff7fff000-7ffff8000000 ---p 00000000 00:00 0 \n";

static struct maps *parse(const char *text)
{
	struct maps *m;

	assert_int_equal(maps__parse(text, strlen(text), &m), 0);
	return m;
}

static void test_fields(void **state)
{
	struct maps *m = parse(sample);
	const struct map_region *r;

	assert_int_equal(maps__cnt(m), 5);
	r = maps__at(m, 0);
	assert_int_equal(r->start, 0x400000);
	assert_int_equal(r->end, 0x452000);
	assert_int_equal(r->offset, 0x1000);
	assert_int_equal(r->dev_major, 8);
	assert_int_equal(r->dev_minor, 2);
	assert_int_equal(r->inode, 173521);
	assert_true(r->readable && r->executable && !r->writable && !r->shared);
	assert_string_equal(r->path, "/usr/bin/db us\nd");
	r = maps__at(m, 2);
	assert_true(r->deleted && r->shared);
	assert_int_equal(r->dev_minor, 0x1f);
	assert_string_equal(r->path, "/usr/lib64/x.so");
	assert_string_equal(maps__at(m, 4)->path, "");
	maps__free(m);
}

static void test_find(void **state)
{
	struct maps *m = parse(sample);

	assert_null(maps__find(m, 0));
	assert_null(maps__find(m, 0x3fffff));
	assert_ptr_equal(maps__find(m, 0x400000), maps__at(m, 0));
	assert_ptr_equal(maps__find(m, 0x451fff), maps__at(m, 0));
	assert_null(maps__find(m, 0x452000));
	assert_ptr_equal(maps__find(m, 0x7ffff7fc9123), maps__at(m, 3));
	assert_null(maps__find(m, UINT64_MAX));
	maps__free(m);
}

static void test_garbled_lines(void **state)
{
	struct maps *m = parse("\n\nzz\n100-\n100-200\n100-200 r-xp\n200-100 r-xp 0 0:0 0 \n"
			       "100-200 r-xp 0 0:0 \n100-200 r-xp 0 0:0 5\n"
			       "180-280 r-xp 0 0:0 6 /overlaps\n300-400 r--p 0 0:0 7 /fine");

	assert_int_equal(maps__cnt(m), 2);
	assert_int_equal(maps__at(m, 0)->inode, 5);
	assert_string_equal(maps__at(m, 1)->path, "/fine");
	maps__free(m);
}

/* Cut anywhere, the text gives regions in order that were in the whole. */
static void test_truncated(void **state)
{
	struct maps *m;
	size_t len, i;

	for (len = 0; len < sizeof(sample); len++) {
		assert_int_equal(maps__parse(sample, len, &m), 0);
		assert_in_range(maps__cnt(m), 0, 5);
		for (i = 1; i < maps__cnt(m); i++)
			assert_true(maps__at(m, i)->start >= maps__at(m, i - 1)->end);
		maps__free(m);
	}
}

static void test_own_process(void **state)
{
	const struct map_region *r;
	struct maps *m;
	int fd;

	assert_int_equal(maps__read(getpid(), &m), 0);
	r = maps__find(m, (uint64_t)test_own_process);
	assert_non_null(r);
	assert_true(r->executable);
	fd = maps__open_file(getpid(), r);
	assert_true(fd >= 0);
	close(fd);
	assert_true(maps__find(m, (uint64_t)&fd)->writable);
	assert_int_equal(maps__open_file(getpid(), maps__find(m, (uint64_t)&fd)), -ENOENT);
	maps__free(m);
}

static void test_gone_process(void **state)
{
	struct maps *m;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(maps__read(pid, &m), -ESRCH);
}

struct mapped {
	char dir[32], path[64];
	void *at;
};

static struct mapped map_new_file(void)
{
	struct mapped f = {.dir = "/tmp/seep-maps-XXXXXX"};
	int fd;

	assert_non_null(mkdtemp(f.dir));
	snprintf(f.path, sizeof(f.path), "%s/file", f.dir);
	fd = open(f.path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, "mapped", 6), 6);
	f.at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(f.at != MAP_FAILED);
	close(fd);
	return f;
}

static void unmap(struct mapped *f)
{
	munmap(f->at, 4096);
	unlink(f->path);
	rmdir(f->dir);
}

static int open_mapped(const struct mapped *f)
{
	struct maps *m;
	int fd;

	assert_int_equal(maps__read(getpid(), &m), 0);
	fd = maps__open_file(getpid(), maps__find(m, (uint64_t)f->at));
	maps__free(m);
	return fd;
}

/* Another file under the name is never given out; the mapped one is where privileges allow. */
static void test_replaced_file(void **state)
{
	struct mapped f = map_new_file();
	char content[8] = "";
	struct maps *m;
	int fd;

	assert_int_equal(maps__read(getpid(), &m), 0);
	unlink(f.path);
	close(open(f.path, O_WRONLY | O_CREAT, 0600));
	fd = maps__open_file(getpid(), maps__find(m, (uint64_t)f.at));
	if (fd < 0) {
		assert_int_equal(fd, -ESTALE);
	} else {
		assert_int_equal(read(fd, content, sizeof(content)), 6);
		assert_string_equal(content, "mapped");
		close(fd);
	}
	maps__free(m);
	unmap(&f);
}

static void test_deleted_file(void **state)
{
	struct mapped f = map_new_file();
	int fd;

	unlink(f.path);
	fd = open_mapped(&f);
	if (geteuid())
		assert_true(fd < 0 || !close(fd));
	else
		assert_true(fd >= 0 && !close(fd));
	unmap(&f);
}

/* A FIFO in the file's place would block whoever opens it. */
static void test_no_fifo_is_opened(void **state)
{
	char dir[] = "/tmp/seep-maps-XXXXXX", path[64];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(maps__open_in_root(getpid(), path), -EINVAL);
	assert_int_equal(maps__open_in_root(getpid(), dir), -EINVAL);
	unlink(path);
	assert_int_equal(maps__open_in_root(getpid(), path), -ENOENT);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_garbled_lines),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_gone_process),
		cmocka_unit_test(test_replaced_file),
		cmocka_unit_test(test_deleted_file),
		cmocka_unit_test(test_no_fifo_is_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
