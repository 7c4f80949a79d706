#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""soak.py - does the agent stay as it is? Hours of ticks, compressed, with real churn.

    bench/soak.py [--for 30m] [--interval 100ms] [--keep FILE.csv]

The agent polls each 100 ms instead of 10 s, over a window of as many polls as it has in production
(2160), so that half an hour has the ticks of 50 hours. Meanwhile processes, crowds, cgroups and
clients of all manners come and go, and programs leak, become incidents, are looked into, and end.
What the agent takes is sampled all the time: the table has its course, `slope` the growth per hour
of the run behind the first third, with a 95 % interval from the means of 16 blocks. The series go
through `seep replay` in the end, and the agent is asked what it thinks of itself.

Work is compressed, time is not: what grows by the clock and not by the poll shows as it would in
half an hour. As root, with build/seep and the workloads built.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import socket
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "e2e"))
sys.dont_write_bytecode = True

import harness
from harness import ROOT, SEEP, Agent, Cgroups, Failure, Program, scratch_directory

WINDOW_POLLS = 2160  # 6 h of 10 s
SAMPLE_S = 2
ROWS = 12
BLOCKS = 16
T_95 = 2.145         # Student's t for BLOCKS - 2 degrees of freedom
WORKLOADS = ROOT / "build" / "tests" / "workloads"
STORM = WORKLOADS / "storm"

COLUMNS = {  # name: (unit, how much of it is one)
    "rss": ("MiB", 1 << 20), "anon": ("MiB", 1 << 20), "fds": ("", 1), "threads": ("", 1),
    "maps": ("MiB", 1 << 20), "procs": ("", 1), "cgroups": ("", 1), "series": ("", 1),
    "journal": ("MiB", 1 << 20), "incidents": ("MiB", 1 << 20),
}
BOUNDED = ("rss", "anon", "fds", "threads", "maps", "journal")


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|m|h)", text).groups()
    return float(number) * {"ms": .001, "s": 1, "m": 60, "h": 3600}[unit]


# ---- churn --------------------------------------------------------------------------------


class Churn:
    """Threads that each repeat one thing until the end; counts what they did."""

    def __init__(self, agent, cgroups, window_s):
        self.agent, self.cgroups, self.window_s = agent, cgroups, window_s
        self.over = threading.Event()
        self.counts = dict.fromkeys(("forks", "execs", "cgroups", "crowds", "leaks", "requests",
                                     "bad clients"), 0)
        self.threads = [threading.Thread(target=self.repeat, args=args, daemon=True) for args in (
            (self.storm, 1), (self.crowd, 5), (self.talk, .3), (self.misbehave, 1),
            (self.leak, 1), (self.leak, window_s / 2), (self.leak, window_s))]
        self.port = re.search(r"HTTP on .* port (\d+)", agent.log.read_text())[1]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def repeat(self, act, pause_s):
        chance = random.Random()
        while not self.over.wait(pause_s * chance.uniform(.5, 1.5)):
            try:
                act(chance)
            except (OSError, Failure, subprocess.SubprocessError) as error:
                print(f"  {act.__name__}: {error}", file=sys.stderr)

    def storm(self, chance):
        what = chance.choice(("forks", "execs", "cgroups"))
        cnt = {"forks": 400, "execs": 100, "cgroups": 20}[what]
        command = [STORM, "--what", what, "--cnt", str(cnt), "--seconds", "20"]
        if what == "cgroups":
            if not self.cgroups.base:
                return
            command += ["--dir", str(self.cgroups.base)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        self.counts[what] += int(done.stdout.split()[0])

    def crowd(self, chance):
        """Some hundred processes that stay for a moment."""
        command = [*harness.LEASH, str(STORM), "--what", "sleep", "--cnt",
                   str(chance.randrange(50, 400))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as crowd:
            self.over.wait(chance.uniform(5, 30))
            crowd.stdin.close()
        self.counts["crowds"] += 1

    def talk(self, chance):
        if chance.random() < .5:
            with socket.create_connection(("127.0.0.1", int(self.port)), 10) as http:
                page = chance.choice(("/metrics", "/", "/api/top", "/api/leaks", "/healthz"))
                http.sendall(f"GET {page} HTTP/1.1\r\nHost: localhost\r\n"
                             "Connection: close\r\n\r\n".encode())
                while http.recv(65536):
                    pass
        else:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(self.agent.socket))
                cmd = chance.choice(("top", "leaks", "status", "record"))
                client.sendall(json.dumps({"v": 1, "cmd": cmd}).encode() + b"\n")
                while client.recv(65536):
                    pass
        self.counts["requests"] += 1

    def misbehave(self, chance):
        """Half a request, nonsense, or an answer that nobody reads; then silence for a while."""
        with contextlib.ExitStack() as stack:
            for _ in range(chance.randrange(1, 6)):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(self.agent.socket))
                client.send(chance.choice((b'{"v":1,"cm', b'{"v":1,"cmd":"record"}\n',
                                           b"[" * 3000 + b"\n", chance.randbytes(2000))))
                http = stack.enter_context(socket.create_connection(("127.0.0.1", int(self.port))))
                http.sendall(chance.choice((b"GET / HT", b"\0" * 500, b"GET /api/top HTTP/1.1\r\n")))
                self.counts["bad clients"] += 2
            self.over.wait(chance.uniform(0, 5))

    def leak(self, chance):
        """Leaks until it is an incident and was looked into, or has had time enough for both."""
        cgroup = self.cgroups.make(f"leak-{threading.get_ident()}-{self.counts['leaks']}", 2 << 30)
        program = Program("leak", [WORKLOADS / chance.choice(("leak_linear", "leak_threads")),
                                   "--rate", f"{chance.randrange(400, 900)}K"], cgroup)
        program.start()
        self.counts["leaks"] += 1
        try:
            self.over.wait(1.3 * self.window_s)
        finally:
            program.kill()
            if cgroup:
                with contextlib.suppress(OSError):
                    cgroup.rmdir()
                    self.cgroups.made.remove(cgroup)


