/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * live.bpf.h - the samples that are alive: who is drawn, how much it stands for, and the tables it
 * waits in for its free.
 *
 * One process is the target, so one set of tables serves all programs of alloc.bpf.c; nobody else
 * includes this. Records are copied out before they are deleted. What cannot be entered is counted by
 * reason, and so is a record that stands where a new one goes: its free was not seen.
 */
#ifndef SEEP_LIVE_BPF_H
#define SEEP_LIVE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <seep/alloc.h>

#define TRIES	      8
#define E2BIG	      7
#define EEXIST	      17
#define ENOENT	      2
#define SAMPLE_ALWAYS (1ULL << 32)

/* Set by the loader before load. */
const volatile __u32 target_tgid = 0;

/* Chance of being sampled, in 2^-32, by size class. Changed by user space as it likes. */
__u64 thresholds[SEEP_SIZE_CLASSES];

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct seep_live_key);
	__type(value, struct seep_live);
} seep_live SEC(".maps");

/* Direct mappings, by their first address. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct seep_live);
} seep_regions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SEEP_ALLOC_STAT_CNT);
	__type(key, u32);
	__type(value, u64);
} seep_astats SEC(".maps");

static __always_inline void add(enum seep_alloc_stat stat, u64 n)
{
	u32 key = stat;
	u64 *value = bpf_map_lookup_elem(&seep_astats, &key);

	if (value)
		__sync_fetch_and_add(value, n);
}

/* ---- tables ------------------------------------------------------------------------------ */

/*
 * A bucket's lock may not be had where another (virtual) CPU stands still with it: -EBUSY, and
 * since 6.15 -ETIMEDOUT and -EDEADLK. Memory may come a moment later. All others are answers.
 *
 * They are cut to an int below: before d7ba4cc900bf ("bpf: return long from bpf_map_ops funcs", 6.4)
 * the upper half of what these functions return is not theirs.
 */
static __always_inline bool is_answer(long err)
{
	return !err || err == -E2BIG || err == -EEXIST || err == -ENOENT;
}

static __always_inline long put(void *map, const void *key, const void *value, u64 flags)
{
	long err = 0;
	int i;

	for (i = 0; i < TRIES; i++) {
		err = (int)bpf_map_update_elem(map, key, value, flags);
		if (is_answer(err))
			break;
	}
	return err;
}

static __always_inline long take(void *map, const void *key)
{
	long err = 0;
	int i;

	for (i = 0; i < TRIES; i++) {
		err = (int)bpf_map_delete_elem(map, key);
		if (is_answer(err))
			break;
	}
	if (!is_answer(err))
		add(SEEP_ALLOC_STAT_BUSY, 1);
	return err;
}

/* ---- the live tables --------------------------------------------------------------------- */

static __always_inline void count_freed(u64 weight_bytes)
{
	add(SEEP_ALLOC_STAT_FREES, 1);
	add(SEEP_ALLOC_STAT_FREE_BYTES, weight_bytes);
}

static __always_inline void count_refused(long err, u64 weight_bytes)
{
	add(err == -E2BIG ? SEEP_ALLOC_STAT_LIVE_FULL : SEEP_ALLOC_STAT_BUSY, 1);
	add(SEEP_ALLOC_STAT_LIVE_FULL_BYTES, weight_bytes);
}

static __always_inline struct seep_live_key live_key(u64 addr)
{
	struct seep_live_key key = {.addr = addr, .tgid = target_tgid};

	return key;
}

static __always_inline bool is_region(u32 kind)
{
	return kind == SEEP_ALLOC_MMAP || kind == SEEP_ALLOC_MREMAP;
}

/* Enter a sample. Whatever stood at its address must have been freed unseen. */
static __always_inline void insert(void *map, const void *key, const struct seep_live *live)
{
	struct seep_live *stale = bpf_map_lookup_elem(map, key);
	long err;

	if (stale) {
		add(SEEP_ALLOC_STAT_MISSED_FREE, 1);
		count_freed(stale->weight_bytes);
	}
	err = put(map, key, live, BPF_ANY);
	if (err)
		count_refused(err, live->weight_bytes);
}

/*
 * Put a record back: its call failed. Somebody else has got the address meanwhile only if it was
 * freed after all.
 */
static __always_inline void restore(void *map, const void *key, const struct seep_live *live)
{
	long err = put(map, key, live, BPF_NOEXIST);

	if (err == -EEXIST)
		count_freed(live->weight_bytes);
	else if (err)
		count_refused(err, live->weight_bytes);
}

/* Take the record of a block out, if there is one. */
static __always_inline bool take_block(u64 addr, struct seep_live *ret_live)
{
	struct seep_live_key key = live_key(addr);
	struct seep_live *live = bpf_map_lookup_elem(&seep_live, &key);

	if (!live)
		return false;
	*ret_live = *live;
	return !take(&seep_live, &key);
}

/* What is left of a mapping after a part of it went. */
static __always_inline void keep_rest(u64 lo, u64 hi, const struct seep_live *live)
{
	struct seep_live rest = *live;
	long err;

	rest.size_bytes = hi - lo;
	rest.weight_bytes = hi - lo;
	err = put(&seep_regions, &lo, &rest, BPF_ANY);
	if (err)
		count_refused(err, rest.weight_bytes);
}

/* Take a mapping, or its first `bytes`, out, if one begins at the address. */
static __always_inline bool take_region(u64 addr, u64 bytes, struct seep_live *ret_live)
{
	struct seep_live *live = bpf_map_lookup_elem(&seep_regions, &addr);

	if (!live)
		return false;
	*ret_live = *live;
	if (take(&seep_regions, &addr))
		return false;
	if (ret_live->size_bytes > bytes) {
		keep_rest(addr + bytes, addr + ret_live->size_bytes, ret_live);
		ret_live->size_bytes = bytes;
		ret_live->weight_bytes = bytes;
	}
	return true;
}

/* ---- sampling ---------------------------------------------------------------------------- */

/* Four classes for each power of two; sizes below 8 each have their own. */
static __always_inline u32 size_class(u64 size)
{
	u64 v = size;
	u32 log = 0;

	if (size < 8)
		return size;
	if (v >= 1ULL << 32) {
		v >>= 32;
		log += 32;
	}
	if (v >= 1 << 16) {
		v >>= 16;
		log += 16;
	}
	if (v >= 1 << 8) {
		v >>= 8;
		log += 8;
	}
	if (v >= 1 << 4) {
		v >>= 4;
		log += 4;
	}
	if (v >= 1 << 2) {
		v >>= 2;
		log += 2;
	}
	if (v >= 1 << 1)
		log += 1;
	return (log - 1) * 4 + ((size >> (log - 2)) & 3);
}

static __always_inline u64 threshold_of(u64 size)
{
	return thresholds[size_class(size) & (SEEP_SIZE_CLASSES - 1)];
}

/* size / probability. 16 bits of fraction; exact where everything is sampled. */
static __always_inline u64 weigh(u64 size, u64 threshold)
{
	u64 inverse;

	if (threshold >= SAMPLE_ALWAYS || !threshold)
		return size;
	inverse = ((1ULL << 48) + threshold / 2) / threshold;
	return (size * inverse + (1 << 15)) >> 16;
}

#endif /* SEEP_LIVE_BPF_H */
