# SPDX-License-Identifier: BSD-2-Clause
"""cluster.py - a Kubernetes of one node, from real parts, for as long as a test takes.

etcd, the control plane and a kubelet with containerd run as plain processes in a mount and a
network namespace of their own (run.py enters them): whatever they write to /run, /var/log,
/var/lib/kubelet and the like is on file systems of their own, and the machine's other containers
are not theirs to see. Pods share the machine's kernel, its pid namespace and, below CGROUP, its
cgroups.

The address of the "kubernetes" service is on the loopback interface, with the API server and the
kubelet listening there: no kube-proxy is needed. Pods are on a bridge.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import time

NODE = "seep-node"
ADDRESS = "10.96.0.1"  # the first of the services' range: the service "kubernetes"
CGROUP = "/seep-k8s"
CNI_BIN = "/usr/lib/cni"
START_TIMEOUT_S = 180

# Hidden from the machine, as directories that start out empty.
PRIVATE = ("/run", "/var/log", "/var/lib/kubelet", "/var/lib/cni", "/etc/cni/net.d", "/var/lib/seep",
           "/usr/libexec/kubernetes")
# The kubelet sets these for the whole machine unless they are as it wants them.
SYSCTLS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10,
           "kernel/panic_on_oops": 1, "kernel/keys/root_maxkeys": 1000000,
           "kernel/keys/root_maxbytes": 25000000}


def sh(*args, **options):
    return subprocess.run([str(arg) for arg in args], check=True, text=True, **options)


def isolate(scratch):
    """Called in fresh mount and network namespaces."""
    sh("mount", "--make-rslave", "/")
    for path in PRIVATE:
        os.makedirs(path, exist_ok=True)
        sh("mount", "-t", "tmpfs", "tmpfs", path)
    for name, value in SYSCTLS.items():
        path = pathlib.Path("/proc/sys") / name
        if path.exists():
            mask = scratch / name.replace("/", "-")
            mask.write_text(f"{value}\n")
            sh("mount", "--bind", mask, path)
    # what pods mount has to reach the agent's mounts (HostToContainer)
    sh("mount", "--make-rshared", "/run")
    sh("mount", "--make-rshared", "/var/lib/kubelet")
    sh("ip", "link", "set", "lo", "up")
    sh("ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo")
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


class Keys:
    """A certificate authority and what it signed."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                     "-subj", "/CN=seep-test", "-keyout", "ca.key", "-out", "ca.crt")
        self.openssl("genrsa", "-out", "accounts.key", "2048")

    def openssl(self, *args):
        sh("openssl", *args, cwd=self.directory, stdout=subprocess.DEVNULL,
           stderr=subprocess.DEVNULL)

    def sign(self, name, subject):
        names = f"IP:{ADDRESS},IP:127.0.0.1,DNS:{NODE},DNS:kubernetes.default.svc"
        (self.directory / "ext").write_text(f"subjectAltName={names}\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
                     "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", "30", "-extfile", "ext", "-out", f"{name}.crt")

    def __getitem__(self, name):
        return str(self.directory / name)


