// SPDX-License-Identifier: BSD-2-Clause
/*
 * reach.c - see reach.h.
 *
 * Nearly no word is the address of a block. A word is first compared with the least and the highest
 * of them, then looked up in a small table of those 64 KiB that have any, then searched for.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../lang/remote.h"
#include "../sym/maps.h"
#include "reach.h"

#define BUFFER_BYTES (1u << 20)
#define READ_MAX     (4ULL << 30)
#define WORD	     sizeof(uint64_t)
#define EDGES_MAX    65536
#define TABLE_BITS   (1u << 20)
#define GRAIN_SHIFT  16
/* Above are the tags that some runtimes put into their pointers; no such bit tells addresses apart. */
#define ADDRESS_MASK ((1ULL << 47) - 1)

/* A block that stands in another one. */
struct edge {
	unsigned holder, held;
};

struct reach {
	pid_t pid;
	int stop_fd;
	struct reach_block *blocks;
	size_t cnt;
	uint64_t least, span;
	struct edge *edges;
	size_t edge_cnt;
	struct remote_seen seen;
	unsigned char table[TABLE_BITS / 8];
	unsigned char buffer[BUFFER_BYTES];
};

int reach__compare(const void *a, const void *b)
{
	const struct reach_block *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static uint64_t masked_end(const struct reach_block *b)
{
	return (b->addr & ADDRESS_MASK) + (b->size_bytes ? b->size_bytes : 1);
}

/* ---- which block an address is in -------------------------------------------------------- */

static void enter_table(struct reach *r, const struct reach_block *b)
{
	uint64_t first = (b->addr & ADDRESS_MASK) >> GRAIN_SHIFT;
	uint64_t last = (masked_end(b) - 1) >> GRAIN_SHIFT, i, bit;

	if (last - first >= TABLE_BITS)
		last = first + TABLE_BITS - 1; /* that is all of them */
	for (i = first; i <= last; i++) {
		bit = i % TABLE_BITS;
		r->table[bit / 8] |= 1u << bit % 8;
	}
}

static int is_in_table(const struct reach *r, uint64_t address)
{
	uint64_t bit = (address >> GRAIN_SHIFT) % TABLE_BITS;

	return r->table[bit / 8] >> bit % 8 & 1;
}

/* The last that begins at or before it, if it reaches so far; -1: none. */
static long find(const struct reach *r, uint64_t address)
{
	size_t low = 0, high = r->cnt, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if ((r->blocks[middle].addr & ADDRESS_MASK) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < masked_end(&r->blocks[low - 1]) ? (long)low - 1 : -1;
}

static void prepare(struct reach *r)
{
	uint64_t end = 0;
	size_t i;

	qsort(r->blocks, r->cnt, sizeof(*r->blocks), reach__compare);
	r->least = r->blocks[0].addr & ADDRESS_MASK;
	for (i = 0; i < r->cnt; i++) {
		enter_table(r, &r->blocks[i]);
		if (masked_end(&r->blocks[i]) > end)
			end = masked_end(&r->blocks[i]);
	}
	r->span = end - r->least;
}

/* ---- references -------------------------------------------------------------------------- */

/* holder: the block that the word is in, or -1. What is beyond the bound counts as held. */
static void refer(struct reach *r, long holder, long held)
{
	if (r->blocks[held].is_referred || holder == held)
		return;
	if (holder < 0 || r->edge_cnt == EDGES_MAX)
		r->blocks[held].is_referred = 1;
	else
		r->edges[r->edge_cnt++] = (struct edge){holder, held};
}

/* Code that was generated has addresses at any byte. */
static void see_words(struct reach *r, uint64_t address, size_t len, size_t step)
{
	uint64_t word;
	size_t at;
	long held;

	for (at = 0; at + WORD <= len; at += step) {
		memcpy(&word, r->buffer + at, WORD);
		word &= ADDRESS_MASK;
		if (word - r->least >= r->span || !is_in_table(r, word))
			continue;
		held = find(r, word);
		if (held >= 0)
			refer(r, find(r, (address + at) & ADDRESS_MASK), held);
	}
}

/* What is held by a block that is held, is held; until nothing is added. */
static void spread(struct reach *r)
{
	size_t i, kept, before;

	do {
		before = r->edge_cnt;
		for (i = kept = 0; i < r->edge_cnt; i++) {
			if (r->blocks[r->edges[i].holder].is_referred)
				r->blocks[r->edges[i].held].is_referred = 1;
			else
				r->edges[kept++] = r->edges[i];
		}
		r->edge_cnt = kept;
	} while (kept < before);
}

/* An address may have been given out twice, the first time's end unseen: found is the last. */
static void even_out(struct reach *r)
{
	size_t i;

	for (i = r->cnt - 1; i > 0; i--)
		if (r->blocks[i - 1].addr == r->blocks[i].addr)
			r->blocks[i - 1].is_referred = r->blocks[i].is_referred;
}

/* ---- where to look ----------------------------------------------------------------------- */

/* What can be written or was: a page of code or constants that is no file's any more, too. */
static int can_hold(const struct map_region *m)
{
	return m->readable && (m->writable || !m->shared);
}

static int scan_region(struct reach *r, struct remote *remote, const struct map_region *m)
{
	size_t step = m->executable ? 1 : WORD, len;
	uint64_t at;
	int err = 0;

	for (at = m->start; at < m->end && !err; at += len) {
		err = remote__skip_hole(remote, &at, m->end);
		if (err || at == m->end)
			break;
		len = m->end - at < BUFFER_BYTES ? m->end - at : BUFFER_BYTES;
		err = remote__fill(remote, at, r->buffer, len,
				   m->shared ? REMOTE_PRESENT : REMOTE_ANON, &r->seen);
		if (!err)
			see_words(r, at, len, step);
		if (r->seen.read_bytes > READ_MAX)
			return -EFBIG;
		if (r->seen.swapped_bytes)
			return -ENODATA;
		if (fs__is_readable(r->stop_fd))
			return -ECANCELED;
	}
	return err;
}

static int scan_memory(struct reach *r, struct remote *remote)
{
	struct maps *maps = NULL;
	size_t i;
	int err = maps__read(r->pid, &maps);

	memset(&r->seen, 0, sizeof(r->seen));
	for (i = 0; !err && i < maps__cnt(maps); i++)
		if (can_hold(maps__at(maps, i)))
			err = scan_region(r, remote, maps__at(maps, i));
	maps__free(maps);
	return err;
}

/* "tfd: 5 events: 19 data: 55d0c0ffee00 ...": the kernel keeps an address for the program. */
static int scan_epoll(struct reach *r, const char *fd)
{
	char path[64], line[256];
	const char *data;
	uint64_t word;
	FILE *f;
	long held;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", r->pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		data = strstr(line, "data:");
		word = data ? strtoull(data + 5, NULL, 16) & ADDRESS_MASK : 0;
		held = find(r, word);
		if (held >= 0)
			refer(r, -1, held);
	}
	if (f)
		fclose(f);
	return f || errno == ENOENT ? 0 : -errno;
}

static int scan_fd(struct reach *r, int dir_fd, const char *fd)
{
	char target[64];
	ssize_t len = readlinkat(dir_fd, fd, target, sizeof(target) - 1);

	if (len < 0)
		return 0; /* ".", or closed meanwhile */
	target[len] = '\0';
	if (!strcmp(target, "anon_inode:[io_uring]"))
		return -ENOTSUP;
	return strcmp(target, "anon_inode:[eventpoll]") ? 0 : scan_epoll(r, fd);
}

static int scan_kernel(struct reach *r)
{
	const struct dirent *entry;
	char path[32];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", r->pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && (entry = readdir(dir)))
		err = scan_fd(r, dirfd(dir), entry->d_name);
	closedir(dir);
	return err;
}

/* ---- the question ------------------------------------------------------------------------ */

static size_t unreferred(const struct reach *r)
{
	size_t i, cnt = 0;

	for (i = 0; i < r->cnt; i++)
		cnt += !r->blocks[i].is_referred;
	return cnt;
}

/* One look; what it finds stays found. */
static int look(struct reach *r, struct remote *remote)
{
	int err;

	r->edge_cnt = 0;
	err = scan_kernel(r);
	if (!err)
		err = scan_memory(r, remote);
	spread(r);
	return err;
}

static int look_twice(struct reach *r)
{
	struct remote *remote = NULL;
	int err = remote__open(r->pid, &remote);

	if (!err && remote__anon_bytes(r->pid) > READ_MAX)
		err = remote__has_ended(remote) ? -ESRCH : -EFBIG;
	if (!err)
		err = look(r, remote);
	if (!err && unreferred(r))
		err = look(r, remote);
	if (!err && remote__has_ended(remote))
		err = -ESRCH;
	remote__close(remote);
	return err;
}

static void say_why(int err, char *why)
{
	const char *text = strerror(-err);

	if (err == -EFBIG)
		text = "its memory is more than 4 GiB, or more than 128 GiB are mapped";
	else if (err == -ENODATA)
		text = "parts of its memory are in swap";
	else if (err == -ENOTSUP)
		text = "io_uring keeps addresses for it out of sight";
	else if (err == -ECANCELED)
		text = "the look was ended early";
	else if (err == -ESRCH)
		text = "it has ended";
	else if (err == -EPERM || err == -EACCES)
		text = "reading its memory is not permitted (CAP_SYS_PTRACE)";
	snprintf(why, REACH_WHY_LEN, "%s", text);
}

int reach__ask(pid_t pid, int stop_fd, struct reach_block *blocks, size_t cnt,
	       char ret_why[REACH_WHY_LEN])
{
	struct reach *r;
	size_t i;
	int err = -ENOMEM;

	if (!cnt)
		return 0;
	for (i = 0; i < cnt; i++)
		blocks[i].is_referred = 0;
	r = calloc(1, sizeof(*r));
	if (r) {
		r->pid = pid;
		r->stop_fd = stop_fd;
		r->blocks = blocks;
		r->cnt = cnt;
		r->edges = malloc(EDGES_MAX * sizeof(*r->edges));
	}
	if (r && r->edges) {
		prepare(r);
		err = look_twice(r);
		even_out(r);
	}
	if (r)
		free(r->edges);
	free(r);
	if (err)
		say_why(err, ret_why);
	return err;
}
