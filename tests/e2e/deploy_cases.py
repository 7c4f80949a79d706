# SPDX-License-Identifier: BSD-2-Clause
"""deploy_cases.py - what is in deploy/, as far as it can be tried without a cluster.

The chart against the manifests, the kubectl plugin against a kubectl that writes down how it was
called, the systemd unit, and the Debian package.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess

from harness import ROOT, SEEP, Skip, expect, run

BASE = ROOT / "deploy/kubernetes/base"
CHART = ROOT / "deploy/helm/seep"
PLUGIN = ROOT / "deploy/kubectl-seep"
# Versions around which the chart renders something else.
KUBE_VERSIONS = ("v1.20.2", "v1.29.4", "v1.30.0", "v1.34.1")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"needs {program} (make deps-peers)")


def load_yaml(text):
    try:
        import yaml
    except ImportError as error:
        raise Skip("needs python3-yaml (make deps-peers)") from error
    return [doc for doc in yaml.safe_load_all(text) if doc]


# ---- chart and manifests ---------------------------------------------------------------------


def render(renderer, version, **changes):
    values = load_yaml((CHART / "values.yaml").read_text())[0]
    for name, value in changes.items():
        values[name] = {**values[name], **value}
    chart = load_yaml((CHART / "Chart.yaml").read_text())[0]
    data = {"Values": values, "Release": {"Namespace": "seep", "Name": "seep"},
            "Chart": {"AppVersion": chart["appVersion"]},
            "Capabilities": {"KubeVersion": {"Version": version}}}
    done = run([renderer, CHART / "templates"], stdin=None, input=json.dumps(data))
    expect(done.returncode == 0, done.stderr)
    return {(d["kind"], d["metadata"]["name"]): d for d in load_yaml(done.stdout)}


def manifests():
    """The base, with what kustomize adds: the namespace and the generated ConfigMap."""
    found = {}
    for path in BASE.glob("*.yaml"):
        if path.name == "kustomization.yaml":
            continue
        for doc in load_yaml(path.read_text()):
            if not doc["kind"].startswith("Cluster") and doc["kind"] not in ("Namespace",
                                                                           "PriorityClass"):
                doc["metadata"]["namespace"] = "seep"
            found[(doc["kind"], doc["metadata"]["name"])] = doc
    return found


def without_version_fields(daemonset):
    """Drops what differs with Kubernetes' version or by packaging, after a look at it."""
    meta = daemonset["spec"]["template"]["metadata"]
    context = daemonset["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    notes = meta.pop("annotations")
    notes.pop("checksum/config", None)
    by_note = notes == {"container.apparmor.security.beta.kubernetes.io/agent": "unconfined"}
    by_field = context.pop("appArmorProfile", None) == {"type": "Unconfined"} and not notes
    expect(by_note != by_field, f"AppArmor: {notes}, {context}")
    return by_field


def options_of(conf):
    lines = [line.strip() for line in conf.splitlines()]
    return {line for line in lines if line and not line.startswith("#")}


def check_chart(directory):
    """Each object of the chart with its default values is that of the manifests."""
    need("go")
    renderer = directory / "render"
    done = run(["go", "build", "-o", renderer, "render.go"], 200, cwd=ROOT / "tests/e2e/chart",
               env=dict(os.environ, GO111MODULE="off", GOFLAGS="", GOTOOLCHAIN="local"))
    expect(done.returncode == 0, done.stderr)
    for version in KUBE_VERSIONS:
        ours, theirs = manifests(), render(renderer, version)
        conf = theirs.pop(("ConfigMap", "seep"))["data"]["seep.conf"]
        expect(options_of(conf) == options_of((BASE / "seep.conf").read_text()), f"seep.conf: {conf}")
        ours.pop(("Namespace", "seep"))
        field = without_version_fields(theirs[("DaemonSet", "seep")])
        without_version_fields(ours[("DaemonSet", "seep")])
        expect(field == (version >= "v1.30"), f"{version}: AppArmor by {field}")
        expect(set(ours) == set(theirs), f"{version}: {set(ours) ^ set(theirs)}")
        for key, doc in ours.items():
            expect(doc == theirs[key], f"{version}: {key} differs:\n{doc}\n{theirs[key]}")
    fewer = render(renderer, "v1.30.0", kubelet={"enabled": False},
                   networkPolicy={"enabled": False}, podMonitor={"enabled": True})
    kinds = {kind for kind, _ in fewer}
    expect("PodMonitor" in kinds and not kinds & {"ClusterRole", "NetworkPolicy"}, f"{kinds}")
    args = fewer[("DaemonSet", "seep")]["spec"]["template"]["spec"]["containers"][0]["args"]
    expect(not any("kubelet" in arg for arg in args), f"{args}")


def check_kustomize(directory):
    """Base, overlay and components build, and give what they promise."""
    need("kubectl")
    done = run(["kubectl", "kustomize", ROOT / "deploy/kubernetes/monitoring"])
    expect(done.returncode == 0, done.stderr)
    expect("kind: PodMonitor" in done.stdout, "no PodMonitor")
    shutil.copytree(ROOT / "deploy/kubernetes", directory / "kubernetes")
    for component in sorted((ROOT / "deploy/kubernetes/components").iterdir()):
        (directory / "kustomization.yaml").write_text(
            "resources: [kubernetes/base]\n"
            f"components: [kubernetes/components/{component.name}]\n")
        done = run(["kubectl", "kustomize", directory])
        expect(done.returncode == 0, f"{component.name}: {done.stderr}")
        spec = next(d for d in load_yaml(done.stdout) if d["kind"] == "DaemonSet")
        spec = spec["spec"]["template"]["spec"]
        path = next(v for v in spec["volumes"] if v["name"] == "runtime")["hostPath"]["path"]
        mounts = [m["mountPath"] for m in spec["containers"][0]["volumeMounts"]
                  if m["name"] == "runtime"]
        expect(mounts == [path] and "io.containerd.runtime.v2.task" not in path or
               "k3s" in path, f"{component.name}: {path}, {mounts}")


# ---- kubectl seep ----------------------------------------------------------------------------

# Knows two nodes with an agent each; writes its arguments down, one call a line.
FAKE_KUBECTL = """#!/bin/sh
printf '%s|' "$@" >>"$FAKE_LOG"; echo >>"$FAKE_LOG"
case "$*" in
*"get pods"*"spec.nodeName=n1"*) echo "seep-a n1 true" ;;
*"get pods"*"spec.nodeName=n2"*) echo "seep-b n2 false" ;;
*"get pods"*"spec.nodeName="*) ;;
*"get pods"*"namespace=denied"*) echo "Error from server (Forbidden)" >&2; exit 1 ;;
*"get pods"*) echo "seep-a n1 true"; echo "seep-b n2 false" ;;
*"get pod none"*) echo 'Error from server (NotFound): pods "none" not found' >&2; exit 1 ;;
*"get pod late"*) echo "shop  Pending" ;;
*"get pod "*) echo "shop n2 Running" ;;
*"exec"*"seep-a"*" show known"*) echo "seep show: no incident 'known'" >&2; exit 4 ;;
*"exec"*" show unknown"*) echo "seep show: no incident 'unknown'" >&2; exit 4 ;;
*"exec"*"seep-b"*"--exit-code"*) exit 3 ;;
*"exec"*) echo "said by $*" ;;
esac
"""


class Plugin:
    def __init__(self, directory):
        self.log = directory / "log"
        fake = directory / "kubectl"
        fake.write_text(FAKE_KUBECTL)
        fake.chmod(0o755)
        self.env = dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}",
                        FAKE_LOG=str(self.log))

    def __call__(self, *args):
        self.log.write_text("")
        return run([PLUGIN, *args], env=self.env)

    def execs(self):
        """What was run in pods: (pod, options before it, command)."""
        calls = [line.rstrip("|").split("|") for line in self.log.read_text().splitlines()]
        found = []
        for call in calls:
            if "exec" in call:
                split = call.index("--")
                pod = next(arg for arg in call[:split] if arg in ("seep-a", "seep-b"))
                found.append((pod, call[:split], call[split + 1:]))
        return found


