// SPDX-License-Identifier: BSD-2-Clause
/*
 * pod_logs.c - see pod_logs.h.
 *
 * Both directories are kept as sorted lists of names, found by the uid or id that is part of each.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pod_logs.h"
#include "clean.h"

#define NAMES_MAX  16384 /* of one directory */
#define PARTS	   3	 /* between underscores, which no part can hold */
#define LOG_SUFFIX ".log"

struct name {
	const char *key; /* in text: the uid or id */
	size_t key_len;
	char *text;
};

struct listing {
	const char *dir;		     /* below the root */
	bool (*find_key)(struct name *name); /* false: not a name of ours */
	struct timespec mtime;		     /* of the directory when it was listed */
	bool settled; /* listed twice since: what came within the clock's tick is in it */
	struct name *v;
	size_t cnt, cap;
};

struct pod_logs {
	char *root_dir;
	struct listing pods, containers;
};

/* ---- listings ---- */

static int compare_keys(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int diff = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return diff ? diff : (a_len > b_len) - (a_len < b_len);
}

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return compare_keys(x->key, x->key_len, y->key, y->key_len);
}

static void forget_names(struct listing *l)
{
	while (l->cnt)
		free(l->v[--l->cnt].text);
	free(l->v);
	l->v = NULL;
	l->cap = 0;
}

static void add_name(struct listing *l, const char *text)
{
	struct name *grown, name = {.text = strdup(text)};

	if (!name.text || !l->find_key(&name) || l->cnt == NAMES_MAX) {
		free(name.text);
		return;
	}
	if (l->cnt == l->cap) {
		grown = reallocarray(l->v, 2 * l->cap + 64, sizeof(*grown));
		if (!grown) {
			free(name.text);
			return;
		}
		l->v = grown;
		l->cap = 2 * l->cap + 64;
	}
	l->v[l->cnt++] = name;
}

static void read_directory(struct listing *l, int fd)
{
	struct dirent *entry;
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return;
	}
	forget_names(l);
	while ((entry = readdir(dir)))
		add_name(l, entry->d_name);
	closedir(dir);
	if (l->cnt)
		qsort(l->v, l->cnt, sizeof(*l->v), compare_names);
}

static int open_below(const struct pod_logs *pl, const char *dir, const char *name)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", pl->root_dir, dir, name) >= sizeof(path))
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* True when the listing is new. */
static bool list_again(const struct pod_logs *pl, struct listing *l)
{
	struct stat st;
	int fd = open_below(pl, l->dir, "");
	bool same;

	if (fd < 0)
		return false;
	same = fstat(fd, &st) || !memcmp(&st.st_mtim, &l->mtime, sizeof(st.st_mtim));
	if (same && l->settled) {
		close(fd);
		return false;
	}
	l->settled = same;
	l->mtime = st.st_mtim;
	read_directory(l, fd);
	return true;
}

static const char *search(const struct listing *l, const char *key)
{
	struct name want = {.key = key, .key_len = strlen(key)}, *found = NULL;

	if (l->cnt)
		found = bsearch(&want, l->v, l->cnt, sizeof(*l->v), compare_names);
	return found ? found->text : NULL;
}

/* The name that a uid or id is part of, or NULL. */
static const char *find(const struct pod_logs *pl, struct listing *l, const char *key)
{
	const char *text = search(l, key);

	return text || !list_again(pl, l) ? text : search(l, key);
}

/* ---- what the names say ---- */

/* "a_b_c", of which there are exactly PARTS, none empty. Cuts text in place. */
static bool split(char *text, char *parts[PARTS])
{
	int i;

	for (i = 0; i < PARTS; i++) {
		parts[i] = strsep(&text, "_");
		if (!parts[i] || !*parts[i])
			return false;
	}
	return !text;
}

static bool splits(const char *text, size_t len)
{
	char copy[NAME_MAX + 1], *parts[PARTS] = {0};

	if (len > NAME_MAX)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return split(copy, parts);
}

