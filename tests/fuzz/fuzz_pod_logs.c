// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_pod_logs.c - names in the kubelet's log directories, one a line: "p" and a name of a pod's
 * directory, or "c" and the name of a container's log.
 */
#include "base/fs.h"
#include "fuzz.h"
#include "who/pod_logs.h"

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "12345678-9abc-def0-1234-56789abcdef0"

#define NAMES_MAX 16

static void put_name(const char *line)
{
	char path[512];

	if (!line[0] || !line[1] || line[1] == '.' || strchr(line, '/') || strlen(line) > 255)
		return;
	if (line[0] == 'p') {
		snprintf(path, sizeof(path), "%s/var/log/pods/%s/app", fuzz__dir(), line + 1);
		fs__mkdir_p(path, 0700);
	} else {
		snprintf(path, sizeof(path), "var/log/containers/%s", line + 1);
		fuzz__put(path, NULL, 0);
	}
}

static void clean_up(const char *sub)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", fuzz__dir(), sub);
	nftw(path, fuzz__remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct container c = {.id = ID, .pod_uid = UID}, other = {.pod_uid = UID};
	char *text = fuzz__text(data, size), *rest = text, *line, name[64];
	struct pod_logs *pl = pod_logs__new(fuzz__dir());
	int i;

	for (i = 0; i < NAMES_MAX && (line = strsep(&rest, "\n")); i++)
		put_name(line);
	pod_logs__read_names(pl, &c);
	pod_logs__read_names(pl, &other);
	pod_logs__only_container(pl, &other, name, sizeof(name));
	if (strpbrk(c.pod, "\n\033/") || strpbrk(c.name, "\n\033/"))
		abort();
	pod_logs__free(pl);
	clean_up("var");
	free(text);
	return 0;
}
