/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * stack.bpf.h - a thread's registers and stack, copied once for each different stack.
 *
 * capture() gives a stack its id at once; the copy goes through the ring only when user space has
 * not got it. Unwinding happens there: nothing here needs frame pointers. Whoever includes this
 * defines count_stack(), which is told what became of each copy.
 */
#ifndef SEEP_STACK_BPF_H
#define SEEP_STACK_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <seep/alloc.h>

/* Set by the loader before load. */
const volatile __u32 stack_chunks = 64;	 /* how much stack to copy */
const volatile __u64 main_stack_end = 0; /* arguments and environment begin here */

/* Where code is mapped; kept up to date by user space. */
struct seep_span code_spans[SEEP_CODE_SPANS];

/* Stacks that user space has: not sent again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u32);
} seep_sent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} seep_stacks SEC(".maps");

/* Keeps the record's type in the object's BTF, for the test of the contract. */
struct seep_stack *unused_record __attribute__((unused));

enum stack_event {
	STACK_SENT,
	STACK_RING_FULL,
	STACK_BAD, /* no byte of it could be read */
};
static __always_inline void count_stack(enum stack_event event);

#define COPY_TRIES 8 /* down to a chunk */
#define MAX_CHUNKS (SEEP_STACK_BYTES_MAX / SEEP_STACK_CHUNK)

#if defined(__TARGET_ARCH_x86)
static __always_inline void read_regs(const struct pt_regs *ctx, struct seep_regs *regs)
{
	regs->ip = ctx->ip;
	regs->sp = ctx->sp;
	regs->bp = ctx->bp;
	regs->saved[0] = ctx->bx;
	regs->saved[1] = ctx->r12;
	regs->saved[2] = ctx->r13;
	regs->saved[3] = ctx->r14;
	regs->saved[4] = ctx->r15;
}
#elif defined(__TARGET_ARCH_arm64)
static __always_inline void read_regs(const struct pt_regs *ctx, struct seep_regs *regs)
{
	int i;

	regs->ip = ctx->pc;
	regs->sp = ctx->sp;
	regs->bp = ctx->regs[29];
#pragma unroll
	for (i = 0; i < 10; i++)
		regs->saved[i] = ctx->regs[19 + i];
	regs->saved[10] = ctx->regs[30];
}
#endif

static __always_inline u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

static __always_inline bool is_in(const struct seep_span *span, u64 address)
{
	return address - span->lo < span->bytes;
}

static __always_inline bool is_code(u64 word)
{
	return is_in(&code_spans[0], word) || is_in(&code_spans[1], word);
}

/*
 * Two stacks are the same when the code addresses on them are: data in between (counters,
 * pointers) changes from call to call and says nothing of the path. All that would be copied is
 * looked at, so equal ids mean equal chains. Dead addresses below live frames only make more ids.
 * The id's last byte is how many chunks there were.
 *
 * A global function: verified once, not for each path that leads here.
 */
__noinline u64 hash_stack(u64 sp, u64 hash)
{
	u64 words[SEEP_STACK_CHUNK / 8], room = (main_stack_end - sp) / SEEP_STACK_CHUNK + 1;
	u32 i, j;

	for (i = 0; i < MAX_CHUNKS && i < stack_chunks && i < room; i++) {
		if (bpf_probe_read_user(words, sizeof(words), (void *)(sp + i * SEEP_STACK_CHUNK)))
			break;
		for (j = 0; j < SEEP_STACK_CHUNK / 8; j++)
			if (is_code(words[j]))
				hash = mix(hash, words[j]);
	}
	return (hash & ~0xffULL) | i;
}

static __always_inline u32 bytes_of(u64 stack_id)
{
	return (stack_id & 0xff) * SEEP_STACK_CHUNK;
}

static __always_inline u64 wakeup_flags(void)
{
	u64 avail = bpf_ringbuf_query(&seep_stacks, BPF_RB_AVAIL_DATA);
	u64 size = bpf_ringbuf_query(&seep_stacks, BPF_RB_RING_SIZE);

	return avail > size / 4 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/*
 * What lies above a thread's own stack is others' memory, which may go away after it was hashed:
 * then less is tried. Returns how much it was.
 */
static __always_inline u32 copy_stack(void *to, u64 bytes, u64 sp)
{
	int i;

	for (i = 0; i < COPY_TRIES; i++, bytes /= 2)
		if (!bpf_probe_read_user(to, bytes, (void *)sp))
			return bytes;
	return 0;
}

/* `cap` is a constant: the ring wants to know a record's size beforehand. */
static __always_inline bool send_record(const struct pt_regs *ctx, u32 kind, u64 stack_id,
					u64 bytes, const u32 cap)
{
	struct seep_stack *rec = bpf_ringbuf_reserve(&seep_stacks, sizeof(*rec) + cap, 0);
	u64 id = bpf_get_current_pid_tgid();

	if (!rec) {
		count_stack(STACK_RING_FULL);
		return false;
	}
	__builtin_memset(rec, 0, sizeof(*rec));
	rec->stack_id = stack_id;
	read_regs(ctx, &rec->regs);
	rec->tgid = id >> 32;
	rec->tid = id;
	rec->kind = kind;
	asm volatile("" : "+r"(bytes)); /* the verifier wants to see the bound here */
	if (bytes > cap)
		bytes = cap;
	rec->stack_bytes = copy_stack(rec + 1, bytes, rec->regs.sp);
	if (!rec->stack_bytes)
		count_stack(STACK_BAD);
	bpf_ringbuf_submit(rec, wakeup_flags());
	count_stack(STACK_SENT);
	return true;
}

static __always_inline bool send_stack(const struct pt_regs *ctx, u32 kind, u64 stack_id, u64 bytes)
{
	if (bytes <= 2048)
		return send_record(ctx, kind, stack_id, bytes, 2048);
	if (bytes <= 4096)
		return send_record(ctx, kind, stack_id, bytes, 4096);
	if (bytes <= 8192)
		return send_record(ctx, kind, stack_id, bytes, 8192);
	if (bytes <= 16384)
		return send_record(ctx, kind, stack_id, bytes, 16384);
	return send_record(ctx, kind, stack_id, bytes, SEEP_STACK_BYTES_MAX);
}

/* Name the stack, and send it if user space has not got it. `extra` tells stacks apart, too. */
static __always_inline u64 capture(struct pt_regs *ctx, u32 kind, u64 extra)
{
	u64 seed = mix(mix(kind, PT_REGS_IP(ctx)), extra);
	u64 stack_id = hash_stack(PT_REGS_SP(ctx), seed);
	u32 bytes = bytes_of(stack_id), one = 1;

	if (!bytes)
		count_stack(STACK_BAD);
	if (bpf_map_lookup_elem(&seep_sent, &stack_id))
		return stack_id;
	if (send_stack(ctx, kind, stack_id, bytes))
		bpf_map_update_elem(&seep_sent, &stack_id, &one, BPF_ANY);
	return stack_id;
}

#endif /* SEEP_STACK_BPF_H */
