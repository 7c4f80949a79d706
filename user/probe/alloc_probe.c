// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

#include "alloc_plan.h"
#include "alloc_probe.h"
#include "alloc.skel.h"
#include "bpf_log.h"
#include "probe_cost.h"
#include "uprobe_link.h"
#include "uretprobe.h"
#include "user_stack.h"

#define MAX_LIVE_SAMPLED    65536
#define MAX_LIVE_ALL	    (1024 * 1024)
#define MIN_MMAP_BYTES	    (128 * 1024)
#define SAMPLE_ALWAYS	    (1ULL << 32)
#define SAMPLE_BYTES_FIRST  4096 /* coarser than every allocation */
#define BATCH		    4096
#define SAMPLE_NS	    2000 /* stack and tables: 1300 with a shallow stack, 5000 with 16 KiB */
#define LINKS_MAX	    (SEEP_ALLOCATOR_TEXTS * 6)
#define NOT_SEEN_MAX	    8
#define PLACES_MAX	    256 /* in one file */
#define KEY_WORDS_MAX	    2	/* of the hashes */

struct alloc_probe {
	struct alloc_probe_cfg cfg;
	struct alloc_plan *plan;
	struct alloc_bpf *skel;
	enum uprobe_mode mode;
	bool has_cut;			      /* partial unmaps are followed */
	struct uprobe_link *links[LINKS_MAX]; /* frees first */
	size_t link_cnt;
	size_t code_cnt; /* mappings with code, when the target was last looked at */
	struct alloc_site_info *sites;
	size_t site_cnt;
	const char *not_seen[NOT_SEEN_MAX + 1];
	struct ring_buffer *ring;
	alloc_stack_fn stack_fn; /* valid during alloc_probe__drain */
	void *stack_ctx;
	uint64_t sample_bytes;
	struct probe_cost cost;
	struct seep_live_key *keys; /* BATCH of them */
	uint64_t *addresses;
	struct seep_live *values;
	uint64_t *percpu_buf;
	int cpu_cnt;
};

/* ---- sampling ---------------------------------------------------------------------------- */

/* The middle of a size class: see size_class() in alloc.bpf.c. */
static double class_middle(unsigned class)
{
	if (class < 8)
		return class ? class : 1;
	return ldexp(4 + class % 4 + .5, class / 4 + 1 - 2);
}

/* The chance of a block: one minus that of no sample point in so many bytes. */
static uint64_t threshold_of(unsigned class, uint64_t sample_bytes)
{
	double chance;

	if (!sample_bytes)
		return SAMPLE_ALWAYS;
	chance = -expm1(-class_middle(class) / sample_bytes);
	return fmax(1, nearbyint(ldexp(chance, 32)));
}

static void set_period(struct alloc_probe *p, uint64_t sample_bytes)
{
	unsigned class;

	for (class = 0; class < SEEP_SIZE_CLASSES; class ++)
		__atomic_store_n(&p->skel->bss->thresholds[class],
				 threshold_of(class, sample_bytes), __ATOMIC_RELAXED);
	p->sample_bytes = sample_bytes;
}

uint64_t alloc_probe__coarsen(struct alloc_probe *p)
{
	set_period(p, p->sample_bytes ? p->sample_bytes * 2 : SAMPLE_BYTES_FIRST);
	return p->sample_bytes;
}

uint64_t alloc_probe__sample_bytes(const struct alloc_probe *p)
{
	return p->sample_bytes;
}

/* ---- loading ----------------------------------------------------------------------------- */

/* See choose_allocation() in rss_probe.c. */
static void choose_allocation(struct alloc_bpf *skel)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (btf && btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) >= 0) {
		bpf_map__set_map_flags(skel->maps.seep_live, BPF_F_NO_PREALLOC);
		bpf_map__set_map_flags(skel->maps.seep_regions, BPF_F_NO_PREALLOC);
		bpf_map__set_map_flags(skel->maps.seep_slots, BPF_F_NO_PREALLOC);
		bpf_map__set_map_flags(skel->maps.seep_totals, BPF_F_NO_PREALLOC);
	}
	btf__free(btf);
}

