# SPDX-License-Identifier: BSD-2-Clause
"""target_cases.py - `seep trace` of programs that do odd things, of families, and beside debuggers.

The programs are tests/workloads/odd.c, odd_throw.cc and prefork.c. That probes which come and go do
them no harm is tried in tests/kernel/test_targets.c; here the line that leaks is found, exactly, and
what they say is what they say without anybody looking.
"""
import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import threading

from harness import LEASH, ROOT, SEEP, Skip, check_shape, expect, need_root, run, wait_for

WORKLOADS = ROOT / "build/tests/workloads"
KINDS = ("throw", "longjmp", "coroutines", "vfork", "storm", "io_uring", "filter", "unload")
ROUNDS, LEAK_BYTES = 211, 1009
NOT_HERE = 77
PATIENCE_S = 150  # attaching takes half a second of CPU time each, and others run, too


def line_of(source, what="leak"):
    text = (ROOT / "tests/workloads" / source).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if line.endswith(f"/* line: {what} */"):
            return number
    raise LookupError(what)


def command_of(kind):
    return [WORKLOADS / "odd_throw"] if kind == "throw" else [WORKLOADS / "odd", kind]


class Odd:
    """One of the programs, in its rounds that leak nothing, until it is told."""

    def __init__(self, kind):
        self.kind = kind
        self.process = subprocess.Popen([*LEASH, *map(str, command_of(kind))], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.is_here = self.process.stdout.readline() == "ready\n"
        if not self.is_here:
            expect(self.process.wait() == NOT_HERE, f"{kind} ends with {self.process.returncode}")

    def finish(self):
        """What it says in the end."""
        self.process.stdin.close()
        said = self.process.stdout.read()
        expect(self.process.wait(PATIENCE_S) == 0, f"{self.kind}: {self.process.returncode}")
        return said

    def kill(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def odd_programs(kinds):
    with contextlib.ExitStack() as stack:
        programs = []
        for kind in kinds:
            programs.append(Odd(kind))
            stack.callback(programs[-1].kill)
        yield [program for program in programs if program.is_here]


class Tracer:
    """`seep trace` at a terminal of its own: its progress line says when all are attached to."""

    def __init__(self, *args):
        self.master, slave = pty.openpty()
        command = [*LEASH, str(SEEP), "trace", "-d", "10m", "--sample", "all", "--top", "0", "--json",
                   *map(str, args)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, text=True)
        os.close(slave)
        self.said = ""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        os.close(self.master)

    def read(self):
        """Until its end; or it would wait for the terminal."""
        with contextlib.suppress(OSError):
            while text := os.read(self.master, 4096):
                self.said += text.decode(errors="replace")

    def await_processes(self, count):
        what = "outstanding" if count == 1 else f"{count} processes, "

        def is_said():
            expect(self.process.poll() is None, f"not attached to {count}: {self.said}")
            return what in self.said

        wait_for(f"{count} are attached to", is_said, PATIENCE_S, .05)

    def finish(self):
        """The processes traced, by id, when all have ended."""
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        expect(self.process.returncode == 0, f"exit {self.process.returncode}: {self.said}")
        return by_pid(out)


def by_pid(out):
    found = [check_shape(json.loads(line), "trace") for line in out.splitlines()]
    return {traced["pid"]: traced for traced in found}


def leak_of(traced):
    """(blocks, bytes, line) of the site in leaky(), and the functions of its stack."""
    for site in traced["sites"]:
        if site["frames"][0]["function"] == "leaky":
            return ((site["outstanding_count"], site["outstanding_bytes"],
                     site["frames"][0]["line"]), [frame["function"] for frame in site["frames"]])
    raise LookupError(f"no site in leaky(): {traced['sites'][:2]}")


def check_odd():
    """All kinds at once, told when the probes are there; each ends by itself, and so does the trace."""
    with odd_programs(KINDS) as programs:
        alone = {program.kind: program.finish() for program in programs}
    with odd_programs(alone) as programs:
        pids = ",".join(str(program.process.pid) for program in programs)
        with Tracer("-p", pids) as tracer:
            tracer.await_processes(len(programs))
            said = {program.kind: program.finish() for program in programs}
            traced = tracer.finish()
    expect(said == alone, f"{said} instead of {alone}")
    for program in programs:
        leak, stack = leak_of(traced[program.process.pid])
        source = "odd_throw.cc" if program.kind == "throw" else "odd.c"
        expect(leak == (ROUNDS, ROUNDS * LEAK_BYTES, line_of(source)), f"{program.kind}: {leak}")
        expect(len(stack) > 1 and stack[1], f"{program.kind}: {stack}")
    if len(alone) < len(KINDS):
        raise Skip(f"not here: {set(KINDS) - set(alone)}; all others are right")


def check_family(directory, is_command):
    """A server that forks its workers, traced from its start or by its master's id."""
    workers, go = 3, directory / f"go-{is_command}"
    server = [WORKLOADS / "prefork", "--go", go, "--workers", workers, "--delay", 0]
    out = directory / "family.json"
    with contextlib.ExitStack() as stack:
        if is_command:
            tracer = stack.enter_context(Tracer("--follow-forks", "-O", out, "--", *server))
            lines = tracer.process.stdout
        else:
            master = stack.enter_context(subprocess.Popen([*LEASH, *map(str, server)], text=True,
                                                          stdout=subprocess.PIPE))
            stack.callback(master.kill)
            wait_for("its workers", lambda: len(children_of(master.pid)) == workers, PATIENCE_S, .05)
            tracer = stack.enter_context(Tracer("--follow-forks", "-p", master.pid, "-O", out))
            lines = master.stdout
        tracer.await_processes(workers + 1)
        go.touch()
        ids = dict(map(int, re.fullmatch(r"(\d+) leaked (\d+)\n", lines.readline()).groups())
                   for _ in range(workers + 1))
        tracer.process.send_signal(signal.SIGINT)
        expect(tracer.process.wait(PATIENCE_S) == 0, f"exit {tracer.process.returncode}")
        if is_command:  # it goes on when the trace is over
            for pid in ids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    found = by_pid(out.read_text(encoding="utf-8"))
    expect(found.keys() == ids.keys(), f"{found.keys()} instead of {ids.keys()}")
    for pid, number in ids.items():
        leak, stack = leak_of(found[pid])
        count = ROUNDS + number
        expect(leak == (count, count * (LEAK_BYTES + number), line_of("prefork.c")),
               f"worker {number}: {leak}")
        expect(("serve" in stack) == (number > 0), f"worker {number}: {stack}")
        expect("children" not in found[pid]["dropped"], f"{found[pid]['dropped']}")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return file.read().split()


def tracer_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(r"^TracerPid:\t(\d+)", file.read(), re.M).group(1))


def check_beside(debugger, is_first):
    """Another one that stops it and sets breakpoints: before the probes come, or while they are there."""
    if not shutil.which(debugger[0]):
        raise Skip(f"no {debugger[0]}")
    with odd_programs(["longjmp"]) as (program,):
        alone = program.finish()
    with odd_programs(["longjmp"]) as (program,), contextlib.ExitStack() as stack:
        command = [*LEASH, *(arg.format(pid=program.process.pid) for arg in debugger)]

        def debug():
            other = stack.enter_context(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL))
            stack.callback(other.kill)
            wait_for("the debugger is attached", lambda: tracer_of(program.process.pid), PATIENCE_S)

        if is_first:
            debug()
        with Tracer("-p", program.process.pid) as tracer:
            tracer.await_processes(1)
            if not is_first:
                debug()
            said = program.finish()
            traced = tracer.finish()
    expect(said == alone, f"{said} instead of {alone}")
    leak, _ = leak_of(traced[program.process.pid])
    expect(leak == (ROUNDS, ROUNDS * LEAK_BYTES, line_of("odd.c")), f"{leak}")


