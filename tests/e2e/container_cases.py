# SPDX-License-Identifier: BSD-2-Clause
"""container_cases.py - the agent from its own image, with only what docs/kubernetes.md lists.

podman builds deploy/Dockerfile (tests/images/build.sh, which keeps what it can) and runs it with a
read-only root, four capabilities and five mounts, beside a container that leaks and two that do not.
"""
import contextlib
import json
import os
import shutil
import time

from harness import INTERVAL_S, ROOT, WINDOW_S, Agent, Failure, Skip, expect, run, wait_for

IMAGE = "localhost/seep:test"
WORK_IMAGE = "localhost/seep-work:test"
IMAGE_BYTES_MAX = 32 << 20
BUILD_TIMEOUT_S = 300  # with nothing in the cache; a minute otherwise
PODMAN_ENV = dict(os.environ, CONTAINERS_CONF=str(ROOT / "tests/images/containers.conf"))
CAPABILITIES = ("BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH")
# Of the node, read-only: where cgroups are, and where podman keeps its containers' names.
CGROUPS = "/sys/fs/cgroup"
NAMES = "/var/lib/containers/storage/overlay-containers"
RUN_NAMES = "/run/containers/storage/overlay-containers"


def podman(*args, timeout_s=60):
    done = run(["podman", *args], timeout_s, env=PODMAN_ENV)
    expect(done.returncode == 0, f"podman {args[0]}: {done.stderr.strip()[-800:]}")
    return done.stdout.strip()


def confine(capabilities=CAPABILITIES, mounts=(CGROUPS, NAMES, RUN_NAMES), host_pids=True,
            seccomp="unconfined"):
    """The options of podman run; each may be given less."""
    options = ["--network=none", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all",
               "--security-opt=no-new-privileges", f"--security-opt=seccomp={seccomp}",
               "--security-opt=apparmor=unconfined", "--security-opt=label=disable"]
    options += [f"--cap-add={name}" for name in capabilities]
    options += [f"--volume={path}:{path}:ro,rslave" for path in mounts]
    return options + (["--pid=host"] if host_pids else [])


class ImageAgent(Agent):
    """The agent in a container of its own; the socket and the state are on the host."""

    def __init__(self, directory, name):
        super().__init__(directory)
        self.name = name
        self.socket = self.directory / "run" / "seep.sock"
        self.socket.parent.mkdir()
        self.state_dir.mkdir()

    def launch(self):
        podman("run", "--detach", f"--name={self.name}", *confine(),
               f"--volume={self.socket.parent}:/run/seep", f"--volume={self.state_dir}:/var/lib/seep",
               IMAGE, "agent", "--interval", f"{int(INTERVAL_S * 1000)}ms",
               "--window", f"{WINDOW_S}s", "--listen", "none")

    def answers(self):
        state = podman("inspect", "--format={{.State.Status}}", self.name)
        expect(state == "running",
               f"the container is {state}: " + run(["podman", "logs", self.name],
                                                   env=PODMAN_ENV).stderr[-800:])
        return self.socket.exists() and self.ask("status", "--json").returncode == 0

    def stop(self, signo=9):
        run(["podman", "kill", f"--signal={int(signo)}", self.name], env=PODMAN_ENV)
        run(["podman", "rm", "--force", "--ignore", "--time=5", self.name], env=PODMAN_ENV)


def need_podman():
    for program in ("podman", "runc", "conmon", "debootstrap"):
        if not shutil.which(program) and not os.path.exists(f"/usr/sbin/{program}"):
            raise Skip(f"needs {program} (make deps-peers)")
    done = run(["podman", "info"], env=PODMAN_ENV)
    if done.returncode:
        raise Skip(f"podman does not work here: {done.stderr.strip()[-200:]}")


def build(*names):
    done = run(["timeout", "--kill-after=5", str(BUILD_TIMEOUT_S), "tests/images/build.sh", *names],
               BUILD_TIMEOUT_S + 30, cwd=ROOT)
    return done.returncode, (done.stdout + done.stderr)[-1500:]


def build_images():
    need_podman()
    status, said = build("base", "deps")
    if status:  # a matter of mirrors and patience, not of ours
        raise Skip(f"no image to build in, tests/images/build.sh exits with {status}: {said}")
    status, said = build("seep", "work")
    expect(status == 0, f"tests/images/build.sh exits with {status}: {said}")
    size = int(podman("image", "inspect", "--format={{.Size}}", IMAGE))
    expect(size < IMAGE_BYTES_MAX, f"the image has {size} bytes")
    if run(["podman", "run", "--rm", "--network=none", WORK_IMAGE, "/bin/true"],
           env=PODMAN_ENV).returncode:
        raise Skip("podman cannot run containers here")


def start_work(name, *command):
    podman("run", "--detach", f"--name={name}", "--network=none", "--memory=400m", WORK_IMAGE, *command)


def named(agent, container):
    return [i for i in agent.incidents("--all") if i["object"]["container"] == container]


