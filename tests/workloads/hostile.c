// SPDX-License-Identifier: BSD-2-Clause
/*
 * hostile.c - a program that leaks and lies: its name has terminal escapes and a newline, and part
 * of each stack is code that it generated, so that whoever looks for names asks /tmp/perf-PID.map.
 * With --root DIR it becomes DIR/app first, as a container would: in a mount namespace in which DIR
 * is all there is. What the files in there look like is up to whoever made them. Prints "ready".
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "workload.h"

typedef void (*call_fn)(void (*fn)(void));

static void __attribute__((noinline)) lose(void)
{
	forget(take(1009));
}

/* A frame of a function that stands in no file: calls its argument. */
static call_fn generate(void)
{
#if defined(__x86_64__)
	/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
	static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
#elif defined(__aarch64__)
	/* stp x29,x30,[sp,#-16]!; mov x29,sp; blr x0; ldp x29,x30,[sp],#16; ret */
	static const uint32_t code[] = {0xa9bf7bfd, 0x910003fd, 0xd63f0000, 0xa8c17bfd, 0xd65f03c0};
#endif
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	memcpy(at, code, sizeof(code));
	if (mprotect(at, 4096, PROT_READ | PROT_EXEC))
		exit(1);
	__builtin___clear_cache(at, (char *)at + 4096);
	return (call_fn)at;
}

static int change_root(const char *root)
{
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount(root, root, NULL, MS_BIND, NULL) || chdir(root) ||
	       mount("proc", "proc", "proc", 0, NULL) || syscall(SYS_pivot_root, ".", ".") ||
	       umount2(".", MNT_DETACH) || chdir("/");
}

/* The program and its arguments, but for where it is. */
static int become_contained(char **argv, const char *root)
{
	int i;

	for (i = 1; argv[i] && strcmp(argv[i], "--root"); i++)
		;
	if (argv[i])
		argv[i] = "--was-root";
	if (!change_root(root))
		execv("/app", argv);
	perror(root);
	return 1;
}

int main(int argc, char **argv)
{
	const char *root = arg__text(argc, argv, "--root");
	double rate = arg__number(argc, argv, "--rate", 1000), start = now_s(), lost = 0;
	call_fn call;

	if (root)
		return become_contained(argv, root);
	call = generate();
	workload__begin();
	prctl(PR_SET_NAME, "\033[31mred\nX");
	forget(take(8 << 20));
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		for (; lost < (now_s() - start) * rate; lost++)
			call(lose);
		sleep_s(.005);
	}
}
