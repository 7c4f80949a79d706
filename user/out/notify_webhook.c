// SPDX-License-Identifier: BSD-2-Clause
/* notify_webhook.c - the message, or a template filled with it, POSTed to any URL. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/fs.h"
#include "../base/json_mem.h"
#include "notify_kind.h"
#include "post.h"

#define TEMPLATE_MAX 65536

static int is_stopping(void *ctx)
{
	return worker__stopping(ctx);
}

/* The URL may be a secret: it can stand in a file of its own, read anew each time. */
static int read_url(const struct notify_target *t, char *url, size_t cap, char *ret_why)
{
	ssize_t n;

	if (!t->url_file) {
		snprintf(url, cap, "%s", t->url);
		return 0;
	}
	n = fs__read(t->url_file, url, cap);
	if (n < 0) {
		snprintf(ret_why, NOTIFY_WHY_LEN, "'%.100s': %s", t->url_file, strerror(-n));
		return (int)n;
	}
	url[strcspn(url, " \r\n")] = '\0';
	return 0;
}

int notify__post(const struct notify_delivery *d, const char *path, const char *body,
		 char ret_why[NOTIFY_WHY_LEN])
{
	const struct notify_target *t = d->target;
	char base[POST_URL_MAX], url[POST_URL_MAX + 128];
	struct post post = {
		.url = url,
		.body = body,
		.header_file = t->header_file,
		.token_file = t->token_file,
		.ca_file = t->ca_file,
		.timeout_s = t->timeout_s,
		.stopping = is_stopping,
		.ctx = d->worker,
	};
	size_t len;
	int err;

	_Static_assert(NOTIFY_WHY_LEN >= POST_WHY_LEN, "post__send fills it");
	err = read_url(t, base, sizeof(base), ret_why);
	if (err)
		return err;
	for (len = strlen(base); *path && len && base[len - 1] == '/'; len--)
		;
	snprintf(url, sizeof(url), "%.*s%s", (int)len, base, path);
	return post__send(&post, ret_why);
}

static int fill_template(const struct notify_delivery *d, struct buf *body, char *ret_why)
{
	char *text = malloc(TEMPLATE_MAX);
	ssize_t n;
	int err;

	if (!text)
		return -ENOMEM;
	n = fs__read(d->target->body_file, text, TEMPLATE_MAX);
	if (n < 0)
		snprintf(ret_why, NOTIFY_WHY_LEN, "'%.100s': %s", d->target->body_file,
			 strerror(-n));
	err = n < 0 ? (int)n : notify_message__expand(text, d->message, body);
	free(text);
	return err;
}

static int deliver(const struct notify_delivery *d, char ret_why[NOTIFY_WHY_LEN])
{
	struct buf body = {0};
	char *json;
	int err = 0;

	if (d->target->body_file) {
		err = fill_template(d, &body, ret_why);
	} else {
		json = json_mem__dumps(d->message, JSON_COMPACT);
		if (json)
			buf__puts(&body, json);
		free(json);
	}
	if (!err && (body.err || !body.len))
		err = -ENOMEM;
	if (!err)
		err = notify__post(d, "", body.data, ret_why);
	buf__free(&body);
	return err;
}

const struct notify_kind notify_kind_webhook = {
	.name = "webhook",
	.needs = "url",
	.batch = 50,
	.sums_up = 1,
	.group = NOTIFY_BY_WORKLOAD,
	.wait_s = 30,
	.interval_s = 300,
	.repeat_s = 4 * 3600,
	.rate = 60,
	.deliver = deliver,
};
