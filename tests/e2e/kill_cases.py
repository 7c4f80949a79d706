# SPDX-License-Identifier: BSD-2-Clause
"""kill_cases.py - SIGKILL at any moment, again and again, under load.

The agent polls every 50 ms beside a program that leaks, one that churns and one that forks, with an
incident open and the closer look at work, and is killed at a random moment: while it starts, loads
its programs, polls, saves, attaches or looks. After each kill everything that it left is looked at
from outside: the journal, the database, the code of the targets, bpffs. KILL_CYCLES says how often.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time
import zlib

from harness import LEASH, ROOT, Agent, Failure, expect, tail, wait_for

CYCLES = int(os.environ.get("KILL_CYCLES", "10"))
SEED = int(os.environ.get("KILL_SEED", "1"))
KEEP = os.environ.get("KILL_KEEP")  # where the state goes for a look afterwards
WINDOW_S = 30
POLL_S = .05
LIFE_S = 1.6          # a cycle's agent lives no longer...
LOOK_S = 4.0          # ...but every third one, so that it gets to attach its probes
OPEN_S = 120
SPARED_S = 30         # how long a dead agent's probes may take to go
WORKLOADS = ROOT / "build/tests/workloads"


class KilledAgent(Agent):
    def __init__(self, directory):
        super().__init__(directory, "--interval", f"{int(POLL_S * 1000)}ms", "--window",
                         f"{WINDOW_S}s", "--drill-targets", "4")

    def status(self):
        """Of an agent that may be starting still; None when it does not answer."""
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
            answer = self.ask("status", "--json")
            return json.loads(answer.stdout) if answer.returncode == 0 else None
        return None


# ---- what a dead agent left -------------------------------------------------------------------

def read_segment(path):
    """The times of the whole records, and the bytes behind them."""
    data = path.read_bytes()
    if len(data) < 16 or data[:8] != b"seep-win":
        return [], len(data)
    times, at = [], 16
    while at + 8 <= len(data):
        length, crc = struct.unpack_from("<II", data, at)
        payload = data[at + 8:at + 8 + length]
        if len(payload) < length or zlib.crc32(payload) != crc:
            break
        times.append(struct.unpack_from("<d", payload, 1)[0])
        at += 8 + length
    return times, len(data) - at


def read_journal(state_dir):
    """All polls on disk; torn records may only stand at the end of the newest segment."""
    segments = sorted(state_dir.glob("window-*.seg"))
    times = []
    for path in segments:
        found, torn = read_segment(path)
        expect(not torn or path == segments[-1], f"{path.name}: {torn} bytes make no sense")
        times += found
    for before, after in zip(times, times[1:]):
        expect(after > before, f"the history goes from {before} to {after}")
    return times


def check_database(state_dir):
    """Sound, with its log; on a copy, because looking writes."""
    with tempfile.TemporaryDirectory() as copy:
        for path in state_dir.glob("incidents.db*"):
            shutil.copy(path, copy)
        base = sqlite3.connect(pathlib.Path(copy) / "incidents.db")
        with contextlib.closing(base):
            expect(base.execute("PRAGMA integrity_check").fetchall() == [("ok",)],
                   "the database is damaged")


def code_of(pid):
    """(path, address, offset, size) of the code that the process runs from files."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
        fields = line.split(maxsplit=5)
        if "x" in fields[1] and len(fields) == 6 and fields[5].startswith("/"):
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            yield fields[5], begin, int(fields[2], 16), end - begin


