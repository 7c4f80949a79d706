// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_plan.c - asks a sandbox where the allocators are (alloc_scan.h), and believes it as far as
 * the kernel's list of mappings goes: modules are files that are mapped to run, points lie in them.
 */
#include "alloc_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/sandbox.h"
#include "../sym/doorman.h"
#include "alloc_scan.h"

#define PLACE_MAX 4096 /* bytes from a function's first to the probed instruction */

struct alloc_plan {
	pid_t pid;
	struct stat program;
	struct doorman *doorman;
	struct alloc_module modules[SEEP_ALLOCATOR_TEXTS];
	size_t module_cnt;
	struct alloc_point points[SCAN_POINTS_MAX];
	size_t point_cnt;
};

static const struct maps *maps_of(const struct alloc_plan *p)
{
	return doorman__maps(p->doorman);
}

static int is_of_file(const struct map_region *r, const struct map_region *file)
{
	return r->executable && r->inode == file->inode && r->dev_major == file->dev_major &&
	       r->dev_minor == file->dev_minor;
}

static const struct map_region *region_of(const struct alloc_plan *p, const struct map_region *file,
					  uint64_t offset)
{
	const struct map_region *r;
	size_t i;

	for (i = 0; i < maps__cnt(maps_of(p)); i++) {
		r = maps__at(maps_of(p), i);
		if (is_of_file(r, file) && offset >= r->offset &&
		    offset - r->offset < r->end - r->start)
			return r;
	}
	return NULL;
}

/* From the first to the last address where the file is mapped to run. */
static struct seep_span span_of(const struct alloc_plan *p, const struct map_region *file)
{
	struct seep_span span = {.lo = file->start, .bytes = file->end - file->start};
	const struct map_region *r;
	size_t i;

	for (i = 0; i < maps__cnt(maps_of(p)); i++) {
		r = maps__at(maps_of(p), i);
		if (is_of_file(r, file) && r->end > span.lo)
			span.bytes = r->end - span.lo;
	}
	return span;
}

/* ---- what the scan says ------------------------------------------------------------------ */

static int is_program(const struct alloc_plan *p, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == p->program.st_dev && st.st_ino == p->program.st_ino;
}

/* 0; -EPROTO: there is no such thing; -errno. */
static int take_module(struct alloc_plan *p, const struct scan_module *found)
{
	const struct map_region *file = maps__find(maps_of(p), found->start);
	const struct allocator *a = allocators__at(found->allocator);
	struct alloc_module *m = &p->modules[p->module_cnt];

	if (!a || !file || file->start != found->start || !file->executable)
		return -EPROTO;
	*m = (struct alloc_module){.allocator = a, .path = strdup(file->path)};
	m->fd = maps__open_file(p->pid, file);
	if (m->fd < 0 || !m->path) {
		free(m->path);
		return m->fd < 0 ? m->fd : -ENOMEM;
	}
	m->first = file;
	m->is_program = is_program(p, m->fd);
	m->has_unseen_new = found->has_unseen_new;
	m->text.span = span_of(p, file);
	m->text.shadows = !a->is_libc && found->has_malloc;
	p->module_cnt++;
	return 0;
}

static uint64_t cookie_of(const struct alloc_plan *p, const struct alloc_point *point,
			  const struct allocator_function *fn, const struct placement *place)
{
	const struct alloc_module *m = &p->modules[point->module];
	uint64_t cookie = SEEP_SITE(point->kind, point->module);
	int is_mapping = point->kind == SEEP_ALLOC_MMAP || point->kind == SEEP_ALLOC_MREMAP, i;

	for (i = 0; i < PLACEMENT_ARGS; i++)
		cookie |= SEEP_SITE_ARG(i, place->args[i]);
	if (allocators__may_nest(m->allocator, fn))
		cookie |= SEEP_SITE_FOLLOW;
	if (allocators__moves_alone(m->allocator, fn))
		cookie |= SEEP_SITE_MOVES_ALONE;
	/* in a shared C library only the allocator itself maps memory; in a program anyone */
	if (!is_mapping || m->is_program)
		cookie |= SEEP_SITE_OWN_CALLERS;
	if (!point->info.emulated)
		cookie |= SEEP_SITE_STEPPED;
	return cookie;
}

/* The same. */
static int take_point(struct alloc_plan *p, const struct scan_point *found)
{
	const struct allocator_function *fn = allocators__function(found->table, found->function);
	struct alloc_point *point = &p->points[p->point_cnt];
	const struct map_region *region;
	uint64_t offset = found->offset + found->place.offset;
	int i;

	if (!fn || found->module >= p->module_cnt || found->place.offset > PLACE_MAX ||
	    (found->is_exit && fn->kind != SEEP_ALLOC_NEW && fn->kind != SEEP_ALLOC_NEW_EXIT))
		return -EPROTO;
	for (i = 0; i < PLACEMENT_ARGS; i++)
		if (found->place.args[i] > 7)
			return -EPROTO;
	region = region_of(p, p->modules[found->module].first, offset);
	if (!region)
		return -EPROTO;
	*point = (struct alloc_point){
		.info = {.allocator = p->modules[found->module].allocator->name,
			 .function = fn->name,
			 .module = p->modules[found->module].path,
			 .offset = found->place.offset,
			 .emulated = !!found->place.is_emulated},
		.module = found->module,
		.kind = found->is_exit ? SEEP_ALLOC_NEW_EXIT : fn->kind,
		.file_offset = offset,
		.address = region->start + (offset - region->offset),
	};
	point->cookie = cookie_of(p, point, fn, &found->place);
	p->point_cnt++;
	return 0;
}

