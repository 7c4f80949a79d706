// SPDX-License-Identifier: BSD-2-Clause
/*
 * who.c - see who.h.
 *
 * Two caches. Processes are found by (tgid, start time). Cgroups form a tree and are found by
 * inode, and by path: when a path is made anew, the newest inode has the path and the old one
 * lives on until nobody refers to it. A cgroup is referred to by its processes and children.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A failed allocation shows as hh.tbl == NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#include "../base/fs.h"
#include "cgroup_fs.h"
#include "cgroup_mem.h"
#include "container.h"
#include "pod_logs.h"
#include "proc.h"
#include "clean.h"
#include "who.h"

#define DEFAULT_MAX_PROCS   32768
#define DEFAULT_MAX_CGROUPS 8192
#define MEMINFO_CAP         8192
#define COMM_CAP            16
#define PROC_PATH_CAP       (PATH_MAX + 16) /* with " (deleted)" */
#define SHORT_ID_LEN        12

struct cgroup {
	struct cgroup_info info;
	struct container *container; /* storage of info's strings; NULL = not of a container or pod */
	char short_id[SHORT_ID_LEN + 1];
	struct cgroup *parent;      /* NULL for the root, and for paths that cannot be located */
	char *path;                 /* raw, to open it */
	char *shown;                /* cleaned: info.path */
	unsigned refs;
	uint64_t limit_seq;         /* the poll that limit was read in */
	struct cgroup_limit limit;
	bool has_path;              /* the newest of its path: in by_path */
	struct cgroup *prev, *next;
	UT_hash_handle hh_id;
	UT_hash_handle hh_path;
};

struct process {
	struct proc_info info;
	struct cgroup *cgroup;      /* info.cgroup, counted in its refs */
	uint64_t cgroup_id;         /* as the caller said */
	bool stale;                 /* ran exec: read names again */
	char raw_comm[COMM_CAP];
	char comm[COMM_CAP];
	char *cmdline;
	char *exe;
	UT_hash_handle hh;
};

struct who {
	struct cgroup_fs fs;
	int proc_fd;
	char *root_dir;
	struct pod_logs *pod_logs;
	struct kube *kube;          /* NULL: nobody to ask */
	struct kube_list *pods;     /* its newest answer, or NULL */
	char kube_why[KUBE_WHY_CAP]; /* why it could not be started, or "" */
	unsigned max_procs, max_cgroups;
	unsigned cgroup_cnt;
	uint64_t dropped_procs, dropped_cgroups, vanished;
	struct process *procs;
	struct cgroup *cgroups; /* all of them */
	struct cgroup *by_id;
	struct cgroup *by_path;
};

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

/* ---- cgroups ---- */

static struct cgroup *find_id(struct who *w, uint64_t id)
{
	struct cgroup *cg = NULL;

	if (id)
		HASH_FIND(hh_id, w->by_id, &id, sizeof(id), cg);
	return cg;
}

static struct cgroup *find_path(struct who *w, const char *shown)
{
	struct cgroup *cg;

	HASH_FIND(hh_path, w->by_path, shown, strlen(shown), cg);
	return cg;
}

static void forget_path(struct who *w, struct cgroup *cg)
{
	if (cg->has_path)
		HASH_DELETE(hh_path, w->by_path, cg);
	cg->has_path = false;
}

static void forget_id(struct who *w, struct cgroup *cg)
{
	if (cg->info.id)
		HASH_DELETE(hh_id, w->by_id, cg);
	cg->info.id = 0;
}

/* ---- names ---- */

static void free_container(struct container *c)
{
	if (!c)
		return;
	json_decref(c->labels);
	free(c->label_list);
	free(c);
}

static void list_labels(struct container *c)
{
	struct selector_label *list = calloc(json_object_size(c->labels) + 1, sizeof(*list));
	const char *name;
	json_t *value;

	free(c->label_list);
	c->label_list = list;
	c->label_cnt = 0;
	if (!list)
		return;
	json_object_foreach(c->labels, name, value)
		list[c->label_cnt++] = (struct selector_label){name, json_string_value(value)};
}

static bool owns_container(const struct cgroup *cg)
{
	return cg->container && !(cg->parent && cg->parent->container == cg->container);
}

