// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_heap.c - `seep heap`: the objects of a program by type, from outside, without an agent.
 *
 * One look says what there is; two looks, some time apart, say what piles up.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/units.h"
#include "../lang/heap.h"
#include "../out/ctl_proto.h"
#include "../who/clean.h"
#include "cli.h"
#include "field.h"
#include "options.h"
#include "table.h"

#define COMM_CAP    64
#define WAIT_MAX_MS 2000000000
#define NO_OBJECT   "(no object: tables, lists' items, buffers)"

struct heap_options {
	unsigned pid;
	double duration_s;
	unsigned top;
	int json;
	int color;
};

/* What was seen, and how it changed; `before` is NULL after a single look. */
struct looks {
	pid_t pid;
	char comm[COMM_CAP];
	double anon_bytes; /* NAN: unknown */
	struct heap *before, *now;
};

static int parse(int argc, char **argv, struct heap_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"pid", 'p', OPTION_UINT, "PID", &opt->pid, "the process", NULL},
		{"duration", 'd', OPTION_DURATION, "DURATION", &opt->duration_s,
		 "look twice, this far apart, and show what was added", NULL},
		{"top", 0, OPTION_UINT, "N", &opt->top, "how many types; 0: all (default 20)",
		 NULL},
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.heap/1", NULL},
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "heap",
		.about = "Shows the objects of a running Python program by type: how many there "
			 "are and\n"
			 "what they take. The program is neither stopped nor changed, and nothing "
			 "has to\n"
			 "be prepared in it. CPython 3.8 to 3.14; needs no agent.",
		.epilog =
			"Exits with 4 if there is no such process, with 5 if it is not permitted.",
		.specs = specs,
	};
	int first = options__parse(&options, argc, argv, ret_exit);

	if (first < 0)
		return first;
	*ret_exit = opt->pid ? SEEP_EXIT_OK : options__complain(&options, "say whose: -p PID");
	return *ret_exit ? -1 : first;
}

/* ---- looking ---- */

static int complain(pid_t pid, int err, const char *why)
{
	fprintf(stderr, "seep heap: cannot look at process %d: %s\n", pid, why);
	if (err == -ESRCH)
		return SEEP_EXIT_NO_TARGET;
	return err == -EPERM || err == -EACCES ? SEEP_EXIT_NOT_PERMITTED : SEEP_EXIT_FAILED;
}

/* Until the time is over, or Ctrl-C or SIGTERM: then it is looked again now. */
static void wait_for(double seconds)
{
	struct pollfd p = {.fd = -1, .events = POLLIN};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (!sigprocmask(SIG_BLOCK, &signals, NULL))
		p.fd = signalfd(-1, &signals, SFD_CLOEXEC);
	poll(&p, 1, seconds * 1e3 < WAIT_MAX_MS ? (int)(seconds * 1e3) : WAIT_MAX_MS);
	if (p.fd >= 0)
		close(p.fd);
}

static void read_names(struct looks *l)
{
	char path[64], text[4096];
	uint64_t kib;
	ssize_t len;

	l->anon_bytes = NAN;
	snprintf(path, sizeof(path), "/proc/%d/comm", l->pid);
	len = fs__read(path, text, sizeof(text));
	if (len > 0)
		clean__name(text, len - 1, l->comm, sizeof(l->comm));
	snprintf(path, sizeof(path), "/proc/%d/status", l->pid);
	if (fs__read(path, text, sizeof(text)) > 0 && fs__find_u64(text, "RssAnon", &kib))
		l->anon_bytes = kib * 1024.0;
}

static int look(struct looks *l, double duration_s)
{
	char why[HEAP_WHY_LEN];
	int err;

	read_names(l);
	err = heap__take(l->pid, &l->now, why);
	if (!err && duration_s > 0) {
		l->before = l->now;
		l->now = NULL;
		wait_for(duration_s);
		err = heap__take(l->pid, &l->now, why);
	}
	return err ? complain(l->pid, err, why) : SEEP_EXIT_OK;
}

static double span_s(const struct looks *l)
{
	struct heap_totals before, now;

	if (!l->before)
		return NAN;
	heap__totals(l->before, &before);
	heap__totals(l->now, &now);
	return now.taken_s - before.taken_s;
}

/* ---- JSON ---- */

static json_t *number(double value)
{
	return isnan(value) ? json_null() : json_integer(llround(value));
}

static json_t *not_seen_to_json(const struct heap *h)
{
	const char *const *sentence;
	json_t *list = json_array();

	for (sentence = heap__not_seen(h); *sentence; sentence++)
		json_array_append_new(list, json_string(*sentence));
	return list;
}

static json_t *to_json(const struct looks *l, const struct heap_change *rows, size_t cnt)
{
	json_t *types = json_array();
	struct heap_totals t;
	double span = span_s(l);
	size_t i;

	heap__totals(l->now, &t);
	for (i = 0; i < cnt; i++)
		json_array_append_new(types, heap_change__to_json(&rows[i]));
	return json_pack(
		"{s:s,s:i,s:s,s:s,s:I,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "schema",
		"seep.heap/1", "pid", (int)l->pid, "comm", l->comm, "runtime",
		heap__runtime(l->now), "at_s", (json_int_t)t.taken_s, "span_s",
		isnan(span) ? json_null() : json_real(span), "anon_bytes", number(l->anon_bytes),
		"blocks", (json_int_t)t.blocks, "block_bytes", (json_int_t)t.bytes, "free_bytes",
		(json_int_t)t.free_bytes, "scanned_bytes", (json_int_t)t.scanned_bytes, "took_ns",
		(json_int_t)(t.took_s * 1e9), "types", types, "not_seen", not_seen_to_json(l->now));
}

