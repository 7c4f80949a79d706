// SPDX-License-Identifier: BSD-2-Clause
/* alloc_scan.c - see alloc_scan.h; runs inside of a sandbox. */
#include "alloc_scan.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../sym/elf_file.h"
#include "../sym/maps.h"
#include "allocators.h"

#define FILES_MAX      4096 /* mapped files that are looked into */
#define THUNKS_MAX     4    /* jumps that are followed from a function to where it really is */
#define CODE_BYTES     4096 /* of a function that are looked at */
#define CODE_BYTES_MIN 32   /* of one whose size is unknown */
#define EXITS_MAX      32   /* instructions by which one returns */

struct scan {
	struct opener opener;
	struct scan_question question;
	struct maps *maps;
	struct elf_file *elf; /* of the module that is looked at */
	struct scan_answer found;
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

static int is_of_file(const struct map_region *r, const struct map_region *file)
{
	return r->executable && r->inode == file->inode && r->dev_major == file->dev_major &&
	       r->dev_minor == file->dev_minor;
}

static const struct map_region *region_of(const struct scan *s, const struct map_region *file,
					  uint64_t offset)
{
	const struct map_region *r;
	size_t i;

	for (i = 0; i < maps__cnt(s->maps); i++) {
		r = maps__at(s->maps, i);
		if (is_of_file(r, file) && offset >= r->offset &&
		    offset - r->offset < r->end - r->start)
			return r;
	}
	return NULL;
}

static int is_known(const struct scan *s, uint64_t offset)
{
	const struct scan_point *p;
	uint32_t i;

	for (i = 0; i < s->found.point_cnt; i++) {
		p = &s->found.points[i];
		if (p->module == s->found.module_cnt && !p->is_exit && p->offset == offset)
			return 1;
	}
	return 0;
}

/* Which one of the tables of functions. */
struct entry {
	enum allocator_table table;
	size_t index;
};

static const struct allocator_function *function_of(const struct entry *entry)
{
	return allocators__function(entry->table, entry->index);
}

static void add_point(struct scan *s, uint64_t offset, const struct entry *entry, int is_exit,
		      const struct placement *place)
{
	if (s->found.point_cnt == SCAN_POINTS_MAX)
		return;
	s->found.points[s->found.point_cnt++] = (struct scan_point){
		.offset = offset,
		.place = *place,
		.function = entry->index,
		.table = entry->table,
		.module = s->found.module_cnt,
		.is_exit = is_exit,
	};
}

static int is_point(const struct scan *s, uint64_t offset)
{
	const struct scan_point *p;
	uint32_t i;

	for (i = 0; i < s->found.point_cnt; i++) {
		p = &s->found.points[i];
		if (p->module == s->found.module_cnt && p->offset + p->place.offset == offset)
			return 1;
	}
	return 0;
}

/* The instructions by which a function returns. 0: not all could be found. */
static int add_exits(struct scan *s, const struct map_region *region, uint64_t vaddr,
		     uint64_t offset, const struct entry *entry)
{
	struct placement place = {.is_emulated = elf_file__machine(s->elf) == EM_AARCH64};
	size_t exits[EXITS_MAX], cnt, i;
	uint64_t end, begin = region->offset;
	const uint8_t *code;

	if (elf_file__segment_end(s->elf, vaddr, &end) || end <= vaddr)
		return 0;
	code = elf_file__bytes(s->elf, begin, offset - begin + (end - vaddr));
	cnt = !code ? 0
		    : placement__exits(elf_file__machine(s->elf), code,
				       offset - begin + (end - vaddr), offset - begin, exits,
				       EXITS_MAX);
	for (i = 0; i < cnt; i++)
		if (!is_point(s, begin + exits[i]))
			add_point(s, begin + exits[i], entry, 1, &place);
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

static void add_function(struct scan *s, const struct map_region *file, const struct entry *entry,
			 struct elf_symbol *symbol)
{
	const struct allocator_function *fn = function_of(entry);
	const struct map_region *region;
	struct placement place;
	const uint8_t *code;
	uint64_t offset;
	size_t len;
	int is_new = fn->kind == SEEP_ALLOC_NEW || fn->kind == SEEP_ALLOC_NEW_EXIT;

	follow_thunks(s->elf, symbol);
	code = code_at(s->elf, symbol->vaddr, symbol->size, &offset, &len);
	region = code ? region_of(s, file, offset) : NULL;
	if (!region || is_known(s, offset) ||
	    ((is_new || fn->kind == SEEP_FREE) && is_only_jump(s->elf, symbol)))
		return;
	if (is_new && !add_exits(s, region, symbol->vaddr, offset, entry)) {
		s->found.modules[s->found.module_cnt].has_unseen_new = 1;
		return;
	}
	if (fn->kind == SEEP_ALLOC_NEW_EXIT)
		return;
	placement__find(elf_file__machine(s->elf), code, len, fn->arg_cnt, &place);
	if (s->question.at_entry && place.offset)
		place = (struct placement){.args = {0, 1, 2}};
	add_point(s, offset, entry, 0, &place);
}

static void add_functions(struct scan *s, const struct map_region *file,
			  enum allocator_table table, const char *prefix)
{
	struct entry entry = {.table = table};
	struct elf_symbol symbol;
	char name[64];

	for (; function_of(&entry); entry.index++) {
		snprintf(name, sizeof(name), "%s%s", prefix, function_of(&entry)->name);
		if (!elf_file__find_function(s->elf, name, &symbol))
			add_function(s, file, &entry, &symbol);
	}
}

static void add_all_functions(struct scan *s, const struct map_region *file,
			      const struct allocator *a, int is_program)
{
	int i;

	for (i = 0; a->prefixes[i]; i++)
		add_functions(s, file, ALLOCATOR_FUNCTIONS, a->prefixes[i]);
	if (a->has_new)
		add_functions(s, file, ALLOCATOR_OPERATORS, "");
	/* a program that holds an allocator: who maps memory cannot be told by the caller's address */
	if (a->is_libc || !is_program)
		add_functions(s, file, ALLOCATOR_MAPPINGS, "");
}

/* ---- files ------------------------------------------------------------------------------- */

static int is_program(const struct scan *s, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == s->question.program_dev &&
	       st.st_ino == s->question.program_inode;
}

static void add_module(struct scan *s, const struct map_region *file, const struct allocator *a)
{
	struct scan_module *m = &s->found.modules[s->found.module_cnt];
	uint32_t before = s->found.point_cnt;
	struct elf_symbol symbol;

	*m = (struct scan_module){.start = file->start, .allocator = allocators__index(a)};
	m->has_malloc = !elf_file__find_function(s->elf, "malloc", &symbol);
	add_all_functions(s, file, a, is_program(s, elf_file__fd(s->elf)));
	if (s->found.point_cnt > before)
		s->found.module_cnt++;
}

/* A file may be mapped in several pieces with others in between. */
static int is_module(const struct scan *s, const struct map_region *file)
{
	const struct map_region *first;
	uint32_t i;

	for (i = 0; i < s->found.module_cnt; i++) {
		first = maps__find(s->maps, s->found.modules[i].start);
		if (first && is_of_file(file, first))
			return 1;
	}
	return 0;
}

static void look_into(struct scan *s, const struct map_region *file)
{
	const struct allocator *a;
	int fd = is_module(s, file) ? -1 :
				      opener__open(&s->opener, OPEN_MAPPING, file->start, NULL);

	if (fd < 0 || elf_file__open_fd(fd, &s->elf))
		return;
	a = allocators__recognise(s->elf);
	if (a)
		add_module(s, file, a);
	elf_file__close(s->elf);
}

/* The first mapping of each file that may run: files lie in one piece, so the last one is asked. */
static int is_new_file(const struct map_region *r, const struct map_region *last)
{
	return !last || r->inode != last->inode || r->dev_major != last->dev_major ||
	       r->dev_minor != last->dev_minor;
}

static int scan(struct scan *s)
{
	const struct map_region *r, *last = NULL;
	size_t i, files = 0;
	int fd, err;

	fd = opener__open(&s->opener, OPEN_MAPS, 0, NULL);
	err = fd < 0 ? fd : maps__read_fd(fd, &s->maps);
	for (i = 0; !err && i < maps__cnt(s->maps) && s->found.module_cnt < SEEP_ALLOCATOR_TEXTS;
	     i++) {
		r = maps__at(s->maps, i);
		if (!r->executable || !r->inode || !is_new_file(r, last))
			continue;
		if (files++ < FILES_MAX)
			look_into(s, r);
		last = r;
	}
	return err;
}

void alloc_scan__run(int sock)
{
	struct session_asker asker = {.sock = sock};
	struct scan *s = calloc(1, sizeof(*s));
	struct buf question = {}, answer = {};
	uint32_t type;

	if (!s || session__next(sock, &type, &question) || question.len != sizeof(s->question)) {
		free(s);
		return;
	}
	memcpy(&s->question, question.data, sizeof(s->question));
	s->opener = session__opener(&asker);
	s->found.err = -scan(s);
	buf__append(&answer, &s->found, sizeof(s->found));
	session__answer(sock, type, &answer);
	free(s); /* what else it holds ends with the process */
}
