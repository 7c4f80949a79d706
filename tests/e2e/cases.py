# SPDX-License-Identifier: BSD-2-Clause
"""cases.py - reads the .cases files: blocks of "KEY value" lines with blank lines between them.

"#" begins a comment line. Each block is a case, and opens with NAME. A key may stand several
times; get() gives its last value, all() every one.
"""


class Case:
    def __init__(self, where):
        self.where = where
        self.lines = []

    def get(self, key, otherwise=None):
        values = self.all(key)
        return values[-1] if values else otherwise

    def all(self, key):
        return [value for name, value in self.lines if name == key]

    @property
    def name(self):
        return self.get("NAME")


def read(path, known_keys):
    """The cases of a file; ValueError with file and line for what cannot be understood."""
    cases, case = [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line:
            case = None
        elif not line.startswith("#"):
            key, _, value = line.partition(" ")
            if key not in known_keys or (case is None) != (key == "NAME"):
                raise ValueError(f"{path}:{number}: unexpected key {key!r}")
            if case is None:
                case = Case(f"{path.name}:{number}")
                cases.append(case)
            case.lines.append((key, value.strip()))
    return cases
