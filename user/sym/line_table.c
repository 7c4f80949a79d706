/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line_table.c - decoder of line programs, with checkpoints instead of rows.
 *
 * Addresses rise within a sequence, sequences come in any order: checkpoints are sorted, each
 * sequence begins with one. Sequences at address 0 belong to code that the linker dropped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line_table.h"
#include "reader.h"

#define ROWS_PER_CHECKPOINT 64
#define CHECKPOINTS_MAX	    (8u << 20)
#define FILES_MAX	    (1u << 20)
#define FORMATS_MAX	    16
#define PATH_MAX_LEN	    4096

enum { FORM_DATA2 = 0x05, FORM_DATA4 = 0x06, FORM_DATA8 = 0x07, FORM_STRING = 0x08,
       FORM_BLOCK = 0x09, FORM_DATA1 = 0x0b, FORM_STRP = 0x0e, FORM_UDATA = 0x0f,
       FORM_DATA16 = 0x1e, FORM_LINE_STRP = 0x1f };
enum { CONTENT_PATH = 1, CONTENT_DIRECTORY = 2 };

struct file {
	const char *name;
	uint32_t dir;
	char *path; /* put together when it is asked for */
};

struct row {
	uint64_t address;
	uint32_t line, file;
};

struct checkpoint {
	struct row row;
	uint32_t next; /* where the program goes on, from its start */
};

struct line_table {
	struct line_sections sections;
	const uint8_t *program;
	size_t program_len;
	uint16_t version;
	uint8_t offset_bytes; /* 8 in 64-bit DWARF */
	uint8_t min_instruction, line_range, opcode_base;
	int8_t line_base;
	const uint8_t *opcode_lengths;
	const char *comp_dir;
	const char **dirs;
	size_t dir_cnt, dir_cap;
	struct file *files;
	size_t file_cnt, file_cap;
	struct checkpoint *checkpoints;
	size_t checkpoint_cnt, checkpoint_cap;
};

static int grow(void *items_, size_t cnt, size_t *cap, size_t max, size_t size)
{
	void **items = items_, *grown;
	size_t new_cap = *cap ? *cap + *cap / 2 : 16;

	if (cnt < *cap)
		return 0;
	grown = cnt < max ? reallocarray(*items, new_cap, size) : NULL;
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*cap = new_cap;
	return 0;
}

/* ---- file names ---- */

static int add_dir(struct line_table *t, const char *name)
{
	int err = grow(&t->dirs, t->dir_cnt, &t->dir_cap, FILES_MAX, sizeof(*t->dirs));

	if (!err)
		t->dirs[t->dir_cnt++] = name;
	return err;
}

static int add_file(struct line_table *t, const char *name, uint64_t dir)
{
	int err = grow(&t->files, t->file_cnt, &t->file_cap, FILES_MAX, sizeof(*t->files));

	if (!err)
		t->files[t->file_cnt++] = (struct file){
			.name = name,
			.dir = dir < UINT32_MAX ? dir : UINT32_MAX,
		};
	return err;
}

/* Versions 2 to 4: strings until an empty one. */
static int read_old_names(struct line_table *t, struct reader *in)
{
	const char *name;
	uint64_t dir;
	int err = add_dir(t, NULL); /* number 0: where the compiler ran */

	while (!err && *(name = reader__string(in)))
		err = add_dir(t, name);
	while (!err && *(name = reader__string(in))) {
		dir = reader__uleb(in);
		reader__uleb(in); /* time */
		reader__uleb(in); /* size */
		err = add_file(t, name, dir);
	}
	return err;
}

static const char *string_at(const struct line_section *s, uint64_t offset)
{
	if (offset >= s->len || !memchr((const char *)s->data + offset, 0, s->len - offset))
		return NULL;
	return (const char *)s->data + offset;
}

