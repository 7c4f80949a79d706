// SPDX-License-Identifier: BSD-2-Clause
/*
 * kube_list.c - see kube_list.h.
 *
 * The splitter knows just enough JSON to find where an item ends: depth and strings. Whether the
 * item is JSON at all is the library's to say.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "../base/buf.h"
#include "clean.h"
#include "kube_list.h"

#define KEY_CAP	     16	 /* of the top level's keys only "items" matters */
#define LABEL_CAP    318 /* prefix of 253, '/', name of 63 */
#define VALUE_CAP    64
#define ITEM_DEPTH   2	/* { "items": [ */
#define SCHEDULE_MIN 8	/* digits at the end of a CronJob's job: minutes since 1970, */
#define SCHEDULE_MAX 10 /* or seconds before Kubernetes 1.21 */

struct kube_container {
	char id[CONTAINER_ID_CAP];
	char *name, *image, *digest;
	uint64_t limit_bytes;
	struct kube_container *next;
};

struct kube_pod {
	char uid[CONTAINER_UID_CAP];
	char *name, *ns, *workload;
	json_t *labels;
	struct kube_container *containers;
	UT_hash_handle hh;
};

struct kube_list {
	struct kube_pod *pods;
	unsigned garbled;
	int err;
	/* the splitter */
	unsigned depth;
	bool in_string, escaped, in_items, saw_items, ended;
	char key[KEY_CAP]; /* the last string at the top level */
	size_t key_len;
	struct buf item;
};

/* ---- texts ---- */

static const char *member(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A cleaned copy of at most cap - 1 bytes; NULL for none. */
static char *copy(const char *text, size_t cap)
{
	char *clean;

	if (!text || !*text)
		return NULL;
	clean = malloc(cap);
	if (clean)
		clean__name(text, strlen(text), clean, cap);
	return clean;
}

/* "128Mi", "1G", "1.5e9", "134217728": bytes, 0 when it is none or does not fit. */
static uint64_t parse_quantity(const char *text)
{
	static const struct {
		const char *suffix;
		double factor;
	} units[] = {
		{"", 1},	{"k", 1e3},	{"M", 1e6},	{"G", 1e9},
		{"T", 1e12},	{"P", 1e15},	{"Ki", 1024.},	{"Mi", 0x1p20},
		{"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"m", 1e-3},
	};
	double value;
	char *end;
	size_t i;

	if (!text || !isdigit((unsigned char)*text))
		return 0;
	value = strtod(text, &end);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].suffix))
			break;
	if (i == sizeof(units) / sizeof(units[0]))
		return 0;
	value *= units[i].factor;
	return value < 0x1p62 ? value : 0;
}

/* ---- pods ---- */

static void free_containers(struct kube_container *c)
{
	struct kube_container *next;

	for (; c; c = next) {
		next = c->next;
		free(c->name);
		free(c->image);
		free(c->digest);
		free(c);
	}
}

static void free_pod(struct kube_pod *pod)
{
	if (!pod)
		return;
	free(pod->name);
	free(pod->ns);
	free(pod->workload);
	json_decref(pod->labels);
	free_containers(pod->containers);
	free(pod);
}

/* kind/name, with as much of the name as len says. */
static char *workload(const char *kind, const char *name, size_t len)
{
	struct buf b = {0};
	char *clean;

	buf__printf(&b, "%s/%.*s", kind, (int)(len < 256 ? len : 256), name);
	clean = b.err ? NULL : copy(b.data, sizeof(((struct container *)0)->workload));
	buf__free(&b);
	return clean;
}

/* Length of name without "-suffix", 0 when it does not end so or nothing is left. */
static size_t without(const char *name, const char *suffix)
{
	size_t len = strlen(name), cut = suffix ? strlen(suffix) : 0;

	if (!cut || len < cut + 2 || strcmp(name + len - cut, suffix) || name[len - cut - 1] != '-')
		return 0;
	return len - cut - 1;
}

