// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_kube_list.c - lists of pods, whole and in pieces, true and hostile.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "who/kube_list.h"

#define ID   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID  "12345678-9abc-def0-1234-56789abcdef0"
#define HASH "0123456789abcdef0123456789abcdef"

static const char list[] =
	"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"x\":[{}]},\"items\":[\n"
	"{\"metadata\":{\"name\":\"api-7d4-x\",\"namespace\":\"shop\",\"uid\":\"" UID "\","
	"\"labels\":{\"app\":\"api \\\"}]{[\",\"pod-template-hash\":\"7d4\"},\"ownerReferences\":["
	"{\"kind\":\"Node\",\"name\":\"n\"},"
	"{\"kind\":\"ReplicaSet\",\"name\":\"api-7d4\",\"controller\":true}]},"
	"\"spec\":{\"containers\":[{\"name\":\"api\",\"resources\":{\"limits\":{\"memory\":"
	"\"128Mi\"}}}]},"
	"\"status\":{\"containerStatuses\":[{\"name\":\"api\",\"image\":\"r/api:1\",\"imageID\":"
	"\"docker-pullable://r/api@sha256:77\",\"containerID\":\"containerd://" ID "\"}]}},"
	"{\"metadata\":{\"name\":\"etcd-n\",\"namespace\":\"kube-system\",\"uid\":\"" UID "x\","
	"\"annotations\":{\"kubernetes.io/config.hash\":\"" HASH "\"},"
	"\"ownerReferences\":[{\"kind\":\"Node\",\"name\":\"n\",\"controller\":true}]}}]}\n";

static struct kube_list *fed(const char *text, size_t step, int err)
{
	struct kube_list *kl = kube_list__new();
	size_t i, n, len = strlen(text);
	int seen = 0;

	assert_non_null(kl);
	for (i = 0; i < len && !seen; i += n) {
		n = len - i < step ? len - i : step;
		seen = kube_list__feed(kl, text + i, n);
	}
	if (!seen)
		seen = kube_list__end(kl);
	assert_int_equal(seen, err);
	return kl;
}

static struct container asked(struct kube_list *kl, const char *uid, const char *id, int err)
{
	struct container c = {0};

	strcpy(c.pod_uid, uid);
	strcpy(c.id, id);
	assert_int_equal(kube_list__read_names(kl, &c), err);
	return c;
}

/* However it is cut, the same comes out. */
static void test_pieces(void **state)
{
	static const size_t steps[] = {1, 2, 7, 64, sizeof(list)};
	struct kube_list *kl;
	struct container c;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		kl = fed(list, steps[i], 0);
		assert_int_equal(kube_list__pods(kl), 2);
		c = asked(kl, UID, ID, 0);
		assert_string_equal(c.pod, "api-7d4-x");
		assert_string_equal(c.ns, "shop");
		assert_string_equal(c.name, "api");
		assert_string_equal(c.workload, "Deployment/api");
		assert_string_equal(c.image, "r/api:1");
		assert_string_equal(c.digest, "sha256:77");
		assert_int_equal(c.limit_bytes, 128 << 20);
		assert_string_equal(json_string_value(json_object_get(c.labels, "app")),
				    "api \"}]{[");
		json_decref(c.labels);
		kube_list__free(kl);
	}
}

static void test_static_pod(void **state)
{
	struct kube_list *kl = fed(list, 100, 0);
	struct container c = asked(kl, HASH, "", 0);

	assert_string_equal(c.pod, "etcd-n");
	assert_string_equal(c.workload, "");
	json_decref(c.labels);
	asked(kl, "99999999-9abc-def0-1234-56789abcdef0", "", -ENOENT);
	asked(kl, "", ID, -ENOENT);
	kube_list__free(kl);
}

/* What the bundle said stays; what only the kubelet can know is the kubelet's. */
static void test_known_names_stay(void **state)
{
	struct container c = {.pod_uid = UID, .pod = "mine", .workload = "Old/one"};
	struct kube_list *kl = fed(list, 100, 0);

	assert_int_equal(kube_list__read_names(kl, &c), 0);
	assert_string_equal(c.pod, "mine");
	assert_string_equal(c.ns, "shop");
	assert_string_equal(c.workload, "Deployment/api");
	json_decref(c.labels);
	kube_list__free(kl);
}

