/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_file.c - headers, sections and address arithmetic of an untrusted ELF file.
 *
 * Header tables are copied and checked once; everything else is looked up when it is asked for.
 * A file whose section headers are gone (sstrip, a core's view of the vdso) still has segments.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "elf_file.h"
#include "elf_symbols.h"
#include "image.h"

#define SECTIONS_MAX	  65536
#define SEGMENTS_MAX	  256
#define SYMBOLS_MAX	  (2u << 20)   /* of a table; what comes behind has no names */
#define STRINGS_MAX	  (128u << 20) /* and of its names */
#define INFLATED_MAX	  (128u << 20) /* a compressed section's claim */
#define INFLATE_RATIO_MAX 1032	       /* what deflate can do at most */
#define DEBUGDATA_MAX	  (64u << 20)
#define BUILD_ID_MAX	  64

struct inflated {
	struct inflated *next;
	const Elf64_Shdr *section;
	size_t len;
	unsigned char data[];
};

struct elf_file {
	struct image *image;
	uint16_t type, machine;
	Elf64_Phdr *segments;
	size_t segment_cnt;
	Elf64_Shdr *sections;
	size_t section_cnt;
	char *section_names; /* NUL-terminated */
	size_t section_names_len;
	char build_id[2 * BUILD_ID_MAX + 1];
	struct elf_symbols *symbols; /* on first use */
	struct inflated *inflated;
};

/* ---- header tables ---- */

static int read_header(struct elf_file *e, Elf64_Ehdr *ret_header)
{
	const void *bytes = image__bytes(e->image, 0, sizeof(*ret_header));
	Elf64_Ehdr h;

	if (!bytes)
		return -ENOEXEC;
	memcpy(&h, bytes, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return -ENOEXEC;
	if (h.e_machine != EM_X86_64 && h.e_machine != EM_AARCH64)
		return -ENOEXEC;
	e->type = h.e_type;
	e->machine = h.e_machine;
	*ret_header = h;
	return 0;
}

static int read_segments(struct elf_file *e, const Elf64_Ehdr *h)
{
	size_t len = h->e_phnum * sizeof(*e->segments);

	if (!h->e_phnum)
		return 0;
	if (h->e_phentsize != sizeof(*e->segments) || h->e_phnum > SEGMENTS_MAX)
		return -ENOEXEC;
	e->segments = (Elf64_Phdr *)image__copy(e->image, h->e_phoff, len);
	if (!e->segments)
		return -ENOEXEC;
	e->segment_cnt = h->e_phnum;
	return 0;
}

/* More than 65279 sections: the real numbers stand in the first section header. */
static int section_numbers(struct elf_file *e, const Elf64_Ehdr *h, uint64_t *ret_cnt,
			   uint32_t *ret_names)
{
	const void *bytes;
	Elf64_Shdr first;

	*ret_cnt = h->e_shnum;
	*ret_names = h->e_shstrndx;
	if (h->e_shnum && h->e_shstrndx != SHN_XINDEX)
		return 0;
	bytes = image__bytes(e->image, h->e_shoff, sizeof(first));
	if (!bytes)
		return -ENOEXEC;
	memcpy(&first, bytes, sizeof(first));
	if (!h->e_shnum)
		*ret_cnt = first.sh_size;
	if (h->e_shstrndx == SHN_XINDEX)
		*ret_names = first.sh_link;
	return 0;
}

/* Without usable section headers the file is read by its segments alone. */
static void read_sections(struct elf_file *e, const Elf64_Ehdr *h)
{
	const Elf64_Shdr *names;
	uint32_t names_index;
	uint64_t cnt;

	if (!h->e_shoff || h->e_shentsize != sizeof(*e->sections))
		return;
	if (section_numbers(e, h, &cnt, &names_index) || !cnt || cnt > SECTIONS_MAX)
		return;
	e->sections = (Elf64_Shdr *)image__copy(e->image, h->e_shoff, cnt * sizeof(*e->sections));
	if (!e->sections)
		return;
	e->section_cnt = cnt;
	if (names_index >= cnt)
		return;
	names = &e->sections[names_index];
	e->section_names = image__copy(e->image, names->sh_offset, names->sh_size);
	if (e->section_names)
		e->section_names_len = names->sh_size;
}

/* ---- build-id ---- */

static int take_build_id(struct elf_file *e, const unsigned char *note, size_t len)
{
	size_t i;

	if (!len || len > BUILD_ID_MAX)
		return 0;
	for (i = 0; i < len; i++)
		snprintf(e->build_id + 2 * i, 3, "%02x", note[i]);
	return 1;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static int search_notes(struct elf_file *e, uint64_t offset, uint64_t len)
{
	const unsigned char *p;
	Elf64_Nhdr note;
	size_t step;

	if (len > 65536)
		return 0;
	p = image__bytes(e->image, offset, len);
	while (p && len >= sizeof(note)) {
		memcpy(&note, p, sizeof(note));
		if (note.n_namesz > len || note.n_descsz > len)
			return 0;
		step = sizeof(note) + align4(note.n_namesz) + align4(note.n_descsz);
		if (step > len)
			return 0;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    !memcmp(p + sizeof(note), "GNU", 4))
			return take_build_id(e, p + sizeof(note) + 4, note.n_descsz);
		p += step;
		len -= step;
	}
	return 0;
}

static void find_build_id(struct elf_file *e)
{
	size_t i;

	for (i = 0; i < e->segment_cnt; i++) {
		if (e->segments[i].p_type == PT_NOTE &&
		    search_notes(e, e->segments[i].p_offset, e->segments[i].p_filesz))
			return;
	}
	for (i = 0; i < e->section_cnt; i++) {
		if (e->sections[i].sh_type == SHT_NOTE &&
		    search_notes(e, e->sections[i].sh_offset, e->sections[i].sh_size))
			return;
	}
}

/* ---- open and close ---- */

static int open_image(struct image *image, struct elf_file **ret_elf)
{
	struct elf_file *e;
	Elf64_Ehdr header;
	int err;

	e = calloc(1, sizeof(*e));
	if (!e) {
		image__free(image);
		return -ENOMEM;
	}
	e->image = image;
	err = read_header(e, &header);
	if (!err)
		err = read_segments(e, &header);
	if (err) {
		elf_file__close(e);
		return err;
	}
	read_sections(e, &header);
	find_build_id(e);
	image__trim(image);
	*ret_elf = e;
	return 0;
}

int elf_file__open_fd(int fd, struct elf_file **ret_elf)
{
	struct image *image;
	int err;

	err = image__from_fd(fd, &image);
	return err ? err : open_image(image, ret_elf);
}

int elf_file__open_memory(void *data, size_t len, struct elf_file **ret_elf)
{
	struct image *image;
	int err;

	err = image__from_memory(data, len, &image);
	return err ? err : open_image(image, ret_elf);
}

int elf_file__open(const char *path, struct elf_file **ret_elf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : elf_file__open_fd(fd, ret_elf);
}

void elf_file__trim(struct elf_file *e)
{
	struct inflated *section;

	while ((section = e->inflated)) {
		e->inflated = section->next;
		free(section);
	}
	elf_symbols__free(e->symbols);
	e->symbols = NULL;
	image__trim(e->image);
}

void elf_file__close(struct elf_file *e)
{
	if (!e)
		return;
	elf_file__trim(e);
	image__free(e->image);
	free(e->segments);
	free(e->sections);
	free(e->section_names);
	free(e);
}

size_t elf_file__held(const struct elf_file *e)
{
	const struct inflated *section;
	size_t held = sizeof(*e) + image__held(e->image);

	held += e->segment_cnt * sizeof(*e->segments) + e->section_cnt * sizeof(*e->sections);
	held += e->section_names_len;
	for (section = e->inflated; section; section = section->next)
		held += section->len;
	return held + (e->symbols ? elf_symbols__held(e->symbols) : 0);
}

int elf_file__fd(const struct elf_file *e)
{
	return image__fd(e->image);
}

const char *elf_file__build_id(const struct elf_file *e)
{
	return e->build_id[0] ? e->build_id : NULL;
}

int elf_file__is_pie_or_so(const struct elf_file *e)
{
	return e->type == ET_DYN;
}

uint16_t elf_file__machine(const struct elf_file *e)
{
	return e->machine;
}

/* ---- addresses ---- */

static const Elf64_Phdr *segment_at(const struct elf_file *e, uint64_t vaddr)
{
	const Elf64_Phdr *p;
	size_t i;

	for (i = 0; i < e->segment_cnt; i++) {
		p = &e->segments[i];
		if (p->p_type == PT_LOAD && vaddr >= p->p_vaddr &&
		    vaddr - p->p_vaddr < p->p_filesz)
			return p;
	}
	return NULL;
}

int elf_file__vaddr_to_offset(const struct elf_file *e, uint64_t vaddr, uint64_t *ret_offset)
{
	const Elf64_Phdr *p = segment_at(e, vaddr);

	if (!p)
		return -ENOENT;
	*ret_offset = p->p_offset + (vaddr - p->p_vaddr);
	return 0;
}

int elf_file__segment_end(const struct elf_file *e, uint64_t vaddr, uint64_t *ret_end)
{
	const Elf64_Phdr *p = segment_at(e, vaddr);

	if (!p)
		return -ENOENT;
	*ret_end = p->p_vaddr + p->p_filesz;
	return 0;
}

/* Two segments may share a page of the file: code is looked for first. */
int elf_file__offset_to_vaddr(const struct elf_file *e, uint64_t offset, uint64_t *ret_vaddr)
{
	const Elf64_Phdr *p;
	size_t i;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < e->segment_cnt; i++) {
			p = &e->segments[i];
			if (p->p_type != PT_LOAD || !!(p->p_flags & PF_X) == pass ||
			    offset < p->p_offset || offset - p->p_offset >= p->p_filesz)
				continue;
			*ret_vaddr = p->p_vaddr + (offset - p->p_offset);
			return 0;
		}
	}
	return -ENOENT;
}

