// SPDX-License-Identifier: BSD-2-Clause
/*
 * notify_syslog.c - a line for each incident through syslog(3), which journald takes as well.
 *
 * syslog(3) does not say whether anybody listens, so the socket is looked at first.
 */
#include <errno.h>
#include <paths.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "notify_kind.h"

static int priority_of(const json_t *incident)
{
	const char *severity = json_string_value(json_object_get(incident, "severity"));
	const char *state = json_string_value(json_object_get(incident, "state"));

	if (!severity || !state || !strcmp(state, "closed") || !strcmp(severity, "info"))
		return LOG_NOTICE;
	return strcmp(severity, "critical") ? LOG_WARNING : LOG_CRIT;
}

static int deliver(const struct notify_delivery *d, char ret_why[NOTIFY_WHY_LEN])
{
	const json_t *incidents = json_object_get(d->message, "incidents");
	char line[300];
	size_t i;
	int err;

	if (access(_PATH_LOG, W_OK)) {
		err = -errno;
		snprintf(ret_why, NOTIFY_WHY_LEN, "'%s': %s", _PATH_LOG, strerror(-err));
		return err;
	}
	for (i = 0; i < json_array_size(incidents); i++) {
		const json_t *incident = json_array_get(incidents, i);
		const char *id = json_string_value(json_object_get(incident, "id"));

		notify_message__line(incident, line, sizeof(line));
		syslog(LOG_DAEMON | priority_of(incident), "%s; seep show %s", line, id ? id : "?");
	}
	return 0;
}

const struct notify_kind notify_kind_syslog = {
	.name = "syslog",
	.batch = 50,
	.group = NOTIFY_BY_NONE,
	.wait_s = 0,
	.interval_s = 0,
	.repeat_s = 24 * 3600,
	.rate = 600,
	.deliver = deliver,
};
