# SPDX-License-Identifier: BSD-2-Clause
"""pod_cases.py - pods, not pids: a Kubernetes-shaped node made by hand, and a kubelet to ask.

The cgroups are real ones of this machine's memory controller, in the kubelet's form. What the
runtime and the kubelet leave on disk (bundles, log directories) is below a directory of the test,
which the agent is given as the host's root. The kubelet is an HTTPS server of the test.
"""
import contextlib
import json
import os
import re
import threading

from harness import Agent, Cgroups, Failure, Program, Skip, expect, tail, wait_for
from kubelet import Kubelet, pod, wait_until_asked

LEAK_TIMEOUT_S = 180
ANSWER_TIMEOUT_S = 30
RESTARTS = 3
MIB = 1 << 20

API, SIBLING, DB, JOB = (f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}"
                         for digit in "1234")
LEAKY = "build/tests/workloads/leak_linear"
STEADY = "build/tests/workloads/steady"


def container_id(pod_uid, generation=0):
    return f"{generation:032x}" + pod_uid.replace("-", "")


class Node:
    """The cgroups, files and kubelet of one node; pods are made in it."""

    def __init__(self, directory, name):
        self.root = directory / "root"
        self.cgroups = Cgroups(name)
        if not self.cgroups.base:
            raise Skip(f"no cgroup can be made: {self.cgroups.why_not}")
        self.tokens = directory / "token"
        self.tokens.parent.mkdir(parents=True, exist_ok=True)
        self.tokens.write_text("first\n")
        self.kubelet = Kubelet(directory / "kubelet", {"first"})
        self.programs = []
        for level in ("kubepods", "kubepods/burstable"):
            self.make_cgroup(level)

    def make_cgroup(self, name, limit_bytes=None):
        path = self.cgroups.make(name, limit_bytes)
        if self.cgroups.version == 2 and "/" not in name.partition("pod")[2].partition("/")[2]:
            (path / "cgroup.subtree_control").write_text("+memory")
        return path

    def make_pod(self, uid, limit_bytes=None):
        self.make_cgroup(f"kubepods/burstable/pod{uid}", limit_bytes)

    def start(self, uid, command, generation=0, limit_bytes=None):
        """Another container of the pod. Returns its program."""
        name = f"kubepods/burstable/pod{uid}/{container_id(uid, generation)}"
        path = self.cgroups.make(name, limit_bytes)
        program = Program(name, command, path, self.cgroups.name_of(path))
        program.start()
        self.programs.append(program)
        return program

    def write_bundle(self, uid, namespace, name, container):
        """What containerd leaves."""
        path = (self.root / "run/containerd/io.containerd.runtime.v2.task/k8s.io" /
                container_id(uid))
        path.mkdir(parents=True)
        annotations = {"container-name": container, "container-type": "container",
                       "image-name": f"registry.example/{container}:1.2", "sandbox-id": "0" * 64,
                       "sandbox-name": name, "sandbox-namespace": namespace, "sandbox-uid": uid}
        (path / "config.json").write_text(json.dumps({
            "ociVersion": "1.0.2",
            "annotations": {f"io.kubernetes.cri.{key}": value
                            for key, value in annotations.items()}}))

    def write_logs(self, uid, namespace, name, container, generation=0):
        """What the kubelet leaves."""
        directory = self.root / "var/log/pods" / f"{namespace}_{name}_{uid}" / container
        directory.mkdir(parents=True, exist_ok=True)
        links = self.root / "var/log/containers"
        links.mkdir(parents=True, exist_ok=True)
        link = links / f"{name}_{namespace}_{container}-{container_id(uid, generation)}.log"
        link.symlink_to(directory / f"{generation}.log")

    def agent(self, directory, mode="good", ca="ca.pem", token_file=None):
        return Agent(directory, "--no-drill", "--host-root", str(self.root),
                     "--node-name", "node-1", "--kubelet", self.kubelet.url(mode),
                     "--kubelet-ca", str(self.kubelet.directory / ca),
                     "--kubelet-token-file", str(token_file or self.tokens))

    def stop(self):
        for program in self.programs:
            program.kill()
        self.cgroups.remove()
        self.kubelet.stop()


