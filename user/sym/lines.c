/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lines.c - libdw asked for functions and inlined calls; lines come from line_table.c, because
 * libdw keeps 40 bytes for each row of every line table it has looked at.
 *
 * Read, not mapped: see image.h. Compilation units are indexed by address once (few compilers
 * write a complete .debug_aranges); a unit's functions are indexed when the first address in it
 * is looked up, so cost and memory follow what is asked for. libdw would open other files that
 * the debug information names; that is allowed for regular files only.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "line_table.h"
#include "lines.h"

#define UNITS_MAX	 (1u << 18)
#define RANGES_MAX	 (4u << 20) /* of all units, or of one unit's functions */
#define DIES_MAX	 (8u << 20) /* looked at in one unit */
#define SCOPE_DEPTH_MAX	 24	    /* of namespaces and classes */
#define INLINE_DEPTH_MAX 64
#define LOOK_BACK	 64	    /* overlapping ranges that are tried */

struct range {
	uint64_t begin, end;
	uint64_t reach; /* highest end up to here: how far back a search has to look */
	uint64_t what;	/* offset of a function's DIE, or number of a unit */
};

struct ranges {
	struct range *items;
	size_t cnt, cap;
};

struct unit {
	Dwarf_Die die;	/* of the skeleton, where the unit is split */
	Dwarf_Die full; /* where the functions are */
	struct ranges functions;
	struct line_table *lines; /* NULL: none */
	int is_indexed, is_split;
};

struct lines {
	int fd, alt_fd;
	Elf *elf;
	Dwarf *dwarf, *alt;
	struct line_sections sections;
	struct unit *units;
	size_t unit_cnt, unit_cap;
	struct ranges by_address;
	size_t held;
	int split_missing; /* a unit's other half is in a file that could not be had */
};

/* ---- ranges ---- */

static int add_range(struct ranges *r, uint64_t begin, uint64_t end, uint64_t what)
{
	size_t cap = r->cap ? 2 * r->cap : 16;
	struct range *items;

	if (!begin || end <= begin) /* the linker dropped it */
		return 0;
	if (r->cnt == r->cap) {
		items = r->cnt < RANGES_MAX ? reallocarray(r->items, cap, sizeof(*items)) : NULL;
		if (!items)
			return -ENOMEM;
		r->items = items;
		r->cap = cap;
	}
	r->items[r->cnt++] = (struct range){.begin = begin, .end = end, .what = what};
	return 0;
}

/* All address ranges of a DIE. */
static int add_die(struct ranges *r, Dwarf_Die *die, uint64_t what)
{
	Dwarf_Addr base, begin, end;
	ptrdiff_t offset = 0;
	int err = 0;

	while (!err && (offset = dwarf_ranges(die, offset, &base, &begin, &end)) > 0)
		err = add_range(r, begin, end, what);
	return err;
}

static int by_begin(const void *a_, const void *b_)
{
	const struct range *a = a_, *b = b_;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->end > b->end ? -1 : a->end < b->end;
}

static void sort_ranges(struct ranges *r)
{
	uint64_t reach = 0;
	size_t i;

	if (r->cnt)
		qsort(r->items, r->cnt, sizeof(*r->items), by_begin);
	for (i = 0; i < r->cnt; i++) {
		if (r->items[i].end > reach)
			reach = r->items[i].end;
		r->items[i].reach = reach;
	}
}

static const struct range *find_range(const struct ranges *r, uint64_t address)
{
	size_t lo = 0, hi = r->cnt, mid, tries;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (r->items[mid].begin <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (tries = 0; lo && r->items[lo - 1].reach > address && tries < LOOK_BACK; tries++) {
		if (address < r->items[--lo].end)
			return &r->items[lo];
	}
	return NULL;
}

/* ---- units ---- */

static int add_unit(struct lines *l, Dwarf_Die *die)
{
	size_t cap = l->unit_cap ? 2 * l->unit_cap : 64;
	struct unit *units;

	if (l->unit_cnt == l->unit_cap) {
		units = l->unit_cnt < UNITS_MAX ? reallocarray(l->units, cap, sizeof(*units))
						: NULL;
		if (!units)
			return -ENOMEM;
		l->units = units;
		l->unit_cap = cap;
	}
	l->units[l->unit_cnt] = (struct unit){.die = *die, .full = *die};
	return add_die(&l->by_address, die, l->unit_cnt++);
}

static int index_units(struct lines *l)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Half version;
	Dwarf_Die die;
	uint8_t type;
	int err = 0;

	while (!err && !dwarf_get_units(l->dwarf, unit, &unit, &version, &type, &die, NULL)) {
		if (type == DW_UT_compile || type == DW_UT_skeleton)
			err = add_unit(l, &die);
	}
	sort_ranges(&l->by_address);
	l->held += l->unit_cap * sizeof(*l->units) + l->by_address.cap * sizeof(struct range);
	return err;
}

