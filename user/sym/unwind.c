/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.c - the walk up a copied stack.
 *
 * Each step finds the rule for the current address and computes the caller's registers from it.
 * Code without rules is JIT output, assembly, or a library built without unwind tables: there the
 * function's first instructions and the frame pointer are tried, and believed only if they lead
 * to code. Where no symbol says where the function begins, the call in its caller does: the one
 * whose return address lies exactly where the function's first instructions must have left it.
 * Probes hit at a function's entry, so a first frame without rules has its return address on top
 * of the stack (x86-64) or in lr.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "expression.h"
#include "prologue.h"
#include "unwind.h"
#include "unwind_table.h"

#define PROLOGUE_MAX_BYTES 4096
#define TRAMPOLINE_ALIGN   4096
#define CALL_BYTES	   8	/* in front of a return address, to recognise the call by */
#define SCAN_BYTES	   4096 /* of stack, for a caller that nothing points to */
#define SIGRETURN_BYTES	   9
#define UCONTEXT_REGS	   40	/* of a ucontext: r8 and the others, as the kernel orders them */
#define ARM64_ADDRESS_MASK ((1ULL << 48) - 1) /* what pointer authentication leaves of an address */

#if defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#else
#define NATIVE_MACHINE EM_X86_64
#endif

struct walk {
	uint64_t slots[SLOT_CNT];
	uint32_t known; /* bit n: slots[n] holds a value */
	const unsigned char *stack;
	uint64_t stack_start, stack_end;
	unwind_find_fn find;
	void *ctx;
	struct unwind_module module; /* of the current address */
	int is_return; /* the current address is a return address */
	int is_first;
};

/* What a step says beyond an enum unwind_end. */
#define STEP_ON (-1)

const char *unwind__end_name(enum unwind_end end)
{
	static const char *const names[] = {
		[UNWIND_OUTERMOST] = "outermost frame",
		[UNWIND_NO_STACK] = "stack copy too short",
		[UNWIND_NO_TABLE] = "code without unwind information",
		[UNWIND_NO_MAP] = "address not mapped",
		[UNWIND_BAD_RULE] = "unusable unwind information",
		[UNWIND_TOO_DEEP] = "too many frames",
		[UNWIND_LOOP] = "stack does not grow",
		[UNWIND_TRAMPOLINE] = "return address taken by a return probe",
	};

	return (size_t)end < sizeof(names) / sizeof(names[0]) ? names[end] : "?";
}

static int is_known(const struct walk *w, unsigned slot)
{
	return slot < SLOT_CNT && w->known >> slot & 1;
}

static int read_stack(const struct walk *w, uint64_t address, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (address < w->stack_start || address > w->stack_end || len > w->stack_end - address)
		return -EFAULT;
	memcpy(&value, w->stack + (address - w->stack_start), len);
	*ret_value = value;
	return 0;
}

/*
 * Whose code an address is: of a return address the call's, which is the byte before. The kernel's
 * trampoline for return probes is the exception: it begins a page and was never called.
 */
static int find_module(const struct walk *w, uint64_t ip, int is_return,
		       struct unwind_module *ret_module)
{
	memset(ret_module, 0, sizeof(*ret_module));
	if (is_return && !(ip % TRAMPOLINE_ALIGN)) {
		if (!w->find(w->ctx, ip, ret_module) && ret_module->is_trampoline)
			return 0;
		memset(ret_module, 0, sizeof(*ret_module));
	}
	return w->find(w->ctx, ip - !!is_return, ret_module);
}

/* The bytes of a file's code at an address; NULL: not an x86-64 file, or not all inside it. */
static const uint8_t *code_at(const struct unwind_module *module, uint64_t address, size_t len)
{
	uint64_t offset;

	if (!module->elf || elf_file__machine(module->elf) != EM_X86_64 ||
	    elf_file__vaddr_to_offset(module->elf, address - module->bias, &offset))
		return NULL;
	return elf_file__bytes(module->elf, offset, len);
}