/* One value of an entry: a string or a number, the other is left alone. */
static void read_value(struct line_table *t, struct reader *in, uint64_t form,
		       const char **ret_text, uint64_t *ret_number)
{
	switch (form) {
	case FORM_STRING:
		*ret_text = reader__string(in);
		break;
	case FORM_LINE_STRP:
		*ret_text = string_at(&t->sections.line_str, reader__uint(in, t->offset_bytes));
		break;
	case FORM_STRP:
		*ret_text = string_at(&t->sections.str, reader__uint(in, t->offset_bytes));
		break;
	case FORM_DATA1:
		*ret_number = reader__u8(in);
		break;
	case FORM_DATA2:
		*ret_number = reader__uint(in, 2);
		break;
	case FORM_DATA4:
		*ret_number = reader__uint(in, 4);
		break;
	case FORM_DATA8:
		*ret_number = reader__uint(in, 8);
		break;
	case FORM_UDATA:
		*ret_number = reader__uleb(in);
		break;
	case FORM_DATA16: /* checksum */
		reader__skip(in, 16);
		break;
	case FORM_BLOCK:
		reader__skip(in, reader__uleb(in));
		break;
	default:
		reader__fail(in);
	}
}

struct format {
	uint64_t content, form;
};

static size_t read_formats(struct reader *in, struct format formats[FORMATS_MAX])
{
	size_t cnt = reader__u8(in), i;

	if (cnt > FORMATS_MAX) {
		reader__fail(in);
		return 0;
	}
	for (i = 0; i < cnt; i++) {
		formats[i].content = reader__uleb(in);
		formats[i].form = reader__uleb(in);
	}
	return cnt;
}

/* Version 5: a table that describes itself. */
static int read_entries(struct line_table *t, struct reader *in, int are_files)
{
	struct format formats[FORMATS_MAX];
	size_t format_cnt = read_formats(in, formats), i;
	uint64_t cnt = reader__uleb(in), dir, unused;
	const char *name, *unused_text;
	int err = 0;

	if (cnt > reader__left(in)) /* an entry has a byte at least */
		reader__fail(in);
	for (; cnt && !in->is_bad && !err; cnt--) {
		name = NULL;
		dir = 0;
		for (i = 0; i < format_cnt; i++) {
			if (formats[i].content == CONTENT_PATH)
				read_value(t, in, formats[i].form, &name, &unused);
			else if (formats[i].content == CONTENT_DIRECTORY)
				read_value(t, in, formats[i].form, &unused_text, &dir);
			else
				read_value(t, in, formats[i].form, &unused_text, &unused);
		}
		err = are_files ? add_file(t, name, dir) : add_dir(t, name);
	}
	return err;
}

static int read_new_names(struct line_table *t, struct reader *in)
{
	int err = read_entries(t, in, 0);

	return err ? err : read_entries(t, in, 1);
}

/* ---- the program ---- */

enum step { STEP_ROW, STEP_END_SEQUENCE, STEP_END };

static void reset(struct row *row)
{
	*row = (struct row){.line = 1, .file = 1};
}

static void advance(const struct line_table *t, struct row *row, uint64_t operations)
{
	row->address += operations * t->min_instruction;
}

/* STEP_END_SEQUENCE, or -1: go on. */
static int run_extended(struct reader *in, struct row *row)
{
	uint64_t len = reader__uleb(in);
	const uint8_t *body = reader__skip(in, len);
	struct reader operands;

	if (!body || !len)
		return -1;
	operands = reader__make(body, len);
	switch (reader__u8(&operands)) {
	case 1: /* end_sequence */
		return STEP_END_SEQUENCE;
	case 2: /* set_address */
		if (len == 9)
			row->address = reader__uint(&operands, 8);
		return -1;
	default:
		return -1;
	}
}

static void skip_operands(const struct line_table *t, struct reader *in, uint8_t op)
{
	uint8_t i;

	for (i = 0; i < t->opcode_lengths[op - 1]; i++)
		reader__uleb(in);
}

