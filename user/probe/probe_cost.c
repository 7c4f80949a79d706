// SPDX-License-Identifier: BSD-2-Clause
#include "probe_cost.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "../sym/maps.h"

#define CALLS  256 /* a round; the fastest of ROUNDS counts */
#define ROUNDS 8

/* What the programs themselves add to the trap: site, target, draw, counters. [M] */
#define PROGRAM_NS 60

/* Functions that begin with an instruction that is emulated, and one that is not. */
void probe_cost__emulated(void);
void probe_cost__stepped(void);

#if defined(__x86_64__)
__asm__(".text\n"
	".globl probe_cost__emulated\n.hidden probe_cost__emulated\n"
	"probe_cost__emulated: push %rbp; pop %rbp; ret\n"
	".globl probe_cost__stepped\n.hidden probe_cost__stepped\n"
	"probe_cost__stepped: test %rdi, %rdi; ret\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl probe_cost__emulated\n.hidden probe_cost__emulated\n"
	"probe_cost__emulated: b 1f\n1: ret\n"
	".globl probe_cost__stepped\n.hidden probe_cost__stepped\n"
	"probe_cost__stepped: cmp x0, #0\n ret\n");
#endif

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* CPU time of one call. Not the wall's: others may run meanwhile. */
static unsigned time_calls(void (*fn)(void))
{
	uint64_t best = UINT64_MAX, begin;
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		begin = cpu_ns();
		for (i = 0; i < CALLS; i++)
			fn();
		begin = cpu_ns() - begin;
		if (begin < best)
			best = begin;
	}
	return best / CALLS;
}

/* Where a function of ours is in our file. */
static int offset_of(void (*fn)(void), struct maps *maps, uint64_t *ret_offset, int *ret_fd)
{
	const struct map_region *r = maps__find(maps, (uintptr_t)fn);

	if (!r)
		return -ENOENT;
	*ret_offset = (uintptr_t)fn - r->start + r->offset;
	*ret_fd = maps__open_file(getpid(), r);
	return *ret_fd < 0 ? *ret_fd : 0;
}

/* With a probe on it. Keeps *ret_ns where it cannot attach. */
static void measure(const struct uprobe_spec *how, const struct bpf_program *prog,
		    struct maps *maps, void (*fn)(void), unsigned *ret_ns)
{
	struct uprobe_spec spec = *how;
	struct uprobe_place place = {};
	struct uprobe_link *link;

	if (offset_of(fn, maps, &place.offset, &spec.fd))
		return;
	spec.places = &place;
	spec.cnt = 1;
	if (!uprobe_link__new(&spec, prog, &link)) {
		*ret_ns = time_calls(fn) + PROGRAM_NS;
		uprobe_link__free(link);
	}
	close(spec.fd);
}

static struct probe_cost measure_all(enum uprobe_mode mode, const struct bpf_program *nothing)
{
	struct probe_cost cost = {.emulated_ns = 700, .stepped_ns = 9000, .return_ns = 600};
	struct uprobe_spec spec = {.mode = mode, .pid = getpid()};
	unsigned both = 0;
	struct maps *maps;

	if (mode == UPROBE_SESSION)
		spec.mode = UPROBE_MULTI;
	if (!maps__read(getpid(), &maps)) {
		measure(&spec, nothing, maps, probe_cost__emulated, &cost.emulated_ns);
		measure(&spec, nothing, maps, probe_cost__stepped, &cost.stepped_ns);
		spec.is_return = 1;
		measure(&spec, nothing, maps, probe_cost__emulated, &both);
		maps__free(maps);
	}
	if (both > cost.emulated_ns)
		cost.return_ns = both - cost.emulated_ns;
	return cost;
}

void probe_cost__measure(enum uprobe_mode mode, const struct bpf_program *nothing,
			 struct probe_cost *ret_cost)
{
	static struct probe_cost known[UPROBE_PERF + 1]; /* it does not change while we run */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	/* one at a time: the probes of two would both be hit, and both be paid for */
	pthread_mutex_lock(&lock);
	if (!known[mode].emulated_ns)
		known[mode] = measure_all(mode, nothing);
	*ret_cost = known[mode];
	pthread_mutex_unlock(&lock);
}
