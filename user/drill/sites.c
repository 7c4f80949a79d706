// SPDX-License-Identifier: BSD-2-Clause
/*
 * sites.c - see sites.h.
 *
 * Two levels: many stack ids (hashes of copied stacks) lead to one chain (the same return
 * addresses); chains are what samples are counted on. Chains become sites only when a result is
 * asked for, where those with the same frames are put together.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* a failed allocation of uthash leaves the element out instead of ending the program */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->is_lost = 1)
#include <uthash.h>

#include "../base/buf.h"
#include "cohort.h"
#include "estimate.h"
#include "sites.h"

#define DEFAULT_MAX_STACKS 16384
#define IDS_PER_STACK 4     /* stack ids remembered for each chain that may exist */
#define DEPTH_MAX 128
#define BLOCKS_MAX 4096      /* remembered of a snapshot */
#define FRAMES_MAX 16       /* of one address: a function and what is inlined there */
#define AGES_PER_OCTAVE 4   /* resolution of the median */
#define OCTAVES_BELOW_1S 4
#define AGE_BUCKETS (AGES_PER_OCTAVE * (OCTAVES_BELOW_1S + SITE_COHORTS - 1))
#define RETURN_BIT (1ULL << 63) /* in a chain: look the address up one byte before */

/* What is alive at the last snapshot, and how that came about. */
struct live_set {
	struct estimate estimate;
	double oldest_age_s;
	unsigned asked, unreferred;
	double age_bytes[AGE_BUCKETS];
	double cohort_bytes[SITE_COHORTS];
	struct cohort_table table;
};

struct chain {
	struct live_set *live; /* NULL until a sample of it is seen */
	const struct frame *frames; /* of its site in the last result */
	double allocated_bytes, allocated_count;
	int is_whole;
	int is_mapping;        /* memory straight from the kernel */
	int is_lost;
	int ip_cnt;
	UT_hash_handle hh;
	uint64_t ips[];        /* the key */
};

struct stack_ref {
	uint64_t id;
	struct chain *chain;
	double allocated_bytes, allocated_count;
	int is_lost;
	UT_hash_handle hh;
};

/* The frames of one address. */
struct place {
	uint64_t ip;
	int is_lost;
	int frame_cnt;
	UT_hash_handle hh;
	struct frame frames[];
};

/* A site in the making: chains with the same frames. */
struct merged {
	struct live_set live;
	double allocated_bytes, allocated_count;
	struct frame *frames;
	int frame_cnt;
	int is_whole;
	int is_mapping;
	int is_lost;
	UT_hash_handle hh;
	size_t key_len;
	char key[];
};

struct block {
	uint64_t addr;
	struct seep_live live;
	const struct chain *chain;
};

struct sites {
	struct sites_cfg cfg;
	struct block *blocks;   /* BLOCKS_MAX of them, or NULL */
	size_t block_cnt;
	const struct reach_block *asked; /* sorted */
	size_t asked_cnt;
	struct cohort_clock clock;
	struct stack_ref *refs;
	struct chain *chains;
	struct place *places;
	struct chain *beyond;   /* chains above the bound */
	struct chain *unknown;  /* samples whose stack never came */
	struct merged *merged;  /* the result, with the arrays that point into it */
	struct site *result;
	uint64_t merged_stacks;
	struct estimate total;
};

/* ---- life ---- */

static void free_chain(struct chain *c)
{
	if (c)
		free(c->live);
	free(c);
}

static void free_merged(struct merged *m)
{
	if (m)
		free(m->frames);
	free(m);
}

static void drop_result(struct sites *s)
{
	struct merged *m, *next;

	HASH_ITER(hh, s->merged, m, next) {
		HASH_DEL(s->merged, m);
		free_merged(m);
	}
	free(s->result);
	s->result = NULL;
}