/* STEP_ROW, or -1: go on. */
static int run_standard(const struct line_table *t, struct reader *in, struct row *row, uint8_t op)
{
	switch (op) {
	case 1: /* copy */
		return STEP_ROW;
	case 2: /* advance_pc */
		advance(t, row, reader__uleb(in));
		return -1;
	case 3: /* advance_line */
		row->line += (uint32_t)reader__sleb(in);
		return -1;
	case 4: /* set_file */
		row->file = reader__uleb(in);
		return -1;
	case 8: /* const_add_pc */
		advance(t, row, (255 - t->opcode_base) / t->line_range);
		return -1;
	case 9: /* fixed_advance_pc */
		row->address += reader__uint(in, 2);
		return -1;
	default:
		skip_operands(t, in, op);
		return -1;
	}
}

static void run_special(const struct line_table *t, struct row *row, uint8_t op)
{
	uint8_t adjusted = op - t->opcode_base;

	advance(t, row, adjusted / t->line_range);
	row->line += t->line_base + adjusted % t->line_range;
}

/* Run up to the next row. */
static enum step next_row(const struct line_table *t, struct reader *in, struct row *row)
{
	uint8_t op;
	int step;

	while (reader__left(in)) {
		op = reader__u8(in);
		if (op >= t->opcode_base) {
			run_special(t, row, op);
			return STEP_ROW;
		}
		step = op ? run_standard(t, in, row, op) : run_extended(in, row);
		if (step >= 0 && !in->is_bad)
			return step;
	}
	return STEP_END;
}

static int add_checkpoint(struct line_table *t, const struct row *row, size_t next)
{
	int err = grow(&t->checkpoints, t->checkpoint_cnt, &t->checkpoint_cap, CHECKPOINTS_MAX,
		       sizeof(*t->checkpoints));

	if (!err)
		t->checkpoints[t->checkpoint_cnt++] = (struct checkpoint){*row, next};
	return err;
}

static int by_address(const void *a_, const void *b_)
{
	const struct checkpoint *a = a_, *b = b_;

	if (a->row.address != b->row.address)
		return a->row.address < b->row.address ? -1 : 1;
	return a->next < b->next ? -1 : a->next > b->next;
}

static int run_all(struct line_table *t)
{
	struct reader in = reader__make(t->program, t->program_len);
	unsigned rows = 0; /* of the sequence */
	enum step step;
	struct row row;
	int is_dropped = 0, err = 0;

	reset(&row);
	while (!err && (step = next_row(t, &in, &row)) != STEP_END) {
		if (step == STEP_END_SEQUENCE) {
			reset(&row);
			rows = 0;
			continue;
		}
		if (!rows)
			is_dropped = !row.address;
		if (rows++ % ROWS_PER_CHECKPOINT == 0 && !is_dropped)
			err = add_checkpoint(t, &row, in.p - t->program);
	}
	if (t->checkpoint_cnt)
		qsort(t->checkpoints, t->checkpoint_cnt, sizeof(*t->checkpoints), by_address);
	return err;
}

/* ---- header ---- */

static int read_header(struct line_table *t, struct reader *in)
{
	uint64_t len = reader__uint(in, 4), header_len;
	const uint8_t *unit;

	t->offset_bytes = 4;
	if (len == 0xffffffff) {
		t->offset_bytes = 8;
		len = reader__uint(in, 8);
	}
	unit = reader__skip(in, len);
	if (!unit)
		return -EINVAL;
	*in = reader__make(unit, len);
	t->version = reader__uint(in, 2);
	if (t->version < 2 || t->version > 5)
		return -EINVAL;
	if (t->version == 5 && reader__uint(in, 2) != 8) /* sizes of addresses and segments */
		return -EINVAL;
	header_len = reader__uint(in, t->offset_bytes);
	if (header_len > reader__left(in))
		return -EINVAL;
	t->program = in->p + header_len;
	t->program_len = in->end - t->program;
	*in = reader__make(in->p, header_len);
	return 0;
}