# ---- what it takes ------------------------------------------------------------------------


def size_below(path, suffixes):
    total = 0
    for file in path.rglob("*"):
        with contextlib.suppress(OSError):
            if file.name.endswith(suffixes):
                total += file.stat().st_size
    return total


def status_of(agent):
    with contextlib.suppress(Failure, json.JSONDecodeError, subprocess.SubprocessError):
        return agent.json("status", "status")
    return None


def sample(agent, start_s):
    """What the agent takes now, or None when it was too busy to tell."""
    status = status_of(agent)
    if not status:
        return None
    proc = pathlib.Path(f"/proc/{agent.pid}")
    fields = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    kib = lambda name: int(fields[name].split()[0]) * 1024
    return {
        "t": time.monotonic() - start_s, "polls": status["poll"]["cnt"],
        "rss": kib("VmRSS"), "anon": kib("RssAnon"), "threads": int(fields["Threads"]),
        "fds": len(os.listdir(proc / "fd")), "maps": status["self"]["map_bytes"],
        "procs": status["maps"]["seep_procs"]["used"],
        "cgroups": status["maps"]["seep_cgroups"]["used"], "series": status["tracked"]["series"],
        "journal": size_below(agent.state_dir, (".seg",)),
        "incidents": size_below(agent.state_dir, (".db", ".db-wal")),
    }


def watch(agent, run_s):
    start_s, samples = time.monotonic(), []
    while time.monotonic() - start_s < run_s:
        time.sleep(SAMPLE_S)
        if agent.process.poll() is not None:
            raise Failure(f"the agent ended with {agent.process.returncode}")
        taken = sample(agent, start_s)
        if taken:
            samples.append(taken)
    return samples


# ---- the report ---------------------------------------------------------------------------


