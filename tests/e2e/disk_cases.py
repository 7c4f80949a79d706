# SPDX-License-Identifier: BSD-2-Clause
"""disk_cases.py - a state that cannot be kept or understood, and clocks that jump.

Real disks: a small tmpfs that is filled, mounted read-only, and given back. Damage: bits flipped at
random places, files cut at every size class, formats of the future, files of somebody else. The
agent keeps detecting, says what is wrong in its status and metrics, and goes on saving as soon as
it can. Clocks are shifted by tests/faults/inject.c, so that nobody else's are touched.
"""
import concurrent.futures
import contextlib
import os
import random
import re
import shutil
import signal
import sqlite3
import struct
import time
import zlib

import faults
from fault_cases import leaking
from harness import LEASH, Agent, Skip, expect, run, tail, wait_for
from kill_cases import check_known, incidents_on, read_journal
from servers import get

WINDOW_S = 12
TICK_S = .1
DISK_BYTES = 8 << 20
ANSWER_S = 60
OPEN_S = 120
DAMAGES = int(os.environ.get("DISK_DAMAGES", "6"))
SEED = int(os.environ.get("DISK_SEED", "1"))


class DiskAgent(Agent):
    def __init__(self, directory, *options, state_dir=None):
        super().__init__(directory, "--window", f"{WINDOW_S}s", "--interval",
                         f"{int(TICK_S * 1000)}ms", "--listen", "127.0.0.1:0", "--no-drill",
                         *options, state_dir=state_dir)

    def status(self):
        return self.json("status", "status")

    def await_problem(self, pattern):
        """The status says so, and health is not ok."""
        def said():
            status = self.status()
            return status["health"] != "ok" and any(re.search(pattern, line)
                                                    for line in status["problems"])
        wait_for(f"a problem like '{pattern}' in the status", said, ANSWER_S, .2)

    def await_health(self):
        end = time.monotonic() + ANSWER_S
        while (status := self.status())["health"] != "ok":
            expect(time.monotonic() < end, f"still after {ANSWER_S} s: {status['problems']}")
            time.sleep(.2)

    def metric(self, name):
        port = re.findall(r"HTTP on .* port (\d+)", self.log.read_text())[-1]
        found = re.search(rf"^{name} (\S+)$", get(port, "/metrics"), re.M)
        expect(found, f"{name} is not in /metrics")
        return float(found[1])

    def await_incident(self, program):
        return wait_for("an incident", lambda: incidents_on(self, program.pid), OPEN_S, .3)[-1]

    def await_saved(self, more=5):
        """So many polls more are in the journal."""
        saved = self.status()["journal"]["ticks"]
        wait_for("polls are saved", lambda: self.status()["journal"]["ticks"] > saved + more,
                 ANSWER_S, .1)

    def check_ends(self):
        status = self.stop(signal.SIGTERM)
        expect(status == 0, f"SIGTERM: exit {status}:\n{tail(self.log)}")


# ---- disks ------------------------------------------------------------------------------------

