/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cfi_libdw.c - our rules against libdw's, all over the files that programs here really map.
 *
 * libdw reads the same sections by code that is not ours. Where it knows how to go on, so must we,
 * and to the same place: then there is nothing that falling back to it could add.
 */
#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "sym/unwind_table.h"

#define ADDRESSES 20000 /* of each file */

#if defined(__x86_64__)
#define ADDRESS 16 /* of the return; a column of its own */
static const int registers[] = {3, 6, 12, 13, 14, 15, ADDRESS}; /* rbx rbp r12-r15 */
#else
#define ADDRESS -1
static const int registers[] = {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30};
#endif

/* A file, opened by both. */
struct file {
	const char *path;
	int fd;
	Elf *elf;
	Dwarf *dwarf;
	Dwarf_CFI *eh, *debug;
	struct elf_file *ours;
	struct unwind_table *table;
	unsigned rules; /* compared */
};

static int open_file(struct file *f, const char *path)
{
	memset(f, 0, sizeof(*f));
	f->path = path;
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	f->elf = elf_begin(f->fd, ELF_C_READ, NULL);
	assert_non_null(f->elf);
	f->eh = dwarf_getcfi_elf(f->elf);
	f->dwarf = dwarf_begin_elf(f->elf, DWARF_C_READ, NULL);
	f->debug = f->dwarf ? dwarf_getcfi(f->dwarf) : NULL;
	assert_int_equal(elf_file__open(path, &f->ours), 0);
	assert_int_equal(unwind_table__new(f->ours, &f->table), 0);
	return 0;
}

static void close_file(struct file *f)
{
	unwind_table__free(f->table);
	elf_file__close(f->ours);
	dwarf_cfi_end(f->eh);
	dwarf_end(f->dwarf);
	elf_end(f->elf);
	close(f->fd);
}

static int frame_at(const struct file *f, uint64_t vaddr, Dwarf_Frame **ret_frame)
{
	if (f->eh && !dwarf_cfi_addrframe(f->eh, vaddr, ret_frame))
		return 0;
	return f->debug ? dwarf_cfi_addrframe(f->debug, vaddr, ret_frame) : -1;
}

static void expect_cfa(const struct file *f, uint64_t vaddr, Dwarf_Frame *frame,
		       const struct cfi_rule *rule)
{
	Dwarf_Op *ops;
	uint8_t slot;
	size_t cnt;

	assert_int_equal(dwarf_frame_cfa(frame, &ops, &cnt), 0);
	if (cnt != 1 || ops[0].atom != DW_OP_bregx) {
		assert_int_equal(rule->cfa.how, CFI_VAL_EXPRESSION);
		return;
	}
	slot = cfi__slot(elf_file__machine(f->ours), ops[0].number);
	if (slot == SLOT_NONE) { /* setcontext: by a register that no call preserves */
		assert_int_not_equal(rule->cfa.how, CFI_IN_SLOT);
		return;
	}
	if (rule->cfa.how != CFI_IN_SLOT || rule->cfa_slot != slot ||
	    rule->cfa.arg != (int64_t)ops[0].number2)
		fail_msg("%s, 0x%lx: the frame is at another place", f->path, vaddr);
}

static void expect_place(const struct file *f, uint64_t vaddr, Dwarf_Frame *frame,
			 const struct cfi_rule *rule, int reg)
{
	const struct cfi_place *place = &rule->slots[cfi__slot(elf_file__machine(f->ours), reg)];
	Dwarf_Op mem[3], *ops;
	int64_t offset;
	size_t cnt;

	assert_int_equal(dwarf_frame_register(frame, reg, mem, &ops, &cnt), 0);
	if (!cnt) {
		/* what is not mentioned is undefined to libdw; the ABI has callees save it */
		if (place->how != CFI_UNDEFINED && (place->how != CFI_SAME || reg == ADDRESS))
			fail_msg("%s, 0x%lx: register %d is known", f->path, vaddr, reg);
		return;
	}
	if (ops[0].atom != DW_OP_call_frame_cfa || cnt > 2 ||
	    (cnt == 2 && ops[1].atom != DW_OP_plus_uconst))
		return; /* expressions and registers in registers: rare, tested by hand */
	offset = cnt == 2 ? (int64_t)ops[1].number : 0;
	if (place->how != CFI_AT_CFA || place->arg != offset)
		fail_msg("%s, 0x%lx: register %d is at another place", f->path, vaddr, reg);
}

static void compare_at(struct file *f, uint64_t vaddr)
{
	const struct cfi_rule *rule;
	Dwarf_Frame *frame;
	Dwarf_Addr start, end;
	bool is_signal;
	size_t i;

	if (frame_at(f, vaddr, &frame))
		return;
	rule = unwind_table__rule(f->table, vaddr);
	if (!rule)
		fail_msg("%s, 0x%lx: libdw has a rule, we have none", f->path, vaddr);
	f->rules++;
	dwarf_frame_info(frame, &start, &end, &is_signal);
	assert_int_equal(rule->is_signal, is_signal);
	expect_cfa(f, vaddr, frame, rule);
	for (i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		expect_place(f, vaddr, frame, rule, registers[i]);
	free(frame);
}

static void compare_segment(struct file *f, const Elf64_Phdr *segment)
{
	uint64_t i;

	for (i = 0; i < ADDRESSES; i++)
		compare_at(f, segment->p_vaddr + i * segment->p_memsz / ADDRESSES);
}

static void compare_file(const char *path)
{
	Elf64_Phdr *segments;
	struct file f;
	size_t cnt, i;

	if (open_file(&f, path))
		return;
	segments = elf64_getphdr(f.elf);
	assert_int_equal(elf_getphdrnum(f.elf, &cnt), 0);
	for (i = 0; i < cnt; i++) {
		if (segments[i].p_type == PT_LOAD && segments[i].p_flags & PF_X)
			compare_segment(&f, &segments[i]);
	}
	printf("%s: %u rules compared\n", path, f.rules);
	assert_true(f.rules > 0);
	close_file(&f);
}

static void test_system_files(void **state)
{
	static const char *const paths[] = {
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/lib64/ld-linux-x86-64.so.2",
		"/lib/aarch64-linux-gnu/libc.so.6",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/bin/python3",
		"/usr/bin/bash",
		"/usr/bin/redis-server",
		"/proc/self/exe",
	};
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		compare_file(paths[i]);
}

/* Without .eh_frame: what -fno-asynchronous-unwind-tables leaves is in .debug_frame. */
static void test_debug_frame(void **state)
{
	char path[] = "/tmp/seep-cfi-XXXXXX", command[256];
	int fd = mkstemp(path), i;

	assert_true(fd >= 0);
	close(fd);
	for (i = 3; i <= 5; i++) {
		snprintf(command, sizeof(command),
			 "echo 'int g(char *); int f(int n) { char a[n]; return n ? g(a) + f(n - "
			 "1) : 0; "
			 "}' | cc -gdwarf-%d -O2 -fPIC -shared -fno-asynchronous-unwind-tables "
			 "-fno-unwind-tables -x c - -o %s 2>/dev/null",
			 i, path);
		if (system(command)) {
			unlink(path);
			skip();
		}
		compare_file(path);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_files),
		cmocka_unit_test(test_debug_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