class CrashLoop(threading.Thread):
    """The database: leaks into the limit of its container, is killed, and started again."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node = node
        self.runs = 0
        self.error = None
        self.stopping = threading.Event()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.node.write_logs(DB, "shop", "db-0", "db", self.runs)
                program = self.node.start(DB, [LEAKY, "--base", "10M", "--rate", "2M"],
                                          self.runs, 50 * MIB)
                self.runs += 1
                program.process.wait()
                # as a runtime does; the kubelet's back-off would be longer
                program.cgroup.rmdir()
                self.stopping.wait(0.3)
        except OSError as error:
            self.error = error

    def stop(self):
        self.stopping.set()
        self.node.programs[-1].kill()
        self.join(10)


def populate(node):
    node.kubelet.pods = [
        pod("shop", "api-7d4f9c8b5-x2x4z", API, ("ReplicaSet", "api-7d4f9c8b5"),
            {"app": "api", "pod-template-hash": "7d4f9c8b5"},
            [("api", container_id(API), "300Mi")]),
        pod("shop", "api-7d4f9c8b5-aaaaa", SIBLING, ("ReplicaSet", "api-7d4f9c8b5"),
            {"app": "api", "pod-template-hash": "7d4f9c8b5"}, [("api", container_id(SIBLING), None)]),
        pod("shop", "db-0", DB, ("StatefulSet", "db"), {"app": "db"}),
        pod("batch", "report-29123456-xk2lp", JOB, ("Job", "report-29123456"), {"app": "report"},
            [("report", container_id(JOB), None)]),
    ]
    node.make_pod(API, 400 * MIB)
    node.write_bundle(API, "shop", "api-7d4f9c8b5-x2x4z", "api")
    node.start(API, [LEAKY, "--base", "20M", "--rate", "1M"], limit_bytes=300 * MIB)
    node.make_pod(SIBLING)
    node.write_bundle(SIBLING, "shop", "api-7d4f9c8b5-aaaaa", "api")
    node.start(SIBLING, [STEADY, "--base", "20M"])
    node.make_pod(JOB)
    node.write_logs(JOB, "batch", "report-29123456-xk2lp", "report")
    node.start(JOB, [STEADY, "--base", "5M"])
    node.make_pod(DB)


def incidents_of(agent, pod_name, kind="leak"):
    return [incident for incident in agent.incidents("--all")
            if incident["object"]["pod"] == pod_name and incident["kind"] == kind]


def expect_fields(seen, wanted):
    wrong = {key: seen.get(key) for key, value in wanted.items() if seen.get(key) != value}
    expect(not wrong, f"{wrong} instead of { {key: wanted[key] for key in wrong} }")


def check_attribution(agent, node):
    """The leak, and only it, is told with its container, pod, namespace, workload and labels."""
    def named():
        found = incidents_of(agent, "api-7d4f9c8b5-x2x4z")
        return found if found and found[0]["object"]["workload"] else None

    incidents = wait_for("the leak in the pod", named, LEAK_TIMEOUT_S, 1)
    expect(len(incidents) == 1, f"{len(incidents)} incidents")
    leaker = node.programs[0]
    expect_fields(incidents[0]["object"], {
        "kind": "process", "pid": leaker.pid, "cgroup": leaker.cgroup_name,
        "container": "api", "container_id": container_id(API), "pod": "api-7d4f9c8b5-x2x4z",
        "pod_uid": API, "namespace": "shop", "workload": "Deployment/api", "node": "node-1",
        "image": "registry.example/api:1.2", "image_digest": "sha256:" + "5e" * 32,
        "labels": {"app": "api", "pod-template-hash": "7d4f9c8b5"}})
    expect_fields(incidents[0]["verdict"], {"limit_bytes": 300 * MIB})
    for quiet in ("api-7d4f9c8b5-aaaaa", "report-29123456-xk2lp"):
        expect(not incidents_of(agent, quiet), f"an incident on {quiet}")


def pod_rows(agent):
    rows = agent.json("top", "top", "--by", "pod", "--once", "-n", "5000")["rows"]
    return {row["pod"]: row for row in rows}


def check_top(agent, node):
    """One row per pod, with its cgroup's memory, limits and time to the limit."""
    rows = wait_for("the pods", lambda: len(pod_rows(agent)) >= 4 and pod_rows(agent), 30)
    api, leaker = rows["api-7d4f9c8b5-x2x4z"], node.programs[0]
    pod_cgroup = leaker.cgroup_name.rpartition("/")[0]
    expect_fields(api, {"cgroup": pod_cgroup, "namespace": "shop", "workload": "Deployment/api",
                        "pid": None, "own_limit_bytes": 400 * MIB, "limit_bytes": 400 * MIB,
                        "limit_cgroup": pod_cgroup, "processes": 1})
    expect(20 * MIB < api["anon_bytes"] < 400 * MIB, f"anon {api['anon_bytes']}")
    expect(api["growth_bytes_per_hour"] > 100 * MIB, f"growth {api['growth_bytes_per_hour']}")
    expect(api["verdict"] in ("leak", "suspect"), f"verdict {api['verdict']}")
    expect(api["time_to_limit_s"] > 0, "no time to the limit")
    expect_fields(rows["report-29123456-xk2lp"],
                  {"namespace": "batch", "workload": "CronJob/report", "own_limit_bytes": None})
    expect_fields(rows["db-0"], {"namespace": "shop", "workload": "StatefulSet/db"})
    rows = {row["workload"]: row for row in
            agent.json("top", "top", "--by", "workload", "--once", "-n", "99")["rows"]}
    expect_fields(rows["Deployment/api"], {"namespace": "shop", "pods": 2, "processes": 2,
                                           "pod": None, "verdict": api["verdict"]})
    expect(rows["Deployment/api"]["anon_bytes"] > api["anon_bytes"] + 20 * MIB,
           f"anon {rows['Deployment/api']['anon_bytes']} of two pods")
    shown = agent.ask("top", "--by", "pod", "--once").stdout
    expect("api-7d4f9c8" in shown and "db-0" in shown, f"shown:\n{shown}")


