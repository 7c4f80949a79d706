/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi.c - reader of .eh_frame and .debug_frame (DWARF 2 to 5, System V and LSB augmentations).
 *
 * Two passes: the first collects common entries (CIE) and functions (FDE), the second runs the
 * functions' programs in address order. A CIE's own program runs once, when it is collected, so
 * the work is linear in the size of the section whatever stands in it.
 */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cfi.h"
#include "reader.h"

#define CIES_MAX      65536
#define FDES_MAX      (4u << 20)
#define SECTIONS_MAX  2
#define REMEMBER_MAX  16
#define EXPRESSION_MAX 4096

/* pointer encodings of .eh_frame */
#define PE_OMIT	    0xff
#define PE_FORMAT   0x0f
#define PE_RELATIVE 0x70
#define PE_PCREL    0x10
#define PE_INDIRECT 0x80

struct section {
	const uint8_t *data;
	size_t len;
	uint64_t vaddr;
	int is_debug_frame;
};

struct cie {
	uint32_t section, offset;
	uint64_t code_align;
	int64_t data_align;
	uint8_t fde_encoding;
	uint8_t has_augmentation;
	uint8_t is_bad;
	struct cfi_rule initial;
};

struct fde {
	uint64_t begin, end;
	uint32_t cie;
	uint32_t program, program_len;
};

struct cfi {
	uint16_t machine;
	struct cfi_sink sink;
	struct section sections[SECTIONS_MAX];
	uint32_t section_cnt;
	struct cie *cies; /* in order of (section, offset) */
	size_t cie_cnt, cie_cap;
	struct fde *fdes;
	size_t fde_cnt, fde_cap;
	int is_garbled;
};

struct cfi *cfi__new(uint16_t machine, const struct cfi_sink *sink)
{
	struct cfi *c;

	if (machine != EM_X86_64 && machine != EM_AARCH64)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->machine = machine;
	c->sink = *sink;
	return c;
}

void cfi__free(struct cfi *c)
{
	if (!c)
		return;
	free(c->cies);
	free(c->fdes);
	free(c);
}

static int grow(void **items, size_t cnt, size_t *cap, size_t max, size_t size)
{
	size_t new_cap = *cap ? 2 * *cap : 64;
	void *grown;

	if (cnt < *cap)
		return 0;
	if (cnt >= max)
		return -E2BIG;
	grown = reallocarray(*items, new_cap, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*cap = new_cap;
	return 0;
}

/* ---- registers ---- */

static uint8_t slot_x86(uint64_t reg)
{
	switch (reg) {
	case 3:
		return SLOT_SAVED; /* rbx */
	case 6:
		return SLOT_BP;
	case 7:
		return SLOT_SP;
	case 12 ... 15:
		return SLOT_SAVED + 1 + (reg - 12);
	case 16:
		return SLOT_IP;
	default:
		return SLOT_NONE;
	}
}

static uint8_t slot_arm64(uint64_t reg)
{
	switch (reg) {
	case 19 ... 28:
		return SLOT_SAVED + (reg - 19);
	case 29:
		return SLOT_BP;
	case 30:
		return SLOT_SAVED + 10; /* lr */
	case 31:
		return SLOT_SP;
	case 32:
		return SLOT_IP;
	default:
		return SLOT_NONE;
	}
}

uint8_t cfi__slot(uint16_t machine, uint64_t reg)
{
	return machine == EM_X86_64 ? slot_x86(reg) : slot_arm64(reg);
}

static uint8_t slot_of(const struct cfi *c, uint64_t reg)
{
	return cfi__slot(c->machine, reg);
}

/* ---- running a program ---- */

struct machine {
	struct cfi *cfi;
	const struct cie *cie; /* NULL: running the CIE's own program */
	const struct section *section;
	struct reader in;
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointer_encoding;
	uint64_t vaddr, end;
	struct cfi_rule rule;
	struct cfi_rule remembered[REMEMBER_MAX];
	unsigned remembered_cnt;
	int err; /* of the sink */
};

static uint64_t read_pointer(struct reader *in, const struct section *s, uint8_t encoding)
{
	uint64_t at = s->vaddr + (in->p - s->data);
	uint64_t value;

	switch (encoding & PE_FORMAT) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		value = reader__uint(in, 8);
		break;
	case 0x01:
		value = reader__uleb(in);
		break;
	case 0x02:
		value = reader__uint(in, 2);
		break;
	case 0x03:
		value = reader__uint(in, 4);
		break;
	case 0x09:
		value = reader__sleb(in);
		break;
	case 0x0a:
		value = reader__sint(in, 2);
		break;
	case 0x0b:
		value = reader__sint(in, 4);
		break;
	default:
		reader__fail(in);
		return 0;
	}
	if ((encoding & PE_RELATIVE) == PE_PCREL)
		value += at;
	else if (encoding & PE_RELATIVE)
		reader__fail(in);
	return value;
}

