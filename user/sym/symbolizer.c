// SPDX-License-Identifier: BSD-2-Clause
/*
 * symbolizer.c - asks a sandbox, and goes on without one that ended.
 *
 * Files of strangers are parsed by an engine in a process of its own (server.h); here they are only
 * opened for it. Whoever takes that process over can lie about names and stacks of the targets that
 * share it, and nothing else: answers are bounded, strings are copied, numbers are checked. When it
 * ends, or does not answer, another one is begun, a few times; what it would have said is missing,
 * and sym_target__not_seen says so.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/sandbox.h"
#include "doorman.h"
#include "server.h"
#include "string_pool.h"
#include "symbolizer.h"
#include "wire.h"

#define STRINGS_MAX_BYTES (64u << 20)
#define NOT_SEEN_MAX	  64
#define OWN_NOT_SEEN_MAX  4
#define NOT_SEEN_LEN	  256
#define FAILURES_MAX	  3 /* sandboxes that may end... */
#define FAILURES_S	  600 /* ...in such a time, until we do without */

struct symbolizer {
	struct doorman_cfg doors;
	char *debug_dir;
	size_t max_cache_bytes;
	int no_lines;
	struct string_pool *strings;
	struct sandbox *box;  /* NULL: none now */
	unsigned generation;  /* counts sandboxes */
	unsigned failures;
	double first_failure_s;
	char why[NOT_SEEN_LEN / 2]; /* there is none, or the last one ended */
	struct sym_target *targets;
	uint32_t last_id;
	struct buf hello, question, answer; /* hello: to a sandbox that is new */
};

/* What the last question for frames brought. */
struct batch {
	struct sym_address addresses[SERVER_BATCH_MAX];
	int first[SERVER_BATCH_MAX + 1]; /* of their frames */
	int cnt;
	struct frame frames[SERVER_BATCH_MAX * SERVER_FRAMES_MAX];
};

struct sym_target {
	struct symbolizer *sym;
	struct sym_target *next;
	pid_t pid;
	uint32_t id;
	unsigned generation; /* of the sandbox that knows it; 0: none */
	struct doorman *doorman;
	struct batch *batch;
	const char *own[OWN_NOT_SEEN_MAX]; /* what we have to say ourselves */
	const char *not_seen[NOT_SEEN_MAX + 1];
};

struct symbolizer *symbolizer__new(const struct symbolizer_cfg *cfg)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->max_cache_bytes = cfg->max_cache_bytes;
	s->no_lines = cfg->no_lines;
	s->debug_dir = cfg->debug_dir ? strdup(cfg->debug_dir) : NULL;
	s->doors = (struct doorman_cfg){s->debug_dir, cfg->use_debuginfod};
	s->strings = string_pool__new(STRINGS_MAX_BYTES);
	if (!s->strings || (cfg->debug_dir && !s->debug_dir)) {
		symbolizer__free(s);
		return NULL;
	}
	return s;
}

void symbolizer__free(struct symbolizer *s)
{
	if (!s)
		return;
	sandbox__free(s->box);
	string_pool__free(s->strings);
	buf__free(&s->hello);
	buf__free(&s->question);
	buf__free(&s->answer);
	free(s->debug_dir);
	free(s);
}

/* ---- the sandbox ------------------------------------------------------------------------- */

static double now_s(void)
{
	return clock__boot_ns() / 1e9;
}

__attribute__((format(printf, 2, 3)))
static void say_missing(struct sym_target *t, const char *fmt, ...)
{
	char text[NOT_SEEN_LEN];
	const char *kept;
	va_list ap;
	int i;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kept = string_pool__keep(t->sym->strings, text);
	for (i = 0; i < OWN_NOT_SEEN_MAX && t->own[i] && t->own[i] != kept; i++)
		;
	if (i < OWN_NOT_SEEN_MAX)
		t->own[i] = kept;
}

static void explain(struct symbolizer *s, int err, const char *how)
{
	if (*how)
		snprintf(s->why, sizeof(s->why), "ended (%s)", how);
	else if (err == -ETIMEDOUT)
		snprintf(s->why, sizeof(s->why), "took too long and was ended");
	else if (err == -EPIPE)
		snprintf(s->why, sizeof(s->why), "ended");
	else
		snprintf(s->why, sizeof(s->why), "answered what makes no sense and was ended");
}

