# SPDX-License-Identifier: BSD-2-Clause
"""sandbox_cases.py - who reads the files of others has no rights, and its end is no end of a trace.

Also with how few capabilities `seep trace` finds the line that leaks, and what it says when one of
them is missing.
"""
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import struct
import subprocess

from harness import LEASH, SEEP, Agent, Skip, check_shape, expect, need_root, run, wait_for
from trace_cases import PROGRAM, START_S, check_frame, line_of, program, site_with, trace

NOBODY = "65534"
SETGID, SETUID, SYS_ADMIN = 6, 7, 21  # as in linux/capability.h
SMALLEST = ("bpf", "perfmon", "sys_ptrace")
CORRUPT = 4  # programs whose symbols are noise, each in its way


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return {key: value.split() for key, _, value in
            (line.partition(":") for line in text.splitlines())}


def children(pid):
    with contextlib.suppress(OSError):
        return [int(word) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children")
                for word in path.read_text(encoding="utf-8").split()]
    return []


def readers(pid):
    """The sandboxes of seep's process: the children of its only child of that kind."""
    found = []
    for child in children(pid):
        for grandchild in children(child):
            with contextlib.suppress(OSError):
                if status_of(grandchild).get("Name") == ["seep-reader"]:
                    found.append(grandchild)
    return found


def links(pid):
    found = []
    with contextlib.suppress(OSError):
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.append(os.readlink(entry))
    return found


def symbol_reader(pid):
    """The one that keeps files open (who looks for allocators has one at a time), and none else."""
    for reader in readers(pid):
        files = [pathlib.Path(link).name for link in links(reader)]
        if PROGRAM.name in files and any(name.startswith("libc.so") for name in files):
            return reader
    return None


def may(capability):
    """Have we got it ourselves? What is started here has the same."""
    return int(status_of("self")["CapEff"][0], 16) >> capability & 1


