# SPDX-License-Identifier: BSD-2-Clause
"""hostile_cases.py - a container that fights back: `seep trace` and the agent read what is in it.

tests/workloads/hostile.c runs in a mount namespace and a root of its own, where everything that is
looked at on the way to a name is a trap: files without end, FIFOs, devices, links out of the root,
ELF sections that claim or unfold to more than there is, names with terminal escapes. Nobody may
wait, take memory without bound, follow a link out, or show a name as it is.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import zlib

from harness import (INTERVAL_S, LEASH, ROOT, SEEP, WINDOW_S, Agent, Cgroups, Skip, expect,
                     need_root, tail, wait_for)
from sandbox_cases import readers

PROGRAM = ROOT / "build/tests/workloads/hostile"
PATIENCE_S = 150          # for a trace of a second; a trap that is waited for takes for ever
RSS_MAX_BYTES = 256 << 20 # of the one that reads: far below what is claimed
ENDLESS = 1 << 40
NAME = "[31m"             # what is left of an escape where a name was made safe
TITLE = "\033]0;owned\a"
SHT_SYMTAB, SHF_COMPRESSED, ELFCOMPRESS_ZLIB = 2, 0x800, 1


# ---- ELF files that lie -------------------------------------------------------------------


class Elf:
    """Just enough of a 64-bit little-endian file to falsify its section headers."""

    def __init__(self, path):
        self.path = path
        self.data = bytearray(path.read_bytes())
        self.offset, = struct.unpack_from("<Q", self.data, 40)
        self.cnt, self.names = struct.unpack_from("<HH", self.data, 60)

    def header(self, i):
        return list(struct.unpack_from("<IIQQQQIIQQ", self.data, self.offset + 64 * i))

    def put(self, i, fields):
        struct.pack_into("<IIQQQQIIQQ", self.data, self.offset + 64 * i, *fields)

    def find(self, name):
        start = self.header(self.names)[4]
        for i in range(self.cnt):
            at = start + self.header(i)[0]
            if self.data[at:self.data.index(b"\0", at)] == name:
                return i
        raise LookupError(name)

    def save(self, size=None):
        self.path.write_bytes(self.data)
        if size:
            os.truncate(self.path, size)


def claim_sections(path):
    """The count of sections is in the first of them, where there are more than fit the header."""
    elf = Elf(path)
    struct.pack_into("<H", elf.data, 60, 0)
    first = elf.header(0)
    first[5] = 0xffffffff
    elf.put(0, first)
    elf.save()


def grow_section(name, size):
    """Most of the section is a hole behind the end of the file, which costs the container nothing."""
    def change(path):
        elf = Elf(path)
        i = elf.find(name)
        fields = elf.header(i)
        fields[5] = size
        elf.put(i, fields)
        elf.save(2 * size)
    return change


def fold_section(path):
    """Zeros, a thousand times as many as there are bytes in the file."""
    elf = Elf(path)
    # in pieces: what we take at most ourselves, a child of ours seems to have taken
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(240)) + packer.flush()
    i = elf.find(b".debug_info")
    fields = elf.header(i)
    fields[2] |= SHF_COMPRESSED
    fields[4], fields[5] = len(elf.data), 24 + len(packed)
    elf.put(i, fields)
    elf.data += struct.pack("<IIQQ", ELFCOMPRESS_ZLIB, 0, 240 << 20, 1) + packed
    elf.save()


def leave(path):
    """As it was built."""


def objcopy(*args):
    subprocess.run(["objcopy", *map(str, args)], check=True, capture_output=True)


def rename_function(path):
    objcopy("--redefine-sym", "lose=\033[31mlose\033]0;owned\a", path)


def refer(make_trap):
    """Without names of its own; they are said to be in app.debug, which is a trap."""
    def change(path):
        debug = path.parent / "app.debug"
        objcopy("--only-keep-debug", path, debug)
        objcopy("--strip-all", "--remove-section=.note.gnu.build-id",
                f"--add-gnu-debuglink={debug}", path)
        make_trap(debug)
    return change


def trap_endless(path):
    """Still a debug file, but without a build id, and whoever wants its checksum reads holes."""
    objcopy("--remove-section=.note.gnu.build-id", path)
    os.truncate(path, ENDLESS)


def trap_fifo(path):
    path.unlink()
    os.mkfifo(path)


def trap_link_out(path):
    """The right file, but outside: whoever follows the link finds all names."""
    outside = path.parent.parent / "outside.debug"
    path.rename(outside)
    path.symlink_to(outside)


# ---- the container ------------------------------------------------------------------------


def make_root(root, change):
    for part in ("tmp", "proc"):
        (root / part).mkdir(parents=True)
    shutil.copy(PROGRAM, root / "app")
    listed = subprocess.run(["ldd", PROGRAM], check=True, capture_output=True, text=True).stdout
    for library in re.findall(r"(/\S+) \(0x", listed):
        target = root / library[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    change(root / "app")


@contextlib.contextmanager
def container(root, change, cgroup=None, rate=1000):
    """The running program; its pid is also the one that its root knows it by."""
    make_root(root, change)
    enter = ["sh", "-c", 'echo $$ >"$0"/cgroup.procs && exec "$@"', str(cgroup)] if cgroup else []
    command = [*enter, *LEASH, str(PROGRAM), "--root", str(root), "--rate", str(rate), "--note",
               TITLE]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            if line != "ready\n":
                raise Skip("no mount namespace with a root of its own: " +
                           process.stderr.read().strip())
            yield process
        finally:
            process.kill()


def run_bounded(command, directory):
    """Exit status, output and most resident bytes; a Failure where it has to be waited for."""
    with open(directory / "out", "wb") as out, open(directory / "err", "wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        usage = {}
        try:
            wait_for("an end of the trace", lambda: ended(process, usage), PATIENCE_S, .1)
        finally:
            if "status" not in usage:
                process.kill()
                process.wait()
    text = (directory / "out").read_text(errors="surrogateescape")
    return usage["status"], text, usage["rss"]


def resident_most(pid):
    """Bytes; 0 when it is gone."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) << 10 if "VmHWM" in text else 0
    return 0


