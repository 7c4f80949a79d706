# SPDX-License-Identifier: BSD-2-Clause
"""
series.py - labelled series for training, in a binary file that C reads fast.

    series.py FILE.csv.gz LABELS.json HALF_A.bin HALF_B.bin   split recordings in two halves
    series.py --copies N --seed S HALF_A.bin COPIES.bin       copies with other leaks and scales

One series: name[48], shape[24], int set, int leak, double onset_s, int n, int pad, then n rows of
six doubles: t_s, bytes, limit_bytes, load, start, leaked_bytes. Recordings come in pairs, the
original and the copy with an injected leak; a pair always stays in one half.
"""
import collections
import csv
import gzip
import json
import struct
import sys

import numpy as np

HEAD = '=48s24siidii'
ROW_BYTES = 48


def write(f, name, shape, leak, onset_s, rows):
    f.write(struct.pack(HEAD, name.encode(), shape.encode(), 0, int(leak), float(onset_s),
                        len(rows), 0))
    f.write(np.ascontiguousarray(rows, dtype='<f8').tobytes())


def read(path):
    with open(path, 'rb') as f:
        while True:
            head = f.read(struct.calcsize(HEAD))
            if not head:
                return
            name, shape, _, leak, onset_s, n, _ = struct.unpack(HEAD, head)
            rows = np.frombuffer(f.read(n * ROW_BYTES)).reshape(-1, 6)
            yield name.split(b'\0')[0].decode(), shape.split(b'\0')[0].decode(), leak, onset_s, rows


def load_csv(path):
    series = collections.defaultdict(list)
    for r in csv.DictReader(gzip.open(path, 'rt')):
        series[r['series']].append((float(r['t_s']), float(r['bytes']),
                                    float(r['limit_bytes'] or 'nan'),
                                    float(r['load'] or 'nan'), int(r['start'] or 0)))
    return {k: np.array(v) for k, v in series.items()}


def split(path, labels_path, path_a, path_b):
    series, labels = load_csv(path), json.load(open(labels_path))
    names = sorted(series)
    half = np.random.RandomState(7).permutation(len(names) // 2) % 2
    with open(path_a, 'wb') as fa, open(path_b, 'wb') as fb:
        for i in range(0, len(names), 2):
            a, b = series[names[i]], series[names[i + 1]]
            f = (fa, fb)[half[i // 2]]
            lost = np.maximum.accumulate(b[:, 1] - a[:, 1])
            write(f, names[i], 'healthy', 0, 0, np.column_stack([a, np.zeros(len(a))]))
            write(f, names[i + 1], 'leak', 1, labels[names[i + 1]]['onset_s'],
                  np.column_stack([b, lost]))


def leak_of(r, t, onset, rate):
    """Bytes lost by each time: even, in bursts, or faster and faster."""
    h = np.maximum(t - onset, 0) / 3600
    kind = r.randint(4)
    if kind < 2:
        return rate * h
    if kind == 2:
        gap = np.exp(r.uniform(np.log(.15), np.log(2)))
        bursts = np.cumsum(r.rand(len(t)) < np.diff(t / 3600, prepend=t[0] / 3600) / gap) * 1.
        return rate * gap * np.maximum(bursts - np.interp(onset, t, bursts), 0)
    return rate * h * h / (h.max() + .1) * 1.7


def vary(r, rows):
    """Another time scale, another amplitude, coarser sampling, no load, a later beginning."""
    rows = rows.copy()
    if r.rand() < .7:
        rows[:, 0] *= np.exp(r.uniform(np.log(.6), np.log(1.7)))
    level = np.median(rows[:, 1])
    if r.rand() < .6:
        rows[:, 1] = np.maximum(level + (rows[:, 1] - level) * r.uniform(.4, 1.4), 0)
    if r.rand() < .3:
        rows = rows[::r.randint(2, 6)].copy()
    if r.rand() < .2:
        rows[:, 3] = np.nan
    if r.rand() < .2:
        rows = rows[len(rows) // r.randint(4, 8):].copy()
    return rows


def coarse(original, values):
    """Rounded as the original was, when that is coarse enough to matter (integer percent)."""
    steps = np.abs(np.diff(original[:, 1]))
    quantum = steps[steps > 0].min() if (steps > 0).any() else 0
    return np.round(values / quantum) * quantum if quantum > 1e-3 * values.mean() else values


def copies(path, out, count, seed):
    r = np.random.RandomState(seed)
    with open(out, 'wb') as f:
        for name, _, leak, _, rows in read(path):
            if leak:
                continue
            rows = rows[~np.isnan(rows[:, 1])]
            for c in range(count):
                b, onset = vary(r, rows), 0.
                if c % 2:
                    t = b[:, 0]
                    onset = t[0] if r.rand() < .5 else t[0] + r.uniform(.05, .6) * (t[-1] - t[0])
                    rate = np.median(b[:, 1]) * np.exp(r.uniform(np.log(.004), np.log(.09)))
                    b[:, 5] = leak_of(r, t, onset, rate)
                    b[:, 1] += b[:, 5]
                    b[:, 1] = coarse(rows, b[:, 1])
                write(f, '%sx%d' % (name, c), 'copy', c % 2, onset, b)


if __name__ == '__main__':
    if sys.argv[1] == '--copies':
        copies(sys.argv[5], sys.argv[6], int(sys.argv[2]), int(sys.argv[4]))
    else:
        split(*sys.argv[1:5])
