/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.c - targets: which file is mapped where, and what is said about an address there.
 *
 * A target remembers every executable mapping it has seen, so code that was unloaded and whole
 * processes that have exited still have names.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "file_cache.h"
#include "maps.h"
#include "perf_map.h"

#define DEFAULT_CACHE_BYTES (150u << 20)
#define STRINGS_MAX_BYTES   (64u << 20)
#define AREAS_MAX	    16384 /* executable mappings of one target */
#define FILES_MAX	    2048  /* of those, opened files */
#define NOT_SEEN_MAX	    64
#define START_FRAMES	    3	  /* between main and the end of its chain */
#define IMAGE_MAX_BYTES	    (1u << 20) /* of a vdso */

struct engine {
	struct engine_cfg cfg;
	struct string_pool *strings;
	struct file_cache *files;
};

enum area_kind {
	AREA_FILE,	 /* file may be NULL: it could not be opened */
	AREA_JIT,	 /* code that no file holds */
	AREA_TRAMPOLINE, /* [uprobes] */
};

/* One executable mapping. */
struct area {
	uint64_t start, end;
	uint64_t file_offset, inode;
	uint32_t dev_major, dev_minor;
	enum area_kind kind;
	struct cached_file *file;
	uint64_t bias;
	const char *module, *build_id;
};

struct areas {
	struct area *items; /* by start, disjoint */
	size_t cnt;
};

struct engine_target {
	struct engine *engine;
	struct opener opener;
	int is_gone; /* the process */
	struct areas areas;
	size_t file_cnt;
	struct perf_map *perf_map;
	unsigned misses, patience; /* lookups that found nothing; until the mappings are reread */
	const char *not_seen[NOT_SEEN_MAX + 1];
	size_t not_seen_cnt;
};

struct engine *engine__new(const struct engine_cfg *cfg)
{
	struct engine *e = calloc(1, sizeof(*e));
	struct file_cache_cfg files = {
		.max_bytes = cfg->max_cache_bytes ? cfg->max_cache_bytes : DEFAULT_CACHE_BYTES,
		.no_lines = cfg->no_lines,
	};

	if (!e)
		return NULL;
	e->cfg = *cfg;
	e->strings = string_pool__new(STRINGS_MAX_BYTES);
	files.strings = e->strings;
	files.opener = &e->cfg.opener;
	e->files = e->strings ? file_cache__new(&files) : NULL;
	if (!e->files) {
		engine__free(e);
		return NULL;
	}
	return e;
}

void engine__free(struct engine *e)
{
	if (!e)
		return;
	file_cache__free(e->files);
	string_pool__free(e->strings);
	free(e);
}

size_t engine__held(const struct engine *e)
{
	return file_cache__held(e->files) + string_pool__held(e->strings);
}

/* ---- what could not be read ---- */

__attribute__((format(printf, 2, 3)))
static void say_not_seen(struct engine_target *t, const char *fmt, ...)
{
	char text[512];
	const char *kept;
	va_list ap;
	size_t i;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kept = string_pool__keep(t->engine->strings, text);
	for (i = 0; i < t->not_seen_cnt; i++) {
		if (t->not_seen[i] == kept)
			return;
	}
	if (kept && t->not_seen_cnt < NOT_SEEN_MAX)
		t->not_seen[t->not_seen_cnt++] = kept;
}

const char *const *engine_target__not_seen(struct engine_target *t)
{
	return t->not_seen;
}

/* ---- areas ---- */

static const char *keep(struct engine_target *t, const char *text)
{
	return string_pool__keep(t->engine->strings, text);
}

/* The mapping begins on a page, the segment may begin inside it. */
static uint64_t bias_of(const struct elf_file *elf, const struct map_region *r)
{
	uint64_t page_end = sysconf(_SC_PAGESIZE) - 1, vaddr;

	if (!elf_file__offset_to_vaddr(elf, r->offset, &vaddr))
		return r->start - vaddr;
	if (!elf_file__offset_to_vaddr(elf, r->offset + page_end, &vaddr))
		return r->start + page_end - vaddr;
	return r->start - r->offset;
}

static void attach(struct engine_target *t, struct area *a, const struct map_region *r,
		   struct cached_file *file)
{
	const struct elf_file *elf = cached_file__elf(file);

