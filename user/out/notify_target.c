// SPDX-License-Identifier: BSD-2-Clause
/* notify_target.c - a target of notifications as it is configured: its words, defaults, checks. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../who/selector.h"
#include "notify.h"
#include "notify_kind.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TIMEOUT_S     10.0
#define TIMEOUT_MAX_S 120.0

static const struct notify_kind *const kinds[] = {
	[NOTIFY_WEBHOOK] = &notify_kind_webhook,
	[NOTIFY_ALERTMANAGER] = &notify_kind_alertmanager,
	[NOTIFY_SYSLOG] = &notify_kind_syslog,
	[NOTIFY_COMMAND] = &notify_kind_command,
	[NOTIFY_KUBE_EVENT] = &notify_kind_kube_event,
};

const char *const notify_types[] = {
	[NOTIFY_WEBHOOK] = "webhook",	    [NOTIFY_ALERTMANAGER] = "alertmanager",
	[NOTIFY_SYSLOG] = "syslog",	    [NOTIFY_COMMAND] = "command",
	[NOTIFY_KUBE_EVENT] = "kube-event", [ARRAY_SIZE(kinds)] = NULL,
};
_Static_assert(ARRAY_SIZE(notify_types) == ARRAY_SIZE(kinds) + 1, "a word for each kind");

const char *const notify_groups[] = {"workload", "image", "none", "all", NULL};

const struct notify_kind *notify_kind__of(int type)
{
	return kinds[type];
}

void notify_target__init(struct notify_target *t, const char *name)
{
	*t = (struct notify_target){
		.type = -1,
		.min_severity = SEVERITY_WARNING,
		.group = -1,
		.send_resolved = 1,
		.timeout_s = TIMEOUT_S,
		.wait_s = NAN,
		.interval_s = NAN,
		.repeat_s = NAN,
	};
	snprintf(t->name, sizeof(t->name), "%s", name);
}

static int has(const struct notify_target *t, const char *option)
{
	if (!strcmp(option, "url"))
		return t->url || t->url_file;
	return !strcmp(option, "command") && t->command;
}

static void set_default(double *value, double otherwise)
{
	if (isnan(*value))
		*value = otherwise;
}

static int check_selector(const struct notify_target *t, char *ret_why, size_t cap)
{
	struct selector *selector = NULL;
	char why[SELECTOR_WHY_LEN];
	int err;

	if (!t->selector)
		return 0;
	err = selector__parse(t->selector, &selector, why);
	selector__free(selector);
	if (err)
		snprintf(ret_why, cap, "selector: %s", err == -ENOMEM ? "out of memory" : why);
	return err;
}

int notify_target__check(struct notify_target *t, char *ret_why, size_t cap)
{
	const struct notify_kind *kind;

	if (t->type < 0) {
		snprintf(ret_why, cap, "type is missing");
		return -EINVAL;
	}
	kind = notify_kind__of(t->type);
	if (kind->needs && !has(t, kind->needs)) {
		snprintf(ret_why, cap, "type %s needs %s", kind->name, kind->needs);
		return -EINVAL;
	}
	if (!(t->timeout_s >= 0.1 && t->timeout_s <= TIMEOUT_MAX_S)) {
		snprintf(ret_why, cap, "timeout must be 100ms to %gs", TIMEOUT_MAX_S);
		return -EINVAL;
	}
	if (t->group < 0)
		t->group = kind->group;
	set_default(&t->wait_s, kind->wait_s);
	set_default(&t->interval_s, kind->interval_s);
	set_default(&t->repeat_s, kind->repeat_s);
	if (!t->rate)
		t->rate = kind->rate;
	return check_selector(t, ret_why, cap);
}