static void configure_maps(struct alloc_probe *p)
{
	unsigned max_live = p->cfg.max_live;

	if (!max_live)
		max_live = p->cfg.sample_bytes ? MAX_LIVE_SAMPLED : MAX_LIVE_ALL;
	choose_allocation(p->skel);
	bpf_map__set_max_entries(p->skel->maps.seep_live, max_live);
	if (p->cfg.ring_bytes)
		bpf_map__set_max_entries(p->skel->maps.seep_stacks, p->cfg.ring_bytes);
}

/* A static program maps memory and allocates from the same file: large calls are followed. */
static bool is_static_libc(const struct alloc_module *m)
{
	return m->is_program && m->allocator->is_libc;
}

static uint64_t min_mmap_bytes(const struct alloc_probe *p)
{
	return p->cfg.min_mmap_bytes ? p->cfg.min_mmap_bytes : MIN_MMAP_BYTES;
}

static uint64_t follow_bytes(const struct alloc_probe *p)
{
	const struct alloc_module *modules;
	size_t cnt = alloc_plan__modules(p->plan, &modules), i;

	for (i = 0; i < cnt; i++)
		if (is_static_libc(&modules[i]))
			return min_mmap_bytes(p) / 2;
	return UINT64_MAX;
}

/* What the programs are verified with. */
static void configure_constants(struct alloc_probe *p)
{
	struct alloc_bpf *skel = p->skel;

	skel->rodata->target_tgid = p->cfg.pid;
	skel->rodata->page_bytes = sysconf(_SC_PAGESIZE);
	skel->rodata->min_mmap_bytes = min_mmap_bytes(p);
	skel->rodata->follow_bytes = follow_bytes(p);
	skel->rodata->stack_chunks = user_stack__chunks(p->cfg.stack_bytes);
	skel->rodata->main_stack_end = user_stack__main_end(p->cfg.pid);
}

static void set_texts(struct alloc_probe *p)
{
	const struct alloc_module *modules;
	size_t cnt = alloc_plan__modules(p->plan, &modules), i;

	memset(p->skel->bss->allocator_texts, 0, sizeof(p->skel->bss->allocator_texts));
	for (i = 0; i < cnt; i++)
		p->skel->bss->allocator_texts[i] = modules[i].text;
}

static void configure_programs(struct alloc_probe *p)
{
	bool session = p->mode == UPROBE_SESSION;
	int type = uprobe_mode__attach_type(p->mode);
	int plain = uprobe_mode__attach_type(p->mode == UPROBE_PERF ? UPROBE_PERF : UPROBE_MULTI);
	struct alloc_bpf *skel = p->skel;

	bpf_program__set_autoload(skel->progs.seep_session, session);
	bpf_program__set_autoload(skel->progs.seep_entry, !session);
	bpf_program__set_autoload(skel->progs.seep_return, !session);
	bpf_program__set_autoload(skel->progs.seep_munmap, p->has_cut);
	bpf_program__set_autoload(skel->progs.seep_munmap_exact, !p->has_cut);
	bpf_program__set_expected_attach_type(skel->progs.seep_session, type);
	bpf_program__set_expected_attach_type(skel->progs.seep_entry, plain);
	bpf_program__set_expected_attach_type(skel->progs.seep_return, plain);
	bpf_program__set_expected_attach_type(skel->progs.seep_free, plain);
	bpf_program__set_expected_attach_type(skel->progs.seep_new, plain);
	bpf_program__set_expected_attach_type(skel->progs.seep_new_exit, plain);
	bpf_program__set_expected_attach_type(skel->progs.seep_munmap, plain);
	bpf_program__set_expected_attach_type(skel->progs.seep_munmap_exact, plain);
	bpf_program__set_expected_attach_type(skel->progs.seep_nothing, plain);
}

