// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_who_paths.c - cgroup path -> runtime, container id, pod uid: one row per form.
 *
 * Rows are the forms that the runtimes are known to make, then what nobody should make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "who/who.h"

#define ID   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2  "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID  "12345678-9abc-def0-1234-56789abcdef0"
#define UID_ "12345678_9abc_def0_1234_56789abcdef0"
#define HASH "0123456789abcdef0123456789abcdef"

static const struct row {
	const char *path;
	const char *runtime; /* NULL = not said */
	const char *id;
	const char *uid;
} rows[] = {
	/* kubelet, cgroupfs driver */
	{"/kubepods/burstable/pod" UID "/" ID, NULL, ID, UID},
	{"/kubepods/besteffort/pod" UID "/" ID, NULL, ID, UID},
	{"/kubepods/pod" UID "/" ID, NULL, ID, UID},
	{"/kubepods/burstable/pod" HASH "/" ID, NULL, ID, HASH},
	{"/kubepods/pod" UID "/crio-" ID, "cri-o", ID, UID},
	/* kubelet, systemd driver */
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	 ".slice/cri-containerd-" ID ".scope", "containerd", ID, UID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope", "cri-o", ID, UID},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
	 ".slice/docker-" ID ".scope", "docker", ID, UID},
	{"/kubepods.slice/kubepods-pod" HASH ".slice/libpod-" ID ".scope", "podman", ID, HASH},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" HASH
	 ".slice/cri-containerd-" ID ".scope", "containerd", ID, HASH},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	 ".slice/crio-" ID ".scope/container", "cri-o", ID, UID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice", NULL, "", UID},
	/* k3s and rke2, alone and with the kubelet below their own service */
	{"/kubepods/besteffort/pod" UID "/" ID "/init", NULL, ID, UID},
	{"/system.slice/k3s.service/kubepods/burstable/pod" UID "/" ID, NULL, ID, UID},
	{"/system.slice/rke2-server.service/kubepods.slice/kubepods-pod" UID_
	 ".slice/cri-containerd-" ID ".scope", "containerd", ID, UID},
	/* kind: a node in a container */
	{"/docker/" ID2 "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	 "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope", "containerd",
	 ID, UID},
	{"/machine.slice/libpod-" ID2 ".scope/container/kubelet.slice/kubelet-kubepods.slice/"
	 "kubelet-kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope", "containerd", ID, UID},
	{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
	 "kubelet-kubepods-besteffort-pod" UID_ ".slice/cri-containerd-" ID ".scope",
	 "containerd", ID, UID},
	{"/docker/" ID2 "/kubelet/kubepods/burstable/pod" UID "/" ID, NULL, ID, UID},
	{"/docker/" ID2 "/kubelet/kubepods/burstable/pod" UID, NULL, "", UID},
	{"/docker/" ID2 "/kubelet.slice/kubelet.service", "docker", ID2, ""},
	/* systemd's slice:prefix:name given to cgroupfs */
	{"/system.slice/containerd.service/kubepods-burstable-pod" UID_
	 ".slice:cri-containerd:" ID, "containerd", ID, UID},
	{"/system.slice/containerd.service/kubepods-pod" HASH ".slice:cri-containerd:" ID,
	 "containerd", ID, HASH},
	{"/system.slice:docker:" ID, "docker", ID, ""},
	/* without Kubernetes */
	{"/docker/" ID, "docker", ID, ""},
	{"/system.slice/docker-" ID ".scope", "docker", ID, ""},
	{"/actions_job/" ID, NULL, ID, ""},
	{"/system.slice/nerdctl-" ID ".scope", "containerd", ID, ""},
	{"/machine.slice/libpod-" ID ".scope", "podman", ID, ""},
	{"/machine.slice/libpod-" ID ".scope/container", "podman", ID, ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
	 ".scope/container", "podman", ID, ""},
	{"/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID ".scope/container", "podman",
	 ID, ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_" ID2
	 ".slice/libpod-" ID ".scope/container", "podman", ID, ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-" ID ".scope", "docker", ID,
	 ""},
	{"/kubepods/burstable/pod" UID "/libpod-" ID, "podman", ID, UID},
	{"/libpod_parent/libpod-" ID, "podman", ID, ""},
	{"/libpod_parent/" ID2 "/libpod-" ID, "podman", ID, ""},
	{"/system.slice/web.service/libpod-payload-" ID, "podman", ID, ""},
	{"/lxc.payload.web", "lxc", "", ""},
	{"/lxc.payload.web/system.slice/cron.service", "lxc", "", ""},
	{"/lxc.payload/web", "lxc", "", ""},
	{"/lxc/web", "lxc", "", ""},
	/* a container's own cgroups below its id */
	{"/system.slice/docker-" ID ".scope/init.scope", "docker", ID, ""},
	{"/kubepods/pod" UID "/" ID "/worker/7", NULL, ID, UID},
	/* a container in a container: the inner one */
	{"/docker/" ID2 "/docker/" ID, "docker", ID, ""},
	{"/lxc.payload.web/system.slice/docker-" ID ".scope", "docker", ID, ""},
	/* relative to a cgroup namespace */
	{"/../../pod" UID "/" ID, NULL, ID, UID},
	{"/../cri-containerd-" ID ".scope", "containerd", ID, ""},
	{"/../../../kubepods-pod" UID_ ".slice/crio-" ID ".scope", "cri-o", ID, UID},
	{"/..", NULL, "", ""},
	/* monitors are not containers, but belong to the pod */
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID ".scope", NULL, "", UID},
	{"/machine.slice/libpod-conmon-" ID ".scope", NULL, "", ""},
	{"/lxc.monitor.web", NULL, "", ""},
	/* no container at all */
	{"/", NULL, "", ""},
	{"", NULL, "", ""},
	{"/system.slice/ssh.service", NULL, "", ""},
	{"/user.slice/user-0.slice/session-1.scope", NULL, "", ""},
	{"/kubepods.slice", NULL, "", ""},
	{"/kubepods/burstable/pod" UID, NULL, "", UID},
	/* odd */
	{"//docker//" ID "//", "docker", ID, ""},
	{"/docker/" ID "0", NULL, "", ""},
	{"/docker/0" ID, NULL, "", ""},
	{"/docker/0123456789abcdef", NULL, "", ""},
	{"/docker/0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", NULL, "", ""},
	{"/system.slice/docker-" ID ".mount", NULL, "", ""},
	{"/x/notdocker-" ID ".scope", NULL, ID, ""},
	{"/x/-" ID, NULL, ID, ""},
	{"/x/:" ID, NULL, ID, ""},
	{"/x/" ID ".scope.scope", NULL, "", ""},
	{"/lxc.payload.", NULL, "", ""},
	{"/kubepods/pod", NULL, "", ""},
	{"/kubepods/pod/" ID, NULL, ID, ""},
	{"/kubepods/pod" UID "0/" ID, NULL, ID, ""},
	{"/kubepods/tripod" UID "/" ID, NULL, ID, ""},
	{"/kubepods/podpod" UID "/" ID, NULL, ID, ""},
	{"/kubepods/x-pod-pod" UID_ ".slice/" ID, NULL, ID, UID},
	{"/kubepods/pod12345678-9abc-def0-1234-56789abcdefg/" ID, NULL, ID, ""},
	{"/kubepods/pod12345678/9abc-def0-1234-56789abcdef0/" ID, NULL, ID, ""},
	{"/kubepods/pod" UID "\n/" ID, NULL, ID, ""},
	{"/docker/\xff\xfe" ID, NULL, "", ""},
	{"/docker/\x1b[2J-" ID, NULL, ID, ""},
	{"/lxc.payload.a/lxc.payload.b", "lxc", "", ""},
	{"/kubepods/pod" UID "/pod" HASH "/" ID, NULL, ID, HASH},
	{"/kubepods/pod" UID "/x/docker-" ID2 ".scope/" ID, NULL, ID, UID},
	{"/pod-" UID "/" ID, NULL, ID, ""},
	{"/kubepods/pod" UID_ "/" ID "/../..", NULL, ID, UID},
};

static void test_row(void **state)
{
	const struct row *row = *state;
	char id[65], uid[37];
	const char *runtime;

	who__parse_cgroup_path(row->path, &runtime, id, uid);
	if (row->runtime) {
		assert_non_null(runtime);
		assert_string_equal(runtime, row->runtime);
	} else {
		assert_null(runtime);
	}
	assert_string_equal(id, row->id);
	assert_string_equal(uid, row->uid);
}

int main(void)
{
	enum { CNT = sizeof(rows) / sizeof(rows[0]) };
	struct CMUnitTest tests[CNT];
	int i;

	for (i = 0; i < CNT; i++)
		tests[i] = (struct CMUnitTest){
			.name = rows[i].path,
			.test_func = test_row,
			.initial_state = (void *)&rows[i],
		};
	return cmocka_run_group_tests_name("who_paths", tests, NULL, NULL);
}
