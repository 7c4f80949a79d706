#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""references.py - does `seep trace` say of lost blocks, and only of those, that nothing refers to them?

    bench/references.py [--seconds N]

Programs that lose every block they allocate, with each C allocator that is installed, and programs
that grow and keep all they allocate: a cache, interpreters, databases. Each is traced for a few
seconds. Of the first no block should be referred to (an address may still lie on a stack; jemalloc
notes that of each run of pages, so of each block as large as a page), of the others every one. Needs root; a program that is not installed is left out.
"""
import argparse
import contextlib
import glob
import json
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SEEP = ROOT / "build/seep"
WORKLOADS = ROOT / "build/tests/workloads"
LOSES = [WORKLOADS / "leak_linear", "--rate", "8M", "--step"]
ALLOCATORS = {"glibc": None, "jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4",
              "mimalloc": "libmimalloc.so.2*"}
NODE = """let a = []; setInterval(() => { a.push(Buffer.alloc(20000));
    a.push(new Map([[a.length, {x: 1}]]).set("k", "v".repeat(3000))) }, 1)"""
PYTHON = """import json, time
a, d = [], {}
while True:
    a.append(bytearray(3000)); d[len(a)] = json.dumps({"k": "v" * 900}); time.sleep(.0005)"""
SQLITE = """import sqlite3, time
c = sqlite3.connect(":memory:"); c.execute("create table t(a, b)")
while True:
    c.executemany("insert into t values(?, ?)", [(1, "x" * 500)] * 10); time.sleep(.001)"""
PORT = "17377"


def library(pattern):
    found = glob.glob(f"/usr/lib/*/{pattern}")
    return found[0] if found else None


def programs():
    """(name, what becomes of its blocks, command, environment, load beside it)."""
    for name, pattern in ALLOCATORS.items():
        preload = {"LD_PRELOAD": library(pattern)} if pattern else {}
        for step in ("1000", "4096") if not pattern or library(pattern) else ():
            yield f"leak_linear, {name}, {step} bytes", "lost", [*LOSES, step], preload, None
    yield "call_sites, leak beside a cache", "some lost", [WORKLOADS / "call_sites"], {}, None
    yield "bounded_cache", "kept", [WORKLOADS / "bounded_cache"], {}, None
    yield "Python: list and dict", "kept", [sys.executable, "-c", PYTHON], {}, None
    yield "SQLite in memory", "kept", [sys.executable, "-c", SQLITE], {}, None
    if shutil.which("node"):
        yield "Node.js: buffers, maps", "kept", ["node", "-e", NODE], {}, None
    if shutil.which("redis-server"):
        yield ("Redis, all types", "kept", ["redis-server", "--port", PORT, "--save", ""], {},
               ["redis-benchmark", "-p", PORT, "-t", "set,lpush,sadd,hset,zadd", "-r", "1000000",
                "-n", "2000000", "-d", "300", "-q"])


@contextlib.contextmanager
def running(command, environment):
    with subprocess.Popen(["env", *(f"{k}={v}" for k, v in environment.items()), *command],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def trace(pid, seconds):
    answer = subprocess.run([SEEP, "trace", "-p", str(pid), "-d", f"{seconds}s", "--sample", "32K",
                             "--top", "0", "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=6)
    seconds = parser.parse_args().seconds
    print(f"{'program':38} {'its blocks':>10} {'looked for':>10} {'unreferenced':>12} "
          f"{'sites called a leak':>19}")
    for name, fate, command, environment, load in programs():
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(running(command, environment))
            time.sleep(1.5)
            if load:
                stack.enter_context(running(load, {}))
            traced = trace(process.pid, seconds)
        asked = [site["references"] for site in traced["sites"] if site["references"]]
        leaks = sum(site["verdict"] == "leak" for site in traced["sites"])
        print(f"{name:38} {fate:>10} {sum(each['blocks'] for each in asked):10} "
              f"{sum(each['unreferenced'] for each in asked):12} {leaks:13} of {len(traced['sites'])}",
              flush=True)


main()
