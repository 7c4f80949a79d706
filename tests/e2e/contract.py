# SPDX-License-Identifier: BSD-2-Clause
"""contract.py - the JSON that the command line promises, as shapes, and a checker for them.

A shape is a type, a dictionary of members, a one-element list (a list of any length of that
shape), a tuple (a list of exactly these shapes), or one of Maybe, OneOf and NumberBetween.
Members that a shape does not name are allowed: fields may be added, but never renamed.
"""


class Maybe:
    """The shape, or null: an unknown field is null and never left out."""

    def __init__(self, shape):
        self.shape = shape


class OneOf:
    def __init__(self, *words):
        self.words = words


class NumberBetween:
    def __init__(self, low, high):
        self.low, self.high = low, high


def problems(value, shape, path="$"):
    """What is wrong with the value, one line each; an empty list when it fits."""
    if isinstance(shape, Maybe):
        return [] if value is None else problems(value, shape.shape, path)
    if isinstance(shape, OneOf):
        return [] if value in shape.words else [f"{path}: {value!r} is none of {shape.words}"]
    if isinstance(shape, NumberBetween):
        ok = is_number(value) and shape.low <= value <= shape.high
        return [] if ok else [f"{path}: {value!r} is not in {shape.low}..{shape.high}"]
    if isinstance(shape, dict):
        return problems_of_object(value, shape, path)
    if isinstance(shape, (list, tuple)):
        return problems_of_list(value, shape, path)
    ok = type(value) is shape or (shape is float and is_number(value))
    return [] if ok else [f"{path}: {value!r} is no {shape.__name__}"]


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def problems_of_object(value, members, path):
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no object"]
    found = []
    for name, shape in members.items():
        if name in value:
            found += problems(value[name], shape, f"{path}.{name}")
        else:
            found.append(f"{path}.{name}: missing")
    return found


def problems_of_list(value, shape, path):
    if not isinstance(value, list):
        return [f"{path}: {value!r} is no list"]
    shapes = shape * len(value) if isinstance(shape, list) else shape
    if len(value) != len(shapes):
        return [f"{path}: has {len(value)} elements instead of {len(shapes)}"]
    found = []
    for i, (element, shape) in enumerate(zip(value, shapes)):
        found += problems(element, shape, f"{path}[{i}]")
    return found


STATE = OneOf("warming", "healthy", "suspect", "leak", "recovered")
CLASS = OneOf("leak", "retention", "fragmentation", "warm-up", "cache", "sawtooth", "step", "load",
              "unknown")
HISTORY = [(int, int)]

WHO = {
    "pid": Maybe(int), "comm": Maybe(str), "cgroup": Maybe(str), "container": Maybe(str),
    "pod": Maybe(str), "namespace": Maybe(str), "workload": Maybe(str),
}

TOP_ROW = {
    **WHO, "start_ns": Maybe(int), "cmdline": Maybe(str),
    "rss_bytes": Maybe(int), "anon_bytes": Maybe(int), "swap_bytes": Maybe(int),
    "shmem_bytes": Maybe(int), "limit_bytes": Maybe(int), "growth_bytes_per_hour": Maybe(int),
    "verdict": STATE, "class": CLASS, "history": HISTORY,
}

TOP = {"schema": OneOf("seep.top/1"), "at_s": int, "window_s": int, "rows": [TOP_ROW]}

VERDICT = {
    "verdict": STATE, "class": CLASS, "confidence": Maybe(NumberBetween(0, 1)),
    "since_s": Maybe(int), "growth_bytes": Maybe(int), "slope_bytes_per_hour": Maybe(int),
    "slope_ci_bytes_per_hour": (Maybe(int), Maybe(int)), "limit_bytes": Maybe(int),
    "time_to_limit_s": Maybe(int), "time_to_limit_ci_s": (Maybe(int), Maybe(int)),
    "evidence": [str],
}

FRAME = {
    "function": Maybe(str), "offset": Maybe(int), "file": Maybe(str), "line": Maybe(int),
    "module": Maybe(str), "build_id": Maybe(str), "address": str, "inlined": bool,
    "kind": OneOf("native", "python", "node", "go", "java", "kernel"),
}

SITE = {
    "outstanding_bytes": int, "outstanding_ci_bytes": (Maybe(int), Maybe(int)),
    "outstanding_count": int, "growth_bytes_per_hour": Maybe(int), "oldest_age_s": Maybe(int),
    "median_age_s": Maybe(int), "verdict": OneOf("leak", "cache", "churn", "unknown"),
    "age_cohorts": [(int, int)], "allocator": str, "samples": int, "frames": [FRAME],
}

OBJECTS_ROW = {
    "type": Maybe(str), "class": bool, "objects": int, "bytes": int, "added_objects": Maybe(int),
    "added_bytes": Maybe(int),
}
INCIDENT = {
    "schema": OneOf("seep.incident/1"), "id": str, "state": OneOf("open", "closed"),
    "kind": OneOf("leak", "memory-error"), "severity": OneOf("info", "warning", "critical"),
    "object": {**WHO, "node": Maybe(str)},
    "opened_s": int, "started_s": Maybe(int), "closed_s": Maybe(int), "duration_s": int,
    "verdict": {**VERDICT, "verdict": Maybe(STATE)},  # of a memory error there is none
    "sites": [SITE], "top": [TOP_ROW], "history": HISTORY,
    "objects": Maybe({"runtime": str, "span_s": float, "types": [OBJECTS_ROW]}),
    "explanation": str, "related": [str], "not_seen": [str],
}

LEAKS = {"schema": OneOf("seep.leaks/1"), "incidents": [INCIDENT]}

REPLAY = {
    "schema": OneOf("seep.replay/1"), "series": str, "points": int, "span_s": float,
    "verdict": STATE, "first_alarm_s": Maybe(float),
    "alarms": [{"opened_s": float, "closed_s": Maybe(float)}], "final": VERDICT,
}

TRACE = {
    "schema": OneOf("seep.trace/1"), "pid": int, "comm": str, "duration_s": int,
    "sample_bytes": int, "allocated_bytes": int, "freed_bytes": int, "outstanding_bytes": int,
    "sites": [SITE], "dropped": dict, "not_seen": [str],
    "overhead": {"hits": int, "cost_ns": int, "target_cpu_percent": Maybe(float)},
}

INSPECT = {
    "schema": OneOf("seep.inspect/1"), "at_s": int, "last_s": int, "complete": bool,
    "objects": int, "reported": int, "not_seen": [str],
    "candidates": [{"object": {**WHO, "node": Maybe(str)}, "verdict": VERDICT, "reported": bool,
                    "incident": Maybe(str), "why": str}],
}

# The contract names these two without their members.
STATUS = {"schema": OneOf("seep.status/1"), "poll": {"cnt": int}}
DOCTOR = {"schema": OneOf("seep.doctor/1")}

HEAP = {
    "schema": OneOf("seep.heap/1"), "pid": int, "comm": str, "runtime": str, "at_s": int, "span_s": Maybe(float),
    "anon_bytes": Maybe(int), "blocks": int, "block_bytes": int, "free_bytes": int, "scanned_bytes": int,
    "took_ns": int, "not_seen": [str],
    "types": [OBJECTS_ROW],
}
SHAPES = {
    "top": TOP, "leaks": LEAKS, "incident": INCIDENT, "replay": REPLAY, "status": STATUS,
    "doctor": DOCTOR, "trace": TRACE, "heap": HEAP, "inspect": INSPECT,
}
