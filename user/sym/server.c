// SPDX-License-Identifier: BSD-2-Clause
/*
 * server.c - runs inside of a sandbox; see server.h.
 *
 * Who asks is trusted, so a question that makes no sense simply ends it. Files it reads are not: that
 * is why it is here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "server.h"
#include "wire.h"

#define ANSWER_FULL (4u << 20) /* from there on frames have no names */
#define DEPTH_MAX   1024

struct target {
	struct target *next;
	struct session_asker asker;
	struct engine_target *target;
};

struct server {
	int sock;
	struct session_asker asker; /* for what belongs to no target */
	struct engine *engine;
	struct target *targets;
};

static struct engine_target *find_target(const struct server *s, uint32_t id)
{
	struct target *t;

	for (t = s->targets; t; t = t->next)
		if (t->asker.target == id)
			return t->target;
	return NULL;
}

static int configure(struct server *s, struct reader *r)
{
	struct engine_cfg cfg = {};

	cfg.max_cache_bytes = reader__uint(r, 8);
	cfg.no_lines = reader__u8(r);
	s->asker = (struct session_asker){.sock = s->sock};
	cfg.opener = session__opener(&s->asker);
	if (s->engine || r->is_bad)
		return -EPROTO;
	s->engine = engine__new(&cfg);
	return s->engine ? 0 : -ENOMEM;
}

static int add_target(struct server *s, uint32_t id)
{
	struct target *t = calloc(1, sizeof(*t));
	struct opener opener;
	int err;

	if (!t)
		return -ENOMEM;
	t->asker = (struct session_asker){.sock = s->sock, .target = id};
	opener = session__opener(&t->asker);
	err = engine_target__new(s->engine, &opener, &t->target);
	if (err) {
		free(t);
		return err;
	}
	t->next = s->targets;
	s->targets = t;
	return 0;
}

static void forget_target(struct server *s, uint32_t id)
{
	struct target **at = &s->targets, *t;

	while ((t = *at) && t->asker.target != id)
		at = &t->next;
	if (!t)
		return;
	*at = t->next;
	engine_target__free(t->target);
	free(t);
}

static int walk(struct engine_target *t, struct reader *r, struct buf *out)
{
	uint32_t cap = reader__uint(r, 4);
	uint64_t ips[DEPTH_MAX];
	enum unwind_end end;
	struct seep_regs regs;
	const uint8_t *bytes = reader__skip(r, sizeof(regs));
	int cnt, i;

	if (!bytes || cap > DEPTH_MAX)
		return -EPROTO;
	memcpy(&regs, bytes, sizeof(regs));
	cnt = engine_target__walk(t, &regs, r->p, reader__left(r), ips, cap, &end);
	wire__put_uint(out, end, 4);
	for (i = 0; i < cnt; i++)
		wire__put_uint(out, ips[i], 8);
	return 0;
}

static void put_frame(struct buf *out, const struct frame *f)
{
	int has_room = out->len < ANSWER_FULL;

	wire__put_uint(out, f->offset, 8);
	wire__put_uint(out, f->line, 4);
	wire__put_uint(out, f->inlined, 1);
	wire__put_uint(out, f->kind, 1);
	wire__put_text(out, has_room ? f->function : NULL);
	wire__put_text(out, has_room ? f->file : NULL);
	wire__put_text(out, has_room ? f->module : NULL);
	wire__put_text(out, has_room ? f->build_id : NULL);
}

static int name(struct engine_target *t, struct reader *r, struct buf *out)
{
	struct frame frames[SERVER_FRAMES_MAX];
	uint64_t address;
	int is_return, cnt, i;

	while (reader__left(r)) {
		address = reader__uint(r, 8);
		is_return = reader__u8(r);
		if (r->is_bad)
			return -EPROTO;
		cnt = engine_target__frames(t, address, is_return, frames, SERVER_FRAMES_MAX);
		wire__put_uint(out, cnt, 1);
		for (i = 0; i < cnt; i++)
			put_frame(out, &frames[i]);
	}
	return 0;
}

static void put_not_seen(struct engine_target *t, struct buf *out)
{
	const char *const *line;

	for (line = engine_target__not_seen(t); *line; line++)
		wire__put_text(out, *line);
}

/* 0, or -errno: go away. */
static int answer(struct server *s, uint32_t type, struct reader *r, struct buf *out)
{
	struct engine_target *t;
	uint32_t id;

	if (type == ASK_CONFIG)
		return configure(s, r);
	if (!s->engine)
		return -EPROTO;
	if (type == ASK_HELD) {
		wire__put_uint(out, engine__held(s->engine), 8);
		return 0;
	}
	id = reader__uint(r, 4);
	t = find_target(s, id);
	if (type == ASK_TARGET) {
		wire__put_uint(out, t ? EEXIST : -add_target(s, id), 4);
		return 0;
	}
	if (!t)
		return -EPROTO;
	switch (type) {
	case ASK_FORGET:
		forget_target(s, id);
		return 0;
	case ASK_WALK:
		return walk(t, r, out);
	case ASK_FRAMES:
		return name(t, r, out);
	case ASK_NOT_SEEN:
		put_not_seen(t, out);
		return 0;
	default:
		return -EPROTO;
	}
}

void server__run(int sock)
{
	struct server s = {.sock = sock};
	struct buf question = {}, out = {};
	uint32_t type;
	struct reader r;

	while (!session__next(sock, &type, &question)) {
		r = reader__make(question.data, question.len);
		out.len = 0;
		if (answer(&s, type, &r, &out) || session__answer(sock, type, &out))
			break;
	}
	/* the process ends with it, and so does all that it holds */
}
