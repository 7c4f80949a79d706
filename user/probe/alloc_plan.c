// SPDX-License-Identifier: BSD-2-Clause
#include "alloc_plan.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../sym/maps.h"
#include "placement.h"

#define MODULES_MAX    SEEP_ALLOCATOR_TEXTS
#define POINTS_MAX     256
#define FILES_MAX      4096 /* mapped files that are looked into */
#define THUNKS_MAX     4    /* jumps that are followed from a function to where it really is */
#define CODE_BYTES     4096 /* of a function that are looked at */
#define CODE_BYTES_MIN 32   /* of one whose size is unknown */
#define EXITS_MAX      32   /* instructions by which one returns */

struct alloc_plan {
	pid_t pid;
	int at_entry;
	struct stat program;
	struct maps *maps;
	struct alloc_module modules[MODULES_MAX];
	size_t module_cnt;
	struct alloc_point points[POINTS_MAX];
	size_t point_cnt;
};

/* ---- places in a file -------------------------------------------------------------------- */

/* A function's code; never more than the file has. NULL = not in the file. */
static const uint8_t *code_at(struct elf_file *e, uint64_t vaddr, uint64_t size,
			      uint64_t *ret_offset, size_t *ret_len)
{
	uint64_t end, len = size ? size : CODE_BYTES_MIN;

	if (elf_file__vaddr_to_offset(e, vaddr, ret_offset) ||
	    elf_file__segment_end(e, vaddr, &end) || end <= vaddr)
		return NULL;
	if (len > CODE_BYTES)
		len = CODE_BYTES;
	if (len > end - vaddr)
		len = end - vaddr;
	*ret_len = len;
	return elf_file__bytes(e, *ret_offset, len);
}

/* A stub of the procedure linkage table: leads out of the file. */
static int is_plt(struct elf_file *e, uint64_t vaddr)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	uint64_t offset;
	size_t len;
	const uint8_t *code = code_at(e, vaddr, 16, &offset, &len);

	if (!code || len < 8)
		return 0;
	if (elf_file__machine(e) == EM_AARCH64)
		return (code[0] & 0x1f) == 16 && (code[3] & 0x9f) == 0x90; /* adrp x16 */
	if (!memcmp(code, endbr64, sizeof(endbr64)))
		code += sizeof(endbr64);
	if (code[0] == 0xf2)
		code++;
	return code[0] == 0xff && code[1] == 0x25; /* jmp through memory */
}

static uint64_t size_at(struct elf_file *e, uint64_t vaddr)
{
	struct elf_symbol symbol;

	return !elf_file__function_at(e, vaddr, &symbol) && symbol.vaddr == vaddr ? symbol.size : 0;
}

/* Go from a function that only jumps to the one that does the work. */
static void follow_thunks(struct elf_file *e, struct elf_symbol *symbol)
{
	uint64_t offset, target;
	const uint8_t *code;
	int64_t distance;
	size_t len;
	int i;

	for (i = 0; i < THUNKS_MAX; i++) {
		code = code_at(e, symbol->vaddr, symbol->size, &offset, &len);
		if (!code || !placement__thunk(elf_file__machine(e), code, len, &distance))
			return;
		target = symbol->vaddr + distance;
		if (!code_at(e, target, 0, &offset, &len) || is_plt(e, target))
			return;
		symbol->vaddr = target;
		symbol->size = size_at(e, target);
	}
}

/* ---- points ------------------------------------------------------------------------------ */

static const struct map_region *region_of(const struct alloc_plan *p, const struct map_region *file,
					  uint64_t offset)
{
	const struct map_region *r;
	size_t i;

	for (i = 0; i < maps__cnt(p->maps); i++) {
		r = maps__at(p->maps, i);
		if (r->executable && r->inode == file->inode && r->dev_major == file->dev_major &&
		    r->dev_minor == file->dev_minor && offset >= r->offset &&
		    offset - r->offset < r->end - r->start)
			return r;
	}
	return NULL;
}

