// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_answer.c - requests of the control protocol, answered by a real agent's parts: the command, a
 * line end, and the rest of the request as JSON. Whatever is asked, the answer is JSON or a line.
 */
#include "fuzz_agent.h"

/* Reading the configuration again would replace the agent that is being asked. */
static int wants_reload(const json_t *request)
{
	return json_is_true(json_object_get(request, "reload"));
}

static void ask(const char *cmd, const json_t *request)
{
	struct buf body = {0};
	json_t *json;
	int code;

	code = answer__handle(fuzz__agent(), cmd, request, &body);
	if (code && (!body.len || strchr(body.data, '\n')))
		abort();
	if (!code && body.len && strcmp(cmd, "record")) {
		json = json_loadb(body.data, body.len, 0, NULL);
		if (!json)
			abort();
		json_decref(json);
	}
	buf__free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz__text(data, size), *rest = text, *cmd = strsep(&rest, "\n");
	json_t *request = rest ? json_loads(rest, 0, NULL) : NULL;

	if (json_is_object(request) && !wants_reload(request))
		ask(cmd, request);
	json_decref(request);
	free(text);
	return 0;
}
