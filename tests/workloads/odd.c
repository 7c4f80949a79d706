// SPDX-License-Identifier: BSD-2-Clause
/*
 * odd.c - programs that do to their stacks, signals, children and system calls what tracers stumble
 * over; each gets the same result whether it is looked at or not.
 *
 *     odd KIND
 *
 * Rounds of what it does, without end, until standard input can be read; then ROUNDS more that leak
 * one block each, and a line with what all of them add up to. Exits with 77 where the machine has not
 * what it needs. The comments at the ends of lines are what the tests look for.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "workload.h"

#define ROUNDS	   211
#define LEAK_BYTES 1009
#define REST_S	   .002 /* between two rounds before the last ones */
#define MIB	   ((size_t)1 << 20)
#define NOT_HERE   77

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static uint64_t sum; /* of what all rounds found out */

static void add(uint64_t value)
{
	sum = sum * 31 + value;
}

static __attribute__((noinline)) void leaky(void)
{
	forget(malloc(LEAK_BYTES)); /* line: leak */
	__asm__ volatile("");
}

/* A block that is filled, read and freed. */
static __attribute__((noinline)) void use(size_t bytes)
{
	unsigned char *p = malloc(bytes);

	memset(p, bytes & 0xff, bytes);
	forget(p);
	add(p[0] + p[bytes - 1] + bytes);
	free(p);
}

/* ---- longjmp out of functions that allocate ---------------------------------------------- */

static jmp_buf way_out;
static void *volatile left_behind;

static __attribute__((noinline)) void jump_from(int depth, int leaks)
{
	if (depth > 0)
		jump_from(depth - 1, leaks);
	left_behind = malloc(313);
	if (leaks)
		leaky();
	if (left_behind) /* always; the compiler is not to know */
		longjmp(way_out, 7);
}

static __attribute__((noinline)) void by_longjmp(int leaks)
{
	int value = setjmp(way_out);

	if (!value)
		jump_from(11, leaks);
	add(value);
	free(left_behind);
	use(1201);
}

/* ---- coroutines -------------------------------------------------------------------------- */

#define COROUTINES  4
#define STACK_BYTES (64 * 1024)

static ucontext_t scheduler, coroutines[COROUTINES];
static int coroutine_leaks;

static __attribute__((noinline)) void in_coroutine(int id)
{
	char *p;

	for (;;) {
		p = malloc(401 + id);
		forget(p);
		swapcontext(&coroutines[id], &scheduler); /* holding a block */
		add(id);
		if (coroutine_leaks && !id)
			leaky();
		free(p);
	}
}

static void resume(int id)
{
	swapcontext(&scheduler, &coroutines[id]);
}

static void start(int id)
{
	getcontext(&coroutines[id]);
	coroutines[id].uc_stack.ss_sp = malloc(STACK_BYTES);
	coroutines[id].uc_stack.ss_size = STACK_BYTES;
	makecontext(&coroutines[id], (void (*)(void))in_coroutine, 1, id);
	resume(id);
}

static int coroutines_begin(void)
{
	int id;

	for (id = 0; id < COROUTINES; id++)
		start(id);
	return 0;
}

static void by_swapcontext(int leaks)
{
	int id;

	coroutine_leaks = leaks;
	for (id = 0; id < COROUTINES; id++)
		resume(id);
}

/* ---- children ---------------------------------------------------------------------------- */

extern char **environ;

static void reap(pid_t pid)
{
	int status = -1;

	if (pid > 0)
		waitpid(pid, &status, 0);
	add(pid > 0 ? WEXITSTATUS(status) + 1 : 0xbad);
}

static __attribute__((noinline)) void by_vfork(int leaks)
{
	char *argv[] = {"true", NULL};
	pid_t pid = vfork();

	if (!pid) {
		execv("/bin/true", argv);
		_exit(1);
	}
	reap(pid);
	if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ))
		pid = -1;
	reap(pid);
	use(2003);
	if (leaks)
		leaky();
}

#define STORM 12

/* Children of every sort, all at once: they end, allocate and end, run a program, or fork again. */
static void storm_child(int i)
{
	char *argv[] = {"true", NULL};

	if (i % 4 == 1)
		use(509 + i);
	if (i % 4 == 2)
		execv("/bin/true", argv);
	if (i % 4 == 3)
		waitpid(fork(), NULL, 0);
	_exit(i);
}

