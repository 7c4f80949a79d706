// SPDX-License-Identifier: BSD-2-Clause
/*
 * container.c - see container.h.
 *
 * A new form of path is a row of `forms`, a new place for names a row of `sources`.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "container.h"
#include "clean.h"

#define ID_LEN       (CONTAINER_ID_CAP - 1)
#define UUID_LEN     (CONTAINER_UID_CAP - 1)
#define HASH_UID_LEN 32
#define JSON_MAX_SZ  (1 << 20)

/* ---- the cgroup path ---- */

/* One component of the path, not NUL-terminated. */
struct part {
	const char *s;
	size_t len;
};

/* What stands before the 64 digits: "tag-" or "...:tag:". */
static const struct {
	const char *tag;
	const char *runtime; /* NULL = a monitor beside the container, not the container */
} forms[] = {
	{"cri-containerd", "containerd"},
	{"nerdctl", "containerd"},
	{"crio", "cri-o"},
	{"crio-conmon", NULL},
	{"docker", "docker"},
	{"libpod", "podman"},
	{"libpod-payload", "podman"},
	{"libpod-conmon", NULL},
};

static bool all_hex(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
	return true;
}

bool container__is_id(const char *s, size_t len)
{
	return len == ID_LEN && all_hex(s, len);
}

static bool part_equals(struct part p, const char *text)
{
	return p.len == strlen(text) && !memcmp(p.s, text, p.len);
}

static bool drop_suffix(struct part *p, const char *suffix)
{
	size_t len = strlen(suffix);

	if (p->len < len || memcmp(p->s + p->len - len, suffix, len))
		return false;
	p->len -= len;
	return true;
}

static bool drop_prefix(struct part *p, const char *prefix)
{
	size_t len = strlen(prefix);

	if (p->len < len || memcmp(p->s, prefix, len))
		return false;
	p->s += len;
	p->len -= len;
	return true;
}

/* "tag" or "...:tag" */
static bool has_tag(struct part p, const char *tag)
{
	return drop_suffix(&p, tag) && (!p.len || p.s[p.len - 1] == ':');
}

/* The component left of p, empty at the start of the path. */
static struct part part_before(const char *path, struct part p)
{
	struct part prev = {path, 0};
	const char *end = p.s;

	while (end > path && end[-1] == '/')
		end--;
	for (prev.s = end; prev.s > path && prev.s[-1] != '/'; prev.s--)
		prev.len++;
	return prev;
}

/* p is what stands before the id. False: this is no container but its monitor. */
static bool find_runtime(struct part p, struct part parent, const char **ret_runtime)
{
	size_t i;

	*ret_runtime = NULL;
	if (!p.len) {
		*ret_runtime = part_equals(parent, "docker") ? "docker" : NULL;
		return true;
	}
	p.len--; /* the separator */
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (has_tag(p, forms[i].tag)) {
			*ret_runtime = forms[i].runtime;
			return forms[i].runtime;
		}
	}
	return true;
}

/* "<64 hex>", "tag-<64 hex>.scope", "slice:tag:<64 hex>" */
static bool parse_id(struct part p, struct part parent, struct container *c)
{
	const char *id;

	drop_suffix(&p, ".scope");
	if (p.len < ID_LEN)
		return false;
	p.len -= ID_LEN;
	id = p.s + p.len;
	if (!all_hex(id, ID_LEN) || (p.len && id[-1] != '-' && id[-1] != ':'))
		return false;
	if (!find_runtime(p, parent, &c->runtime))
		return false;
	memcpy(c->id, id, ID_LEN);
	return true;
}

/* LXC has names, not ids: "lxc.payload.<name>", "lxc.payload/<name>", "lxc/<name>". */
static bool parse_lxc(struct part p, struct part parent, struct container *c)
{
	if (!drop_prefix(&p, "lxc.payload.") && !part_equals(parent, "lxc.payload") &&
	    !part_equals(parent, "lxc"))
		return false;
	if (!p.len)
		return false;
	c->runtime = "lxc";
	clean__name(p.s, p.len, c->name, sizeof(c->name));
	return true;
}

size_t container__uid_len(const char *s, size_t len)
{
	size_t i;

	if (len >= UUID_LEN) {
		for (i = 0; i < UUID_LEN; i++) {
			if (i == 8 || i == 13 || i == 18 || i == 23) {
				if (s[i] != '-' && s[i] != '_')
					break;
			} else if (!all_hex(s + i, 1)) {
				break;
			}
		}
		if (i == UUID_LEN)
			return UUID_LEN;
	}
	return len >= HASH_UID_LEN && all_hex(s, HASH_UID_LEN) ? HASH_UID_LEN : 0;
}

