/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_file.h - an ELF file opened for reading: symbols, sections, build-id, address arithmetic.
 *
 * Files come from containers and may be hostile or cut short: everything is bounded by the
 * file's size, nothing is trusted. 64-bit little-endian x86-64 and arm64 only.
 */
#ifndef SEEP_SYM_ELF_FILE_H
#define SEEP_SYM_ELF_FILE_H

#include <stddef.h>
#include <stdint.h>

struct elf_file;

/* Takes over fd in any case. 0; -ENOEXEC not such an ELF file, -EFBIG, -errno. */
int elf_file__open_fd(int fd, struct elf_file **ret_elf);
int elf_file__open(const char *path, struct elf_file **ret_elf);
/* From memory (malloc), taken over in any case. */
int elf_file__open_memory(void *data, size_t len, struct elf_file **ret_elf);
void elf_file__close(struct elf_file *e);
/* Its descriptor, which stays the file's; -1 = in memory. */
int elf_file__fd(const struct elf_file *e);
/* Bytes of memory it holds; drop what can be read again: names and bytes given out become invalid. */
size_t elf_file__held(const struct elf_file *e);
void elf_file__trim(struct elf_file *e);

/* Lower-case hex of .note.gnu.build-id; NULL = none. */
const char *elf_file__build_id(const struct elf_file *e);
int elf_file__is_pie_or_so(const struct elf_file *e);
uint16_t elf_file__machine(const struct elf_file *e); /* EM_X86_64, EM_AARCH64 */

struct elf_symbol {
	const char *name; /* as in the string table, without @version */
	uint64_t vaddr;
	uint64_t size;    /* 0 = unknown */
};

/* Defined function by name in .dynsym, .symtab, then .gnu_debugdata; default version wins.
 * 0 or -ENOENT. */
int elf_file__find_function(struct elf_file *e, const char *name, struct elf_symbol *ret_symbol);
/* Function that covers vaddr (binary search in a table sorted on first use). 0 or -ENOENT. */
int elf_file__function_at(struct elf_file *e, uint64_t vaddr, struct elf_symbol *ret_symbol);

/* Between file offsets and virtual addresses by PT_LOAD. 0 or -ENOENT. */
int elf_file__vaddr_to_offset(const struct elf_file *e, uint64_t vaddr, uint64_t *ret_offset);
int elf_file__offset_to_vaddr(const struct elf_file *e, uint64_t offset, uint64_t *ret_vaddr);
/* Where the file's bytes of the segment around vaddr end, as an address. 0 or -ENOENT. */
int elf_file__segment_end(const struct elf_file *e, uint64_t vaddr, uint64_t *ret_end);

/* Bytes of the file, or NULL when the range is not all inside it. Unaligned. */
const void *elf_file__bytes(const struct elf_file *e, uint64_t offset, size_t len);
/* A section's content (decompressed if SHF_COMPRESSED), its address and size; NULL = none. */
const void *elf_file__section(struct elf_file *e, const char *name, size_t *ret_size,
			      uint64_t *ret_vaddr);
/* 1 if there is such a section with content in this file. */
int elf_file__has_section(const struct elf_file *e, const char *name);
/* File name and CRC in .gnu_debuglink. 0 or -ENOENT. */
int elf_file__debuglink(struct elf_file *e, const char **ret_name, uint32_t *ret_crc);
/* vaddr and size of the PT_GNU_EH_FRAME segment. 0 or -ENOENT. */
int elf_file__eh_frame_hdr(const struct elf_file *e, uint64_t *ret_vaddr, uint64_t *ret_size);

#endif /* SEEP_SYM_ELF_FILE_H */
