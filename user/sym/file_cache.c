/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file_cache.c - files by identity, answers by address, least recently used goes first.
 *
 * An answer outlives the debug information it came from: its strings are in the pool, so a file
 * may be shrunk as soon as another one needs the memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "demangle.h"
#include "file_cache.h"

#define ANSWERS_MAX  65536
#define FILES_MAX    1024 /* kept open for nobody */
#define FRAMES_MAX   64	  /* inlined into one another at one address */
#define NAME_MAX_LEN 1024

struct answer {
	UT_hash_handle hh;
	uint64_t vaddr; /* as looked up */
	uint64_t start; /* of the function; 0 = unknown */
	int cnt;
	struct frame frames[];
};

struct cached_file {
	UT_hash_handle hh;
	struct sym_file_key key;
	struct sym_file *file;
	struct answer *answers;
	unsigned refs;
	int is_private;
	int is_shrunk; /* nothing more to be had from it */
	uint64_t used;
	size_t held;
};

struct file_cache {
	struct file_cache_cfg cfg;
	struct cached_file *files;
	uint64_t now; /* counts uses */
	size_t held;
	size_t answer_cnt;
	size_t idle_cnt;
};

struct file_cache *file_cache__new(const struct file_cache_cfg *cfg)
{
	struct file_cache *c = calloc(1, sizeof(*c));

	if (c)
		c->cfg = *cfg;
	return c;
}

size_t file_cache__held(const struct file_cache *c)
{
	return c->held + c->answer_cnt * (sizeof(struct answer) + 2 * sizeof(struct frame));
}

/* ---- files ---- */

static void drop_answers(struct file_cache *c, struct cached_file *f)
{
	struct answer *a, *next;

	HASH_ITER(hh, f->answers, a, next) {
		HASH_DEL(f->answers, a);
		free(a);
		c->answer_cnt--;
	}
}

static void destroy(struct file_cache *c, struct cached_file *f)
{
	drop_answers(c, f);
	c->held -= f->held;
	sym_file__free(f->file);
	free(f);
}

static void drop_idle(struct file_cache *c, struct cached_file *f)
{
	HASH_DEL(c->files, f);
	c->idle_cnt--;
	destroy(c, f);
}

void file_cache__free(struct file_cache *c)
{
	struct cached_file *f, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->files, f, next) {
		HASH_DEL(c->files, f);
		destroy(c, f);
	}
	free(c);
}

static void account(struct file_cache *c, struct cached_file *f)
{
	size_t held = sym_file__held(f->file);

	c->held += held - f->held;
	f->held = held;
}

static struct cached_file *oldest(struct file_cache *c, const struct cached_file *keep,
				  int only_idle)
{
	struct cached_file *f, *next, *found = NULL;

	HASH_ITER(hh, c->files, f, next) {
		if (f == keep || (f->refs && (only_idle || f->is_shrunk)))
			continue;
		if (!found || f->used < found->used)
			found = f;
	}
	return found;
}

/* Make room after f grew: files of nobody are closed, others lose what can be read again. */
static void balance(struct file_cache *c, struct cached_file *f)
{
	struct cached_file *victim;

	f->used = ++c->now;
	f->is_shrunk = 0;
	account(c, f);
	while (c->held > c->cfg.max_bytes && (victim = oldest(c, f, 0))) {
		if (!victim->refs) {
			drop_idle(c, victim);
			continue;
		}
		sym_file__shrink(victim->file);
		account(c, victim);
		victim->is_shrunk = 1;
	}
}

static int key_of(int fd, struct sym_file_key *ret_key)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	memset(ret_key, 0, sizeof(*ret_key));
	ret_key->dev = st.st_dev;
	ret_key->inode = st.st_ino;
	ret_key->size = st.st_size;
	ret_key->mtime_s = st.st_mtim.tv_sec;
	ret_key->mtime_ns = st.st_mtim.tv_nsec;
	return 0;
}

