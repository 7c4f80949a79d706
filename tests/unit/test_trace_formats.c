// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_trace_formats.c - the forms a trace can be written in: every one is what it claims to be,
 * also with names that somebody chose with care. pprof is decoded back.
 */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "out/trace_format.h"

#define EVIL "a;b<c>&\"'\n\033[31m\xff"

static struct frame leak_frames[] = {
	{.address = 0x1010, .function = "xmalloc", .file = "/src/mem.c", .line = 12, .inlined = 1,
	 .module = "/bin/app", .build_id = "abcdef0123456789"},
	{.address = 0x1010, .offset = 32, .function = "session_new", .file = "/src/session.c",
	 .line = 42, .module = "/bin/app", .build_id = "abcdef0123456789"},
	{.address = 0x2020, .offset = 8, .function = "main", .file = "/src/main.c", .line = 7,
	 .module = "/bin/app", .build_id = "abcdef0123456789"},
};
static struct frame evil_frames[] = {
	{.address = 0x7f0000001234, .offset = 0x1234, .module = "/lib/stripped.so",
	 .build_id = "0123"},
	{.address = 0x3030, .function = EVIL, .file = "/etc/" EVIL, .line = 1, .module = EVIL},
	{.address = 0x2020, .offset = 8, .function = "main", .file = "/src/main.c", .line = 7,
	 .module = "/bin/app", .build_id = "abcdef0123456789"},
};
static struct frame freed_frames[] = {{.address = 0x4040, .function = "temporary"}};

static const struct site sites[] = {
	{.outstanding_bytes = 3000, .outstanding_lo_bytes = 2000, .outstanding_hi_bytes = 4500,
	 .outstanding_count = 30, .allocated_bytes = 9000, .allocated_count = 90,
	 .growth_bytes_per_hour = 5e6, .oldest_age_s = 29.5, .median_age_s = 15,
	 .cohort_bytes = {100, 200, 2700}, .verdict = SITE_LEAK, .evidence = "numbers",
	 .allocator = "glibc", .samples = 3, .frames = leak_frames, .frame_cnt = 3, .is_whole = 1},
	{.outstanding_bytes = 1000, .outstanding_lo_bytes = 1000, .outstanding_hi_bytes = 1000,
	 .outstanding_count = 1, .allocated_bytes = NAN, .allocated_count = NAN,
	 .growth_bytes_per_hour = NAN, .oldest_age_s = 1, .median_age_s = 1,
	 .verdict = SITE_UNKNOWN, .evidence = "too few", .allocator = "glibc", .samples = 1,
	 .frames = evil_frames, .frame_cnt = 3},
	{.allocated_bytes = 64, .allocated_count = 2, .growth_bytes_per_hour = 0,
	 .oldest_age_s = NAN, .median_age_s = NAN, .evidence = "", .allocator = "glibc",
	 .frames = freed_frames, .frame_cnt = 1},
};
static const struct trace_drop drops[] = {{"ring_full", "stacks came too fast", 7}, {0}};
static const char *const not_seen[] = {"what came before", NULL};

#define PROCESS(id) { \
	.pid = id, .start_ns = 5, .comm = "app<1>", .allocator = "glibc", .mode = "session", \
	.duration_s = 30, .sample_bytes = 524288, .allocated_bytes = 9064, .freed_bytes = 5064, \
	.totals = {.outstanding_bytes = 4000, .outstanding_lo_bytes = 3000, \
		   .outstanding_hi_bytes = 6000, .outstanding_count = 31}, \
	.sites = sites, .site_cnt = 3, .drops = drops, .not_seen = not_seen, .hits = 1000, \
	.cost_ns = 650000, .target_cpu_percent = 1.25, \
}

static const struct trace_process processes[] = {PROCESS(4711), PROCESS(4712)};

static struct buf write_with(int format, int process_cnt, const struct trace_format_options *opt)
{
	const struct trace_result r = {
		.started_s = 1.7e9, .duration_s = 30, .processes = processes,
		.process_cnt = process_cnt,
	};
	struct buf out = {0};

	assert_int_equal(trace_formats[format].write(&r, opt, &out), 0);
	assert_true(out.len > 0);
	return out;
}

static struct buf write_as(int format, int process_cnt)
{
	const struct trace_format_options opt = {.top = 20};

	return write_with(format, process_cnt, &opt);
}

