// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_trace_format.c - names that files of the traced claim, in each form a trace is written in:
 * the input's lines are names, in turn of a function, a source file and a module; the first one is the process's, too.
 */
#include <jansson.h>
#include <math.h>

#include "fuzz.h"
#include "out/trace_format.h"
#include "who/clean.h"

#define NAMES 12

static const char *names[NAMES];

static struct site site_of(struct frame *frames, int cnt)
{
	int i;

	for (i = 0; i < cnt; i++)
		frames[i] = (struct frame){
			.address = 0x1000 + 16 * i,
			.function = names[3 * i],
			.file = names[3 * i + 1],
			.module = names[3 * i + 2],
			.line = i,
			.inlined = i == 0,
		};
	return (struct site){
		.outstanding_bytes = 3000,
		.outstanding_lo_bytes = 2000,
		.outstanding_hi_bytes = 4000,
		.outstanding_count = 3,
		.allocated_bytes = NAN,
		.allocated_count = NAN,
		.growth_bytes_per_hour = 1e6,
		.oldest_age_s = 1,
		.median_age_s = 1,
		.verdict = SITE_LEAK,
		.allocator = "glibc",
		.samples = 3,
		.frames = frames,
		.frame_cnt = cnt,
	};
}

static void check_json(const char *lines)
{
	size_t len;
	json_t *json;

	for (; *lines; lines += len + 1) {
		len = strcspn(lines, "\n");
		json = json_loadb(lines, len, 0, NULL);
		if (!json)
			abort();
		json_decref(json);
	}
}

/* Others than pprof are text: without a byte that a terminal would obey. */
static void check(int format, const struct buf *out)
{
	size_t i;

	for (i = 0; format != TRACE_PPROF && i < out->len; i++)
		if ((unsigned char)out->data[i] < ' ' && !strchr("\n\t", out->data[i]))
			abort();
	if (format == TRACE_JSON)
		check_json(out->data);
}

static void write_all(const struct trace_result *r)
{
	const struct trace_format_options opt = {.top = 20, .no_sources = 1};
	int format;

	for (format = 0; format < TRACE_FORMAT_CNT; format++) {
		struct buf out = {0};

		if (trace_formats[format].write(r, &opt, &out))
			abort();
		check(format, &out);
		buf__free(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct trace_drop drops[] = {{0}};
	static const char *const not_seen[] = {NULL};
	char *text = fuzz__text(data, size), *rest = text;
	struct frame frames[4];
	struct site site;
	struct trace_process p = {
		.pid = 7,
		.comm = "x",
		.allocator = "glibc",
		.mode = "session",
		.duration_s = 30,
		.sample_bytes = 524288,
		.drops = drops,
		.not_seen = not_seen,
		.sites = &site,
		.site_cnt = 1,
		.target_cpu_percent = NAN,
	};
	struct trace_process both[2];
	struct trace_result r = {.started_s = 1.7e9, .duration_s = 30, .processes = both};
	int i;

	for (i = 0; i < NAMES; i++)
		names[i] = strsep(&rest, "\n");
	site = site_of(frames, 4);
	/* a process's name is cleaned where it is read, those from its files where they are written */
	clean__name(names[0] ? names[0] : "", names[0] ? strlen(names[0]) : 0, p.comm,
		    sizeof(p.comm));
	both[0] = both[1] = p;
	for (r.process_cnt = 1; r.process_cnt <= 2; r.process_cnt++)
		write_all(&r);
	free(text);
	return 0;
}