static __attribute__((noinline)) void by_storm(int leaks)
{
	pid_t pids[STORM];
	int i;

	for (i = 0; i < STORM; i++) {
		pids[i] = fork();
		if (!pids[i])
			storm_child(i);
	}
	use(1201);
	if (leaks)
		leaky();
	for (i = 0; i < STORM; i++)
		reap(pids[i]);
}

/* ---- io_uring ---------------------------------------------------------------------------- */

#define ENTRIES 8

static struct uring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} uring = {.fd = -1};

static int uring_open(void)
{
	struct io_uring_params p = {0};
	char *sq, *cq;

	uring.fd = syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (uring.fd < 0)
		return -1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED,
		  uring.fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		  PROT_READ | PROT_WRITE, MAP_SHARED, uring.fd, IORING_OFF_CQ_RING);
	uring.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
			  MAP_SHARED, uring.fd, IORING_OFF_SQES);
	uring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
	uring.sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	uring.sq_array = (unsigned *)(sq + p.sq_off.array);
	uring.cq_head = (unsigned *)(cq + p.cq_off.head);
	uring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
	uring.cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	uring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return 0;
}

static int uring_do(int op, int fd, void *buf, unsigned len)
{
	unsigned tail = *uring.sq_tail, slot = tail & *uring.sq_mask, head;

	uring.sqes[slot] = (struct io_uring_sqe){
		.opcode = op, .fd = fd, .addr = (uintptr_t)buf, .len = len};
	uring.sq_array[slot] = slot;
	__atomic_store_n(uring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, uring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		if (errno != EINTR)
			return -errno;
	head = *uring.cq_head;
	if (head == __atomic_load_n(uring.cq_tail, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	__atomic_store_n(uring.cq_head, head + 1, __ATOMIC_RELEASE);
	return uring.cqes[head & *uring.cq_mask].res;
}

static int uring_begin(void)
{
	return uring_open() ? NOT_HERE : 0;
}

/* The kernel reads from and writes to blocks of the heap. */
static __attribute__((noinline)) void by_io_uring(int leaks)
{
	char *from = malloc(777), *to = malloc(777);
	int pipe_fds[2];

	if (pipe(pipe_fds))
		abort();
	memset(from, 'x', 777);
	memset(to, 0, 777);
	add(uring_do(IORING_OP_NOP, -1, NULL, 0));
	add(uring_do(IORING_OP_WRITE, pipe_fds[1], from, 777));
	add(uring_do(IORING_OP_READ, pipe_fds[0], to, 777));
	add(memcmp(from, to, 777));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	free(from);
	free(to);
	if (leaks)
		leaky();
}

/* ---- seccomp ----------------------------------------------------------------------------- */

#define ALLOW(nr)                                                        \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),                   \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* What it needs, and no more: anything else is its end. */
static int confine(void)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_brk), ALLOW(SYS_mmap),
		ALLOW(SYS_munmap), ALLOW(SYS_mremap), ALLOW(SYS_madvise), ALLOW(SYS_ppoll),
#ifdef SYS_poll
		ALLOW(SYS_poll),
#endif
		ALLOW(SYS_nanosleep), ALLOW(SYS_clock_nanosleep), ALLOW(SYS_getrandom),
		ALLOW(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? NOT_HERE : 0;
}

static __attribute__((noinline)) void by_filter(int leaks)
{
	char *p = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	use(1511);
	free(realloc(calloc(3, 109), 3001));
	use(MIB); /* mapped by malloc itself */
	add(p == MAP_FAILED);
	munmap(p, 2 * MIB);
	if (leaks)
		leaky();
}

static int is_strict;

/* The filter comes while it is looked at: all that is allowed is read, write and exit. */
static void be_strict(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	use(MIB); /* from now on the heap is large enough */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		exit(NOT_HERE);
	is_strict = 1;
}

static __attribute__((noinline)) void by_strict(int leaks)
{
	if (leaks && !is_strict)
		be_strict();
	use(1511);
	free(realloc(calloc(3, 109), 3001));
	if (leaks)
		leaky();
}

/*
 * System calls are handed to the program itself while `selector` says so, as for programs of other
 * systems; a tracer's would end it.
 */
static volatile char selector;

static int dispatch_begin(void)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector) ? NOT_HERE : 0;
}

static __attribute__((noinline)) void by_dispatch(int leaks)
{
	int i;

	use(1511); /* so that there is a free one, without a system call */
	selector = 1;
	for (i = 0; i < 7; i++)
		use(1511);
	selector = 0;
	if (leaks)
		leaky();
}