static void assert_clean(const struct buf *out)
{
	size_t i;

	for (i = 0; i < out->len; i++)
		assert_true(out->data[i] == '\n' || (unsigned char)out->data[i] >= ' ');
	assert_null(memchr(out->data, 0xff, out->len));
}

static void expect_text(const struct buf *out, const char *text)
{
	if (!strstr(out->data, text))
		fail_msg("lacks '%s':\n%s", text, out->data);
}

static void test_text(void **state)
{
	struct buf out = write_as(TRACE_TEXT, 1);

	(void)state;
	assert_clean(&out);
	expect_text(&out, "app<1>[4711]");
	expect_text(&out, "1. leak: 2.9 KiB (95 %: 2.0 KiB to 4.4 KiB) in 30 allocations, "
		    "+4.8 MiB/h\n");
	expect_text(&out, "   oldest 30s, median 15s, 3 samples\n   numbers\n");
	expect_text(&out, "xmalloc  /src/mem.c:12  (inlined)");
	expect_text(&out, "session_new  /src/session.c:42\n");
	expect_text(&out, "stripped.so+0x1234  (/lib/stripped.so [0123])");
	expect_text(&out, "callers of this could not be followed");
	expect_text(&out, "lost: 7 stacks came too fast");
	expect_text(&out, "not seen: what came before");
	expect_text(&out, "cost: 1000 probe hits, 650 ns each");
	assert_null(strstr(out.data, "temporary"));
	buf__free(&out);
}

/* Text of the source is quoted; of other files it is not, whatever a binary claims. */
static void test_source_line(void **state)
{
	char dir[] = "/tmp/seep-test-XXXXXX", c_path[64], other_path[64];
	struct frame frames[] = {
		{.address = 1, .function = "strlen", .file = "/usr/include/string.h", .line = 1},
		{.address = 2, .function = "f", .line = 2},
	};
	struct site site = sites[0];
	struct trace_process p = processes[0];
	const struct trace_result r = {.processes = &p, .process_cnt = 1};
	const struct trace_format_options opt = {0};
	struct buf out = {0};
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(c_path, sizeof(c_path), "%s/a.c", dir);
	snprintf(other_path, sizeof(other_path), "%s/shadow", dir);
	file = fopen(c_path, "w");
	fputs("one\n\t  two\033[1m = malloc(2);  \nthree\n", file);
	fclose(file);
	assert_int_equal(link(c_path, other_path), 0);
	site.frames = frames;
	site.frame_cnt = 2;
	p.sites = &site;
	p.site_cnt = 1;
	frames[1].file = c_path;
	assert_int_equal(trace_text__write(&r, &opt, &out), 0);
	assert_null(strstr(out.data, " 1 | "));
	expect_text(&out, "        2 | two?[1m = malloc(2);\n");
	buf__free(&out);
	frames[1].file = other_path;
	assert_int_equal(trace_text__write(&r, &opt, &out), 0);
	assert_null(strstr(out.data, "malloc(2)"));
	buf__free(&out);
	unlink(c_path);
	unlink(other_path);
	rmdir(dir);
}

static void test_top(void **state)
{
	const struct trace_format_options opt = {.top = 1};
	struct buf out = write_with(TRACE_TEXT, 1, &opt);

	(void)state;
	expect_text(&out, "1.0 KiB more in 1 smaller call site\n");
	buf__free(&out);
}

static json_t *next_line(const char **text)
{
	const char *end = strchr(*text, '\n');
	json_t *json = json_loadb(*text, end - *text, 0, NULL);

	assert_non_null(json);
	*text = end + 1;
	return json;
}

static void test_json(void **state)
{
	struct buf out = write_as(TRACE_JSON, 2);
	const char *text = out.data;
	json_t *json;

	(void)state;
	json = next_line(&text);
	assert_string_equal(json_string_value(json_object_get(json, "schema")), "seep.trace/1");
	assert_int_equal(json_integer_value(json_object_get(json, "pid")), 4711);
	assert_int_equal(json_integer_value(json_object_get(json, "sample_bytes")), 524288);
	assert_int_equal(json_array_size(json_object_get(json, "sites")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "dropped"),
							    "ring_full")), 7);
	assert_int_equal(json_array_size(json_object_get(json, "not_seen")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "overhead"),
							    "hits")), 1000);
	json_decref(json);
	json = next_line(&text);
	assert_int_equal(json_integer_value(json_object_get(json, "pid")), 4712);
	json_decref(json);
	assert_string_equal(text, "");
	buf__free(&out);
}

