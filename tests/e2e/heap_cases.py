# SPDX-License-Identifier: BSD-2-Clause
"""heap_cases.py - `seep heap`: the objects of every Python interpreter on this machine, counted from outside."""
import contextlib
import glob
import json
import os
import subprocess

from harness import LEASH, ROOT, SEEP, Skip, check_shape, expect, need_root, run, wait_for

PROGRAM = ROOT / "tests/workloads/objects.py"
TERABYTES = """import mmap, time
m = [mmap.mmap(-1, 1 << 43, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000) for _ in range(4)]
m[2][1 << 42] = 1
print("ready", flush=True)
time.sleep(600)"""
EXACT = {"Slotted": 10007, "Session": 5003, "Failure": 1009}


@contextlib.contextmanager
def python(interpreter, *args, **variables):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    with subprocess.Popen([*LEASH, interpreter, PROGRAM, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, env=environment) as process:
        try:
            expect(process.stdout.readline() == "ready\n", "the program does not run")
            yield process.pid
        finally:
            process.kill()


def heap(pid, *args):
    answer = run([SEEP, "heap", "-p", pid, "--json", *args], 60)
    expect(answer.returncode == 0, f"exit {answer.returncode}: {answer.stderr}")
    return check_shape(json.loads(answer.stdout), "heap")


def row(seen, name):
    rows = [row for row in seen["types"] if row["type"] == name]
    expect(len(rows) == 1, f"{len(rows)} rows of {name}")
    return rows[0]


def interpreters():
    """One of each version that is there, by what they say themselves."""
    found = {}
    for path in glob.glob("/usr/bin/python3.[0-9]*") + glob.glob("/usr/local/bin/python3.[0-9]*"):
        said = run([path, "-c", "import sys; print(sys.implementation.name, *sys.version_info[:2], sep='.')"])
        if said.returncode == 0 and said.stdout.startswith("cpython.3."):
            found.setdefault(said.stdout.strip(), path)
    return sorted(found.items())


def check_exact(interpreter, version):
    with python(interpreter) as pid:
        seen = heap(pid, "--top", "0")
    expect(seen["runtime"] == f"CPython {version}", seen["runtime"])
    for name, count in EXACT.items():
        expect(row(seen, name)["objects"] == count, f"{row(seen, name)['objects']} of {name} instead of {count}")
        expect(row(seen, name)["class"], f"{name} is no class")
    expect(not row(seen, "str")["class"], "str is a class of the program")
    strings = row(seen, "str")["objects"]
    expect(20011 < strings < 40000, f"{strings} strings")
    expect(row(seen, "Slotted")["bytes"] % 10007 == 0, "blocks of one type differ in size")
    expect(sum(one["bytes"] for one in seen["types"]) == seen["block_bytes"], "the rows are not the sum")
    expect(seen["block_bytes"] <= seen["anon_bytes"], "more than there is")


def check_growth(interpreter):
    with python(interpreter, "60") as pid:
        seen = heap(pid, "-d", "2s", "--top", "1")
    expect([one["type"] for one in seen["types"]] == ["Session"], f"on top: {seen['types']}")
    added = seen["types"][0]
    expect(0 < added["added_objects"] <= 1000 * (seen["span_s"] + 1), f"added: {added}")
    expect(added["added_bytes"] > 0, f"added: {added}")


def check_text(interpreter):
    with python(interpreter) as pid:
        answer = run([SEEP, "heap", "-p", pid])
    expect(answer.returncode == 0 and " Session" in answer.stdout, answer.stdout + answer.stderr)
    expect("not seen: blocks above 512 bytes" in answer.stdout, answer.stdout)


def check_undisturbed(interpreter):
    """Looking brings no page to life: what is resident stays what it was."""
    with python(interpreter) as pid:
        def resident():
            with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
                return int(statm.read().split()[1])
        before = wait_for("a size", resident, 5)
        heap(pid)
        expect(resident() == before, f"{before} pages before, {resident()} after")


def check_terabytes(interpreter):
    """Mappings of 32 TiB of which hardly a page is used: page by page it would take hours."""
    with subprocess.Popen([*LEASH, interpreter, "-c", TERABYTES], stdout=subprocess.PIPE, text=True) as process:
        try:
            expect(process.stdout.readline() == "ready\n", "the program does not run")
            answer = run([SEEP, "heap", "-p", process.pid, "--json"], 60)
        finally:
            process.kill()
    if "Linux 6.7" in answer.stderr:
        raise Skip(f"this kernel does not tell holes: {answer.stderr}")
    expect(answer.returncode == 0, f"exit {answer.returncode}: {answer.stderr}")
    expect(row(json.loads(answer.stdout), "str")["objects"] > 100, answer.stdout)


def complains(pid, code, text):
    answer = run([SEEP, "heap", "-p", pid])
    expect(answer.returncode == code and text in answer.stderr, f"exit {answer.returncode}: {answer.stderr}")
    expect(len(answer.stderr.splitlines()) == 1, answer.stderr)


def check_complaints(interpreter):
    with subprocess.Popen([*LEASH, "sleep", "60"]) as process:
        complains(process.pid, 1, "no runtime in it whose objects can be seen")
        process.kill()
    complains(process.pid, 4, "ended")
    with python(interpreter, PYTHONMALLOC="malloc") as pid:
        complains(pid, 1, "does not use its own allocator")


def run_all(results, _directory):
    found = interpreters()
    for name, path in found:
        version = name.removeprefix("cpython.")
        with results.case(f"heap: CPython {version}: every object, by type"):
            need_root("reading another process's memory")
            check_exact(path, version)
    if not found:
        with results.case("heap: the objects of an interpreter"):
            raise Skip("no CPython in /usr/bin or /usr/local/bin")
    for name, check in (("what piles up is on top", check_growth), ("in words", check_text),
                        ("the program is not disturbed", check_undisturbed),
                        ("a program that maps terabytes", check_terabytes),
                        ("what cannot be looked at", check_complaints)):
        with results.case(f"heap: {name}"):
            if not found:
                raise Skip("no CPython in /usr/bin or /usr/local/bin")
            need_root("reading another process's memory")
            check(found[-1][1])