	a->file = file;
	a->bias = bias_of(elf, r);
	a->build_id = keep(t, elf_file__build_id(elf));
	t->file_cnt++;
}

static void open_file(struct engine_target *t, struct area *a, const struct map_region *r)
{
	struct cached_file *file;
	int fd, err;

	a->bias = r->start - r->offset;
	fd = t->file_cnt < FILES_MAX ? opener__open(&t->opener, OPEN_MAPPING, r->start, NULL) :
				       -EMFILE;
	err = fd < 0 ? fd :
		       file_cache__get(t->engine->files, fd, &t->opener, r->start, &file);
	if (!err)
		attach(t, a, r, file);
	else if (err == -ENOEXEC) /* a runtime's own code through a file: memfd, shared memory */
		a->kind = AREA_JIT;
	else
		say_not_seen(t, "%s: cannot be read (%s)", r->path, strerror(-err));
}

/* A copy of what a descriptor (taken over) holds, to be freed; NULL: cannot be read. */
static void *read_image(int fd, size_t *ret_len)
{
	struct stat st;
	void *data = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && st.st_size > 0 && st.st_size <= IMAGE_MAX_BYTES)
		data = malloc(st.st_size);
	if (data && pread(fd, data, st.st_size, 0) != st.st_size) {
		free(data);
		data = NULL;
	}
	close(fd);
	*ret_len = data ? st.st_size : 0;
	return data;
}

/* The kernel's code in the target is an ELF image without a file. */
static void open_vdso(struct engine_target *t, struct area *a, const struct map_region *r)
{
	struct cached_file *file;
	void *data;
	size_t len;

	a->bias = r->start;
	data = read_image(opener__open(&t->opener, OPEN_VDSO, r->start, NULL), &len);
	if (!data)
		say_not_seen(t, "%s: cannot be read", r->path);
	else if (!file_cache__get_image(t->engine->files, data, len, &file))
		attach(t, a, r, file);
}

static void open_perf_map(struct engine_target *t)
{
	int fd = t->perf_map ? -1 : opener__open(&t->opener, OPEN_PERF_MAP, 0, NULL);

	if (fd >= 0)
		perf_map__open_fd(fd, &t->perf_map);
}

static void open_jit(struct engine_target *t, struct area *a)
{
	if (!a->module || !*a->module)
		a->module = "[jit]";
	open_perf_map(t);
}

static void open_area(struct engine_target *t, struct area *a, const struct map_region *r)
{
	a->start = r->start;
	a->end = r->end;
	a->file_offset = r->offset;
	a->inode = r->inode;
	a->dev_major = r->dev_major;
	a->dev_minor = r->dev_minor;
	a->module = keep(t, r->path);
	if (!strcmp(r->path, "[uprobes]"))
		a->kind = AREA_TRAMPOLINE;
	else if (!strcmp(r->path, "[vdso]"))
		open_vdso(t, a, r);
	else if (r->inode && r->path[0] == '/')
		open_file(t, a, r);
	else if (strcmp(r->path, "[vsyscall]"))
		a->kind = AREA_JIT;
	if (a->kind == AREA_JIT)
		open_jit(t, a);
}

