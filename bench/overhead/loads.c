// SPDX-License-Identifier: BSD-2-Clause
#include "loads.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define THREADS_MAX   8
#define SLEEPER_PAGES 16

extern char **environ;

/* ---- page faults ------------------------------------------------------------------------- */

struct faulter {
	const struct fault_load *load;
	pthread_barrier_t *barrier;
	double cpu_ns;
};

/* Before everything else that runs: who shares the CPU cools its caches between two faults. */
static void run_first(void)
{
	struct sched_param param = {.sched_priority = 10};

	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
}

static void *fault_loop(void *arg)
{
	struct faulter *f = arg;
	size_t page = sysconf(_SC_PAGESIZE), bytes = f->load->pages * page, i;
	volatile char *mem;
	uint64_t begin;
	int round;

	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_barrier_wait(f->barrier);
	if (mem == MAP_FAILED)
		return NULL;
	run_first();
	madvise((void *)mem, bytes, f->load->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	begin = clock__ns(CLOCK_THREAD_CPUTIME_ID);
	for (round = 0; round < f->load->rounds; round++) {
		for (i = 0; i < bytes; i += page)
			mem[i] = 1;
		madvise((void *)mem, bytes, MADV_DONTNEED);
	}
	f->cpu_ns = clock__ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	munmap((void *)mem, bytes);
	return NULL;
}

double load__faults(const struct fault_load *load)
{
	struct faulter faulters[THREADS_MAX] = {0};
	pthread_t ids[THREADS_MAX];
	pthread_barrier_t barrier;
	double cpu_ns = 0;
	int i;

	if (load->threads > THREADS_MAX)
		return 0;
	pthread_barrier_init(&barrier, NULL, load->threads);
	for (i = 0; i < load->threads; i++) {
		faulters[i] = (struct faulter){.load = load, .barrier = &barrier};
		if (pthread_create(&ids[i], NULL, fault_loop, &faulters[i]))
			abort(); /* the others would wait for ever */
	}
	for (i = 0; i < load->threads; i++) {
		pthread_join(ids[i], NULL);
		cpu_ns += faulters[i].cpu_ns;
	}
	pthread_barrier_destroy(&barrier);
	return cpu_ns / load->threads / load->rounds / load->pages;
}

/* ---- processes --------------------------------------------------------------------------- */

static double usage_ns(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

static double tree_cpu_ns(void)
{
	return usage_ns(RUSAGE_SELF) + usage_ns(RUSAGE_CHILDREN);
}

double load__forks(int cnt)
{
	double begin = tree_cpu_ns();
	pid_t pid;
	int i;

	for (i = 0; i < cnt; i++) {
		pid = fork();
		if (pid < 0)
			return 0;
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return (tree_cpu_ns() - begin) / cnt;
}

/* 0 when the program ran and ended well. */
static int run(char *const argv[])
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		return -1;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

double load__execs(int cnt)
{
	char *const argv[] = {"true", NULL};
	double begin = tree_cpu_ns();
	int i;

	for (i = 0; i < cnt; i++)
		if (run(argv))
			return 0;
	return (tree_cpu_ns() - begin) / cnt;
}

/* ---- a build ----------------------------------------------------------------------------- */

#define FUNCTIONS 150

static int write_source(const char *path)
{
	FILE *f = fopen(path, "we");
	int i;

	if (!f)
		return -errno;
	fprintf(f, "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
	for (i = 0; i < FUNCTIONS; i++)
		fprintf(f,
			"struct node%d { struct node%d *next; char name[32]; int v[%d]; };\n"
			"int sum%d(const struct node%d *n)\n{\n\tint s = 0, i;\n"
			"\tfor (; n; n = n->next)\n\t\tfor (i = 0; i < %d; i++)\n"
			"\t\t\ts += n->v[i] * (int)strlen(n->name);\n"
			"\tif (s < 0)\n\t\tprintf(\"%%d\\n\", s);\n\treturn s;\n}\n",
			i, i, i % 13 + 2, i, i, i % 13 + 2);
	return fclose(f) ? -errno : 0;
}

static void source_path(char *path, size_t cap, const char *dir, int i, const char *ext)
{
	snprintf(path, cap, "%s/f%d.%s", dir, i, ext);
}

int load__make_tree(char *dir, size_t cap, int files)
{
	char path[256];
	int i, err = 0;

	snprintf(dir, cap, "/tmp/seep-bench-XXXXXX");
	if (!mkdtemp(dir))
		return -errno;
	for (i = 0; i < files && !err; i++) {
		source_path(path, sizeof(path), dir, i, "c");
		err = write_source(path);
	}
	return err;
}

void load__remove_tree(const char *dir, int files)
{
	char path[256];
	int i;

	for (i = 0; i < files; i++) {
		source_path(path, sizeof(path), dir, i, "c");
		unlink(path);
		source_path(path, sizeof(path), dir, i, "o");
		unlink(path);
	}
	rmdir(dir);
}

double load__build(const char *dir, int files, double *ret_wall_s)
{
	double begin = tree_cpu_ns(), wall = clock__wall_s();
	char source[256], object[256];
	int i;

	for (i = 0; i < files; i++) {
		char *const argv[] = {"cc", "-O2", "-c", source, "-o", object, NULL};

		source_path(source, sizeof(source), dir, i, "c");
		source_path(object, sizeof(object), dir, i, "o");
		if (run(argv))
			return 0;
	}
	*ret_wall_s = clock__wall_s() - wall;
	return (tree_cpu_ns() - begin) / 1e9;
}

/* ---- sleepers ---------------------------------------------------------------------------- */

static void sleeper(int gate, int ready)
{
	size_t page = sysconf(_SC_PAGESIZE), i;
	volatile char *mem;
	char byte = 0;

	mem = mmap(NULL, SLEEPER_PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	for (i = 0; mem != MAP_FAILED && i < SLEEPER_PAGES; i++)
		mem[i * page] = 1;
	if (write(ready, &byte, 1) == 1)
		while (read(gate, &byte, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

static int start_one(struct sleepers *s, const int gate[2], const int ready[2])
{
	pid_t pid = fork();
	char byte;

	if (pid < 0)
		return -errno;
	if (!pid) {
		close(gate[1]);
		close(ready[0]);
		sleeper(gate[0], ready[1]);
	}
	s->pids[s->cnt++] = pid;
	return read(ready[0], &byte, 1) == 1 ? 0 : -EPIPE;
}

int sleepers__start(struct sleepers *s, size_t cnt)
{
	int gate[2], ready[2], err = 0;

	*s = (struct sleepers){.pids = calloc(cnt, sizeof(pid_t)), .gate = -1};
	if (!s->pids)
		return -ENOMEM;
	if (pipe(gate))
		return -errno;
	s->gate = gate[1];
	if (pipe(ready)) {
		err = -errno;
		close(gate[0]);
		return err;
	}
	while (!err && s->cnt < cnt)
		err = start_one(s, gate, ready);
	close(gate[0]);
	close(ready[0]);
	close(ready[1]);
	return err;
}

void sleepers__end(struct sleepers *s)
{
	size_t i;

	if (s->gate >= 0)
		close(s->gate);
	for (i = 0; i < s->cnt; i++)
		waitpid(s->pids[i], NULL, 0);
	free(s->pids);
	*s = (struct sleepers){.gate = -1};
}
