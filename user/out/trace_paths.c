// SPDX-License-Identifier: BSD-2-Clause
/* trace_paths.c - see trace_paths.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_format.h"
#include "trace_paths.h"

static void append_name(struct buf *b, char *name)
{
	char *p;

	for (p = name; (p = strchr(p, ';')); p++)
		*p = ':';
	buf__puts(b, name);
	buf__puts(b, ";");
}

static int fill_path(const struct trace_result *r, const struct trace_process *p,
		     const struct site *s, struct trace_path *ret_path)
{
	char name[TRACE_NAME_CAP];
	struct buf b = {0};
	int i, err;

	if (r->process_cnt > 1) {
		snprintf(name, sizeof(name), "%s (%d)", p->comm, p->pid);
		append_name(&b, name);
	}
	for (i = s->frame_cnt - 1; i >= 0; i--)
		append_name(&b, trace_format__frame_name(&s->frames[i], name, sizeof(name)));
	err = b.err;
	if (err) {
		buf__free(&b);
		return err;
	}
	*ret_path = (struct trace_path){b.data, s->outstanding_bytes, s->outstanding_count};
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct trace_path *)a)->names, ((const struct trace_path *)b)->names);
}

/* Put equal neighbours together; returns how many are left. */
static size_t merge_equal(struct trace_path *paths, size_t cnt)
{
	size_t i, n = 0;

	for (i = 0; i < cnt; i++) {
		if (n && !strcmp(paths[n - 1].names, paths[i].names)) {
			paths[n - 1].bytes += paths[i].bytes;
			paths[n - 1].count += paths[i].count;
			free(paths[i].names);
		} else {
			paths[n++] = paths[i];
		}
	}
	return n;
}

static size_t count_sites(const struct trace_result *r)
{
	size_t cnt = 0;
	int i;

	for (i = 0; i < r->process_cnt; i++)
		cnt += trace_format__site_cnt(&r->processes[i], 0);
	return cnt;
}

int trace_paths__new(const struct trace_result *r, struct trace_path **ret_paths, size_t *ret_cnt)
{
	struct trace_path *paths = calloc(count_sites(r) + 1, sizeof(*paths));
	const struct trace_process *p;
	const struct site *s;
	size_t i, cnt = 0;
	int err = paths ? 0 : -ENOMEM;

	for (p = r->processes; p < r->processes + r->process_cnt; p++) {
		for (i = 0; i < trace_format__site_cnt(p, 0) && !err; i++) {
			s = &p->sites[i];
			err = s->frame_cnt ? fill_path(r, p, s, &paths[cnt]) : 0;
			cnt += !err && s->frame_cnt;
		}
	}
	if (err) {
		trace_paths__free(paths, cnt);
		return err;
	}
	qsort(paths, cnt, sizeof(*paths), compare_paths);
	*ret_cnt = merge_equal(paths, cnt);
	*ret_paths = paths;
	return 0;
}

void trace_paths__free(struct trace_path *paths, size_t cnt)
{
	size_t i;

	for (i = 0; i < cnt; i++)
		free(paths[i].names);
	free(paths);
}