struct sites *sites__new(const struct sites_cfg *cfg)
{
	struct sites *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cfg = *cfg;
	s->clock.start_s = cfg->start_s;
	if (!s->cfg.max_stacks)
		s->cfg.max_stacks = DEFAULT_MAX_STACKS;
	s->beyond = calloc(1, sizeof(*s->beyond));
	s->unknown = calloc(1, sizeof(*s->unknown));
	if (s->cfg.keeps_blocks)
		s->blocks = calloc(BLOCKS_MAX, sizeof(*s->blocks));
	if (!s->beyond || !s->unknown || (s->cfg.keeps_blocks && !s->blocks)) {
		sites__free(s);
		return NULL;
	}
	return s;
}

void sites__free(struct sites *s)
{
	struct stack_ref *ref, *next_ref;
	struct chain *chain, *next_chain;
	struct place *place, *next_place;

	if (!s)
		return;
	drop_result(s);
	HASH_ITER(hh, s->refs, ref, next_ref) {
		HASH_DEL(s->refs, ref);
		free(ref);
	}
	HASH_ITER(hh, s->chains, chain, next_chain) {
		HASH_DEL(s->chains, chain);
		free_chain(chain);
	}
	HASH_ITER(hh, s->places, place, next_place) {
		HASH_DEL(s->places, place);
		free(place);
	}
	free_chain(s->beyond);
	free_chain(s->unknown);
	free(s->blocks);
	free(s);
}

/* ---- stacks ---- */

/*
 * The chain as it is kept: without the allocator's own address, which says no more than
 * SITE.allocator, unless nothing else is known or there was none.
 */
static int walk(struct sites *s, const struct seep_stack *stack, const void *bytes, uint64_t *ips,
		int *ret_is_whole)
{
	enum unwind_end end;
	int i, cnt;

	cnt = sym_target__walk(s->cfg.target, &stack->regs, bytes, stack->stack_bytes, ips,
			       DEPTH_MAX, &end);
	*ret_is_whole = end == UNWIND_OUTERMOST;
	for (i = 1; i < cnt; i++)
		ips[i] |= RETURN_BIT;
	if (cnt > 1 && !s->cfg.keeps_innermost)
		memmove(ips, ips + 1, --cnt * sizeof(*ips));
	return cnt;
}

static int is_mapping(uint32_t kind)
{
	return kind == SEEP_ALLOC_MMAP || kind == SEEP_ALLOC_MREMAP;
}

static struct chain *find_chain(struct sites *s, const uint64_t *ips, int cnt)
{
	struct chain *chain;

	HASH_FIND(hh, s->chains, ips, cnt * sizeof(*ips), chain);
	return chain;
}

static struct chain *new_chain(struct sites *s, const uint64_t *ips, int cnt, int is_whole)
{
	struct chain *chain = calloc(1, sizeof(*chain) + cnt * sizeof(*ips));

	if (!chain)
		return NULL;
	chain->ip_cnt = cnt;
	chain->is_whole = is_whole;
	memcpy(chain->ips, ips, cnt * sizeof(*ips));
	HASH_ADD(hh, s->chains, ips, cnt * sizeof(*ips), chain);
	if (!chain->is_lost)
		return chain;
	free_chain(chain);
	return NULL;
}

static int add_ref(struct sites *s, uint64_t id, struct chain *chain)
{
	struct stack_ref *ref = calloc(1, sizeof(*ref));

	if (!ref)
		return -ENOMEM;
	ref->id = id;
	ref->chain = chain;
	HASH_ADD(hh, s->refs, id, sizeof(id), ref);
	if (!ref->is_lost)
		return 0;
	free(ref);
	return -ENOMEM;
}

static struct stack_ref *find_ref(struct sites *s, uint64_t id)
{
	struct stack_ref *ref;

	HASH_FIND(hh, s->refs, &id, sizeof(id), ref);
	return ref;
}