static int is_known(const struct alloc_plan *p, size_t module, uint64_t offset)
{
	size_t i;

	for (i = 0; i < p->point_cnt; i++)
		if (p->points[i].module == module && p->points[i].kind != SEEP_ALLOC_NEW_EXIT &&
		    p->points[i].file_offset - p->points[i].info.offset == offset)
			return 1;
	return 0;
}

static uint64_t cookie_of(const struct alloc_plan *p, const struct alloc_point *point,
			  const struct allocator_function *fn, const struct placement *place)
{
	const struct alloc_module *m = &p->modules[point->module];
	uint64_t cookie = SEEP_SITE(point->kind, point->module);
	int is_mapping = point->kind == SEEP_ALLOC_MMAP || point->kind == SEEP_ALLOC_MREMAP, i;

	for (i = 0; i < PLACEMENT_ARGS; i++)
		cookie |= SEEP_SITE_ARG(i, place->args[i]);
	if (allocators__may_nest(m->allocator, fn))
		cookie |= SEEP_SITE_FOLLOW;
	if (allocators__moves_alone(m->allocator, fn))
		cookie |= SEEP_SITE_MOVES_ALONE;
	/* in a shared C library only the allocator itself maps memory; in a program anyone */
	if (!is_mapping || m->is_program)
		cookie |= SEEP_SITE_OWN_CALLERS;
	if (!point->info.emulated)
		cookie |= SEEP_SITE_STEPPED;
	return cookie;
}

static void add_point(struct alloc_plan *p, const struct map_region *region, uint64_t offset,
		      const struct allocator_function *fn, enum seep_alloc_kind kind,
		      const struct placement *place)
{
	struct alloc_module *m = &p->modules[p->module_cnt];
	struct alloc_point *point = &p->points[p->point_cnt];

	if (p->point_cnt == POINTS_MAX)
		return;
	*point = (struct alloc_point){
		.info = {.allocator = m->allocator->name,
			 .function = fn->name,
			 .module = m->path,
			 .offset = place->offset,
			 .emulated = place->is_emulated},
		.module = p->module_cnt,
		.kind = kind,
		.file_offset = offset + place->offset,
		.address = region->start + (offset - region->offset) + place->offset,
	};
	point->cookie = cookie_of(p, point, fn, place);
	p->point_cnt++;
}

static int is_point(const struct alloc_plan *p, uint64_t file_offset)
{
	size_t i;

	for (i = 0; i < p->point_cnt; i++)
		if (p->points[i].module == p->module_cnt && p->points[i].file_offset == file_offset)
			return 1;
	return 0;
}

/* The instructions by which a function returns. 0: not all could be found. */
static int add_exits(struct alloc_plan *p, const struct map_region *region, uint64_t vaddr,
		     uint64_t offset, const struct allocator_function *fn)
{
	struct elf_file *e = p->modules[p->module_cnt].elf;
	struct placement place = {.is_emulated = elf_file__machine(e) == EM_AARCH64};
	size_t exits[EXITS_MAX], cnt, i;
	uint64_t end, begin = region->offset;
	const uint8_t *code;

	if (elf_file__segment_end(e, vaddr, &end) || end <= vaddr)
		return 0;
	code = elf_file__bytes(e, begin, offset - begin + (end - vaddr));
	cnt = !code ? 0
		    : placement__exits(elf_file__machine(e), code, offset - begin + (end - vaddr),
				       offset - begin, exits, EXITS_MAX);
	for (i = 0; i < cnt; i++)
		if (!is_point(p, begin + exits[i]))
			add_point(p, region, begin + exits[i], fn, SEEP_ALLOC_NEW_EXIT, &place);
	return cnt > 0;
}

/* Operators that only jump, by way of a table, to another function of the family: seen there. */
static int is_only_jump(struct elf_file *e, const struct elf_symbol *symbol)
{
	uint64_t offset;
	size_t len;
	const uint8_t *code = code_at(e, symbol->vaddr, symbol->size, &offset, &len);
	int64_t distance;

	return code && placement__thunk(elf_file__machine(e), code, len, &distance);
}

