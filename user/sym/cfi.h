/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi.h - call frame information: the programs in .eh_frame and .debug_frame, run to rows.
 *
 * Scan the sections of a file, sort, then run each function's program; it reports one rule per
 * address range. Registers that no caller needs are left out.
 */
#ifndef SEEP_SYM_CFI_H
#define SEEP_SYM_CFI_H

#include <stddef.h>
#include <stdint.h>

/* The registers that are followed through a stack; SLOT_SAVED + i is seep_regs.saved[i]. */
enum cfi_slot {
	SLOT_IP,
	SLOT_SP,
	SLOT_BP,
	SLOT_SAVED,
	SLOT_CNT = SLOT_SAVED + 11,
	SLOT_NONE = 0xff,
};

/* Where the caller's value of a register is. */
enum cfi_how {
	CFI_SAME,
	CFI_UNDEFINED,
	CFI_AT_CFA,	   /* in memory at CFA + arg */
	CFI_CFA_PLUS,	   /* CFA + arg */
	CFI_IN_SLOT,	   /* in register `arg` */
	CFI_EXPRESSION,	   /* in memory at the value of expression `arg` */
	CFI_VAL_EXPRESSION, /* the value of expression `arg` */
	CFI_UNKNOWN,	   /* something we do not follow */
};

struct cfi_place {
	uint32_t how; /* enum cfi_how */
	int32_t arg;
};

/* How to get from a frame to its caller's. No padding: compared and hashed as bytes. */
struct cfi_rule {
	struct cfi_place cfa; /* CFI_IN_SLOT: cfa_slot + arg; or CFI_VAL_EXPRESSION */
	uint8_t cfa_slot;
	uint8_t ra_slot;      /* whose caller's value is the return address */
	uint8_t is_signal;    /* the frame was interrupted: its address is not a return address */
	uint8_t ra_is_signed; /* arm64 pointer authentication */
	struct cfi_place slots[SLOT_CNT];
};

/* The slot of a register's DWARF number, SLOT_NONE if it is not followed. */
uint8_t cfi__slot(uint16_t machine, uint64_t reg);

struct cfi;

struct cfi_sink {
	void *ctx;
	/* The rule holds from vaddr to the next row; NULL: nothing is known. 0 or -errno: stop. */
	int (*row)(void *ctx, uint64_t vaddr, const struct cfi_rule *rule);
	/* Keep a DWARF expression; returns the number to put into the rule, or -errno. */
	int (*expression)(void *ctx, const void *bytes, size_t len);
};

/* machine: EM_X86_64 or EM_AARCH64. NULL: out of memory or another machine. */
struct cfi *cfi__new(uint16_t machine, const struct cfi_sink *sink);
void cfi__free(struct cfi *c);

/* Collect the functions of a section, which must stay readable. 0; -EINVAL: garbled in part. */
int cfi__scan(struct cfi *c, const void *section, size_t len, uint64_t vaddr, int is_debug_frame);
/* Run every function's program, in address order. 0; -EINVAL: garbled in part; -ENOMEM, -E2BIG. */
int cfi__run(struct cfi *c);

#endif /* SEEP_SYM_CFI_H */