int sites__add_stack(struct sites *s, const struct seep_stack *stack, const void *bytes)
{
	uint64_t ips[DEPTH_MAX];
	struct chain *chain;
	int cnt, is_whole;

	if (find_ref(s, stack->stack_id))
		return 0;
	if (HASH_COUNT(s->refs) >= (uint64_t)s->cfg.max_stacks * IDS_PER_STACK) {
		s->merged_stacks++;
		return 0;
	}
	cnt = walk(s, stack, bytes, ips, &is_whole);
	chain = cnt > 0 ? find_chain(s, ips, cnt) : s->unknown;
	if (!chain && HASH_COUNT(s->chains) >= s->cfg.max_stacks) {
		s->merged_stacks++;
		chain = s->beyond;
	}
	if (!chain) {
		chain = new_chain(s, ips, cnt, is_whole);
		if (chain)
			chain->is_mapping = is_mapping(stack->kind);
	}
	return chain ? add_ref(s, stack->stack_id, chain) : -ENOMEM;
}

void sites__set_allocated(struct sites *s, uint64_t stack_id, double bytes, double cnt)
{
	struct stack_ref *ref = find_ref(s, stack_id);

	if (!ref)
		return;
	ref->chain->allocated_bytes += bytes - ref->allocated_bytes;
	ref->chain->allocated_count += cnt - ref->allocated_count;
	ref->allocated_bytes = bytes;
	ref->allocated_count = cnt;
}

/* ---- snapshots ---- */

typedef void (*live_fn)(struct live_set *live);

static void for_each_live(struct sites *s, live_fn fn)
{
	struct chain *chain, *next;

	HASH_ITER(hh, s->chains, chain, next) {
		if (chain->live)
			fn(chain->live);
	}
	if (s->beyond->live)
		fn(s->beyond->live);
	if (s->unknown->live)
		fn(s->unknown->live);
}

static void halve_live(struct live_set *live)
{
	cohort_table__halve(&live->table);
}

/* Everything but the history begins anew. */
static void reset_live(struct live_set *live)
{
	memset(live, 0, offsetof(struct live_set, table));
}

void sites__begin_snapshot(struct sites *s, double t_s)
{
	if (s->clock.cnt == COHORT_ROWS) {
		for_each_live(s, halve_live);
		cohort_clock__halve(&s->clock);
	}
	s->clock.t_s[s->clock.cnt++] = t_s;
	for_each_live(s, reset_live);
	memset(&s->total, 0, sizeof(s->total));
	s->block_cnt = 0;
}

/* Buckets of the age's logarithm; a quarter of an octave each. */
static int age_bucket(double age_s)
{
	double octave = log2(fmax(age_s, 1e-9)) + OCTAVES_BELOW_1S;

	return fmin(fmax(octave * AGES_PER_OCTAVE, 0), AGE_BUCKETS - 1);
}

/* [0] < 1 s, [k] < 2^k s. */
static int age_cohort(double age_s)
{
	return age_s < 1 ? 0 : fmin(floor(log2(age_s)) + 1, SITE_COHORTS - 1);
}

static void count_sample(const struct cohort_clock *clock, struct live_set *set,
			 const struct seep_live *live, double at_s, double age_s)
{
	double weight = fmax(live->weight_bytes, live->size_bytes);
	struct cohort_cell *cell;

	estimate__add(&set->estimate, live->size_bytes, live->weight_bytes);
	set->oldest_age_s = fmax(set->oldest_age_s, age_s);
	set->age_bytes[age_bucket(age_s)] += weight;
	set->cohort_bytes[age_cohort(age_s)] += weight;
	cell = &set->table.cell[clock->cnt - 1][cohort_clock__column(clock, at_s)];
	cell->bytes += weight;
	cell->samples++;
}

void sites__set_asked(struct sites *s, const struct reach_block *blocks, size_t cnt)
{
	s->asked = blocks;
	s->asked_cnt = cnt;
}

/* Of what has the address now the answer is only if it had it then. */
static void count_references(const struct sites *s, struct live_set *set, uint64_t addr,
			     uint64_t at_ns)
{
	const struct reach_block key = {.addr = addr}, *found;

	found = s->asked_cnt ? bsearch(&key, s->asked, s->asked_cnt, sizeof(key), reach__compare) :
			       NULL;
	if (!found || found->at_ns != at_ns)
		return;
	set->asked++;
	set->unreferred += !found->is_referred;
}