static const struct owner {
	const char *kind, *name, *labels, *workload;
} owners[] = {
	{"ReplicaSet", "api-7d4", "\"pod-template-hash\":\"7d4\"", "Deployment/api"},
	{"ReplicaSet", "api-7d4", "", "ReplicaSet/api-7d4"},
	{"ReplicaSet", "api-7d4", "\"pod-template-hash\":\"api-7d4\"", "ReplicaSet/api-7d4"},
	{"ReplicaSet", "-7d4", "\"pod-template-hash\":\"7d4\"", "ReplicaSet/-7d4"},
	{"ReplicaSet", "api7d4", "\"pod-template-hash\":\"7d4\"", "ReplicaSet/api7d4"},
	{"ReplicaSet", "web-5c", "\"rollouts-pod-template-hash\":\"5c\"", "Rollout/web"},
	{"Job", "report-29123456", "", "CronJob/report"},
	{"Job", "report-1700000000", "", "CronJob/report"},
	{"Job", "report-1234567", "", "Job/report-1234567"},
	{"Job", "report-29123456x", "", "Job/report-29123456x"},
	{"Job", "-29123456", "", "Job/-29123456"},
	{"StatefulSet", "db", "", "StatefulSet/db"},
	{"DaemonSet", "logs", "", "DaemonSet/logs"},
	{"Cluster\\u001b[2J", "x", "", "Cluster?[2J/x"},
	{"Node", "node-1", "", ""},
	{"", "x", "", ""},
	{"StatefulSet", "", "", ""},
};

static void test_owner(void **state)
{
	const struct owner *o = *state;
	struct kube_list *kl;
	struct container c;
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"items\":[{\"metadata\":{\"name\":\"p\",\"uid\":\"" UID "\",\"labels\":{%s},"
		 "\"ownerReferences\":[{\"kind\":\"%s\",\"name\":\"%s\",\"controller\":true}]}}]}",
		 o->labels, o->kind, o->name);
	kl = fed(text, 50, 0);
	c = asked(kl, UID, "", 0);
	assert_string_equal(c.workload, o->workload);
	json_decref(c.labels);
	kube_list__free(kl);
}

static const struct quantity {
	const char *text;
	uint64_t bytes;
} quantities[] = {
	{"\"134217728\"", 134217728},
	{"\"128Mi\"", 128 << 20},
	{"\"1G\"", 1000000000},
	{"\"1.5Gi\"", 3ULL << 29},
	{"\"2e6\"", 2000000},
	{"\"64k\"", 64000},
	{"\"1000m\"", 1},
	{"\"128MB\"", 0},
	{"\"-5\"", 0},
	{"\"\"", 0},
	{"\"inf\"", 0},
	{"\"9e99\"", 0},
	{"128", 0},
	{"null", 0},
	{"{}", 0},
};

static void test_quantity(void **state)
{
	const struct quantity *q = *state;
	struct kube_list *kl;
	struct container c;
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"items\":[{\"metadata\":{\"uid\":\"" UID
		 "\"},\"spec\":{\"containers\":[{\"name\":"
		 "\"a\",\"resources\":{\"limits\":{\"memory\":%s}}}]},\"status\":{"
		 "\"containerStatuses\":[{\"name\":\"a\",\"containerID\":\"cri-o://" ID "\"}]}}]}",
		 q->text);
	kl = fed(text, 33, 0);
	c = asked(kl, UID, ID, 0);
	assert_int_equal(c.limit_bytes, q->bytes);
	json_decref(c.labels);
	kube_list__free(kl);
}

