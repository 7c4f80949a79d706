# SPDX-License-Identifier: BSD-2-Clause
"""tsan.py - an agent under ThreadSanitizer with everything that has a thread of its own at work.

Run by `make test-tsan`, which sets SEEP_BINARY to build/tsan/seep. Closer looks at two leaks at a time, four
targets of notifications of which one fails and one is not there, pushed metrics and a kubelet, while
clients ask over HTTP and the socket and the configuration is read again; then it is told to end in the
middle of it. Whatever ThreadSanitizer saw on the way is a failure. As the last line "N passed, ...".
"""
import contextlib
import os
import signal
import sys
import threading

from harness import (SEEP, Agent, Failure, Program, Results, Tally, expect, need_root,
                     scratch_directory, wait_for)
from kubelet import Kubelet, pod
from servers import Receiver, get, http_port

LEAKS = 2
TIMEOUT_S = 400  # all of it is ten times as slow
CONFIG = """
[notify "hook"]
type = webhook
url = {hook}
group-wait = 0s
group-interval = 1s

[notify "fails"]
type = webhook
url = {failing}
group-wait = 0s

[notify "script"]
type = command
command = tee {directory}/script.json
group-wait = 0s

[notify "gone"]
type = webhook
url = http://127.0.0.1:1/
group-wait = 0s
"""


class TsanAgent(Agent):
    def command(self):
        return ["env", "TSAN_OPTIONS=die_after_fork=0 second_deadlock_stack=1", *super().command()]


def ask_all_the_time(agent, port, ended):
    """A client of each door, in turns."""
    commands = (["top"], ["leaks"], ["status"], ["config"], ["inspect"], ["drill", "status"])
    while not ended.wait(0.2):
        for path in ("/metrics", "/api/top", "/api/leaks?all=1", "/api/status"):
            with contextlib.suppress(OSError):
                get(port, path)
        for words in commands:
            agent.ask(*words)


def has_sites(agent):
    """Whether a closer look has found something. An answer may be late here."""
    with contextlib.suppress(Failure):
        return any(agent.json("incident", "show", one["id"])["sites"] for one in agent.incidents())
    return False


def run_scene(directory, agent, leaks, hook, collector, kubelet):
    wait_for("a closer look", lambda: has_sites(agent), TIMEOUT_S, 2)
    wait_for("the webhook is told", lambda: len(hook.posts) > 0, TIMEOUT_S)
    wait_for("the command is told", (directory / "script.json").exists, TIMEOUT_S)
    wait_for("metrics are pushed", lambda: len(collector.posts) > 1, TIMEOUT_S)
    wait_for("the kubelet is asked", lambda: len(kubelet.asked) > 1, TIMEOUT_S)
    agent.process.send_signal(signal.SIGHUP)
    wait_for("it is read again", lambda: "configuration" in agent.log.read_text(), TIMEOUT_S)
    leaks[0].kill()
    wait_for("the end is told", lambda: any(body["state"] == "closed" for body in hook.bodies()),
             TIMEOUT_S)


def check_threads(directory):
    need_root("an agent")
    directory.mkdir()
    (directory / "token").write_text("first\n")
    leaks = [Program("leak", ["build/tests/workloads/leak_linear"]) for _ in range(LEAKS)]
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        hook, failing, collector = (stack.enter_context(Receiver()) for _ in range(3))
        failing.answer = lambda request: request.reply(503)
        kubelet = Kubelet(directory / "kubelet", {"first"})
        stack.callback(kubelet.stop)
        kubelet.pods = [pod("shop", "api-1", "12345678-9abc-def0-1234-56789abcdef0")]
        config = directory / "seep.conf"
        config.write_text(CONFIG.format(hook=hook.url, failing=failing.url, directory=directory))
        for leak in leaks:
            stack.callback(leak.kill)
            leak.start()
        agent = stack.enter_context(TsanAgent(
            directory / "agent", "--config", str(config), "--window", "30s", "--drill-targets", str(LEAKS),
            "--listen", "127.0.0.1:0", "--otlp", collector.url, "--otlp-interval", "1s",
            "--kubelet", kubelet.url("good"), "--kubelet-ca", str(kubelet.directory / "ca.pem"),
            "--kubelet-token-file", str(directory / "token")))
        client = threading.Thread(target=ask_all_the_time, args=(agent, http_port(agent), ended))
        client.start()
        stack.callback(client.join)
        stack.callback(ended.set)
        run_scene(directory, agent, leaks, hook, collector, kubelet)
        ended.set()
        client.join()
        status = agent.stop(signal.SIGTERM)
        log = agent.log.read_text(errors="replace")
        expect("ThreadSanitizer" not in log, log[log.find("WARNING: ThreadSanitizer"):][:6000])
        expect(status == 0, f"exit status {status}")


def main():
    tally = Tally()
    results = Results(tally, "tsan")
    with scratch_directory() as directory, results.case("tsan: an agent with all its threads"):
        expect(SEEP.parent.name == "tsan" or "SEEP_BINARY" in os.environ, "this is not build/tsan/seep")
        check_threads(directory / "tsan")
    for name, (_, text, _) in tally.failed().items():
        print(name, text)
    print(tally.summary())
    return 1 if tally.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