void sites__add_live(struct sites *s, uint64_t addr, const struct seep_live *live)
{
	double at_s = live->at_ns / 1e9, now_s = s->clock.t_s[s->clock.cnt - 1];
	double age_s = fmax(now_s - at_s, 0);
	struct stack_ref *ref;
	struct chain *chain;

	if (age_s < s->cfg.min_age_s)
		return;
	ref = find_ref(s, live->stack_id);
	chain = ref ? ref->chain : s->unknown;
	if (!chain->live)
		chain->live = calloc(1, sizeof(*chain->live));
	estimate__add(&s->total, live->size_bytes, live->weight_bytes);
	if (s->blocks && s->block_cnt < BLOCKS_MAX)
		s->blocks[s->block_cnt++] = (struct block){addr, *live, chain};
	if (!chain->live)
		return;
	count_sample(&s->clock, chain->live, live, at_s, age_s);
	count_references(s, chain->live, addr, live->at_ns);
}

void sites__end_snapshot(struct sites *s)
{
	drop_result(s); /* it tells of the snapshot before */
}

/* ---- names ---- */

/* The frames of an address; looked up once. NULL: out of memory. */
static const struct place *find_place(struct sites *s, uint64_t ip)
{
	struct frame frames[FRAMES_MAX];
	struct place *place;
	int cnt;

	HASH_FIND(hh, s->places, &ip, sizeof(ip), place);
	if (place)
		return place;
	cnt = sym_target__frames(s->cfg.target, ip & ~RETURN_BIT, !!(ip & RETURN_BIT), frames,
				 FRAMES_MAX);
	place = calloc(1, sizeof(*place) + cnt * sizeof(*frames));
	if (!place)
		return NULL;
	place->ip = ip;
	place->frame_cnt = cnt;
	memcpy(place->frames, frames, cnt * sizeof(*frames));
	HASH_ADD(hh, s->places, ip, sizeof(place->ip), place);
	if (!place->is_lost)
		return place;
	free(place);
	return NULL;
}

/* Ask at once for all of a chain that is not known. */
static void expect_places(struct sites *s, const struct chain *chain)
{
	struct sym_address wanted[DEPTH_MAX];
	struct place *place;
	int i, cnt = 0;

	for (i = 0; i < chain->ip_cnt; i++) {
		HASH_FIND(hh, s->places, &chain->ips[i], sizeof(chain->ips[i]), place);
		if (!place)
			wanted[cnt++] = (struct sym_address){chain->ips[i] & ~RETURN_BIT,
							     !!(chain->ips[i] & RETURN_BIT)};
	}
	if (cnt)
		sym_target__expect(s->cfg.target, wanted, cnt);
}

/* Two frames with the same text are the same line; unknown ones are told apart by address. */
static void append_key(struct buf *key, const struct frame *f)
{
	buf__printf(key, "%s|%s|%u|%s|%llx\n", f->function ? f->function : "",
		    f->file ? f->file : "", f->line, f->module ? f->module : "",
		    f->function && f->file ? 0 : (unsigned long long)f->address);
}

/* The frames of a whole chain, and the text they are compared by. */
static int name_chain(struct sites *s, const struct chain *chain, struct buf *frames,
		      struct buf *key)
{
	const struct place *place;
	int i, j;

	expect_places(s, chain);
	for (i = 0; i < chain->ip_cnt; i++) {
		place = find_place(s, chain->ips[i]);
		if (!place)
			return -ENOMEM;
		buf__append(frames, place->frames, place->frame_cnt * sizeof(struct frame));
		for (j = 0; j < place->frame_cnt; j++)
			append_key(key, &place->frames[j]);
	}
	return frames->err ? frames->err : key->err;
}