/* <namespace>_<pod>_<uid> */
static bool pod_key(struct name *name)
{
	const char *mark = strrchr(name->text, '_');

	if (!mark)
		return false;
	name->key = mark + 1;
	name->key_len = strlen(name->key);
	return container__uid_len(name->key, name->key_len) == name->key_len &&
	       splits(name->text, strlen(name->text));
}

/* <pod>_<namespace>_<container>-<id>.log */
static bool container_key(struct name *name)
{
	size_t len = strlen(name->text), tail = CONTAINER_ID_CAP - 1 + strlen(LOG_SUFFIX);

	if (len <= tail || strcmp(name->text + len - strlen(LOG_SUFFIX), LOG_SUFFIX))
		return false;
	name->key = name->text + len - tail;
	name->key_len = CONTAINER_ID_CAP - 1;
	return name->key[-1] == '-' && container__is_id(name->key, name->key_len) &&
	       splits(name->text, len - tail - 1);
}

static void read_pod(struct pod_logs *pl, struct container *c)
{
	const char *text = find(pl, &pl->pods, c->pod_uid);
	char copy[NAME_MAX + 1], *parts[PARTS] = {0};

	if (!text)
		return;
	snprintf(copy, sizeof(copy), "%s", text);
	split(copy, parts);
	container__set_text(c->ns, sizeof(c->ns), parts[0]);
	container__set_text(c->pod, sizeof(c->pod), parts[1]);
}

static void read_container(struct pod_logs *pl, struct container *c)
{
	const char *text = find(pl, &pl->containers, c->id);
	char copy[NAME_MAX + 1], *parts[PARTS] = {0};

	if (!text)
		return;
	snprintf(copy, sizeof(copy), "%s", text);
	copy[strlen(copy) - strlen(LOG_SUFFIX) - strlen(c->id) - 1] = '\0';
	split(copy, parts);
	container__set_text(c->pod, sizeof(c->pod), parts[0]);
	container__set_text(c->ns, sizeof(c->ns), parts[1]);
	container__set_text(c->name, sizeof(c->name), parts[2]);
}

void pod_logs__read_names(struct pod_logs *pl, struct container *c)
{
	if (*c->pod_uid && (!*c->pod || !*c->ns))
		read_pod(pl, c);
	if (*c->id && !*c->name && !c->is_sandbox)
		read_container(pl, c);
}

bool pod_logs__only_container(struct pod_logs *pl, const struct container *c, char *ret_name,
			      size_t cap)
{
	const char *text = *c->pod_uid ? find(pl, &pl->pods, c->pod_uid) : NULL;
	struct dirent *entry;
	unsigned cnt = 0;
	DIR *dir = NULL;
	int fd;

	fd = text ? open_below(pl, "/var/log/pods/", text) : -1;
	if (fd >= 0 && !(dir = fdopendir(fd)))
		close(fd);
	while (dir && cnt < 2 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		clean__name(entry->d_name, strlen(entry->d_name), ret_name, cap);
		cnt++;
	}
	if (dir)
		closedir(dir);
	return cnt == 1;
}

/* ---- the whole ---- */

struct pod_logs *pod_logs__new(const char *root_dir)
{
	struct pod_logs *pl = calloc(1, sizeof(*pl));

	if (!pl)
		return NULL;
	pl->pods = (struct listing){.dir = "/var/log/pods", .find_key = pod_key};
	pl->containers = (struct listing){.dir = "/var/log/containers", .find_key = container_key};
	pl->root_dir = strdup(root_dir);
	if (!pl->root_dir) {
		free(pl);
		return NULL;
	}
	return pl;
}

void pod_logs__free(struct pod_logs *pl)
{
	if (!pl)
		return;
	forget_names(&pl->pods);
	forget_names(&pl->containers);
	free(pl->root_dir);
	free(pl);
}
