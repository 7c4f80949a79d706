/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_elf_file.c - real ELF files, stripped ones, and damaged ones.
 *
 * The damaged ones are made of the kernel's vdso (small, with symbols, notes and unwind tables)
 * and of a library that the compiler builds here; reading them may fail, nothing else.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "sym/debug_file.h"
#include "sym/elf_file.h"
#include "sym/lines.h"
#include "sym/unwind.h"

#define LINES_MAX (64u << 20)

static char dir[] = "/tmp/seep-elf-XXXXXX";
static int has_tools;

static const char source[] =
	"#include <stdlib.h>\\n"
	"static inline __attribute__((always_inline)) void *inner(int n) { return malloc(n); }\\n"
	"static __attribute__((noinline)) void *hidden(int n)\\n"
	"{ void *p = inner(n + 7); __asm__ volatile(\"\" ::: \"memory\"); return p; }\\n"
	"void *shown(int n) { int *p = hidden(n); *p = n; return p; }\\n";

/* Runs in the directory of the test; fails the test if it does not succeed. */
static void run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;
	int n;

	n = snprintf(command, sizeof(command), "cd %s && ", dir);
	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - n, fmt, ap);
	va_end(ap);
	if (system(command))
		fail_msg("failed: %s", command);
}

static void path_of(const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", dir, name);
}

static struct elf_file *open_elf(const char *path)
{
	struct elf_file *e;

	assert_int_equal(elf_file__open(path, &e), 0);
	return e;
}

static struct elf_file *open_here(const char *name)
{
	char path[128];

	path_of(name, path);
	return open_elf(path);
}

/* lib.so; debug.so: its debug information; bare.so: all of that taken away */
static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	has_tools = !system("command -v cc objcopy strip xz nm >/dev/null 2>&1");
	if (!has_tools)
		return 0;
	run("printf '%s' > lib.c", source);
	run("cc -g -O2 -fPIC -shared -Wl,--build-id lib.c -o lib.so");
	run("objcopy --only-keep-debug lib.so debug.so");
	run("strip lib.so -o bare.so");
	return 0;
}

static int teardown(void **state)
{
	run("cd / && rm -rf %s", dir);
	return 0;
}

/* ---- files as they are ---- */

static int first_object(struct dl_phdr_info *info, size_t size, void *data)
{
	*(uint64_t *)data = info->dlpi_addr;
	return 1;
}

static void test_own_program(void **state)
{
	struct elf_file *e = open_elf("/proc/self/exe");
	uint64_t bias = 0, offset, vaddr;
	struct elf_symbol symbol, same;

	dl_iterate_phdr(first_object, &bias);
	assert_int_equal(elf_file__find_function(e, "test_own_program", &symbol), 0);
	assert_int_equal(symbol.vaddr + bias, (uint64_t)test_own_program);
	assert_int_equal(elf_file__function_at(e, symbol.vaddr + symbol.size - 1, &same), 0);
	assert_string_equal(same.name, "test_own_program");
	assert_int_equal(elf_file__vaddr_to_offset(e, symbol.vaddr, &offset), 0);
	assert_int_equal(elf_file__offset_to_vaddr(e, offset, &vaddr), 0);
	assert_int_equal(vaddr, symbol.vaddr);
	assert_memory_equal(elf_file__bytes(e, offset, 16), (void *)test_own_program, 16);
	assert_int_equal(elf_file__find_function(e, "no such function", &symbol), -ENOENT);
	assert_int_equal(elf_file__function_at(e, 1, &symbol), -ENOENT);
	assert_null(elf_file__bytes(e, UINT64_MAX, 2));
	assert_null(elf_file__bytes(e, 0, SIZE_MAX));
	elf_file__close(e);
}

/* Of several versions of a symbol the one that a linker takes. */
static void test_default_version(void **state)
{
	static const char *const names[] = {"malloc", "free", "qsort", "posix_memalign",
					    "pthread_cond_wait", "fopen", "regexec"};
	void *libc = dlopen("libc.so.6", RTLD_NOW), *at;
	struct elf_symbol symbol;
	struct elf_file *e;
	Dl_info info;
	size_t i;

	if (!libc)
		skip();
	assert_true(dladdr(dlsym(libc, "qsort"), &info));
	e = open_elf(info.dli_fname);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		at = dlsym(libc, names[i]);
		assert_non_null(at);
		assert_int_equal(elf_file__find_function(e, names[i], &symbol), 0);
		assert_int_equal(symbol.vaddr, (uint64_t)at - (uint64_t)info.dli_fbase);
	}
	/* its other name is __libc_malloc */
	assert_int_equal(elf_file__find_function(e, "malloc", &symbol), 0);
	assert_int_equal(elf_file__function_at(e, symbol.vaddr + 1, &symbol), 0);
	assert_string_equal(symbol.name, "malloc");
	elf_file__close(e);
	dlclose(libc);
}