/* A site without a stack has one frame that says why. */
static int name_nothing(const char *why, struct buf *frames, struct buf *key)
{
	const struct frame f = {.function = why};

	buf__append(frames, &f, sizeof(f));
	append_key(key, &f);
	return frames->err ? frames->err : key->err;
}

static int name_any(struct sites *s, const struct chain *chain, struct buf *frames, struct buf *key)
{
	if (chain == s->beyond)
		return name_nothing("(other call sites)", frames, key);
	if (chain == s->unknown)
		return name_nothing("(stack not captured)", frames, key);
	return name_chain(s, chain, frames, key);
}

/* ---- the result ---- */

static struct merged *new_merged(struct sites *s, const struct buf *frames, const struct buf *key)
{
	struct merged *m = calloc(1, sizeof(*m) + key->len);

	if (!m)
		return NULL;
	m->frames = malloc(frames->len);
	if (!m->frames) {
		free(m);
		return NULL;
	}
	memcpy(m->frames, frames->data, frames->len);
	m->frame_cnt = frames->len / sizeof(struct frame);
	m->is_whole = 1;
	m->key_len = key->len;
	memcpy(m->key, key->data, key->len);
	HASH_ADD(hh, s->merged, key, m->key_len, m);
	if (!m->is_lost)
		return m;
	free_merged(m);
	return NULL;
}

static void merge_live(struct live_set *to, const struct live_set *from)
{
	int i;

	estimate__merge(&to->estimate, &from->estimate);
	to->oldest_age_s = fmax(to->oldest_age_s, from->oldest_age_s);
	to->asked += from->asked;
	to->unreferred += from->unreferred;
	for (i = 0; i < AGE_BUCKETS; i++)
		to->age_bytes[i] += from->age_bytes[i];
	for (i = 0; i < SITE_COHORTS; i++)
		to->cohort_bytes[i] += from->cohort_bytes[i];
	cohort_table__merge(&to->table, &from->table);
}

static int merge_chain(struct sites *s, struct chain *chain)
{
	struct buf frames = {0}, key = {0};
	struct merged *m = NULL;
	int err;

	err = name_any(s, chain, &frames, &key);
	if (!err) {
		HASH_FIND(hh, s->merged, key.data, key.len, m);
		if (!m)
			m = new_merged(s, &frames, &key);
		err = m ? 0 : -ENOMEM;
	}
	if (!err) {
		if (chain->live)
			merge_live(&m->live, chain->live);
		m->allocated_bytes += chain->allocated_bytes;
		m->allocated_count += chain->allocated_count;
		m->is_whole &= chain->is_whole;
		m->is_mapping |= chain->is_mapping;
		chain->frames = m->frames;
	}
	buf__free(&frames);
	buf__free(&key);
	return err;
}

static int is_empty(const struct chain *chain)
{
	return (!chain->live || !chain->live->estimate.samples) && !(chain->allocated_bytes > 0);
}

static int merge_all(struct sites *s)
{
	struct chain *chain, *next;
	int err = 0;

	HASH_ITER(hh, s->chains, chain, next) {
		if (!err && !is_empty(chain))
			err = merge_chain(s, chain);
	}
	if (!err && !is_empty(s->beyond))
		err = merge_chain(s, s->beyond);
	if (!err && !is_empty(s->unknown))
		err = merge_chain(s, s->unknown);
	return err;
}

static double median_age(const struct live_set *live)
{
	double half = live->estimate.bytes / 2, sum = 0, share;
	int i;

	if (!live->estimate.samples)
		return NAN;
	for (i = 0; i < AGE_BUCKETS - 1; i++) {
		if (sum + live->age_bytes[i] >= half)
			break;
		sum += live->age_bytes[i];
	}
	share = live->age_bytes[i] > 0 ? (half - sum) / live->age_bytes[i] : 0;
	return fmin(exp2((i + share) / AGES_PER_OCTAVE - OCTAVES_BELOW_1S), live->oldest_age_s);
}