def check_plugin_all_nodes(seep):
    done = seep("leaks", "--all", "--context", "prod east", "--agents=watch")
    expect(done.returncode == 0 and "== node n1" in done.stdout and "== node n2" in done.stdout,
           f"{done}")
    expect("'seep-b' is not ready" in done.stderr, f"{done.stderr}")
    expect([(pod, cmd) for pod, _, cmd in seep.execs()] ==
           [("seep-a", ["seep", "leaks", "--all"]), ("seep-b", ["seep", "leaks", "--all"])],
           f"{seep.execs()}")
    for _, options, _ in seep.execs():
        expect("--context=prod east" in options and "--namespace=watch" in options, f"{options}")
    done = seep("leaks", "--json", "--node", "n1")
    expect(done.stdout.startswith("said by") and len(seep.execs()) == 1, f"{done}")
    expect(seep("leaks", "--exit-code").returncode == 3, "--exit-code is lost")


def check_plugin_one_node(seep):
    done = seep("show", "known")
    expect(done.returncode == 0 and "seep-b" in done.stdout and not done.stderr, f"{done}")
    done = seep("show", "unknown")
    expect(done.returncode == 1 and "no agent knows unknown" in done.stderr, f"{done}")
    done = seep("top")
    expect(done.returncode == 1 and "--node: n1 n2" in done.stderr, f"{done}")
    done = seep("top", "--by", "pod", "-n", "7", "--node=n1")
    expect(seep.execs()[0][2] == ["seep", "top", "--by", "pod", "-n", "7", "--once"],
           f"{seep.execs()}")