/* It has failed: leave it, and count. */
static void drop_box(struct symbolizer *s, int err)
{
	char how[SANDBOX_HOW_LEN];

	sandbox__fail(s->box, how);
	s->box = NULL;
	explain(s, err, how);
	if (!s->failures || now_s() - s->first_failure_s > FAILURES_S) {
		s->failures = 0;
		s->first_failure_s = now_s();
	}
	s->failures++;
}

static int open_for_box(void *ctx, uint32_t target, enum opener_kind kind, uint64_t start,
			const char *name)
{
	struct symbolizer *s = ctx;
	struct sym_target *t;

	if (!target)
		return doorman__open_public(&s->doors, kind, name ? name : "");
	for (t = s->targets; t; t = t->next)
		if (t->id == target)
			return doorman__open(t->doorman, kind, start, name);
	return -EACCES;
}

/* s->answer is there. 0 or -errno: the sandbox is gone. */
static int ask(struct symbolizer *s, uint32_t type, struct buf *question)
{
	int err = session__ask(sandbox__sock(s->box), type, question, open_for_box, s, &s->answer);

	if (!err)
		return 0;
	buf__free(&s->answer); /* what is in it is of no use, and may be large */
	drop_box(s, err);
	return err;
}

static int has_given_up(const struct symbolizer *s)
{
	return s->failures >= FAILURES_MAX && now_s() - s->first_failure_s <= FAILURES_S;
}

static int start_box(struct symbolizer *s)
{
	int err;

	if (s->box)
		return 0;
	if (has_given_up(s))
		return -EBUSY;
	err = sandbox__new(server__run, &s->box);
	if (err) {
		s->box = NULL;
		snprintf(s->why, sizeof(s->why), "could not be started: %s", strerror(-err));
		return err;
	}
	s->generation++;
	s->hello.len = 0;
	wire__put_uint(&s->hello, s->max_cache_bytes, 8);
	wire__put_uint(&s->hello, s->no_lines, 1);
	return ask(s, ASK_CONFIG, &s->hello);
}

static struct reader answer_of(const struct symbolizer *s)
{
	return reader__make(s->answer.data, s->answer.len);
}

/* There is a sandbox, and it knows of the target: its files are read then. 0 or -errno. */
static int introduce(struct sym_target *t)
{
	struct symbolizer *s = t->sym;
	struct reader r;
	uint32_t refused;
	int err = start_box(s);

	if (err || t->generation == s->generation)
		return err;
	s->hello.len = 0;
	wire__put_uint(&s->hello, t->id, 4);
	err = ask(s, ASK_TARGET, &s->hello);
	if (err)
		return err;
	r = answer_of(s);
	refused = reader__uint(&r, 4);
	if (r.is_bad || refused)
		return refused == ENOMEM ? -ENOMEM : -ESRCH;
	t->generation = s->generation;
	return 0;
}

static void say_failed(struct sym_target *t)
{
	struct symbolizer *s = t->sym;

	if (s->box || !s->why[0])
		return;
	if (has_given_up(s))
		say_missing(t, "symbols of PID %d are missing: the reader of its files %s, again and "
			    "again", t->pid, s->why);
	else
		say_missing(t, "some symbols of PID %d may be missing: the reader of its files %s",
			    t->pid, s->why);
}

static void begin_question(struct sym_target *t)
{
	t->sym->question.len = 0;
	wire__put_uint(&t->sym->question, t->id, 4);
}

/*
 * The answer to t->sym->question is in t->sym->answer. A sandbox that ended may have been ended by
 * others, so the next one is asked the same, once. 0 or -errno: there is no answer.
 */
static int put_question(struct sym_target *t, enum server_question type)
{
	int err = -EIO, tries;

	for (tries = 0; err && tries < 2; tries++) {
		err = introduce(t);
		if (!err)
			err = ask(t->sym, type, &t->sym->question);
		say_failed(t);
		if (err == -ESRCH || err == -EBUSY)
			break;
	}
	return err;
}