static int print_json(const struct looks *l, const struct heap_change *rows, size_t cnt)
{
	json_t *json = to_json(l, rows, cnt);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct buf out = {0};

	if (text)
		buf__printf(&out, "%s\n", text);
	else
		out.err = -ENOMEM;
	free(text);
	json_decref(json);
	return render__print(&out);
}

/* ---- text ---- */

static void print_head(const struct looks *l, struct buf *out)
{
	char bytes[FIELD_TEXT], anon[FIELD_TEXT], kept[FIELD_TEXT], span[FIELD_TEXT];
	struct heap_totals t;

	heap__totals(l->now, &t);
	buf__printf(out, "%s[%d], %s: %llu blocks of up to 512 bytes take %s", l->comm, l->pid,
		    heap__runtime(l->now), (unsigned long long)t.blocks,
		    units__format_bytes(t.bytes, bytes, sizeof(bytes)));
	if (!isnan(l->anon_bytes))
		buf__printf(out, " of %s anonymous memory",
			    units__format_bytes(l->anon_bytes, anon, sizeof(anon)));
	buf__printf(out, "; %s more is held free; looked for %.0f ms\n",
		    units__format_bytes(t.free_bytes, kept, sizeof(kept)), t.took_s * 1e3);
	if (l->before)
		buf__printf(out, "by what was added within %s\n",
			    units__format_duration(span_s(l), span, sizeof(span)));
	buf__puts(out, "\n");
}

static void count_cell(struct table *t, enum paint paint, const char *fmt, double value)
{
	char text[FIELD_TEXT];

	snprintf(text, sizeof(text), fmt, value);
	table__cell(t, paint, isnan(value) ? "-" : text);
}

static enum paint paint_of(double added)
{
	return added > 0 ? PAINT_RED : added < 0 ? PAINT_GREEN : PAINT_PLAIN;
}

static void add_row(struct table *t, const struct heap_change *r, int is_compared)
{
	char text[FIELD_TEXT];

	count_cell(t, PAINT_PLAIN, "%.0f", r->now.objects);
	table__cell(t, PAINT_PLAIN, render__bytes(r->now.bytes, text, sizeof(text)));
	if (is_compared) {
		count_cell(t, paint_of(r->added_objects), "%+.0f", r->added_objects);
		table__cell(t, paint_of(r->added_bytes),
			    render__bytes(r->added_bytes, text, sizeof(text)));
	}
	table__cell(t, r->now.name ? PAINT_BOLD : PAINT_DIM, r->now.name ? r->now.name : NO_OBJECT);
}

static const struct table_column columns_once[] = {
	{.title = "OBJECTS", .align = ALIGN_RIGHT},
	{.title = "BYTES", .align = ALIGN_RIGHT},
	{.title = "TYPE", .min_width = 16},
};

static const struct table_column columns_twice[] = {
	{.title = "OBJECTS", .align = ALIGN_RIGHT}, {.title = "BYTES", .align = ALIGN_RIGHT},
	{.title = "ADDED", .align = ALIGN_RIGHT},   {.title = "BYTES", .align = ALIGN_RIGHT},
	{.title = "TYPE", .min_width = 16},
};

static int print_text(const struct looks *l, const struct heap_change *rows, size_t cnt, int color)
{
	struct table *t = l->before ? table__new(columns_twice, 5) : table__new(columns_once, 3);
	const char *const *sentence;
	struct buf out = {0};
	struct style s;
	size_t i;

	style__of_stdout(&s, color);
	print_head(l, &out);
	for (i = 0; t && i < cnt; i++)
		add_row(t, &rows[i], !!l->before);
	if (t)
		table__print(t, &s, &out);
	if (!t || table__err(t))
		out.err = -ENOMEM;
	for (sentence = heap__not_seen(l->now); *sentence; sentence++)
		buf__printf(&out, "%snot seen: %s\n",
			    sentence == heap__not_seen(l->now) ? "\n" : "", *sentence);
	table__free(t);
	return render__print(&out);
}

static int print_looks(const struct looks *l, const struct heap_options *opt)
{
	size_t cnt;
	struct heap_change *rows = heap__changes(l->before, l->now, &cnt);
	int code;

	if (!rows) {
		fprintf(stderr, "seep heap: %s\n", strerror(ENOMEM));
		return SEEP_EXIT_FAILED;
	}
	if (opt->top && cnt > opt->top)
		cnt = opt->top;
	code = opt->json ? print_json(l, rows, cnt) : print_text(l, rows, cnt, opt->color);
	free(rows);
	return code;
}

int cmd_heap(int argc, char **argv)
{
	struct heap_options opt = {.top = 20};
	struct looks l = {0};
	int code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	l.pid = opt.pid;
	code = look(&l, opt.duration_s);
	if (!code)
		code = print_looks(&l, &opt);
	heap__free(l.before);
	heap__free(l.now);
	return code;
}
