/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * demangle.c - libiberty's demanglers, fenced in.
 *
 * A few hundred mangled bytes can stand for more text than memory holds, so output is taken
 * through a callback that jumps out when there is enough; libiberty keeps its state on the stack
 * then, nothing leaks. Only while it prints a Rust identifier that is not ASCII it holds memory: such
 * a name is let run to its end, and taken only if that is near. Parameter lists are left out: what
 * counts is which function it is.
 */
#include <ctype.h>
#include <setjmp.h>
#include <string.h>
#include <libiberty/demangle.h>

#include "demangle.h"

#define MANGLED_MAX 2048

struct output {
	char *text;
	size_t len, cap;
	int runs_on; /* when it is full */
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
	if (is_full && !out->runs_on)
		longjmp(out->full, 1);
}

typedef int (*demangle_fn)(const char *mangled, int options, demangle_callbackref callback,
			   void *opaque);

/* Perhaps one that is not ASCII: "u" stands before its length. */
static int has_punycode(const char *name)
{
	const char *u = name;

	if (name[1] != 'R')
		return 0;
	while ((u = strchr(u + 1, 'u')))
		if (isdigit((unsigned char)u[1]))
			return 1;
	return 0;
}

/* Back references and binders make more of a name than it has bytes. */
static int may_explode(const char *name)
{
	return !!strpbrk(name, "BG");
}

static int run(demangle_fn fn, const char *name, char *ret_name, size_t cap)
{
	struct output out = {.text = ret_name, .cap = cap, .runs_on = has_punycode(name)};

	if (setjmp(out.full))
		return 1;
	return fn(name, DMGL_NO_OPTS, append, &out) && out.len;
}

int demangle(const char *name, char *ret_name, size_t cap)
{
	if (!cap || name[0] != '_' || (name[1] != 'Z' && name[1] != 'R') ||
	    strnlen(name, MANGLED_MAX) == MANGLED_MAX)
		return 0;
	if (has_punycode(name) && may_explode(name))
		return 0;
	/* old Rust names are valid C++ ones: they must be asked first */
	return run(rust_demangle_callback, name, ret_name, cap) ||
	       run(cplus_demangle_v3_callback, name, ret_name, cap);
}
