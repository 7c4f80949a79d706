/* SPDX-License-Identifier: BSD-2-Clause */
/* frame.h - one line of a call stack, as people read it. Plain data; strings are the symbolizer's. */
#ifndef SEEP_SYM_FRAME_H
#define SEEP_SYM_FRAME_H

#include <stdint.h>

enum frame_kind {
	FRAME_NATIVE,
	FRAME_PYTHON,
	FRAME_NODE,
	FRAME_GO,
	FRAME_JAVA,
	FRAME_KERNEL,
};

struct frame {
	uint64_t address;     /* in the target, as unwound */
	uint64_t offset;      /* from the start of the function, 0 for inlined frames; without a
			       * function the address in the module's file, as addr2line takes it */
	const char *function; /* demangled; NULL = unknown */
	const char *file;     /* source file as the debug information names it; NULL = unknown */
	uint32_t line;        /* 0 = unknown */
	int inlined;          /* 1: inlined into the frame that follows */
	enum frame_kind kind;
	const char *module;   /* path of the mapped file, "[vdso]", "[jit]"; NULL = unknown */
	const char *build_id; /* hex, NULL = none */
};

#endif /* SEEP_SYM_FRAME_H */
