// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_kube_list.c - what a kubelet answers, in pieces; the first byte chooses their size. */
#include "fuzz.h"
#include "who/kube_list.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct container c = {.id = ID, .pod_uid = "12345678-9abc-def0-1234-56789abcdef0"};
	struct kube_list *kl = kube_list__new();
	size_t i, n, step = size ? data[0] + 1 : 1;
	int err = 0;

	for (i = 1; i < size && !err; i += n) {
		n = size - i < step ? size - i : step;
		err = kube_list__feed(kl, (const char *)data + i, n);
	}
	kube_list__end(kl);
	kube_list__read_names(kl, &c);
	json_decref(c.labels);
	kube_list__free(kl);
	return 0;
}