const void *elf_file__bytes(const struct elf_file *e, uint64_t offset, size_t len)
{
	return image__bytes(e->image, offset, len);
}

int elf_file__eh_frame_hdr(const struct elf_file *e, uint64_t *ret_vaddr, uint64_t *ret_size)
{
	const Elf64_Phdr *p;
	size_t i;

	for (i = 0; i < e->segment_cnt; i++) {
		p = &e->segments[i];
		if (p->p_type != PT_GNU_EH_FRAME)
			continue;
		*ret_vaddr = p->p_vaddr;
		*ret_size = p->p_filesz;
		return 0;
	}
	return -ENOENT;
}

/* ---- sections ---- */

static const Elf64_Shdr *find_section(const struct elf_file *e, const char *name)
{
	const Elf64_Shdr *s;
	size_t i;

	for (i = 0; i < e->section_cnt; i++) {
		s = &e->sections[i];
		if (s->sh_type != SHT_NOBITS && s->sh_type != SHT_NULL && s->sh_size &&
		    s->sh_name < e->section_names_len &&
		    !strcmp(e->section_names + s->sh_name, name))
			return s;
	}
	return NULL;
}

int elf_file__has_section(const struct elf_file *e, const char *name)
{
	return !!find_section(e, name);
}

static struct inflated *inflate_section(struct elf_file *e, const Elf64_Shdr *section)
{
	const unsigned char *packed = image__bytes(e->image, section->sh_offset, section->sh_size);
	struct inflated *inflated;
	uLongf len;
	Elf64_Chdr h;