static int read_parameters(struct line_table *t, struct reader *in)
{
	t->min_instruction = reader__u8(in);
	if (t->version >= 4)
		reader__u8(in); /* operations of an instruction: 1 on our machines */
	reader__u8(in);		/* is_stmt */
	t->line_base = reader__u8(in);
	t->line_range = reader__u8(in);
	t->opcode_base = reader__u8(in);
	if (in->is_bad || !t->line_range || !t->opcode_base)
		return -EINVAL;
	t->opcode_lengths = reader__skip(in, t->opcode_base - 1);
	return t->opcode_lengths ? 0 : -EINVAL;
}

static int load(struct line_table *t, uint64_t offset)
{
	const struct line_section *line = &t->sections.line;
	struct reader in;
	int err;

	if (offset > line->len || line->len > INT32_MAX)
		return -EINVAL;
	in = reader__make((const char *)line->data + offset, line->len - offset);
	err = read_header(t, &in);
	if (!err)
		err = read_parameters(t, &in);
	if (!err)
		err = t->version < 5 ? read_old_names(t, &in) : read_new_names(t, &in);
	return err ? err : run_all(t);
}

int line_table__new(const struct line_sections *sections, uint64_t offset, const char *comp_dir,
		    struct line_table **ret_table)
{
	struct line_table *t;
	int err;

	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->sections = *sections;
	t->comp_dir = comp_dir;
	err = load(t, offset);
	if (err) {
		line_table__free(t);
		return err;
	}
	*ret_table = t;
	return 0;
}

void line_table__free(struct line_table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->file_cnt; i++)
		free(t->files[i].path);
	free(t->files);
	free(t->dirs);
	free(t->checkpoints);
	free(t);
}

size_t line_table__held(const struct line_table *t)
{
	return sizeof(*t) + t->dir_cap * sizeof(*t->dirs) + t->file_cap * sizeof(*t->files) +
	       t->checkpoint_cap * sizeof(*t->checkpoints);
}

/* ---- answers ---- */

int line_table__find(const struct line_table *t, uint64_t address, uint32_t *ret_file,
		     uint32_t *ret_line)
{
	size_t lo = 0, hi = t->checkpoint_cnt, mid;
	const struct checkpoint *c;
	struct row row, next;
	struct reader in;
	enum step step;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (t->checkpoints[mid].row.address <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return -ENOENT;
	c = &t->checkpoints[lo - 1];
	in = reader__make(t->program + c->next, t->program_len - c->next);
	next = c->row;
	do {
		row = next;
		step = next_row(t, &in, &next);
	} while (step == STEP_ROW && next.address <= address);
	if (step == STEP_END || next.address <= address)
		return -ENOENT;
	*ret_file = row.file;
	*ret_line = row.line;
	return 0;
}

/* A relative one is a build's way to hide where it ran, and stands in the table already. */
static int is_absolute(const char *dir)
{
	return dir && dir[0] == '/';
}

static void join(char *path, size_t cap, const char *dir, const char *name)
{
	if (name[0] == '/' || !dir || !*dir)
		snprintf(path, cap, "%s", name);
	else
		snprintf(path, cap, "%s/%s", dir, name);
}

const char *line_table__file(struct line_table *t, uint32_t file)
{
	char below_dir[PATH_MAX_LEN], path[PATH_MAX_LEN];
	struct file *f;

	if (t->version < 5)
		file--; /* numbered from 1 */
	f = file < t->file_cnt ? &t->files[file] : NULL;
	if (!f || !f->name)
		return NULL;
	if (!f->path) {
		join(below_dir, sizeof(below_dir), f->dir < t->dir_cnt ? t->dirs[f->dir] : NULL,
		     f->name);
		join(path, sizeof(path), is_absolute(t->comp_dir) ? t->comp_dir : NULL, below_dir);
		f->path = strdup(path);
	}
	return f->path;
}
