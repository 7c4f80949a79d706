// SPDX-License-Identifier: BSD-2-Clause
/*
 * frame.c - polls to records and back; see frame.h for the format.
 *
 * The reader trusts nothing: a checksum tells that a record is as written, not by whom. Every
 * read is bounded by the record, every slot by the table, and a record that makes no sense ends
 * the reading without harm.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "frame.h"

#define BOOT_ID_MAX  63
#define BACK_SHARE   8	 /* the clock went back by more than window / 8: start afresh */
#define INTEREST_MAX 254 /* whoever pinned a series says so again after a restart */

enum frame_kind { FRAME_KEY = 1, FRAME_DELTA = 2 };
enum frame_op { OP_END, OP_NAME, OP_FORMER, OP_INTEREST, OP_POLL, OP_PAUSE };
enum poll_flag { POLL_START = 1, POLL_LOAD = 2, POLL_LIMIT = 4 };

/* What is known of a slot, on both sides. */
struct known {
	struct series_poll poll;
	uint32_t id;	  /* of the series there; 0 = none */
	uint32_t edits;	  /* writer */
	struct series *s; /* reader; NULL = passed over */
	uint8_t interest;
	bool active; /* it is polled */
};

static const struct known fresh = {
	.poll = {.ring = {.load = RING_LOAD_UNKNOWN}, .limit_kib = SERIES_NO_LIMIT},
};

/* ---- writing ---- */

struct frame_writer {
	unsigned slots;
	struct known known[];
};

struct frame_writer *frame_writer__new(unsigned slots)
{
	struct frame_writer *w = calloc(1, sizeof(*w) + slots * sizeof(w->known[0]));

	if (w)
		w->slots = slots;
	return w;
}

void frame_writer__free(struct frame_writer *w)
{
	free(w);
}

static void put_u8(struct buf *b, uint8_t v)
{
	buf__append(b, &v, 1);
}

static void put_u64(struct buf *b, uint64_t v)
{
	uint8_t bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = v >> 8 * i;
	buf__append(b, bytes, sizeof(bytes));
}

static void put_f64(struct buf *b, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_u64(b, bits);
}

static void put_varint(struct buf *b, uint64_t v)
{
	uint8_t bytes[10];
	int n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = v | 0x80;
	bytes[n++] = v;
	buf__append(b, bytes, n);
}

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static void put_bytes(struct buf *b, const char *s)
{
	size_t len = strlen(s);

	put_varint(b, len);
	buf__append(b, s, len);
}

static void put_op(struct buf *b, unsigned slot, enum frame_op op)
{
	put_varint(b, (uint64_t)slot << 3 | op);
}

static void put_key(struct buf *b, const struct series_key *key)
{
	put_u8(b, key->kind);
	put_varint(b, key->tgid);
	put_u64(b, key->value);
}

/* Where the slot means nothing to the reader, the former key joins a restarted process to what
 * was read before. */
static void write_name(struct buf *b, unsigned slot, const struct known *k, const struct series *s)
{
	const struct series_key *former = series__former_key(s);

	if (!k->id && former) {
		put_op(b, slot, OP_FORMER);
		put_key(b, former);
	}
	put_op(b, slot, OP_NAME);
	put_key(b, series__key(s));
	put_bytes(b, series__name(s));
}

/* Rings do not keep limits: a restored one serves until the next poll gives it anew, and what
 * is left below a shared limit moves all the time. */
static bool limit_moved(uint32_t from, uint32_t to)
{
	uint32_t distance = from < to ? to - from : from - to;

	return distance > from / 16;
}

static void write_poll(struct buf *b, unsigned slot, struct known *k, const struct series_poll *p)
{
	int64_t step = (int64_t)p->ring.kib - k->poll.ring.kib;
	unsigned flags = 0;

	if (p->ring.start)
		flags |= POLL_START;
	if (p->ring.load != k->poll.ring.load)
		flags |= POLL_LOAD;
	if (limit_moved(k->poll.limit_kib, p->limit_kib))
		flags |= POLL_LIMIT;
	if (k->active && !flags && !step)
		return;
	put_op(b, slot, OP_POLL);
	put_varint(b, zigzag(step) << 3 | flags);
	if (flags & POLL_LOAD)
		put_varint(b, zigzag((int64_t)p->ring.load - k->poll.ring.load));
	if (flags & POLL_LIMIT)
		put_varint(b, p->limit_kib);
	k->active = true;
	k->poll.ring = p->ring;
	if (flags & POLL_LIMIT)
		k->poll.limit_kib = p->limit_kib;
}

static void write_series(struct buf *b, unsigned slot, struct known *k, struct series *s)
{
	struct series_poll poll;

	if (!k->id)
		*k = fresh;
	if (!k->id || k->edits != series__edits(s))
		write_name(b, slot, k, s);
	k->id = series__id(s);
	k->edits = series__edits(s);
	if (k->interest != series__interest(s)) {
		k->interest = series__interest(s);
		put_op(b, slot, OP_INTEREST);
		put_u8(b, k->interest);
	}
	if (series__take_poll(s, &poll)) {
		write_poll(b, slot, k, &poll);
	} else if (k->active) {
		k->active = false;
		put_op(b, slot, OP_PAUSE);
	}
}