static void test_not_elf(void **state)
{
	struct elf_file *e;
	char path[128];
	int fd;

	path_of("text", path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(elf_file__open(path, &e), -ENOEXEC);
	assert_int_equal(write(fd, "#!/bin/sh\necho this is long enough for a header, not one\n", 57),
			 57);
	close(fd);
	assert_int_equal(elf_file__open(path, &e), -ENOEXEC);
	assert_int_equal(elf_file__open(dir, &e), -EINVAL);
	path_of("none", path);
	assert_int_equal(elf_file__open(path, &e), -ENOENT);
}

/* A file that is cut short while it is open gives errors, not SIGBUS. */
static void test_cut_while_open(void **state)
{
	struct elf_symbol symbol;
	struct elf_file *e;
	char path[128];

	if (!has_tools)
		skip();
	run("cp lib.so cut.so");
	path_of("cut.so", path);
	e = open_elf(path);
	assert_int_equal(truncate(path, 512), 0);
	assert_int_equal(elf_file__find_function(e, "shown", &symbol), -ENOENT);
	assert_null(elf_file__bytes(e, 8192, 16));
	elf_file__close(e);
}

/* ---- where the symbols are ---- */

static void test_stripped(void **state)
{
	struct elf_symbol symbol;
	struct elf_file *e;

	if (!has_tools)
		skip();
	e = open_here("bare.so");
	assert_int_equal(elf_file__find_function(e, "shown", &symbol), 0);
	assert_int_equal(elf_file__find_function(e, "hidden", &symbol), -ENOENT);
	elf_file__close(e);
}

static void test_gnu_debugdata(void **state)
{
	struct elf_symbol symbol, real;
	struct elf_file *e;

	if (!has_tools)
		skip();
	run("objcopy -S --remove-section .comment --keep-symbol hidden lib.so mini.so");
	run("xz -k -f mini.so");
	run("objcopy --add-section .gnu_debugdata=mini.so.xz bare.so packed.so");
	e = open_here("lib.so");
	assert_int_equal(elf_file__find_function(e, "hidden", &real), 0);
	real.name = NULL;
	elf_file__close(e);
	e = open_here("packed.so");
	assert_int_equal(elf_file__find_function(e, "hidden", &symbol), 0);
	assert_int_equal(symbol.vaddr, real.vaddr);
	assert_int_equal(elf_file__function_at(e, real.vaddr + 1, &symbol), 0);
	assert_string_equal(symbol.name, "hidden");
	elf_file__close(e);
}

/* A file of ours, as if it were mapped. */
struct mapped {
	const char *debug_dir;
	char path[128];
};

static int open_for_us(void *ctx, enum opener_kind kind, uint64_t start, const char *name)
{
	const struct mapped *m = ctx;

	return debug_file__open(getpid(), m->debug_dir, m->path, kind, name);
}

static int find_debug(const char *name, const char *debug_dir)
{
	struct elf_file *e = open_here(name), *debug;
	struct mapped mapped = {.debug_dir = debug_dir};
	const struct opener opener = {open_for_us, &mapped};
	int err;

	path_of(name, mapped.path);
	err = debug_file__find(&opener, 0, e, &debug);
	if (!err) {
		assert_true(elf_file__has_section(debug, ".debug_info"));
		elf_file__close(debug);
	}
	elf_file__close(e);
	return err;
}

static void test_debug_file_by_build_id(void **state)
{
	struct elf_file *e;
	const char *id;

	if (!has_tools)
		skip();
	e = open_here("bare.so");
	id = elf_file__build_id(e);
	assert_int_equal(strlen(id), 40);
	assert_int_equal(find_debug("bare.so", dir), -ENOENT);
	run("mkdir -p .build-id/%.2s", id);
	run("cp /proc/self/exe .build-id/%.2s/%s.debug", id, id + 2);
	assert_int_equal(find_debug("bare.so", dir), -ENOENT); /* another file's */
	run("cp debug.so .build-id/%.2s/%s.debug", id, id + 2);
	assert_int_equal(find_debug("bare.so", dir), 0);
	run("rm -r .build-id");
	elf_file__close(e);
}

static void test_debug_file_by_link(void **state)
{
	if (!has_tools)
		skip();
	run("cc -g -O2 -fPIC -shared -Wl,--build-id=none lib.c -o noid.so");
	run("objcopy --only-keep-debug noid.so noid.debug && strip noid.so");
	run("objcopy --add-gnu-debuglink=noid.debug noid.so");
	assert_int_equal(find_debug("noid.so", dir), 0);
	run("mkdir .debug && mv noid.debug .debug");
	assert_int_equal(find_debug("noid.so", dir), 0);
	run("echo >> .debug/noid.debug"); /* the checksum does not fit any more */
	assert_int_equal(find_debug("noid.so", dir), -ENOENT);
}

/* Who asks may have been taken over: no way out of where debug files are. */
static void test_debug_file_refused(void **state)
{
	static const struct {
		enum opener_kind kind;
		const char *name;
	} asked[] = {
		{OPEN_BUILD_ID, ""}, {OPEN_BUILD_ID, "ab"}, {OPEN_BUILD_ID, "../etc/passwd"},
		{OPEN_BUILD_ID_INSIDE, "ABCDEF"}, {OPEN_LINK, ""}, {OPEN_LINK, ".."},
		{OPEN_LINK, "../lib.so"}, {OPEN_LINK, "lib.so"}, {OPEN_LINK_HIDDEN, "/etc/passwd"},
		{OPEN_LINK_APART, "a/b"}, {OPEN_SHARED, "/etc/passwd"}, {OPEN_SHARED, "/.dwz/../../x"},
	};
	char path[128];
	size_t i;

	path_of("lib.so", path);
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		assert_int_equal(debug_file__open(getpid(), dir, path, asked[i].kind, asked[i].name),
				 -ENOENT);
	assert_int_equal(debug_file__open(getpid(), dir, NULL, OPEN_LINK, "lib.so"), -ENOENT);
	assert_int_equal(debug_file__open(getpid(), dir, path, OPEN_MAPS, ""), -EINVAL);
}

/* ---- lines in every version and wrapping ---- */

static void expect_lines(const char *name, const char *flags)
{
	struct elf_file *e = open_here(name);
	struct line_frame f[4];
	struct elf_symbol symbol;
	struct lines *l;
	uint64_t at;
	int found = 0;

	assert_int_equal(lines__new(elf_file__fd(e), LINES_MAX, NULL, &l), 0);
	assert_int_equal(elf_file__find_function(e, "hidden", &symbol), 0);
	for (at = symbol.vaddr; at < symbol.vaddr + symbol.size && !found; at++)
		found = lines__find(l, at, f, 4) == 2;
	if (!found)
		fail_msg("%s: the inlined function is not there", flags);
	assert_string_equal(f[0].function, "inner");
	assert_int_equal(f[0].line, 2);
	assert_string_equal(f[1].function, "hidden");
	assert_int_equal(f[1].line, 4);
	assert_non_null(strstr(f[0].file, "/lib.c"));
	assert_non_null(strstr(f[1].file, "/lib.c"));
	lines__free(l);
	elf_file__close(e);
}

static void test_line_formats(void **state)
{
	static const char *const flags[] = {
		"-gdwarf-2",	 "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-gdwarf-5 -gz=zlib",
		"-gdwarf-5 -gsplit-dwarf", "-gdwarf-4 -gsplit-dwarf", "-gdwarf64 -gdwarf-5",
		"-gdwarf-5 -ffunction-sections -Wl,--gc-sections",
	};
	size_t i;

	if (!has_tools)
		skip();
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		run("cc %s -O1 -fPIC -shared \"$PWD/lib.c\" -o format.so", flags[i]);
		expect_lines("format.so", flags[i]);
	}
}

