/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selector.h - choosing objects by what they are: filters, policies and mutes share this.
 *
 *	namespace=shop,pod=api-*,comm!=nginx
 *
 * Terms `key=glob` or `key!=glob`, separated by commas; an object is chosen when all of them
 * hold. Keys: host (or node), namespace, pod, workload (kind/name), container, image, cgroup,
 * comm, uid, pid, kind (process or cgroup) and label.NAME. Globs are those of fnmatch(3), on the
 * whole value, and * also stands for slashes; a backslash takes the meaning from the character
 * behind it, a comma too.
 *
 * What is not known of an object matches no glob: pod=* is "in a pod", pod!=* "in none".
 */
#ifndef SEEP_WHO_SELECTOR_H
#define SEEP_WHO_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECTOR_TEXT_MAX  1024 /* bytes of one selector */
#define SELECTOR_TERMS_MAX 16
#define SELECTOR_WHY_LEN   256

struct selector;

struct selector_label {
	const char *name, *value;
};

/* What is known of an object; all strings are borrowed, NULL = not known. */
struct selector_subject {
	const char *kind; /* "process" or "cgroup" */
	const char *host, *ns, *pod, *workload, *container, *image, *cgroup, *comm;
	const struct selector_label *labels;
	size_t label_cnt;
	uint32_t uid; /* UINT32_MAX = not known */
	uint32_t pid; /* 0 = not known, or none */
};

/* 0, -ENOMEM, or -EINVAL: ret_why names the part that is wrong and what would be right. */
int selector__parse(const char *text, struct selector **ret_selector,
		    char ret_why[SELECTOR_WHY_LEN]);
void selector__free(struct selector *s); /* NULL is fine */

bool selector__matches(const struct selector *s, const struct selector_subject *subject);

/* As it was written. */
const char *selector__text(const struct selector *s);

#endif /* SEEP_WHO_SELECTOR_H */