/* For kernels without cookies. */
static int fill_sites(struct alloc_probe *p)
{
	const struct alloc_point *points;
	size_t cnt = alloc_plan__points(p->plan, &points), i;

	for (i = 0; i < cnt; i++)
		if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.seep_sites), &points[i].address,
					&points[i].cookie, BPF_ANY))
			return -errno;
	return 0;
}

/* Libraries come and go: asked again with each look at the live samples. */
static int read_code(struct alloc_probe *p)
{
	return alloc_plan__code(p->cfg.pid, p->skel->bss->code_spans, &p->code_cnt);
}

/* ---- attaching --------------------------------------------------------------------------- */

typedef bool (*point_filter)(enum seep_alloc_kind kind);

static bool is_free(enum seep_alloc_kind kind)
{
	return kind == SEEP_FREE;
}

static bool is_munmap(enum seep_alloc_kind kind)
{
	return kind == SEEP_FREE_MUNMAP;
}

static bool is_new(enum seep_alloc_kind kind)
{
	return kind == SEEP_ALLOC_NEW;
}

static bool is_new_exit(enum seep_alloc_kind kind)
{
	return kind == SEEP_ALLOC_NEW_EXIT;
}

static bool is_alloc(enum seep_alloc_kind kind)
{
	return kind < SEEP_FREE;
}

/* Attach a program to all points of one module that are meant for it. */
static int attach_module(struct alloc_probe *p, size_t module, point_filter filter,
			 const struct bpf_program *prog, int is_return)
{
	struct uprobe_place places[PLACES_MAX];
	const struct alloc_module *modules;
	const struct alloc_point *points;
	size_t cnt = alloc_plan__points(p->plan, &points), i;
	struct uprobe_spec spec = {
		.mode = p->mode, .pid = p->cfg.pid, .places = places, .is_return = is_return};
	int err;

	for (i = 0; i < cnt && spec.cnt < sizeof(places) / sizeof(places[0]); i++)
		if (points[i].module == module && filter(points[i].kind))
			places[spec.cnt++] = (struct uprobe_place){.offset = points[i].file_offset,
								   .cookie = points[i].cookie};
	if (!spec.cnt)
		return 0;
	if (p->mode == UPROBE_SESSION && filter != is_alloc)
		spec.mode = UPROBE_MULTI;
	alloc_plan__modules(p->plan, &modules);
	spec.fd = modules[module].fd;
	err = uprobe_link__new(&spec, prog, &p->links[p->link_cnt]);
	if (!err)
		p->link_cnt++;
	return err;
}

static int attach_all(struct alloc_probe *p, point_filter filter, const struct bpf_program *prog,
		      int is_return)
{
	const struct alloc_module *modules;
	size_t cnt = alloc_plan__modules(p->plan, &modules), i;
	int err = 0;

	for (i = 0; i < cnt && !err; i++)
		err = attach_module(p, i, filter, prog, is_return);
	return err;
}

/* Frees first: nothing that is sampled can be freed unseen. */
static int attach(struct alloc_probe *p)
{
	struct alloc_bpf *skel = p->skel;
	int err = alloc_bpf__attach(skel); /* the tracepoints */

	if (!err)
		err = attach_all(p, is_free, skel->progs.seep_free, 0);
	if (!err)
		err = attach_all(
			p, is_munmap,
			p->has_cut ? skel->progs.seep_munmap : skel->progs.seep_munmap_exact, 0);
	if (!err)
		err = attach_all(p, is_new_exit, skel->progs.seep_new_exit, 0);
	if (!err)
		err = attach_all(p, is_new, skel->progs.seep_new, 0);
	if (!err && p->mode == UPROBE_SESSION)
		return attach_all(p, is_alloc, skel->progs.seep_session, 0);
	if (!err)
		err = attach_all(p, is_alloc, skel->progs.seep_return, 1);
	if (!err)
		err = attach_all(p, is_alloc, skel->progs.seep_entry, 0);
	return err;
}

