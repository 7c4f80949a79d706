// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_reader.c - symbolizer.c with a reader that was taken over, or crashes.
 *
 * The reader is the one below instead of user/sym/server.c. Which way it goes wrong is told to it as
 * the size of its cache.
 */
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
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/sandbox.h"
#include "sym/maps.h"
#include "sym/server.h"
#include "sym/symbolizer.h"
#include "sym/wire.h"

#define FRAMES	 16
#define GARBLED	 60 /* readers whose answers are garbled, each in its way */
#define CAP	 32

enum way {
	WAY_CRASH = 1,
	WAY_CRASH_LATER, /* after it has named some */
	WAY_CRASH_ONCE,	 /* the first of them does */
	WAY_MANY,	 /* has more frames than there can be */
	WAY_STEAL,	 /* asks for what it must not have */
	WAY_TALK,	 /* answers as well as it can */
	WAY_GARBLE,	 /* and more: a seed */
};

static int *has_crashed; /* shared by all of them, and us */
static char own_maps[1 << 16];

/* ---- inside ------------------------------------------------------------------------------ */

static uint64_t noise = 1; /* among the data of our file */

static uint64_t next_noise(void)
{
	noise ^= noise << 13;
	noise ^= noise >> 7;
	noise ^= noise << 17;
	return noise;
}

static void put_frame(struct buf *out)
{
	wire__put_uint(out, 5, 8);
	wire__put_uint(out, 77, 4);
	wire__put_uint(out, 0, 1);
	wire__put_uint(out, 0, 1);
	wire__put_text(out, "function");
	wire__put_text(out, "file.c");
	wire__put_text(out, "/bin/module");
	wire__put_text(out, NULL);
}

/* As a good reader would, as far as the shape goes. */
static void answer_well(uint32_t type, const struct buf *question, int frames, struct buf *out)
{
	size_t i, cnt = (question->len - 4) / 9;
	int j;

	if (type == ASK_TARGET)
		wire__put_uint(out, 0, 4);
	if (type == ASK_WALK) {
		wire__put_uint(out, 0, 4);
		for (i = 0; i < 10; i++)
			wire__put_uint(out, 4096 * i, 8);
	}
	for (i = 0; type == ASK_FRAMES && i < cnt; i++) {
		wire__put_uint(out, frames, 1);
		for (j = 0; j < frames; j++)
			put_frame(out);
	}
	if (type == ASK_NOT_SEEN)
		wire__put_text(out, "something");
}

/* A few bytes changed, the end cut off or something added. */
static void garble(struct buf *out)
{
	int changes = next_noise() % 4;

	if (next_noise() % 4 == 0)
		out->len = out->len ? next_noise() % out->len : 0;
	if (next_noise() % 4 == 0)
		wire__put_uint(out, next_noise(), next_noise() % 8 + 1);
	while (out->len && changes--)
		out->data[next_noise() % out->len] = next_noise();
}

/* Places in the target, which is our parent's parent: it looks as we do. */
enum { START_OF_DATA = 1, INSIDE_OF_CODE };

static uint64_t start_of(uint64_t what)
{
	const struct map_region *r;
	struct maps *m;

	if (what == INSIDE_OF_CODE)
		return (uintptr_t)server__run;
	if (what != START_OF_DATA || maps__parse(own_maps, strlen(own_maps), &m))
		return what;
	r = maps__find(m, (uintptr_t)&noise);
	return r ? r->start : 0;
}

static const struct {
	uint32_t target;
	enum opener_kind kind;
	uint64_t start;
	const char *name;
} stolen[] = {
	{0, OPEN_MAPS, 0, NULL},		{0, OPEN_MAPPING, 0x1000, NULL},
	{0, OPEN_SHARED, 0, "/../../../etc/passwd"}, {0, OPEN_DOWNLOAD, 0, "abcdef"},
	{0, OPEN_BUILD_ID, 0, "../../../etc/passwd"}, {0, OPEN_PERF_MAP, 0, NULL},
	{77, OPEN_MAPS, 0, NULL},		{1, OPEN_MAPPING, 0x1000, NULL},
	{1, OPEN_MAPPING, 0, "/etc/passwd"},	{1, OPEN_VDSO, 0x1000, NULL},
	{1, OPEN_LINK, 0, "passwd"},		{1, OPEN_BUILD_ID_INSIDE, 0, "/etc/passwd"},
	{1, OPEN_LINK_APART, 0x1000, "x"},
	{1, OPEN_MAPPING, START_OF_DATA, NULL}, {1, OPEN_MAPPING, INSIDE_OF_CODE, NULL},
};

