// SPDX-License-Identifier: BSD-2-Clause
/* heap.c - see heap.h: which runtime, which memory; what is in it is the runtime's file's business. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../sym/maps.h"
#include "heap.h"
#include "python_heap.h"
#include "remote.h"

#define CHUNK_BYTES  (1 << 20)
#define SCAN_MAX     (16ULL << 30)
#define PAGE_MIN     4096
#define NOT_SEEN_MAX 8
#define SENTENCE_CAP 192
#define RUNTIME_CAP  32

struct heap {
	char runtime[RUNTIME_CAP];
	struct python_heap *python;
	struct heap_type *by_bytes, *by_name;
	size_t cnt, cap;
	struct heap_totals totals;
	char sentences[NOT_SEEN_MAX][SENTENCE_CAP];
	const char *not_seen[NOT_SEEN_MAX + 1];
	int not_seen_cnt;
};

static void add_not_seen(struct heap *h, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add_not_seen(struct heap *h, const char *fmt, ...)
{
	char *sentence;
	va_list args;

	if (h->not_seen_cnt == NOT_SEEN_MAX)
		return;
	sentence = h->sentences[h->not_seen_cnt];
	va_start(args, fmt);
	vsnprintf(sentence, SENTENCE_CAP, fmt, args);
	va_end(args);
	h->not_seen[h->not_seen_cnt++] = sentence;
}

/* ---- which runtime ---- */

/* ".../python3.11" or ".../libpython3.11.so.1.0"; -ENOTSUP where its objects are elsewhere. */
static int name_python(const char *path, char *ret_name, size_t cap)
{
	const char *base = strrchr(path, '/');
	unsigned minor;
	char flag = 0;
	int fields;

	base = base ? base + 1 : path;
	if (!strncmp(base, "lib", 3))
		base += 3;
	fields = sscanf(base, "python3.%u%c", &minor, &flag);
	if (fields < 1)
		return -ENOENT;
	snprintf(ret_name, cap, "CPython 3.%u%s", minor, flag == 't' ? "t" : "");
	return flag == 't' || minor < 8 ? -ENOTSUP : 0;
}

/* 0, -ENOENT no runtime that is known, -ENOTSUP one whose objects cannot be seen. */
static int find_runtime(const struct maps *maps, char *ret_name)
{
	int err = -ENOENT;
	size_t i;

	for (i = 0; i < maps__cnt(maps) && err == -ENOENT; i++)
		if (maps__at(maps, i)->executable)
			err = name_python(maps__at(maps, i)->path, ret_name, RUNTIME_CAP);
	return err;
}

/* ---- which memory ---- */

/* Memory of one chunk; what is not present reads as zeros, as nothing was ever written there. */
struct chunk {
	uint64_t address;
	size_t len;
	unsigned char *bytes;
};

static int is_candidate(const struct map_region *r)
{
	return r->readable && r->writable && !r->shared && !r->inode &&
	       (!*r->path || !strcmp(r->path, "[heap]") || !strncmp(r->path, "[anon:", 6));
}

static int fill_chunk(struct heap *h, struct remote *r, struct chunk *c)
{
	struct remote_seen seen = {0};
	int err;

	err = remote__fill(r, c->address, c->bytes, c->len, REMOTE_PRESENT, &seen);
	h->totals.scanned_bytes += seen.read_bytes;
	h->totals.swapped_bytes += seen.swapped_bytes;
	h->totals.unread_bytes += seen.unread_bytes;
	return err;
}

typedef int (*pool_fn)(struct python_heap *h, uint64_t address, const void *bytes, size_t len);

/* Pools are aligned to their size; a chunk is to the largest, so none crosses its end. */
static int scan_chunk(struct heap *h, const struct chunk *c, pool_fn see)
{
	size_t at = 0;
	int size;

	while (at < c->len) {
		size = see(h->python, c->address + at, c->bytes + at, c->len - at);
		if (size == -EAGAIN)
			h->totals.changing_pools++;
		else if (size < 0)
			return size;
		at += size > 0 ? (size_t)size : PAGE_MIN;
	}
	return 0;
}

/* To the chunk that has the next page. */
static int skip_hole(struct remote *r, uint64_t *at, uint64_t end)
{
	uint64_t next = *at;
	int err = remote__skip_hole(r, &next, end);

	if (next < end)
		next &= ~(uint64_t)(CHUNK_BYTES - 1);
	*at = next > *at ? next : *at;
	return err;
}

static int scan_region(struct heap *h, struct remote *r, const struct map_region *region,
		       struct chunk *c, pool_fn see)
{
	uint64_t at, end;
	int err = 0;

