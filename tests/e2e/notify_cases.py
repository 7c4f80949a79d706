# SPDX-License-Identifier: BSD-2-Clause
"""notify_cases.py - an incident reaches a webhook, Alertmanager and a command, each once.

The webhook fails at first, another target is not there at all; the agent is killed in between.
"""
import contextlib
import json
import os
import signal
import ssl
import uuid

from harness import Agent, Cgroups, Program, Skip, expect, run, wait_for
from servers import Receiver, alertmanager, get, need

WINDOW_S = 30
LEAK_TIMEOUT_S = 120
SECRET = "s3cret-path"
KEY = "s3cret-key"

CONFIG = """
[notify "hook"]
type = webhook
url-file = {directory}/url
header-file = {directory}/headers
selector = pid={pid}
group-wait = 1s
group-interval = 1s

[notify "am"]
type = alertmanager
url = http://127.0.0.1:{am_port}
selector = pid={pid}

[notify "script"]
type = command
command = {directory}/script
selector = pid={pid}
group-wait = 1s

[notify "gone"]
type = webhook
url = http://127.0.0.1:1/{secret}
group-wait = 0s
"""

# It notes what it was told, and with which privileges it runs.
SCRIPT = """#!/bin/sh
grep Cap /proc/self/status >{directory}/privileges
cat >{directory}/script.part && mv {directory}/script.part {directory}/script.json
"""


def write_config(directory, pid, hook, am_port):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "url").write_text(f"{hook}/{SECRET}\n", encoding="utf-8")
    script = directory / "script"
    script.write_text(SCRIPT.format(directory=directory), encoding="utf-8")
    script.chmod(0o755)
    (directory / "headers").write_text(f"X-Key: {KEY}\n", encoding="utf-8")
    path = directory / "seep.conf"
    path.write_text(CONFIG.format(directory=directory, pid=pid, am_port=am_port,
                                  secret=SECRET), encoding="utf-8")
    return path


def flaky(times):
    """An answer that fails so many times first."""
    left = [times]

    def answer(request):
        left[0] -= 1
        request.reply(503 if left[0] >= 0 else 200)
    return answer


def alerts_of(am_port, pid):
    return [alert for alert in json.loads(get(am_port, "/api/v2/alerts"))
            if alert["labels"].get("pid") == str(pid)]


def states(hook):
    """Of the messages that were taken: all but the first two."""
    return [body["state"] for body in hook.bodies()[2:]]


def told(agent):
    """The targets as `seep status` shows them, by name."""
    return {target["target"]: target
            for target in agent.json("status", "status")["notifications"]}


def check_opened(agent, hook, am_port, directory, pid):
    wait_for("the webhook takes a message", lambda: states(hook), LEAK_TIMEOUT_S)
    body = hook.bodies()[-1]
    incident = body["incidents"][0]
    expect(body["schema"] == "seep.notification/1" and body["count"] == 1 and
           incident["object"]["pid"] == pid and incident["id"] in
           [one["id"] for one in agent.incidents()], f"{body}")
    path, headers, _ = hook.posts[-1]
    expect(path.endswith(SECRET) and headers["X-Key"] == KEY, f"{path} {headers}")
    alert = wait_for("Alertmanager has it", lambda: alerts_of(am_port, pid), 30)[0]
    expect(alert["labels"]["alertname"] == "SeepMemoryLeak" and
           alert["labels"]["id"] == incident["id"] and alert["labels"]["comm"] == "leak_linear",
           f"{alert['labels']}")
    script = directory / "script.json"
    wait_for("the command has it", lambda: script.exists() and script.read_text(), 30)
    expect(json.loads(script.read_text())["incidents"][0]["object"]["pid"] == pid, "another pid")
    sets = dict(line.split(":\t") for line in (directory / "privileges").read_text().splitlines())
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        expect(int(sets[kind], 16) == 0, f"the command has {kind} {sets[kind]}")


def check_status(agent):
    targets = wait_for("an attempt at what is not there",
                       lambda: told(agent)["gone"]["failed"] and told(agent), 30)
    expect(targets["hook"]["sent"] == 1 and targets["hook"]["failed"] == 2, f"{targets['hook']}")
    expect(targets["gone"]["queued"] >= 1 and "connect" in targets["gone"]["last_error"],
           f"{targets['gone']}")
    words = agent.ask("status")
    expect("gone" in words.stdout and "alertmanager" in words.stdout, words.stdout)
    expect("'gone' cannot be told of incidents" in words.stdout, words.stdout)
    expect("notify 'hook': HTTP status 503, trying again" in agent.log.read_text(), "not logged")
    config = agent.ask("config").stdout
    expect('[notify "hook"]\ntype = webhook\nmin-severity = warning' in config, config)
    for text in (config, words.stdout, agent.ask("status", "--json").stdout, agent.log.read_text()):
        expect(SECRET not in text and KEY not in text, "a secret is told")


def check_closed(agent, hook, am_port, leak):
    """After SIGKILL the webhook hears nothing twice, and of the end."""
    agent.stop(signal.SIGKILL)
    agent.start()
    polls = agent.polls()
    wait_for("the agent goes on", lambda: agent.polls() > polls + 10, 30)
    expect(states(hook) == ["open"], f"told {states(hook)}")
    leak.kill()
    wait_for("the end is told", lambda: len(states(hook)) > 1, LEAK_TIMEOUT_S)
    expect(states(hook) == ["open", "closed"], f"told {states(hook)}")
    wait_for("Alertmanager lets go", lambda: not alerts_of(am_port, leak.pid), 30)