/* ---- damage ---- */

/* Ask for everything there is; answers do not matter. */
static void use(struct elf_file *e)
{
	struct unwind_table *table = NULL;
	struct elf_symbol symbol;
	uint64_t vaddr, size;
	uint32_t crc;
	const char *name;
	size_t len;

	elf_file__build_id(e);
	if (!elf_file__find_function(e, "shown", &symbol))
		elf_file__vaddr_to_offset(e, symbol.vaddr, &vaddr);
	elf_file__find_function(e, "__vdso_gettimeofday", &symbol);
	for (vaddr = 0; vaddr < 0x2000; vaddr += 64)
		elf_file__function_at(e, vaddr, &symbol);
	elf_file__section(e, ".debug_frame", &len, &vaddr);
	elf_file__eh_frame_hdr(e, &vaddr, &size);
	elf_file__debuglink(e, &name, &crc);
	unwind_table__new(e, &table);
	unwind_table__free(table);
	elf_file__held(e);
}

static void use_bytes(const unsigned char *bytes, size_t len)
{
	unsigned char *copy = malloc(len ? len : 1);
	struct elf_file *e;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	if (elf_file__open_memory(copy, len, &e))
		return;
	use(e);
	elf_file__close(e);
}

static size_t read_vdso(unsigned char *bytes, size_t cap)
{
	uint64_t at = getauxval(AT_SYSINFO_EHDR);
	ssize_t n;
	int fd;

	if (!at)
		return 0;
	fd = open("/proc/self/mem", O_RDONLY);
	n = pread(fd, bytes, cap, at);
	close(fd);
	return n > 0 ? n : 0;
}