/* Ends first: on replay there must be room for the new ones. */
static void write_ends(struct frame_writer *w, struct store *st, struct buf *b)
{
	const struct series *s;
	unsigned i;

	for (i = 0; i < w->slots; i++) {
		s = w->known[i].id ? store__at(st, i) : NULL;
		if (w->known[i].id && (!s || series__id(s) != w->known[i].id)) {
			put_op(b, i, OP_END);
			w->known[i].id = 0;
		}
	}
}

void frame_writer__poll(struct frame_writer *w, struct store *st, double t_s, const char *boot_id,
			struct buf *out)
{
	struct series *s;
	unsigned i;

	put_u8(out, boot_id ? FRAME_KEY : FRAME_DELTA);
	put_f64(out, t_s);
	if (boot_id) {
		put_bytes(out, boot_id);
		memset(w->known, 0, w->slots * sizeof(w->known[0]));
	}
	write_ends(w, st, out);
	for (i = 0; i < w->slots; i++) {
		s = store__at(st, i);
		if (s)
			write_series(out, i, &w->known[i], s);
	}
}

/* ---- reading ---- */

struct frame_reader {
	struct frame_reader_cfg cfg;
	double last_s;
	unsigned polls;
	unsigned slots;		  /* of known that were ever used */
	struct series_key former; /* of the next name; kind 0 = none */
	bool has_key;
	bool other_boot; /* the key frame was of another boot */
	struct known known[STORE_SERIES_MAX];
};

/* What is left of a record; running over its end is remembered. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

struct frame_reader *frame_reader__new(const struct frame_reader_cfg *cfg)
{
	struct frame_reader *r = calloc(1, sizeof(*r)); /* mostly never touched */

	if (!r)
		return NULL;
	r->cfg = *cfg;
	r->last_s = NAN;
	return r;
}

void frame_reader__free(struct frame_reader *r)
{
	free(r);
}

void frame_reader__lost(struct frame_reader *r)
{
	r->has_key = false;
}

unsigned frame_reader__polls(const struct frame_reader *r)
{
	return r->polls;
}

static const uint8_t *get_bytes(struct cursor *c, size_t len)
{
	const uint8_t *p = c->p;

	if (len > (size_t)(c->end - c->p)) {
		c->bad = true;
		c->p = c->end;
		return NULL;
	}
	c->p += len;
	return p;
}

static uint8_t get_u8(struct cursor *c)
{
	const uint8_t *p = get_bytes(c, 1);

	return p ? *p : 0;
}

