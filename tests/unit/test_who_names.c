// SPDX-License-Identifier: BSD-2-Clause
/* test_who_names.c - in which container and pod? What runtimes and the kubelet leave on disk. */
#include "who_world.h"

/* ---- names of containers ---- */

#define TASKS	"io.containerd.runtime.v2.task/"
#define CRI	"run/containerd/" TASKS "k8s.io/" ID "/config.json"
#define OVERLAY "containers/storage/overlay-containers/"

/* The cgroup of a process in `path`, on a v2 system whose runtimes left the files put before. */
static const struct cgroup_info *container_at(struct env *e, const char *path)
{
	char rel[PATH_MAX];

	put_v2(e);
	snprintf(rel, sizeof(rel), "cg%s", path);
	put_v2_mem(e, rel, "max", 0, "anon 1\n");
	snprintf(rel, sizeof(rel), "0::%s\n", path);
	put_proc(e, 7, "web", rel);
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	return see(e, 7, 0)->cgroup;
}

static const char cri_config[] =
	"{\"ociVersion\":\"1.0\",\"annotations\":{"
	"\"io.kubernetes.cri.container-name\":\"api\",\"io.kubernetes.cri.container-type\":"
	"\"container\",\"io.kubernetes.cri.sandbox-name\":\"api-7d4-x2x\","
	"\"io.kubernetes.cri.sandbox-namespace\":\"shop\",\"io.kubernetes.cri.sandbox-uid\":"
	"\"" UID "\",\"io.kubernetes.cri.image-name\":\"registry/api:1\"}}";

static void assert_api(const struct cgroup_info *cg)
{
	assert_string_equal(cg->container_id, ID);
	assert_string_equal(cg->container, "api");
	assert_string_equal(cg->pod, "api-7d4-x2x");
	assert_string_equal(cg->ns, "shop");
	assert_string_equal(cg->pod_uid, UID);
	assert_null(cg->workload);
}

static void test_containerd(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, CRI, "%s", cri_config);
	/* The path does not say which runtime, nor (here) which pod: the bundle does. */
	cg = container_at(e, "/custom/" ID);
	assert_string_equal(cg->runtime, "containerd");
	assert_api(cg);
	assert_string_equal(cg->image, "registry/api:1");
}

static void test_k3s(void **state)
{
	struct env *e = *state;

	put(e, "run/k3s/containerd/" TASKS "k8s.io/" ID "/config.json", "%s", cri_config);
	assert_api(container_at(e, "/kubepods/burstable/pod" UID "/" ID));
}

static void test_crio(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "run/" OVERLAY ID "/userdata/config.json",
	    "{\"annotations\":{\"io.container.manager\":\"cri-o\",\"io.kubernetes.pod.name\":"
	    "\"api-7d4-x2x\",\"io.kubernetes.pod.namespace\":\"shop\",\"io.kubernetes.pod.uid\":"
	    "\"" UID "\",\"io.kubernetes.container.name\":\"api\"}}");
	cg = container_at(e, "/kubepods.slice/crio-" ID ".scope");
	assert_string_equal(cg->runtime, "cri-o");
	assert_api(cg);
	assert_null(cg->image);
}

static void test_docker(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "var/lib/docker/containers/" ID "/config.v2.json",
	    "{\"ID\":\"" ID "\",\"Name\":\"/shop-db\",\"Config\":{\"Image\":\"postgres:16\","
	    "\"Labels\":{}}}");
	cg = container_at(e, "/system.slice/docker-" ID ".scope");
	assert_string_equal(cg->container, "shop-db");
	assert_string_equal(cg->image, "postgres:16");
	assert_null(cg->pod);
	assert_null(cg->ns);
}

static void test_docker_in_kubernetes(void **state)
{
	struct env *e = *state;

	put(e, "var/lib/docker/containers/" ID "/config.v2.json",
	    "{\"Name\":\"/k8s_api_x\",\"Config\":{\"Labels\":{\"io.kubernetes.container.name\":"
	    "\"api\",\"io.kubernetes.pod.name\":\"api-7d4-x2x\",\"io.kubernetes.pod.namespace\":"
	    "\"shop\",\"io.kubernetes.pod.uid\":\"" UID "\"}}}");
	assert_api(container_at(e, "/kubepods/pod" UID "/" ID));
}

