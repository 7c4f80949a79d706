/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify_kind.h - the ways a notification can take: one table row and one file for each.
 *
 * deliver runs in the target's own thread, may block for the target's timeout, and shares nothing
 * with the loop but the message it was given.
 */
#ifndef SEEP_OUT_NOTIFY_KIND_H
#define SEEP_OUT_NOTIFY_KIND_H

#include <jansson.h>

#include "../base/worker.h"
#include "notify.h"

struct notify_delivery {
	const struct notify_target *target;
	const json_t *message;
	struct worker *worker; /* for worker__stopping */
};

struct notify_kind {
	const char *name;
	const char *needs;	 /* the option without which it cannot work, or NULL */
	size_t batch;		 /* incidents that a message shows in full at most... */
	int sums_up;		 /* ...and of the others it tells the number, which will do */
	enum notify_group group; /* defaults of options */
	double wait_s, interval_s, repeat_s;
	unsigned rate;
	/* 0 or -errno; ret_why says it in words, without secrets. */
	int (*deliver)(const struct notify_delivery *d, char ret_why[NOTIFY_WHY_LEN]);
};

extern const struct notify_kind notify_kind_webhook, notify_kind_alertmanager, notify_kind_syslog,
	notify_kind_command, notify_kind_kube_event;

/* By enum notify_type. */
const struct notify_kind *notify_kind__of(int type);

/* POST a body to the target's url (+ path), with its headers, token, CA and time limit. */
int notify__post(const struct notify_delivery *d, const char *path, const char *body,
		 char ret_why[NOTIFY_WHY_LEN]);

/* Of kind memory-error. */
int notify_message__is_error(const json_t *incident);

/*
 * The message: seep.notification/1, incidents stolen. cnt counts those that did not fit as well.
 * NULL: out of memory.
 */
json_t *notify_message__new(const char *target, const char *node, const char *group, double now_s,
			    json_t *incidents, size_t cnt);
/* One line for one incident: "warning: api[4711] in shop/api-1 leaks: 72.0 MiB since ...". */
void notify_message__line(const json_t *incident, char *buf, size_t cap);

/*
 * A template with {{name}} replaced by what the message says, escaped for the inside of a JSON
 * string; {{json}} is the whole message. A name is looked for in the message, then in its first
 * incident, in that one's object and verdict. What is not known is empty. 0 or -ENOMEM.
 */
struct buf;
int notify_message__expand(const char *text, const json_t *message, struct buf *out);

#endif /* SEEP_OUT_NOTIFY_KIND_H */
