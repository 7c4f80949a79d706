// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/units.h"
#include "ledger.h"

#define YOUNG_SHARE .25 /* of a slice: younger blocks are not worth to be followed */
#define FREED_MIN   3
#define FREED_SHARE .5
#define SLICES_MIN  3
#define SAMPLES_MIN 20

struct entry {
	uint64_t key;	      /* hash of the frames */
	json_t *newest;	      /* SITE of the last slice that saw it */
	double bytes, lo, hi; /* sums of what each slice left behind */
	double cnt;
	uint64_t samples;
	unsigned asked, unreferred; /* of its blocks, each in the slice that saw it first */
	unsigned slices, first_slice;
	/* of its blocks that were carried into later slices */
	unsigned carried, freed;
	unsigned freed_between; /* found out afterwards, by their chunks */
	double block_s;		/* watched, all of them together */
	double first_s, last_s;
};

struct ledger {
	struct entry entries[LEDGER_MAX];
	size_t cnt;
	double watched_s;
	unsigned slices;
	struct trace_block blocks[LEDGER_BLOCKS_MAX];
	uint64_t keys[LEDGER_BLOCKS_MAX]; /* of their entries */
	size_t block_cnt;
};

struct ledger *ledger__new(void)
{
	return calloc(1, sizeof(struct ledger));
}

void ledger__forget(struct ledger *l)
{
	size_t i;

	for (i = 0; i < l->cnt; i++)
		json_decref(l->entries[i].newest);
	memset(l, 0, sizeof(*l));
}

void ledger__free(struct ledger *l)
{
	if (l)
		ledger__forget(l);
	free(l);
}

/* Addresses stand still while the process lives: they are the identity of a chain. */
static uint64_t key_of(const struct site *s)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	int i;

	for (i = 0; i < s->frame_cnt; i++)
		hash = (hash ^ s->frames[i].address) * 0x100000001b3ULL;
	return hash;
}

static struct entry *find(struct ledger *l, uint64_t key)
{
	size_t i;

	for (i = 0; i < l->cnt; i++)
		if (l->entries[i].key == key)
			return &l->entries[i];
	return NULL;
}

/* A free entry, or that of the smallest site if the new one is larger. */
static struct entry *make_room(struct ledger *l, double bytes)
{
	struct entry *least = &l->entries[0];
	size_t i;

	if (l->cnt < LEDGER_MAX)
		return &l->entries[l->cnt++];
	for (i = 1; i < l->cnt; i++)
		if (l->entries[i].bytes < least->bytes)
			least = &l->entries[i];
	if (least->bytes >= bytes)
		return NULL;
	json_decref(least->newest);
	memset(least, 0, sizeof(*least));
	return least;
}

static int add_site(struct ledger *l, const struct site *s)
{
	uint64_t key = key_of(s);
	struct entry *e = find(l, key);
	json_t *json;

	if (!e)
		e = make_room(l, s->outstanding_bytes);
	if (!e)
		return 0;
	if (!e->slices)
		e->first_slice = l->slices;
	e->key = key;
	json = site__to_json(s);
	if (!json)
		return -ENOMEM;
	json_decref(e->newest);
	e->newest = json;
	e->bytes += s->outstanding_bytes;
	e->lo += s->outstanding_lo_bytes;
	e->hi += s->outstanding_hi_bytes;
	e->cnt += s->outstanding_count;
	e->samples += s->samples;
	e->asked += s->asked;
	e->unreferred += s->unreferred;
	e->slices++;
	return 0;
}

int ledger__add(struct ledger *l, const struct site *sites, size_t cnt, double watched_s)
{
	size_t i;
	int err;

	l->watched_s += watched_s;
	l->slices++;
	for (i = 0; i < cnt; i++) {
		if (sites[i].outstanding_bytes <= 0 || sites[i].verdict == SITE_CHURN)
			continue;
		err = add_site(l, &sites[i]);
		if (err)
			return err;
	}
	return 0;
}

double ledger__bytes(const struct ledger *l)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < l->cnt; i++)
		sum += l->entries[i].bytes;
	return sum;
}

