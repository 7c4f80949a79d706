# SPDX-License-Identifier: BSD-2-Clause
"""trace_cases.py - `seep trace`: the line that leaks is found, in every form it can be written in.

The program is tests/workloads/call_sites.c; the comments at the ends of its lines say which is
which. How stacks are followed is tried on tests/workloads/stacks/chain.c.
"""
import contextlib
import ctypes.util
import gzip
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree

from harness import LEASH, ROOT, SEEP, Cgroups, Skip, check_shape, expect, need_root, run, wait_for

PROGRAM = ROOT / "build/tests/workloads/call_sites"
CACHE = ROOT / "build/tests/workloads/bounded_cache"
SOURCE = ROOT / "tests/workloads/call_sites.c"
LEAK_BYTES, CACHE_BYTES, CACHE_SLOTS = 1009, 2003, 512
START_S = 30  # attaching takes a while on a busy machine


def line_of(what):
    """The number of the line that is marked so."""
    for number, text in enumerate(SOURCE.read_text(encoding="utf-8").splitlines(), 1):
        if text.endswith(f"/* line: {what} */"):
            return number
    raise LookupError(what)


@contextlib.contextmanager
def program(*args, cgroup=None, path=PROGRAM):
    enter = ["sh", "-c", 'echo $$ >"$0"/cgroup.procs && exec "$@"', str(cgroup)] if cgroup else []
    with subprocess.Popen([*enter, *LEASH, str(path), *map(str, args)], cwd=ROOT,
                          stderr=subprocess.DEVNULL) as process:
        try:
            wait_for("the program runs", lambda: comm_of(process.pid) == path.name, 5, .05)
            yield process
        finally:
            process.kill()