	for (at = region->start; at < region->end && !err; at = end) {
		err = skip_hole(r, &at, region->end);
		if (err || at == region->end)
			break;
		end = (at + CHUNK_BYTES) & ~(uint64_t)(CHUNK_BYTES - 1);
		if (end > region->end)
			end = region->end;
		if (h->totals.scanned_bytes >= SCAN_MAX) {
			h->totals.unread_bytes += end - at;
			continue;
		}
		c->address = at;
		c->len = end - at;
		err = fill_chunk(h, r, c);
		if (!err)
			err = scan_chunk(h, c, see);
	}
	return err;
}

/* One pass over all memory; what was left out is told of the last one. */
static int pass(struct heap *h, struct remote *r, const struct maps *maps, struct chunk *c,
		pool_fn see)
{
	int err = 0;
	size_t i;

	memset(&h->totals, 0, sizeof(h->totals));
	for (i = 0; i < maps__cnt(maps) && !err; i++)
		if (is_candidate(maps__at(maps, i)))
			err = scan_region(h, r, maps__at(maps, i), c, see);
	return err;
}

static int scan(struct heap *h, struct remote *r, const struct maps *maps)
{
	struct memory memory = remote__memory(r);
	struct python_heap_totals python;
	struct chunk *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	h->python = python_heap__new(&memory);
	if (c)
		c->bytes = malloc(CHUNK_BYTES);
	if (h->python && c && c->bytes) {
		err = pass(h, r, maps, c, python_heap__note);
		if (!err)
			err = pass(h, r, maps, c, python_heap__pool);
	}
	if (c)
		free(c->bytes);
	free(c);
	if (err)
		return err;
	if (remote__has_ended(r))
		return -ESRCH;
	python_heap__totals(h->python, &python);
	return python.pools ? 0 : -ENODATA;
}

/* ---- types by name ---- */

static int name_order(const char *a, const char *b)
{
	return !a || !b ? !!a - !!b : strcmp(a, b);
}

static int by_name(const void *a, const void *b)
{
	const struct heap_type *x = a, *y = b;

	return name_order(x->name, y->name);
}

static int by_bytes(const void *a, const void *b)
{
	const struct heap_type *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return name_order(x->name, y->name);
}

static int take_type(void *ctx, const struct python_type *t)
{
	struct heap *h = ctx;
	size_t cap = h->cap ? 2 * h->cap : 256;
	struct heap_type *types;

	if (h->cnt == h->cap) {
		types = realloc(h->by_name, cap * sizeof(*types));
		if (!types)
			return -ENOMEM;
		h->by_name = types;
		h->cap = cap;
	}
	h->by_name[h->cnt++] = (struct heap_type){t->name, t->is_class, t->objects, t->bytes};
	return 0;
}

/* A class that was defined twice is two types with one name: to a reader they are one. */
static void merge_names(struct heap *h)
{
	struct heap_type *types = h->by_name;
	size_t i, kept = 0;

	qsort(types, h->cnt, sizeof(*types), by_name);
	for (i = 0; i < h->cnt; i++) {
		if (kept && !name_order(types[kept - 1].name, types[i].name)) {
			types[kept - 1].objects += types[i].objects;
			types[kept - 1].bytes += types[i].bytes;
		} else {
			types[kept++] = types[i];
		}
	}
	h->cnt = kept;
}

static int sort_types(struct heap *h)
{
	int err = python_heap__each(h->python, take_type, h);

	if (err || !h->cnt)
		return err;
	merge_names(h);
	h->by_bytes = malloc(h->cnt * sizeof(*h->by_bytes));
	if (!h->by_bytes)
		return -ENOMEM;
	memcpy(h->by_bytes, h->by_name, h->cnt * sizeof(*h->by_bytes));
	qsort(h->by_bytes, h->cnt, sizeof(*h->by_bytes), by_bytes);
	return 0;
}

/* ---- the whole look ---- */

static void add_up(struct heap *h)
{
	struct heap_totals *t = &h->totals;
	struct python_heap_totals python;

	python_heap__totals(h->python, &python);
	t->blocks = python.blocks;
	t->bytes = python.block_bytes;
	t->free_bytes = python.pool_bytes - python.block_bytes;
	add_not_seen(h,
		     "blocks above 512 bytes, which Python takes from malloc (long strings, large "
		     "lists and dicts): `seep trace` shows who allocates them");
	if (t->swapped_bytes)
		add_not_seen(h, "%.1f MiB in swap: reading them would bring them back",
			     t->swapped_bytes / 1048576.0);
	if (t->unread_bytes)
		add_not_seen(
			h, "%.1f MiB that were unmapped meanwhile or are beyond the first %llu GiB",
			t->unread_bytes / 1048576.0, SCAN_MAX >> 30);
	if (python.unasked)
		add_not_seen(
			h, "types behind %llu pointers: more were followed than seep keeps in mind",
			(unsigned long long)python.unasked);
	if (t->changing_pools)
		add_not_seen(h, "%llu pools that the program was changing at that moment",
			     (unsigned long long)t->changing_pools);
}

