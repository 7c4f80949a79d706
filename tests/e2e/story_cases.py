# SPDX-License-Identifier: BSD-2-Clause
"""story_cases.py - one leak and one OOM kill from the beginning to the history.

The leak opens one incident, gets its call sites, is told to a webhook and over HTTP, recovers when
the leak stops, and stands in the history after SIGKILL. Beside it, a container-shaped cgroup whose
process is killed at its limit, twice, is one incident of another kind; a noisy healthy program is none.
"""
import contextlib
import json
import os
import signal

from harness import Agent, Cgroups, Program, Skip, expect, wait_for
from servers import Receiver, free_port, get, http_port

WINDOW_S = 30
OPEN_TIMEOUT_S = 120
CLOSE_TIMEOUT_S = 150
MIB = 1 << 20
CONTAINER = "docker-" + "5e" * 32 + ".scope"

CONFIG = """
[notify "leak"]
type = webhook
url = {url}
selector = pid={pid}
group-wait = 0s
group-interval = 0s

[notify "errors"]
type = webhook
url = {url}
selector = cgroup=*{name}*
group-wait = 0s
group-interval = 0s
"""


def start(stack, name, command, cgroup=None, cgroup_name=None):
    program = Program(name, command, cgroup, cgroup_name)
    program.start()
    stack.callback(program.kill)
    return program


def incidents_of(agent, program):
    return [one for one in agent.incidents("--all") if one["object"]["pid"] == program.pid]


def api(agent, path):
    return json.loads(get(http_port(agent), path))


def check_opens(agent, leak, hook):
    """Once, with its line, told to the webhook and over HTTP, with all that surrounds it."""
    def complete():
        found = incidents_of(agent, leak)
        return found if found and found[0]["sites"] else None

    found = wait_for("the leak has call sites", complete, OPEN_TIMEOUT_S, 1)
    expect(len(found) == 1 and found[0]["kind"] == "leak", f"{len(found)} incidents")
    wait_for("the webhook is told", lambda: any(body["incidents"][0]["id"] == found[0]["id"]
                                                for body in hook.bodies()), 30)
    listed = [one for one in api(agent, "/api/leaks")["incidents"] if one["id"] == found[0]["id"]]
    expect(len(listed) == 1, f"{len(listed)} in /api/leaks")

    def noted():
        shown = agent.json("incident", "show", found[0]["id"])
        return shown if shown["notified"] else None

    shown = wait_for("it says who was told", noted, 30)
    expect(shown["notified"][0]["target"] == "leak" and shown["notified"][0]["state"] == "open",
           f"{shown['notified']}")
    expect(shown["configuration"]["window_s"] == WINDOW_S and
           shown["configuration"]["drill"] == "on", f"{shown['configuration']}")
    expect(any(row["pid"] == leak.pid for row in shown["top_growth"]), "not among the growing")
    for term in shown["attributes"]:
        chosen = agent.incidents("--where", term)
        expect(any(one["id"] == shown["id"] for one in chosen), f"{term} does not choose it")
    words = agent.ask("show", shown["id"]).stdout
    for part in ("Judged with", "Growing fastest at that time", "told 'leak' (webhook)"):
        expect(part in words, f"'{part}' is not in\n{words}")
    return found[0]["id"]


def check_recovers(agent, leak, incident_id, hook):
    leak.process.send_signal(signal.SIGSTOP)

    def closed():
        found = incidents_of(agent, leak)
        return found if found[0]["state"] == "closed" else None

    found = wait_for("the incident closes", closed, CLOSE_TIMEOUT_S, 1)
    expect([one["id"] for one in found] == [incident_id], f"{found}")
    expect(found[0]["close_reason"] == "growth stopped", found[0]["close_reason"])
    wait_for("the webhook is told", lambda: [body["state"] for body in hook.bodies() if
                                             body["incidents"][0]["id"] == incident_id] ==
             ["open", "closed"], 30)