static int32_t clamp(int64_t value, struct reader *in)
{
	if (value < INT32_MIN || value > INT32_MAX) {
		reader__fail(in);
		return 0;
	}
	return value;
}

static int64_t scaled(struct machine *m, int64_t factor)
{
	int64_t product;

	if (__builtin_mul_overflow(factor, m->data_align, &product))
		reader__fail(&m->in);
	return m->in.is_bad ? 0 : product;
}

static void set(struct machine *m, uint64_t reg, enum cfi_how how, int64_t arg)
{
	uint8_t slot = slot_of(m->cfi, reg);

	if (slot == SLOT_NONE)
		return;
	m->rule.slots[slot].how = how;
	m->rule.slots[slot].arg = clamp(arg, &m->in);
}

static void set_in_register(struct machine *m, uint64_t reg, uint64_t other)
{
	uint8_t slot = slot_of(m->cfi, other);

	set(m, reg, slot == SLOT_NONE ? CFI_UNKNOWN : CFI_IN_SLOT, slot == SLOT_NONE ? 0 : slot);
}

static void restore(struct machine *m, uint64_t reg)
{
	uint8_t slot = slot_of(m->cfi, reg);

	if (slot != SLOT_NONE && m->cie)
		m->rule.slots[slot] = m->cie->initial.slots[slot];
}

static void set_cfa_register(struct machine *m, uint64_t reg)
{
	uint8_t slot = slot_of(m->cfi, reg);

	m->rule.cfa_slot = slot;
	m->rule.cfa.how = slot == SLOT_NONE ? CFI_UNKNOWN : CFI_IN_SLOT;
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
	set_cfa_register(m, reg);
	m->rule.cfa.arg = clamp(offset, &m->in);
}

static int take_expression(struct machine *m)
{
	uint64_t len = reader__uleb(&m->in);
	const void *bytes = len <= EXPRESSION_MAX ? reader__skip(&m->in, len) : NULL;
	int n;

	if (!bytes) {
		reader__fail(&m->in);
		return 0;
	}
	n = m->cfi->sink.expression(m->cfi->sink.ctx, bytes, len);
	if (n < 0)
		m->err = n;
	return n < 0 ? 0 : n;
}

static void set_expression(struct machine *m, enum cfi_how how)
{
	uint64_t reg = reader__uleb(&m->in);

	set(m, reg, how, take_expression(m));
}

static void set_cfa_expression(struct machine *m)
{
	m->rule.cfa_slot = 0;
	m->rule.cfa.how = CFI_VAL_EXPRESSION;
	m->rule.cfa.arg = take_expression(m);
}

static void remember(struct machine *m)
{
	if (m->remembered_cnt == REMEMBER_MAX)
		reader__fail(&m->in);
	else
		m->remembered[m->remembered_cnt++] = m->rule;
}

static void recall(struct machine *m)
{
	if (!m->remembered_cnt)
		reader__fail(&m->in);
	else
		m->rule = m->remembered[--m->remembered_cnt];
}

static void emit(struct machine *m)
{
	if (!m->err)
		m->err = m->cfi->sink.row(m->cfi->sink.ctx, m->vaddr, &m->rule);
}

static void advance_to(struct machine *m, uint64_t vaddr)
{
	if (!m->cie || vaddr < m->vaddr) {
		reader__fail(&m->in);
		return;
	}
	if (vaddr == m->vaddr)
		return;
	emit(m);
	m->vaddr = vaddr;
	if (vaddr >= m->end) /* the rest speaks about other functions' code */
		m->in.p = m->in.end;
}

static void advance(struct machine *m, uint64_t delta)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(delta, m->code_align, &bytes) || bytes > UINT32_MAX)
		reader__fail(&m->in);
	else
		advance_to(m, m->vaddr + bytes);
}

