/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.c - the walk up a copied stack.
 *
 * Each step finds the rule for the current address and computes the caller's registers from it.
 * Code without rules is JIT output, assembly, or a library built without unwind tables: there the
 * function's first instructions and the frame pointer are tried, and believed only if they lead
 * to code. Probes hit at a function's entry, so a first frame without rules has its return address
 * on top of the stack (x86-64) or in lr.
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

/* Does a call stand before this address? Of code that is in no file nothing is known: 1. */
static int follows_call(const struct walk *w, uint64_t ip)
{
	struct unwind_module module;
	const uint8_t *code;
	uint64_t offset;

	if (!ip || find_module(w, ip, 1, &module))
		return 0;
	if (!module.elf || elf_file__machine(module.elf) != EM_X86_64)
		return 1;
	if (elf_file__vaddr_to_offset(module.elf, ip - 8 - module.bias, &offset))
		return 0;
	code = elf_file__bytes(module.elf, offset, 8);
	return code && prologue__ends_in_call(code, 8);
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

/* From its first byte up to the address of the walk. */
static const uint8_t *function_code(const struct walk *w, size_t *ret_len)
{
	struct elf_file *elf = w->module.elf;
	uint64_t vaddr = w->slots[SLOT_IP] - w->module.bias, offset;
	struct elf_symbol function;

	if (!elf || elf_file__machine(elf) != EM_X86_64 ||
	    elf_file__function_at(elf, vaddr - !!w->is_return, &function) ||
	    vaddr - function.vaddr > PROLOGUE_MAX_BYTES ||
	    elf_file__vaddr_to_offset(elf, function.vaddr, &offset))
		return NULL;
	*ret_len = vaddr - function.vaddr;
	return elf_file__bytes(elf, offset, *ret_len);
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

static int step_by_prologue(struct walk *w)
{
	struct prologue p;
	const uint8_t *code;
	uint64_t cfa, ip;
	size_t len;

	code = function_code(w, &len);
	if (!code || prologue__read(code, len, &p))
		return UNWIND_NO_TABLE;
	cfa = w->slots[SLOT_SP] + p.depth_bytes + 8;
	if (read_stack(w, cfa - 8, 8, &ip))
		return UNWIND_NO_STACK;
	if (!follows_call(w, ip))
		return UNWIND_NO_TABLE;
	restore_pushed(w, &p, cfa);
	w->slots[SLOT_IP] = ip;
	w->slots[SLOT_SP] = cfa;
	w->is_return = 1;
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
	int end = UNWIND_NO_TABLE;

	if (!w->module.is_jit)
		end = step_by_prologue(w);
	if (end != STEP_ON && w->is_first && !w->module.is_jit)
		end = step_from_entry(w);
	return end == STEP_ON ? end : step_by_frame_pointer(w);
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
