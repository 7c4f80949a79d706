// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer_web.c - the web page over HTTP, and the JSON it reads, which is that of the commands.
 *
 *	/api/top?by=process|cgroup|pod&n=N   as `seep top --json`
 *	/api/leaks?all=1&since_s=T           as `seep leaks --json`
 *	/api/incident/ID                     as `seep show ID --json`
 *	/api/status                          as `seep status --json`
 *
 * Names, command lines and call stacks are told only on loopback or to who has the token.
 */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/json_mem.h"
#include "out/page.h"

static int http_status(int code)
{
	switch (code) {
	case 0:
		return 200;
	case SEEP_EXIT_USAGE:
		return 400;
	case SEEP_EXIT_NO_TARGET:
		return 404;
	default:
		return 500;
	}
}

static void add_number(json_t *request, const struct http_request *rq, const char *name)
{
	const char *text = http__arg(rq, name);

	if (text)
		json_object_set_new(request, name, json_integer(strtoll(text, NULL, 10)));
}

/* The command behind a path, and its arguments; NULL for a path without one. */
static const char *command_of(const struct http_request *rq, json_t *request)
{
	static const char prefix[] = "/api/incident/";
	const char *by = http__arg(rq, "by"), *all = http__arg(rq, "all");

	if (!strcmp(rq->path, "/api/status"))
		return "status";
	if (!strcmp(rq->path, "/api/top")) {
		if (by)
			set_str(request, "by", by);
		add_number(request, rq, "n");
		return "top";
	}
	if (!strcmp(rq->path, "/api/leaks")) {
		json_object_set_new(request, "all", json_boolean(all && !strcmp(all, "1")));
		add_number(request, rq, "since_s");
		return "leaks";
	}
	if (strncmp(rq->path, prefix, sizeof(prefix) - 1))
		return NULL;
	set_str(request, "id", rq->path + sizeof(prefix) - 1);
	return "show";
}

/* The reason that a handler left in body becomes an object. */
static void wrap_reason(struct buf *body)
{
	json_t *o = json_object();
	char *text;

	set_str(o, "schema", "seep.error/1");
	set_str(o, "error", body->len ? body->data : "there is no such answer");
	text = json_mem__dumps(o, JSON_COMPACT);
	body->len = 0;
	buf__puts(body, text ? text : "{}");
	buf__puts(body, "\n");
	free(text);
	json_decref(o);
}

static int answer_api(struct agent *a, const struct http_request *rq, struct buf *body)
{
	json_t *request = json_object();
	const char *cmd = command_of(rq, request);
	int status = 404;

	if (cmd)
		status = http_status(answer__handle(a, cmd, request, body));
	if (status != 200)
		wrap_reason(body);
	json_decref(request);
	return status;
}

int answer__web(struct agent *a, const struct http_request *rq, struct buf *body,
		const char **ret_type)
{
	const struct page_file *file;

	if (!rq->is_private) {
		buf__puts(body, "beyond loopback this needs --web-token-file; there are /healthz, "
				"/readyz and /metrics\n");
		return 403;
	}
	if (!strncmp(rq->path, "/api/", 5)) {
		*ret_type = "application/json";
		return answer_api(a, rq, body);
	}
	file = page__find(rq->path);
	if (!file) {
		buf__puts(body, "there are /, /healthz, /readyz, /metrics and /api/\n");
		return 404;
	}
	*ret_type = file->type;
	buf__append(body, file->data, file->end - file->data);
	return 200;
}