def changed_code(pid):
    """Addresses where the process does not run what stands in its files: probes."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for path, begin, offset, size in code_of(pid):
            with open(path, "rb") as file:
                file.seek(offset)
                there = file.read(size)
            memory.seek(begin)
            here = memory.read(len(there))
            if here != there:
                found += [f"{path}+{offset + i:#x}" for i in range(len(there))
                          if here[i] != there[i]]
    return found


def our_pins():
    return sorted(pathlib.Path("/sys/fs/bpf").glob("seep*"))


# ---- the cycles -------------------------------------------------------------------------------

@contextlib.contextmanager
def load():
    """A leak; a program that allocates and frees without end; forks; all of them small."""
    commands = [
        [WORKLOADS / "leak_linear", "--base", "4M", "--rate", "1M"],
        [WORKLOADS / "bounded_cache"],
        ["sh", "-c", "while :; do /bin/true; sleep .02; done"],
    ]
    with contextlib.ExitStack() as stack:
        programs = []
        for command in commands:
            program = subprocess.Popen([*LEASH, *map(str, command)], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(lambda one=program: (one.kill(), one.wait()))
            programs.append(program)
        yield programs[0], programs[:2]


def incidents_on(agent, pid):
    """The oldest first. One at a time; a busy machine may have one end and another one begin."""
    found = sorted((one for one in agent.incidents("--all") if one["object"]["pid"] == pid),
                   key=lambda one: (one["opened_s"], one["state"] == "open"))
    for before, after in zip(found, found[1:]):
        expect(before["state"] == "closed" and before["closed_s"] <= after["opened_s"] + 1,
               f"two incidents on process {pid} at once: {brief(before)}, {brief(after)}")
    return found


def brief(incident):
    return {name: incident[name] for name in ("id", "state", "opened_s", "closed_s",
                                              "close_reason")}


def check_known(found, before):
    """An incident that was there is still there, as old as it was."""
    expect(any(one["id"] == before["id"] and one["opened_s"] == before["opened_s"]
               for one in found), f"{brief(before)} became {[brief(one) for one in found]}")


class Cycles:
    def __init__(self, agent, leak, targets):
        self.agent, self.leak, self.targets = agent, leak, targets
        self.chance = random.Random(SEED)
        self.known = {}         # incidents on the leak, by their identity
        self.newest_s = 0.      # poll on disk, before this life
        self.figures = {"cycles": 0, "killed before it answered": 0, "killed with probes in": 0,
                        "polls on disk": 0, "torn records": 0, "longest gap ms": 0,
                        "incidents": 0}

    def live(self):
        """One life. What it said last before the kill: the time of a poll that was finished."""
        self.agent.launch()
        looks = self.figures["cycles"] % 3 == 2
        end = time.monotonic() + self.chance.uniform(*(LIFE_S, LOOK_S) if looks else (0, LIFE_S))
        said = None
        while time.monotonic() < end:
            said = self.agent.status() or said
            time.sleep(min(.05, max(0, end - time.monotonic())))
        probed = any(changed_code(target.pid) for target in self.targets)
        expect(self.agent.process.poll() is None,
               f"the agent ended by itself with {self.agent.process.returncode}:\n"
               f"{tail(self.agent.log)}")
        self.agent.stop(signal.SIGKILL)
        self.figures["cycles"] += 1
        self.figures["killed before it answered"] += said is None
        self.figures["killed with probes in"] += probed
        return said

    def check_left(self, said):
        """What the dead agent left behind."""
        for target in self.targets:
            wait_for(f"process {target.pid} runs its own code again",
                     lambda one=target: not changed_code(one.pid), SPARED_S, .1)
        expect(not our_pins(), f"pinned: {our_pins()}")
        check_database(self.agent.state_dir)
        times = read_journal(self.agent.state_dir)
        newest = sorted(self.agent.state_dir.glob("window-*.seg"))
        self.figures["torn records"] += bool(newest and read_segment(newest[-1])[1])
        life = [t_s for t_s in times if t_s > self.newest_s]
        self.newest_s = max(times, default=self.newest_s)
        if said:
            self.check_no_poll_lost(said, life)

    def check_no_poll_lost(self, said, life):
        """What the agent had saved is on disk; only the poll after that may be missing."""
        expect(len(life) >= said["journal"]["ticks"],
               f"the agent had saved {said['journal']['ticks']} polls, {len(life)} are there")
        self.figures["polls on disk"] += len(life)
        gap_s = max((b - a for a, b in zip(life, life[1:])), default=0)
        self.figures["longest gap ms"] = max(self.figures["longest gap ms"], int(gap_s * 1000))

    def check_restored(self):
        """A life to look at: the same incident, once, and the history from before."""
        agent = self.agent
        whole = read_journal(agent.state_dir)
        agent.start()
        status = agent.json("status", "status")
        kept = [t_s for t_s in whole if t_s > status["started_s"] + 1 - WINDOW_S]
        expect(status["journal"]["restored_polls"] >= len(kept),
               f"{len(kept)} polls on disk, {status['journal']['restored_polls']} restored")
        found = incidents_on(agent, self.leak.pid)
        for one in self.known.values():
            check_known(found, one)
        self.known.update((one["id"], one) for one in found)
        self.figures["incidents"] = len(found)

    def run(self):
        found = wait_for("an incident", lambda: incidents_on(self.agent, self.leak.pid), OPEN_S,
                         .5)
        self.known = {one["id"]: one for one in found}
        with contextlib.suppress(Failure):  # a busy machine may take longer
            wait_for("a closer look", lambda: self.agent.json("status", "status")["targets"],
                     WINDOW_S, .3)
        self.agent.stop(signal.SIGKILL)
        self.check_left(None)
        for i in range(CYCLES):
            self.check_left(self.live())
            if i % 5 == 4:
                self.check_restored()
                self.agent.stop(signal.SIGKILL)
                self.check_left(None)
        self.check_restored()


def check_cycles(directory):
    with load() as (leak, targets), KilledAgent(directory) as agent:
        cycles = Cycles(agent, leak, targets)
        try:
            cycles.run()
        finally:
            print("kill: " + ", ".join(f"{value} {name}"
                                       for name, value in cycles.figures.items()), flush=True)
            if KEEP:
                shutil.copytree(directory, KEEP, ignore=shutil.ignore_patterns("*.sock"))


CASES = {f"{CYCLES} times SIGKILL at any moment under load": check_cycles}


def run_all(results, directory):
    directory.mkdir()
    for i, (name, check) in enumerate(CASES.items()):
        with results.case(f"kill: {name}"):
            check(directory / str(i))