def print_rows(samples):
    print("  " + f"{'minutes':>8} {'polls':>8}" + "".join(f"{name:>10}" for name in COLUMNS))
    for i in range(ROWS + 1):
        row = samples[i * (len(samples) - 1) // ROWS]
        print(f"  {row['t'] / 60:8.1f} {row['polls']:8d}" + "".join(
            f"{row[name] / scale:10.{2 if scale > 1 else 0}f}"
            for name, (_, scale) in COLUMNS.items()))


def slope_of(samples, name):
    """Growth per hour behind the first third: the slope of the means of blocks, and its interval."""
    rest = [s for s in samples if s["t"] >= samples[-1]["t"] / 3]
    size = len(rest) // BLOCKS
    blocks = [rest[i * size:(i + 1) * size] for i in range(BLOCKS)]
    t = [statistics.mean(s["t"] for s in block) / 3600 for block in blocks]
    y = [statistics.mean(s[name] for s in block) for block in blocks]
    slope, intercept = statistics.linear_regression(t, y)
    rest_square = sum((b - slope * a - intercept) ** 2 for a, b in zip(t, y))
    spread = sum((a - statistics.mean(t)) ** 2 for a in t)
    half = T_95 * (rest_square / (BLOCKS - 2) / spread) ** .5
    return slope, slope - half, slope + half


def print_slopes(samples):
    if len(samples) < 3 * BLOCKS:
        print("  slope: the run is too short to tell")
        return
    for name, (unit, scale) in COLUMNS.items():
        slope, low, high = (value / scale for value in slope_of(samples, name))
        flat = "flat" if low <= 0 <= high else "falls" if high < 0 else "grows"
        print(f"  slope {name:<10} {slope:9.2f} {unit or '':<3} per hour (95 %: {low:.2f} to "
              f"{high:.2f}): {flat}")


def replay(samples, path, window_s):
    """seep's own detector on the agent's own sizes."""
    with path.open("w") as csv:
        csv.write("series,t_s,bytes\n")
        for name in BOUNDED:
            csv.writelines(f"{name},{s['t']:.1f},{s[name]}\n" for s in samples)
    answer = harness.run([SEEP, "replay", "--json", "--window", f"{window_s:.0f}s", path])
    print("  seep replay: " + ", ".join(
        f"{line['series']} {line['verdict']}" + (" (alarms before)" if line["alarms"] else "")
        for line in map(json.loads, answer.stdout.splitlines())))


def print_end(agent, churn):
    status = status_of(agent) or {}
    closed = len(agent.incidents("--all")) - len(agent.incidents())
    print("  churn: " + ", ".join(f"{cnt} {what}" for what, cnt in churn.counts.items()))
    print(f"  incidents: {closed} closed, {len(agent.incidents())} open at the end")
    poll, lost = status["poll"], {k: v for k, v in status["dropped"].items() if v}
    print(f"  polls: {poll['cnt']}, {poll['late']} late, {poll['failed']} failed, longest "
          f"{poll['max_duration_ns'] / 1e6:.0f} ms; CPU {status['self']['cpu_ns'] / 1e9:.0f} s")
    print(f"  lost and counted: {lost or 'nothing'}")
    print(f"  the agent of itself: {status['health']}, {status['self']['verdict']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--for", dest="run_s", type=seconds, default=seconds("30m"))
    parser.add_argument("--interval", type=seconds, default=seconds("100ms"))
    parser.add_argument("--keep", type=pathlib.Path, help="the series, as a replay file")
    args = parser.parse_args()
    if os.geteuid():
        print("bench/soak.py: not measured: needs root")
        return 0
    window_s = WINDOW_POLLS * args.interval
    sys.stdout.reconfigure(line_buffering=True)
    print(f"An agent that polls each {args.interval * 1000:.0f} ms over a window of {window_s:.0f} s, "
          f"{args.run_s / 60:.0f} minutes, Linux {os.uname().release}")
    cgroups = Cgroups(f"seep-soak-{os.getpid()}")
    options = ("--interval", f"{args.interval * 1000:.0f}ms", "--window", f"{window_s:.0f}s",
               "--listen", "127.0.0.1:0", "--inspect", f"{window_s:.0f}s")
    try:
        with scratch_directory() as directory, Agent(directory, *options) as agent:
            with Churn(agent, cgroups, window_s) as churn:
                samples = watch(agent, args.run_s)
                print_rows(samples)
                print_slopes(samples)
                replay(samples, args.keep or directory / "own.csv", args.run_s)
                print_end(agent, churn)
    finally:
        cgroups.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