/* Length of the CronJob's name before the schedule time of its job, 0 when there is none. */
static size_t without_schedule(const char *name)
{
	const char *mark = strrchr(name, '-');
	size_t digits = mark ? strspn(mark + 1, "0123456789") : 0;

	if (!mark || mark == name || mark[1 + digits] || digits < SCHEDULE_MIN ||
	    digits > SCHEDULE_MAX)
		return 0;
	return mark - name;
}

static const json_t *controller_of(const json_t *metadata)
{
	const json_t *owners = json_object_get(metadata, "ownerReferences"), *owner;
	size_t i;

	json_array_foreach(owners, i, owner) if (json_is_true(json_object_get(
							 owner, "controller"))) return owner;
	return NULL;
}

static char *find_workload(const json_t *metadata)
{
	const json_t *owner = controller_of(metadata),
		     *labels = json_object_get(metadata, "labels");
	const char *kind = member(owner, "kind"), *name = member(owner, "name");
	size_t len;

	if (!kind || !name || !*kind || !*name || !strcmp(kind, "Node"))
		return NULL;
	if (!strcmp(kind, "ReplicaSet")) {
		len = without(name, member(labels, "pod-template-hash"));
		if (len)
			return workload("Deployment", name, len);
		len = without(name, member(labels, "rollouts-pod-template-hash"));
		if (len)
			return workload("Rollout", name, len);
	}
	len = strcmp(kind, "Job") ? 0 : without_schedule(name);
	if (len)
		return workload("CronJob", name, len);
	return workload(kind, name, strlen(name));
}

static json_t *copy_labels(const json_t *labels)
{
	char clean_key[LABEL_CAP], clean_value[VALUE_CAP];
	json_t *copies = json_object(), *value;
	const char *key, *text;

	json_object_foreach((json_t *)labels, key, value)
	{
		text = json_string_value(value);
		if (!text || json_object_size(copies) == KUBE_LABELS_MAX)
			continue;
		clean__name(key, strlen(key), clean_key, sizeof(clean_key));
		clean__name(text, strlen(text), clean_value, sizeof(clean_value));
		json_object_set_new(copies, clean_key, json_string(clean_value));
	}
	return copies;
}

/* "containerd://<id>" */
static bool copy_id(const char *text, char id[CONTAINER_ID_CAP])
{
	const char *mark = text ? strstr(text, "://") : NULL;

	if (!mark || !container__is_id(mark + 3, strlen(mark + 3)))
		return false;
	memcpy(id, mark + 3, CONTAINER_ID_CAP);
	return true;
}

/* "docker.io/library/x@sha256:...", "docker-pullable://x@sha256:...", "sha256:..." */
static char *copy_digest(const char *image_id)
{
	const char *mark = image_id ? strstr(image_id, "sha256:") : NULL;

	return copy(mark, sizeof(((struct container *)0)->digest));
}

static uint64_t limit_in_spec(const json_t *spec_list, const char *name)
{
	const json_t *spec, *limits;
	size_t i;

	json_array_foreach(spec_list, i, spec)
	{
		if (!name || !member(spec, "name") || strcmp(member(spec, "name"), name))
			continue;
		limits = json_object_get(json_object_get(spec, "resources"), "limits");
		return parse_quantity(member(limits, "memory"));
	}
	return 0;
}

static void add_container(struct kube_pod *pod, const json_t *status, const json_t *spec_list)
{
	struct kube_container *c = calloc(1, sizeof(*c));

	if (!c || !copy_id(member(status, "containerID"), c->id)) {
		free(c);
		return;
	}
	c->name = copy(member(status, "name"), sizeof(((struct container *)0)->name));
	c->image = copy(member(status, "image"), sizeof(((struct container *)0)->image));
	c->digest = copy_digest(member(status, "imageID"));
	c->limit_bytes = limit_in_spec(spec_list, member(status, "name"));
	c->next = pod->containers;
	pod->containers = c;
}