	if (!packed || section->sh_size < sizeof(h))
		return NULL;
	memcpy(&h, packed, sizeof(h));
	if (h.ch_type != ELFCOMPRESS_ZLIB || h.ch_size > INFLATED_MAX ||
	    h.ch_size > section->sh_size * INFLATE_RATIO_MAX)
		return NULL;
	inflated = malloc(sizeof(*inflated) + h.ch_size);
	if (!inflated)
		return NULL;
	len = h.ch_size;
	if (uncompress(inflated->data, &len, packed + sizeof(h), section->sh_size - sizeof(h)) !=
		    Z_OK || len != h.ch_size) {
		free(inflated);
		return NULL;
	}
	inflated->section = section;
	inflated->len = len;
	inflated->next = e->inflated;
	e->inflated = inflated;
	return inflated;
}

static const void *inflated_content(struct elf_file *e, const Elf64_Shdr *section,
				    size_t *ret_size)
{
	struct inflated *i;

	for (i = e->inflated; i && i->section != section; i = i->next)
		;
	if (!i)
		i = inflate_section(e, section);
	if (!i)
		return NULL;
	*ret_size = i->len;
	return i->data;
}

static const void *content(struct elf_file *e, const Elf64_Shdr *section, size_t *ret_size)
{
	if (section->sh_flags & SHF_COMPRESSED)
		return inflated_content(e, section, ret_size);
	*ret_size = section->sh_size;
	return image__bytes(e->image, section->sh_offset, section->sh_size);
}

const void *elf_file__section(struct elf_file *e, const char *name, size_t *ret_size,
			      uint64_t *ret_vaddr)
{
	const Elf64_Shdr *section = find_section(e, name);
	const void *bytes;
	size_t size;

	bytes = section ? content(e, section, &size) : NULL;
	if (!bytes)
		return NULL;
	*ret_size = size;
	*ret_vaddr = section->sh_addr;
	return bytes;
}

int elf_file__debuglink(struct elf_file *e, const char **ret_name, uint32_t *ret_crc)
{
	const char *name;
	uint64_t vaddr;
	size_t size, len;

	name = elf_file__section(e, ".gnu_debuglink", &size, &vaddr);
	len = name ? strnlen(name, size) : 0;
	if (!len || strchr(name, '/') || align4(len + 1) + sizeof(*ret_crc) > size)
		return -ENOENT;
	memcpy(ret_crc, name + align4(len + 1), sizeof(*ret_crc));
	*ret_name = name;
	return 0;
}