static uint64_t get_u64(struct cursor *c)
{
	const uint8_t *p = get_bytes(c, 8);
	uint64_t v = 0;
	int i;

	for (i = 7; p && i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static double get_f64(struct cursor *c)
{
	uint64_t bits = get_u64(c);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static uint64_t get_varint(struct cursor *c)
{
	uint64_t v = 0;
	uint8_t byte;
	int shift;

	for (shift = 0; shift < 64; shift += 7) {
		byte = get_u8(c);
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->bad = true;
	return 0;
}

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* A string of fewer than cap bytes. */
static void get_string(struct cursor *c, char *ret, size_t cap)
{
	uint64_t len = get_varint(c);
	const uint8_t *p = len < cap ? get_bytes(c, len) : NULL;

	ret[0] = '\0';
	if (!p) {
		c->bad = true;
		return;
	}
	memcpy(ret, p, len);
	ret[len] = '\0';
}

/* The series of a slot, if it was not evicted meanwhile. */
static struct series *series_of(const struct known *k)
{
	return k->s && series__id(k->s) == k->id ? k->s : NULL;
}

/* The key belongs to whoever claimed it last. */
static void rekey(struct frame_reader *r, struct series *s, const struct series_key *key,
		  const char *name)
{
	struct series *other = store__find(r->cfg.store, key);

	if (other && other != s)
		store__remove(r->cfg.store, other);
	store__rekey(r->cfg.store, s, key, name);
}

static void define(struct frame_reader *r, struct known *k, const struct series_key *key,
		   const char *name)
{
	struct series *former;

	*k = fresh;
	k->id = UINT32_MAX; /* defined, if passed over */
	if (key->kind == SERIES_PROC && r->other_boot)
		return;
	former = r->former.kind ? store__find(r->cfg.store, &r->former) : NULL;
	if (former && !store__find(r->cfg.store, key))
		rekey(r, former, key, name);
	k->s = store__touch(r->cfg.store, key, name);
	if (k->s)
		k->id = series__id(k->s);
}

static struct series_key get_key(struct cursor *c)
{
	struct series_key key;

	key.kind = get_u8(c);
	key.tgid = get_varint(c);
	key.value = get_u64(c);
	return key;
}

static void apply_name(struct frame_reader *r, struct cursor *c, struct known *k)
{
	char name[SERIES_NAME_LEN];
	struct series_key key = get_key(c);

	get_string(c, name, sizeof(name));
	if (c->bad)
		return;
	if (!k->id)
		define(r, k, &key, name);
	else if (series_of(k))
		rekey(r, k->s, &key, name);
	r->former.kind = 0;
}

static void apply_interest(struct frame_reader *r, struct cursor *c, struct known *k)
{
	unsigned interest = get_u8(c);

	if (!c->bad && series_of(k))
		series__set_interest(r->cfg.store, k->s,
				     interest < INTEREST_MAX ? interest : INTEREST_MAX);
}

static void apply_poll(struct cursor *c, struct known *k)
{
	uint64_t word = get_varint(c);
	unsigned flags = word & 7;

	k->poll.ring.kib += (uint32_t)unzigzag(word >> 3);
	k->poll.ring.start = flags & POLL_START;
	if (flags & POLL_LOAD)
		k->poll.ring.load += (uint16_t)unzigzag(get_varint(c));
	if (flags & POLL_LIMIT)
		k->poll.limit_kib = get_varint(c);
	k->active = true;
}

static void apply_end(struct frame_reader *r, struct known *k)
{
	if (series_of(k))
		store__remove(r->cfg.store, k->s);
	k->id = 0;
}

static void apply_op(struct frame_reader *r, struct cursor *c)
{
	uint64_t word = get_varint(c);
	enum frame_op op = word & 7;
	uint64_t slot = word >> 3;
	struct known *k;

	if (c->bad || slot >= STORE_SERIES_MAX ||
	    (!r->known[slot].id && op != OP_NAME && op != OP_FORMER)) {
		c->bad = true;
		return;
	}
	k = &r->known[slot];
	if (slot >= r->slots)
		r->slots = slot + 1;
	switch (op) {
	case OP_END:
		apply_end(r, k);
		break;
	case OP_NAME:
		apply_name(r, c, k);
		break;
	case OP_FORMER:
		r->former = get_key(c);
		break;
	case OP_INTEREST:
		apply_interest(r, c, k);
		break;
	case OP_POLL:
		apply_poll(c, k);
		break;
	case OP_PAUSE:
		k->active = false;
		break;
	default:
		c->bad = true;
	}
}

static void remove_series(void *store, struct series *s)
{
	store__remove(store, s);
}

/* Everything known before is void. A clock that was set back makes the past useless: polls would
 * be refused until it has caught up. */
static void begin_key_frame(struct frame_reader *r, struct cursor *c, double t_s)
{
	char boot_id[BOOT_ID_MAX + 1];

	get_string(c, boot_id, sizeof(boot_id));
	r->other_boot = !r->cfg.boot_id || !*boot_id || strcmp(boot_id, r->cfg.boot_id);
	memset(r->known, 0, r->slots * sizeof(r->known[0]));
	r->slots = 0;
	r->former.kind = 0;
	r->has_key = true;
	if (t_s < r->last_s - store__cfg(r->cfg.store)->window_s / BACK_SHARE)
		store__foreach(r->cfg.store, remove_series, r->cfg.store);
}

/* A series that the key frame does not name ended where records were lost. */
static int end_key_frame(struct frame_reader *r)
{
	unsigned i, max = store__cfg(r->cfg.store)->max_series;
	char *named = calloc(1, max);
	struct series *s;

	if (!named)
		return -ENOMEM;
	for (i = 0; i < r->slots; i++)
		if (series_of(&r->known[i]))
			named[series__slot(r->cfg.store, r->known[i].s)] = 1;
	for (i = 0; i < max; i++) {
		s = store__at(r->cfg.store, i);
		if (s && !named[i])
			store__remove(r->cfg.store, s);
	}
	free(named);
	return 0;
}

static void put_all(struct frame_reader *r, double t_s)
{
	struct known *k;
	unsigned i;

	r->polls++;
	for (i = 0; i < r->slots; i++) {
		k = &r->known[i];
		if (!k->active || !k->id)
			continue;
		if (series_of(k))
			series__put_poll(r->cfg.store, k->s, t_s, &k->poll);
		k->poll.ring.start = false;
	}
}

int frame_reader__apply(struct frame_reader *r, const void *record, size_t len, double *ret_t_s)
{
	struct cursor c = {.p = record, .end = (const uint8_t *)record + len};
	uint8_t kind = get_u8(&c);
	double t_s = get_f64(&c);

	if (c.bad || !isfinite(t_s) || (kind != FRAME_KEY && kind != FRAME_DELTA))
		return -EBADMSG;
	if (kind == FRAME_KEY)
		begin_key_frame(r, &c, t_s);
	else if (!r->has_key || !(t_s > r->last_s))
		return -EBADMSG;
	while (!c.bad && c.p < c.end)
		apply_op(r, &c);
	if (c.bad)
		return -EBADMSG;
	if (kind == FRAME_KEY && end_key_frame(r))
		return -ENOMEM;
	put_all(r, t_s);
	r->last_s = *ret_t_s = t_s;
	return 0;
}