def check_history(agent, incident_ids):
    before = [agent.json("incident", "show", one) for one in incident_ids]
    agent.stop(signal.SIGKILL)
    agent.start()
    for then in before:
        now = agent.json("incident", "show", then["id"])
        for field in ("state", "kind", "opened_s", "closed_s", "close_reason", "sites", "history",
                      "errors", "victims", "notified"):
            expect(now[field] == then[field], f"{field}: {now[field]} was {then[field]}")
        expect(any(one["id"] == then["id"] for one in api(agent, "/api/leaks?all=1")["incidents"]),
               f"{then['id']} is not in /api/leaks?all=1")


def check_killed(stack, agent, cgroup, cgroup_name, hook):
    """Two kills in one container: one incident with both victims; it closes by itself."""
    def errors():
        return [one for one in agent.incidents("--all")
                if one["kind"] == "memory-error" and cgroup_name in (one["object"]["cgroup"] or "")]

    def kills():
        found = errors()
        return sum(error["count"] for one in found for error in one["errors"]
                   if error["kind"] == "oom-kill") and found

    victims = []
    for _ in range(2):
        program = start(stack, "victim", ["build/tests/workloads/leak_linear", "--base", "20M",
                                          "--rate", "10M"], cgroup, cgroup_name)
        victims.append(program.pid)
        expect(program.process.wait(60) == -signal.SIGKILL, "the victim was not killed")
        wait_for("an incident", kills, 30)
    found = errors()
    expect(len(found) == 1, f"{[(one['id'], one['state'], one['errors']) for one in found]}")
    shown = agent.json("incident", "show", found[0]["id"])
    expect(shown["verdict"]["class"] == "unknown" and shown["verdict"]["verdict"] is None and
           shown["verdict"]["limit_bytes"] == 50 * MIB, f"{shown['verdict']}")
    expect([victim["pid"] for victim in shown["victims"]] == victims, f"{shown['victims']}")
    expect(40 * MIB < shown["victims"][0]["bytes"] <= 51 * MIB, f"{shown['victims'][0]}")
    expect(shown["object"]["container"], f"{shown['object']}")
    wait_for("the webhook is told", lambda: any(body["incidents"][0]["id"] == shown["id"]
                                                for body in hook.bodies()), 30)
    words = agent.ask("show", shown["id"]).stdout
    expect("OOM-killed: 'leak_linear'" in words and "oom-kill" in words, words)
    expect('kind="memory-error"' in get(http_port(agent), "/metrics"), "not in /metrics")
    closed = wait_for("it closes", lambda: errors()[0]["state"] == "closed" and errors(), 60, 1)
    expect(len(closed) == 1 and closed[0]["close_reason"].startswith("no more of it"),
           f"{closed[0]['close_reason']}")
    return shown["id"]


def run_all(results, directory):
    with contextlib.ExitStack() as stack:
        name = f"seep-story-{os.getpid()}"
        cgroups = Cgroups(name)
        stack.callback(cgroups.remove)
        hook = stack.enter_context(Receiver())
        leak = start(stack, "leak", ["build/tests/workloads/leak_linear"])
        noisy = start(stack, "noisy", ["build/tests/workloads/sawtooth"])
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "seep.conf"
        config.write_text(CONFIG.format(url=hook.url, pid=leak.pid, name=name), encoding="utf-8")
        agent = stack.enter_context(Agent(directory / "agent", "--config", str(config), "--window",
                                          f"{WINDOW_S}s", "--listen", f"127.0.0.1:{free_port()}"))
        ids = []
        with results.case("story: OOM kills in a container are one incident"):
            if not cgroups.base:
                raise Skip(f"no cgroup can be made: {cgroups.why_not}")
            path = cgroups.make(CONTAINER, 50 * MIB)
            ids.append(check_killed(stack, agent, path, cgroups.name_of(path), hook))
        with results.case("story: a leak opens once, with its lines, and is told"):
            ids.append(check_opens(agent, leak, hook))
        with results.case("story: it recovers when the leak stops"):
            check_recovers(agent, leak, ids[-1], hook)
        with results.case("story: all of it is in the history after SIGKILL"):
            check_history(agent, ids)
        with results.case("story: the noisy program is healthy"):
            expect(not incidents_of(agent, noisy), "it has an incident")