/* ---- signals on another stack ------------------------------------------------------------ */

/*
 * One piece of memory: the thread's stack below, the stack of its signals above it. To the kernel's
 * return probes a call on a higher stack looks like one that comes after all deeper ones have ended.
 */
static volatile sig_atomic_t signals_got, signals_leak, is_stopping;
static volatile int signal_rounds;
static pthread_t signalled;

static void map_some(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p[0] = 1;
	munmap(p, bytes);
}

/* Nobody else maps or allocates in this thread, so all of this may be done here. */
static __attribute__((noinline)) void on_signal(int signo)
{
	(void)signo;
	map_some(3 * MIB);
	if (signals_leak > 0) {
		leaky();
		signals_leak--;
	}
	signals_got++;
}

static void *map_and_unmap(void *stack)
{
	stack_t alternate = {.ss_sp = (char *)stack + MIB, .ss_size = MIB};

	sigaltstack(&alternate, NULL);
	while (!is_stopping) {
		map_some(2 * MIB);
		signal_rounds++;
	}
	return NULL;
}

static int signals_begin(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
	char *stack = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;

	sigaction(SIGUSR1, &action, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, MIB);
	return pthread_create(&signalled, &attr, map_and_unmap, stack) ? NOT_HERE : 0;
}

static void by_signals(int leaks)
{
	int before = signals_got, i;

	if (leaks)
		signals_leak = 1;
	for (i = 0; i < 50 || signals_got == before || signals_leak || !signal_rounds; i++) {
		pthread_kill(signalled, SIGUSR1);
		sleep_s(1e-5);
	}
	add(signal_rounds > 0);
}

static void signals_end(void)
{
	is_stopping = 1;
	pthread_join(signalled, NULL);
}

/* ---- a library with an allocator that comes and goes ------------------------------------- */

#ifndef IS_STATIC

static const char *const libraries[] = {"libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so"};
static const char *library;

static int unload_begin(void)
{
	size_t i;

	for (i = 0; i < sizeof(libraries) / sizeof(libraries[0]) && !library; i++) {
		void *handle = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);

		if (handle)
			library = libraries[i];
		if (handle)
			dlclose(handle);
	}
	return library ? 0 : NOT_HERE;
}

static __attribute__((noinline)) void by_unload(int leaks)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	void *(*allocate)(size_t) = dlsym(handle, "mi_malloc");
	void (*release)(void *) = dlsym(handle, "mi_free");
	char *kept = allocate(503), *p = allocate(907);

	memset(p, 5, 907);
	add(p[906]);
	release(p);
	forget(kept); /* goes with the library */
	dlclose(handle);
	if (leaks)
		leaky();
}

#endif

/* ---- all of them ------------------------------------------------------------------------- */

static const struct kind {
	const char *name;
	void (*round)(int leaks);
	int (*begin)(void);
	void (*end)(void);
} kinds[] = {
	{"longjmp", by_longjmp, NULL, NULL},
	{"coroutines", by_swapcontext, coroutines_begin, NULL},
	{"vfork", by_vfork, NULL, NULL},
	{"storm", by_storm, NULL, NULL},
	{"io_uring", by_io_uring, uring_begin, NULL},
	{"filter", by_filter, confine, NULL},
	{"strict", by_strict, NULL, NULL},
	{"dispatch", by_dispatch, dispatch_begin, NULL},
	{"signals", by_signals, signals_begin, signals_end},
#ifndef IS_STATIC
	{"unload", by_unload, unload_begin, NULL},
#endif
};

static int is_told(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) != 0;
}

static void say(const char *name)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "%s %d rounds: %016llx\n", name, ROUNDS,
			   (unsigned long long)sum);

	if (write(STDOUT_FILENO, line, len) < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	const struct kind *kind = kinds;
	int i, status;

	workload__begin();
	while (argc != 2 || strcmp(kind->name, argv[1]))
		if (++kind == kinds + sizeof(kinds) / sizeof(kinds[0]))
			return 2;
	status = kind->begin ? kind->begin() : 0;
	if (status)
		return status;
	if (write(STDOUT_FILENO, "ready\n", 6) < 0)
		return 1;
	while (!is_told()) {
		kind->round(0);
		sleep_s(REST_S);
	}
	sum = 0;
	for (i = 0; i < ROUNDS; i++)
		kind->round(1);
	if (kind->end)
		kind->end();
	say(kind->name);
	syscall(is_strict ? SYS_exit : SYS_exit_group, 0);
	return 1;
}
