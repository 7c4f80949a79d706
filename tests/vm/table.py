# SPDX-License-Identifier: BSD-2-Clause
"""table.py - what the guests of run.sh said, as one table: table.py CACHE KERNEL..."""
import pathlib
import sys

HEAD = """# Kernels

What seep does on which kernel: the output of `make test-vm`, which boots Debian's kernels in virtual
machines (emulated, cgroup v2), runs the kernel tests there, and lets the agent find a program that
leaks, with BPF and without. A cell says "yes" or how many tests passed, which way is used where there
are several, or why not; `[n]` is below the table. Tests are skipped where the kernel lacks what they
are about: the reasons are at the end. In these machines tests repeat less often and wait longer than
in `make test` (`SEEP_SLOW`).
"""
LONG = 24  # characters: more goes below the table


def read(path):
    """({row: cell}, [(test, reason)]) of one guest, rows in their order."""
    rows, skips = {}, []
    if not path.exists():
        return rows, skips
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        what, *rest = line.split("\t")
        if what == "=row=" and len(rest) == 2:
            rows[rest[0]] = rest[1]
        elif what == "=skip=" and len(rest) == 2:
            skips.append(tuple(rest))
    return rows, skips


class Notes:
    """What is too long for a cell, numbered by its first mention."""

    def __init__(self):
        self.texts = []

    def short(self, cell):
        if len(cell) <= LONG:
            return cell
        if cell not in self.texts:
            self.texts.append(cell)
        begin = "FAILED " if cell.startswith("FAILED") else "no " if cell.startswith("no") else ""
        return f"{begin}[{self.texts.index(cell) + 1}]"


def line_of(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def print_table(guests):
    names = list(dict.fromkeys(name for rows, _ in guests.values() for name in rows))
    notes = Notes()
    print(line_of(["", *(rows.get("kernel", kernel) for kernel, (rows, _) in guests.items())]))
    print("|---" * (len(guests) + 1) + "|")
    for name in names:
        if name != "kernel":
            cells = [rows.get(name, "not tried") for rows, _ in guests.values()]
            print(line_of([name, *map(notes.short, cells)]))
    print()
    for i, text in enumerate(notes.texts):
        print(f"{i + 1}. {text}")


def print_skips(guests):
    where = {}
    for kernel, (_, skips) in guests.items():
        for skip in skips:
            where.setdefault(skip, []).append(kernel)
    if where:
        print("\n## Why tests were skipped\n")
    for (test, reason), kernels in where.items():
        on = "everywhere" if len(kernels) == len(guests) else "on " + ", ".join(kernels)
        print(f"- {test}, {on}: {reason}")


def main(cache, kernels):
    guests = {kernel: read(pathlib.Path(cache) / f"{kernel}.log") for kernel in kernels}
    print(HEAD)
    print_table(guests)
    print_skips(guests)
    failed = any(cell.startswith("FAILED") for rows, _ in guests.values() for cell in rows.values())
    return 1 if failed or any(not rows for rows, _ in guests.values()) else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