/* ---- blocks that are carried ------------------------------------------------------------- */

size_t ledger__carried(const struct ledger *l, const struct trace_block **ret_blocks)
{
	*ret_blocks = l->blocks;
	return l->block_cnt;
}

static int by_address(const void *a, const void *b)
{
	const struct trace_block *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Frees come at any time of the slice: on the average a freed block was watched for half of it. */
static void settle_block(struct entry *e, int is_alive, double watched_s, double at_s)
{
	e->block_s += is_alive ? watched_s : watched_s / 2;
	e->freed += !is_alive;
	e->last_s = at_s;
}

void ledger__settle(struct ledger *l, const struct trace_block *survivors, size_t cnt,
		    double watched_s, double at_s)
{
	struct trace_block *sorted = malloc((cnt + 1) * sizeof(*sorted));
	size_t i, kept = 0;
	struct entry *e;
	int is_alive;

	if (!sorted)
		return; /* they are carried on, and settled by the next slice */
	if (cnt)
		memcpy(sorted, survivors, cnt * sizeof(*sorted));
	qsort(sorted, cnt, sizeof(*sorted), by_address);
	for (i = 0; i < l->block_cnt; i++) {
		e = find(l, l->keys[i]);
		is_alive = !!bsearch(&l->blocks[i], sorted, cnt, sizeof(*sorted), by_address);
		if (e)
			settle_block(e, is_alive, watched_s, at_s);
		if (!e || !is_alive)
			continue;
		l->blocks[kept] = l->blocks[i];
		l->keys[kept++] = l->keys[i];
	}
	l->block_cnt = kept;
	free(sorted);
}

void ledger__recheck(struct ledger *l, ledger_is_free_fn is_free, void *ctx)
{
	size_t i, kept = 0;
	struct entry *e;

	for (i = 0; i < l->block_cnt; i++) {
		e = find(l, l->keys[i]);
		if (is_free(ctx, &l->blocks[i])) {
			if (e)
				e->freed_between++;
			continue;
		}
		l->blocks[kept] = l->blocks[i];
		l->keys[kept++] = l->keys[i];
	}
	l->block_cnt = kept;
}

void ledger__carry(struct ledger *l, const struct trace_left *left, size_t cnt, double watched_s,
		   double at_s)
{
	struct entry *e;
	size_t i;

	for (i = 0; i < cnt && l->block_cnt < LEDGER_BLOCKS_MAX; i++) {
		/* what is about to be freed anyway would be freed between the slices, unseen */
		if (at_s - left[i].block.live.at_ns / 1e9 < YOUNG_SHARE * watched_s)
			continue;
		e = find(l, key_of(left[i].site));
		if (!e || e->carried == LEDGER_BLOCKS_EACH)
			continue;
		if (!e->carried++)
			e->first_s = at_s;
		l->blocks[l->block_cnt] = left[i].block;
		l->keys[l->block_cnt++] = e->key;
	}
}

/* ---- the verdict over all slices --------------------------------------------------------- */

/* Of the blocks that were carried, so many are expected to be freed within a time. */
static double share_freed(const struct entry *e, double frees, double span_s)
{
	return e->block_s > 0 ? 1 - exp(-frees / e->block_s * span_s) : 1;
}

/*
 * By the rate while they were watched, or, where frees between the slices were found out, as a plain
 * share of all: whichever is more. Not all such frees can be told, so a rate over that time would be
 * too low.
 */
static double most_freed(const struct entry *e, unsigned more, double span_s)
{
	double share = share_freed(e, e->freed + more, span_s);

	if (!e->freed_between || !e->carried)
		return share;
	return fmax(share, ((double)e->freed + e->freed_between + more) / e->carried);
}

/*
 * A leak left memory behind in every slice since it was seen first, and its carried blocks stay: at
 * the 95 % bound of the rate of frees (3 more than were seen) less than half of them are freed over
 * all the time since. Many frees make it a cache. What a slice says by itself holds only where it
 * has seen memory given back. What nothing refers to leaks in any case.
 */
static enum site_verdict verdict_of(const struct ledger *l, const struct entry *e,
				    enum site_verdict of_slice)
{
	double span_s = e->last_s - e->first_s;

	if (site__is_lost(e->asked, e->unreferred))
		return SITE_LEAK;
	if (e->freed + e->freed_between >= FREED_MIN && most_freed(e, 0, span_s) > FREED_SHARE)
		return SITE_CACHE;
	if (of_slice == SITE_CACHE || of_slice == SITE_CHURN)
		return of_slice;
	if (e->slices <= l->slices - e->first_slice || e->slices < SLICES_MIN ||
	    e->samples < SAMPLES_MIN)
		return SITE_UNKNOWN;
	return most_freed(e, 3, span_s) < FREED_SHARE ? SITE_LEAK : SITE_UNKNOWN;
}

static void set_verdict(const struct ledger *l, const struct entry *e, json_t *o)
{
	const char *said = json_string_value(json_object_get(o, "verdict"));
	enum site_verdict verdict = SITE_UNKNOWN;

	while (verdict <= SITE_CHURN && said && strcmp(said, site__verdict_name(verdict)))
		verdict++;
	verdict = verdict_of(l, e, verdict);
	json_object_set_new(o, "verdict", json_string(site__verdict_name(verdict)));
}

/* As long as no block was carried the slice's own words say why. */
static void set_evidence(const struct ledger *l, const struct entry *e, json_t *o)
{
	const json_t *of_slice = json_array_get(json_object_get(o, "evidence"), 0);
	char watched[24], span[24], between[40] = "", text[SITE_EVIDENCE_LEN];
	const char *sentence = text;

	if (!(e->block_s > 0)) {
		sentence = site__is_lost(e->asked, e->unreferred) ? NULL :
								    json_string_value(of_slice);
	} else {
		units__format_duration(e->block_s / e->carried, watched, sizeof(watched));
		units__format_duration(e->last_s - e->first_s, span, sizeof(span));
		if (e->freed_between)
			snprintf(between, sizeof(between), ", and %u between the looks",
				 e->freed_between);
		snprintf(text, sizeof(text),
			 "left memory behind in %u of %u looks; of %u of its blocks, each watched "
			 "for %s within %s, %u were freed%s", e->slices,
			 l->slices - e->first_slice + 1, e->carried, watched, span, e->freed,
			 between);
	}
	json_object_set_new(o, "evidence", site__evidence(sentence, e->asked, e->unreferred));
	json_object_set_new(o, "references", site__references(e->asked, e->unreferred));
}

/* ---- the result -------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;

	return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

static json_t *whole(double number)
{
	return fabs(number) < 9e18 ? json_integer(llround(number)) : json_null();
}

static json_t *entry_to_json(const struct ledger *l, const struct entry *e)
{
	double per_hour = l->watched_s > 0 ? e->bytes / l->watched_s * 3600 : NAN;
	json_t *o = json_copy(e->newest), *ci = json_array();

	if (!o || !ci) {
		json_decref(o);
		json_decref(ci);
		return NULL;
	}
	json_array_append_new(ci, whole(e->lo));
	json_array_append_new(ci, whole(e->hi));
	json_object_set_new(o, "outstanding_bytes", whole(e->bytes));
	json_object_set_new(o, "outstanding_ci_bytes", ci);
	json_object_set_new(o, "outstanding_count", whole(e->cnt));
	json_object_set_new(o, "samples", json_integer(e->samples));
	json_object_set_new(o, "slices", json_integer(e->slices));
	json_object_set_new(o, "growth_bytes_per_hour", whole(per_hour));
	set_verdict(l, e, o);
	set_evidence(l, e, o);
	return o;
}

json_t *ledger__to_json(const struct ledger *l, size_t top)
{
	const struct entry *order[LEDGER_MAX];
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < l->cnt; i++)
		order[i] = &l->entries[i];
	qsort(order, l->cnt, sizeof(order[0]), by_bytes);
	for (i = 0; i < l->cnt && i < top; i++)
		json_array_append_new(list, entry_to_json(l, order[i]));
	return list;
}
