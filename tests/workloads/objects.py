# SPDX-License-Identifier: BSD-2-Clause
"""objects.py - a program with exactly known objects: `objects.py [SECONDS]` prints "ready" and goes on.

10007 of Slotted (no dict), 5003 of Session (a dict of its own) and 1009 of Failure (an exception), and
20011 strings beside the interpreter's own; then another Session every millisecond, if it is told for how long.
"""
import sys
import time


class Slotted:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


class Session:
    def __init__(self, number):
        self.number = number


class Failure(Exception):
    pass


KEPT = [Slotted(i) for i in range(10007)] + [Session(i) for i in range(5003)] + [Failure() for _ in range(1009)]
KEPT += [f"key {i}" for i in range(20011)]
end = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 0)
print("ready", flush=True)
while time.monotonic() < end:
    KEPT.append(Session(1))
    time.sleep(.001)
sys.stdin.read()
