# SPDX-License-Identifier: BSD-2-Clause
"""run.py - seep on a real Kubernetes: make test-k8s

Our manifests are applied as they are, but for image, pull policy and a window that fits a test, to
a node made of Debian's parts (cluster.py, build.sh). Prints a line for each case, and as the last
line "N passed, N failed, N skipped"; exits 1 when a case failed.

SEEP_CACHE (default /var/cache/seep) keeps Kubernetes' binaries between runs.
"""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import cluster  # noqa: E402
from harness import Results, Skip, Tally, expect, run, scratch_directory, wait_for  # noqa: E402

CACHE = pathlib.Path(os.environ.get("SEEP_CACHE", "/var/cache/seep"))
IMAGES = ("seep", "seep-work")
PROGRAMS = ("containerd", "runc", "ctr", "etcd", "kubectl", "podman", "openssl", "ip")
WINDOW_S = 60
FIND_TIMEOUT_S = 4 * WINDOW_S
ROLL_TIMEOUT_S = 120
INSIDE = "--inside"

CONF = f"[agent]\nlisten = 0.0.0.0:9741\ninterval = 200ms\nwindow = {WINDOW_S}s\n"


class Scene:
    """The cluster with seep and the workloads in it."""

    def __init__(self, kube, scratch):
        self.kube = kube
        self.overlay = scratch / "overlay"
        self.overlay.mkdir()
        shutil.copytree(ROOT / "deploy/kubernetes", scratch / "kubernetes")
        (self.overlay / "seep.conf").write_text(CONF)
        bin_dir = scratch / "bin"
        bin_dir.mkdir()
        (bin_dir / "kubectl-seep").symlink_to(ROOT / "deploy/kubectl-seep")
        self.env = dict(os.environ, HOME=str(scratch), KUBECONFIG=str(kube.config),
                        PATH=f"{bin_dir}:{os.environ['PATH']}")
        self.patches = []

    def apply(self, *patches):
        """Our base, with what has to differ here and these JSON patches of the DaemonSet."""
        ours = [{"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy",
                 "value": "Never"}]
        (self.overlay / "kustomization.yaml").write_text(json.dumps({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "namespace": "seep", "resources": ["../kubernetes/base"],
            "images": [{"name": "ghcr.io/seep/seep", "newName": "localhost/seep",
                        "newTag": "test"}],
            "configMapGenerator": [{"name": "seep", "behavior": "merge", "files": ["seep.conf"]}],
            "patches": [{"target": {"kind": "DaemonSet"},
                         "patch": json.dumps([*ours, *self.patches, *patches])}]}))
        self.kube.kubectl("apply", "-k", self.overlay)
        self.wait_rolled()

    def wait_rolled(self):
        self.kube.kubectl("-n", "seep", "rollout", "status", "daemonset/seep",
                          f"--timeout={ROLL_TIMEOUT_S}s", timeout_s=ROLL_TIMEOUT_S + 10)
        wait_for("the old agent is gone", lambda: len(self.agents()) == 1, ROLL_TIMEOUT_S)

    def agents(self):
        return self.kube.get("pods", "-n", "seep")["items"]

    def seep(self, *args, timeout_s=60):
        """By the plugin, as a user would."""
        return run(["kubectl", "seep", *args], timeout_s, env=self.env)

    def json(self, *args):
        done = self.seep(*args, "--json")
        expect(done.returncode == 0, f"kubectl seep {' '.join(args)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def incidents(self, **object_fields):
        return [i for i in self.json("leaks", "--all")["incidents"]
                if all(i["object"][name] == value for name, value in object_fields.items())]

    def pod(self, app):
        return self.kube.get("pods", "-n", "shop", "-l", f"app={app}")["items"][0]


def knows_kubelet():
    return "--kubelet" in run(["podman", "run", "--rm", "--network=none", "localhost/seep:test",
                               "agent", "--help"], env=podman_env()).stdout


def podman_env():
    return dict(os.environ, CONTAINERS_CONF=str(ROOT / "tests/images/containers.conf"))


# ---- cases -----------------------------------------------------------------------------------


def check_manifests(scene):
    """The API server itself takes every object, without a warning."""
    scene.kube.kubectl("create", "namespace", "seep")
    done = scene.kube.run_kubectl("apply", "--dry-run=server", "-k",
                                  ROOT / "deploy/kubernetes/base")
    expect(done.returncode == 0, done.stderr)


def check_ready(scene):
    """Ready by its own probes, with exactly four capabilities, and nothing to complain about."""
    scene.apply()
    scene.kube.kubectl("apply", "-f", ROOT / "tests/k8s/workloads.yaml")

    def complaints():
        checks = json.loads(scene.seep("doctor", "--json").stdout)["checks"]
        # the machine's podman is none of this node's
        return [c for c in checks if c["level"] != "ok" and "/containers/storage/" not in c["found"]]

    # the agent may have asked the kubelet before the new role was known, and asks again in a minute
    for _ in range(20):
        bad = complaints()
        if not bad:
            break
        time.sleep(5)
    expect(not bad, f"seep doctor: {bad}")


def workloads(scene):
    return {row["workload"] for row in scene.json("top", "--by", "pod", "-n", "500")["rows"]
            if row["namespace"] == "shop"}


def check_kubelet(scene, kubelet):
    """Refused, workloads stay unknown and the reason is told; allowed, they come.

    Kubelets before 1.32 know only nodes/proxy where our manifests ask for nodes/pods: this one
    refuses at first.
    """
    if not kubelet:
        raise Skip("this agent does not ask the kubelet")
    wait_for("the reason", lambda: "403" in (scene.json("status")["kubelet"]["error"] or ""), 90, 2)
    wait_for("rows of pods", lambda: workloads(scene), 60)
    expect(workloads(scene) == {None}, f"workloads are {workloads(scene)}")
    scene.kube.kubectl("create", "clusterrole", "seep-old-kubelet", "--verb=get",
                       "--resource=nodes/proxy")
    scene.kube.kubectl("create", "clusterrolebinding", "seep-old-kubelet",
                       "--clusterrole=seep-old-kubelet", "--serviceaccount=seep:seep")
    wait_for("workloads", lambda: {"Deployment/api", "Deployment/web", "StatefulSet/cache"} <=
             workloads(scene), 180, 2)


def check_leak(scene, kubelet):
    pod = wait_for("the pod", lambda: scene.pod("api"), 60)["metadata"]["name"]
    found = wait_for("the leak", lambda: scene.incidents(pod=pod, container="server"),
                     FIND_TIMEOUT_S, 2)
    named = found[0]["object"]
    expect(len(found) == 1 and named["namespace"] == "shop" and named["comm"] == "leak_linear",
           f"found {found}")
    if kubelet:
        wait_for("its workload", lambda: scene.incidents(pod=pod, workload="Deployment/api",
                                                         node=cluster.NODE), 120, 2)
    wait_for("the line of code", lambda: any(
        frame["function"] == "lose" for i in scene.incidents(pod=pod)
        for site in i["sites"] for frame in site["frames"]), FIND_TIMEOUT_S, 2)


def check_healthy(scene):
    for app, container in (("web", "server"), ("api", "sidecar")):
        pod = scene.pod(app)["metadata"]["name"]
        found = scene.incidents(pod=pod, container=container)
        expect(not found, f"{pod}/{container} is called leaking: {found}")


def restarts(scene):
    statuses = scene.kube.get("pod", "-n", "shop", "cache-0")["status"].get("containerStatuses", [])
    return statuses[0]["restartCount"] if statuses else 0


def check_killed(scene, kubelet):
    """The StatefulSet's container dies at its limit and starts again: still the same leak."""
    wait_for("two restarts", lambda: restarts(scene) >= 2, FIND_TIMEOUT_S, 2)
    found = wait_for("an incident", lambda: scene.incidents(pod="cache-0", container="store"),
                     FIND_TIMEOUT_S, 2)
    expect(found[0]["object"]["namespace"] == "shop", f"found {found}")
    if not kubelet:
        raise Skip("found; this agent does not join the histories of one container's restarts")
    expect(len(found) == 1, f"not one leak: {[i['id'] for i in found]}")


def check_plugin(scene):
    pod = scene.pod("api")["metadata"]["name"]
    incident = scene.incidents(pod=pod)[0]["id"]
    for args, word in ((("leaks",), incident), (("show", incident), pod),
                       (("top", "--by", "pod", "-n", "50"), "shop"), (("status",), "Polls"),
                       (("trace", f"shop/{pod}", "-d", "2s"), "lose"),
                       (("trace", pod, "-n", "shop", "-d", "1s", "--node", cluster.NODE), "lose")):
        done = scene.seep(*args)
        expect(word in done.stdout, f"kubectl seep {' '.join(args)} lacks '{word}':\n"
                                    f"{done.stdout[-600:]}{done.stderr[-600:]}")
    done = scene.seep("trace", "shop/none")
    expect(done.returncode == 1 and "no such pod" in done.stderr, f"{done}")
    done = scene.seep("leaks", "--node", "nowhere")
    expect(done.returncode == 1 and "no agent on node 'nowhere'" in done.stderr, f"{done}")


def check_roll(scene):
    """A rolling update of the DaemonSet: the same incident, and a history that goes on."""
    pod = scene.pod("api")["metadata"]["name"]
    before = scene.incidents(pod=pod, container="server")[0]
    rolled_s = time.time()
    scene.kube.kubectl("-n", "seep", "rollout", "restart", "daemonset/seep")
    scene.wait_rolled()
    after = scene.incidents(pod=pod, container="server")
    expect([(i["id"], i["opened_s"]) for i in after] == [(before["id"], before["opened_s"])],
           f"before {before['id']}, after {[i['id'] for i in after]}")
    history = wait_for("new points", lambda: newer(scene, before["id"]), FIND_TIMEOUT_S, 2)
    expect(history[0][0] < rolled_s, "no points from before the update")


def newer(scene, incident_id):
    history = scene.json("show", incident_id)["history"]
    return history if history and time.time() - history[-1][0] < 10 else None


def without(kind, key, name):
    """A JSON patch that drops the entry of a list of the agent's container, by its index."""
    return lambda spec: [{"op": "remove", "path": f"/spec/template/spec/containers/0/{kind}/{i}"}
                         for i, entry in enumerate(spec_list(spec, kind))
                         if (entry[key] if key else entry) == name]


def spec_list(spec, kind):
    for part in kind.split("/"):
        spec = spec[part]
    return spec


LESS = (
    ("the mount of the runtime's directory", without("volumeMounts", "name", "runtime"),
     "container names"),
    ("the mount of the cgroups", without("volumeMounts", "name", "cgroup"),
     "memory cgroups mounted"),
    ("CAP_SYS_PTRACE", without("securityContext/capabilities/add", None, "SYS_PTRACE"),
     "CAP_SYS_PTRACE"),
    ("CAP_BPF", without("securityContext/capabilities/add", None, "BPF"), "CAP_BPF"),
)


def check_less(scene, name, patch_for, check):
    """Without it the agent still runs and polls, and doctor names what is gone."""
    spec = scene.kube.get("daemonset", "-n", "seep", "seep")["spec"]["template"]["spec"]
    scene.apply(*patch_for(spec["containers"][0]))
    try:
        bad = [c["name"] for c in json.loads(scene.seep("doctor", "--json").stdout)["checks"]
               if c["level"] != "ok"]
        expect(check in bad, f"without {name} seep doctor only complains about {bad}")
        wait_for("polls", lambda: scene.json("status")["poll"]["cnt"] >= 5, 60)
        rows = scene.json("top", "-n", "5000")["rows"]
        expect(any(row["comm"] == "leak_linear" for row in rows), f"without {name}: no rows")
    finally:
        scene.apply()


def check_deleted(scene):
    """With the namespace its pods leave the table, and their incidents close."""
    scene.kube.kubectl("delete", "namespace", "shop", "--timeout=120s", timeout_s=130)
    wait_for("no rows", lambda: not any(
        row["namespace"] == "shop" for row in scene.json("top", "--by", "pod", "-n", "500")["rows"]),
             FIND_TIMEOUT_S, 2)
    wait_for("no open incident", lambda: not [
        i for i in scene.incidents(namespace="shop") if i["state"] == "open"], FIND_TIMEOUT_S, 2)


# ---- around them -----------------------------------------------------------------------------


def run_cases(results, kube, scratch):
    scene = Scene(kube, scratch)
    kubelet = knows_kubelet()
    if not kubelet:  # an image older than the manifests
        scene.patches = [{"op": "remove", "path": f"/spec/template/spec/containers/0/args/{i}"}
                         for i in (5, 4, 3, 2)]
    cases = [
        ("the API server takes the manifests", check_manifests, scene),
        ("the agent is Ready, and doctor finds nothing missing", check_ready, scene),
        ("workloads come from the kubelet, with permission only", check_kubelet, scene, kubelet),
        ("a leaking Deployment is named down to the line", check_leak, scene, kubelet),
        ("healthy containers are left alone", check_healthy, scene),
        ("a container that is OOM-killed again and again is one leak", check_killed, scene, kubelet),
        ("the kubectl plugin", check_plugin, scene),
        ("a rolling update loses no history", check_roll, scene),
        *((f"without {less[0]} it degrades and says so", check_less, scene, *less)
          for less in LESS),
        ("deleted pods are cleaned up", check_deleted, scene),
    ]
    for name, check, *args in cases:
        with results.case(f"k8s: {name}"):
            check(*args)


def main_inside(scratch):
    tally = Tally()
    results = Results(tally, "k8s")
    cluster.isolate(scratch)
    began = time.monotonic()
    with cluster.Cluster(CACHE / "k8s/bin", scratch) as kube:
        results.add("ok", "k8s: the node is Ready", f"after {time.monotonic() - began:.0f} s")
        run_cases(results, kube, scratch)
    print(tally.summary(), flush=True)
    return 1 if tally.failed() else 0


def prepare(scratch):
    if os.geteuid() != 0:
        raise Skip("needs root")
    lacking = [p for p in PROGRAMS if not shutil.which(p)]
    if lacking:
        raise Skip(f"needs {' '.join(lacking)} (make deps-k8s)")
    subprocess.run([ROOT / "tests/images/build.sh"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([ROOT / "tests/k8s/build.sh", CACHE / "k8s/bin"], check=True)
    for image in IMAGES:
        subprocess.run(["podman", "save", "-q", "-o", scratch / f"{image}.image",
                        f"localhost/{image}:test"], check=True, env=podman_env())


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if sys.argv[1:2] == [INSIDE]:
        return main_inside(pathlib.Path(sys.argv[2]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    with scratch_directory() as scratch:
        try:
            prepare(scratch)
        except Skip as reason:
            print(f"skip  k8s: {reason}\n0 passed, 0 failed, 1 skipped")
            return 0
        inner = subprocess.Popen(["unshare", "--mount", "--net", "setpriv", "--pdeathsig", "TERM",
                                  sys.executable, __file__, INSIDE, scratch])
        try:
            return inner.wait()
        finally:
            inner.terminate()  # and it takes its cluster down
            inner.wait()


if __name__ == "__main__":
    sys.exit(main())