static void test_empty(void **state)
{
	static const char *const texts[] = {
		"{\"items\":[]}",
		"{\"items\":null}",
		" {\"kind\":\"PodList\",\"items\" : [ ] } \n",
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		kube_list__free(fed(texts[i], 1, 0));
}

static void test_no_list(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"null",
		"[]",
		"{}",
		"7",
		"\"items\"",
		"<html>",
		"{\"items\":[",
		"}",
		"{\"items\":[{]}",
		"{\"items\":[[]]}",
		"{\"items\":{}}",
		"{\"x\":[{}]}",
		"{\"items\":[]} {\"items\":[]}",
		"{\"items\":[]}x",
		"{\"items\":[{}]}",
		"{\"items\":[{\"metadata\":{\"uid\":7}}]}",
		"{\"items\":[{\"a\":\"\xff\"}]}",
		"{\"items\":[{\"metadata\":{\"uid\":\"../../x\"}}]}",
		"{\"ite\\u006ds\":[{}]}",
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		kube_list__free(fed(texts[i], 1, -EBADMSG));
		kube_list__free(fed(texts[i], 1000, -EBADMSG));
	}
}

/* One bad item does not spoil the others, and the first of a uid counts. */
static void test_garbled_items(void **state)
{
	struct kube_list *kl =
		fed("{\"items\":[{\"metadata\":{\"name\":\"a\",\"uid\":\"" UID "\"}},{\"x\":nope},"
		    "{\"metadata\":{\"name\":\"b\",\"uid\":\"" UID "\"}}]}",
		    9, 0);
	struct container c = asked(kl, UID, "", 0);

	assert_int_equal(kube_list__pods(kl), 1);
	assert_int_equal(kube_list__garbled(kl), 2);
	assert_string_equal(c.pod, "a");
	json_decref(c.labels);
	kube_list__free(kl);
}

static void test_bounds(void **state)
{
	struct kube_list *kl = kube_list__new();
	static char chunk[1 << 16];
	int i, err;

	memset(chunk, 'x', sizeof(chunk));
	assert_int_equal(kube_list__feed(kl, "{\"items\":[{\"a\":\"", 15), 0);
	for (i = 0, err = 0; !err && i < 1000; i++)
		err = kube_list__feed(kl, chunk, sizeof(chunk));
	assert_int_equal(err, -EFBIG);
	assert_in_range(i, KUBE_ITEM_MAX / sizeof(chunk) - 1, KUBE_ITEM_MAX / sizeof(chunk) + 2);
	assert_int_equal(kube_list__feed(kl, "\"}]}", 4), -EFBIG);
	assert_int_equal(kube_list__end(kl), -EFBIG);
	kube_list__free(kl);
	/* nested without end: refused by the item's parser, not by the stack */
	memset(chunk, '[', sizeof(chunk));
	kl = kube_list__new();
	assert_int_equal(kube_list__feed(kl, "{\"items\":[{\"a\":", 14), 0);
	assert_int_equal(kube_list__feed(kl, chunk, sizeof(chunk)), 0);
	memset(chunk, ']', sizeof(chunk));
	assert_int_equal(kube_list__feed(kl, chunk, sizeof(chunk)), 0);
	assert_int_equal(kube_list__feed(kl, "}]}", 3), 0);
	assert_int_equal(kube_list__end(kl), -EBADMSG);
	kube_list__free(kl);
}

#define CNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct CMUnitTest fixed[] = {
	cmocka_unit_test(test_pieces),		 cmocka_unit_test(test_static_pod),
	cmocka_unit_test(test_known_names_stay), cmocka_unit_test(test_empty),
	cmocka_unit_test(test_no_list),		 cmocka_unit_test(test_garbled_items),
	cmocka_unit_test(test_bounds),
};

int main(void)
{
	struct CMUnitTest tests[CNT(fixed) + CNT(owners) + CNT(quantities)];
	size_t i, n = CNT(fixed);

	memcpy(tests, fixed, sizeof(fixed));
	for (i = 0; i < CNT(owners); i++)
		tests[n++] = (struct CMUnitTest){.name = owners[i].name,
						 .test_func = test_owner,
						 .initial_state = (void *)&owners[i]};
	for (i = 0; i < CNT(quantities); i++)
		tests[n++] = (struct CMUnitTest){.name = quantities[i].text,
						 .test_func = test_quantity,
						 .initial_state = (void *)&quantities[i]};
	return cmocka_run_group_tests_name("kube_list", tests, NULL, NULL);
}