static void fill_site(const struct sites *s, const struct merged *m, struct site *ret_site)
{
	struct site *site = ret_site;

	memset(site, 0, sizeof(*site));
	site->outstanding_bytes = m->live.estimate.bytes;
	estimate__interval(&m->live.estimate, &site->outstanding_lo_bytes,
			   &site->outstanding_hi_bytes);
	site->outstanding_count = m->live.estimate.count;
	site->allocated_bytes = m->allocated_bytes > 0 ? m->allocated_bytes : NAN;
	site->allocated_count = m->allocated_bytes > 0 ? m->allocated_count : NAN;
	site->growth_bytes_per_hour = cohort__growth_per_hour(&s->clock, &m->live.table);
	site->oldest_age_s = m->live.estimate.samples ? m->live.oldest_age_s : NAN;
	site->median_age_s = median_age(&m->live);
	memcpy(site->cohort_bytes, m->live.cohort_bytes, sizeof(site->cohort_bytes));
	site->asked = m->live.asked;
	site->unreferred = m->live.unreferred;
	site->verdict = cohort__verdict(&s->clock, &m->live.table, site->evidence,
					sizeof(site->evidence));
	if (site__is_lost(site->asked, site->unreferred))
		site->verdict = SITE_LEAK;
	site->allocator = m->is_mapping ? "mmap" : s->cfg.allocator;
	site->samples = m->live.estimate.samples;
	site->frames = m->frames;
	site->frame_cnt = m->frame_cnt;
	site->is_whole = m->is_whole;
}

static double rank_of(double bytes)
{
	return isfinite(bytes) ? bytes : 0;
}

static int compare_sites(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	if (x->outstanding_bytes != y->outstanding_bytes)
		return x->outstanding_bytes < y->outstanding_bytes ? 1 : -1;
	return (rank_of(x->allocated_bytes) < rank_of(y->allocated_bytes)) -
	       (rank_of(x->allocated_bytes) > rank_of(y->allocated_bytes));
}

static int build_result(struct sites *s)
{
	struct merged *m, *next;
	size_t i = 0;
	int err;

	err = merge_all(s);
	if (err)
		return err;
	s->result = calloc(HASH_COUNT(s->merged) + 1, sizeof(*s->result));
	if (!s->result)
		return -ENOMEM;
	HASH_ITER(hh, s->merged, m, next)
		fill_site(s, m, &s->result[i++]);
	qsort(s->result, i, sizeof(*s->result), compare_sites);
	return 0;
}

int sites__result(struct sites *s, size_t top, const struct site **ret_sites, size_t *ret_cnt)
{
	size_t cnt;
	int err;

	drop_result(s);
	err = build_result(s);
	if (err) {
		drop_result(s);
		return err;
	}
	cnt = HASH_COUNT(s->merged);
	*ret_sites = s->result;
	*ret_cnt = top && top < cnt ? top : cnt;
	return 0;
}

void sites__each_block(const struct sites *s, sites_block_fn fn, void *ctx)
{
	size_t cnt = HASH_COUNT(s->merged), i, j;

	for (i = 0; i < s->block_cnt && s->result; i++) {
		for (j = 0; j < cnt && s->result[j].frames != s->blocks[i].chain->frames; j++)
			;
		if (j < cnt)
			fn(ctx, s->blocks[i].addr, &s->blocks[i].live, &s->result[j]);
	}
}

void sites__totals(const struct sites *s, struct sites_totals *ret_totals)
{
	struct sites_totals t = {
		.outstanding_bytes = s->total.bytes,
		.outstanding_count = s->total.count,
		.live_samples = s->total.samples,
		.stacks = HASH_COUNT(s->chains),
		.merged_stacks = s->merged_stacks,
	};
	const struct chain *chain;

	estimate__interval(&s->total, &t.outstanding_lo_bytes, &t.outstanding_hi_bytes);
	for (chain = s->chains; chain; chain = chain->hh.next)
		t.whole_chains += chain->is_whole;
	if (s->unknown->live)
		t.unknown_stacks = s->unknown->live->estimate.samples;
	*ret_totals = t;
}