def check_names(agent, prefix):
    """The leak is the one container's, with its limit and its line of code; the others are well."""
    wait_for("the leak is found", lambda: named(agent, f"{prefix}-leak"), 3 * WINDOW_S, 1)
    wait_for("its line of code", lambda: any(
        frame["function"] == "lose" for i in named(agent, f"{prefix}-leak") for site in i["sites"]
        for frame in site["frames"]), 2 * WINDOW_S, 1)
    found = named(agent, f"{prefix}-leak")
    expect(len(found) == 1 and found[0]["object"]["comm"] == "leak_linear", f"found: {found}")
    limit = found[0]["verdict"]["limit_bytes"]
    expect(limit == 400 << 20, f"its limit is {limit}")
    sandbox = agent.json("status", "status")["sandbox"]
    expect("no capabilities, seccomp" in sandbox["confined"] and sandbox["started"] and
           not sandbox["failed"], f"files were read by {sandbox}")
    rows = agent.json("top", "top", "--by", "cgroup", "--once", "-n", "5000")["rows"]
    seen = {row["container"] for row in rows}
    for other in ("well", "idle"):
        expect(f"{prefix}-{other}" in seen, f"{prefix}-{other} is not in top: {sorted(map(str, seen))}")
        expect(not named(agent, f"{prefix}-{other}"), f"{prefix}-{other} is called leaking")


def check_restart(agent, prefix):
    """Killed, removed and run anew on the same state: as when a DaemonSet is rolled."""
    before = named(agent, f"{prefix}-leak")[0]
    killed_s = time.time()
    agent.stop()
    agent.start()
    after = named(agent, f"{prefix}-leak")
    expect([i["id"] for i in after] == [before["id"]] and
           after[0]["opened_s"] == before["opened_s"], f"other incidents than before: {after}")
    history = wait_for("history goes on", lambda: newer(agent, before["id"], killed_s), WINDOW_S, 1)
    expect(history[0][0] < killed_s, "no history from before the restart")


def newer(agent, incident_id, than_s):
    history = agent.json("incident", "show", incident_id)["history"]
    return history if history and history[-1][0] > than_s + 1 else None


def diagnose(*options, **less):
    """Names and findings of what is less than ok, from `seep doctor` in the image."""
    done = run(["podman", "run", "--rm", *confine(**less), *options, IMAGE, "doctor", "--json"],
               env=PODMAN_ENV)
    if not done.stdout:
        raise Failure(f"no answer: {done.stderr}")
    return {(c["name"], c["found"]): c for c in json.loads(done.stdout)["checks"]
            if c["level"] != "ok"}


NO_BPF = {"defaultAction": "SCMP_ACT_ALLOW",
          "syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}


def check_doctor(directory):
    """Each permission taken away alone is named, with what gives it back."""
    whole = diagnose("--tmpfs=/var/lib/seep")
    expect(not any(name.startswith("CAP_") or name in ("memory cgroups mounted", "seccomp",
                                                       "state directory") for name, _ in whole),
           f"nothing is missing, but: {list(whole)}")
    expect(("state directory", "/var/lib/seep: Read-only file system") in (found := diagnose()),
           f"without a state directory: {list(found)}")
    (directory / "no_bpf.json").write_text(json.dumps(NO_BPF))
    found = diagnose(seccomp=directory / "no_bpf.json")
    expect(any(name == "seccomp" for name, _ in found), f"under seccomp: {list(found)}")
    for missing in CAPABILITIES:
        found = diagnose(capabilities=[c for c in CAPABILITIES if c != missing])
        named_caps = {name: c for (name, _), c in found.items() if name.startswith("CAP_")}
        expect(list(named_caps) == [f"CAP_{missing}"] and
               f"[{missing}]" in named_caps[f"CAP_{missing}"]["fix"],
               f"without CAP_{missing}: {list(named_caps.values())}")
    found = diagnose(mounts=(NAMES, RUN_NAMES))
    expect(any(name == "memory cgroups mounted" for name, _ in found),
           f"without {CGROUPS}: {list(found)}")
    found = diagnose(mounts=(CGROUPS, RUN_NAMES))
    expect(("container names", f"{NAMES} is not mounted") in found,
           f"without {NAMES}: {list(found)}")
    expect(("pid namespace", "a private one") in (found := diagnose(host_pids=False)),
           f"without the host's pids: {list(found)}")


def run_all(results, directory):
    directory.mkdir()
    prefix = f"seep-e2e-{os.getpid()}"
    names = [f"{prefix}-{kind}" for kind in ("leak", "well", "idle", "agent")]
    built = False
    with results.case("containers: the image builds from deploy/Dockerfile"):
        build_images()
        built = True
    if not built:
        return
    try:
        with results.case("containers: a leak is its own container's, and survives a restart"), \
                contextlib.ExitStack() as stack:
            start_work(names[0], "/bin/leak_linear", "--rate", "2M")
            start_work(names[1], "/bin/steady")
            start_work(names[2])
            agent = stack.enter_context(ImageAgent(directory / "agent", names[3]))
            check_names(agent, prefix)
            check_restart(agent, prefix)
        with results.case("containers: seep doctor names each missing permission and mount"):
            check_doctor(directory)
    finally:
        run(["podman", "rm", "--force", "--ignore", "--time=0", *names], env=PODMAN_ENV)
