# SPDX-License-Identifier: BSD-2-Clause
"""build.py - compiles generated C files, again and again, one at a time: build.py [--for S].

What a build does to a machine's memory: many short-lived compilers of different sizes beside a
driver that stays small. Healthy.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import tempfile
import time

FILES = 12
PAUSE_S = 0.3


def write_source(path, chance):
    functions = chance.randrange(50, 600)
    with path.open("w", encoding="ascii") as file:
        for i in range(functions):
            file.write(f"int f{i}(int x)\n{{\n\tint s = {i};\n\n"
                       f"\tfor (int i = 0; i < x; i++)\n\t\ts += s * i ^ {i};\n\treturn s;\n}}\n")


def build(directory, seconds):
    chance = random.Random(3)
    sources = [directory / f"file{i}.c" for i in range(FILES)]
    end = time.monotonic() + seconds
    for source in sources:
        write_source(source, chance)
    while time.monotonic() < end:
        source = chance.choice(sources)
        subprocess.run(["gcc", "-O1", "-c", source, "-o", directory / "out.o"], check=True)
        time.sleep(PAUSE_S)


def main():
    parser = argparse.ArgumentParser(description="compile generated files for a while")
    parser.add_argument("--for", dest="seconds", type=float, default=60)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seep-build-") as directory:
        build(pathlib.Path(directory), args.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