/* Point info at what is known by now. */
static void show_names(struct cgroup *cg)
{
	const struct container *c = cg->container;

	memcpy(cg->short_id, c->id, SHORT_ID_LEN);
	cg->info.runtime = c->runtime;
	cg->info.container_id = or_null(c->id);
	cg->info.container = *c->name ? c->name : or_null(cg->short_id);
	cg->info.is_named = !!*c->name;
	cg->info.pod_uid = or_null(c->pod_uid);
	cg->info.pod = or_null(c->pod);
	cg->info.ns = or_null(c->ns);
	cg->info.workload = or_null(c->workload);
	cg->info.image = or_null(c->image);
	cg->info.image_digest = or_null(c->digest);
	cg->info.labels = c->labels;
	cg->info.label_list = c->label_list;
	cg->info.label_cnt = c->label_cnt;
	cg->info.spec_limit_bytes = c->limit_bytes ? c->limit_bytes : UINT64_MAX;
}

/* Which ancestors are the container and the pod? A pod's own cgroup has a uid and no id. */
static void find_roles(struct cgroup *cg)
{
	const struct container *c = cg->container;
	struct cgroup *up = cg->parent;
	bool inherits = up && up->container == c;

	if (inherits) {
		cg->info.container_cgroup = up->info.container_cgroup;
		cg->info.pod_cgroup = up->info.pod_cgroup;
		return;
	}
	if (*c->id || !*c->pod_uid)
		cg->info.container_cgroup = &cg->info;
	else
		cg->info.pod_cgroup = &cg->info;
	if (*c->id && up && up->container && !strcmp(up->container->pod_uid, c->pod_uid))
		cg->info.pod_cgroup = up->info.pod_cgroup;
}

/* A container's bundle knows the pod that its cgroup is in better than anybody. */
static void name_pod(struct cgroup *cg)
{
	const struct container *c = cg->container;
	struct cgroup *up = cg->parent;
	struct container *pod = up ? up->container : NULL;

	if (!pod || pod == c || !*c->pod || !*c->ns || strcmp(pod->pod_uid, c->pod_uid))
		return;
	memcpy(pod->pod, c->pod, sizeof(c->pod));
	memcpy(pod->ns, c->ns, sizeof(c->ns));
	show_names(up);
}

static void learn_names(struct who *w, struct cgroup *cg)
{
	struct container *c = cg->container;

	pod_logs__read_names(w->pod_logs, c);
	if (w->pods && !kube_list__read_names(w->pods, c))
		list_labels(c);
	show_names(cg);
}

static void find_container(struct who *w, struct cgroup *cg)
{
	struct container c, of_parent;

	container__parse_path(cg->path, &c);
	if (!c.runtime && !*c.id && !*c.pod_uid)
		return;
	if (cg->parent && cg->parent->container) {
		container__parse_path(cg->parent->path, &of_parent);
		/* both were cleared whole: NOLINTNEXTLINE(bugprone-*) */
		if (!memcmp(&c, &of_parent, sizeof(c)))
			cg->container = cg->parent->container;
	}
	if (!cg->container) {
		cg->container = malloc(sizeof(c));
		if (!cg->container)
			return;
		*cg->container = c;
		container__read_names(w->root_dir, cg->container);
		name_pod(cg);
		if (w->kube && *cg->container->pod_uid)
			kube__want(w->kube);
	}
	learn_names(w, cg);
	find_roles(cg);
}

/* ---- the tree ---- */

static void cgroup__free(struct cgroup *cg)
{
	if (!cg)
		return;
	if (owns_container(cg))
		free_container(cg->container);
	free(cg->path);
	free(cg->shown);
	free(cg);
}

static void drop_cgroup(struct who *w, struct cgroup *cg)
{
	forget_path(w, cg);
	forget_id(w, cg);
	DL_DELETE(w->cgroups, cg);
	w->cgroup_cnt--;
	if (cg->parent)
		cg->parent->refs--;
	cgroup__free(cg);
}

static struct cgroup *cgroup__new(const char *path, uint64_t id)
{
	struct cgroup *cg = calloc(1, sizeof(*cg));
	size_t cap = strlen(path) + 1;

	if (!cg)
		return NULL;
	cg->path = strdup(path);
	cg->shown = malloc(cap);
	if (!cg->path || !cg->shown) {
		cgroup__free(cg);
		return NULL;
	}
	clean__name(path, cap - 1, cg->shown, cap);
	cg->info.id = id;
	cg->info.path = cg->shown;
	cg->info.spec_limit_bytes = UINT64_MAX;
	cg->limit_seq = UINT64_MAX;
	return cg;
}