def ended(process, usage):
    """What it takes is what the sandboxes take that read for it, too."""
    usage["inside"] = max([usage.get("inside", 0), *map(resident_most, readers(process.pid))])
    pid, status, used = os.wait4(process.pid, os.WNOHANG)
    if not pid:
        return False
    process.returncode = os.waitstatus_to_exitcode(status)
    usage.update(status=process.returncode, rss=max(used.ru_maxrss * 1024, usage["inside"]))
    return True


def expect_clean(text, what):
    found = re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)
    expect(not found, f"{what} shows a control character: {text[max(found.start() - 40, 0):][:80]!r}"
           if found else "")


# ---- traces -------------------------------------------------------------------------------


def trace(process, directory, *options):
    status, text, rss = run_bounded(
        [SEEP, "trace", "-p", str(process.pid), "-d", "1s", "--sample", "all", *options], directory)
    expect(status == 0, f"exit {status}: {tail(directory / 'err')}")
    expect(rss <= RSS_MAX_BYTES, f"took {rss >> 20} MiB")
    return text


def functions(text):
    return {frame["function"] for site in json.loads(text)["sites"] for frame in site["frames"]}


def check_trap(directory, change, is_named):
    """The trace ends, bounded, with call sites; the function is named only if that is honest."""
    with container(directory / "root", change) as process:
        found = functions(trace(process, directory, "-o", "json"))
        expect(found, "no call sites")
        expect(("lose" in found) == is_named, f"functions: {found}")


def check_names(directory):
    """Names of functions, programs, modules and generated code lose what a terminal would obey."""
    with container(directory / "root", rename_function) as process:
        (directory / "root/tmp" / f"perf-{process.pid}.map").write_text(
            "0 ffffffffffffffff \033[31mgenerated\033]0;owned\a\n")
        text = trace(process, directory)
        expect_clean(text, "seep trace")
        expect(NAME in text and "lose" in text, f"no names: {text[:500]}")
        text = trace(process, directory, "-o", "json")
        for name in (json.loads(text)["comm"], *functions(text)):
            expect_clean(name or "", "-o json")
        expect(any(name and "generated" in name for name in functions(text)),
               "the map of generated code was not read")