/* Does a call stand before this address? Of code that is in no file nothing is known: 1. */
static int follows_call(const struct walk *w, uint64_t ip)
{
	struct unwind_module module;
	const uint8_t *code;

	if (!ip || find_module(w, ip, 1, &module))
		return 0;
	if (!module.elf || elf_file__machine(module.elf) != EM_X86_64)
		return 1;
	code = code_at(&module, ip - CALL_BYTES, CALL_BYTES);
	return code && prologue__ends_in_call(code, CALL_BYTES);
}

/* ---- a step by rule ---- */

static int read_slot(void *ctx, uint64_t dwarf_register, uint64_t *ret_value)
{
	const struct walk *w = ctx;
	uint8_t slot = cfi__slot(unwind_table__machine(w->module.table), dwarf_register);

	if (!is_known(w, slot))
		return -EINVAL;
	*ret_value = w->slots[slot];
	return 0;
}

static int read_memory(void *ctx, uint64_t address, size_t len, uint64_t *ret_value)
{
	return read_stack(ctx, address, len, ret_value);
}

static int evaluate(struct walk *w, int32_t n, const uint64_t *cfa, uint64_t *ret_value)
{
	const struct expression_env env = {w, read_slot, read_memory};
	const void *bytes;
	size_t len;

	bytes = unwind_table__expression(w->module.table, n, &len);
	return bytes ? expression__eval(bytes, len, &env, cfa, ret_value) : -EINVAL;
}

static int find_cfa(struct walk *w, const struct cfi_rule *rule, uint64_t *ret_cfa)
{
	if (rule->cfa.how == CFI_VAL_EXPRESSION)
		return evaluate(w, rule->cfa.arg, NULL, ret_cfa);
	if (rule->cfa.how != CFI_IN_SLOT || !is_known(w, rule->cfa_slot))
		return -EINVAL;
	*ret_cfa = w->slots[rule->cfa_slot] + rule->cfa.arg;
	return 0;
}

/*
 * A register's place in memory. Below the stack pointer it has been popped already, in an epilogue
 * that the compiler did not describe: the register itself holds the value.
 */
static int read_saved(const struct walk *w, unsigned slot, uint64_t address, uint64_t *ret_value)
{
	if (address < w->slots[SLOT_SP] && slot != SLOT_IP && is_known(w, slot)) {
		*ret_value = w->slots[slot];
		return 0;
	}
	return read_stack(w, address, 8, ret_value);
}

/* The caller's value of one register. 0 or -errno: not known. */
static int find_place(struct walk *w, const struct cfi_place *place, unsigned slot, uint64_t cfa,
		      uint64_t *ret_value)
{
	uint64_t address;
	int err;

	switch (place->how) {
	case CFI_SAME:
		*ret_value = w->slots[slot];
		return is_known(w, slot) ? 0 : -ENOENT;
	case CFI_AT_CFA:
		return read_saved(w, slot, cfa + place->arg, ret_value);
	case CFI_CFA_PLUS:
		*ret_value = cfa + place->arg;
		return 0;
	case CFI_IN_SLOT:
		*ret_value = is_known(w, place->arg) ? w->slots[place->arg] : 0;
		return is_known(w, place->arg) ? 0 : -ENOENT;
	case CFI_EXPRESSION:
		err = evaluate(w, place->arg, &cfa, &address);
		return err ? err : read_stack(w, address, 8, ret_value);
	case CFI_VAL_EXPRESSION:
		return evaluate(w, place->arg, &cfa, ret_value);
	default:
		return -ENOENT;
	}
}