@contextlib.contextmanager
def disk(path):
    """A file system of its own, of DISK_BYTES."""
    path.mkdir(parents=True)
    mounted = run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", path])
    if mounted.returncode:
        raise Skip(f"no tmpfs can be mounted: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        run(["umount", "-l", path])


def fill(path):
    with contextlib.suppress(OSError), open(path / "ballast", "ab", 0) as file:
        while True:
            file.write(bytes(4096))


def check_full(directory):
    """Full before the leak shows: it is found all the same, and saved when there is room again."""
    with leaking() as program, disk(directory / "disk") as state_dir, \
            DiskAgent(directory / "agent", state_dir=state_dir) as agent:
        wait_for("polls", lambda: agent.polls() > 5, ANSWER_S)
        expect(agent.metric("seep_history_up") == 1, "the history is not up")
        fill(state_dir)
        agent.await_problem("the history of sizes is not saved in .*: No space left")
        one = agent.await_incident(program)
        expect(agent.metric("seep_journal_write_failures_total") > 0,
               "the metrics say nothing of it")
        (state_dir / "ballast").unlink()
        agent.await_health()
        agent.await_saved()
        agent.stop(signal.SIGKILL)
        expect(len(read_journal(state_dir)) > 5, "the polls were not saved")
        agent.start()
        check_known(incidents_on(agent, program.pid), one)
        agent.check_ends()


def check_full_at_start(directory):
    """Not even the files can be made: it watches without them, and begins them later."""
    with leaking() as program, disk(directory / "disk") as state_dir:
        fill(state_dir)
        with DiskAgent(directory / "agent", state_dir=state_dir) as agent:
            one = agent.await_incident(program)
            agent.await_problem("incidents are not saved")
            (state_dir / "ballast").unlink()
            agent.await_health()
            agent.await_saved()
            agent.stop(signal.SIGKILL)
            agent.start()
            check_known(incidents_on(agent, program.pid), one)


def check_read_only(directory):
    """Remounted read-only and back, as after an error of the disk."""
    with leaking() as program, disk(directory / "disk") as state_dir, \
            DiskAgent(directory / "agent", state_dir=state_dir) as agent:
        one = agent.await_incident(program)
        agent.stop(signal.SIGKILL)
        expect(run(["mount", "-o", "remount,ro", state_dir]).returncode == 0, "no remount")
        agent.start()
        expect(agent.status()["journal"]["restored_polls"] > 0, "nothing is restored")
        agent.await_problem("not saved")
        two = agent.await_incident(program)
        expect(run(["mount", "-o", "remount,rw", state_dir]).returncode == 0, "no remount")
        agent.await_health()
        agent.await_saved()
        agent.check_ends()
        agent.start()
        every = agent.incidents("--all")
        check_known(every, one)
        check_known(every, two)


# ---- damage -----------------------------------------------------------------------------------

def flip(path, chance, bits):
    data = bytearray(path.read_bytes())
    for _ in range(bits):
        at = chance.randrange(len(data) * 8)
        data[at // 8] ^= 1 << at % 8
    path.write_bytes(data)


def size_classes(size):
    """Where a file may end: nothing, in its header, at, before and behind a page, all but a byte."""
    cuts = {0, 1, 8, 15, 16, 17, 23, 24, 99, 100, 101, 4095, 4096, 4097, size // 3, size // 2,
            size - 1}
    return sorted(cut for cut in cuts if 0 <= cut < size)


def check_survives(agent, what):
    """Starts over it, polls, answers, saves, and can read what it saved."""
    try:
        agent.start()
        wait_for("polls", lambda: agent.polls() >= 3, ANSWER_S, .1)
        agent.incidents("--all")
        agent.await_health()
        agent.check_ends()
        read_journal(agent.state_dir)
    except Exception as error:
        raise type(error)(f"{what}: {error}\n{tail(agent.log)}") from error


def damages(template, chance):
    """(what, what to do to a copy): each file, cut and flipped."""
    for path in sorted(template.iterdir()):
        size = path.stat().st_size
        name = path.name
        if not path.is_file() or not size or name == "incidents.db-shm":
            continue
        for cut in size_classes(size):
            yield f"{name} cut to {cut} of {size} bytes", \
                lambda state, n=name, c=cut: os.truncate(state / n, c)
        for bits in (1, 1, 1, 8, 64, 4096):
            seed = chance.random()
            yield f"{bits} bits flipped in {name}", \
                lambda state, n=name, b=bits, s=seed: flip(state / n, random.Random(s), b)


def check_damaged(directory):
    """Whatever is in the files, the agent starts over them and works."""
    with leaking() as program, DiskAgent(directory / "first") as first:
        first.await_incident(program)
        first.stop(signal.SIGKILL)
        chance = random.Random(SEED)
        every = list(damages(first.state_dir, chance))
        chosen = chance.sample(every, min(DAMAGES, len(every)))
        agent = DiskAgent(directory / "agent")
        for what, damage in chosen:
            shutil.rmtree(agent.state_dir, ignore_errors=True)
            shutil.copytree(first.state_dir, agent.state_dir)
            damage(agent.state_dir)
            check_survives(agent, what)
        print(f"disk: {len(chosen)} of {len(every)} damages survived", flush=True)


def write_future_segment(path):
    """Of a format that is not known yet, with a header that is."""
    head = b"seep-win" + struct.pack("<I", 99)
    path.write_bytes(head + struct.pack("<I", zlib.crc32(head)) + b"what nobody knows" * 10)


def check_future(directory):
    """Written by a newer seep: nothing of it is touched, and it is said."""
    with DiskAgent(directory) as agent:
        wait_for("polls", lambda: agent.polls() > 5, ANSWER_S)
        agent.stop(signal.SIGKILL)
        newest = sorted(agent.state_dir.glob("window-*.seg"))[-1]
        write_future_segment(newest)
        kept = newest.read_bytes()
        with contextlib.closing(sqlite3.connect(agent.state_dir / "incidents.db")) as base:
            version, = base.execute("PRAGMA user_version").fetchone()
            base.execute(f"PRAGMA user_version = {version + 1}")
        before = (agent.state_dir / "incidents.db").read_bytes()
        agent.start()
        agent.await_problem("newer version of seep")
        wait_for("polls", lambda: agent.polls() > 5, ANSWER_S)
        expect(agent.metric("seep_history_up") == 0, "the metrics say that the history is up")
        agent.check_ends()
        expect((agent.state_dir / "incidents.db").read_bytes() == before, "it was written to")
        aside = agent.state_dir / (newest.name + ".newer")
        expect(aside.exists() and aside.read_bytes() == kept, "the segment was not kept")


def check_foreign_owner(directory):
    """Directory and files of another user: used as they are, and not given away."""
    with DiskAgent(directory) as agent:
        wait_for("polls", lambda: agent.polls() > 5, ANSWER_S)
        agent.stop(signal.SIGKILL)
        for path in [agent.state_dir, *agent.state_dir.iterdir()]:
            os.chown(path, 65534, 65534)
            path.chmod(0o700 if path.is_dir() else 0o600)
        agent.start()
        expect(agent.status()["journal"]["restored_polls"] > 5, "nothing is restored")
        wait_for("polls", lambda: agent.polls() > 5, ANSWER_S)
        expect(agent.status()["health"] == "ok", f"{agent.status()['problems']}")
        agent.check_ends()


# ---- clocks -----------------------------------------------------------------------------------

class ShiftedAgent(DiskAgent):
    """Its clocks can be shifted while it runs."""

    def __init__(self, directory):
        if not faults.LIBRARY.exists():
            raise Skip(f"{faults.LIBRARY} is not built")
        super().__init__(directory)
        self.injector = faults.Injector(self.directory / "faults")

    def command(self):
        return [*LEASH, "env", f"LD_PRELOAD={faults.LIBRARY}", f"SEEP_FAULTS={self.injector.path}",
                *super().command()[len(LEASH):]]

    def shift(self, clock, by_s):
        self.injector[clock] = self.injector[clock] + int(by_s * 1e9)


def check_times_go_on(agent, what, asleep_s=0):
    """Polls come, and their times go on with what has passed; a jump is hours."""
    began, before = time.monotonic(), agent.status()
    polls = before["poll"]["cnt"]
    wait_for(f"{what}: polls go on", lambda: agent.polls() > polls + 5, ANSWER_S, .1)
    passed_s = time.monotonic() - began
    moved_s = agent.status()["at_s"] - before["at_s"]
    expect(0 <= moved_s <= passed_s + asleep_s + 600, f"{what}: times move by {moved_s} s")
    read_journal(agent.state_dir)


def check_wall_clock(directory):
    """Stepped both ways while it runs, and between two runs: times go on."""
    with leaking() as program, ShiftedAgent(directory) as agent:
        one = agent.await_incident(program)
        for by_s in (7200, -14400, 86400 * 400, -86400 * 400):
            agent.shift("realtime_ns", by_s)
            check_times_go_on(agent, f"the wall clock moves by {by_s} s")
        at_s = agent.status()["at_s"]
        agent.stop(signal.SIGKILL)
        agent.shift("realtime_ns", -3600)
        agent.start()
        expect("the clock went back" in agent.log.read_text(), "the agent does not say so")
        expect(agent.status()["at_s"] >= at_s - 1, "times began again")
        check_times_go_on(agent, "an hour back between two runs")
        check_known(incidents_on(agent, program.pid), one)
        agent.check_ends()


def check_suspend(directory):
    """The machine sleeps: CLOCK_BOOTTIME jumps, CLOCK_MONOTONIC does not."""
    with leaking() as program, ShiftedAgent(directory) as agent:
        one = agent.await_incident(program)
        for asleep_s in (WINDOW_S // 3, 10 * WINDOW_S):
            at_s = agent.status()["at_s"]
            agent.shift("boottime_ns", asleep_s)
            check_times_go_on(agent, f"asleep for {asleep_s} s", asleep_s)
            expect(agent.status()["at_s"] >= at_s + asleep_s - 1, "the time asleep is not counted")
        check_known(incidents_on(agent, program.pid), one)
        agent.check_ends()


CASES = {
    "a disk that is full and has room again": check_full,
    "a disk that is full from the start": check_full_at_start,
    "a disk that becomes read-only": check_read_only,
    "files cut and bits flipped": check_damaged,
    "files of a newer version": check_future,
    "files of somebody else": check_foreign_owner,
    "the wall clock jumps both ways": check_wall_clock,
    "the machine is suspended": check_suspend,
}


def run_one(results, directory, name):
    with results.case(f"disk: {name}"):
        CASES[name](directory)


def run_all(results, directory):
    """Three at a time: they mostly wait for a leak to show."""
    directory.mkdir()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for i, name in enumerate(CASES):
            pool.submit(run_one, results, directory / str(i), name)