/* Takes over elf. */
static struct cached_file *new_file(struct file_cache *c, struct elf_file *elf,
				    const struct opener *opener, uint64_t start)
{
	const struct sym_file_cfg cfg = {c->cfg.opener, c->cfg.max_bytes};
	struct cached_file *f = calloc(1, sizeof(*f));

	if (!f) {
		elf_file__close(elf);
		return NULL;
	}
	f->file = sym_file__new(elf, opener, start, &cfg);
	if (!f->file) {
		free(f);
		return NULL;
	}
	f->refs = 1;
	return f;
}

/* Takes over fd. */
static int add_file(struct file_cache *c, int fd, const struct sym_file_key *key,
		    const struct opener *opener, uint64_t start, struct cached_file **ret_file)
{
	struct elf_file *elf;
	struct cached_file *f;
	int err;

	err = elf_file__open_fd(fd, &elf);
	if (err)
		return err;
	f = new_file(c, elf, opener, start);
	if (!f)
		return -ENOMEM;
	f->key = *key;
	HASH_ADD(hh, c->files, key, sizeof(f->key), f);
	if (!f->hh.tbl) {
		destroy(c, f);
		return -ENOMEM;
	}
	balance(c, f);
	*ret_file = f;
	return 0;
}

int file_cache__get(struct file_cache *c, int fd, const struct opener *opener, uint64_t start,
		    struct cached_file **ret_file)
{
	struct sym_file_key key;
	struct cached_file *f;
	int err;

	err = key_of(fd, &key);
	if (err) {
		close(fd);
		return err;
	}
	HASH_FIND(hh, c->files, &key, sizeof(key), f);
	if (!f)
		return add_file(c, fd, &key, opener, start, ret_file);
	close(fd);
	if (!f->refs++)
		c->idle_cnt--;
	*ret_file = f;
	return 0;
}

int file_cache__get_image(struct file_cache *c, void *data, size_t len,
			  struct cached_file **ret_file)
{
	struct elf_file *elf;
	struct cached_file *f;
	int err;

	err = elf_file__open_memory(data, len, &elf);
	if (err)
		return err;
	f = new_file(c, elf, NULL, 0);
	if (!f)
		return -ENOMEM;
	f->is_private = 1;
	account(c, f);
	*ret_file = f;
	return 0;
}

void file_cache__put(struct file_cache *c, struct cached_file *f)
{
	if (!f || --f->refs)
		return;
	if (f->is_private) {
		destroy(c, f);
		return;
	}
	c->idle_cnt++;
	while (c->idle_cnt > FILES_MAX && (f = oldest(c, NULL, 1)))
		drop_idle(c, f);
}

struct elf_file *cached_file__elf(const struct cached_file *f)
{
	return sym_file__elf(f->file);
}

int cached_file__has_symbols(const struct cached_file *f)
{
	return sym_file__has_symbols(f->file);
}

int cached_file__lines_too_large(const struct cached_file *f)
{
	return sym_file__lines_too_large(f->file);
}

int cached_file__split_missing(const struct cached_file *f)
{
	return sym_file__split_missing(f->file);
}

struct unwind_table *cached_file__unwind(struct file_cache *c, struct cached_file *f)
{
	struct unwind_table *table;
	int is_new;

	table = sym_file__unwind(f->file, &is_new);
	f->used = ++c->now;
	if (is_new)
		balance(c, f);
	return table;
}

int cached_file__function_at(struct file_cache *c, struct cached_file *f, uint64_t vaddr,
			     struct elf_symbol *ret_symbol)
{
	int err = sym_file__function_at(f->file, vaddr, ret_symbol);

	balance(c, f);
	return err;
}

/* ---- answers ---- */

static const char *keep(struct file_cache *c, const char *name)
{
	char readable[NAME_MAX_LEN];

	if (name && demangle(name, readable, sizeof(readable)))
		name = readable;
	return string_pool__keep(c->cfg.strings, name);
}