/* ---- symbols ---- */

static const Elf64_Shdr *section_of_type(const struct elf_file *e, uint32_t type)
{
	const Elf64_Shdr *s;
	size_t i;

	for (i = 0; i < e->section_cnt; i++) {
		s = &e->sections[i];
		if (s->sh_type == type)
			return s;
	}
	return NULL;
}

static size_t at_most(uint64_t claimed, size_t max)
{
	return claimed < max ? claimed : max;
}

/* Copies instead of kept chunks: what is wanted of the tables lives in `symbols` afterwards. */
static int add_symbols(struct elf_file *e, struct elf_symbols *symbols, uint32_t type,
		       const Elf64_Shdr *version_section)
{
	const Elf64_Shdr *section = section_of_type(e, type), *strings_section;
	size_t cnt, strings_len, version_size = 0;
	const void *versions = NULL;
	char *table, *strings;
	int err = 0;

	if (!section || section->sh_link >= e->section_cnt ||
	    section->sh_entsize != sizeof(Elf64_Sym))
		return 0;
	cnt = at_most(section->sh_size / sizeof(Elf64_Sym), SYMBOLS_MAX);
	strings_section = &e->sections[section->sh_link];
	strings_len = at_most(strings_section->sh_size, STRINGS_MAX);
	if (strings_section->sh_type != SHT_STRTAB)
		return 0;
	if (version_section)
		versions = content(e, version_section, &version_size);
	table = image__copy(e->image, section->sh_offset, cnt * sizeof(Elf64_Sym));
	strings = image__copy(e->image, strings_section->sh_offset, strings_len);
	if (table && strings)
		err = elf_symbols__add(symbols, table, cnt, strings, strings_len, versions,
				       version_size / sizeof(uint16_t));
	else
		free(strings);
	free(table);
	return err;
}

static int unxz(const void *packed, size_t len, unsigned char **ret_data, size_t *ret_len)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	unsigned char *data = NULL, *grown;
	size_t cap = 0;
	lzma_ret ret;

	if (lzma_stream_decoder(&stream, DEBUGDATA_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = packed;
	stream.avail_in = len;
	do {
		cap = cap ? 2 * cap : 65536;
		grown = cap <= DEBUGDATA_MAX ? realloc(data, cap) : NULL;
		if (!grown) {
			ret = LZMA_MEM_ERROR;
			break;
		}
		data = grown;
		stream.next_out = data + stream.total_out;
		stream.avail_out = cap - stream.total_out;
		ret = lzma_code(&stream, LZMA_FINISH);
	} while (ret == LZMA_OK);
	*ret_len = stream.total_out;
	lzma_end(&stream);
	if (ret != LZMA_STREAM_END) {
		free(data);
		return -EINVAL;
	}
	*ret_data = data;
	return 0;
}

/* .gnu_debugdata: an ELF file in xz whose .symtab has what was stripped from .symtab. */
static int add_debugdata(struct elf_file *e, struct elf_symbols *symbols)
{
	struct elf_file *inner;
	unsigned char *data;
	const void *packed;
	uint64_t vaddr;
	size_t size;
	int err;

	packed = elf_file__section(e, ".gnu_debugdata", &size, &vaddr);
	if (!packed || unxz(packed, size, &data, &size))
		return 0;
	if (elf_file__open_memory(data, size, &inner))
		return 0;
	err = add_symbols(inner, symbols, SHT_SYMTAB, NULL);
	elf_file__close(inner);
	return err;
}

static int load_symbols(struct elf_file *e)
{
	struct elf_symbols *symbols;
	int err;

	if (e->symbols)
		return 0;
	symbols = elf_symbols__new();
	if (!symbols)
		return -ENOMEM;
	err = add_symbols(e, symbols, SHT_DYNSYM, section_of_type(e, SHT_GNU_versym));
	if (!err)
		err = add_symbols(e, symbols, SHT_SYMTAB, NULL);
	if (!err)
		err = add_debugdata(e, symbols);
	if (err) {
		elf_symbols__free(symbols);
		return err;
	}
	e->symbols = symbols;
	return 0;
}

int elf_file__find_function(struct elf_file *e, const char *name, struct elf_symbol *ret_symbol)
{
	int err = load_symbols(e);

	return err ? err : elf_symbols__by_name(e->symbols, name, ret_symbol);
}

int elf_file__function_at(struct elf_file *e, uint64_t vaddr, struct elf_symbol *ret_symbol)
{
	int err = load_symbols(e);

	return err ? err : elf_symbols__by_address(e->symbols, vaddr, ret_symbol);
}