/* The caller's registers; 0 or -errno of the return address. */
static int restore_slots(struct walk *w, const struct cfi_rule *rule, uint64_t cfa)
{
	uint64_t slots[SLOT_CNT] = {}, value;
	uint32_t known = 0;
	int err, ra_err = -ENOENT;
	unsigned i;

	for (i = 0; i < SLOT_CNT; i++) {
		err = find_place(w, &rule->slots[i], i, cfa, &value);
		if (i == rule->ra_slot)
			ra_err = err;
		if (err)
			continue;
		slots[i] = value;
		known |= 1u << i;
	}
	if (rule->slots[SLOT_SP].how == CFI_SAME) {
		slots[SLOT_SP] = cfa;
		known |= 1u << SLOT_SP;
	}
	if (ra_err)
		return ra_err;
	/* a signal frame of arm64 has the interrupted address beside lr */
	if (rule->slots[SLOT_IP].how == CFI_SAME || !(known >> SLOT_IP & 1))
		slots[SLOT_IP] = slots[rule->ra_slot];
	if (rule->ra_is_signed)
		slots[SLOT_IP] &= ARM64_ADDRESS_MASK;
	memcpy(w->slots, slots, sizeof(slots));
	w->known = known | 1u << SLOT_IP;
	return 0;
}

static int is_outermost(const struct cfi_rule *rule)
{
	return rule->slots[rule->ra_slot].how == CFI_UNDEFINED;
}

/* The return address was never saved: fine in lr of a function that has called nothing yet. */
static int is_unsaved(const struct walk *w, const struct cfi_rule *rule)
{
	return rule->slots[rule->ra_slot].how == CFI_SAME &&
	       (rule->ra_slot == SLOT_IP || w->is_return);
}

static int step_by_rule(struct walk *w, const struct cfi_rule *rule)
{
	uint64_t old_sp = w->slots[SLOT_SP], cfa;
	int err;

	if (is_outermost(rule))
		return UNWIND_OUTERMOST;
	if (is_unsaved(w, rule))
		return UNWIND_BAD_RULE;
	err = find_cfa(w, rule, &cfa);
	if (!err)
		err = restore_slots(w, rule, cfa);
	if (err)
		return err == -EFAULT ? UNWIND_NO_STACK : UNWIND_BAD_RULE;
	if (!w->slots[SLOT_IP])
		return UNWIND_OUTERMOST;
	/* only an interrupted function may lie lower, on another stack */
	if (!rule->is_signal && (!is_known(w, SLOT_SP) || w->slots[SLOT_SP] < old_sp ||
				 (w->slots[SLOT_SP] == old_sp && w->is_return)))
		return UNWIND_LOOP;
	w->is_return = !rule->is_signal;
	return STEP_ON;
}

/* ---- a step without one ---- */

/* Both ABIs: [fp] is the caller's fp, behind it lies the return address. */
static int step_by_frame_pointer(struct walk *w)
{
	uint64_t fp = w->slots[SLOT_BP], caller_fp, ip;

	if (!is_known(w, SLOT_BP))
		return UNWIND_NO_TABLE;
	/* both ABIs mark the outermost frame so; but code that keeps no frame pointer may hold any
	 * value there, also 0 */
	if (!fp)
		return w->module.is_jit ? UNWIND_OUTERMOST : UNWIND_NO_TABLE;
	if (fp < w->slots[SLOT_SP] || read_stack(w, fp, 8, &caller_fp) ||
	    read_stack(w, fp + 8, 8, &ip))
		return UNWIND_NO_TABLE;
	if (!ip)
		return UNWIND_OUTERMOST;
	if (!follows_call(w, ip))
		return UNWIND_NO_TABLE;
	w->slots[SLOT_IP] = ip;
	w->slots[SLOT_SP] = fp + 16;
	w->slots[SLOT_BP] = caller_fp;
	w->is_return = 1;
	return STEP_ON;
}