/* The opcodes without an operand in their low six bits. False: unknown. */
static int run_extended(struct machine *m, uint8_t op)
{
	struct reader *in = &m->in;
	uint64_t reg;

	switch (op) {
	case 0x00: /* nop */
		return 1;
	case 0x01: /* set_loc */
		advance_to(m, read_pointer(in, m->section, m->pointer_encoding));
		return 1;
	case 0x02 ... 0x04: /* advance_loc1, 2, 4 */
		advance(m, reader__uint(in, 1u << (op - 2)));
		return 1;
	case 0x05: /* offset_extended */
		reg = reader__uleb(in);
		set(m, reg, CFI_AT_CFA, scaled(m, reader__uleb(in)));
		return 1;
	case 0x06: /* restore_extended */
		restore(m, reader__uleb(in));
		return 1;
	case 0x07: /* undefined */
		set(m, reader__uleb(in), CFI_UNDEFINED, 0);
		return 1;
	case 0x08: /* same_value */
		set(m, reader__uleb(in), CFI_SAME, 0);
		return 1;
	case 0x09: /* register */
		reg = reader__uleb(in);
		set_in_register(m, reg, reader__uleb(in));
		return 1;
	case 0x0a:
		remember(m);
		return 1;
	case 0x0b:
		recall(m);
		return 1;
	case 0x0c: /* def_cfa */
		reg = reader__uleb(in);
		set_cfa(m, reg, reader__uleb(in));
		return 1;
	case 0x0d: /* def_cfa_register */
		set_cfa_register(m, reader__uleb(in));
		return 1;
	case 0x0e: /* def_cfa_offset */
		m->rule.cfa.arg = clamp(reader__uleb(in), in);
		return 1;
	case 0x0f:
		set_cfa_expression(m);
		return 1;
	case 0x10:
		set_expression(m, CFI_EXPRESSION);
		return 1;
	case 0x11: /* offset_extended_sf */
		reg = reader__uleb(in);
		set(m, reg, CFI_AT_CFA, scaled(m, reader__sleb(in)));
		return 1;
	case 0x12: /* def_cfa_sf */
		reg = reader__uleb(in);
		set_cfa(m, reg, scaled(m, reader__sleb(in)));
		return 1;
	case 0x13: /* def_cfa_offset_sf */
		m->rule.cfa.arg = clamp(scaled(m, reader__sleb(in)), in);
		return 1;
	case 0x14: /* val_offset */
		reg = reader__uleb(in);
		set(m, reg, CFI_CFA_PLUS, scaled(m, reader__uleb(in)));
		return 1;
	case 0x15: /* val_offset_sf */
		reg = reader__uleb(in);
		set(m, reg, CFI_CFA_PLUS, scaled(m, reader__sleb(in)));
		return 1;
	case 0x16:
		set_expression(m, CFI_VAL_EXPRESSION);
		return 1;
	case 0x2d: /* AARCH64_negate_ra_state; SPARC's on other machines */
		m->rule.ra_is_signed ^= 1;
		return m->cfi->machine == EM_AARCH64;
	case 0x2e: /* GNU_args_size */
		reader__uleb(in);
		return 1;
	case 0x2f: /* GNU_negative_offset_extended */
		reg = reader__uleb(in);
		set(m, reg, CFI_AT_CFA, scaled(m, 0 - reader__uleb(in)));
		return 1;
	default:
		return 0;
	}
}

static void run_one(struct machine *m)
{
	uint8_t op = reader__u8(&m->in);

	switch (op >> 6) {
	case 1:
		advance(m, op & 0x3f);
		break;
	case 2:
		set(m, op & 0x3f, CFI_AT_CFA, scaled(m, reader__uleb(&m->in)));
		break;
	case 3:
		restore(m, op & 0x3f);
		break;
	default:
		if (!run_extended(m, op))
			reader__fail(&m->in);
	}
}

static void run(struct machine *m)
{
	while (reader__left(&m->in) && !m->err)
		run_one(m);
}

/* ---- collecting entries ---- */

/* What the letters of the augmentation say; sets the reader behind the augmentation's data. */
static void read_augmentation(struct reader *in, const struct section *s, const char *letters,
			      struct cie *cie)
{
	struct reader data;
	const uint8_t *bytes;
	uint64_t len;
	uint8_t encoding;

	if (!*letters)
		return;
	if (*letters != 'z') { /* of unknown length: what follows cannot be found */
		reader__fail(in);
		return;
	}
	len = reader__uleb(in);
	bytes = reader__skip(in, len);
	if (!bytes)
		return;
	cie->has_augmentation = 1;
	data = reader__make(bytes, len);
	while (*++letters && !data.is_bad) {
		switch (*letters) {
		case 'R':
			cie->fde_encoding = reader__u8(&data);
			break;
		case 'L':
			reader__u8(&data);
			break;
		case 'P':
			encoding = reader__u8(&data);
			read_pointer(&data, s, encoding & ~PE_INDIRECT);
			break;
		case 'S':
			cie->initial.is_signal = 1;
			break;
		case 'B': /* arm64: signed with the B key */
		case 'G': /* arm64: memory tags */
			break;
		default:
			reader__fail(&data);
		}
	}
	if (data.is_bad)
		reader__fail(in);
}