def check_rights(pid, reader):
    status = status_of(reader)
    if may(SETUID) and may(SETGID):
        expect(status["Uid"] == [NOBODY] * 4 and status["Gid"] == [NOBODY] * 4, f"runs as {status['Uid']}")
        expect(not status["Groups"], f"has groups {status['Groups']}")
    if may(SYS_ADMIN):
        expect(os.readlink(f"/proc/{reader}/ns/net") != os.readlink(f"/proc/{pid}/ns/net"),
               "shares the network")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        expect(int(status[kind][0], 16) == 0, f"{kind} is {status[kind]}")
    expect(status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"], "can gain privileges")
    limits = pathlib.Path(f"/proc/{reader}/limits").read_text(encoding="utf-8")
    expect(re.search(r"Max core file size\s+0\s+0", limits) and
           re.search(r"Max address space\s+1073741824\s+1073741824", limits), limits)
    sockets = [link for link in links(reader) if not link.startswith(("/", "anon_inode", "memfd"))]
    expect(len(sockets) == 1, f"has {sockets}")


@contextlib.contextmanager
def running_trace(*args):
    with subprocess.Popen([*LEASH, str(SEEP), "trace", *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def check_killed():
    """The reader has no rights; killed as by a crash, the trace goes on and says so."""
    with program("--per-s", 2000) as target, \
            running_trace("-p", target.pid, "-d", "6s", "--sample", "all", "-o", "json") as tracing:
        reader = wait_for("a reader of symbols", lambda: symbol_reader(tracing.pid), START_S, .05)
        check_rights(tracing.pid, reader)
        os.kill(reader, signal.SIGSEGV)
        out, err = tracing.communicate(timeout=START_S + 30)
        expect(tracing.returncode == 0, f"exit {tracing.returncode}: {err}")
        traced = check_shape(json.loads(out), "trace")
        expected = (f"some symbols of PID {target.pid} may be missing: the reader of its files ended "
                    "(signal 11)")
        expect(expected in traced["not_seen"], f"not seen: {traced['not_seen']}")
        expect(traced["outstanding_bytes"] > 0, "nothing is outstanding")
        # another one has taken over
        check_frame(site_with(traced, "leaky")["frames"][0], "leaky", line_of("leak"))


def tail_of_file(image):
    """Where what is mapped to run ends: symbols, debug information and section headers lie behind."""
    phoff, = struct.unpack_from("<Q", image, 32)
    phentsize, phnum = struct.unpack_from("<HH", image, 54)
    ends = [0]
    for i in range(phnum):
        kind, = struct.unpack_from("<I", image, phoff + i * phentsize)
        offset, = struct.unpack_from("<Q", image, phoff + i * phentsize + 8)
        size, = struct.unpack_from("<Q", image, phoff + i * phentsize + 32)
        if kind == 1:
            ends.append(offset + size)
    return max(ends)


def corrupted(seed):
    """The program, which still runs; everything else in its file changed here and there, or everywhere."""
    chance = random.Random(seed)
    image = bytearray(PROGRAM.read_bytes())
    begin = tail_of_file(image)
    if seed == 0:
        image[begin:] = chance.randbytes(len(image) - begin)
    else:
        for _ in range(200 * seed):
            image[chance.randrange(begin, len(image))] = chance.randrange(256)
    return bytes(image)


def check_corrupt(directory):
    """Programs whose symbols and debug information are noise: a trace of what can be known."""
    directory.mkdir()
    for seed in range(CORRUPT):
        path = directory / f"corrupt{seed}"
        path.write_bytes(corrupted(seed))
        path.chmod(0o755)
        with program("--per-s", 2000, path=path) as target:
            traced, = [json.loads(line) for line in
                       trace("-p", target.pid, "-d", "1s", "--sample", "all", "-o", "json")
                       .stdout.splitlines()]
        check_shape(traced, "trace")
        expect(traced["outstanding_bytes"] > 0, f"{seed}: nothing is outstanding")
        expect(not any("the reader of its files" in line for line in traced["not_seen"]),
               f"{seed}: {traced['not_seen']}")


def with_capabilities(*names):
    """As root with exactly these, and no way to others."""
    return ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set",
            ",".join(["-all", *(f"+{name}" for name in names)])]


def check_smallest():
    """BPF, PERFMON and SYS_PTRACE are enough to name the line; without the last it is named itself."""
    if any(check["name"] == "CAP_SYS_ADMIN" for check in
           json.loads(run([SEEP, "doctor", "--json"]).stdout)["checks"]):
        raise Skip("without uprobe_multi (before Linux 6.6) probes need CAP_SYS_ADMIN")
    command = [str(SEEP), "trace", "-d", "2s", "--sample", "all", "-o", "json", "-p"]
    with program("--per-s", 2000) as target:
        enough = run([*with_capabilities(*SMALLEST), *command, str(target.pid)], START_S + 30)
        expect(enough.returncode == 0, f"exit {enough.returncode}: {enough.stderr}")
        traced = json.loads(enough.stdout)
        check_frame(site_with(traced, "leaky")["frames"][0], "leaky", line_of("leak"))
        for missing in SMALLEST:
            left = [name for name in SMALLEST if name != missing]
            less = run([*with_capabilities(*left), *command, str(target.pid)], START_S + 30)
            expect(less.returncode == 5, f"without {missing}: exit {less.returncode}: {less.stderr}")
            expect(f"missing capability: CAP_{missing.upper()};" in less.stderr,
                   f"without {missing}: {less.stderr}")


def check_agent(directory):
    """The agent's threads are filtered, its readers are told of, and nothing is left when it is killed."""
    with Agent(directory) as agent:
        wait_for("a poll", lambda: agent.polls() >= 1, 10)
        status = agent.json("status", "status")["sandbox"]
        expect("no capabilities, seccomp, limits" in status["confined"] and status["failed"] == 0,
               f"{status}")
        expect("user nobody" in status["confined"] or not may(SETUID), f"{status}")
        expect(status["own_calls"] == "filtered" and status["may_run_commands"] is False, f"{status}")
        for path in pathlib.Path(f"/proc/{agent.pid}/task").glob("*/status"):
            expect("Seccomp:\t2\n" in path.read_text(encoding="utf-8"), f"{path}: not filtered")
        nursery, = children(agent.pid)
        expect(status_of(nursery)["CapEff"] == ["0" * 16], "the parent of readers has rights")
        agent.stop(signal.SIGKILL)
        wait_for("the parent of readers ends", lambda: not os.path.exists(f"/proc/{nursery}"), 10)


def run_all(results, directory):
    directory.mkdir()
    cases = {
        "a reader without rights is killed, and the trace goes on": check_killed,
        "programs with noise for symbols": lambda: check_corrupt(directory / "corrupt"),
        "the fewest capabilities": check_smallest,
        "the agent and its readers": lambda: check_agent(directory / "agent"),
    }
    for name, check in cases.items():
        with results.case(f"sandbox: {name}"):
            need_root("tracing")
            check()