static void test_folded(void **state)
{
	struct buf out = write_as(TRACE_FOLDED, 1);

	(void)state;
	assert_clean(&out);
	assert_string_equal(out.data, "main;a:b<c>&\"'??[31m?;stripped.so+0x1234 1000\n"
			    "main;session_new;xmalloc 3000\n");
	buf__free(&out);
	out = write_as(TRACE_FOLDED, 2);
	expect_text(&out, "app<1> (4711);main;session_new;xmalloc 3000\n");
	expect_text(&out, "app<1> (4712);main;session_new;xmalloc 3000\n");
	buf__free(&out);
}

static void test_svg(void **state)
{
	struct buf out = write_as(TRACE_SVG, 1), again = write_as(TRACE_SVG, 1);

	(void)state;
	assert_clean(&out);
	assert_string_equal(out.data, again.data);
	expect_text(&out, "<title>main: 3.9 KiB in 31 allocations (100.00 %)</title>");
	expect_text(&out, "<title>session_new: 2.9 KiB in 30 allocations (75.00 %)</title>");
	expect_text(&out, "<title>a:b&lt;c&gt;&amp;&quot;&#39;??[31m?: ");
	expect_text(&out, "app&lt;1&gt;[4711]");
	assert_null(strstr(out.data, "<c>"));
	buf__free(&out);
	buf__free(&again);
}

/* ---- pprof, decoded ---- */

struct reader {
	const unsigned char *p, *end;
};

static uint64_t take_varint(struct reader *r)
{
	uint64_t value = 0;
	int shift = 0;

	do {
		assert_true(r->p < r->end && shift < 64);
		value |= (uint64_t)(*r->p & 0x7f) << shift;
		shift += 7;
	} while (*r->p++ & 0x80);
	return value;
}

/* The next field; a number's value or a message's bytes. 0: none is left. */
static unsigned take_field(struct reader *r, uint64_t *ret_value, struct reader *ret_bytes)
{
	uint64_t tag, len;

	if (r->p == r->end)
		return 0;
	tag = take_varint(r);
	assert_true((tag & 7) == 0 || (tag & 7) == 2);
	if ((tag & 7) == 0) {
		*ret_value = take_varint(r);
	} else {
		len = take_varint(r);
		assert_true(len <= (uint64_t)(r->end - r->p));
		*ret_bytes = (struct reader){r->p, r->p + len};
		r->p += len;
	}
	return tag >> 3;
}

#define ITEMS_MAX 64

struct item {
	uint64_t number[8];     /* fields 1..7 that are numbers */
	uint64_t packed[3][8];  /* fields 1 and 2 of a sample */
	int packed_cnt[3];
	struct item_line {
		uint64_t function, line;
	} lines[4];
	int line_cnt;
};

struct profile {
	char strings[ITEMS_MAX][64];
	int string_cnt;
	struct item items[6][ITEMS_MAX]; /* by field of the profile: 1 type .. 5 function */
	int cnt[6];
	uint64_t number[16];
};

static struct buf gunzip(const struct buf *in)
{
	z_stream z = {.next_in = (Bytef *)in->data, .avail_in = in->len};
	struct buf out = {0};
	char chunk[65536];

	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	z.next_out = (Bytef *)chunk;
	z.avail_out = sizeof(chunk);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	buf__append(&out, chunk, sizeof(chunk) - z.avail_out);
	inflateEnd(&z);
	return out;
}

static void decode_line(struct reader r, struct item_line *line)
{
	uint64_t value[8] = {0};
	struct reader bytes;
	unsigned field;
	uint64_t v;

	while ((field = take_field(&r, &v, &bytes)))
		value[field] = v;
	*line = (struct item_line){value[1], value[2]};
}

static void take_packed(struct reader r, uint64_t *values, int *cnt)
{
	while (r.p < r.end) {
		assert_true(*cnt < 8);
		values[(*cnt)++] = take_varint(&r);
	}
}

static void decode_item(struct reader r, unsigned kind, struct item *item)
{
	struct reader bytes = {0};
	uint64_t value = 0;
	unsigned field;

	memset(item, 0, sizeof(*item));
	for (; (field = take_field(&r, &value, &bytes)); bytes.p = NULL) {
		if (kind == 4 && field == 4)
			decode_line(bytes, &item->lines[item->line_cnt++]);
		else if (kind == 2 && field <= 2)
			take_packed(bytes, item->packed[field], &item->packed_cnt[field]);
		else if (field < 8)
			item->number[field] = value;
	}
}