static void set_pod_uid(struct container *c, const char *uid, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		c->pod_uid[i] = uid[i] == '_' ? '-' : uid[i];
	c->pod_uid[len] = '\0';
}

/* "pod<uid>", "kubepods-burstable-pod<uid>.slice", "...-pod<uid>.slice:cri-containerd:<id>" */
static bool parse_pod(struct part p, struct container *c)
{
	static const char mark[] = "pod";
	const size_t mark_len = sizeof(mark) - 1;
	size_t i, len;

	for (i = 0; i + mark_len < p.len; i++) {
		if (memcmp(p.s + i, mark, mark_len) || (i && p.s[i - 1] != '-'))
			continue;
		len = container__uid_len(p.s + i + mark_len, p.len - i - mark_len);
		if (!len)
			continue;
		i += mark_len;
		if (i + len < p.len && p.s[i + len] != '.' && p.s[i + len] != ':')
			continue;
		set_pod_uid(c, p.s + i, len);
		return true;
	}
	return false;
}

/*
 * From right to left: a container may have cgroups of its own below its id, and a container
 * inside a container is the one that is meant. A pod left of the id is its pod; with a pod and
 * no id inside it, an id further left is the node's own container (kind), not the pod's.
 */
void container__parse_path(const char *path, struct container *ret_container)
{
	struct part parent, p = {path + strlen(path), 0};
	bool found = false;

	memset(ret_container, 0, sizeof(*ret_container));
	for (p = part_before(path, p); p.len; p = parent) {
		parent = part_before(path, p);
		if (!found)
			found = parse_id(p, parent, ret_container) ||
				parse_lxc(p, parent, ret_container);
		if (parse_pod(p, ret_container))
			break;
	}
}

/* ---- names on disk ---- */

void container__set_text(char *field, size_t cap, const char *text)
{
	if (text && *text && !*field)
		clean__name(text, strlen(text), field, cap);
}

static const char *member(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Keys under which containerd's CRI plugin and the kubelet's runtimes file the same things. */
static const struct {
	size_t offset;
	size_t cap;
	const char *keys[2];
} labels[] = {
#define FIELD(f) offsetof(struct container, f), sizeof(((struct container *)0)->f)
	{FIELD(name), {"io.kubernetes.cri.container-name", "io.kubernetes.container.name"}},
	{FIELD(pod), {"io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"}},
	{FIELD(ns), {"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"}},
	{FIELD(image), {"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"}},
#undef FIELD
};

/* containerd, CRI-O, the kubelet over docker */
static bool is_sandbox(const json_t *object)
{
	static const char *const keys[] = {
		"io.kubernetes.cri.container-type",
		"io.kubernetes.cri-o.ContainerType",
		"io.kubernetes.docker.type",
	};
	const char *type;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		type = member(object, keys[i]);
		if (type && (!strcmp(type, "sandbox") || !strcmp(type, "podsandbox")))
			return true;
	}
	return false;
}

static void read_labels(const json_t *object, struct container *c)
{
	const char *uid;
	size_t i;

	for (i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		char *field = (char *)c + labels[i].offset;

		container__set_text(field, labels[i].cap, member(object, labels[i].keys[0]));
		container__set_text(field, labels[i].cap, member(object, labels[i].keys[1]));
	}
	c->is_sandbox = is_sandbox(object);
	if (c->is_sandbox)
		*c->name = '\0'; /* some call it "POD" */
	uid = member(object, "io.kubernetes.cri.sandbox-uid");
	if (!uid)
		uid = member(object, "io.kubernetes.pod.uid");
	if (uid && !*c->pod_uid && container__uid_len(uid, strlen(uid)) == strlen(uid))
		set_pod_uid(c, uid, strlen(uid));
}

/* OCI bundle: the annotations say it all. */
static bool parse_bundle(const json_t *root, struct container *c)
{
	read_labels(json_object_get(root, "annotations"), c);
	return true;
}

/* CRI-O and podman keep their bundles in the same place. */
static bool parse_crio(const json_t *root, struct container *c)
{
	const json_t *annotations = json_object_get(root, "annotations");
	const char *manager = member(annotations, "io.container.manager");

	if (!manager || strcmp(manager, "cri-o"))
		return false;
	read_labels(annotations, c);
	return true;
}