/* How many of them it got. */
static int steal(int sock)
{
	struct session_asker asker = {.sock = sock};
	struct opener opener;
	int fd, got = 0;
	size_t i;

	for (i = 0; i < sizeof(stolen) / sizeof(stolen[0]); i++) {
		asker.target = stolen[i].target;
		opener = session__opener(&asker);
		fd = opener__open(&opener, stolen[i].kind, start_of(stolen[i].start),
				  stolen[i].name);
		got += fd >= 0;
	}
	return got;
}

static void answer_in_its_way(int sock, uint64_t way, uint32_t type, const struct buf *question,
			      struct buf *out)
{
	char text[64];

	if (way == WAY_CRASH || (way == WAY_CRASH_LATER && type == ASK_NOT_SEEN))
		raise(SIGSEGV);
	if (way == WAY_STEAL && type == ASK_NOT_SEEN) {
		snprintf(text, sizeof(text), "got %d", steal(sock));
		wire__put_text(out, text);
		return;
	}
	if (way == WAY_CRASH_ONCE && type == ASK_FRAMES && !*has_crashed) {
		*has_crashed = 1;
		raise(SIGSEGV);
	}
	answer_well(type, question, way == WAY_MANY ? 255 : 1, out);
	if (way >= WAY_GARBLE)
		garble(out);
}

void server__run(int sock)
{
	struct buf question = {}, out = {};
	uint64_t way = 0;
	uint32_t type;

	while (!session__next(sock, &type, &question)) {
		out.len = 0;
		if (type == ASK_CONFIG)
			memcpy(&way, question.data, sizeof(way));
		else
			answer_in_its_way(sock, way, type, &question, &out);
		if (noise == 1)
			noise = way * 0x9e3779b97f4a7c15ULL + 1;
		if (session__answer(sock, type, &out))
			break;
	}
}

/* ---- outside ----------------------------------------------------------------------------- */

static struct symbolizer *new_symbolizer(uint64_t way)
{
	const struct symbolizer_cfg cfg = {.max_cache_bytes = way};
	struct symbolizer *s = symbolizer__new(&cfg);

	assert_non_null(s);
	return s;
}

static const char *line_with(struct sym_target *t, const char *part)
{
	const char *const *line;

	for (line = sym_target__not_seen(t); *line; line++)
		if (strstr(*line, part))
			return *line;
	return NULL;
}

/* As names are used: every byte of them is read. */
static size_t look_at(const char *text)
{
	return text ? strlen(text) : 0;
}

static void use_all(struct sym_target *t)
{
	const struct seep_regs regs = {.ip = 4711};
	struct sym_address addresses[40];
	struct frame f[FRAMES];
	const char *const *line;
	uint64_t ips[CAP];
	enum unwind_end end;
	int i, j, cnt;

	cnt = sym_target__walk(t, &regs, "stack of some bytes", 19, ips, CAP, &end);
	assert_in_range(cnt, 0, CAP);
	assert_true(strcmp(unwind__end_name(end), "?"));
	for (i = 0; i < 40; i++)
		addresses[i] = (struct sym_address){4096 * i, 1};
	sym_target__expect(t, addresses, 40);
	for (i = 0; i < 42; i++) {
		cnt = sym_target__frames(t, 4096 * i, 1, f, FRAMES);
		assert_in_range(cnt, 1, FRAMES);
		for (j = 0; j < cnt; j++) {
			assert_int_equal(f[j].address, 4096 * i);
			assert_in_range(f[j].kind, FRAME_NATIVE, FRAME_KERNEL);
			look_at(f[j].function);
			look_at(f[j].file);
			look_at(f[j].module);
			look_at(f[j].build_id);
		}
	}
	for (line = sym_target__not_seen(t); *line; line++)
		look_at(*line);
}

static void test_talks(void **state)
{
	struct symbolizer *s = new_symbolizer(WAY_TALK);
	struct frame f[FRAMES];
	struct sym_target *t;

	assert_int_equal(sym_target__new(s, getpid(), &t), 0);
	use_all(t);
	assert_int_equal(sym_target__frames(t, 8192, 1, f, FRAMES), 1);
	assert_string_equal(f[0].function, "function");
	assert_int_equal(f[0].line, 77);
	assert_null(f[0].build_id);
	assert_non_null(line_with(t, "something"));
	assert_null(line_with(t, "missing"));
	sym_target__free(t);
	symbolizer__free(s);
}

