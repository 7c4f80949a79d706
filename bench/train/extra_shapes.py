# SPDX-License-Identifier: BSD-2-Clause
"""
extra_shapes.py - a second, independent generator of labelled series, only for training.

    extra_shapes.py SEED SERIES_PER_SHAPE OUT.bin [SHAPE..]

tests/replay/shapes.c is one person's idea of what memory looks like. This is another's: harsher
noise, longer teeth, smaller leaks. A detector learned from both fits neither too closely.
"""
import sys
import numpy as np
from series import write

MB = 2.0**20


def lu(r, a, b):
    return float(np.exp(r.uniform(np.log(a), np.log(b))))


def ou(r, n, dt, tau):
    a = np.exp(-dt / tau)
    e = r.randn(n) * np.sqrt(1 - a * a)
    x = np.empty(n)
    s = r.randn()
    for i in range(n):
        s = a * s + e[i]
        x[i] = s
    return x


def smooth(x, dt, tau):
    a = 1 - np.exp(-dt / tau)
    y = np.empty_like(x)
    s = x[0]
    for i in range(len(x)):
        s += a * (x[i] - s)
        y[i] = s
    return y


def dailyload(r, t, dt, phase=None):
    ph = r.uniform(0, 24) if phase is None else phase
    A = r.uniform(0.3, 0.9)
    l = 1 + A * np.sin(2 * np.pi * (t + ph) / 24)
    if r.rand() < 0.5:
        l = l ** r.uniform(1, 2.5)
    if r.rand() < 0.5:
        l = l * (1 + 0.3 * r.rand() * np.sin(2 * np.pi * (t + ph) / r.uniform(4, 12)))
    l = (
        np.maximum(l, 0.02)
        * (1 + r.uniform(0.01, 0.15) * r.randn(len(t)))
        * (1 + r.uniform(0, 0.2) * ou(r, len(t), dt, r.uniform(0.1, 1)))
    )
    return np.maximum(l, 0)


def teeth(r, t, flat=True):
    P = lu(r, 0.02, 4)
    jit = r.uniform(0, 0.4)
    x = np.empty(len(t))
    nxt = 0
    st = 0
    amp = 1
    k = 0
    x[:] = 0
    cur = t[0] - P * r.rand()
    while cur < t[-1]:
        p = P * max(0.1, 1 + jit * r.randn())
        a = max(0.2, 1 + jit * r.randn())
        m = (t >= cur) & (t < cur + p)
        x[m] = a * (t[m] - cur) / p
        cur += p
    return x


def crowd(r, t, dt):
    """A host of many programs: wanders on two scales, loses a big one and refills, has a ceiling."""
    n, amp = len(t), lu(r, 0.008, 0.12)
    y = amp * (ou(r, n, dt, lu(r, 0.2, 1.5)) + ou(r, n, dt, lu(r, 1.5, 8))) / 1.4
    for _ in range(r.randint(0, 4)):
        at, back = r.uniform(0, t[-1]), lu(r, 0.5, 6)
        y -= lu(r, 0.02, 0.25) * np.clip(1 - (t - at) / back, 0, 1) * (t >= at)
    top = r.uniform(0.5, 2.5) * amp
    return np.minimum(y, top + 0.1 * (y - top))


def week(r, t, dt):
    """A virtual machine of people who work by day: hours, weekends, back-ups, a rough estimate."""
    hour, day = (t + r.uniform(0, 24)) % 24, (t + r.uniform(0, 168)) // 24 % 7
    up, down = r.uniform(6, 9), r.uniform(15, 20)
    busy = 1 / (1 + np.exp(-(hour - up) / lu(r, 0.1, 1))) / (1 + np.exp((hour - down) / lu(r, 0.1, 1)))
    if r.rand() < 0.4:
        busy *= 1 - lu(r, 0.05, 0.5) * np.exp(-((hour - 12.5) ** 2))
    busy *= np.where(day < 5, 1, r.uniform(0, 0.5)) * (1 + 0.1 * ou(r, len(t), dt, 12))
    y = lu(r, 0.05, 4) * smooth(busy, dt, lu(r, 0.05, 2))
    if r.rand() < 0.5:
        y = y + lu(r, 0.05, 2) * ((hour - r.uniform(0, 24)) % 24 < lu(r, 0.1, 3))
    if r.rand() < 0.4:
        y = y + lu(r, 0.05, 1) * ((day == r.randint(7)) & (hour < lu(r, 1, 8)))
    y = (1 + y) * np.exp(lu(r, 0.01, 0.3) * ou(r, len(t), dt, lu(r, 0.05, 3)))
    y *= np.exp(lu(r, 0.003, 0.1) * ou(r, len(t), dt, lu(r, 8, 72)))
    return y * np.exp(lu(r, 0.003, 0.1) * r.randn(len(t))), busy