/* The answer makes no sense: whoever gave it is no reader any more. */
static void reject(struct sym_target *t)
{
	drop_box(t->sym, -EPROTO);
	say_failed(t);
}

size_t symbolizer__held(struct symbolizer *s)
{
	struct reader r;

	if (!s->box)
		return string_pool__held(s->strings);
	s->hello.len = 0;
	if (ask(s, ASK_HELD, &s->hello))
		return string_pool__held(s->strings);
	r = answer_of(s);
	return string_pool__held(s->strings) + reader__uint(&r, 8);
}

int symbolizer__reader_pid(const struct symbolizer *s)
{
	return s->box ? sandbox__pid(s->box) : 0;
}

/* ---- targets ----------------------------------------------------------------------------- */

int sym_target__new(struct symbolizer *s, pid_t pid, struct sym_target **ret_target)
{
	struct sym_target *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->sym = s;
	t->pid = pid;
	t->id = ++s->last_id;
	t->batch = calloc(1, sizeof(*t->batch));
	err = t->batch ? doorman__new(pid, &s->doors, &t->doorman) : -ENOMEM;
	if (err) {
		free(t->batch);
		free(t);
		return err;
	}
	t->next = s->targets;
	s->targets = t;
	(void)introduce(t);
	say_failed(t);
	*ret_target = t;
	return 0;
}

void sym_target__free(struct sym_target *t)
{
	struct sym_target **at;

	if (!t)
		return;
	if (t->sym->box && t->generation == t->sym->generation) {
		begin_question(t);
		(void)ask(t->sym, ASK_FORGET, &t->sym->question);
	}
	for (at = &t->sym->targets; *at != t; at = &(*at)->next)
		;
	*at = t->next;
	doorman__free(t->doorman);
	free(t->batch);
	free(t);
}

/* ---- walking ----------------------------------------------------------------------------- */

/* Without a reader: where it happened, and nothing of how it came to that. */
static int walk_alone(const struct seep_regs *regs, uint64_t *ips, int cap,
		      enum unwind_end *ret_end)
{
	*ret_end = UNWIND_NO_TABLE;
	if (cap < 1)
		return 0;
	ips[0] = regs->ip;
	return 1;
}

static int take_walk(struct symbolizer *s, uint64_t *ips, int cap, enum unwind_end *ret_end)
{
	struct reader r = answer_of(s);
	uint32_t end = reader__uint(&r, 4);
	int cnt = 0;

	if (end > UNWIND_TRAMPOLINE)
		return -EPROTO;
	while (reader__left(&r) && cnt < cap)
		ips[cnt++] = reader__uint(&r, 8);
	if (r.is_bad || reader__left(&r))
		return -EPROTO;
	*ret_end = end;
	return cnt;
}

int sym_target__walk(struct sym_target *t, const struct seep_regs *regs, const void *stack,
		     size_t stack_bytes, uint64_t *ips, int cap, enum unwind_end *ret_end)
{
	struct symbolizer *s = t->sym;
	int cnt;

	begin_question(t);
	wire__put_uint(&s->question, cap, 4);
	buf__append(&s->question, regs, sizeof(*regs));
	buf__append(&s->question, stack, stack_bytes);
	if (put_question(t, ASK_WALK))
		return walk_alone(regs, ips, cap, ret_end);
	cnt = take_walk(s, ips, cap, ret_end);
	if (cnt >= 0)
		return cnt;
	reject(t);
	return walk_alone(regs, ips, cap, ret_end);
}

/* ---- naming ------------------------------------------------------------------------------ */

static const char *keep(struct symbolizer *s, struct reader *r)
{
	return string_pool__keep(s->strings, wire__text(r));
}

static void take_frame(struct symbolizer *s, struct reader *r, uint64_t address,
		       struct frame *ret_frame)
{
	struct frame f = {.address = address};

	f.offset = reader__uint(r, 8);
	f.line = reader__uint(r, 4);
	f.inlined = !!reader__u8(r);
	f.kind = reader__u8(r);
	if (f.kind > FRAME_KERNEL)
		reader__fail(r);
	f.function = keep(s, r);
	f.file = keep(s, r);
	f.module = keep(s, r);
	f.build_id = keep(s, r);
	*ret_frame = f;
}

