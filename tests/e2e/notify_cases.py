# SPDX-License-Identifier: BSD-2-Clause
"""notify_cases.py - an incident reaches a webhook, Alertmanager and a command, each once.

The webhook fails at first, another target is not there at all; the agent is killed in between.
"""
import json
import signal

from harness import Agent, Program, expect, wait_for
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
command = tee {directory}/script.json
selector = pid={pid}
group-wait = 1s

[notify "gone"]
type = webhook
url = http://127.0.0.1:1/{secret}
group-wait = 0s
"""


def write_config(directory, pid, hook, am_port):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "url").write_text(f"{hook}/{SECRET}\n", encoding="utf-8")
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


def check_status(agent):
    targets = wait_for("an attempt at what is not there",
                       lambda: told(agent)["gone"]["failed"] and told(agent), 30)
    expect(targets["hook"]["sent"] == 1 and targets["hook"]["failed"] == 2, f"{targets['hook']}")
    expect(targets["gone"]["queued"] >= 1 and "connect" in targets["gone"]["last_error"],
           f"{targets['gone']}")
    words = agent.ask("status")
    expect("gone" in words.stdout and "alertmanager" in words.stdout, words.stdout)
    for text in (words.stdout, agent.ask("status", "--json").stdout, agent.log.read_text()):
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


def run_all(results, directory):
    with results.case("notify: servers"):
        run_agent(results, directory)