static int is_regular(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

static const char *string_of(Dwarf_Die *die, unsigned attribute, unsigned or_attribute)
{
	Dwarf_Attribute attr;
	const char *text;

	if (!dwarf_attr(die, attribute, &attr) && !dwarf_attr(die, or_attribute, &attr))
		return NULL;
	text = dwarf_formstring(&attr);
	return text;
}

/* May libdw look for the .dwo file of this skeleton? (A package file, .dwp, is its own to find.) */
static int may_open_split(Dwarf_Die *die)
{
	const char *name = string_of(die, DW_AT_dwo_name, DW_AT_GNU_dwo_name);
	const char *dir = string_of(die, DW_AT_comp_dir, DW_AT_comp_dir);
	char path[PATH_MAX];
	struct stat st;

	if (!name)
		return 0;
	if (name[0] == '/' || !dir)
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%s/%s", dir, name);
	return is_regular(path) || stat(path, &st);
}

static void find_full(struct lines *l, struct unit *u)
{
	Dwarf_Half version;
	Dwarf_Die full;
	uint8_t type;

	if (dwarf_cu_info(u->die.cu, &version, &type, NULL, NULL, NULL, NULL, NULL) ||
	    type != DW_UT_skeleton || !may_open_split(&u->die))
		return;
	if (dwarf_cu_info(u->die.cu, &version, &type, NULL, &full, NULL, NULL, NULL) || !full.cu) {
		l->split_missing = 1;
		return;
	}
	u->full = full;
	u->is_split = 1;
}

/* ---- functions of a unit ---- */

struct scan {
	struct ranges *functions;
	unsigned dies;
};

static int is_scope(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return 1;
	default:
		return 0;
	}
}

static int scan_functions(struct scan *scan, Dwarf_Die *parent, unsigned depth)
{
	Dwarf_Die die;
	int err = 0, tag;

	if (depth > SCOPE_DEPTH_MAX || dwarf_child(parent, &die))
		return 0;
	do {
		if (++scan->dies > DIES_MAX)
			return -E2BIG;
		tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram)
			err = add_die(scan->functions, &die, dwarf_dieoffset(&die));
		else if (is_scope(tag) && dwarf_haschildren(&die) > 0)
			err = scan_functions(scan, &die, depth + 1);
	} while (!err && !dwarf_siblingof(&die, &die));
	return err;
}

static void open_table(struct lines *l, struct unit *u)
{
	const char *dir = string_of(&u->die, DW_AT_comp_dir, DW_AT_comp_dir);
	Dwarf_Attribute attr;
	Dwarf_Word offset;

	if (!dwarf_attr(&u->die, DW_AT_stmt_list, &attr) || dwarf_formudata(&attr, &offset) ||
	    line_table__new(&l->sections, offset, dir, &u->lines))
		return;
	l->held += line_table__held(u->lines);
}

static void index_functions(struct lines *l, struct unit *u)
{
	struct scan scan = {.functions = &u->functions};

	if (u->is_indexed)
		return;
	u->is_indexed = 1;
	find_full(l, u);
	scan_functions(&scan, &u->full, 0); /* what was found before a bound was hit counts */
	sort_ranges(&u->functions);
	open_table(l, u);
	l->held += u->functions.cap * sizeof(struct range);
}

/* ---- one address ---- */

static const char *name_of(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
		name = dwarf_formstring(&attr);
	return name ? name : dwarf_diename(die);
}