def run_agent(results, directory):
    need("prometheus-alertmanager")
    leak = Program("leak", ["build/tests/workloads/leak_linear"])
    leak.start()
    with Receiver() as hook, Receiver() as sink, \
            alertmanager(directory / "alertmanager", sink.url) as am:
        am.await_ready(am.port)
        hook.answer = flaky(2)
        config = write_config(directory, leak.pid, hook.url, am.port)
        with Agent(directory / "agent", "--no-drill", "--config", str(config),
                   "--interval", "100ms", "--window", f"{WINDOW_S}s") as agent:
            with results.case("notify: webhook, Alertmanager and command are told"):
                check_opened(agent, hook, am.port, directory, leak.pid)
            with results.case("notify: status tells how it goes, and no secrets"):
                check_status(agent)
            with results.case("notify: told once, across SIGKILL, and of the end"):
                check_closed(agent, hook, am.port, leak)
    leak.kill()


# A pod's /run: the service account, and a containerd bundle that says whose container it is.
POD_RUN = """
mount -t tmpfs none /run &&
mkdir -p /run/secrets/kubernetes.io/serviceaccount "$bundles/$cid" &&
cp token ca.crt /run/secrets/kubernetes.io/serviceaccount/ &&
cp config.json "$bundles/$cid/" && exec "$@"
"""
BUNDLES = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"


class PodAgent(Agent):
    """An agent with --kube-events, as in a pod; /run is its own."""

    def __init__(self, directory, cid, port, *options):
        super().__init__(directory, "--kube-events", *options)
        self.environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1",
                            "KUBERNETES_SERVICE_PORT": str(port), "cid": cid, "bundles": BUNDLES}

    def command(self):
        words = [f"{name}={value}" for name, value in self.environment.items()]
        script = f"cd '{self.directory}' && {POD_RUN}"
        return ["unshare", "--mount", "env", *words, "sh", "-c", script, "sh", *super().command()]


def make_certificate(directory):
    need("openssl", "unshare")
    if run(["unshare", "--mount", "true"], 10).returncode:
        raise Skip("mounts of its own are not allowed here")
    directory.mkdir(parents=True, exist_ok=True)
    answer = run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                  "-subj", "/CN=seep", "-addext", "subjectAltName=IP:127.0.0.1",
                  "-keyout", directory / "key", "-out", directory / "ca.crt"])
    expect(answer.returncode == 0, answer.stderr)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "ca.crt", directory / "key")
    return context


def make_pod_cgroup(cgroups, uid, cid):
    """.../kubepods/besteffort/podUID/CID; the last one."""
    path, parts = "", ["kubepods", "besteffort", f"pod{uid}", cid]
    for part in parts:
        path = f"{path}/{part}".strip("/")
        made = cgroups.make(path)
        if not made:
            raise Skip(f"no cgroup can be made: {cgroups.why_not}")
        if cgroups.version == 2 and part != cid:
            (made / "cgroup.subtree_control").write_text("+memory")
    return made


def check_events(directory, cgroups):
    """A leak in a pod becomes an Event on it, over HTTPS with the service account."""
    uid, cid = str(uuid.uuid4()), uuid.uuid4().hex * 2
    with Receiver() as api:
        api.socket = make_certificate(directory).wrap_socket(api.socket, server_side=True)
        (directory / "token").write_text("t0ken", encoding="utf-8")
        (directory / "config.json").write_text(json.dumps({"annotations": {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.container-name": "web",
            "io.kubernetes.cri.sandbox-name": "shop-7d9f",
            "io.kubernetes.cri.sandbox-namespace": "shop",
            "io.kubernetes.cri.sandbox-uid": uid,
        }}), encoding="utf-8")
        leak = Program("leak", ["build/tests/workloads/leak_linear"],
                       make_pod_cgroup(cgroups, uid, cid))
        leak.start()
        with contextlib.ExitStack() as stack:
            stack.callback(leak.kill)
            stack.enter_context(PodAgent(directory, cid, api.port, "--no-drill", "--interval",
                                         "100ms", "--window", f"{WINDOW_S}s"))
            wait_for("an event", lambda: api.posts, LEAK_TIMEOUT_S)
            path, headers, body = api.posts[0]
            leak.kill()
            wait_for("the event of its end", lambda: "MemoryLeakEnded" in str(api.posts), 60)
    event = json.loads(body)
    expect(path == "/api/v1/namespaces/shop/events", path)
    expect(headers["Authorization"] == "Bearer t0ken", f"{headers}")
    expect(event["kind"] == "Event" and event["reason"] == "MemoryLeak" and
           event["type"] == "Warning" and "leak_linear[" in event["message"], f"{event}")
    expect(event["involvedObject"] == {"apiVersion": "v1", "kind": "Pod", "namespace": "shop",
                                       "name": "shop-7d9f", "uid": uid}, f"{event}")


def run_all(results, directory):
    cgroups = Cgroups(f"seep-notify-{os.getpid()}")
    with results.case("notify: Kubernetes Events with the service account"):
        check_events(directory / "kube", cgroups)
    cgroups.remove()
    with results.case("notify: servers"):
        run_agent(results, directory)