HEALTHY = 'noise wander wander2 warmexp warmlog cache sawtooth daily dailynoload step steps upsteps batch batches lateret thp frag missing rewarm drift shrink loadramp loadnoise hugeteeth crowd week'.split()
LEAKY = 'linear slow stairs accel sawleak dailyleak dailyleaknl deploy restarts oom late quant wandleak perreq fast warmleak gaps sawslow crowdleak weekleak'.split()


def gen(r, shape):
    leaky = shape in LEAKY
    dt_s = float(r.choice([5, 10, 15, 30, 60, 60, 60, 60, 120, 300, 300]))
    H = r.uniform(12, 30)
    if dt_s < 30:
        H = r.uniform(8, 16)
    if shape in ('week', 'weekleak'):
        dt_s, H = float(r.choice([300, 300, 300, 600])), r.uniform(24, 220)
    n = int(H * 3600 / dt_s)
    t = np.arange(n) * dt_s / 3600
    dt = dt_s / 3600
    L = lu(r, 8 * MB, 64 * 1024 * MB)
    nz = L * lu(r, 0.0001, 0.012)
    base = np.full(n, L)
    load = np.full(n, np.nan)
    start = np.zeros(n)
    leak = np.zeros(n)
    onset = 0.0
    limit = np.nan
    if r.rand() < 0.6:
        start[0] = 1
    if r.rand() < 0.5:
        load = 1 + 0.2 * ou(r, n, dt, 1) + 0.1 * r.randn(n)
        load = np.maximum(load, 0) * lu(r, 0.01, 1000)
    noise = nz * r.randn(n) * r.choice([0, 1, 1])
    w = r.rand()
    if w < 0.5:
        noise = noise + nz * r.uniform(0.3, 2) * ou(r, n, dt, lu(r, 0.1, 1.5))
    if r.rand() < 0.15:
        noise += nz * 20 * (r.rand(n) < 0.01) * r.rand(n)
    if r.rand() < 0.35:
        base = base + teeth(r, t) * L * lu(r, 0.01, 0.6)
    q = 0
    if r.rand() < 0.3:
        q = 2 * MB
    x = r.rand()
    if shape == 'wander':
        noise = noise + L * lu(r, 0.002, 0.05) * ou(r, n, dt, lu(r, 0.15, 2))
    elif shape == 'wander2':
        noise = noise + L * lu(r, 0.002, 0.04) * (
            ou(r, n, dt, lu(r, 0.15, 1)) + ou(r, n, dt, lu(r, 0.5, 2.5))
        )
        if r.rand() < 0.5:
            limit = L * r.uniform(1.02, 2)
            q = limit / 100
    elif shape == 'warmexp':
        start[0] = 1
        base = base * r.uniform(0.3, 1) + L * lu(r, 0.05, 4) * (1 - np.exp(-t / lu(r, 0.05, 3)))
    elif shape == 'warmlog':
        start[0] = 1
        tau = lu(r, 0.02, 1.0)
        base = base + L * lu(r, 0.02, 0.5) * np.log1p(t / tau) / np.log1p(24 / tau)
    elif shape == 'cache':
        o = r.choice([0, r.uniform(0, H * 0.6)])
        T = lu(r, 0.2, 4)
        u = np.clip((t - o) / T, 0, 1)
        if r.rand() < 0.5:
            u = 1 - np.exp(-3 * u * r.uniform(0.5, 1.5))
            u /= max(u.max(), 1e-09)
        base = base + L * lu(r, 0.05, 3) * u
    elif shape in ('sawtooth', 'hugeteeth'):
        base = np.full(n, L) + teeth(r, t) * L * (
            lu(r, 0.05, 0.8) if shape == 'sawtooth' else lu(r, 0.5, 4)
        )
    elif shape in ('daily', 'dailynoload', 'loadramp', 'loadnoise'):
        l = dailyload(r, t, dt)
        if shape == 'loadramp':
            a, b = sorted(r.uniform(0, H, 2))
            l = (0.5 + r.uniform(0.3, 3) * np.clip((t - a) / (b - a + 0.5), 0, 1)) * (
                1
                + r.uniform(0.01, 0.1) * r.randn(n)
                + r.uniform(0.02, 0.15) * ou(r, n, dt, r.uniform(0.1, 1))
            )
        if shape == 'loadnoise':
            l = 1 + r.uniform(0.1, 0.5) * ou(r, n, dt, lu(r, 0.3, 6)) + 0.05 * r.randn(n)
            l = np.maximum(l, 0)
        amp = lu(r, 0.03, 0.8) if shape != 'dailynoload' else lu(r, 0.005, 0.04)
        eff = l if r.rand() < 0.5 else smooth(l, dt, lu(r, 0.03, 0.5))
        base = base + L * amp * eff
        load = l * lu(r, 0.01, 1000) if shape != 'dailynoload' else np.full(n, np.nan)
    elif shape == 'step':
        base = base + L * lu(r, 0.02, 2) * (t > r.uniform(0.05, 0.95) * H) * (
            1 if r.rand() < 0.8 else np.clip(t / 1, 0, 1)
        )
    elif shape == 'steps':
        for _ in range(r.randint(2, 7)):
            base = base + L * lu(r, 0.01, 0.5) * r.choice([-0.3, 1]) * (t > r.uniform(0, H))
    elif shape == 'upsteps':
        for _ in range(r.randint(2, 4)):
            base = base + L * lu(r, 0.02, 0.3) * (t > r.uniform(0, H))
    elif shape in ('batch', 'batches'):
        for _ in range(1 if shape == 'batch' else r.randint(2, 9)):
            o = r.uniform(0, H)
            a, b, c = (lu(r, 0.02, 2), lu(r, 0.05, 4), lu(r, 0.02, 0.5))
            base = base + L * lu(r, 0.05, 3) * np.clip(
                np.minimum((t - o) / a, (o + a + b + c - t) / c), 0, 1
            )
    elif shape == 'lateret':
        o = r.uniform(0, H * 0.7)
        a, b = (lu(r, 0.1, 2), lu(r, 1, 6))
        base = base + L * lu(r, 0.05, 1.5) * np.clip((t - o) / a, 0, 1) * (t < o + a + b)
    elif shape == 'thp':
        L = lu(r, 30 * MB, 2000 * MB)
        base = np.full(n, L)
        j = r.randint(1, 6)
        for _ in range(j):
            base = base + 2 * MB * r.randint(1, 4) * r.choice([-1, 1]) * (t > r.uniform(0, H))
        noise = 2 * MB * np.round(0.4 * r.randn(n)) * (r.rand() < 0.5) + noise * 0.1
    elif shape == 'frag':
        T = lu(r, 0.3, 4)
        base = base + L * lu(r, 0.05, 1) * np.sqrt(np.clip(t / T, 0, 1))
    elif shape == 'rewarm':
        P = lu(r, 1.0, 9)
        k = (t + r.rand() * P) % P
        start = np.concatenate([[1], (np.diff(k) < 0) * 1.0])
        base = base * r.uniform(0.2, 0.6) + L * lu(r, 0.1, 2) * (
            1 - np.exp(-k / (P * lu(r, 0.03, 0.25)))
        )
    elif shape == 'drift':
        base = base + t * min(0.0008 * L, 0.7 * MB) * r.uniform(0, 1)
        if L * 0.0012 < MB:
            base = base
    elif shape in ('crowd', 'crowdleak'):
        base = L * (1 + crowd(r, t, dt))
        q = L / 100 * r.uniform(0.8, 1.2) if r.rand() < 0.6 else q
    elif shape in ('week', 'weekleak'):
        ratio, busy = week(r, t, dt)
        base, noise = L * ratio, 0
        load = np.full(n, np.nan)
        if r.rand() < 0.5:
            load = np.maximum(busy + 0.05 + lu(r, 0.02, 0.3) * r.randn(n), 0) * lu(r, 1, 1e4)
    elif shape == 'shrink':
        base = base + L * lu(r, 0.02, 0.5) * (1 - t / H)
    if leaky:
        rate = max(lu(r, 0.0022, 0.1) * L, 1.4 * MB)
        on = 0.0 if r.rand() < 0.5 else r.uniform(0.05, 0.6) * H
        u = np.maximum(t - on, 0)
        if shape == 'slow':
            L = lu(r, 1000 * MB, 64 * 1024 * MB)
            base = np.full(n, L)
            rate = max(lu(r, 0.0018, 0.006) * L, 1.4 * MB)
            noise = noise * min(1, L * 0.004 / nz)
        if shape in ('sawleak', 'sawslow'):
            base = np.full(n, L) + teeth(r, t) * L * lu(r, 0.05, 1.0)
        leak = rate * u
        if shape == 'stairs':
            gap = lu(r, 0.1, 2)
            k = np.cumsum(r.rand(n) < dt / gap) * 1.0
            k = k - np.interp(on, t, k)
            leak = rate * gap * np.maximum(k, 0)
        if shape == 'accel':
            leak = rate * u * u / max(H - on, 1) * r.uniform(1, 3)
        if shape in ('dailyleak', 'dailyleaknl', 'perreq'):
            l = dailyload(r, t, dt)
            amp = lu(r, 0.02, 0.5) if shape == 'dailyleak' else lu(r, 0.003, 0.05)
            base = base + L * amp * l
            load = l * lu(r, 0.01, 1000) if shape != 'dailyleaknl' else load * np.nan
            if shape == 'perreq':
                leak = np.cumsum(l * (t > on)) * dt * rate
            if shape != 'perreq':
                leak = leak * 1.5
        if shape == 'deploy':
            on = r.uniform(0.1, 0.5) * H
            u = np.maximum(t - on, 0)
            leak = rate * u
            base = base + L * lu(r, 0.05, 1) * (1 - np.exp(-u / lu(r, 0.01, 0.3))) * (t > on)
            start[np.searchsorted(t, on)] = r.choice([0, 1])
        if shape == 'warmleak':
            start[0] = 1
            base = base * 0.6 + 0.4 * L * (1 - np.exp(-t / lu(r, 0.03, 1)))
        if shape == 'restarts':
            P = lu(r, 2.5, 7)
            k = (t + r.rand() * P) % P
            start = np.concatenate([[1], (np.diff(k) < 0) * 1.0])
            leak = max(rate, 0.03 * L) * k
            on = 0.0
        if shape == 'oom':
            rate = L * lu(r, 0.05, 0.5)
            cap = L * r.uniform(0.5, 2)
            P = cap / rate
            k = (t + 0 * P) % P
            start = np.concatenate([[1], (np.diff(k) < 0) * 1.0])
            leak = rate * k
            limit = L + cap + 3 * nz
            on = 0.0
            noise = noise * 0.5
            base = np.full(n, L)
        if shape == 'fast':
            rate = L * lu(r, 0.1, 1.0)
            on = r.uniform(0.1, 0.8) * H
            leak = rate * np.maximum(t - on, 0)
        if shape == 'quant':
            limit = L * r.uniform(1.3, 3)
            q = limit / 100
            rate = max(rate, 0.006 * L)
            leak = rate * u
        if shape == 'crowdleak':
            rate = max(lu(r, 0.005, 0.08) * L, 1.4 * MB)
            leak = rate * u
            if r.rand() < 0.3:
                gap = lu(r, 0.1, 1)
                k = np.cumsum(r.rand(n) < dt / gap) * 1.0
                leak = rate * gap * np.maximum(k - np.interp(on, t, k), 0)
        if shape == 'weekleak':
            rate = max(lu(r, 0.005, 0.08) * np.median(base), 1.4 * MB)
            leak = rate * u
            if r.rand() < 0.4:
                gap = lu(r, 0.1, 1)
                k = np.cumsum(r.rand(n) < dt / gap) * 1.0
                leak = rate * gap * np.maximum(k - np.interp(on, t, k), 0)
        if shape == 'wandleak':
            noise = noise + L * lu(r, 0.002, 0.02) * ou(r, n, dt, lu(r, 0.15, 1.5))
            rate = max(rate, 0.006 * L)
            leak = rate * u
        onset = on * 3600
    y = np.maximum(base + noise + leak, 0)
    if np.isnan(limit) and r.rand() < 0.4:
        limit = y.max() * r.uniform(1.02, 4)
    if q:
        y = np.floor(y / q + 0.5) * q
    keep = np.ones(n, bool)
    if shape in ('missing', 'gaps') or r.rand() < 0.1:
        for _ in range(r.randint(1, 6)):
            o = r.uniform(0, H)
            keep &= ~((t > o) & (t < o + lu(r, 0.05, 2)))
        keep &= r.rand(n) > r.uniform(0, 0.3)
    keep[0] = True
    keep |= start > 0
    tt = t * 3600 + (r.uniform(-0.3, 0.3, n) * dt_s if r.rand() < 0.5 else 0)
    A = np.column_stack([tt, y, np.full(n, limit), load, start, leak])[keep]
    return (leaky, onset, A)


if __name__ == '__main__':
    seed, per, out = (int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    with open(out, 'wb') as f:
        for s in sys.argv[4:] or HEALTHY + LEAKY:
            for i in range(per):
                r = np.random.RandomState(
                    (seed * 1000003 + sum((ord(c) * 31**j for j, c in enumerate(s))) * 101 + i)
                    % (2**32 - 1)
                )
                lk, on, A = gen(r, s)
                write(f, f'{s}-{i}', ('h-' if not lk else 'l-') + s, lk, on, A)
