#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""record.py - records the memory of real programs, healthy and leaking, as replay files.

    tests/replay/record.py [-o tests/replay/recordings] [--seconds 240] [--only NAME] [--jobs 6]

Each case is a program from programs/ (or redis, when redis-server is found), run for four minutes
and sampled four times a second from /proc/PID/status: RssAnon + RssShmem + VmSwap, with the CPU
share as load. Replayed with a window of 60 s that is one day against six hours. The result is
real.csv.gz and real.labels.json; leaked bytes are those measured between the onset and the end.
Needs gcc, python3, node and java; a case whose program is missing is left out and named.
"""
import argparse
import gzip
import http.client
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs")
STEP_S = 0.25


def program(name):
    return os.path.join(PROGRAMS, name)


# ---- load on servers ----

def http_load(port, per_s, tide_s=0):
    """Requests on one connection, at a steady rate or one that swings with a "day" of tide_s."""
    def run():
        n, link, start = 0, None, time.monotonic()
        while True:
            try:
                link = link or http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                link.request("GET", "/item/%d" % n)
                link.getresponse().read()
                n += 1
            except (OSError, http.client.HTTPException):
                link = None
                time.sleep(0.3)
            day = (time.monotonic() - start) / tide_s if tide_s else 0.5
            time.sleep(1.0 / (per_s * (0.55 - 0.45 * math.cos(2 * math.pi * day))))
    return run


def redis_load(port, per_s, keys, ttl=False):
    def run():
        n, link = 0, None
        value = b"v" * 900
        while True:
            try:
                link = link or socket.create_connection(("127.0.0.1", port), timeout=5)
                name = b"key:%d" % (n * 7919 % keys)
                end = b"*5\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$2\r\nEX\r\n$2\r\n15\r\n"
                cmd = b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n"
                link.sendall((end if ttl else cmd) % (len(name), name, len(value), value))
                link.recv(64)
                n += 1
            except OSError:
                link = None
                time.sleep(0.3)
            if n % 20 == 0:
                time.sleep(20.0 / per_s)
    return run


# ---- cases: name, leak, onset, command, load, options ----

def redis(port, *more):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--daemonize", "no", *more]


def cases(leak_bin):
    py, node = sys.executable, "node"
    java = ["java", "-Xms24m", "-Xmx%s", "-XX:+UseSerialGC"]

    def jvm(xmx, mode):
        return [a.replace("%s", xmx) for a in java] + [program("Churn.java"), mode]

    return [
        ("c-healthy", None, [leak_bin, "healthy", "0"], None, {}),
        ("c-linear", 0, [leak_bin, "linear", "400"], None, {}),
        ("c-bursty", 0, [leak_bin, "bursty", "500"], None, {}),
        ("c-midway", 100, [leak_bin, "linear", "450", "100"], None, {}),
        ("c-restarts", 0, [leak_bin, "linear", "600"], None, {"restart_s": 75}),
        ("c-sawtooth", None, [leak_bin, "sawtooth", "0"], None, {}),
        ("c-sawtooth-leak", 0, [leak_bin, "sawtooth", "350"], None, {}),
        ("c-slow-large", 0, [leak_bin, "linear", "250", "0", "180"], None, {}),
        ("python-warm", None, [py, program("work.py"), "warm"], None, {}),
        ("python-late", None, [py, program("work.py"), "late"], None, {}),
        ("python-garbage", None, [py, program("work.py"), "garbage"], None, {}),
        ("python-batch", None, [py, program("work.py"), "batch"], None, {}),
        ("python-tide", None, [py, program("work.py"), "tide"], None, {}),
        ("python-step", None, [py, program("work.py"), "step"], None, {}),
        ("python-sqlite", None, [py, program("work.py"), "sqlite"], None, {}),
        ("python-web", None, [py, program("server.py"), "18101", "healthy"],
         http_load(18101, 80), {}),
        ("python-web-cache", None, [py, program("server.py"), "18102", "cache"],
         http_load(18102, 80), {}),
        ("python-web-leak", 0, [py, program("server.py"), "18103", "leak"],
         http_load(18103, 80), {}),
        ("python-web-tide", None, [py, program("server.py"), "18109", "session"],
         http_load(18109, 100, 240), {}),
        ("python-web-tide-leak", 0, [py, program("server.py"), "18110", "session-leak"],
         http_load(18110, 100, 240), {}),
        ("node-web", None, [node, program("server.js"), "18104", "healthy"],
         http_load(18104, 80), {}),
        ("node-web-leak", 0, [node, program("server.js"), "18105", "leak"],
         http_load(18105, 80), {}),
        ("java-churn", None, jvm("64m", "healthy"), None, {}),
        ("java-leak", 0, jvm("512m", "leak"), None, {}),
        ("redis-evict", None, redis(18106, "--maxmemory", "24mb", "--maxmemory-policy",
                                    "allkeys-lru"), redis_load(18106, 1500, 10 ** 9), {}),
        ("redis-expire", None, redis(18107), redis_load(18107, 800, 10 ** 9, ttl=True), {}),
        ("redis-unbounded", 0, redis(18108), redis_load(18108, 400, 10 ** 9), {}),
        ("gcc-build", None, [program("build.sh")], None, {"tree": True}),
    ]


# ---- sampling ----

def memory_of(pid):
    want = {"RssAnon": 0, "RssShmem": 0, "VmSwap": 0}
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            key = line.split(":", 1)[0]
            if key in want:
                want[key] = int(line.split()[1]) * 1024
    return sum(want.values())


def cpu_of(pid):
    """Seconds on a CPU, of all threads that live: schedstat counts in nanoseconds."""
    total = 0
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, tid)) as f:
            total += int(f.read().split()[0])
    return total / 1e9


def tree_of(pid):
    out, todo = [], [pid]
    while todo:
        p = todo.pop()
        out.append(p)
        try:
            with open("/proc/%d/task/%d/children" % (p, p)) as f:
                todo += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return out


class Case:
    def __init__(self, name, onset, cmd, load, opts):
        self.name, self.onset, self.cmd, self.load, self.opts = name, onset, cmd, load, opts
        self.rows, self.child = [], None

    def start(self):
        self.child = subprocess.Popen(self.cmd, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, start_new_session=True)

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def sample(self):
        pids = tree_of(self.child.pid) if self.opts.get("tree") else [self.child.pid]
        total = cpu = 0
        for pid in pids:
            try:
                total += memory_of(pid)
                cpu += cpu_of(pid)
            except OSError:
                pass
        return total, cpu

    def run(self, seconds):
        t0 = born = time.monotonic()
        self.start()
        if self.load:
            threading.Thread(target=self.load, daemon=True).start()
        start, cpu0, at0 = 1, 0.0, t0
        while time.monotonic() - t0 < seconds:
            time.sleep(STEP_S)
            now = time.monotonic()
            if now - born > self.opts.get("restart_s", 1e9):
                self.stop()
                self.start()
                born, start, cpu0 = now, 1, 0.0
                continue
            total, cpu = self.sample()
            if not total:
                continue
            share = max(0.0, (cpu - cpu0) / (now - at0))
            self.rows.append((now - t0, total, start, share))
            start, cpu0, at0 = 0, cpu, now
        self.stop()

    def leaked(self):
        """Growth from a little after each start (or the onset) to the end of that life."""
        if self.onset is None:
            return 0
        lives, total = [], 0
        for row in self.rows:
            if row[2] or not lives:
                lives.append([])
            if row[0] >= self.onset:
                lives[-1].append(row[1])
        for life in lives:
            if len(life) > 20:
                tenth = len(life) // 20
                total += max(0, sum(life[-tenth:]) / tenth - life[tenth])
        return int(total)


# ---- files ----

def write(cases_done, out):
    os.makedirs(out, exist_ok=True)
    with gzip.GzipFile(os.path.join(out, "real.csv.gz"), "wb", mtime=0) as f:
        f.write(b"series,t_s,bytes,limit_bytes,start,load\n")
        for c in cases_done:
            for t, b, start, load in c.rows:
                f.write(("%s,%.2f,%d,,%s,%.3f\n" % (c.name, t, b, start or "", load)).encode())
    labels = {c.name: {"leak": c.onset is not None, "onset_s": c.onset or 0,
                       "leaked_bytes_end": c.leaked(), "shape": c.name} for c in cases_done}
    with open(os.path.join(out, "real.labels.json"), "w") as f:
        f.write("{\n" + ",\n".join('"%s":%s' % (k, json.dumps(v, separators=(",", ":")))
                                   for k, v in labels.items()) + "\n}\n")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("-o", default=os.path.join(HERE, "recordings"))
    p.add_argument("--seconds", type=float, default=240)
    p.add_argument("--jobs", type=int, default=6)
    p.add_argument("--only")
    a = p.parse_args()
    leak_bin = os.path.join("/tmp", "seep-record-leak.%d" % os.getpid())
    subprocess.run(["gcc", "-O1", "-o", leak_bin, program("leak.c")], check=True)
    todo = []
    for case in (Case(*c) for c in cases(leak_bin)):
        if a.only and a.only not in case.name:
            continue
        if not shutil.which(case.cmd[0]):
            print("left out '%s': no %s" % (case.name, case.cmd[0]))
            continue
        todo.append(case)
    done = list(todo)
    while todo:
        batch, todo = todo[:a.jobs], todo[a.jobs:]
        print("recording " + ", ".join(c.name for c in batch), flush=True)
        threads = [threading.Thread(target=c.run, args=(a.seconds,)) for c in batch]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        write(done, a.o)
    os.unlink(leak_bin)


if __name__ == "__main__":
    main()
