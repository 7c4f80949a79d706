# SPDX-License-Identifier: BSD-2-Clause
"""harness.py - what the end-to-end cases stand on: the CLI, agents, programs, cgroups, results.

Everything that is started dies with the thread that started it (setpriv --pdeathsig), so that
even a killed test run leaves nothing behind. Threads that start something therefore stay for as
long as it is needed.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import contract

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEEP = ROOT / "build" / "seep"
WINDOW_S = 60
INTERVAL_S = 0.2
START_TIMEOUT_S = 20
PATIENCE = 6 if os.environ.get("SEEP_SLOW") else 1  # an emulated machine is slow
LEASH = ["setpriv", "--pdeathsig", "KILL"]


class Failure(Exception):
    """A case that did not hold; the text says what was seen instead."""


class Skip(Exception):
    """A case that cannot be tried on this machine; the text says why."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def wait_for(what, probe, timeout_s, every_s=0.5):
    """The first true value of probe()."""
    end = time.monotonic() + timeout_s * PATIENCE
    while True:
        value = probe()
        if value:
            return value
        expect(time.monotonic() < end, f"{what}: not within {timeout_s} s")
        time.sleep(every_s)


class Results:
    """Counts cases and prints a line for each; safe to share between threads."""

    def __init__(self):
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}
        self.lock = threading.Lock()

    def add(self, outcome, name, text=""):
        with self.lock:
            self.counts[outcome] += 1
            indented = str(text).strip().replace("\n", "\n        ")
            print(f"{outcome:<5} {name}" + (f": {indented}" if text else ""), flush=True)

    @contextlib.contextmanager
    def case(self, name):
        """Runs the block as one case. Whatever it raises is the case's result, and ends here."""
        try:
            yield
        except Skip as reason:
            self.add("skip", name, reason)
        except Failure as failure:
            self.add("FAIL", name, failure)
        except Exception as error:  # a case must not take the others with it
            self.add("FAIL", name, f"{type(error).__name__}: {error}")
        else:
            self.add("ok", name)

    def summary(self):
        return "{ok} passed, {FAIL} failed, {skip} skipped".format(**self.counts)


def run(args, timeout_s=30, **options):
    return subprocess.run([str(arg) for arg in args], capture_output=True, text=True,
                          errors="replace", timeout=timeout_s * PATIENCE, check=False,
                          stdin=options.pop("stdin", subprocess.DEVNULL), **options)


def tail(path, lines=15):
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""


def check_shape(value, shape):
    found = contract.problems(value, contract.SHAPES[shape])
    expect(not found, f"not the shape of '{shape}':\n" + "\n".join(found[:8]))
    return value