static int run_initial(struct cfi *c, struct cie *cie, struct reader in)
{
	struct machine *m;
	int err;

	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->cfi = c;
	m->section = &c->sections[cie->section];
	m->in = in;
	m->code_align = cie->code_align;
	m->data_align = cie->data_align;
	m->rule = cie->initial;
	run(m);
	cie->initial = m->rule;
	cie->is_bad |= m->in.is_bad;
	err = m->err;
	free(m);
	return err;
}

/* `in` stands behind the CIE's id. A CIE that cannot be understood is kept, marked bad. */
static int add_cie(struct cfi *c, uint32_t offset, struct reader in)
{
	struct section *s = &c->sections[c->section_cnt - 1];
	const char *letters;
	struct cie *cie;
	uint64_t version, ra;
	int err;

	err = grow((void **)&c->cies, c->cie_cnt, &c->cie_cap, CIES_MAX, sizeof(*c->cies));
	if (err)
		return err;
	cie = memset(&c->cies[c->cie_cnt], 0, sizeof(*cie));
	cie->section = c->section_cnt - 1;
	cie->offset = offset;
	version = reader__u8(&in);
	letters = reader__string(&in);
	/* version 4 says the sizes of addresses and segments */
	if (version == 4 && reader__uint(&in, 2) != 8)
		reader__fail(&in);
	cie->code_align = reader__uleb(&in);
	cie->data_align = reader__sleb(&in);
	ra = version == 1 ? reader__u8(&in) : reader__uleb(&in);
	cie->initial.ra_slot = slot_of(c, ra);
	read_augmentation(&in, s, letters, cie);
	cie->is_bad = in.is_bad || cie->initial.ra_slot == SLOT_NONE ||
		      (version != 1 && version != 3 && version != 4);
	c->cie_cnt++;
	return cie->is_bad ? 0 : run_initial(c, cie, in);
}

static const struct cie *find_cie(const struct cfi *c, uint32_t section, uint64_t offset)
{
	size_t lo = 0, hi = c->cie_cnt, mid;
	const struct cie *cie;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cie = &c->cies[mid];
		if (cie->section < section || (cie->section == section && cie->offset < offset))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == c->cie_cnt)
		return NULL;
	cie = &c->cies[lo];
	return cie->section == section && cie->offset == offset ? cie : NULL;
}

/* `in` stands behind the FDE's pointer to its CIE. -EINVAL: left out. */
static int add_fde(struct cfi *c, const struct cie *cie, struct reader in)
{
	struct section *s = &c->sections[c->section_cnt - 1];
	uint8_t encoding = cie->fde_encoding;
	struct fde fde = {.cie = cie - c->cies};
	uint64_t len;
	int err;

	if (cie->is_bad)
		return -EINVAL;
	fde.begin = read_pointer(&in, s, encoding);
	len = read_pointer(&in, s, encoding & PE_FORMAT);
	if (cie->has_augmentation)
		reader__skip(&in, reader__uleb(&in));
	if (in.is_bad || __builtin_add_overflow(fde.begin, len, &fde.end))
		return -EINVAL;
	if (!fde.begin || !len) /* the linker dropped the function */
		return 0;
	fde.program = in.p - s->data;
	fde.program_len = reader__left(&in);
	err = grow((void **)&c->fdes, c->fde_cnt, &c->fde_cap, FDES_MAX, sizeof(*c->fdes));
	if (!err)
		c->fdes[c->fde_cnt++] = fde;
	return err;
}

struct entry {
	uint32_t offset;   /* of its length field */
	int is_cie;
	uint64_t cie;	   /* offset of the CIE it belongs to */
	struct reader in;  /* what follows the id */
};