static void add_function(struct alloc_plan *p, const struct map_region *file,
			 const struct allocator_function *fn, struct elf_symbol *symbol)
{
	struct alloc_module *m = &p->modules[p->module_cnt];
	const struct map_region *region;
	struct placement place;
	const uint8_t *code;
	uint64_t offset;
	size_t len;
	int is_new = fn->kind == SEEP_ALLOC_NEW || fn->kind == SEEP_ALLOC_NEW_EXIT;

	follow_thunks(m->elf, symbol);
	code = code_at(m->elf, symbol->vaddr, symbol->size, &offset, &len);
	region = code ? region_of(p, file, offset) : NULL;
	if (!region || is_known(p, p->module_cnt, offset) ||
	    ((is_new || fn->kind == SEEP_FREE) && is_only_jump(m->elf, symbol)))
		return;
	if (is_new && !add_exits(p, region, symbol->vaddr, offset, fn)) {
		m->has_unseen_new = 1;
		return;
	}
	if (fn->kind == SEEP_ALLOC_NEW_EXIT)
		return;
	placement__find(elf_file__machine(m->elf), code, len, fn->arg_cnt, &place);
	if (p->at_entry && place.offset)
		place = (struct placement){.args = {0, 1, 2}};
	add_point(p, region, offset, fn, fn->kind, &place);
}

static void add_functions(struct alloc_plan *p, const struct map_region *file,
			  const struct allocator_function *fns, const char *prefix)
{
	struct elf_file *e = p->modules[p->module_cnt].elf;
	struct elf_symbol symbol;
	char name[64];

	for (; fns->name; fns++) {
		snprintf(name, sizeof(name), "%s%s", prefix, fns->name);
		if (!elf_file__find_function(e, name, &symbol))
			add_function(p, file, fns, &symbol);
	}
}

static void add_all_functions(struct alloc_plan *p, const struct map_region *file)
{
	const struct allocator *a = p->modules[p->module_cnt].allocator;
	int i;

	for (i = 0; a->prefixes[i]; i++)
		add_functions(p, file, allocators__functions(), a->prefixes[i]);
	if (a->has_new)
		add_functions(p, file, allocators__operators(), "");
	/* a program that holds an allocator: who maps memory cannot be told by the caller's address */
	if (a->is_libc || !p->modules[p->module_cnt].is_program)
		add_functions(p, file, allocators__mappings(), "");
}

/* ---- files ------------------------------------------------------------------------------- */

/* From the first to the last address where the file is mapped to run. */
static struct seep_span span_of(const struct alloc_plan *p, const struct map_region *file)
{
	struct seep_span span = {.lo = file->start, .bytes = file->end - file->start};
	const struct map_region *r;
	size_t i;

	for (i = 0; i < maps__cnt(p->maps); i++) {
		r = maps__at(p->maps, i);
		if (r->executable && r->inode == file->inode && r->dev_major == file->dev_major &&
		    r->dev_minor == file->dev_minor && r->end > span.lo)
			span.bytes = r->end - span.lo;
	}
	return span;
}

static int is_program(const struct alloc_plan *p, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == p->program.st_dev && st.st_ino == p->program.st_ino;
}

static void add_module(struct alloc_plan *p, const struct map_region *file, struct elf_file *e,
		       const struct allocator *a)
{
	struct alloc_module *m = &p->modules[p->module_cnt];
	size_t before = p->point_cnt;
	struct elf_symbol symbol;

	*m = (struct alloc_module){.elf = e, .allocator = a, .path = strdup(file->path)};
	m->is_program = is_program(p, elf_file__fd(e));
	m->text.span = span_of(p, file);
	m->text.shadows = !a->is_libc && !elf_file__find_function(e, "malloc", &symbol);
	if (m->path)
		add_all_functions(p, file);
	if (p->point_cnt > before) {
		p->module_cnt++;
		return;
	}
	elf_file__close(e);
	free(m->path);
}

/* A file may be mapped in several pieces with others in between. */
static int is_module(const struct alloc_plan *p, const struct map_region *file)
{
	size_t i;

	for (i = 0; i < p->module_cnt; i++)
		if (file->start - p->modules[i].text.span.lo < p->modules[i].text.span.bytes)
			return 1;
	return 0;
}