/* Frames for each address of the batch. 0 or -EPROTO. */
static int take_frames(struct symbolizer *s, struct batch *b)
{
	struct reader r = answer_of(s);
	int i, cnt, frames = 0;

	for (i = 0; i < b->cnt; i++) {
		b->first[i] = frames;
		cnt = reader__u8(&r);
		if (cnt < 1 || cnt > SERVER_FRAMES_MAX)
			return -EPROTO;
		while (cnt--)
			take_frame(s, &r, b->addresses[i].address, &b->frames[frames++]);
	}
	b->first[i] = frames;
	return r.is_bad || reader__left(&r) ? -EPROTO : 0;
}

static void name_all(struct sym_target *t, const struct sym_address *addresses, int cnt)
{
	struct symbolizer *s = t->sym;
	struct batch *b = t->batch;
	int i;

	b->cnt = 0;
	begin_question(t);
	for (i = 0; i < cnt; i++) {
		wire__put_uint(&s->question, addresses[i].address, 8);
		wire__put_uint(&s->question, addresses[i].is_return, 1);
	}
	if (put_question(t, ASK_FRAMES))
		return;
	memcpy(b->addresses, addresses, cnt * sizeof(*addresses));
	b->cnt = cnt;
	if (take_frames(s, b)) {
		b->cnt = 0;
		reject(t);
	}
}

void sym_target__expect(struct sym_target *t, const struct sym_address *addresses, int cnt)
{
	name_all(t, addresses, cnt < SERVER_BATCH_MAX ? cnt : SERVER_BATCH_MAX);
}

static int find_in_batch(const struct batch *b, uint64_t address, int is_return)
{
	int i;

	for (i = 0; i < b->cnt; i++)
		if (b->addresses[i].address == address && !b->addresses[i].is_return == !is_return)
			return i;
	return -1;
}

/* Without a reader: which file it is in. */
static int name_alone(const struct sym_target *t, uint64_t address, int is_return,
		      struct frame *frames)
{
	const struct map_region *r = maps__find(doorman__maps(t->doorman), address - !!is_return);

	memset(frames, 0, sizeof(*frames));
	frames->address = address;
	if (r && *r->path) {
		frames->module = string_pool__keep(t->sym->strings, r->path);
		frames->offset = address - r->start + r->offset;
	}
	return 1;
}

int sym_target__frames(struct sym_target *t, uint64_t address, int is_return, struct frame *frames,
		       int cap)
{
	const struct sym_address wanted = {address, is_return};
	struct batch *b = t->batch;
	int i = find_in_batch(b, address, is_return), cnt;

	if (i < 0) {
		name_all(t, &wanted, 1);
		i = find_in_batch(b, address, is_return);
	}
	if (i < 0)
		return name_alone(t, address, is_return, frames);
	cnt = b->first[i + 1] - b->first[i];
	if (cnt > cap) /* the function itself counts more than what was inlined into it */
		cnt = cap;
	memcpy(frames, &b->frames[b->first[i + 1] - cnt], cnt * sizeof(*frames));
	return cnt;
}

/* ---- what could not be read -------------------------------------------------------------- */

/* 0 or -EPROTO. */
static int take_not_seen(struct sym_target *t, int *cnt)
{
	struct reader r = answer_of(t->sym);
	const char *line;

	while (reader__left(&r) && *cnt < NOT_SEEN_MAX - OWN_NOT_SEEN_MAX) {
		line = keep(t->sym, &r);
		if (r.is_bad)
			return -EPROTO;
		if (line)
			t->not_seen[(*cnt)++] = line;
	}
	return 0;
}

const char *const *sym_target__not_seen(struct sym_target *t)
{
	int cnt = 0, i;

	if (t->sym->box && t->generation == t->sym->generation) {
		begin_question(t);
		if (!put_question(t, ASK_NOT_SEEN) && take_not_seen(t, &cnt))
			reject(t);
	}
	for (i = 0; i < OWN_NOT_SEEN_MAX && t->own[i]; i++)
		t->not_seen[cnt++] = t->own[i];
	t->not_seen[cnt] = NULL;
	return t->not_seen;
}