/* The function's code from its first byte up to the address of the walk, and what it has done. */
static int read_prologue(const struct walk *w, uint64_t start, struct prologue *ret_prologue)
{
	uint64_t len = w->slots[SLOT_IP] - start;
	const uint8_t *code;

	if (len > PROLOGUE_MAX_BYTES)
		return -ENOENT;
	code = code_at(&w->module, start, len);
	return code ? prologue__read(code, len, ret_prologue) : -ENOENT;
}

static void restore_pushed(struct walk *w, const struct prologue *p, uint64_t cfa)
{
	uint64_t value;
	unsigned i;

	for (i = 0; i < SLOT_CNT; i++) {
		if (p->saved[i] && !read_stack(w, cfa - p->saved[i], 8, &value))
			w->slots[i] = value;
	}
}

/* Return to `ip`, which was pushed right below the CFA. */
static int go_to_caller(struct walk *w, const struct prologue *p, uint64_t cfa, uint64_t ip)
{
	restore_pushed(w, p, cfa);
	w->slots[SLOT_IP] = ip;
	w->slots[SLOT_SP] = cfa;
	w->is_return = 1;
	return STEP_ON;
}

static int step_by_prologue(struct walk *w)
{
	uint64_t vaddr = w->slots[SLOT_IP] - !!w->is_return - w->module.bias, cfa, ip;
	struct elf_symbol function;
	struct prologue p;

	if (!w->module.elf || elf_file__function_at(w->module.elf, vaddr, &function) ||
	    read_prologue(w, function.vaddr + w->module.bias, &p))
		return UNWIND_NO_TABLE;
	cfa = w->slots[SLOT_SP] + p.depth_bytes + 8;
	if (read_stack(w, cfa - 8, 8, &ip))
		return UNWIND_NO_STACK;
	return follows_call(w, ip) ? go_to_caller(w, &p, cfa, ip) : UNWIND_NO_TABLE;
}

/* Is the word at `at` the return address of a call that led to where we are? */
static int step_by_call_at(struct walk *w, uint64_t at, uint64_t ip)
{
	const uint8_t *code = code_at(&w->module, ip - CALL_BYTES, CALL_BYTES);
	struct prologue p;
	uint64_t start;

	if (!code)
		return UNWIND_NO_TABLE;
	if (prologue__is_thread_start(code, CALL_BYTES))
		return UNWIND_OUTERMOST;
	if (prologue__call_target(code, CALL_BYTES, ip, &start) || read_prologue(w, start, &p) ||
	    w->slots[SLOT_SP] + p.depth_bytes != at)
		return UNWIND_NO_TABLE;
	return go_to_caller(w, &p, at + 8, ip);
}

/* Only within one file: functions without a symbol are called by their neighbours. */
static int step_by_scan(struct walk *w)
{
	uint64_t at = w->slots[SLOT_SP], end = at + SCAN_BYTES, ip;
	struct unwind_module module;
	int step = UNWIND_NO_TABLE;

	for (; at < end && !read_stack(w, at, 8, &ip) && step == UNWIND_NO_TABLE; at += 8) {
		if (!ip || find_module(w, ip, 1, &module) || module.elf != w->module.elf ||
		    !module.elf || module.bias != w->module.bias)
			continue;
		step = step_by_call_at(w, at, ip);
	}
	return step;
}

/* A signal handler returned to: what was interrupted lies on the stack. Only C libraries without
 * unwind information need this. */
static int step_by_signal_return(struct walk *w)
{
	static const struct {
		unsigned slot, word;
	} places[] = {{SLOT_IP, 16}, {SLOT_SP, 15}, {SLOT_BP, 10}, {SLOT_SAVED, 11},
		      {SLOT_SAVED + 1, 4}, {SLOT_SAVED + 2, 5}, {SLOT_SAVED + 3, 6},
		      {SLOT_SAVED + 4, 7}};
	const uint8_t *code = code_at(&w->module, w->slots[SLOT_IP], SIGRETURN_BYTES);
	uint64_t regs = w->slots[SLOT_SP] + UCONTEXT_REGS, values[SLOT_CNT];
	size_t i, cnt = sizeof(places) / sizeof(places[0]);

	if (!code || !prologue__is_signal_return(code, SIGRETURN_BYTES))
		return UNWIND_NO_TABLE;
	for (i = 0; i < cnt; i++) {
		if (read_stack(w, regs + 8 * places[i].word, 8, &values[i]))
			return UNWIND_NO_STACK;
	}
	for (i = 0; i < cnt; i++)
		w->slots[places[i].slot] = values[i];
	w->is_return = 0;
	return STEP_ON;
}