static void look_into(struct alloc_plan *p, const struct map_region *file)
{
	const struct allocator *a;
	struct elf_file *e;
	int fd = is_module(p, file) ? -1 : maps__open_file(p->pid, file);

	if (fd < 0 || elf_file__open_fd(fd, &e))
		return;
	a = allocators__recognise(e);
	if (a)
		add_module(p, file, e, a);
	else
		elf_file__close(e);
}

/* The first mapping of each file that may run: files lie in one piece, so the last one is asked. */
static int is_new_file(const struct map_region *r, const struct map_region *last)
{
	return !last || r->inode != last->inode || r->dev_major != last->dev_major ||
	       r->dev_minor != last->dev_minor;
}

static int scan(struct alloc_plan *p)
{
	const struct map_region *r, *last = NULL;
	size_t i, files = 0;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/exe", p->pid);
	if (stat(path, &p->program))
		return errno == ENOENT ? -ESRCH : -errno;
	err = maps__read(p->pid, &p->maps);
	if (err)
		return err;
	for (i = 0; i < maps__cnt(p->maps) && p->module_cnt < MODULES_MAX; i++) {
		r = maps__at(p->maps, i);
		if (!r->executable || !r->inode || !is_new_file(r, last))
			continue;
		if (files++ < FILES_MAX)
			look_into(p, r);
		last = r;
	}
	return p->point_cnt ? 0 : -ENOENT;
}

static void explain(pid_t pid, int err, char *why, size_t why_cap)
{
	if (err == -ENOENT)
		snprintf(why, why_cap,
			 "no known allocator in process %d (a stripped static program, "
			 "or a runtime with its own heap)",
			 pid);
	else
		snprintf(why, why_cap, "cannot read the mappings of process %d: %s", pid,
			 strerror(-err));
}

int alloc_plan__new(pid_t pid, int at_entry, struct alloc_plan **ret_plan, char *why,
		    size_t why_cap)
{
	struct alloc_plan *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->at_entry = at_entry;
	err = scan(p);
	if (err) {
		explain(pid, err, why, why_cap);
		alloc_plan__free(p);
		return err;
	}
	*ret_plan = p;
	return 0;
}

void alloc_plan__free(struct alloc_plan *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->module_cnt; i++) {
		elf_file__close(p->modules[i].elf);
		free(p->modules[i].path);
	}
	maps__free(p->maps);
	free(p);
}

size_t alloc_plan__modules(const struct alloc_plan *p, const struct alloc_module **ret_modules)
{
	*ret_modules = p->modules;
	return p->module_cnt;
}

size_t alloc_plan__points(const struct alloc_plan *p, const struct alloc_point **ret_points)
{
	*ret_points = p->points;
	return p->point_cnt;
}

/* ---- code spans -------------------------------------------------------------------------- */

static void extend(struct seep_span *span, const struct map_region *r)
{
	uint64_t end = span->lo + span->bytes;

	if (!span->bytes || r->start < span->lo)
		span->lo = r->start;
	if (r->end > end)
		end = r->end;
	span->bytes = end - span->lo;
}

int alloc_plan__code(pid_t pid, struct seep_span ret_spans[SEEP_CODE_SPANS], size_t *ret_cnt)
{
	struct seep_span spans[SEEP_CODE_SPANS] = {};
	const struct map_region *r, *program = NULL;
	struct maps *maps;
	size_t i, cnt = 0;
	int err = maps__read(pid, &maps);

	if (err)
		return err;
	for (i = 0; i < maps__cnt(maps); i++) {
		r = maps__at(maps, i);
		if (!r->executable || r->path[0] == '[')
			continue;
		if (!program && r->inode)
			program = r; /* the lowest: the program itself, or at least one file */
		cnt++;
		extend(&spans[r->inode && r->inode == program->inode ? 0 : 1], r);
	}
	memcpy(ret_spans, spans, sizeof(spans));
	if (ret_cnt)
		*ret_cnt = cnt;
	maps__free(maps);
	return 0;
}