static void drop_links(struct alloc_probe *p)
{
	while (p->link_cnt)
		uprobe_link__free(p->links[--p->link_cnt]);
	if (p->skel)
		alloc_bpf__detach(p->skel);
}

/* Loaded, its tables empty: tell the programs of the target, and let them run. */
static int begin(struct alloc_probe *p)
{
	int err = fill_sites(p);

	set_texts(p);
	set_period(p, p->cfg.sample_bytes);
	if (!err)
		err = read_code(p);
	if (!err)
		err = attach(p);
	return err;
}

static int start(struct alloc_probe *p, enum uprobe_mode mode)
{
	int err;

	p->mode = mode;
	p->skel = alloc_bpf__open();
	if (!p->skel)
		return -errno;
	configure_maps(p);
	configure_constants(p);
	configure_programs(p);
	err = alloc_bpf__load(p->skel);
	if (!err)
		err = begin(p);
	if (!err)
		return 0;
	drop_links(p);
	alloc_bpf__destroy(p->skel);
	p->skel = NULL;
	return err;
}

/* The newest way that this kernel knows. */
static int start_any(struct alloc_probe *p)
{
	int err = -EINVAL, mode = UPROBE_SESSION;

	if (p->cfg.no_session)
		mode = UPROBE_MULTI;
	if (p->cfg.no_multi)
		mode = UPROBE_PERF;
	for (; err && err != -ESRCH && mode <= UPROBE_PERF; mode++)
		err = start(p, mode);
	return err;
}

/* ---- life -------------------------------------------------------------------------------- */

static int on_ring(void *ctx, void *data, size_t size)
{
	struct alloc_probe *p = ctx;
	const struct seep_stack *stack = data;

	if (size >= sizeof(*stack) && stack->stack_bytes <= size - sizeof(*stack))
		p->stack_fn(p->stack_ctx, stack, stack + 1);
	return 0;
}

static void add_not_seen(struct alloc_probe *p, const char *sentence)
{
	size_t i;

	for (i = 0; i < NOT_SEEN_MAX && p->not_seen[i]; i++)
		if (!strcmp(p->not_seen[i], sentence))
			return;
	if (i < NOT_SEEN_MAX)
		p->not_seen[i] = sentence;
}

static void list_not_seen(struct alloc_probe *p)
{
	const struct alloc_module *modules;
	size_t cnt = alloc_plan__modules(p->plan, &modules), i;

	memset(p->not_seen, 0, sizeof(p->not_seen));
	for (i = 0; i < cnt; i++) {
		if (modules[i].has_unseen_new)
			add_not_seen(p, "operator new of the allocator: it allocates by itself, "
					"and how it returns could not be found out");
		if (modules[i].allocator->is_libc && !modules[i].is_program)
			add_not_seen(p, "what the C library maps for itself (thread stacks)");
		if (!modules[i].allocator->is_libc && modules[i].is_program)
			add_not_seen(
				p, "mappings the program makes: its allocator is in the same file");
	}
	if (!p->has_cut)
		add_not_seen(p, "partial unmaps that do not begin where the mapping does");
}

static int list_sites(struct alloc_probe *p)
{
	const struct alloc_point *points;
	size_t cnt = alloc_plan__points(p->plan, &points), i;

	free(p->sites);
	p->site_cnt = 0;
	p->sites = calloc(cnt, sizeof(*p->sites));
	if (!p->sites)
		return -ENOMEM;
	for (i = 0; i < cnt; i++)
		p->sites[i] = points[i].info;
	p->site_cnt = cnt;
	return 0;
}

static int set_up(struct alloc_probe *p)
{
	p->cpu_cnt = libbpf_num_possible_cpus();
	if (p->cpu_cnt < 0)
		return p->cpu_cnt;
	p->percpu_buf = calloc(p->cpu_cnt, sizeof(*p->percpu_buf));
	p->keys = calloc(BATCH, sizeof(*p->keys));
	p->addresses = calloc(BATCH, sizeof(*p->addresses));
	p->values = calloc(BATCH, sizeof(*p->values));
	if (!p->percpu_buf || !p->keys || !p->addresses || !p->values)
		return -ENOMEM;
	p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.seep_stacks), on_ring, p, NULL);
	if (!p->ring)
		return -errno;
	list_not_seen(p);
	return list_sites(p);
}