static void add_containers(struct kube_pod *pod, const json_t *item)
{
	static const char *const kinds[][2] = {
		{"containerStatuses", "containers"},
		{"initContainerStatuses", "initContainers"},
		{"ephemeralContainerStatuses", "ephemeralContainers"},
	};
	const json_t *spec = json_object_get(item, "spec"), *list, *status;
	size_t i, j, cnt = 0;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		list = json_object_get(json_object_get(item, "status"), kinds[i][0]);
		json_array_foreach(list, j, status) if (cnt++ < KUBE_CONTAINERS_MAX)
			add_container(pod, status, json_object_get(spec, kinds[i][1]));
	}
}

/* A static pod's cgroup carries the hash of its file, which the API server's uid is not. */
static const char *uid_of(const json_t *metadata)
{
	const char *hash =
		member(json_object_get(metadata, "annotations"), "kubernetes.io/config.hash");
	const char *uid = hash ? hash : member(metadata, "uid");

	return uid && container__uid_len(uid, strlen(uid)) == strlen(uid) ? uid : NULL;
}

static struct kube_pod *make_pod(const json_t *item)
{
	const json_t *metadata = json_object_get(item, "metadata");
	const char *uid = uid_of(metadata);
	struct kube_pod *pod = uid ? calloc(1, sizeof(*pod)) : NULL;

	if (!pod)
		return NULL;
	strcpy(pod->uid, uid);
	pod->name = copy(member(metadata, "name"), sizeof(((struct container *)0)->pod));
	pod->ns = copy(member(metadata, "namespace"), sizeof(((struct container *)0)->ns));
	pod->workload = find_workload(metadata);
	pod->labels = copy_labels(json_object_get(metadata, "labels"));
	add_containers(pod, item);
	return pod;
}

static struct kube_pod *find_pod(const struct kube_list *kl, const char *uid)
{
	struct kube_pod *pod;

	HASH_FIND_STR(kl->pods, uid, pod);
	return pod;
}

/* The first of a uid counts. */
static void take_item(struct kube_list *kl, const char *text, size_t len)
{
	json_t *item = json_loadb(text, len, 0, NULL);
	struct kube_pod *pod = make_pod(item);

	json_decref(item);
	if (!pod || HASH_COUNT(kl->pods) >= KUBE_PODS_MAX || find_pod(kl, pod->uid)) {
		free_pod(pod);
		kl->garbled++;
		return;
	}
	HASH_ADD_STR(kl->pods, uid, pod);
	if (!pod->hh.tbl) {
		free_pod(pod);
		kl->err = -ENOMEM;
	}
}

/* ---- the splitter ---- */

static bool in_item(const struct kube_list *kl)
{
	return kl->in_items && kl->depth > ITEM_DEPTH;
}

static int end_item(struct kube_list *kl)
{
	take_item(kl, kl->item.data, kl->item.len);
	kl->item.len = 0;
	return kl->err;
}

static void begin_string(struct kube_list *kl)
{
	kl->in_string = true;
	if (kl->depth == 1)
		kl->key_len = 0;
}

static void take_string_char(struct kube_list *kl, char c)
{
	if (kl->escaped)
		kl->escaped = false;
	else if (c == '\\')
		kl->escaped = true;
	else if (c == '"')
		kl->in_string = false;
	else if (kl->depth == 1 && kl->key_len < KEY_CAP)
		kl->key[kl->key_len++] = c;
}

static bool key_is_items(const struct kube_list *kl)
{
	return kl->key_len == strlen("items") && !memcmp(kl->key, "items", kl->key_len);
}

static int open_bracket(struct kube_list *kl, char c)
{
	if (!kl->depth && (c != '{' || kl->ended))
		return -EBADMSG;
	if (kl->depth == 1 && c == '[' && key_is_items(kl) && !kl->saw_items)
		kl->in_items = kl->saw_items = true;
	else if (kl->in_items && kl->depth == ITEM_DEPTH && c != '{')
		return -EBADMSG;
	kl->depth++;
	return 0;
}