/* Length and id of the next entry. 0; -ENODATA at the end; -EINVAL: no way to go on. */
static int next_entry(const struct section *s, struct reader *all, struct entry *ret_entry)
{
	size_t id_bytes = 4;
	const uint8_t *id_at, *body;
	uint64_t len, id;

	if (!reader__left(all))
		return -ENODATA;
	ret_entry->offset = all->p - s->data;
	len = reader__uint(all, 4);
	if (len == 0xffffffff) {
		len = reader__uint(all, 8);
		id_bytes = s->is_debug_frame ? 8 : 4;
	}
	if (!len && !all->is_bad)
		return -ENODATA;
	body = reader__skip(all, len);
	if (!body)
		return -EINVAL;
	ret_entry->in = reader__make(body, len);
	id_at = body;
	id = reader__uint(&ret_entry->in, id_bytes);
	if (s->is_debug_frame) {
		ret_entry->is_cie = id == (id_bytes == 8 ? UINT64_MAX : UINT32_MAX);
		ret_entry->cie = id;
	} else {
		ret_entry->is_cie = !id;
		ret_entry->cie = (uint64_t)(id_at - s->data) - id;
	}
	return ret_entry->in.is_bad ? -EINVAL : 0;
}

static int scan_entries(struct cfi *c, int want_cies)
{
	const struct section *s = &c->sections[c->section_cnt - 1];
	struct reader all = reader__make(s->data, s->len);
	const struct cie *cie;
	struct entry entry;
	int err;

	while (!(err = next_entry(s, &all, &entry))) {
		if (entry.is_cie != want_cies)
			continue;
		if (want_cies) {
			err = add_cie(c, entry.offset, entry.in);
		} else {
			cie = find_cie(c, c->section_cnt - 1, entry.cie);
			err = cie ? add_fde(c, cie, entry.in) : -EINVAL;
		}
		if (err == -EINVAL)
			c->is_garbled = 1;
		else if (err)
			return err;
	}
	if (err == -EINVAL)
		c->is_garbled = 1;
	return 0;
}

int cfi__scan(struct cfi *c, const void *section, size_t len, uint64_t vaddr, int is_debug_frame)
{
	int err;

	if (c->section_cnt == SECTIONS_MAX || len > INT32_MAX)
		return -E2BIG;
	c->sections[c->section_cnt++] = (struct section){section, len, vaddr, is_debug_frame};
	err = scan_entries(c, 1);
	if (!err)
		err = scan_entries(c, 0);
	return err ? err : c->is_garbled ? -EINVAL : 0;
}

/* ---- all functions ---- */

/* Of two descriptions of one address the section that was scanned first counts. */
static int by_begin(const void *a_, const void *b_)
{
	const struct fde *a = a_, *b = b_;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->cie < b->cie ? -1 : a->cie > b->cie;
}

static int run_fde(struct cfi *c, struct machine *m, const struct fde *fde)
{
	const struct cie *cie = &c->cies[fde->cie];
	const struct section *s = &c->sections[cie->section];

	m->cfi = c;
	m->cie = cie;
	m->section = s;
	m->in = reader__make(s->data + fde->program, fde->program_len);
	m->code_align = cie->code_align;
	m->data_align = cie->data_align;
	m->pointer_encoding = cie->fde_encoding;
	m->vaddr = fde->begin;
	m->end = fde->end;
	m->rule = cie->initial;
	m->remembered_cnt = 0;
	run(m);
	if (m->vaddr < m->end && !m->in.is_bad)
		emit(m);
	else if (m->vaddr < m->end) /* what could not be read is not guessed */
		m->err = m->err ? m->err : c->sink.row(c->sink.ctx, m->vaddr, NULL);
	c->is_garbled |= m->in.is_bad;
	return m->err ? m->err : c->sink.row(c->sink.ctx, m->end, NULL);
}

/* In address order, one for each address; none reaches into the next. */
static void order_fdes(struct cfi *c)
{
	struct fde *fde;
	size_t i, n = 0;

	if (c->fde_cnt)
		qsort(c->fdes, c->fde_cnt, sizeof(*c->fdes), by_begin);
	for (i = 0; i < c->fde_cnt; i++) {
		fde = &c->fdes[i];
		if (n && fde->begin == c->fdes[n - 1].begin)
			continue;
		if (n && fde->begin < c->fdes[n - 1].end)
			c->fdes[n - 1].end = fde->begin;
		c->fdes[n++] = *fde;
	}
	c->fde_cnt = n;
}

int cfi__run(struct cfi *c)
{
	struct machine *m;
	size_t i;
	int err = 0;

	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	order_fdes(c);
	for (i = 0; i < c->fde_cnt && !err; i++)
		err = run_fde(c, m, &c->fdes[i]);
	free(m);
	return err ? err : c->is_garbled ? -EINVAL : 0;
}
