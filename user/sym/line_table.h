/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line_table.h - address to source line, from one line program of .debug_line (DWARF 2 to 5).
 *
 * A line program unpacks to ten times its size. Here it is run once and only every 64th row is
 * kept; a search replays the program from the row before.
 */
#ifndef SEEP_SYM_LINE_TABLE_H
#define SEEP_SYM_LINE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct line_table;

struct line_section {
	const void *data; /* stays readable as long as the table */
	size_t len;
};

struct line_sections {
	struct line_section line, line_str, str;
};

/* The program at `offset` in .debug_line. comp_dir may be NULL. 0; -EINVAL, -ENOMEM. */
int line_table__new(const struct line_sections *sections, uint64_t offset, const char *comp_dir,
		    struct line_table **ret_table);
void line_table__free(struct line_table *t);
size_t line_table__held(const struct line_table *t);

/* 0 or -ENOENT. */
int line_table__find(const struct line_table *t, uint64_t address, uint32_t *ret_file,
		     uint32_t *ret_line);
/* Path of a file by its number in the program; the table's. NULL: no such file. */
const char *line_table__file(struct line_table *t, uint32_t file);

#endif /* SEEP_SYM_LINE_TABLE_H */
