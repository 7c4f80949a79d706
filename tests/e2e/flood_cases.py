# SPDX-License-Identifier: BSD-2-Clause
"""flood_cases.py - more than the agent has room for: processes, cgroups, clients.

It goes on polling, keeps to its bounds, counts and says what it left out, and is as before when the
flood is over. How fast is for the benches (bench/scale, bench/soak.py); what is lost is asserted here.
"""
import contextlib
import os
import re
import socket
import subprocess
import threading

from agent_cases import fetch
from harness import INTERVAL_S, LEASH, ROOT, Agent, Cgroups, Skip, expect, run, wait_for

STORM = ROOT / "build/tests/workloads/storm"
BOUND = 64                 # --max-processes of an agent with too little room
SLEEPERS, CROWD = 300, 3000
CLIENTS = 150              # at a time, of the socket and of HTTP each; there are places for 32
FDS_MAX = 256              # of an agent: places for clients, probes and files
RSS_MAX_BYTES = 96 << 20   # and its memory, with a few MiB of answers
STORM_S = 4
SETTLE_S = 60


def storm(*args):
    """How many lives it was: at most as many as asked for, on a busy machine those of STORM_S."""
    done = run([STORM, *args, "--seconds", str(STORM_S)], 120)
    expect(done.returncode == 0, f"storm: {done.stderr}")
    return int(done.stdout.split()[0])


@contextlib.contextmanager
def sleepers(cnt):
    with subprocess.Popen([*LEASH, str(STORM), "--what", "sleep", "--cnt", str(cnt)], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            expect(process.stdout.readline() == f"{cnt} sleep\n", "not all were born")
            yield
        finally:
            process.stdin.close()
            process.wait()


def status(agent):
    return agent.json("status", "status")


def polls_on(agent, cnt=5):
    """That many polls more."""
    first = agent.polls()
    wait_for("polls go on", lambda: agent.polls() >= first + cnt, SETTLE_S, INTERVAL_S)


def expect_bounded(agent):
    fds = len(os.listdir(f"/proc/{agent.pid}/fd"))
    with open(f"/proc/{agent.pid}/status", encoding="utf-8") as file:
        rss = int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) << 10
    expect(fds <= FDS_MAX, f"{fds} descriptors")
    expect(rss <= RSS_MAX_BYTES, f"{rss >> 20} MiB")