/* Enter cg into both indexes, taking its path and inode over from older ones. */
static bool index_cgroup(struct who *w, struct cgroup *cg)
{
	struct cgroup *same_id = find_id(w, cg->info.id), *same_path = find_path(w, cg->shown);

	if (same_id)
		forget_id(w, same_id);
	if (same_path)
		forget_path(w, same_path);
	HASH_ADD_KEYPTR(hh_path, w->by_path, cg->shown, strlen(cg->shown), cg);
	cg->has_path = cg->hh_path.tbl;
	if (cg->has_path && cg->info.id) {
		HASH_ADD(hh_id, w->by_id, info.id, sizeof(cg->info.id), cg);
		if (!cg->hh_id.tbl)
			forget_path(w, cg);
	}
	return cg->has_path;
}

static struct cgroup *add_cgroup(struct who *w, const char *path, uint64_t id,
				 struct cgroup *parent)
{
	struct cgroup *cg;

	cg = w->cgroup_cnt < w->max_cgroups ? cgroup__new(path, id) : NULL;
	if (!cg || !index_cgroup(w, cg)) {
		cgroup__free(cg);
		w->dropped_cgroups++;
		return NULL;
	}
	cg->parent = parent;
	if (parent)
		parent->refs++;
	find_container(w, cg);
	DL_APPEND(w->cgroups, cg);
	w->cgroup_cnt++;
	return cg;
}

/* A cgroup that cannot be found below the mount still has a name. */
static struct cgroup *enter_unlocated(struct who *w, const char *path)
{
	static const char deleted[] = " (deleted)";
	size_t cut = sizeof(deleted) - 1, len = strlen(path);
	char raw[PROC_PATH_CAP], shown[PROC_PATH_CAP];
	struct cgroup *cg;

	if (len > cut && !strcmp(path + len - cut, deleted))
		len -= cut;
	memcpy(raw, path, len);
	raw[len] = '\0';
	clean__name(raw, len, shown, sizeof(shown));
	cg = find_path(w, shown);
	return cg ? cg : add_cgroup(w, raw, 0, NULL);
}

/* One directory on the way down; entered on first sight. NULL: dropped at the bound. */
static struct cgroup *enter_one(struct who *w, const char *path, uint64_t id,
				struct cgroup *parent)
{
	struct cgroup *cg = find_id(w, id);

	return cg && !strcmp(cg->path, path) ? cg : add_cgroup(w, path, id, parent);
}

/* "/a/b" is entered as "/", "/a", "/a/b": the length of the prefix after that of len. */
static size_t next_prefix(const char *path, size_t len)
{
	size_t name = len > 1 ? len + 1 : 1;

	return name + strcspn(path + name, "/");
}

/* The cgroup at a located path, with its ancestors as far as they are mounted. */
static struct cgroup *enter(struct who *w, const char *path)
{
	struct cgroup *cg = NULL;
	char prefix[PATH_MAX];
	size_t len;
	uint64_t id;
	int err;

	for (len = 1;; len = next_prefix(path, len)) {
		memcpy(prefix, path, len);
		prefix[len] = '\0';
		err = cgroup_fs__inode(&w->fs, prefix, &id);
		if (!err) {
			cg = enter_one(w, prefix, id, cg);
			if (!cg)
				return NULL;
		}
		if (!path[len])
			return err ? NULL : cg;
	}
}

