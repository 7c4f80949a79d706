# SPDX-License-Identifier: BSD-2-Clause
"""table.py - what the guests of run.sh said, as one table: table.py CACHE KERNEL..."""
import pathlib
import sys

HEAD = """# Kernels

What seep does on which kernel: the output of `make test-vm`, which boots Debian's kernels in virtual
machines (x86-64, emulated, cgroup v2), runs the kernel tests there, and lets the agent find a
program that leaks. A cell says "yes" or how many tests passed, which way is used where there are
several, or why not. Tests are skipped where the kernel lacks what they are about; the reasons are
below. On this table's machines tests repeat less often than in `make test` (`SEEP_SLOW`).
"""


def read(path):
    """({row: cell}, {(test, reason)}) of one guest, rows in their order."""
    rows, skips = {}, []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        what, *rest = line.split("\t")
        if what == "=row=" and len(rest) == 2:
            rows[rest[0]] = rest[1]
        elif what == "=skip=" and len(rest) == 2:
            skips.append(tuple(rest))
    return rows, skips


def line_of(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(cache, kernels):
    guests = {kernel: read(pathlib.Path(cache) / f"{kernel}.log") for kernel in kernels}
    names = list(dict.fromkeys(name for rows, _ in guests.values() for name in rows))
    releases = [guests[kernel][0].get("kernel", kernel) for kernel in kernels]
    print(HEAD)
    print(line_of(["", *releases]))
    print("|---" * (len(kernels) + 1) + "|")
    for name in names:
        if name != "kernel":
            print(line_of([name, *(rows.get(name, "not tried") for rows, _ in guests.values())]))
    print("\n## Why tests were skipped\n")
    for kernel, release in zip(kernels, releases):
        for test, reason in guests[kernel][1]:
            print(f"- {release}, test_{test}: {reason}")
    failed = any(cell.startswith("FAILED") for rows, _ in guests.values() for cell in rows.values())
    return 1 if failed or any(not rows for rows, _ in guests.values()) else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