static void test_podman(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "var/lib/" OVERLAY "containers.json",
	    "[{\"id\":\"" ID2 "\",\"names\":[\"other\"]},{\"id\":\"" ID "\",\"names\":"
	    "[\"web1\",\"x\"],\"metadata\":\"{\\\"image-name\\\":\\\"localhost/web:2\\\"}\"}]");
	cg = container_at(e, "/machine.slice/libpod-" ID ".scope/container");
	assert_string_equal(cg->runtime, "podman");
	assert_string_equal(cg->container, "web1");
	assert_string_equal(cg->image, "localhost/web:2");
}

static void test_lxc(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg = container_at(e, "/lxc.payload.we\x1b"
						       "b/init.scope");

	assert_string_equal(cg->runtime, "lxc");
	assert_null(cg->container_id);
	assert_string_equal(cg->container, "we?b");
}

/* Podman's bundle is where CRI-O's would be. */
static void test_not_crio(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "run/" OVERLAY ID "/userdata/config.json",
	    "{\"annotations\":{\"io.container.manager\":\"libpod\"}}");
	cg = container_at(e, "/custom/" ID);
	assert_null(cg->runtime);
	assert_string_equal(cg->container, SHORT);
}

/* Whatever stands where a bundle should be, the short id is what remains. */
static void assert_unnamed(struct env *e)
{
	const struct cgroup_info *cg = container_at(e, "/x/cri-containerd-" ID ".scope");

	assert_string_equal(cg->runtime, "containerd");
	assert_string_equal(cg->container, SHORT);
	assert_null(cg->pod);
	assert_null(cg->pod_uid);
	assert_null(cg->image);
}

static void test_bundle_fifo(void **state)
{
	struct env *e = *state;
	char path[PATH_MAX];

	put(e, CRI, "x");
	at(path, e, CRI);
	unlink(path);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_unnamed(e);
}

static void test_bundle_symlink(void **state)
{
	struct env *e = *state;
	char path[PATH_MAX], target[PATH_MAX];

	put(e, "secret.json", "%s", cri_config);
	put(e, CRI, "x");
	at(path, e, CRI);
	at(target, e, "secret.json");
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
	assert_unnamed(e);
}

static void test_bundle_huge(void **state)
{
	struct env *e = *state;
	char *text = malloc(2 * MIB);

	assert_non_null(text);
	memset(text, ' ', 2 * MIB);
	memcpy(text, cri_config, strlen(cri_config));
	put_bytes(e, CRI, text, 2 * MIB);
	free(text);
	assert_unnamed(e);
}

static void test_bundle_garbled(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"null",
		"{\"annotations\":[]}",
		"{\"annotations\":null}",
		"{\"annotations\":{\"io.kubernetes.cri.container-name\":7}}",
		"{\"annotations\":{\"io.kubernetes.cri.container-name\":\"\"}}",
		"{\"annotations\":{\"io.kubernetes.cri.sandbox-uid\":\"../../etc\"}}",
		"{\"annotations\":{\"io.kubernetes.cri.sandbox-uid\":\"" UID UID "\"}}",
		"{\"annotations\":{\"io.kubernetes.cri.sandbox-name\":\"\xff\"}}",
	};
	struct env *e = *state;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put(e, CRI, "%s", texts[i]);
		assert_unnamed(e);
		who__free(e->who);
		e->who = NULL;
		take(e, "proc");
		put_dir(e, "proc");
	}
}

