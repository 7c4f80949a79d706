# SPDX-License-Identifier: BSD-2-Clause
"""faults.py - the driver's side of tests/faults/inject.c: which call of a running seep fails next.

A place is where a call comes from: the hash of the call stack that leads to it, and its class. A
process is watched first, which collects its places, and then run again with a failure at each.
"""
import collections
import errno
import mmap
import os
import struct
import subprocess
import time

from harness import ROOT, expect

LIBRARY = ROOT / "build/tests/faults/inject.so"
SUPPRESSIONS = ROOT / "tests/faults/lsan.supp"
SEEP = ROOT / "build/san/seep"
PLACES_AT, PLACES_MAX = 4096, 16384
SIZE = PLACES_AT + 8 * PLACES_MAX
WORDS = ("classes", "place", "skip", "fail_cnt", "err", "seen", "failed", "realtime_ns",
         "boottime_ns", "collect")
PREFIX_AT, PREFIX_SIZE, WHERE_AT, WHERE_SIZE = 80, 128, 208, 3888
SIGNED = ("realtime_ns", "boottime_ns")

CLASSES = {  # and the errnos that such calls fail with in real life
    "alloc": (1 << 0, (errno.ENOMEM,)),
    "open": (1 << 1, (errno.EMFILE, errno.EACCES, errno.ENOENT)),
    "read": (1 << 2, (errno.EIO,)),
    "write": (1 << 3, (errno.ENOSPC,)),
    "sync": (1 << 4, (errno.EIO,)),
    "socket": (1 << 5, (errno.EMFILE,)),
    "bpf": (1 << 6, (errno.EPERM, errno.ENOMEM)),
    "fd": (1 << 7, (errno.EMFILE,)),
    "thread": (1 << 8, (errno.EAGAIN,)),
    "dir": (1 << 9, (errno.EIO,)),
    "map": (1 << 10, (errno.ENOMEM,)),
}
# A file that is there and cannot be read now: a process that ends, or becomes somebody else's.
PROC = {"open": (errno.ENOENT, errno.EACCES), "read": (errno.ESRCH, errno.EACCES)}

Fault = collections.namedtuple("Fault", "kind err place skip prefix", defaults=(0, ""))


class Injector:
    """The file that a seep with the library in it reads its instructions from."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(SIZE)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)

    def close(self):
        self.map.close()

    def assignments(self):
        """For env(1), so that only seep itself has them."""
        return [f"LD_PRELOAD={LIBRARY}", f"SEEP_FAULTS={self.path}",
                "ASAN_OPTIONS=verify_asan_link_order=0:allocator_may_return_null=1:detect_leaks=1",
                f"LSAN_OPTIONS=print_suppressions=0:suppressions={SUPPRESSIONS}",
                "UBSAN_OPTIONS=print_stacktrace=1"]

    def __getitem__(self, word):
        form = "<q" if word in SIGNED else "<Q"
        return struct.unpack_from(form, self.map, 8 * WORDS.index(word))[0]

    def __setitem__(self, word, value):
        struct.pack_into("<q" if word in SIGNED else "<Q", self.map, 8 * WORDS.index(word), value)

    def idle(self):
        """Nothing fails any more."""
        self["classes"] = 0

    def watch(self, kinds, prefix=""):
        """Nothing fails; the places of these classes are collected."""
        self.idle()
        self.map[PLACES_AT:] = bytes(8 * PLACES_MAX)
        self._set_prefix(prefix)
        for word in ("place", "skip", "fail_cnt", "seen", "failed"):
            self[word] = 0
        self["collect"] = 1
        self["classes"] = sum(CLASSES[kind][0] for kind in kinds)

    def places(self):
        """By class."""
        every = [place for place, in struct.iter_unpack("<Q", self.map[PLACES_AT:]) if place]
        return {kind: sorted(place for place in every if place & bit)
                for kind, (bit, _) in CLASSES.items()}

    def arm(self, fault, count=1):
        self.idle()
        self.map[WHERE_AT:WHERE_AT + WHERE_SIZE] = bytes(WHERE_SIZE)
        self._set_prefix(fault.prefix)
        self["collect"] = self["seen"] = self["failed"] = 0
        self["place"], self["skip"], self["fail_cnt"] = fault.place, fault.skip, count
        self["err"] = fault.err
        self["classes"] = CLASSES[fault.kind][0]

    def _set_prefix(self, prefix):
        text = prefix.encode()
        self.map[PREFIX_AT:PREFIX_AT + PREFIX_SIZE] = text + bytes(PREFIX_SIZE - len(text))

    def wait_failed(self, timeout_s):
        """Whether it has happened."""
        end = time.monotonic() + timeout_s
        while not self["failed"] and time.monotonic() < end:
            time.sleep(.01)
        return bool(self["failed"])

    def where(self):
        """The stack of what failed first, with lines where there are any."""
        text = self.map[WHERE_AT:WHERE_AT + WHERE_SIZE].split(b"\0", 1)[0].decode()
        return "\n".join(line_of(frame) for frame in text.splitlines())


def line_of(frame):
    path, _, offset = frame.rpartition("+")
    found = subprocess.run(["addr2line", "-sfpe", path, offset], capture_output=True, text=True,
                           check=False).stdout.strip()
    return "  " + (found if found and "??" not in found else f"{os.path.basename(path)}+{offset}")


def describe(fault):
    below = f" below {fault.prefix}" if fault.prefix else ""
    return f"{fault.kind}{below} fails with {errno.errorcode[fault.err]}"


def check_report(text, what):
    """No report of a sanitizer in what was said."""
    for mark in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:"):
        at = text.find(mark)
        expect(at < 0, f"{what}:\n{text[max(at, 0):at + 3000]}")