static bool can_cut(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_for_each_map_elem, NULL) == 1;
}

/* Whatever its filter is now: it, or a child of it, may set another while it is looked at. */
static int refuse_harm(char *why, size_t why_cap)
{
	if (uretprobe__pass_filters())
		return 0;
	snprintf(why, why_cap, "this kernel's return probes kill processes with a seccomp filter "
			       "(6.11 to 6.13; mended in 6.14 and in later stable kernels)");
	return -EOPNOTSUPP;
}

int alloc_probe__new(const struct alloc_probe_cfg *cfg, struct alloc_probe **ret_probe, char *why,
		     size_t why_cap)
{
	struct alloc_probe *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->cfg = *cfg;
	bpf_log__start();
	err = refuse_harm(why, why_cap);
	if (!err)
		err = alloc_plan__new(cfg->pid, cfg->at_entry, &p->plan, why, why_cap);
	if (err)
		goto fail;
	p->has_cut = can_cut();
	err = start_any(p);
	if (!err)
		err = set_up(p);
	if (err) {
		snprintf(why, why_cap, "%s", bpf_log__why()[0] ? bpf_log__why() : strerror(-err));
		goto fail;
	}
	probe_cost__measure(p->mode, p->skel->progs.seep_nothing, &p->cost);
	*ret_probe = p;
	return 0;
fail:
	alloc_probe__free(p);
	return err;
}

void alloc_probe__detach(struct alloc_probe *p)
{
	drop_links(p);
}

/* ---- once more --------------------------------------------------------------------------- */

/* Nothing is attached: nobody else changes it. */
static int clear_hash(const struct bpf_map *map)
{
	uint64_t key[KEY_WORDS_MAX], next[KEY_WORDS_MAX];
	int fd = bpf_map__fd(map), has_next = !bpf_map_get_next_key(fd, NULL, next);

	while (has_next) {
		memcpy(key, next, sizeof(key));
		has_next = !bpf_map_get_next_key(fd, key, next);
		if (bpf_map_delete_elem(fd, key) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int clear_stats(struct alloc_probe *p)
{
	uint32_t stat;

	memset(p->percpu_buf, 0, p->cpu_cnt * sizeof(*p->percpu_buf));
	for (stat = 0; stat < SEEP_ALLOC_STAT_CNT; stat++)
		if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.seep_astats), &stat,
					p->percpu_buf, BPF_ANY))
			return -errno;
	return 0;
}

static void drop_stack(void *ctx, const struct seep_stack *stack, const void *bytes)
{
}

/* All that was recorded, except what the programs were verified with. */
static int clear(struct alloc_probe *p)
{
	const struct bpf_map *const hashes[] = {
		p->skel->maps.seep_live,  p->skel->maps.seep_regions, p->skel->maps.seep_slots,
		p->skel->maps.seep_totals, p->skel->maps.seep_sites,  p->skel->maps.seep_sent,
	};
	int err = alloc_probe__drain(p, drop_stack, NULL);
	struct seep_child child;
	size_t i;

	while (alloc_probe__next_child(p, &child))
		; /* of another session */

	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]) && !err; i++)
		err = clear_hash(hashes[i]);
	return err ? err : clear_stats(p);
}

/* Were the programs loaded for what runs there now? */
static bool is_same_program(const struct alloc_probe *p)
{
	uint64_t stack_end = user_stack__main_end(p->cfg.pid);

	return alloc_probe__state(p) == SEEP_TARGET_ALIVE && stack_end &&
	       stack_end == p->skel->rodata->main_stack_end &&
	       follow_bytes(p) == p->skel->rodata->follow_bytes;
}

