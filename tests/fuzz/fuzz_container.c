// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_container.c - what runtimes leave on disk about a container, in every form that is read. */
#include "fuzz.h"
#include "who/container.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *file;
	const char *cgroup;
} forms[] = {
	{"run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
	 "/kubepods/burstable/pod01234567-89ab-cdef-0123-456789abcdef/" ID},
	{"var/lib/docker/containers/" ID "/config.v2.json", "/docker/" ID},
	{"var/lib/containers/storage/overlay-containers/containers.json",
	 "/machine.slice/libpod-" ID ".scope"},
	{"run/containers/storage/overlay-containers/" ID "/userdata/config.json",
	 "/machine.slice/libpod-" ID ".scope"},
	{"var/lib/containers/storage/overlay-containers/" ID "/userdata/config.json",
	 "/kubepods.slice/crio-" ID ".scope"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct container c;
	char path[256];
	size_t i;

	if (!size)
		return 0;
	i = data[0] % (sizeof(forms) / sizeof(forms[0]));
	fuzz__put(forms[i].file, data + 1, size - 1);
	container__parse_path(forms[i].cgroup, &c);
	container__read_names(fuzz__dir(), &c);
	snprintf(path, sizeof(path), "%s/%s", fuzz__dir(), forms[i].file);
	unlink(path);
	if (memchr(c.name, '\0', sizeof(c.name)) && memchr(c.pod, '\0', sizeof(c.pod)) &&
	    memchr(c.image, '\0', sizeof(c.image)))
		return 0;
	abort();
}