static int take_answer(struct alloc_plan *p, const struct buf *answer)
{
	struct scan_answer *found;
	uint32_t i;
	int err;

	if (answer->len != sizeof(*found))
		return -EPROTO;
	found = malloc(sizeof(*found)); /* a copy that is aligned */
	if (!found)
		return -ENOMEM;
	memcpy(found, answer->data, sizeof(*found));
	err = found->err ? -ESRCH : 0;
	if (found->module_cnt > SEEP_ALLOCATOR_TEXTS || found->point_cnt > SCAN_POINTS_MAX)
		err = -EPROTO;
	for (i = 0; !err && i < found->module_cnt; i++)
		err = take_module(p, &found->modules[i]);
	for (i = 0; !err && i < found->point_cnt; i++)
		err = take_point(p, &found->points[i]);
	free(found);
	return err ? err : p->point_cnt ? 0 : -ENOENT;
}

/* ---- asking ------------------------------------------------------------------------------ */

static int open_for_scan(void *ctx, uint32_t target, enum opener_kind kind, uint64_t start,
			 const char *name)
{
	struct alloc_plan *p = ctx;

	return kind == OPEN_MAPS || kind == OPEN_MAPPING ?
		       doorman__open(p->doorman, kind, start, name) : -EACCES;
}

/* 0; -EIO: the sandbox failed, *how says how; -errno. */
static int scan(struct alloc_plan *p, int at_entry, char how[SANDBOX_HOW_LEN])
{
	const struct scan_question wanted = {p->program.st_dev, p->program.st_ino, at_entry};
	struct buf question = {}, answer = {};
	struct sandbox *box;
	int err;

	how[0] = '\0';
	err = sandbox__new(alloc_scan__run, &box);
	if (err) {
		snprintf(how, SANDBOX_HOW_LEN, "%s", strerror(-err));
		return -EIO;
	}
	buf__append(&question, &wanted, sizeof(wanted));
	err = session__ask(sandbox__sock(box), ASK_SCAN, &question, open_for_scan, p, &answer);
	if (!err)
		err = take_answer(p, &answer);
	if (err == -ETIMEDOUT || err == -EPIPE || err == -EPROTO || err == -EMSGSIZE) {
		sandbox__fail(box, how);
		if (!*how)
			snprintf(how, SANDBOX_HOW_LEN, "%s", strerror(-err));
		err = -EIO;
	} else {
		sandbox__free(box);
	}
	buf__free(&question);
	buf__free(&answer);
	return err;
}

static int plan(struct alloc_plan *p, int at_entry, char how[SANDBOX_HOW_LEN])
{
	const struct doorman_cfg cfg = {};
	char path[64];
	int err;

	how[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/exe", p->pid);
	if (stat(path, &p->program))
		return errno == ENOENT ? -ESRCH : -errno;
	err = doorman__new(p->pid, &cfg, &p->doorman);
	return err ? err : scan(p, at_entry, how);
}

static void explain(pid_t pid, int err, const char *how, char *why, size_t why_cap)
{
	if (err == -ENOENT)
		snprintf(why, why_cap,
			 "no known allocator in process %d (a stripped static program, "
			 "or a runtime with its own heap)",
			 pid);
	else if (err == -EIO)
		snprintf(why, why_cap, "the reader of the files of process %d failed: %s", pid, how);
	else
		snprintf(why, why_cap, "cannot read the mappings of process %d: %s", pid,
			 strerror(-err));
}

int alloc_plan__new(pid_t pid, int at_entry, struct alloc_plan **ret_plan, char *why,
		    size_t why_cap)
{
	struct alloc_plan *p = calloc(1, sizeof(*p));
	char how[SANDBOX_HOW_LEN];
	int err;

	if (!p)
		return -ENOMEM;
	p->pid = pid;
	err = plan(p, at_entry, how);
	if (err) {
		explain(pid, err, how, why, why_cap);
		alloc_plan__free(p);
		return err;
	}
	*ret_plan = p;
	return 0;
}

void alloc_plan__free(struct alloc_plan *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->module_cnt; i++) {
		close(p->modules[i].fd);
		free(p->modules[i].path);
	}
	doorman__free(p->doorman);
	free(p);
}

size_t alloc_plan__modules(const struct alloc_plan *p, const struct alloc_module **ret_modules)
{
	*ret_modules = p->modules;
	return p->module_cnt;
}

size_t alloc_plan__points(const struct alloc_plan *p, const struct alloc_point **ret_points)
{
	*ret_points = p->points;
	return p->point_cnt;
}

/* ---- code spans -------------------------------------------------------------------------- */

static void extend(struct seep_span *span, const struct map_region *r)
{
	uint64_t end = span->lo + span->bytes;

	if (!span->bytes || r->start < span->lo)
		span->lo = r->start;
	if (r->end > end)
		end = r->end;
	span->bytes = end - span->lo;
}

int alloc_plan__code(pid_t pid, struct seep_span ret_spans[SEEP_CODE_SPANS], size_t *ret_cnt)
{
	struct seep_span spans[SEEP_CODE_SPANS] = {};
	const struct map_region *r, *program = NULL;
	struct maps *maps;
	size_t i, cnt = 0;
	int err = maps__read(pid, &maps);

	if (err)
		return err;
	for (i = 0; i < maps__cnt(maps); i++) {
		r = maps__at(maps, i);
		if (!r->executable || r->path[0] == '[')
			continue;
		if (!program && r->inode)
			program = r; /* the lowest: the program itself, or at least one file */
		cnt++;
		extend(&spans[r->inode && r->inode == program->inode ? 0 : 1], r);
	}
	memcpy(ret_spans, spans, sizeof(spans));
	if (ret_cnt)
		*ret_cnt = cnt;
	maps__free(maps);
	return 0;
}