static void damage(unsigned char *bytes, size_t len, unsigned rounds)
{
	unsigned char saved[4];
	unsigned seed = 7, round, i;
	size_t at[4];

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 4; i++) {
			/* half of the hits go into the headers */
			at[i] = rand_r(&seed) % (round % 2 ? len : 512);
			saved[i] = bytes[at[i]];
			bytes[at[i]] = round % 3 ? rand_r(&seed) : bytes[at[i]] ^ 1 << round % 8;
		}
		use_bytes(bytes, len);
		while (i--)
			bytes[at[i]] = saved[i];
	}
}

static void test_damaged_vdso(void **state)
{
	static unsigned char bytes[16384];
	size_t len = read_vdso(bytes, sizeof(bytes)), cut;

	if (!len)
		skip();
	for (cut = 0; cut < len; cut += 37)
		use_bytes(bytes, cut);
	damage(bytes, len, 4000);
}

static size_t read_file(const char *name, unsigned char *bytes, size_t cap)
{
	char path[128];
	ssize_t n;
	int fd;

	path_of(name, path);
	fd = open(path, O_RDONLY);
	n = read(fd, bytes, cap);
	close(fd);
	assert_in_range(n, 1, cap - 1);
	return n;
}

static void test_damaged_library(void **state)
{
	static unsigned char bytes[65536];
	size_t len, cut;

	if (!has_tools)
		skip();
	len = read_file("packed.so", bytes, sizeof(bytes));
	for (cut = 0; cut < len; cut += 61)
		use_bytes(bytes, cut);
	damage(bytes, len, 2000);
}

/* The file's debug sections only: what libdw makes of damaged headers is its own business. */
static void damage_section(unsigned char *bytes, const char *name, unsigned rounds)
{
	struct elf_file *e = open_here("lib.so");
	struct line_frame f[4];
	unsigned char saved;
	unsigned seed = 3;
	struct lines *l;
	const void *section;
	size_t size, at, len;
	uint64_t vaddr;
	int fd;

	section = elf_file__section(e, name, &size, &vaddr);
	assert_non_null(section);
	len = read_file("lib.so", bytes, 65536);
	at = (unsigned char *)memmem(bytes, len, section, size) - bytes;
	fd = memfd_create("damaged", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	while (rounds--) {
		size_t hit = at + rand_r(&seed) % size;

		saved = rand_r(&seed);
		assert_int_equal(pwrite(fd, &saved, 1, hit), 1);
		if (!lines__new(fd, LINES_MAX, NULL, &l)) {
			for (vaddr = 0x1000; vaddr < 0x1200; vaddr += 4)
				lines__find(l, vaddr, f, 4);
			lines__free(l);
		}
		if (rounds % 4 == 0) /* up to four damages at a time */
			assert_int_equal(pwrite(fd, bytes + at, size, at), size);
	}
	close(fd);
	elf_file__close(e);
}

static void test_damaged_lines(void **state)
{
	static const char *const names[] = {".debug_line", ".debug_info", ".debug_abbrev",
					    ".debug_rnglists"};
	static unsigned char bytes[65536];
	size_t i;

	if (!has_tools)
		skip();
	for (i = 0; i < 4; i++)
		damage_section(bytes, names[i], 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_program),
		cmocka_unit_test(test_default_version),
		cmocka_unit_test(test_not_elf),
		cmocka_unit_test(test_cut_while_open),
		cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_gnu_debugdata),
		cmocka_unit_test(test_debug_file_by_build_id),
		cmocka_unit_test(test_debug_file_by_link),
		cmocka_unit_test(test_debug_file_refused),
		cmocka_unit_test(test_line_formats),
		cmocka_unit_test(test_damaged_vdso),
		cmocka_unit_test(test_damaged_library),
		cmocka_unit_test(test_damaged_lines),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