def check_one_leak(agent, crash_loop):
    """Killed at its limit again and again, under another container id each time: one leak."""
    wait_for(f"{RESTARTS} restarts", lambda: crash_loop.runs > RESTARTS or crash_loop.error,
             LEAK_TIMEOUT_S, 1)
    expect(not crash_loop.error, f"the crash loop ended: {crash_loop.error}")

    def stories():
        """The timeline of each incident on the pod."""
        return [agent.json("incident", "show", incident["id"])["timeline"]
                for incident in incidents_of(agent, "db-0")]

    def told():
        return any("OOM-killed" in str(story) and "restarted" in str(story) for story in stories())

    with contextlib.suppress(Failure):
        wait_for("an incident over kill and restart", told, LEAK_TIMEOUT_S, 1)
    incidents = incidents_of(agent, "db-0")
    expect(len(incidents) == 1 and incidents[0]["state"] == "open" and told(),
           f"incidents after {crash_loop.runs} runs: "
           f"{[(i['id'], i['state'], i['object']['kind']) for i in incidents]}\n"
           f"{json.dumps(stories(), indent=1)}\n{tail(agent.log)}")
    expect_fields(incidents[0]["object"], {"container": "db", "namespace": "shop",
                                           "workload": "StatefulSet/db"})
    errors = incidents_of(agent, "db-0", "memory-error")
    expect(not [error for error in errors if error["state"] == "open"],
           f"beside the leak that explains them: {json.dumps(errors)}")


def check_kills(agent, crash_loop):
    """`seep status` lists the kills with what was known of the victim."""
    kills = [kill for kill in agent.json("status", "status")["oom_kills"]
             if kill.get("pod") == "db-0"]
    expect(kills, "no kill of the pod in status")
    expect_fields(kills[-1], {"comm": "leak_linear", "container": "db", "namespace": "shop",
                              "workload": "StatefulSet/db", "limit_bytes": 50 * MIB})
    expect(30 * MIB < kills[-1]["bytes"] <= 51 * MIB, f"it had {kills[-1]['bytes']} bytes")
    expect(any(kill["incident"] for kill in kills), f"no incident beside {kills}")
    expect(len(kills) <= crash_loop.runs, f"{len(kills)} kills in {crash_loop.runs} runs")


# How the kubelet answers, and what status has to say of it (a slow machine may see the end of the
# time before the end of the patience). None: nothing is wrong.
ANSWERS = {
    "good": None, "trickle": None, "lying": None,
    "forbidden": r"grant it `get` on nodes/pods", "garbage": "not a list of pods",
    "torn": "not a list of pods", "huge": "larger than|in time", "fat": "larger than",
    "redirect": "answers 302", "slow": "no whole answer in time",
}


def kubelet_error(agent):
    """False until there was an answer."""
    kubelet = agent.json("status", "status")["kubelet"]
    return kubelet["requests"] > 0 and (kubelet["error"] or "none")