class Cluster:
    """Starts everything, waits for the node, and ends everything with it."""

    def __init__(self, bin_dir, scratch):
        self.bin = pathlib.Path(bin_dir)
        self.scratch = scratch
        self.processes = []
        self.cgroups = []
        self.config = scratch / "admin.conf"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- parts ----

    def spawn(self, name, *command, **options):
        with (self.scratch / f"{name}.log").open("ab") as log:
            self.processes.append(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, command)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, **options))

    def start(self):
        self.keys = Keys(self.scratch / "keys")
        self.make_cgroups()
        self.start_control_plane()
        self.start_node()
        self.wait("the node is Ready", self.node_is_ready)
        self.wait("the service account", lambda: self.try_kubectl(
            "get", "serviceaccount", "default"))

    def start_control_plane(self):
        keys = self.keys
        for name, subject in (("server", f"/CN={NODE}"), ("admin", "/O=system:masters/CN=admin"),
                              ("node", f"/O=system:nodes/CN=system:node:{NODE}")):
            keys.sign(name, subject)
        self.write_kubeconfig(self.config, "admin")
        self.write_kubeconfig(self.scratch / "node.conf", "node")
        self.spawn("etcd", "etcd", "--data-dir", self.scratch / "etcd", "--unsafe-no-fsync",
                   env=dict(os.environ, ETCD_UNSUPPORTED_ARCH=os.uname().machine))
        self.spawn("apiserver", self.bin / "kube-apiserver",
                   "--etcd-servers=http://127.0.0.1:2379", f"--bind-address={ADDRESS}",
                   "--secure-port=443", f"--advertise-address={ADDRESS}",
                   "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
                   "--allow-privileged", "--authorization-mode=Node,RBAC",
                   "--service-account-issuer=https://kubernetes.default.svc",
                   f"--service-account-key-file={keys['accounts.key']}",
                   f"--service-account-signing-key-file={keys['accounts.key']}",
                   f"--client-ca-file={keys['ca.crt']}", f"--tls-cert-file={keys['server.crt']}",
                   f"--tls-private-key-file={keys['server.key']}",
                   f"--kubelet-certificate-authority={keys['ca.crt']}",
                   f"--kubelet-client-certificate={keys['admin.crt']}",
                   f"--kubelet-client-key={keys['admin.key']}",
                   "--kubelet-preferred-address-types=InternalIP")
        self.wait("the API server answers", lambda: self.try_kubectl("get", "--raw", "/readyz"))
        self.spawn("controllers", self.bin / "kube-controller-manager",
                   f"--kubeconfig={self.config}", "--leader-elect=false",
                   "--use-service-account-credentials",
                   f"--service-account-private-key-file={keys['accounts.key']}",
                   f"--root-ca-file={keys['ca.crt']}")
        self.spawn("scheduler", self.bin / "kube-scheduler", f"--kubeconfig={self.config}",
                   "--leader-elect=false")

    def start_node(self):
        (self.scratch / "containerd.toml").write_text(CONTAINERD.format(
            root=self.scratch / "containerd", cni=CNI_BIN))
        pathlib.Path("/etc/cni/net.d/10-seep.conflist").write_text(json.dumps(CNI))
        self.spawn("containerd", "containerd", "--config", self.scratch / "containerd.toml")
        self.wait("containerd answers", lambda: subprocess.run(
            ["ctr", "version"], capture_output=True, check=False).returncode == 0)
        for archive in sorted(self.scratch.glob("*.image")):
            sh("ctr", "-n", "k8s.io", "images", "import", archive, stdout=subprocess.DEVNULL)
        (self.scratch / "kubelet.json").write_text(json.dumps(self.kubelet_config()))
        self.spawn("kubelet", self.bin / "kubelet", f"--config={self.scratch}/kubelet.json",
                   f"--kubeconfig={self.scratch}/node.conf", f"--hostname-override={NODE}",
                   f"--node-ip={ADDRESS}", "--container-runtime=remote",
                   "--container-runtime-endpoint=unix:///run/containerd/containerd.sock")

    def kubelet_config(self):
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "address": "0.0.0.0", "cgroupDriver": "cgroupfs", "cgroupRoot": CGROUP,
            "enforceNodeAllocatable": [], "failSwapOn": False, "oomScoreAdj": 0,
            "maxOpenFiles": 20000, "makeIPTablesUtilChains": False, "resolvConf": "",
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                               "x509": {"clientCAFile": self.keys["ca.crt"]}},
            "authorization": {"mode": "Webhook"}, "tlsCertFile": self.keys["server.crt"],
            "tlsPrivateKeyFile": self.keys["server.key"],
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%",
                             "imagefs.available": "1%"},
        }

    def write_kubeconfig(self, path, user):
        keys = self.keys
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": f"https://{ADDRESS}:443", "certificate-authority": keys["ca.crt"]}}],
            "users": [{"name": user, "user": {"client-certificate": keys[f"{user}.crt"],
                                              "client-key": keys[f"{user}.key"]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}]}))

    # ---- cgroups ----

    def hierarchies(self):
        for line in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
            fields, _, rest = line.partition(" - ")
            if rest.split()[0] in ("cgroup", "cgroup2"):
                yield pathlib.Path(fields.split()[4])

    def make_cgroups(self):
        for hierarchy in self.hierarchies():
            path = hierarchy / CGROUP.strip("/")
            path.mkdir(exist_ok=True)
            self.cgroups.append(path)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (path / name).exists():
                    (path / name).write_text((hierarchy / name).read_text())

    def remove_cgroups(self):
        for base in self.cgroups:
            for path, _, _ in os.walk(base, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)

    def kill_pods(self):
        """All that is left in our cgroups; what dies there may have children that appear late."""
        for _ in range(50):
            pids = {pid for base in self.cgroups for procs in base.rglob("cgroup.procs")
                    for pid in procs.read_text().split()}
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(int(pid), 9)
            time.sleep(0.1)

    # ---- use ----

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        self.kill_shims()
        self.kill_pods()
        self.remove_cgroups()

    def kill_shims(self):
        """They outlive containerd by design; ours are those of its socket in our mounts."""
        ours = os.readlink("/proc/self/ns/mnt")
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (path / "comm").read_text().startswith("containerd-shim") and \
                        os.readlink(path / "ns/mnt") == ours:
                    os.kill(int(path.name), 9)

    def kubectl(self, *args, stdin=None, timeout_s=60):
        """Its output; an error raises with what it said."""
        done = self.run_kubectl(*args, stdin=stdin, timeout_s=timeout_s)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(map(str, args))}: {done.stderr.strip()}")
        return done.stdout

    def run_kubectl(self, *args, stdin=None, timeout_s=60):
        return subprocess.run(["kubectl", f"--kubeconfig={self.config}", *map(str, args)],
                              capture_output=True, text=True, check=False, timeout=timeout_s,
                              input=stdin, env=dict(os.environ, HOME=str(self.scratch)))

    def try_kubectl(self, *args):
        return self.run_kubectl(*args).returncode == 0

    def get(self, *args):
        return json.loads(self.kubectl("get", "-o", "json", *args))

    def node_is_ready(self):
        done = self.run_kubectl("get", "node", NODE, "-o", "json")
        return done.returncode == 0 and any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in json.loads(done.stdout)["status"].get("conditions", []))

    def wait(self, what, probe, timeout_s=START_TIMEOUT_S):
        end = time.monotonic() + timeout_s
        while True:
            value = probe()
            if value:
                return value
            for process in self.processes:
                if process.poll() is not None:
                    raise RuntimeError(f"{what}: {process.args[3]} ended, see {self.scratch}")
            if time.monotonic() > end:
                raise RuntimeError(f"{what}: not within {timeout_s} s, see {self.scratch}")
            time.sleep(0.5)


CONTAINERD = """\
version = 2
root = "{root}"
state = "/run/containerd"
oom_score = 0
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/seep-work:test"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "/etc/cni/net.d"
"""

CNI = {
    "cniVersion": "0.4.0", "name": "seep",
    "plugins": [{"type": "bridge", "bridge": "seep0", "isGateway": True,
                 "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}],
                          "ranges": [[{"subnet": "10.88.0.0/16"}]]}}],
}