int alloc_probe__resume(struct alloc_probe *p, uint64_t sample_bytes)
{
	struct alloc_plan *plan;
	char why[128];
	int err;

	drop_links(p);
	err = alloc_plan__new(p->cfg.pid, p->cfg.at_entry, &plan, why, sizeof(why));
	if (err)
		return err;
	alloc_plan__free(p->plan);
	p->plan = plan;
	if (!is_same_program(p))
		return -ESTALE;
	list_not_seen(p);
	err = list_sites(p);
	if (!err)
		err = clear(p);
	p->cfg.sample_bytes = sample_bytes;
	if (!err)
		err = begin(p);
	return err;
}

void alloc_probe__free(struct alloc_probe *p)
{
	if (!p)
		return;
	drop_links(p);
	ring_buffer__free(p->ring);
	alloc_bpf__destroy(p->skel);
	alloc_plan__free(p->plan);
	free(p->sites);
	free(p->percpu_buf);
	free(p->keys);
	free(p->addresses);
	free(p->values);
	free(p);
}

/* ---- what it says ------------------------------------------------------------------------ */

size_t alloc_probe__sites(const struct alloc_probe *p, const struct alloc_site_info **ret_sites)
{
	*ret_sites = p->sites;
	return p->site_cnt;
}

const char *alloc_probe__mode(const struct alloc_probe *p)
{
	return uprobe_mode__name(p->mode);
}

/* One that stands in for the C library's comes first. */
const char *alloc_probe__allocator(const struct alloc_probe *p)
{
	const struct alloc_module *modules;
	size_t cnt = alloc_plan__modules(p->plan, &modules), i;

	for (i = 0; i < cnt; i++)
		if (modules[i].text.shadows)
			return modules[i].allocator->name;
	return modules[0].allocator->name;
}

const char *const *alloc_probe__not_seen(const struct alloc_probe *p)
{
	return p->not_seen;
}

enum seep_target_state alloc_probe__state(const struct alloc_probe *p)
{
	return __atomic_load_n(&p->skel->bss->target_state, __ATOMIC_RELAXED);
}

int alloc_probe__fd(const struct alloc_probe *p)
{
	return ring_buffer__epoll_fd(p->ring);
}

int alloc_probe__drain(struct alloc_probe *p, alloc_stack_fn fn, void *ctx)
{
	int n;

	p->stack_fn = fn;
	p->stack_ctx = ctx;
	n = ring_buffer__consume(p->ring);
	return n < 0 ? n : 0;
}

int alloc_probe__next_child(struct alloc_probe *p, struct seep_child *ret_child)
{
	return !bpf_map_lookup_and_delete_elem(bpf_map__fd(p->skel->maps.seep_children), NULL,
					       ret_child);
}

/* Read a whole hash by batches; `visit` gets each of them. */
static int read_map(struct alloc_probe *p, int fd, void *keys,
		    void (*visit)(struct alloc_probe *p, uint32_t cnt, alloc_live_fn fn, void *ctx),
		    alloc_live_fn fn, void *ctx)
{
	uint32_t in = 0, out = 0, cnt;
	void *from = NULL;
	int err;

	do {
		cnt = BATCH;
		err = bpf_map_lookup_batch(fd, from, &out, keys, p->values, &cnt, NULL);
		if (err && errno != ENOENT)
			return -errno;
		visit(p, cnt, fn, ctx);
		in = out;
		from = &in;
	} while (!err);
	return 0;
}

static void visit_blocks(struct alloc_probe *p, uint32_t cnt, alloc_live_fn fn, void *ctx)
{
	uint32_t i;

	for (i = 0; i < cnt; i++)
		fn(ctx, p->keys[i].addr, &p->values[i]);
}

static void visit_regions(struct alloc_probe *p, uint32_t cnt, alloc_live_fn fn, void *ctx)
{
	uint32_t i;

	for (i = 0; i < cnt; i++)
		fn(ctx, p->addresses[i], &p->values[i]);
}