static struct area *area_at(const struct areas *areas, uint64_t address)
{
	size_t lo = 0, hi = areas->cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (address >= areas->items[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < areas->cnt && address >= areas->items[lo].start ? &areas->items[lo] : NULL;
}

static int is_same(const struct area *a, const struct map_region *r)
{
	return a->start == r->start && a->end == r->end && a->file_offset == r->offset &&
	       a->inode == r->inode && a->dev_major == r->dev_major &&
	       a->dev_minor == r->dev_minor;
}

static size_t executable_cnt(const struct maps *maps)
{
	size_t i, cnt = 0;

	for (i = 0; i < maps__cnt(maps); i++)
		cnt += maps__at(maps, i)->executable;
	return cnt < AREAS_MAX ? cnt : AREAS_MAX;
}

/* The executable mappings of now, taken over from the areas that are known already, or opened. */
static void fill_areas(struct engine_target *t, const struct maps *maps, struct areas *now,
		       size_t cap)
{
	const struct map_region *r;
	struct area *known;
	size_t i;

	for (i = 0; i < maps__cnt(maps) && now->cnt < cap; i++) {
		r = maps__at(maps, i);
		if (!r->executable)
			continue;
		known = area_at(&t->areas, r->start);
		if (known && is_same(known, r)) {
			now->items[now->cnt++] = *known;
			known->file = NULL; /* moved */
		} else {
			open_area(t, &now->items[now->cnt++], r);
		}
	}
}

static int overlaps(const struct areas *areas, const struct area *a)
{
	size_t lo = 0, hi = areas->cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (areas->items[mid].end <= a->start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < areas->cnt && areas->items[lo].start < a->end;
}

static int by_start(const void *a_, const void *b_)
{
	const struct area *a = a_, *b = b_;

	return a->start < b->start ? -1 : a->start > b->start;
}

static void drop_area(struct engine_target *t, struct area *a)
{
	if (a->file)
		t->file_cnt--;
	file_cache__put(t->engine->files, a->file);
	a->file = NULL;
}

/* Areas that are unmapped by now keep their place while nothing else stands there. */
static void keep_unmapped(struct engine_target *t, struct areas *now)
{
	size_t mapped = now->cnt, i;
	struct areas current = {now->items, mapped};

	for (i = 0; i < t->areas.cnt; i++) {
		if (now->cnt < AREAS_MAX && !overlaps(&current, &t->areas.items[i]))
			now->items[now->cnt++] = t->areas.items[i];
		else
			drop_area(t, &t->areas.items[i]);
	}
	if (now->cnt > mapped)
		qsort(now->items, now->cnt, sizeof(*now->items), by_start);
}

static int take_maps(struct engine_target *t, const struct maps *maps)
{
	size_t cap = executable_cnt(maps);
	struct areas now = {};

	now.items = calloc(cap + t->areas.cnt + 1, sizeof(*now.items));
	if (!now.items)
		return -ENOMEM;
	fill_areas(t, maps, &now, cap);
	keep_unmapped(t, &now);
	free(t->areas.items);
	t->areas = now;
	return 0;
}

static int read_maps(struct engine_target *t)
{
	struct maps *maps;
	int fd, err;

	fd = opener__open(&t->opener, OPEN_MAPS, 0, NULL);
	t->is_gone = fd == -ESRCH;
	err = fd < 0 ? fd : maps__read_fd(fd, &maps);
	if (err)
		return err;
	err = take_maps(t, maps);
	maps__free(maps);
	return err;
}

/* ---- targets ---- */

int engine_target__new(struct engine *e, const struct opener *opener,
		       struct engine_target **ret_target)
{
	struct engine_target *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->engine = e;
	t->opener = *opener;
	err = read_maps(t);
	if (err) {
		engine_target__free(t);
		return err;
	}
	*ret_target = t;
	return 0;
}

void engine_target__free(struct engine_target *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->areas.cnt; i++)
		file_cache__put(t->engine->files, t->areas.items[i].file);
	free(t->areas.items);
	perf_map__free(t->perf_map);
	free(t);
}

/* Garbage addresses are common: the longer rereading the mappings was in vain, the rarer it is. */
static struct area *find_area(struct engine_target *t, uint64_t address)
{
	struct area *a = area_at(&t->areas, address);

	if (a || t->misses++ < t->patience || t->is_gone)
		return a;
	t->misses = 0;
	if (!read_maps(t))
		a = area_at(&t->areas, address);
	t->patience = a ? 0 : t->patience < 4096 ? 2 * t->patience + 1 : t->patience;
	return a;
}

/* ---- walking ---- */

static int find_module(void *ctx, uint64_t address, struct unwind_module *ret_module)
{
	struct engine_target *t = ctx;
	struct area *a = find_area(t, address);

	if (!a)
		return -ENOENT;
	ret_module->bias = a->bias;
	ret_module->is_jit = a->kind == AREA_JIT;
	ret_module->is_trampoline = a->kind == AREA_TRAMPOLINE;
	if (!a->file)
		return 0;
	ret_module->elf = cached_file__elf(a->file);
	ret_module->table = cached_file__unwind(t->engine->files, a->file);
	if (!ret_module->table)
		say_not_seen(t, "%s: no unwind information", a->module);
	return 0;
}

static int is_named(struct engine_target *t, uint64_t ip, const char *const *names)
{
	const struct area *a = area_at(&t->areas, ip - 1);
	struct elf_symbol symbol;

	if (!a || !a->file ||
	    cached_file__function_at(t->engine->files, a->file, ip - 1 - a->bias, &symbol))
		return 0;
	while (*names && strcmp(*names, symbol.name))
		names++;
	return !!*names;
}

/* A C library without unwind tables (musl) still began the chain: the outermost frames hold main,
 * or one that is known by name as the place where threads begin. */
static int is_whole(struct engine_target *t, const uint64_t *ips, int cnt)
{
	static const char *const names[] = {"main",	    "__libc_start_main", "_start",
					    "_start_c",	    "start_thread",	 "__clone",
					    "clone",	    NULL};
	int i;

	for (i = cnt - 1; i > 0 && i >= cnt - START_FRAMES; i--) {
		if (is_named(t, ips[i], names))
			return 1;
	}
	return 0;
}

int engine_target__walk(struct engine_target *t, const struct seep_regs *regs, const void *stack,
			size_t stack_bytes, uint64_t *ips, int cap, enum unwind_end *ret_end)
{
	int cnt;

	cnt = unwind__walk(regs, stack, stack_bytes, find_module, t, ips, cap, ret_end);
	if (*ret_end == UNWIND_NO_TABLE && is_whole(t, ips, cnt))
		*ret_end = UNWIND_OUTERMOST;
	return cnt;
}

/* ---- naming ---- */

/* "JS:~leak /srv/app.js:12:5", "py::leak:/srv/app.py": runtimes put the source into the name. */
static void name_jit(struct engine_target *t, const char *name, struct frame *f)
{
	char function[512], file[512];
	unsigned line;

	if (sscanf(name, "py::%511[^:]:%511[^\n]", function, file) == 2) {
		f->kind = FRAME_PYTHON;
	} else if (sscanf(name, "%*[A-Za-z]:%511s %511[^:]:%u", function, file, &line) == 3) {
		f->kind = FRAME_NODE;
		f->line = line;
	} else {
		f->function = keep(t, name);
		return;
	}
	f->function = keep(t, function + strspn(function, "~*^+"));
	f->file = keep(t, file);
}

static int jit_frame(struct engine_target *t, struct frame *f, int is_return)
{
	const char *name;
	uint64_t start;

	open_perf_map(t);
	if (!t->perf_map ||
	    perf_map__find(t->perf_map, f->address - !!is_return, &name, &start)) {
		say_not_seen(t, "%s: generated code without a perf map", f->module);
		return 1;
	}
	name_jit(t, name, f);
	f->offset = f->address - start;
	return 1;
}

static int file_frames(struct engine_target *t, const struct area *a, uint64_t address,
		       int is_return, struct frame *frames, int cap)
{
	int cnt, i;

	cnt = cached_file__frames(t->engine->files, a->file, address - a->bias, is_return, frames,
				  cap);
	for (i = 0; i < cnt; i++) {
		frames[i].address = address;
		frames[i].module = a->module;
		frames[i].build_id = a->build_id;
	}
	if (cached_file__lines_too_large(a->file))
		say_not_seen(t, "%s: debug information too large, no lines", a->module);
	if (cached_file__split_missing(a->file))
		say_not_seen(t, "%s: inlined functions (its .dwo files are not read)", a->module);
	if (!frames[cnt - 1].function && !cached_file__has_symbols(a->file))
		say_not_seen(t, "%s: stripped, only what it exports has a name (its debug symbols "
			     "are not installed)", a->module);
	return cnt;
}

int engine_target__frames(struct engine_target *t, uint64_t address, int is_return,
			  struct frame *frames, int cap)
{
	const struct area *a = find_area(t, address - !!is_return);

	memset(frames, 0, sizeof(*frames));
	frames->address = address;
	if (!a)
		return 1;
	if (a->file)
		return file_frames(t, a, address, is_return, frames, cap);
	frames->module = a->module;
	frames->offset = address - a->bias;
	return a->kind == AREA_JIT ? jit_frame(t, frames, is_return) : 1;
}