def check_perf_maps(directory):
    """The list of generated functions is whatever the program put there."""
    def fifo(path):
        os.mkfifo(path)

    def endless(path):
        path.touch()
        os.truncate(path, ENDLESS)

    def lines(path):
        path.write_text("\n" * (1 << 20) + "0 ffffffffffffffff x\n" * (1 << 18))

    def link_out(path):
        outside = directory / "outside.map"
        outside.write_text("0 ffffffffffffffff outside\n")
        path.symlink_to(outside)

    with container(directory / "root", leave) as process:
        for trap in (fifo, endless, lines, link_out):
            path = directory / "root/tmp" / f"perf-{process.pid}.map"
            trap(path)
            found = functions(trace(process, directory, "-o", "json"))
            path.unlink()
            expect("lose" in found and "outside" not in found, f"{trap.__name__}: {found}")


# ---- the agent ----------------------------------------------------------------------------


def incident_of(agent, pid):
    found = [i for i in agent.incidents() if i["object"]["pid"] == pid and i["sites"]]
    return found[0] if found else None


def check_agent(directory):
    """Beside several of them, looked into: it polls on, tells of them in clean words, and ends."""
    cgroups = Cgroups(f"seep-hostile-{os.getpid()}")
    traps = (refer(trap_endless), grow_section(b".symtab", ENDLESS), rename_function)
    try:
        with contextlib.ExitStack() as stack:
            evil = cgroups.make("evil\033[2J")  # clears the screen
            only = ["--include", f"cgroup={cgroups.name_of(cgroups.base)}/*"] if evil else []
            crowd = [stack.enter_context(container(directory / f"root{i}", trap, evil, 2000))
                     for i, trap in enumerate(traps)]
            agent = stack.enter_context(Agent(directory / "agent", "--drill-targets", "4", *only))
            os.mkfifo(directory / "root2/tmp" / f"perf-{crowd[2].pid}.map")
            found = [wait_for(f"an incident with call sites of trap {i}",
                              lambda pid=process.pid: incident_of(agent, pid), 3 * WINDOW_S, 1)
                     for i, process in enumerate(crowd)]
            for command in (("top", "--once", "-n", "999"), ("leaks",), ("status",),
                            *(("show", incident["id"]) for incident in found),
                            ("top", "--once", "--by", "cgroup", "-n", "999")):
                expect_clean(agent.ask(*command).stdout, f"seep {command[0]}")
            expect(NAME in agent.ask("leaks").stdout, "the incidents do not show the program's name")
            check_still_polls(agent)
            status = agent.json("status", "status")
            rss = max(status["self"]["rss_bytes"], status["sandbox"]["max_rss_bytes"])
            expect(rss <= RSS_MAX_BYTES, f"the agent, or a reader, has {rss >> 20} MiB")
            expect(agent.stop(signal.SIGTERM) == 0, f"SIGTERM:\n{tail(agent.log)}")
    finally:
        cgroups.remove()


def check_still_polls(agent):
    before = agent.polls()
    wait_for("the next polls", lambda: agent.polls() >= before + 5, 20, INTERVAL_S)


# name: (what becomes of the program's files, is its function still named)
TRAPS = {
    "as it was built": (leave, True),
    "a debug file of a terabyte": (refer(trap_endless), False),
    "a debug file that is a FIFO": (refer(trap_fifo), False),
    "a debug file outside of the root": (refer(trap_link_out), False),
    "four billion sections": (claim_sections, False),
    "symbols of a terabyte": (grow_section(b".symtab", ENDLESS), True),
    "names of a gigabyte": (grow_section(b".strtab", 1000 << 20), True),
    "an unwind table of a gigabyte": (grow_section(b".eh_frame", 1000 << 20), True),
    "debug information that unfolds to a thousand times its size": (fold_section, True),
}


def run_all(results, directory):
    directory.mkdir()
    for i, (name, (change, is_named)) in enumerate(TRAPS.items()):
        with results.case(f"hostile: trace, {name}"):
            need_root("a root of its own")
            (directory / str(i)).mkdir()
            check_trap(directory / str(i), change, is_named)
            shutil.rmtree(directory / str(i), ignore_errors=True)
    for name, check in (("names with escapes", check_names), ("maps of generated code",
                        check_perf_maps), ("the agent beside it", check_agent)):
        with results.case(f"hostile: {name}"):
            need_root("a root of its own")
            (directory / check.__name__).mkdir()
            check(directory / check.__name__)