def check_plugin_trace(seep):
    for args, namespace in ((("pod",), None), (("shop/pod",), "shop"),
                            (("pod", "-n", "shop"), "shop")):
        done = seep("trace", *args, "-d", "5s")
        expect(done.returncode == 0, f"{args}: {done}")
        expect(seep.execs()[0][0] == "seep-b" and seep.execs()[0][2] ==
               ["seep", "trace", "--pod", "shop/pod", "-d", "5s"], f"{args}: {seep.execs()}")
        expect(not namespace or f"--namespace={namespace}|" in seep.log.read_text(), f"{args}")
    done = seep("trace", "none")
    expect(done.returncode == 1 and "no such pod: 'none'" in done.stderr, f"{done}")
    done = seep("trace", "late")
    expect(done.returncode == 1 and "Pending" in done.stderr, f"{done}")


def check_plugin_usage(seep):
    for args in ((), ("nonsense",), ("show",), ("trace",), ("leaks", "--node"), ("trace", "--node="),
                 ("leaks", "a\nb")):
        done = seep(*args)
        expect(done.returncode == 2 and (done.stderr or "usage:" in done.stdout),
               f"{args}: exit {done.returncode}: {done.stderr}")
    done = seep("--help")
    expect(done.returncode == 0 and "usage: kubectl seep" in done.stdout, f"{done}")
    done = seep("leaks", "--agents", "denied")
    expect(done.returncode == 1 and "cannot list the agents in namespace 'denied'" in done.stderr,
           f"{done}")
    done = seep("status", "--node", "n9")
    expect(done.returncode == 1 and "no agent on node 'n9'" in done.stderr, f"{done}")
    done = seep("show", "$(touch x)`;*")
    expect(seep.execs()[0][2] == ["seep", "show", "$(touch x)`;*"], f"{seep.execs()}")