def comm_of(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    return ""


def trace(*args, **options):
    answer = run([SEEP, "trace", *args], START_S + 30, **options)
    expect(answer.returncode == 0, f"exit {answer.returncode}: {answer.stderr}")
    return answer


def trace_json(*args, **options):
    lines = trace("-o", "json", *args, **options).stdout.splitlines()
    return [check_shape(json.loads(line), "trace") for line in lines]


def site_with(traced, function):
    for site in traced["sites"]:
        if any(frame["function"] == function for frame in site["frames"]):
            return site
    raise LookupError(f"no site with {function}: {traced['sites']}")


def check_frame(frame, function, line):
    seen = f"{frame['function']} {frame['file']}:{frame['line']}"
    expect(frame["function"] == function and frame["line"] == line and
           frame["file"].endswith("call_sites.c"), f"{seen} instead of {function}, line {line}")


def check_everything():
    """Every allocation: exact, the right lines, and the right verdicts."""
    with program("--per-s", 2000) as process:
        traced, = trace_json("-p", process.pid, "-d", "11s", "--sample", "all")
    leak, cache = site_with(traced, "leaky"), site_with(traced, "cache_put")
    expect(traced["sites"][0] == leak, "the leak is not on top")
    expect(leak["outstanding_bytes"] == leak["outstanding_count"] * LEAK_BYTES,
           f"{leak['outstanding_bytes']} bytes in {leak['outstanding_count']}")
    expect(leak["outstanding_count"] > 2000, f"only {leak['outstanding_count']} leaked blocks")
    expect(leak["outstanding_ci_bytes"] == [leak["outstanding_bytes"]] * 2, "not exact")
    # one slot may just have been emptied
    expect(cache["outstanding_bytes"] in (CACHE_SLOTS * CACHE_BYTES,
                                          (CACHE_SLOTS - 1) * CACHE_BYTES),
           f"the cache holds {cache['outstanding_bytes']} bytes")
    check_frame(leak["frames"][0], "leaky", line_of("leak"))
    expect(leak["frames"][1]["function"] == "main", f"leaky is called by {leak['frames'][1]}")
    inlined = [frame for frame in cache["frames"] if frame["function"] == "inlined_alloc"]
    check_frame(inlined[0], "inlined_alloc", line_of("inlined"))
    expect(inlined[0]["inlined"], "inlined_alloc is not marked as inlined")
    expect(leak["verdict"] == "leak", f"the leak is '{leak['verdict']}': {leak['evidence']}")
    expect(cache["verdict"] in ("cache", "churn"), f"the cache is '{cache['verdict']}'")
    expect(leak["growth_bytes_per_hour"] > 0, "the leak does not grow")
    # of lost blocks an address may still lie on a stack
    lost = leak["references"]
    expect(lost["blocks"] > 500 and lost["unreferenced"] >= lost["blocks"] - 8, f"leak: {lost}")
    expect(traced["overhead"]["hits"] > 10000, f"{traced['overhead']['hits']} hits")


def check_references():
    """What a cache holds is found, and what is lost is proven to be: in seconds."""
    with program(path=CACHE) as process:
        traced, = trace_json("-p", process.pid, "-d", "4s", "--sample", "all")
    held = site_with(traced, "main")["references"]
    expect(held["blocks"] > 500 and held["unreferenced"] == 0, f"cache: {held}")
    with program() as process:
        traced, = trace_json("-p", process.pid, "-d", "2s", "--sample", "64K")
    leak = site_with(traced, "leaky")
    expect(leak["verdict"] == "leak", f"'{leak['verdict']}', {leak['references']}")
    expect("nothing in its memory refers" in leak["evidence"][0], f"{leak['evidence']}")


def check_sampled():
    """Samples: what was leaked lies within the interval, or not far outside (it is one of 20)."""
    count = 20000
    # the delay is for attaching: 8 s were too few once, at a load of 40
    with program("--delay", 16, "--per-s", 20000, "--count", count) as process:
        traced, = trace_json("-p", process.pid, "-d", "20s", "--sample", "64K")
    low, high = site_with(traced, "leaky")["outstanding_ci_bytes"]
    truth = count * LEAK_BYTES
    expect(low / 1.2 <= truth <= high * 1.2, f"{truth} is not in {low}..{high}")
    expect(high < 2 * truth, f"{low}..{high} says nothing of {truth}")


def check_svg(path):
    root = xml.etree.ElementTree.parse(path).getroot()
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    expect(any(title.startswith("leaky: ") for title in titles), f"titles: {titles}")


def check_pprof(path):
    raw = gzip.decompress(path.read_bytes())
    expect(b"inuse_space" in raw and b"leaky" in raw, "no inuse_space or no leaky")
    if shutil.which("go"):
        answer = run(["go", "tool", "pprof", "-top", "-lines", path], 60)
        expect(re.search(rf"leaky \S*call_sites\.c:{line_of('leak')}$", answer.stdout, re.M),
               answer.stdout + answer.stderr)


def check_folded(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    expect(all(re.fullmatch(r".+ \d+", line) for line in lines), f"{lines}")
    expect(any(re.search(r";main;leaky \d+$", line) for line in lines), f"{lines}")


def check_text(path):
    text = path.read_text(encoding="utf-8")
    expect(re.search(rf"^ +leaky  .*call_sites\.c:{line_of('leak')}$", text, re.M), text)
    expect(re.search(r"^cost: \d+ probe hits", text, re.M), text)


FORMS = {"svg": check_svg, "pprof": check_pprof, "folded": check_folded, "text": check_text}


def check_form(form, directory):
    path = directory / f"trace.{form}"
    with program() as process:
        trace("-p", process.pid, "-d", "1s", "--sample", "all", "-o", form, "-O", path)
    FORMS[form](path)


def check_command():
    """A command is watched from its first allocations on; its output stays apart."""
    answer = trace("-d", "2s", "--sample", "all", "-o", "json", "--", PROGRAM, "--count", 500,
                   "--per-s", 1000)
    leak = site_with(check_shape(json.loads(answer.stdout), "trace"), "leaky")
    expect(leak["outstanding_count"] == 500, f"{leak['outstanding_count']} of 500 blocks")
    expect("done" in answer.stderr, f"the command's own output: {answer.stderr}")


def check_exec():
    """A shell that becomes the program: that is what is traced."""
    traced, = trace_json("-d", "8s", "--sample", "all", "--", "sh", "-c",
                         f"sleep 1; exec {PROGRAM}")
    site_with(traced, "leaky")
    expect(traced["comm"] == PROGRAM.name, f"comm is {traced['comm']}")


CHAINS = ROOT / "tests/workloads/stacks/chain.c"
BUILDS = {
    "none": ["cc", "-fomit-frame-pointer"],
    "clang": ["clang"],
    "debug-frame": ["cc", "-fomit-frame-pointer", "-fno-asynchronous-unwind-tables",
                    "-fno-unwind-tables"],
    "static": ["cc", "-fomit-frame-pointer", "-static"],
    "musl": ["musl-gcc"],
    "musl-static": ["musl-gcc", "-static"],
}
CHAIN_FUNCTIONS = {"leaf", "deep", "compare", "by_sort", "tail_end", "on_signal", "by_signal",
                   "never_returns", "by_noreturn", "all_chains", "in_thread", "main"}


def build_chains(directory):
    """The program in every way it can be built here; each is named after the way."""
    for name, command in BUILDS.items():
        if shutil.which(command[0]):
            answer = run([*command, "-g", "-O2", "-pthread", CHAINS, "-o", directory / name], 60)
            expect(answer.returncode == 0, answer.stderr)
            yield name


def check_chains(directory):
    """Signals, sorts, tail calls, calls that never return: each stack is followed to its start."""
    directory.mkdir()
    with contextlib.ExitStack() as programs:
        pids = [programs.enter_context(program(path=directory / name)).pid
                for name in build_chains(directory)]
        found = trace_json("-p", ",".join(map(str, pids)), "-d", "2s", "--sample", "all",
                           "--top", 0)
    expect(len(found) == len(pids), f"{len(found)} of {len(pids)} are traced")
    for traced in found:
        broken = [site for site in traced["sites"] if not site["whole"]]
        expect(not broken, f"{traced['comm']}: {len(broken)} of {len(traced['sites'])} sites are "
               f"broken: {broken[:1]}")
        named = {frame["function"] for site in traced["sites"] for frame in site["frames"]}
        expect(CHAIN_FUNCTIONS <= named, f"{traced['comm']}: no {CHAIN_FUNCTIONS - named}")


class SymbolServer(http.server.ThreadingHTTPServer):
    """A debuginfod of our own: files of a directory, and which of them were asked for."""

    def __init__(self, directory):
        self.asked = []
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=str(directory))

            def log_message(self, *_):
                server.asked.append(self.path)

        super().__init__(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return super().__enter__()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def build_stripped(directory):
    """The program without symbols, and its debug file where a symbol server has it."""
    path = directory / PROGRAM.name
    script = f"""set -e
cc -g -O1 -Wl,--build-id -pthread {SOURCE} -o {path}
id=$(readelf -n {path} | sed -n 's/.*Build ID: //p')
mkdir -p served/buildid/$id
objcopy --only-keep-debug {path} served/buildid/$id/debuginfo
strip {path}
"""
    answer = run(["sh", "-c", script], 60, cwd=directory)
    expect(answer.returncode == 0, answer.stderr)
    return path


def check_debuginfod(directory):
    """Servers are asked for symbols when that is said, and only then."""
    if not ctypes.util.find_library("debuginfod"):
        raise Skip("no libdebuginfod1")
    directory.mkdir()
    path = build_stripped(directory)
    with SymbolServer(directory / "served") as server, program(path=path) as process:
        env = os.environ | {"DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_port}",
                            "DEBUGINFOD_CACHE_PATH": str(directory / "cache")}
        command = ["-p", process.pid, "-d", "1s", "--sample", "all"]
        untold, = trace_json(*command, env=env)
        expect(not server.asked, f"asked without being told to: {server.asked}")
        told, = trace_json(*command, "--debuginfod", env=env)
    expect(not any(frame["function"] == "leaky" for site in untold["sites"]
                   for frame in site["frames"]), "the program is not stripped")
    check_frame(site_with(told, "leaky")["frames"][0], "leaky", line_of("leak"))


def start_trace(process):
    return subprocess.Popen([str(SEEP), "trace", "-p", str(process.pid), "-d", "10m", "--json",
                             "--sample", "all"], stdout=subprocess.PIPE, text=True)


def check_interrupted():
    with program() as process, start_trace(process) as tracer:
        time.sleep(8)
        tracer.send_signal(signal.SIGINT)
        out, _ = tracer.communicate(timeout=START_S)
        expect(tracer.returncode == 0, f"exit {tracer.returncode}")
        site_with(check_shape(json.loads(out), "trace"), "leaky")
        expect(process.poll() is None, "the program did not survive")


def check_ended():
    with program() as process, start_trace(process) as tracer:
        time.sleep(8)
        process.kill()
        out, _ = tracer.communicate(timeout=START_S)
        expect(tracer.returncode == 0, f"exit {tracer.returncode}")
        traced = check_shape(json.loads(out), "trace")
        check_frame(site_with(traced, "leaky")["frames"][0], "leaky", line_of("leak"))


def check_several():
    with program() as first, program() as second:
        found = trace_json("-p", f"{first.pid},{second.pid}", "-d", "1s", "--no-references")
        expect({traced["pid"] for traced in found} == {first.pid, second.pid}, f"{found}")
        asked = [site["references"] for traced in found for site in traced["sites"]]
        expect(asked and not any(asked), f"references although none are wanted: {asked}")


def check_cgroup(name):
    cgroups = Cgroups(name)
    try:
        group = cgroups.make("traced")
        if not group:
            raise Skip(f"no cgroup of our own: {cgroups.why_not}")
        with program(cgroup=group) as first, program(cgroup=group) as second:
            found = trace_json("--cgroup", cgroups.name_of(group), "-d", "1s")
            expect({traced["pid"] for traced in found} == {first.pid, second.pid}, f"{found}")
    finally:
        cgroups.remove()


def run_all(results, directory):
    directory.mkdir()
    cases = {
        "every allocation, exactly": check_everything,
        "samples, within their interval": check_sampled,
        "references to its blocks": check_references,
        "a command from its first allocation on": check_command,
        "a program that another one becomes": check_exec,
        "symbols from a server": lambda: check_debuginfod(directory / "debuginfod"),
        "every kind of call chain": lambda: check_chains(directory / "chains"),
        "Ctrl-C prints what it has": check_interrupted,
        "a program that ends": check_ended,
        "several processes": check_several,
        "a cgroup": lambda: check_cgroup(f"{directory.parent.name}-trace"),
    }
    for form in FORMS:
        cases[f"as {form}"] = lambda form=form: check_form(form, directory)
    for name, check in cases.items():
        with results.case(f"trace: {name}"):
            need_root("tracing")
            check()