/* Whatever it says, we stay within our bounds (and ASan's). */
static void test_garbled(void **state)
{
	struct sandbox_stats before, after;
	struct symbolizer *s;
	struct sym_target *t;
	int seed;

	sandbox__stats(&before);
	for (seed = 0; seed < GARBLED; seed++) {
		s = new_symbolizer(WAY_GARBLE + seed);
		assert_int_equal(sym_target__new(s, getpid(), &t), 0);
		use_all(t);
		sym_target__free(t);
		symbolizer__free(s);
	}
	sandbox__stats(&after);
	/* most of it is found out */
	assert_true(after.failed - before.failed > GARBLED / 2);
	assert_int_equal(after.running, before.running);
}

/* It ends again and again: said, and after some times left at that. */
static void test_crashes(void **state)
{
	struct sandbox_stats before, after;
	struct symbolizer *s = new_symbolizer(WAY_CRASH);
	struct frame f[FRAMES];
	struct sym_target *t;
	char expected[128];
	int i;

	sandbox__stats(&before);
	assert_int_equal(sym_target__new(s, getpid(), &t), 0);
	for (i = 0; i < 20; i++)
		use_all(t);
	sandbox__stats(&after);
	assert_in_range(after.started - before.started, 2, 3);
	assert_int_equal(after.failed - before.failed, after.started - before.started);
	snprintf(expected, sizeof(expected),
		 "symbols of PID %d are missing: the reader of its files ended (signal 11), again and "
		 "again", getpid());
	assert_non_null(line_with(t, expected));
	/* which file it is in is known without a reader */
	assert_int_equal(sym_target__frames(t, (uint64_t)test_crashes, 0, f, FRAMES), 1);
	assert_null(f[0].function);
	assert_non_null(strstr(f[0].module, "test_reader"));
	sym_target__free(t);
	symbolizer__free(s);
}

/* The next one takes over where it ended. */
static void test_goes_on(void **state)
{
	struct symbolizer *s = new_symbolizer(WAY_CRASH_LATER);
	struct frame f[FRAMES];
	struct sym_target *t;

	assert_int_equal(sym_target__new(s, getpid(), &t), 0);
	assert_int_equal(sym_target__frames(t, 4096, 1, f, FRAMES), 1);
	assert_string_equal(f[0].function, "function");
	assert_non_null(line_with(t, "ended (signal 11)"));
	assert_int_equal(symbolizer__reader_pid(s), 0);
	assert_int_equal(sym_target__frames(t, 8192, 1, f, FRAMES), 1);
	assert_string_equal(f[0].function, "function");
	assert_true(symbolizer__reader_pid(s) > 0);
	sym_target__free(t);
	symbolizer__free(s);
}

/* It was ended by others: the next one answers, and nothing is missing. */
static void test_asked_again(void **state)
{
	struct symbolizer *s = new_symbolizer(WAY_CRASH_ONCE);
	struct frame f[FRAMES];
	struct sym_target *t;

	assert_int_equal(sym_target__new(s, getpid(), &t), 0);
	assert_int_equal(sym_target__frames(t, 4096, 1, f, FRAMES), 1);
	assert_true(*has_crashed);
	assert_string_equal(f[0].function, "function");
	assert_non_null(line_with(t, "some symbols of PID"));
	sym_target__free(t);
	symbolizer__free(s);
}

static void test_too_many_frames(void **state)
{
	struct symbolizer *s = new_symbolizer(WAY_MANY);
	struct sym_target *t;

	assert_int_equal(sym_target__new(s, getpid(), &t), 0);
	use_all(t);
	assert_non_null(line_with(t, "makes no sense"));
	sym_target__free(t);
	symbolizer__free(s);
}

static void test_steals_nothing(void **state)
{
	struct symbolizer *s = new_symbolizer(WAY_STEAL);
	struct sym_target *t;

	assert_int_equal(sym_target__new(s, getpid(), &t), 0);
	assert_non_null(line_with(t, "got 0"));
	sym_target__free(t);
	symbolizer__free(s);
}

static int setup(void **state)
{
	has_crashed = mmap(NULL, sizeof(*has_crashed), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (has_crashed == MAP_FAILED)
		return -1;
	return fs__read("/proc/self/maps", own_maps, sizeof(own_maps)) > 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talks),
		cmocka_unit_test(test_garbled),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_asked_again),
		cmocka_unit_test(test_too_many_frames),
		cmocka_unit_test(test_steals_nothing),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