def check_plugin(directory):
    """Arguments, nodes, namespaces and errors, with a kubectl that only writes down its calls."""
    seep = Plugin(directory)
    check_plugin_all_nodes(seep)
    check_plugin_one_node(seep)
    check_plugin_trace(seep)
    check_plugin_usage(seep)


# ---- plain hosts -----------------------------------------------------------------------------


def check_unit(directory):
    """systemd takes the unit as it is, and rates what it may do."""
    need("systemd-analyze")
    unit = directory / "seep.service"
    text = (ROOT / "deploy/systemd/seep.service").read_text()
    unit.write_text(text.replace("/usr/sbin/seep", str(ROOT / "build/seep")))
    done = run(["systemd-analyze", "verify", "--man=no", unit])
    said = [line for line in done.stderr.splitlines() if "seep.service" in line]
    expect(not said, "\n".join(said))
    done = run(["systemd-analyze", "security", "--offline=yes", "--threshold=40", unit])
    expect(done.returncode == 0, (done.stdout + done.stderr)[-300:])


def check_conf(directory):
    """The default file is taken as it is, and with each of its examples made effective."""
    text = (ROOT / "deploy/seep.conf").read_text()
    for name, conf in (("as it is", text), ("in full", re.sub("^#(?=[a-z-]+ = )", "", text,
                                                               flags=re.M))):
        (directory / "seep.conf").write_text(conf)
        # wrong on purpose: nothing is started, but only after the file was read
        done = run([SEEP, "agent", "--config", directory / "seep.conf", "--interval", "1ms"])
        expect(done.returncode == 2 and "interval must be" in done.stderr, f"{name}: {done}")
    expect("\ninterval = 10s\n" in conf, "no example was found")


def check_deb(directory):
    """The package builds, installs, runs from where it was installed, and is purged."""
    need("dpkg-deb", "dpkg")
    done = run(["make", "-s", "deb", f"DEB_DIR={directory}"], 300, cwd=ROOT)
    expect(done.returncode == 0, done.stdout + done.stderr)
    deb = next(directory.glob("seep_*.deb"))
    listed = run(["dpkg-deb", "--contents", deb]).stdout
    for path in ("./usr/sbin/seep", "./etc/seep/seep.conf", "seep.service", "seep-agent.8.gz",
                 "bash-completion/completions/seep", "./usr/bin/kubectl-seep"):
        expect(path in listed, f"'{path}' is not in the package:\n{listed}")
    root = directory / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    dpkg = ["dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless",
            f"--log={directory}/dpkg.log"]
    env = dict(os.environ, PATH=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    done = run([*dpkg, "--install", deb], env=env)
    expect(done.returncode == 0, done.stdout + done.stderr)
    done = run([root / "usr/sbin/seep", "--version"])
    expect(done.returncode == 0 and done.stdout.startswith("seep "), f"{done}")
    done = run(["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f=${Conffiles}", "seep"])
    expect("/etc/seep/seep.conf" in done.stdout, f"conffiles: {done}")
    state = root / "var/lib/seep"
    expect(pathlib.Path(state).is_dir(), "no state directory")
    (state / "history").touch()
    done = subprocess.run([*map(str, dpkg), "--purge", "seep"], capture_output=True, text=True,
                          env=env, check=False)
    expect(done.returncode == 0 and not state.exists() and not (root / "etc/seep").exists(),
           f"purge leaves something behind: {done.stdout}{done.stderr}")


CASES = {
    "the chart renders what the manifests are": check_chart,
    "kustomize builds base, overlay and components": check_kustomize,
    "kubectl seep": check_plugin,
    "the systemd unit": check_unit,
    "the default configuration": check_conf,
    "the Debian package": check_deb,
}


def run_all(results, directory):
    directory.mkdir()
    for i, (name, check) in enumerate(CASES.items()):
        with results.case(f"deploy: {name}"):
            (directory / str(i)).mkdir()
            check(directory / str(i))