static void test_bundle_hostile(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;
	char name[1001];

	memset(name, 'n', 1000);
	name[1000] = '\0';
	put(e, CRI,
	    "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"a\\u001b[2J\\n\","
	    "\"io.kubernetes.cri.sandbox-namespace\":\"%s\","
	    "\"io.kubernetes.cri.sandbox-uid\":\"" UID "\"}}",
	    name);
	cg = container_at(e, "/kubepods/podaaaaaaaa-9abc-def0-1234-56789abcdef0/" ID);
	assert_string_equal(cg->container, "a?[2J?");
	assert_in_range(strlen(cg->ns), 60, 256);
	/* The path's word on the pod comes from the kernel, and stands. */
	assert_string_equal(cg->pod_uid, "aaaaaaaa-9abc-def0-1234-56789abcdef0");
}

/* ---- names from the kubelet's logs ---- */

#define POD_CGROUP "/kubepods/burstable/pod" UID

static void put_logs(struct env *e)
{
	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/api/0.log", "x");
	put(e, "var/log/containers/api-7d4-x2x_shop_api-" ID ".log", "x");
}

static void test_log_names(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put_logs(e);
	cg = container_at(e, POD_CGROUP "/" ID);
	assert_null(cg->runtime);
	assert_api(cg);
	assert_int_equal(cg->is_named, 1);
}

/* The pod's own cgroup has a name as well, and both know each other. */
static void test_pod_cgroup(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg, *pod;

	put(e, CRI, "%s", cri_config);
	cg = container_at(e, POD_CGROUP "/" ID "/worker/7");
	pod = cg->pod_cgroup;
	assert_non_null(pod);
	assert_string_equal(pod->path, POD_CGROUP);
	assert_string_equal(pod->pod, "api-7d4-x2x");
	assert_string_equal(pod->ns, "shop");
	assert_null(pod->container);
	assert_ptr_equal(pod->pod_cgroup, pod);
	assert_null(pod->container_cgroup);
	assert_string_equal(cg->container_cgroup->path, POD_CGROUP "/" ID);
	assert_ptr_equal(cg->container_cgroup->pod_cgroup, pod);
	assert_api(cg);
	assert_null(who__cgroup_by_path(e->who, "/kubepods/burstable")->pod_cgroup);
}

/* Logs that come after the container are found by the next look. */
static void test_log_names_late(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg = container_at(e, POD_CGROUP "/" ID);

	assert_string_equal(cg->container, SHORT);
	assert_int_equal(cg->is_named, 0);
	put_logs(e);
	who__expire(e->who);
	assert_api(cg);
}

/* A pod's only container can be told from its directory alone; its sandbox is not it. */
static void test_only_container(void **state)
{
	struct seep_task_id pause = task(8);
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/api/0.log", "x");
	assert_api(container_at(e, POD_CGROUP "/" ID));
	put_v2_mem(e, "cg" POD_CGROUP "/" ID2, "max", 0, "anon 1\n");
	put_proc(e, 8, "pause", "0::" POD_CGROUP "/" ID2 "\n");
	cg = who__process(e->who, &pause, 0, "pause")->cgroup;
	assert_string_equal(cg->container, "fedcba987654");
	assert_string_equal(cg->pod, "api-7d4-x2x");
}

static void test_several_containers(void **state)
{
	struct env *e = *state;

	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/api/0.log", "x");
	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/sidecar/0.log", "x");
	assert_string_equal(container_at(e, POD_CGROUP "/" ID)->container, SHORT);
}

static void test_log_names_hostile(void **state)
{
	static const char *const names[] = {
		"_" UID,     "__" UID,	   "shop_api",		"shop_api_x_" UID,
		"_api_" UID, "shop__" UID, "shop_api_" UID UID, "shop_api_../../etc",
	};
	struct env *e = *state;
	const struct cgroup_info *cg;
	char path[PATH_MAX], rel[300];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(rel, sizeof(rel), "var/log/pods/%s/api", names[i]);
		put_dir(e, rel);
	}
	put(e, "var/log/containers/-" ID ".log", "x");
	put(e, "var/log/containers/" ID ".log", "x");
	put(e, "var/log/containers/a_b_c-" ID2 ".log", "x");
	cg = container_at(e, POD_CGROUP "/" ID);
	assert_null(cg->pod);
	assert_null(cg->ns);
	assert_string_equal(cg->container, SHORT);
	/* a link is not followed, whatever it leads to */
	take(e, "var/log/pods");
	at(path, e, "var/log/pods");
	put(e, "elsewhere/shop_api_" UID "/api/0.log", "x");
	assert_int_equal(symlink("../../elsewhere", path), 0);
	who__expire(e->who);
	assert_null(cg->pod);
}

static void test_sandbox(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, CRI,
	    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
	    "\"io.kubernetes.cri.container-name\":\"POD\","
	    "\"io.kubernetes.cri.sandbox-name\":\"api-7d4-x2x\"}}");
	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/api/0.log", "x");
	cg = container_at(e, POD_CGROUP "/" ID);
	assert_string_equal(cg->container, SHORT);
	assert_int_equal(cg->is_named, 0);
	assert_string_equal(cg->pod, "api-7d4-x2x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_containerd),
		T(test_k3s),
		T(test_crio),
		T(test_docker),
		T(test_docker_in_kubernetes),
		T(test_podman),
		T(test_lxc),
		T(test_not_crio),
		T(test_bundle_fifo),
		T(test_bundle_symlink),
		T(test_bundle_huge),
		T(test_bundle_garbled),
		T(test_bundle_hostile),
		T(test_log_names),
		T(test_pod_cgroup),
		T(test_log_names_late),
		T(test_only_container),
		T(test_several_containers),
		T(test_log_names_hostile),
		T(test_sandbox),
	};

	return cmocka_run_group_tests_name("who_names", tests, NULL, NULL);
}