STRACE = ["strace", "-f", "-o", "/dev/null", "-p", "{pid}"]
GDB = ["gdb", "-nx", "-q", "-batch", "-p", "{pid}", "-ex", "set pagination off",
       "-ex", "break leaky", "-ex", "ignore 1 1000000", "-ex", "continue"]


def check_go():
    """Its heap is its own: nothing is probed, and it is said."""
    if not (WORKLOADS / "leak_go").exists():
        raise Skip("no Go compiler")
    with subprocess.Popen([*LEASH, str(WORKLOADS / "leak_go")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            answer = run([SEEP, "trace", "-p", process.pid, "-d", "1s"], PATIENCE_S)
            expect(answer.returncode == 1 and "no known allocator" in answer.stderr, f"{answer}")
            expect(process.poll() is None, f"it ended with {process.returncode}")
        finally:
            process.kill()


def run_all(results, directory):
    directory.mkdir()
    cases = {
        "programs that do odd things": check_odd,
        "a family, from its first process on": lambda: check_family(directory, True),
        "a family, by its master's id": lambda: check_family(directory, False),
        "strace is there first": lambda: check_beside(STRACE, True),
        "strace comes later": lambda: check_beside(STRACE, False),
        "gdb is there first": lambda: check_beside(GDB, True),
        "gdb comes later": lambda: check_beside(GDB, False),
        "a Go program": check_go,
    }
    for name, check in cases.items():
        with results.case(f"targets: {name}"):
            need_root("tracing")
            check()