static int is_block(int tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

static int find_block(Dwarf_Die *parent, uint64_t address, Dwarf_Die *ret_die)
{
	Dwarf_Die die;

	if (dwarf_child(parent, &die))
		return 0;
	do {
		if (is_block(dwarf_tag(&die)) && dwarf_haspc(&die, address) == 1) {
			*ret_die = die;
			return 1;
		}
	} while (!dwarf_siblingof(&die, &die));
	return 0;
}

/* The function and what is inlined at the address, outermost first. */
static int find_chain(Dwarf_Die function, uint64_t address, Dwarf_Die chain[INLINE_DEPTH_MAX])
{
	Dwarf_Die die = function, next;
	int cnt = 0, depth;

	chain[cnt++] = function;
	for (depth = 0; depth < 4 * INLINE_DEPTH_MAX && find_block(&die, address, &next); depth++) {
		die = next;
		if (dwarf_tag(&die) != DW_TAG_inlined_subroutine)
			continue;
		if (cnt == INLINE_DEPTH_MAX)
			break;
		chain[cnt++] = die;
	}
	return cnt;
}

static uint32_t number_of(Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (!dwarf_attr(die, attribute, &attr) || dwarf_formudata(&attr, &value) ||
	    value > UINT32_MAX)
		return 0;
	return value;
}

/* A split unit numbers its files by a table in the .dwo file, which libdw knows. */
static const char *split_file(struct unit *u, uint32_t file)
{
	Dwarf_Files *files;
	size_t cnt;

	if (dwarf_getsrcfiles(&u->full, &files, &cnt) || file >= cnt)
		return NULL;
	return dwarf_filesrc(files, file, NULL, NULL);
}

static void set_call_site(struct unit *u, Dwarf_Die *inlined, struct line_frame *caller)
{
	uint32_t file = number_of(inlined, DW_AT_call_file);

	caller->line = number_of(inlined, DW_AT_call_line);
	if (u->is_split)
		caller->file = split_file(u, file);
	else if (u->lines)
		caller->file = line_table__file(u->lines, file);
}

static void set_line(struct unit *u, uint64_t address, struct line_frame *frame)
{
	uint32_t file, line;

	if (!u->lines || line_table__find(u->lines, address, &file, &line))
		return;
	frame->file = line_table__file(u->lines, file);
	frame->line = line;
}

/* frames[0] is innermost; `chain` begins with the outermost. */
static void fill(struct unit *u, Dwarf_Die *chain, int cnt, uint64_t address,
		 struct line_frame *frames)
{
	int i;

	memset(frames, 0, cnt * sizeof(*frames));
	for (i = 0; i < cnt; i++) {
		frames[i].function = name_of(&chain[cnt - 1 - i]);
		if (i)
			set_call_site(u, &chain[cnt - i], &frames[i]);
	}
	set_line(u, address, &frames[0]);
}

int lines__find(struct lines *l, uint64_t vaddr, struct line_frame *frames, int cap)
{
	Dwarf_Die chain[INLINE_DEPTH_MAX], function;
	const struct range *r = find_range(&l->by_address, vaddr);
	struct unit *u;
	int cnt = 0, drop;

	if (!r || cap < 1)
		return 0;
	u = &l->units[r->what];
	index_functions(l, u);
	r = find_range(&u->functions, vaddr);
	if (r && dwarf_offdie(dwarf_cu_getdwarf(u->full.cu), r->what, &function))
		cnt = find_chain(function, vaddr, chain);
	if (!cnt) {
		memset(frames, 0, sizeof(*frames));
		set_line(u, vaddr, frames);
		return 1;
	}
	drop = cnt > cap ? cnt - cap : 0; /* the innermost are dropped */
	fill(u, chain, cnt - drop, vaddr, frames);
	if (drop)
		set_call_site(u, &chain[cnt - drop], &frames[0]);
	return cnt - drop;
}

/* ---- open and close ---- */

/* Sections that answer other questions than ours; together often half of all. */
static int is_useless(const char *name)
{
	static const char *const useless[] = {
		".debug_loc",	   ".debug_loclists",	  ".debug_aranges",	 ".debug_names",
		".debug_pubnames", ".debug_pubtypes",	  ".debug_gnu_pubnames", ".debug_macro",
		".debug_macinfo",  ".debug_gnu_pubtypes", ".debug_frame",
	};
	size_t i;

	for (i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
		if (!strcmp(name, useless[i]))
			return 1;
	}
	return 0;
}

static const char *section_name(Elf *elf, Elf_Scn *section, GElf_Shdr *ret_header)
{
	const char *name;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) || !gelf_getshdr(section, ret_header))
		return "";
	name = elf_strptr(elf, names, ret_header->sh_name);
	return name ? name : "";
}