/* Has the target loaded an allocator since the probes were attached? */
static void look_for_allocators(struct alloc_probe *p)
{
	const struct alloc_module *modules;
	struct alloc_plan *plan;
	char why[128];

	if (alloc_plan__new(p->cfg.pid, p->cfg.at_entry, &plan, why, sizeof(why)))
		return;
	if (alloc_plan__modules(plan, &modules) > alloc_plan__modules(p->plan, &modules))
		add_not_seen(p, "an allocator that the process loaded after the probes were attached");
	alloc_plan__free(plan);
}

int alloc_probe__live(struct alloc_probe *p, alloc_live_fn fn, void *ctx)
{
	size_t known = p->code_cnt;
	int err;

	read_code(p);
	if (p->code_cnt > known)
		look_for_allocators(p);
	err = read_map(p, bpf_map__fd(p->skel->maps.seep_live), p->keys, visit_blocks, fn, ctx);
	if (err)
		return err;
	return read_map(p, bpf_map__fd(p->skel->maps.seep_regions), p->addresses, visit_regions, fn,
			ctx);
}

int alloc_probe__carry(struct alloc_probe *p, uint64_t addr, const struct seep_live *live)
{
	const struct seep_live_key key = {.addr = addr, .tgid = p->cfg.pid};
	int is_region = live->kind == SEEP_ALLOC_MMAP || live->kind == SEEP_ALLOC_MREMAP;
	int err;

	if (is_region)
		err = bpf_map_update_elem(bpf_map__fd(p->skel->maps.seep_regions), &addr, live,
					  BPF_NOEXIST);
	else
		err = bpf_map_update_elem(bpf_map__fd(p->skel->maps.seep_live), &key, live,
					  BPF_NOEXIST);
	return err ? -errno : 0;
}

int alloc_probe__totals(struct alloc_probe *p, alloc_total_fn fn, void *ctx)
{
	int fd = bpf_map__fd(p->skel->maps.seep_totals);
	struct seep_total total;
	uint64_t key, *from = NULL;

	while (!bpf_map_get_next_key(fd, from, &key)) {
		if (!bpf_map_lookup_elem(fd, &key, &total))
			fn(ctx, key, total.bytes, total.count_x256 / 256.0);
		from = &key;
	}
	return errno == ENOENT ? 0 : -errno;
}

void alloc_probe__stats(struct alloc_probe *p, uint64_t ret_stats[SEEP_ALLOC_STAT_CNT])
{
	uint32_t stat;
	int cpu;

	for (stat = 0; stat < SEEP_ALLOC_STAT_CNT; stat++) {
		ret_stats[stat] = 0;
		if (bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.seep_astats), &stat,
					p->percpu_buf))
			continue;
		for (cpu = 0; cpu < p->cpu_cnt; cpu++)
			ret_stats[stat] += p->percpu_buf[cpu];
	}
}

unsigned alloc_probe__max_live(const struct alloc_probe *p)
{
	return bpf_map__max_entries(p->skel->maps.seep_live);
}

unsigned alloc_probe__child_hit_ns(const struct alloc_probe *p)
{
	return p->mode == UPROBE_PERF ? 0 : p->cost.emulated_ns + p->cost.return_ns;
}

/* Traps by what they were measured to cost, and an estimate for each sample. */
uint64_t alloc_probe__cost_ns(struct alloc_probe *p, uint64_t *ret_hits)
{
	uint64_t stats[SEEP_ALLOC_STAT_CNT] = {0}, stepped;

	alloc_probe__stats(p, stats);
	stepped = stats[SEEP_ALLOC_STAT_STEPPED_HITS];
	*ret_hits = stats[SEEP_ALLOC_STAT_HITS];
	return (stats[SEEP_ALLOC_STAT_HITS] - stepped) * p->cost.emulated_ns +
	       stepped * p->cost.stepped_ns + stats[SEEP_ALLOC_STAT_RETURNS] * p->cost.return_ns +
	       stats[SEEP_ALLOC_STAT_ALLOCS] * SAMPLE_NS;
}