static int close_bracket(struct kube_list *kl)
{
	if (!kl->depth)
		return -EBADMSG;
	kl->depth--;
	if (kl->depth < ITEM_DEPTH)
		kl->in_items = false;
	kl->ended = !kl->depth;
	return 0;
}

static int take_char(struct kube_list *kl, char c)
{
	if (kl->in_string)
		take_string_char(kl, c);
	else if (c == '"' && kl->depth)
		begin_string(kl);
	else if (c == '{' || c == '[')
		return open_bracket(kl, c);
	else if (c == '}' || c == ']')
		return close_bracket(kl);
	else if (!kl->depth && !isspace((unsigned char)c))
		return -EBADMSG;
	return 0;
}

/* A null list of no pods counts as one. */
static void see_null(struct kube_list *kl, char c)
{
	if (kl->depth == 1 && !kl->in_string && c == 'n' && key_is_items(kl))
		kl->saw_items = true;
}

/* The whole of data lies in items but for brackets: items are copied in runs, not by the byte. */
int kube_list__feed(struct kube_list *kl, const char *data, size_t len)
{
	size_t i, from = 0;
	bool was_in;

	for (i = 0; i < len && !kl->err; i++) {
		was_in = in_item(kl);
		see_null(kl, data[i]);
		kl->err = take_char(kl, data[i]);
		if (!was_in && in_item(kl))
			from = i;
		if (was_in && !in_item(kl) && !kl->err) {
			buf__append(&kl->item, data + from, i + 1 - from);
			kl->err = kl->item.err ? kl->item.err : end_item(kl);
		}
	}
	if (!kl->err && in_item(kl)) {
		buf__append(&kl->item, data + from, len - from);
		kl->err = kl->item.err;
	}
	if (!kl->err && kl->item.len > KUBE_ITEM_MAX)
		kl->err = -EFBIG;
	return kl->err;
}

int kube_list__end(struct kube_list *kl)
{
	if (!kl->err && (!kl->ended || !kl->saw_items))
		kl->err = -EBADMSG;
	/* a list in which nothing is a pod is none */
	if (!kl->err && kl->garbled && !kl->pods)
		kl->err = -EBADMSG;
	return kl->err;
}

/* ---- the whole ---- */

unsigned kube_list__pods(const struct kube_list *kl)
{
	return HASH_COUNT(kl->pods);
}

unsigned kube_list__garbled(const struct kube_list *kl)
{
	return kl->garbled;
}

static void read_container(const struct kube_pod *pod, struct container *c)
{
	const struct kube_container *kc = pod->containers;

	while (kc && strcmp(kc->id, c->id))
		kc = kc->next;
	if (!kc)
		return;
	container__set_text(c->name, sizeof(c->name), kc->name);
	container__set_text(c->image, sizeof(c->image), kc->image);
	container__set_text(c->digest, sizeof(c->digest), kc->digest);
	c->limit_bytes = kc->limit_bytes;
}

int kube_list__read_names(const struct kube_list *kl, struct container *c)
{
	const struct kube_pod *pod = *c->pod_uid ? find_pod(kl, c->pod_uid) : NULL;

	if (!pod)
		return -ENOENT;
	container__set_text(c->pod, sizeof(c->pod), pod->name);
	container__set_text(c->ns, sizeof(c->ns), pod->ns);
	*c->workload = '\0';
	container__set_text(c->workload, sizeof(c->workload), pod->workload);
	json_decref(c->labels);
	c->labels = json_incref(pod->labels);
	if (*c->id)
		read_container(pod, c);
	return 0;
}

struct kube_list *kube_list__new(void)
{
	return calloc(1, sizeof(struct kube_list));
}

void kube_list__free(struct kube_list *kl)
{
	struct kube_pod *pod, *next;

	if (!kl)
		return;
	HASH_ITER(hh, kl->pods, pod, next)
	{
		HASH_DEL(kl->pods, pod);
		free_pod(pod);
	}
	buf__free(&kl->item);
	free(kl);
}
