# SPDX-License-Identifier: BSD-2-Clause
"""tapes.py - replay files with known contents: a day at one sample a minute, 6 h to a window."""
import gzip
import math
import random

MIB = 1 << 20
STEP_S = 60
HOURS = 24


def series(shape, seed):
    """Rows (t_s, bytes) of shape(hours) in MiB, with a little noise."""
    chance = random.Random(seed)
    for i in range(HOURS * 3600 // STEP_S):
        t_s = i * STEP_S
        yield t_s, int((shape(t_s / 3600) + chance.gauss(0, 0.2)) * MIB)


def lines(name, rows):
    return ["series,t_s,bytes"] + [f"{name},{t_s},{size}" for t_s, size in rows]


SHAPES = {
    "leak": lambda h: 200 + 12 * h,
    "flat": lambda h: 200.0,
    "sawtooth": lambda h: 100 + 80 * (h / 0.7 % 1),
    "warm_up": lambda h: 300 - 250 * math.exp(-h / 0.8),
}


def write(directory):
    def put(name, text):
        (directory / name).write_text("".join(line + "\n" for line in text), encoding="ascii")

    for seed, (name, shape) in enumerate(SHAPES.items()):
        put(f"{name}.csv", lines(name, series(shape, seed)))
    leak = list(series(SHAPES["leak"], 9))
    with gzip.open(directory / "leak.csv.gz", "wt", encoding="ascii") as file:
        file.write("\n".join(lines("leak", leak)) + "\n")
    put("compressed.csv", lines("leak", [(t_s / 360, size) for t_s, size in leak]))
    put("shuffled.csv", ["bytes,series,extra,t_s"] + random.Random(4).sample(
        [f"{size},leak,x,{t_s}" for t_s, size in leak], len(leak)))
    good = lines("leak", leak)
    put("garbled.csv", good[:500] + ["leak,yesterday,1", "leak", "leak,5,lots"] + good[500:])
    put("mostly_garbled.csv", good[:100] + ["leak,,,,nonsense"] * 50)
    put("empty.csv", [])
    put("columns.csv", ["time,value"] + [f"{t_s},{size}" for t_s, size in leak])
