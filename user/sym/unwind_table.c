/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_table.c - a file's call frame information as 8-byte rows over a shared set of rules.
 *
 * A library has tens of thousands of rows but only a few hundred different rules. A row holds
 * from its address to the next one's; rule NO_RULE marks the gaps.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind_table.h"

#define ROWS_MAX	(8u << 20)
#define RULES_MAX	65536
#define EXPRESSIONS_MAX 1024
#define NO_RULE		UINT32_MAX

struct row {
	uint32_t offset; /* from the table's base */
	uint32_t rule;
};

struct expression {
	uint16_t len;
	uint8_t bytes[];
};

struct unwind_table {
	uint16_t machine;
	uint64_t base;
	struct row *rows;
	size_t row_cnt, row_cap;
	struct cfi_rule *rules;
	size_t rule_cnt, rule_cap;
	uint32_t *buckets; /* while it is built: hash of the rules; a power of two, NO_RULE = free */
	size_t bucket_cnt;
	struct expression **expressions;
	size_t expression_cnt;
};

/* ---- building ---- */

static uint64_t hash_rule(const struct cfi_rule *rule)
{
	const unsigned char *p = (const unsigned char *)rule;
	uint64_t hash = 0xcbf29ce484222325ULL;
	uint32_t word;
	size_t i;

	for (i = 0; i < sizeof(*rule); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ULL;
	}
	return hash ^ hash >> 29;
}

static uint32_t *find_bucket(const struct unwind_table *t, const struct cfi_rule *rule)
{
	size_t i = hash_rule(rule) & (t->bucket_cnt - 1);

	while (t->buckets[i] != NO_RULE && memcmp(&t->rules[t->buckets[i]], rule, sizeof(*rule)))
		i = (i + 1) & (t->bucket_cnt - 1);
	return &t->buckets[i];
}