def check_answer(node, directory, mode, wanted):
    with node.agent(directory, mode) as agent:
        error = wait_for("an answer", lambda: kubelet_error(agent), ANSWER_TIMEOUT_S, 0.2)
        expect(re.search(wanted or "^none$", error), f"status says: {error}")
        if wanted:
            status = agent.json("status", "status")
            expect(status["health"] == "degraded" and
                   any(re.search(wanted, problem) for problem in status["problems"]),
                   f"problems: {status['problems']}")
            wait_for("a line in the log",
                     lambda: re.search(wanted, agent.log.read_text()), ANSWER_TIMEOUT_S, 0.2)
            doctor = json.loads(agent.ask("doctor", "--json").stdout)
            found = [check for check in doctor["checks"] if check["name"] == "kubelet"]
            expect(len(found) == 1 and found[0]["level"] == "degraded" and
                   re.search(wanted, found[0]["found"]), f"doctor: {found}")
        polls = agent.polls()
        wait_for("polls go on", lambda: agent.polls() > polls + 2, ANSWER_TIMEOUT_S, 0.2)
        row = wait_for("the pod", lambda: pod_rows(agent).get("api-7d4f9c8b5-x2x4z"),
                       ANSWER_TIMEOUT_S, 0.2)
        expect(wanted is None or row["workload"] is None, f"workload {row['workload']}")
        if mode == "lying":
            expect("\x1b" not in json.dumps(row, ensure_ascii=False), f"{row}")
        agent.stop()  # with a request under way; gives up after 20 s


def check_trust(node, directory):
    """Another authority, no authority, a port where nobody listens."""
    cases = {"other-ca.pem": "certificate is not trusted", "none.pem": "cannot be read"}
    for ca, wanted in cases.items():
        with node.agent(directory / ca, ca=ca) as agent:
            error = wait_for("an answer", lambda a=agent: kubelet_error(a), ANSWER_TIMEOUT_S, 0.2)
            expect(wanted in error, f"{ca}: {error}")
    expect(all(token in ("first", "second") for _, token in node.kubelet.asked),
           f"tokens that came: {set(node.kubelet.asked)}")
    with Agent(directory / "away", "--no-drill", "--kubelet", "https://127.0.0.1:1",
               "--kubelet-ca", "none", "--kubelet-token-file", str(node.tokens)) as agent:
        error = wait_for("an answer", lambda: kubelet_error(agent), ANSWER_TIMEOUT_S, 0.2)
        expect("127.0.0.1" in error and "onnect" in error, f"away: {error}")
    with Agent(directory / "http", "--no-drill", "--kubelet", "http://127.0.0.1:1") as agent:
        error = agent.json("status", "status")["kubelet"]["error"]
        expect("https://" in error, f"http: {error}")


def check_rotation(node, directory):
    """A token that is rotated counts at the next request; one that is missing is told."""
    token = directory / "token"
    directory.mkdir()
    with node.agent(directory / "agent", token_file=token) as agent:
        error = wait_for("an answer", lambda: kubelet_error(agent), ANSWER_TIMEOUT_S, 0.2)
        expect(str(token) in error and "cannot be read" in error, f"no token: {error}")
        node.kubelet.tokens.add("second")
        token.write_text("second\r\nX-Other: header\n")
        wait_until_asked(node.kubelet, "good", "second", ANSWER_TIMEOUT_S)
        wait_for("the answer", lambda: kubelet_error(agent) == "none", ANSWER_TIMEOUT_S, 0.2)
        wait_for("the workload", lambda: pod_rows(agent)["api-7d4f9c8b5-x2x4z"]["workload"] ==
                 "Deployment/api", ANSWER_TIMEOUT_S, 0.2)


def run_answers(results, directory, node):
    for mode, wanted in ANSWERS.items():
        with results.case(f"pods: a kubelet's answer: {mode}"):
            check_answer(node, directory / mode, mode, wanted)
    with results.case("pods: a kubelet that cannot be trusted or reached"):
        check_trust(node, directory / "trust")
    with results.case("pods: the token is rotated"):
        check_rotation(node, directory / "rotation")


def run_all(results, directory):
    with contextlib.ExitStack() as stack:
        with results.case("pods: a node with pods, a kubelet and an agent"):
            node = Node(directory, f"seep-pods-{os.getpid()}")
            stack.callback(node.stop)
            populate(node)
            agent = stack.enter_context(node.agent(directory / "agent"))
            crash_loop = CrashLoop(node)
            crash_loop.start()
            stack.callback(crash_loop.stop)
            answers = threading.Thread(target=run_answers,
                                       args=(results, directory / "answers", node), daemon=True)
            answers.start()
            with results.case("pods: a leak is told with container, pod and workload"):
                check_attribution(agent, node)
            with results.case("pods: `seep top --by pod`"):
                check_top(agent, node)
            with results.case("pods: OOM-killed over and over is one leak"):
                check_one_leak(agent, crash_loop)
            with results.case("pods: kills are listed with what was known"):
                check_kills(agent, crash_loop)
            answers.join()