/* Cut path to its parent; false at the root. */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!path[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

/*
 * On the unified hierarchy memory is charged to the nearest ancestor that has the controller
 * enabled: the kernel's id says which one; without it, the first that has memory files.
 */
static void climb_to_memory(struct who *w, char *path, uint64_t cgroup_id)
{
	char up[PATH_MAX];
	uint64_t id;

	strcpy(up, path);
	do {
		if (!cgroup_fs__inode(&w->fs, up, &id) && id == cgroup_id) {
			strcpy(path, up);
			return;
		}
	} while (go_up(up));
	while (w->fs.version == 2 && !cgroup_fs__has_memory(&w->fs, path) && go_up(path))
		;
}

/* The cgroup that a process's memory is charged to. NULL: not readable, or dropped. */
static struct cgroup *read_cgroup(struct who *w, int pid_fd, uint64_t cgroup_id)
{
	char raw[PROC_PATH_CAP], path[PATH_MAX];
	uint64_t id;

	if (proc__read_cgroup(pid_fd, w->fs.version, raw, sizeof(raw)))
		return NULL;
	if (cgroup_fs__locate(&w->fs, raw, path, sizeof(path)) ||
	    cgroup_fs__inode(&w->fs, path, &id))
		return enter_unlocated(w, raw);
	if (id != cgroup_id)
		climb_to_memory(w, path, cgroup_id);
	return enter(w, path);
}

const struct cgroup_info *who__cgroup_by_path(struct who *w, const char *path)
{
	struct cgroup *cg = find_path(w, path);

	return cg ? &cg->info : NULL;
}

const struct cgroup_info *who__cgroup_by_id(struct who *w, uint64_t id)
{
	struct cgroup *cg = find_id(w, id);

	return cg ? &cg->info : NULL;
}

static bool is_gone(struct who *w, const struct cgroup *cg)
{
	uint64_t id;

	return !cg->info.id || cgroup_fs__inode(&w->fs, cg->path, &id) || id != cg->info.id;
}

/* Parents come before their children: what is shared is read once and shown by all. */
static void learn_names_again(struct who *w)
{
	struct cgroup *cg;

	DL_FOREACH(w->cgroups, cg) {
		if (owns_container(cg))
			learn_names(w, cg);
		else if (cg->container)
			show_names(cg);
	}
}

void who__ask_kubelet(struct who *w, const struct kube_cfg *cfg)
{
	int err = kube__new(cfg, &w->kube);

	if (err)
		snprintf(w->kube_why, sizeof(w->kube_why), "'%.128s': %s", cfg->url,
			 err == -EINVAL ? "expected https://HOST:PORT" : strerror(-err));
}

int who__update(struct who *w)
{
	struct kube_list *fresh = w->kube ? kube__take(w->kube) : NULL;

	if (!fresh)
		return 0;
	kube_list__free(w->pods);
	w->pods = fresh;
	learn_names_again(w);
	return 1;
}

int who__kube_status(struct who *w, struct kube_status *ret_status)
{
	if (w->kube) {
		kube__status(w->kube, ret_status);
		return 0;
	}
	if (!*w->kube_why)
		return -ENOENT;
	*ret_status = (struct kube_status){.answered_s = NAN};
	strcpy(ret_status->why, w->kube_why);
	return 0;
}

int who__cgroup_exists(struct who *w, const char *path)
{
	uint64_t id;

	return !cgroup_fs__inode(&w->fs, path, &id);
}

/* Children are younger than their parents: backwards, so that a whole branch goes at once. */
void who__expire(struct who *w)
{
	struct cgroup *cg, *prev, *first = w->cgroups;

	for (cg = first ? first->prev : NULL; cg; cg = prev) {
		prev = cg == first ? NULL : cg->prev;
		if (!cg->refs && is_gone(w, cg))
			drop_cgroup(w, cg);
	}
	learn_names_again(w);
}

/* ---- sizes ---- */

static bool is_root(const struct cgroup *cg)
{
	return !strcmp(cg->path, "/");
}

/* The limit of an ancestor, read once per poll. */
static const struct cgroup_limit *limit_at(struct who *w, struct cgroup *cg, uint64_t poll_seq)
{
	int fd;

	if (cg->limit_seq == poll_seq)
		return &cg->limit;
	cg->limit_seq = poll_seq;
	cg->limit = (struct cgroup_limit){UINT64_MAX, UINT64_MAX};
	fd = cgroup_fs__open_dir(&w->fs, cg->path, cg->info.id);
	if (fd >= 0) {
		cg->limit = cgroup_mem__read_limit(fd, w->fs.version);
		close(fd);
	}
	return &cg->limit;
}

/* Of itself and its ancestors, the one that will be hit first. */
static void find_nearest_limit(struct who *w, struct cgroup *cg, struct cgroup_limit own,
			       uint64_t poll_seq, struct cgroup_usage *u)
{
	const struct cgroup_limit *l;
	struct cgroup *up;

	u->nearest_limit_bytes = own.limit_bytes;
	u->headroom_bytes = own.headroom_bytes;
	u->nearest_limit_path = own.limit_bytes == UINT64_MAX ? NULL : cg->info.path;
	for (up = cg->parent; up && !is_root(up); up = up->parent) {
		l = limit_at(w, up, poll_seq);
		if (l->headroom_bytes >= u->headroom_bytes)
			continue;
		u->nearest_limit_bytes = l->limit_bytes;
		u->headroom_bytes = l->headroom_bytes;
		u->nearest_limit_path = up->info.path;
	}
}

/* cgroup_info is only ever handed out as the head of its struct cgroup. */
static struct cgroup *cgroup_of(const struct cgroup_info *info)
{
	_Static_assert(offsetof(struct cgroup, info) == 0, "info heads struct cgroup");
	return (struct cgroup *)info;
}

int who__cgroup_usage(struct who *w, const struct cgroup_info *cg, uint64_t poll_seq,
		      struct cgroup_usage *ret_usage)
{
	struct cgroup *c = cgroup_of(cg);
	struct cgroup_limit own;
	int err, fd;

	if (!w->fs.version)
		return -ENODEV;
	if (is_root(c))
		return -EOPNOTSUPP;
	if (!cg->id)
		return -ENOENT;
	fd = cgroup_fs__open_dir(&w->fs, c->path, cg->id);
	if (fd < 0)
		return fd;
	err = cgroup_mem__read(fd, w->fs.version, ret_usage, &own);
	close(fd);
	if (!err)
		find_nearest_limit(w, c, own, poll_seq, ret_usage);
	return err;
}

int who__node_memory(struct who *w, uint64_t *ret_total_bytes, uint64_t *ret_available_bytes)
{
	uint64_t total_kb, available_kb;
	char text[MEMINFO_CAP];
	ssize_t n;

	n = fs__read_at(w->proc_fd, "meminfo", text, sizeof(text));
	if (n < 0)
		return n;
	if (!fs__find_u64(text, "MemTotal", &total_kb) ||
	    !fs__find_u64(text, "MemAvailable", &available_kb))
		return -EBADMSG;
	*ret_total_bytes = total_kb * 1024;
	*ret_available_bytes = available_kb * 1024;
	return 0;
}

/* ---- processes ---- */

static struct seep_task_id key_of(const struct seep_task_id *id)
{
	return (struct seep_task_id){.start_ns = id->start_ns, .tgid = id->tgid};
}

static struct process *find_process(struct who *w, const struct seep_task_id *id)
{
	struct seep_task_id key = key_of(id);
	struct process *p;

	HASH_FIND(hh, w->procs, &key, sizeof(key), p);
	return p;
}

static void process__free(struct process *p)
{
	free(p->cmdline);
	free(p->exe);
	free(p);
}

static struct process *add_process(struct who *w, const struct seep_task_id *id)
{
	struct process *p;

	p = HASH_COUNT(w->procs) < w->max_procs ? calloc(1, sizeof(*p)) : NULL;
	if (p) {
		p->info.id = key_of(id);
		p->info.uid = PROC_UID_UNKNOWN;
		p->info.comm = p->comm;
		p->stale = true;
		HASH_ADD(hh, w->procs, info.id, sizeof(p->info.id), p);
	}
	if (!p || !p->hh.tbl) {
		free(p);
		w->dropped_procs++;
		return NULL;
	}
	return p;
}

static void set_comm(struct process *p, const char *comm)
{
	size_t len = strnlen(comm, COMM_CAP - 1);

	if (!strncmp(p->raw_comm, comm, COMM_CAP - 1))
		return;
	memcpy(p->raw_comm, comm, len);
	p->raw_comm[len] = '\0';
	clean__name(comm, len, p->comm, sizeof(p->comm));
}

static void set_text(char **storage, const char **field, const char *text)
{
	free(*storage);
	*storage = *text ? strdup(text) : NULL;
	*field = *storage;
}

/* pid_fd < 0: it is gone, and what was known of the program before exec is no longer true. */
static void read_names(struct process *p, int pid_fd)
{
	struct proc_names names = {.uid = p->info.uid};

	if (pid_fd >= 0)
		proc__read_names(pid_fd, &names);
	p->info.uid = names.uid;
	set_text(&p->cmdline, &p->info.cmdline, names.cmdline);
	set_text(&p->exe, &p->info.exe, names.exe);
	p->stale = false;
}

static void set_cgroup(struct process *p, struct cgroup *cg)
{
	if (cg)
		cg->refs++;
	if (p->cgroup)
		p->cgroup->refs--;
	p->cgroup = cg;
	p->info.cgroup = cg ? &cg->info : NULL;
}

/*
 * Nothing but the log directories is readable: a pod with one container names it, unless this is the
 * sandbox, which runs nothing but "pause".
 */
static void guess_container(struct who *w, struct cgroup *cg, const char *comm)
{
	struct container *c = cg->container;

	if (!c || !*c->id || *c->name || c->is_sandbox || !strcmp(comm, "pause"))
		return;
	if (!pod_logs__only_container(w->pod_logs, c, c->name, sizeof(c->name)))
		*c->name = '\0';
	show_names(cg);
}

/* A process that moved and vanished stays where it was last seen. */
static void read_membership(struct who *w, struct process *p, int pid_fd, uint64_t cgroup_id)
{
	struct cgroup *cg = find_id(w, cgroup_id);

	if (!cg && pid_fd >= 0)
		cg = read_cgroup(w, pid_fd, cgroup_id);
	if (cg) {
		guess_container(w, cg, p->comm);
		set_cgroup(p, cg);
	}
	p->cgroup_id = cgroup_id;
}

static void read_process(struct who *w, struct process *p, uint64_t cgroup_id)
{
	int pid_fd = proc__open(w->proc_fd, &p->info.id);

	if (pid_fd < 0)
		w->vanished++;
	if (p->stale)
		read_names(p, pid_fd);
	if (!p->cgroup || cgroup_id)
		read_membership(w, p, pid_fd, cgroup_id);
	if (pid_fd >= 0)
		close(pid_fd);
}

const struct proc_info *who__process(struct who *w, const struct seep_task_id *id,
				     uint64_t cgroup_id, const char *comm)
{
	struct process *p = find_process(w, id);

	if (!p)
		p = add_process(w, id);
	if (!p)
		return NULL;
	set_comm(p, comm);
	if (p->stale || (cgroup_id && cgroup_id != p->cgroup_id))
		read_process(w, p, cgroup_id);
	return &p->info;
}

void who__refresh(struct who *w, const struct seep_task_id *id)
{
	struct process *p = find_process(w, id);

	if (p)
		p->stale = true;
}

static void drop_process(struct who *w, struct process *p)
{
	HASH_DEL(w->procs, p);
	set_cgroup(p, NULL);
	process__free(p);
}

void who__forget(struct who *w, const struct seep_task_id *id)
{
	struct process *p = find_process(w, id);

	if (p)
		drop_process(w, p);
}

/* ---- the whole ---- */

static unsigned or_default(unsigned value, unsigned fallback)
{
	return value ? value : fallback;
}

static int open_dirs(struct who *w, const struct who_cfg *cfg)
{
	const char *proc_dir = cfg->proc_dir ? cfg->proc_dir : "/proc";

	w->root_dir = strdup(cfg->root_dir ? cfg->root_dir : "");
	if (!w->root_dir)
		return -ENOMEM;
	w->pod_logs = pod_logs__new(w->root_dir);
	if (!w->pod_logs)
		return -ENOMEM;
	w->proc_fd = open(proc_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->proc_fd < 0 ? -errno : 0;
}

int who__new(const struct who_cfg *cfg, struct who **ret_who)
{
	struct who *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->proc_fd = -1;
	w->fs.fd = -1;
	w->max_procs = or_default(cfg->max_procs, DEFAULT_MAX_PROCS);
	w->max_cgroups = or_default(cfg->max_cgroups, DEFAULT_MAX_CGROUPS);
	err = open_dirs(w, cfg);
	if (err) {
		who__free(w);
		return err;
	}
	*ret_who = w;
	return cgroup_fs__open(&w->fs, cfg->proc_dir ? cfg->proc_dir : "/proc", cfg->cgroup_dir);
}

void who__free(struct who *w)
{
	struct process *p, *next_p;

	if (!w)
		return;
	kube__free(w->kube);
	kube_list__free(w->pods);
	HASH_ITER(hh, w->procs, p, next_p)
		drop_process(w, p);
	while (w->cgroups)
		drop_cgroup(w, w->cgroups->prev);
	cgroup_fs__close(&w->fs);
	if (w->proc_fd >= 0)
		close(w->proc_fd);
	pod_logs__free(w->pod_logs);
	free(w->root_dir);
	free(w);
}

void who__stats(const struct who *w, struct who_stats *ret_stats)
{
	*ret_stats = (struct who_stats){
		.procs = HASH_COUNT(w->procs),
		.cgroups = w->cgroup_cnt,
		.dropped_procs = w->dropped_procs,
		.dropped_cgroups = w->dropped_cgroups,
		.vanished = w->vanished,
		.cgroup_version = w->fs.version,
		.cgroup_mount = w->fs.mount,
	};
}

void who__parse_cgroup_path(const char *path, const char **ret_runtime, char container_id[65],
			    char pod_uid[37])
{
	struct container c;

	container__parse_path(path, &c);
	*ret_runtime = c.runtime;
	memcpy(container_id, c.id, sizeof(c.id));
	memcpy(pod_uid, c.pod_uid, sizeof(c.pod_uid));
}