/* containers/storage's index: [{"id", "names": [..], "metadata": "{\"image-name\"..}"}, ..] */
static bool parse_storage(const json_t *root, struct container *c)
{
	const char *id, *metadata;
	json_t *entry, *inner;
	size_t i;

	json_array_foreach((json_t *)root, i, entry) {
		id = member(entry, "id");
		if (!id || strcmp(id, c->id))
			continue;
		container__set_text(c->name, sizeof(c->name),
			  json_string_value(json_array_get(json_object_get(entry, "names"), 0)));
		metadata = member(entry, "metadata");
		inner = metadata ? json_loads(metadata, 0, NULL) : NULL;
		container__set_text(c->image, sizeof(c->image), member(inner, "image-name"));
		json_decref(inner);
		return true;
	}
	return false;
}

static bool parse_docker(const json_t *root, struct container *c)
{
	const json_t *config = json_object_get(root, "Config");
	const char *name = member(root, "Name");

	read_labels(json_object_get(config, "Labels"), c);
	container__set_text(c->name, sizeof(c->name), name && *name == '/' ? name + 1 : name);
	container__set_text(c->image, sizeof(c->image), member(config, "Image"));
	return true;
}

#define TASKS   "/io.containerd.runtime.v2.task/"
#define STORAGE "/containers/storage/"

/* The file is dir + container id + file, or just dir when file is NULL. First hit wins. */
static const struct source {
	const char *runtime;
	const char *dir;
	const char *file;
	/* False: the file is not about this container. */
	bool (*parse)(const json_t *root, struct container *c);
} sources[] = {
	{"containerd", "/run/containerd" TASKS "k8s.io/", "/config.json", parse_bundle},
	{"containerd", "/run/k3s/containerd" TASKS "k8s.io/", "/config.json", parse_bundle},
	{"containerd", "/run/k0s/containerd" TASKS "k8s.io/", "/config.json", parse_bundle},
	{"containerd", "/run/containerd" TASKS "default/", "/config.json", parse_bundle},
	{"cri-o", "/run" STORAGE "overlay-containers/", "/userdata/config.json", parse_crio},
	{"cri-o", "/var/lib" STORAGE "overlay-containers/", "/userdata/config.json", parse_crio},
	{"docker", "/var/lib/docker/containers/", "/config.v2.json", parse_docker},
	{"podman", "/var/lib" STORAGE "overlay-containers/containers.json", NULL, parse_storage},
	{"podman", "/var/lib" STORAGE "overlay-containers/volatile-containers.json", NULL,
	 parse_storage},
	{"podman", "/var/lib" STORAGE "vfs-containers/containers.json", NULL, parse_storage},
	{"podman", "/var/lib" STORAGE "vfs-containers/volatile-containers.json", NULL,
	 parse_storage},
};

/* Up to sz bytes of fd; fewer when the file shrank meanwhile. */
static json_t *load_fd(int fd, size_t sz)
{
	json_t *root = NULL;
	size_t len = 0;
	ssize_t n;
	char *text;

	text = malloc(sz);
	if (!text)
		return NULL;
	do {
		n = read(fd, text + len, sz - len);
		if (n > 0)
			len += n;
	} while (len < sz && (n > 0 || (n < 0 && errno == EINTR)));
	if (n >= 0)
		root = json_loadb(text, len, 0, NULL);
	free(text);
	return root;
}

/* Only a regular file of bounded size, not behind a link, and never waiting for a writer. */
static json_t *load_file(const char *path)
{
	json_t *root = NULL;
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= JSON_MAX_SZ)
		root = load_fd(fd, st.st_size);
	close(fd);
	return root;
}

static bool read_source(const char *root_dir, const struct source *source, struct container *c)
{
	char path[PATH_MAX];
	json_t *root;
	bool found;
	int n;

	n = snprintf(path, sizeof(path), "%s%s%s%s", root_dir, source->dir,
		     source->file ? c->id : "", source->file ? source->file : "");
	if (n < 0 || (size_t)n >= sizeof(path))
		return false;
	root = load_file(path);
	found = root && source->parse(root, c);
	json_decref(root);
	return found;
}

void container__read_names(const char *root_dir, struct container *container)
{
	size_t i;

	if (!*container->id)
		return;
	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (container->runtime && strcmp(container->runtime, sources[i].runtime))
			continue;
		if (read_source(root_dir, &sources[i], container)) {
			container->runtime = sources[i].runtime;
			break;
		}
	}
}