def check_small_bounds(directory):
    """Several times as many processes as there is room for: the smallest are left out, and said."""
    with Agent(directory, "--max-processes", str(BOUND)) as agent:
        polls_on(agent)
        before = status(agent)["tracked"]["unwatched"]
        with sleepers(SLEEPERS):
            storm("--what", "forks", "--cnt", "1000", "--workers", "2")
            polls_on(agent)
            seen = status(agent)
            expect(seen["tracked"]["series"] <= BOUND, f"tracks {seen['tracked']}")
            expect(seen["tracked"]["unwatched"] >= SLEEPERS - BOUND, f"tracks {seen['tracked']}")
            expect(seen["maps"]["seep_procs"]["used"] <= BOUND, f"maps {seen['maps']}")
            expect(seen["dropped"]["process_table_full"] > 0, f"dropped {seen['dropped']}")
            told = [line for line in seen["not_seen"] if "--max-processes" in line]
            expect(any("not watched one by one" in line for line in told) and
                   any("kernel's table" in line for line in told), f"not_seen: {seen['not_seen']}")
            evicted = seen["dropped"]["series_evicted"]
            polls_on(agent, 20)
            # others come and go on the machine, but the sleepers do not push one another out
            evicted = status(agent)["dropped"]["series_evicted"] - evicted
            expect(evicted < SLEEPERS, f"{evicted} series evicted in 20 polls of a crowd asleep")
        wait_for("they are gone", lambda: status(agent)["tracked"]["unwatched"] <
                 before + SLEEPERS // 2, SETTLE_S)
        expect_bounded(agent)


def check_crowd(directory):
    """Thousands of processes: each is watched, and nothing is left of them afterwards."""
    with Agent(directory) as agent:
        with sleepers(CROWD):
            wait_for("all are watched", lambda: status(agent)["tracked"]["processes"] >= CROWD,
                     SETTLE_S)
            polls_on(agent)
            expect(not status(agent)["tracked"]["unwatched"], "some are left out")
        wait_for("their series are gone", lambda: status(agent)["tracked"]["series"] < CROWD / 2,
                 SETTLE_S)
        expect(status(agent)["maps"]["seep_procs"]["used"] < CROWD / 2, "the map is not empty")
        expect_bounded(agent)


def check_storms(directory):
    """Lives that no poll sees are counted as ended unseen, none is lost."""
    with Agent(directory) as agent:
        polls_on(agent)
        before = status(agent)
        lives = storm("--what", "forks", "--cnt", "3000", "--workers", "2")
        execs = storm("--what", "execs", "--cnt", "200", "--workers", "2")
        lives += execs
        polls_on(agent)
        after = status(agent)
        grown = {name: after["events"][name] - before["events"][name]
                 for name in ("forks", "exits", "execs", "short_lived")}
        missed = after["dropped"]["events_missed"]
        expect(grown["forks"] + missed >= lives and grown["exits"] + missed >= lives and
               grown["execs"] + missed >= execs, f"{lives} lives: {grown}, {missed} missed")
        lost = after["dropped"]["event_ring_full"]
        # a poll may have met one in a hundred of them alive
        expect(grown["short_lived"] + lost + missed >= lives * .9, f"{lives} lives: {grown}, {lost} lost")
        expect_bounded(agent)


def check_cgroups(directory):
    """Cgroups come and go faster than polls: none stays behind."""
    cgroups = Cgroups(f"seep-flood-{os.getpid()}")
    try:
        if not cgroups.base:
            raise Skip(f"no cgroups can be made: {cgroups.why_not}")
        with Agent(directory) as agent:
            storm("--what", "cgroups", "--cnt", "250", "--workers", "2", "--dir", cgroups.base)
            polls_on(agent)
            name = cgroups.name_of(cgroups.base) + "/"
            wait_for("they are forgotten", lambda: not any(
                (row["cgroup"] or "").startswith(name) for row in
                agent.json("top", "top", "--once", "--by", "cgroup", "-n", "9999")["rows"]),
                3 * SETTLE_S)
            expect_bounded(agent)
    finally:
        cgroups.remove()


class Crowd:
    """Clients that say nothing, half a request, nonsense, or do not read, and hold on."""

    UNIX = (b"", b'{"v":1,"cm', b"\0" * 600, b'{"v":1,"cmd":"record"}\n')
    HTTP = (b"", b"GET / HTTP/1.1\r\nHo", b"\xff" * 600, b"GET /api/top HTTP/1.1\r\nHost: localhost\r\n")

    def __init__(self, agent, port):
        self.agent, self.port = agent, port
        self.over = threading.Event()
        self.came = 0
        self.thread = threading.Thread(target=self.press, daemon=True)

    def __enter__(self):
        self.thread.start()
        wait_for("a crowd", lambda: self.came >= 2 * CLIENTS, SETTLE_S, .1)
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(20)

    def come(self, i):
        is_http = i % 2
        client = socket.socket(socket.AF_INET if is_http else socket.AF_UNIX)
        client.setblocking(False)
        with contextlib.suppress(OSError):
            client.connect(("127.0.0.1", self.port) if is_http else str(self.agent.socket))
        with contextlib.suppress(OSError):
            client.send((self.HTTP if is_http else self.UNIX)[i // 2 % 4])
        self.came += 1
        return client

    def press(self):
        """They stay for as long as they are let; for each that is sent away another one comes."""
        clients = []
        while not self.over.wait(.002):
            if len(clients) < 2 * CLIENTS:
                clients.append(self.come(self.came))
            clients = [client for client in clients if stays(client)]
        for client in clients:
            client.close()


def stays(client):
    """Not sent away yet; an answer is not read, but for its first bytes."""
    try:
        if client.recv(1, socket.MSG_PEEK):
            return True
    except BlockingIOError:
        return True
    except OSError:
        pass
    client.close()
    return False


def check_clients(directory):
    """Who asks is answered, over the socket and HTTP, in the middle of a crowd that only holds on."""
    with Agent(directory, "--listen", "127.0.0.1:0") as agent:
        port = int(re.search(r"HTTP on .* port (\d+)", agent.log.read_text())[1])
        wait_for("a poll", lambda: fetch(port, "/readyz")[0] == 200, SETTLE_S)
        with Crowd(agent, port):
            for _ in range(5):
                wait_for("an answer over the socket",
                         lambda: agent.ask("status").returncode == 0, SETTLE_S, .1)
                wait_for("an answer over HTTP", lambda: is_healthy(port), SETTLE_S, .1)
            first = ask_polls(agent)
            wait_for("polls go on", lambda: ask_polls(agent) >= first + 10, SETTLE_S, INTERVAL_S)
            fds = len(os.listdir(f"/proc/{agent.pid}/fd"))
            expect(fds <= FDS_MAX, f"{fds} descriptors")
        clients = wait_for("the crowd is gone", lambda: agent.ask("status").returncode == 0 and
                           status(agent)["clients"], SETTLE_S)
        expect(clients["socket_displaced"] > 0 and clients["http_displaced"] > 0 and
               clients["socket_bad"] > 0, f"clients: {clients}")
        expect_bounded(agent)


def is_healthy(port):
    with contextlib.suppress(OSError):
        return fetch(port, "/healthz")[0] == 200
    return False


def ask_polls(agent):
    """0 while it has no place for us."""
    return agent.polls() if agent.ask("status").returncode == 0 else 0


CASES = {
    "more processes than there is room for": check_small_bounds,
    "thousands of processes": check_crowd,
    "storms of forks and execs": check_storms,
    "storms of cgroups": check_cgroups,
    "crowds of clients": check_clients,
}


def run_all(results, directory):
    directory.mkdir()
    for i, (name, check) in enumerate(CASES.items()):
        with results.case(f"floods: {name}"):
            check(directory / str(i))