/* Rules and buckets grow together: at most half of the buckets are taken. */
static int grow_rules(struct unwind_table *t)
{
	size_t cap = t->rule_cap ? 2 * t->rule_cap : 128, i;
	struct cfi_rule *rules;
	uint32_t *buckets;

	if (t->rule_cnt < t->rule_cap)
		return 0;
	if (t->rule_cnt >= RULES_MAX)
		return -E2BIG;
	rules = reallocarray(t->rules, cap, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	t->rules = rules;
	buckets = malloc(2 * cap * sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	memset(buckets, 0xff, 2 * cap * sizeof(*buckets));
	free(t->buckets);
	t->buckets = buckets;
	t->bucket_cnt = 2 * cap;
	t->rule_cap = cap;
	for (i = 0; i < t->rule_cnt; i++)
		*find_bucket(t, &t->rules[i]) = i;
	return 0;
}

static int rule_number(struct unwind_table *t, const struct cfi_rule *rule, uint32_t *ret_rule)
{
	uint32_t *bucket;
	int err;

	if (!rule) {
		*ret_rule = NO_RULE;
		return 0;
	}
	err = grow_rules(t);
	if (err)
		return err;
	bucket = find_bucket(t, rule);
	if (*bucket == NO_RULE) {
		*bucket = t->rule_cnt;
		t->rules[t->rule_cnt++] = *rule;
	}
	*ret_rule = *bucket;
	return 0;
}

static int push_row(struct unwind_table *t, uint32_t offset, uint32_t rule)
{
	size_t cap = t->row_cap ? t->row_cap + t->row_cap / 2 : 1024;
	struct row *rows;

	if (t->row_cnt == t->row_cap) {
		if (t->row_cnt >= ROWS_MAX)
			return -E2BIG;
		rows = reallocarray(t->rows, cap, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		t->row_cap = cap;
	}
	/* as many as were counted are there: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	t->rows[t->row_cnt++] = (struct row){offset, rule};
	return 0;
}

/* Rows come in address order; a later row at the same address replaces the earlier. */
static int add_row(void *ctx, uint64_t vaddr, const struct cfi_rule *rule)
{
	struct unwind_table *t = ctx;
	struct row *last;
	uint32_t number;
	int err;

	if (!t->row_cnt)
		t->base = vaddr;
	if (vaddr < t->base || vaddr - t->base > UINT32_MAX)
		return 0; /* no real file spans 4 GiB of code */
	err = rule_number(t, rule, &number);
	if (err)
		return err;
	last = t->row_cnt ? &t->rows[t->row_cnt - 1] : NULL;
	if (last && last->offset == vaddr - t->base) {
		last->rule = number;
		return 0;
	}
	if (last && last->rule == number)
		return 0;
	return push_row(t, vaddr - t->base, number);
}

static int add_expression(void *ctx, const void *bytes, size_t len)
{
	struct unwind_table *t = ctx;
	struct expression *e;
	size_t i;

	for (i = 0; i < t->expression_cnt; i++) {
		e = t->expressions[i];
		if (e->len == len && !memcmp(e->bytes, bytes, len))
			return i;
	}
	if (i == EXPRESSIONS_MAX)
		return -E2BIG;
	if (!t->expressions)
		t->expressions = calloc(EXPRESSIONS_MAX, sizeof(*t->expressions));
	e = t->expressions ? malloc(sizeof(*e) + len) : NULL;
	if (!e)
		return -ENOMEM;
	e->len = len;
	memcpy(e->bytes, bytes, len);
	t->expressions[t->expression_cnt++] = e;
	return i;
}

/* .eh_frame without section headers: it begins where the binary search header says. */
static const void *eh_frame_by_segment(struct elf_file *e, size_t *ret_size, uint64_t *ret_vaddr)
{
	uint64_t header, size, offset, vaddr, end;
	const unsigned char *p;
	int32_t delta;

	if (elf_file__eh_frame_hdr(e, &header, &size) || size < 8 ||
	    elf_file__vaddr_to_offset(e, header, &offset))
		return NULL;
	p = elf_file__bytes(e, offset, 8);
	/* version 1, pointer to .eh_frame as a 4-byte distance: what every linker writes */
	if (!p || p[0] != 1 || p[1] != 0x1b)
		return NULL;
	memcpy(&delta, p + 4, sizeof(delta));
	vaddr = header + 4 + delta;
	if (elf_file__vaddr_to_offset(e, vaddr, &offset) ||
	    elf_file__segment_end(e, vaddr, &end))
		return NULL;
	*ret_size = end - vaddr;
	*ret_vaddr = vaddr;
	return elf_file__bytes(e, offset, *ret_size);
}

/* -ENOENT: no section at all. */
static int scan_sections(struct cfi *cfi, struct elf_file *e)
{
	int err = -ENOENT, debug_err;
	const void *bytes;
	uint64_t vaddr;
	size_t size;

	bytes = elf_file__section(e, ".eh_frame", &size, &vaddr);
	if (!bytes)
		bytes = eh_frame_by_segment(e, &size, &vaddr);
	if (bytes)
		err = cfi__scan(cfi, bytes, size, vaddr, 0);
	bytes = elf_file__section(e, ".debug_frame", &size, &vaddr);
	if (bytes) {
		debug_err = cfi__scan(cfi, bytes, size, vaddr, 1);
		if (err == -ENOENT || debug_err)
			err = debug_err;
	}
	return err;
}

static void finish(struct unwind_table *t)
{
	struct row *rows = realloc(t->rows, t->row_cnt * sizeof(*rows));

	if (rows) {
		t->rows = rows;
		t->row_cap = t->row_cnt;
	}
	free(t->buckets);
	t->buckets = NULL;
}

static int build(struct unwind_table *t, struct elf_file *e)
{
	const struct cfi_sink sink = {.ctx = t, .row = add_row, .expression = add_expression};
	struct cfi *cfi;
	int err, run_err;

	cfi = cfi__new(elf_file__machine(e), &sink);
	if (!cfi)
		return -ENOMEM;
	err = scan_sections(cfi, e);
	if (!err || err == -EINVAL || err == -E2BIG) {
		run_err = cfi__run(cfi);
		err = run_err ? run_err : err;
	}
	cfi__free(cfi);
	return err;
}

int unwind_table__new(struct elf_file *e, struct unwind_table **ret_table)
{
	struct unwind_table *t;
	int err;

	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->machine = elf_file__machine(e);
	err = build(t, e);
	if (err == -E2BIG) /* beyond our bounds: what was read counts */
		err = -EINVAL;
	if (!t->row_cnt && (!err || err == -EINVAL))
		err = err ? err : -ENOENT;
	if ((err && err != -EINVAL) || !t->row_cnt) {
		unwind_table__free(t);
		return err;
	}
	finish(t);
	*ret_table = t;
	return err;
}

void unwind_table__free(struct unwind_table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->expression_cnt; i++)
		free(t->expressions[i]);
	free(t->expressions);
	free(t->buckets);
	free(t->rules);
	free(t->rows);
	free(t);
}

size_t unwind_table__bytes(const struct unwind_table *t)
{
	size_t i, bytes = sizeof(*t);

	bytes += t->row_cap * sizeof(*t->rows) + t->rule_cap * sizeof(*t->rules);
	if (t->expressions)
		bytes += EXPRESSIONS_MAX * sizeof(*t->expressions);
	for (i = 0; i < t->expression_cnt; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): where there is one, too */
		bytes += sizeof(*t->expressions[i]) + t->expressions[i]->len;
	return bytes;
}

size_t unwind_table__rows(const struct unwind_table *t)
{
	return t->row_cnt;
}

/* ---- looking up ---- */

uint16_t unwind_table__machine(const struct unwind_table *t)
{
	return t->machine;
}

const struct cfi_rule *unwind_table__rule(const struct unwind_table *t, uint64_t vaddr)
{
	size_t lo = 0, hi = t->row_cnt, mid;
	uint64_t offset = vaddr - t->base;

	if (vaddr < t->base || offset > UINT32_MAX)
		return NULL;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (t->rows[mid].offset <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || t->rows[lo - 1].rule == NO_RULE)
		return NULL;
	return &t->rules[t->rows[lo - 1].rule];
}

const void *unwind_table__expression(const struct unwind_table *t, int32_t n, size_t *ret_len)
{
	if (n < 0 || (size_t)n >= t->expression_cnt)
		return NULL;
	*ret_len = t->expressions[n]->len;
	return t->expressions[n]->bytes;
}