static int look(struct heap *h, pid_t pid, const struct maps *maps)
{
	double began_s = clock__wall_s();
	struct remote *r = NULL;
	int err;

	err = remote__open(pid, &r);
	if (!err)
		err = scan(h, r, maps);
	remote__close(r);
	if (!err)
		err = sort_types(h);
	h->totals.taken_s = began_s;
	h->totals.took_s = fmax(0, clock__wall_s() - began_s);
	return err;
}

static void say_why(int err, const char *runtime, char *why)
{
	if (err == -ESRCH)
		snprintf(why, HEAP_WHY_LEN, "it has ended");
	else if (err == -EPERM || err == -EACCES)
		snprintf(why, HEAP_WHY_LEN,
			 "reading its memory is not permitted; run as root, or add "
			 "CAP_SYS_PTRACE");
	else if (err == -ENOENT)
		snprintf(why, HEAP_WHY_LEN,
			 "no runtime in it whose objects can be seen (CPython 3.8 to "
			 "3.14); `seep trace` works for any program");
	else if (err == -ENOTSUP)
		snprintf(why, HEAP_WHY_LEN,
			 "%s keeps its objects elsewhere; CPython 3.8 and newer with the "
			 "global lock is supported",
			 runtime);
	else if (err == -EFBIG)
		snprintf(why, HEAP_WHY_LEN,
			 "it maps more than 128 GiB, and this kernel does not tell what of that is "
			 "used (Linux 6.7 does)");
	else if (err == -ENODATA)
		snprintf(why, HEAP_WHY_LEN,
			 "%s does not use its own allocator there (PYTHONMALLOC=malloc?)", runtime);
	else
		snprintf(why, HEAP_WHY_LEN, "%s", strerror(-err));
}

int heap__take(pid_t pid, struct heap **ret_heap, char why[HEAP_WHY_LEN])
{
	struct heap *h = calloc(1, sizeof(*h));
	struct maps *maps = NULL;
	int err = h ? maps__read(pid, &maps) : -ENOMEM;

	if (!err)
		err = find_runtime(maps, h->runtime);
	if (!err)
		err = look(h, pid, maps);
	maps__free(maps);
	if (err) {
		say_why(err, h ? h->runtime : "", why);
		heap__free(h);
		return err == -ENOENT || err == -ENODATA ? -ENOTSUP : err;
	}
	add_up(h);
	*ret_heap = h;
	return 0;
}

void heap__free(struct heap *h)
{
	if (!h)
		return;
	python_heap__free(h->python);
	free(h->by_name);
	free(h->by_bytes);
	free(h);
}

const char *heap__runtime(const struct heap *h)
{
	return h->runtime;
}

size_t heap__types(const struct heap *h, const struct heap_type **ret_types)
{
	*ret_types = h->by_bytes;
	return h->cnt;
}

struct heap_type heap__find(const struct heap *h, const char *name)
{
	const struct heap_type key = {.name = name}, *found;

	found = h->cnt ? bsearch(&key, h->by_name, h->cnt, sizeof(key), by_name) : NULL;
	return found ? *found : key;
}

/* ---- what was added ---- */

static int by_added(const void *a, const void *b)
{
	const struct heap_change *x = a, *y = b;

	if (x->added_bytes != y->added_bytes)
		return x->added_bytes < y->added_bytes ? 1 : -1;
	return by_bytes(&x->now, &y->now);
}

static struct heap_change compare(const struct heap *before, const struct heap_type *now)
{
	struct heap_change c = {.now = *now, .added_objects = NAN, .added_bytes = NAN};
	struct heap_type then;

	if (before) {
		then = heap__find(before, now->name);
		c.added_objects = (double)now->objects - then.objects;
		c.added_bytes = (double)now->bytes - then.bytes;
	}
	return c;
}

struct heap_change *heap__changes(const struct heap *before, const struct heap *now,
				  size_t *ret_cnt)
{
	struct heap_change *changes = calloc(now->cnt + 1, sizeof(*changes));
	size_t i;

	if (!changes)
		return NULL;
	for (i = 0; i < now->cnt; i++)
		changes[i] = compare(before, &now->by_bytes[i]);
	if (before)
		qsort(changes, now->cnt, sizeof(*changes), by_added);
	*ret_cnt = now->cnt;
	return changes;
}

static json_t *number(double value)
{
	return isnan(value) ? json_null() : json_integer(llround(value));
}

json_t *heap_change__to_json(const struct heap_change *c)
{
	return json_pack("{s:s?,s:b,s:I,s:I,s:o,s:o}", "type", c->now.name, "class",
			 c->now.is_class, "objects", (json_int_t)c->now.objects, "bytes",
			 (json_int_t)c->now.bytes, "added_objects", number(c->added_objects),
			 "added_bytes", number(c->added_bytes));
}

void heap__totals(const struct heap *h, struct heap_totals *ret_totals)
{
	*ret_totals = h->totals;
}

const char *const *heap__not_seen(const struct heap *h)
{
	return h->not_seen;
}