static void decode(const struct buf *gz, struct profile *p)
{
	struct buf raw = gunzip(gz);
	struct reader r = {(unsigned char *)raw.data, (unsigned char *)raw.data + raw.len}, bytes;
	unsigned field;
	uint64_t value;

	memset(p, 0, sizeof(*p));
	while ((field = take_field(&r, &value, &bytes))) {
		if (field == 6)
			snprintf(p->strings[p->string_cnt++], sizeof(p->strings[0]), "%.*s",
				 (int)(bytes.end - bytes.p), bytes.p);
		else if (field < 6)
			decode_item(bytes, field, &p->items[field][p->cnt[field]++]);
		else if (field < 16)
			p->number[field] = value;
	}
	buf__free(&raw);
}

/* Items 3, 4, 5 have ids from 1 on, in order. */
static const struct item *item_of(const struct profile *p, unsigned kind, uint64_t id)
{
	int i;

	for (i = 0; i < p->cnt[kind]; i++) {
		if (p->items[kind][i].number[1] == id)
			return &p->items[kind][i];
	}
	fail_msg("no item %llu of kind %u", (unsigned long long)id, kind);
	return NULL;
}

static const char *function_name(const struct profile *p, const struct item_line *line)
{
	return p->strings[item_of(p, 5, line->function)->number[2]];
}

static void test_pprof(void **state)
{
	struct buf out = write_as(TRACE_PPROF, 1);
	static struct profile p;
	const struct item *sample, *location;

	(void)state;
	decode(&out, &p);
	assert_string_equal(p.strings[0], "");
	assert_int_equal(p.cnt[1], 4);
	assert_string_equal(p.strings[p.items[1][3].number[1]], "inuse_space");
	assert_string_equal(p.strings[p.items[1][3].number[2]], "bytes");
	assert_string_equal(p.strings[p.items[1][0].number[1]], "alloc_objects");
	assert_string_equal(p.strings[p.number[14]], "inuse_space");
	assert_int_equal(p.number[12], 524288);
	assert_true(p.number[9] == 1700000000000000000ULL && p.number[10] == 30000000000ULL);
	assert_int_equal(p.cnt[2], 3); /* what owns nothing any more has been allocated, too */

	sample = &p.items[2][0];
	assert_int_equal(sample->packed_cnt[1], 2); /* an inlined frame has no location */
	assert_int_equal(sample->packed_cnt[2], 4);
	assert_int_equal(sample->packed[2][0], 90);
	assert_int_equal(sample->packed[2][1], 9000);
	assert_int_equal(sample->packed[2][2], 30);
	assert_int_equal(sample->packed[2][3], 3000);
	location = item_of(&p, 4, sample->packed[1][0]);
	assert_int_equal(location->number[3], 0x1010);
	assert_int_equal(location->line_cnt, 2);
	assert_string_equal(function_name(&p, &location->lines[0]), "xmalloc");
	assert_string_equal(function_name(&p, &location->lines[1]), "session_new");
	assert_int_equal(location->lines[1].line, 42);
	assert_string_equal(p.strings[item_of(&p, 3, location->number[2])->number[5]], "/bin/app");

	sample = &p.items[2][1];
	assert_int_equal(sample->packed[2][1], 1000); /* at least what is in use */
	assert_int_equal(sample->packed[1][2], p.items[2][0].packed[1][1]); /* main, once */
	assert_int_equal(p.items[2][2].packed[2][3], 0);
	buf__free(&out);
}

static void test_nothing(void **state)
{
	const struct trace_process p = {
		.pid = 1, .drops = &drops[1], .not_seen = &not_seen[1], .target_cpu_percent = NAN,
	};
	const struct trace_result r = {.processes = &p, .process_cnt = 1};
	const struct trace_format_options opt = {0};
	int i;

	(void)state;
	for (i = 0; i < TRACE_FORMAT_CNT; i++) {
		struct buf out = {0};

		assert_int_equal(trace_formats[i].write(&r, &opt, &out), 0);
		buf__free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_source_line),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_folded),
		cmocka_unit_test(test_svg),
		cmocka_unit_test(test_pprof),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
