/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * demangle.c - libiberty's demanglers, fenced in.
 *
 * A few hundred mangled bytes can stand for more text than memory holds, so output is taken
 * through a callback that jumps out when there is enough; libiberty keeps its state on the stack
 * then, nothing leaks. Parameter lists are left out: what counts is which function it is.
 */
#include <setjmp.h>
#include <string.h>
#include <libiberty/demangle.h>

#include "demangle.h"

#define MANGLED_MAX 2048

struct output {
	char *text;
	size_t len, cap;
	jmp_buf full;
};

static void append(const char *part, size_t len, void *opaque)
{
	struct output *out = opaque;
	size_t room = out->cap - 1 - out->len;
	int is_full = len > room;

	if (!len) /* then part is NULL at times */
		return;
	if (is_full)
		len = room;
	memcpy(out->text + out->len, part, len);
	out->len += len;
	out->text[out->len] = '\0';
	if (is_full)
		longjmp(out->full, 1);
}

typedef int (*demangle_fn)(const char *mangled, int options, demangle_callbackref callback,
			   void *opaque);

static int run(demangle_fn fn, const char *name, char *ret_name, size_t cap)
{
	struct output out = {.text = ret_name, .cap = cap};

	if (setjmp(out.full))
		return 1;
	return fn(name, DMGL_NO_OPTS, append, &out) && out.len;
}

int demangle(const char *name, char *ret_name, size_t cap)
{
	if (!cap || name[0] != '_' || (name[1] != 'Z' && name[1] != 'R') ||
	    strnlen(name, MANGLED_MAX) == MANGLED_MAX)
		return 0;
	/* old Rust names are valid C++ ones: they must be asked first */
	return run(rust_demangle_callback, name, ret_name, cap) ||
	       run(cplus_demangle_v3_callback, name, ret_name, cap);
}