static int step_from_entry(struct walk *w)
{
	uint64_t sp = w->slots[SLOT_SP], ip;

	if (NATIVE_MACHINE == EM_AARCH64) {
		ip = w->slots[SLOT_SAVED + 10] & ARM64_ADDRESS_MASK;
	} else {
		if (read_stack(w, sp, 8, &ip))
			return UNWIND_NO_STACK;
		sp += 8;
	}
	if (!follows_call(w, ip))
		return UNWIND_NO_TABLE;
	w->slots[SLOT_IP] = ip;
	w->slots[SLOT_SP] = sp;
	w->is_return = 1;
	return STEP_ON;
}

static int step_without_rule(struct walk *w)
{
	static int (*const steps[])(struct walk *) = {step_by_signal_return, step_by_prologue,
						      step_from_entry, step_by_scan};
	int end = UNWIND_NO_TABLE;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]) && !w->module.is_jit; i++) {
		if (steps[i] == step_from_entry && !w->is_first)
			continue;
		end = steps[i](w);
		if (end == STEP_ON || end == UNWIND_OUTERMOST)
			return end;
	}
	return step_by_frame_pointer(w);
}

/* ---- the walk ---- */

/* Find the module of the current address, and the rule there. */
static int locate(struct walk *w, const struct cfi_rule **ret_rule)
{
	uint64_t address = w->slots[SLOT_IP] - (w->is_return ? 1 : 0);

	if (find_module(w, w->slots[SLOT_IP], w->is_return, &w->module))
		return -ENOENT;
	*ret_rule = w->module.table && !w->module.is_jit ?
			    unwind_table__rule(w->module.table, address - w->module.bias) : NULL;
	return 0;
}

static void begin(struct walk *w, const struct seep_regs *regs)
{
	w->slots[SLOT_IP] = regs->ip;
	w->slots[SLOT_SP] = regs->sp;
	w->slots[SLOT_BP] = regs->bp;
	memcpy(w->slots + SLOT_SAVED, regs->saved, sizeof(regs->saved));
	w->known = (1u << SLOT_CNT) - 1;
	w->is_first = 1;
}

int unwind__walk(const struct seep_regs *regs, const void *stack, size_t stack_bytes,
		 unwind_find_fn find, void *ctx, uint64_t *ips, int cap, enum unwind_end *ret_end)
{
	struct walk w = {.stack = stack, .stack_start = regs->sp, .find = find, .ctx = ctx};
	const struct cfi_rule *rule;
	int cnt = 0, end = STEP_ON;

	if (__builtin_add_overflow(regs->sp, stack_bytes, &w.stack_end))
		w.stack_end = w.stack_start;
	begin(&w, regs);
	while (end == STEP_ON) {
		if (cnt == cap) {
			end = UNWIND_TOO_DEEP;
			break;
		}
		if (locate(&w, &rule)) {
			end = UNWIND_NO_MAP;
			if (w.is_first && cap)
				ips[cnt++] = w.slots[SLOT_IP];
			break;
		}
		if (w.module.is_trampoline) {
			end = UNWIND_TRAMPOLINE;
			break;
		}
		ips[cnt++] = w.slots[SLOT_IP];
		end = rule ? step_by_rule(&w, rule) : step_without_rule(&w);
		w.is_first = 0;
	}
	*ret_end = end;
	return cnt;
}