class Agent:
    """`seep agent` with its own state and socket; a context manager that stops it."""

    def __init__(self, directory, *options, state_dir=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket = self.directory / "seep.sock"
        self.log = self.directory / "agent.log"
        self.state_dir = state_dir or self.directory / "state"
        self.options = options
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)

    def command(self):
        return [*LEASH, str(SEEP), "agent", "--interval", f"{int(INTERVAL_S * 1000)}ms",
                "--window", f"{WINDOW_S}s", "--state-dir", str(self.state_dir),
                "--socket", str(self.socket), "--listen", "none", *self.options]

    def launch(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=ROOT)

    def start(self):
        self.launch()
        wait_for("the agent answers", self.answers, START_TIMEOUT_S, 0.1)

    def answers(self):
        expect(self.process.poll() is None,
               f"the agent ended with {self.process.returncode}:\n{tail(self.log)}")
        return self.socket.exists() and self.ask("status", "--json").returncode == 0

    def stop(self, signo=signal.SIGTERM):
        """Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signo)
        return self.process.wait(timeout=20 * PATIENCE)

    @property
    def pid(self):
        return self.process.pid

    def ask(self, *args):
        return run([SEEP, *args, "--socket", self.socket])

    def json(self, shape, *args):
        """The answer of a command with --json, checked against the contract."""
        answer = self.ask(*args, "--json")
        expect(answer.returncode == 0,
               f"seep {' '.join(args)}: exit {answer.returncode}: {answer.stderr}")
        return check_shape(json.loads(answer.stdout), shape)

    def incidents(self, *options):
        return self.json("leaks", "leaks", *options)["incidents"]

    def polls(self):
        return self.json("status", "status")["poll"]["cnt"]


class Cgroups:
    """A directory of our own in the memory controller's hierarchy, v1 or v2; or None at all."""

    def __init__(self, name):
        self.version, self.mount = find_memory_hierarchy()
        self.base = self.mount / name if self.mount else None
        self.made = []
        try:
            self.make_base()
        except OSError as error:
            self.base = None
            self.why_not = str(error)

    def make_base(self):
        if not self.base:
            self.why_not = "no memory controller is mounted"
            return
        self.base.mkdir()
        self.made.append(self.base)
        if self.version == 2:
            (self.base / "cgroup.subtree_control").write_text("+memory")

    def make(self, name, limit_bytes=None):
        """The directory of a new cgroup, or None where none can be made."""
        if not self.base:
            return None
        path = self.base / name
        path.mkdir()
        self.made.append(path)
        if limit_bytes:
            file = "memory.max" if self.version == 2 else "memory.limit_in_bytes"
            (path / file).write_text(str(limit_bytes))
        return path

    def name_of(self, path):
        """As in /proc/PID/cgroup."""
        return "/" + str(path.relative_to(self.mount))

    def remove(self):
        for path in reversed(self.made):
            with contextlib.suppress(OSError, Failure):
                wait_for("empty", lambda p=path: not (p / "cgroup.procs").read_text(), 5, 0.1)
            with contextlib.suppress(OSError):
                path.rmdir()


def find_memory_hierarchy():
    """(version, mount point) of the memory controller; (0, None) when there is none."""
    unified = None
    for line in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _, rest = line.partition(" - ")
        point, kind, options = pathlib.Path(fields.split()[4]), rest.split()[0], rest.split()[-1]
        if kind == "cgroup" and "memory" in options.split(","):
            return 1, point
        if kind == "cgroup2" and "memory" in (point / "cgroup.controllers").read_text().split():
            unified = point
    return (2, unified) if unified else (0, None)


class Program:
    """A program under test, on a leash, in a cgroup of its own where that is possible."""

    def __init__(self, name, command, cgroup=None, cgroup_name=None, forks=False):
        self.name = name
        self.command = command
        self.cgroup = cgroup
        self.cgroup_name = cgroup_name
        self.forks = forks
        self.process = None

    def start(self, output=None):
        enter = 'echo $$ >"$0"/cgroup.procs && exec "$@"'
        inside = ["sh", "-c", enter, str(self.cgroup)] if self.cgroup else []
        self.process = subprocess.Popen([*inside, *LEASH, *self.command], cwd=ROOT, text=True,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        stdout=output or subprocess.DEVNULL)

    def start_server(self):
        """Starts it and returns the port that it says it listens on."""
        self.start(subprocess.PIPE)
        line = self.process.stdout.readline()
        expect(re.fullmatch(r"port \d+\n", line), f"'{self.name}' does not serve: {line!r}")
        return int(line.split()[1])

    @property
    def pid(self):
        return self.process.pid

    def pids(self):
        """Its process, or whatever is in its cgroup now."""
        if self.forks:
            return {int(pid) for pid in (self.cgroup / "cgroup.procs").read_text().split()}
        return {self.pid}

    def owns(self, incident):
        """Is the incident about the program (not about its cgroup as a whole)?"""
        named = incident["object"]
        if self.forks:
            return named["pid"] is not None and named["cgroup"] == self.cgroup_name
        return named["pid"] == self.pid

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def scratch_directory():
    """A temporary directory that every user may look into."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="seep-e2e-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def need_root(what):
    if os.geteuid() != 0:
        raise Skip(f"{what} needs root")