/* Compilers split and clone functions: "f.cold", "f.constprop.0", "f.part.0". */
static int is_clone(const char *symbol)
{
	return !!strchr(symbol, '.');
}

static void fill_frame(struct file_cache *c, const struct line_frame *line, struct frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	frame->function = keep(c, line->function);
	frame->file = string_pool__keep(c->cfg.strings, line->file);
	frame->line = line->line;
}

static int look_up(struct file_cache *c, struct cached_file *f, uint64_t vaddr,
		   struct frame *frames, uint64_t *ret_start)
{
	struct line_frame lines[FRAMES_MAX];
	struct elf_symbol symbol;
	int cnt = 0, i;

	*ret_start = 0;
	if (!c->cfg.no_lines)
		cnt = sym_file__lines_at(f->file, vaddr, lines, FRAMES_MAX);
	if (!cnt)
		memset(&lines[cnt++], 0, sizeof(lines[0]));
	for (i = 0; i < cnt; i++) {
		fill_frame(c, &lines[i], &frames[i]);
		frames[i].inlined = i < cnt - 1;
	}
	if (!sym_file__function_at(f->file, vaddr, &symbol)) {
		*ret_start = symbol.vaddr;
		if (!frames[cnt - 1].function || !is_clone(symbol.name))
			frames[cnt - 1].function = keep(c, symbol.name);
	}
	return cnt;
}

static void drop_all_answers(struct file_cache *c)
{
	struct cached_file *f, *next;

	HASH_ITER(hh, c->files, f, next)
		drop_answers(c, f);
}

static void remember(struct file_cache *c, struct cached_file *f, uint64_t vaddr, uint64_t start,
		     const struct frame *frames, int cnt)
{
	struct answer *a;

	if (c->answer_cnt >= ANSWERS_MAX)
		drop_all_answers(c);
	a = malloc(sizeof(*a) + cnt * sizeof(*frames));
	if (!a)
		return;
	a->vaddr = vaddr;
	a->start = start;
	a->cnt = cnt;
	memcpy(a->frames, frames, cnt * sizeof(*frames));
	HASH_ADD(hh, f->answers, vaddr, sizeof(a->vaddr), a);
	if (!a->hh.tbl)
		free(a);
	else
		c->answer_cnt++;
}

/* Frames of the code at vaddr; *ret_start is the function's first address, 0 = unknown. */
static int answer(struct file_cache *c, struct cached_file *f, uint64_t vaddr,
		  struct frame *frames, uint64_t *ret_start)
{
	struct answer *a;
	int cnt;

	HASH_FIND(hh, f->answers, &vaddr, sizeof(vaddr), a);
	if (a) {
		*ret_start = a->start;
		memcpy(frames, a->frames, a->cnt * sizeof(*frames));
		return a->cnt;
	}
	cnt = look_up(c, f, vaddr, frames, ret_start);
	remember(c, f, vaddr, *ret_start, frames, cnt);
	balance(c, f);
	return cnt;
}

int cached_file__frames(struct file_cache *c, struct cached_file *f, uint64_t vaddr,
			int is_return, struct frame *frames, int cap)
{
	struct frame found[FRAMES_MAX], *outermost;
	uint64_t start;
	int cnt;

	cnt = answer(c, f, vaddr - !!is_return, found, &start);
	/* a signal frame's address is its function's first: nothing stands before it */
	if (is_return && !found[cnt - 1].function)
		cnt = answer(c, f, vaddr, found, &start);
	outermost = &found[cnt - 1];
	if (outermost->function && start && vaddr >= start)
		outermost->offset = vaddr - start;
	else if (!outermost->function)
		outermost->offset = vaddr;
	if (cnt > cap) { /* the function itself counts more than what was inlined into it */
		memmove(found, found + (cnt - cap), cap * sizeof(*found));
		cnt = cap;
	}
	memcpy(frames, found, cnt * sizeof(*found));
	return cnt;
}