/* Debug sections, as large as they will be in memory. libdw would read them all: the useless ones
 * are made to look empty, in our copy of their headers. */
static size_t choose_sections(Elf *elf)
{
	Elf_Scn *section = NULL;
	size_t bytes = 0;
	const char *name;
	GElf_Shdr header;
	GElf_Chdr packed;

	while ((section = elf_nextscn(elf, section))) {
		name = section_name(elf, section, &header);
		if (strncmp(name, ".debug_", 7))
			continue;
		if (is_useless(name)) {
			header.sh_type = SHT_NOBITS;
			gelf_update_shdr(section, &header);
			continue;
		}
		bytes += header.sh_size;
		if (header.sh_flags & SHF_COMPRESSED && gelf_getchdr(section, &packed))
			bytes += packed.ch_size;
	}
	return bytes;
}

static struct line_section content(Elf *elf, const char *wanted)
{
	struct line_section found = {};
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	Elf_Data *data;

	while ((section = elf_nextscn(elf, section))) {
		if (strcmp(section_name(elf, section, &header), wanted) ||
		    header.sh_type == SHT_NOBITS)
			continue;
		data = elf_rawdata(section, NULL); /* what libdw has read and unpacked */
		if (data && data->d_buf && !(header.sh_flags & SHF_COMPRESSED))
			found = (struct line_section){data->d_buf, data->d_size};
		break;
	}
	return found;
}

/* Debian's debug files share what is common in a file of their own. libdw would look for it by
 * itself, wherever the file says: it is given the one below /usr/lib/debug, or none. */
static int open_alt(struct lines *l, const struct opener *opener)
{
	const char *name, *shared;
	const void *build_id;

	if (dwelf_dwarf_gnu_debugaltlink(l->dwarf, &name, &build_id) <= 0)
		return 0;
	shared = strstr(name, "/.dwz/");
	if (!shared)
		return -ENOENT;
	l->alt_fd = opener__open(opener, OPEN_SHARED, 0, shared);
	l->alt = l->alt_fd < 0 ? NULL : dwarf_begin(l->alt_fd, DWARF_C_READ);
	if (!l->alt)
		return -ENOENT;
	dwarf_setalt(l->dwarf, l->alt);
	return 0;
}

static int open_dwarf(struct lines *l, size_t max_bytes, const struct opener *opener)
{
	elf_version(EV_CURRENT);
	l->elf = elf_begin(l->fd, ELF_C_READ, NULL);
	if (!l->elf)
		return -ENOENT;
	l->held = choose_sections(l->elf);
	if (l->held > max_bytes)
		return -EFBIG;
	l->dwarf = dwarf_begin_elf(l->elf, DWARF_C_READ, NULL);
	if (!l->dwarf)
		return -ENOENT;
	l->sections.line = content(l->elf, ".debug_line");
	l->sections.line_str = content(l->elf, ".debug_line_str");
	l->sections.str = content(l->elf, ".debug_str");
	return open_alt(l, opener);
}

int lines__new(int fd, size_t max_bytes, const struct opener *opener,
	       struct lines **ret_lines)
{
	struct lines *l;
	int err;

	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->alt_fd = -1;
	l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	err = l->fd < 0 ? -errno : open_dwarf(l, max_bytes, opener);
	if (!err)
		err = index_units(l);
	if (err) {
		lines__free(l);
		return err;
	}
	*ret_lines = l;
	return 0;
}

void lines__free(struct lines *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < l->unit_cnt; i++) {
		free(l->units[i].functions.items);
		line_table__free(l->units[i].lines);
	}
	free(l->units);
	free(l->by_address.items);
	dwarf_end(l->dwarf);
	dwarf_end(l->alt);
	elf_end(l->elf);
	if (l->alt_fd >= 0)
		close(l->alt_fd);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

int lines__split_missing(const struct lines *l)
{
	return l->split_missing;
}

size_t lines__held(const struct lines *l)
{
	return l->held;
}
