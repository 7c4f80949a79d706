# SPDX-License-Identifier: BSD-2-Clause
"""Small programs of other kinds to be recorded: work.py KIND.

garbage   cycles that only the collector finds: a sawtooth
batch     idle, with a large job now and then
tide      sessions that come and go with the time of day (a "day" is 240 s)
warm      learns quickly at first, then ever more slowly
late      a job whose memory goes back piece by piece, long after
step      loads a larger table after a while and keeps it
sqlite    a database in memory: fill, query, drop, again
"""
import math
import random
import sqlite3
import sys
import time


class Node:
    def __init__(self):
        self.me = self
        self.data = bytearray(2000)


def garbage():
    import gc
    gc.set_threshold(4000, 10, 10)
    while True:
        for _ in range(40):
            Node()
        time.sleep(0.02)


def batch():
    random.seed(5)
    while True:
        time.sleep(random.uniform(15, 35))
        job = [bytearray(1 << 20) for _ in range(random.randint(30, 60))]
        time.sleep(random.uniform(3, 8))
        del job


def tide():
    sessions, start = [], time.time()
    while True:
        day = (time.time() - start) / 240
        want = int(1500 + 1200 * -math.cos(2 * math.pi * day))
        while len(sessions) < want:
            sessions.append(bytearray(20000))
        del sessions[want:]
        for s in sessions[::3]:
            s[0] = (s[0] + 1) % 256
        end = time.process_time() + want / 1e5
        while time.process_time() < end:
            pass
        time.sleep(0.1)


def step():
    table = [bytearray(1 << 16) for _ in range(200)]
    time.sleep(100)
    table += [bytearray(1 << 16) for _ in range(400)]
    while True:
        random.choice(table)[0] = 1
        time.sleep(0.05)


def warm():
    table, start = [], time.time()
    while True:
        want = 700 * (1 - math.exp(-(time.time() - start) / 15))
        while len(table) < want:
            table.append(bytearray(1 << 16))
        time.sleep(0.1)


def late():
    time.sleep(30)
    job = [bytearray(1 << 20) for _ in range(60)]
    time.sleep(60)
    while True:
        if job:
            del job[-5:]
        time.sleep(7)


def sqlite():
    db = sqlite3.connect(":memory:")
    while True:
        db.execute("create table t(a integer, b text)")
        for n in range(60):
            db.executemany("insert into t values(?, ?)", ((i, "x" * 80) for i in range(800)))
            time.sleep(0.05)
        db.execute("select count(*), max(b) from t where a % 7 = 3").fetchall()
        time.sleep(0.5)
        db.execute("drop table t")
        db.commit()


KINDS = {"garbage": garbage, "batch": batch, "tide": tide, "warm": warm, "late": late,
         "step": step, "sqlite": sqlite}
KINDS[sys.argv[1]]()
