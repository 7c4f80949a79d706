/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf_map.c - "START SIZE name" lines, hexadecimal, later lines replacing earlier ones.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "perf_map.h"

#define FILE_MAX_BYTES (64u << 20)
#define CODES_MAX      (1u << 20)
#define REST_FACTOR    20 /* reading it again takes a twentieth of the time, however often it grows */

struct code {
	uint64_t start, end;
	size_t order; /* line number: the newest of several wins */
	const char *name;
};

struct perf_map {
	int fd;
	off_t read_size; /* of the file when it was read */
	uint64_t rest_until_ns;
	char *text;	 /* names point into it */
	struct code *codes;
	size_t cnt;
};

int perf_map__open_fd(int fd, struct perf_map **ret_map)
{
	struct perf_map *m = calloc(1, sizeof(*m));

	if (!m) {
		close(fd);
		return -ENOMEM;
	}
	m->fd = fd;
	*ret_map = m;
	return 0;
}

void perf_map__free(struct perf_map *m)
{
	if (!m)
		return;
	close(m->fd);
	free(m->text);
	free(m->codes);
	free(m);
}

static int parse_line(char *line, struct code *code)
{
	uint64_t size;
	char *p;

	if (!isxdigit((unsigned char)*line))
		return -EINVAL;
	code->start = strtoull(line, &p, 16);
	if (*p != ' ')
		return -EINVAL;
	size = strtoull(p + 1, &p, 16);
	if (*p != ' ' || !p[1] || __builtin_add_overflow(code->start, size, &code->end))
		return -EINVAL;
	code->name = p + 1;
	return 0;
}

static int by_start(const void *a_, const void *b_)
{
	const struct code *a = a_, *b = b_;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->order < b->order ? 1 : -1;
}

static size_t count_lines(const char *text)
{
	size_t cnt = 1;

	while ((text = strchr(text, '\n'))) {
		text++;
		cnt++;
	}
	return cnt < CODES_MAX ? cnt : CODES_MAX;
}

static int parse(struct perf_map *m)
{
	char *rest = m->text, *line;
	size_t cap = count_lines(m->text);

	free(m->codes);
	m->cnt = 0;
	m->codes = malloc(cap * sizeof(*m->codes));
	if (!m->codes)
		return -ENOMEM;
	while (m->cnt < cap && (line = strsep(&rest, "\n"))) {
		if (parse_line(line, &m->codes[m->cnt]))
			continue;
		m->codes[m->cnt].order = m->cnt;
		m->cnt++;
	}
	qsort(m->codes, m->cnt, sizeof(*m->codes), by_start);
	return 0;
}

static int read_text(struct perf_map *m, size_t size)
{
	char *text;
	ssize_t n;

	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	n = pread(m->fd, text, size, 0);
	if (n < 0) {
		free(text);
		return -errno;
	}
	text[n] = '\0';
	free(m->text);
	m->text = text;
	return 0;
}

static void rest(struct perf_map *m, uint64_t began_ns)
{
	uint64_t now_ns = clock__boot_ns();

	m->rest_until_ns = now_ns + REST_FACTOR * (now_ns - began_ns);
}

static int read_again(struct perf_map *m, const struct stat *st)
{
	if (read_text(m, st->st_size < FILE_MAX_BYTES ? st->st_size : FILE_MAX_BYTES) || parse(m)) {
		m->cnt = 0;
		return 0;
	}
	m->read_size = st->st_size;
	return 1;
}

/* 1 if there is something new. */
static int refresh(struct perf_map *m)
{
	uint64_t began_ns = clock__boot_ns();
	struct stat st;
	int is_new;

	if (began_ns < m->rest_until_ns || fstat(m->fd, &st) || st.st_size == m->read_size)
		return 0;
	is_new = read_again(m, &st);
	rest(m, began_ns);
	return is_new;
}

static const struct code *search(const struct perf_map *m, uint64_t address)
{
	size_t lo = 0, hi = m->cnt, mid;
	uint64_t start;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (m->codes[mid].start <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	start = m->codes[lo - 1].start;
	while (lo > 1 && m->codes[lo - 2].start == start)
		lo--;
	return address < m->codes[lo - 1].end ? &m->codes[lo - 1] : NULL;
}

int perf_map__find(struct perf_map *m, uint64_t address, const char **ret_name,
		   uint64_t *ret_start)
{
	const struct code *code = search(m, address);

	if (!code && refresh(m))
		code = search(m, address);
	if (!code)
		return -ENOENT;
	*ret_name = code->name;
	*ret_start = code->start;
	return 0;
}
