# SPDX-License-Identifier: BSD-2-Clause
"""guest.py - runs inside a guest of boot.sh: what this kernel can do with seep, row by row.

    guest.py [PART]...      default: all but e2e, and few of the unit tests

leak         the agent and `seep trace` beside a program that leaks
NAME         tests/kernel/test_NAME
unit/NAME    tests/unit/test_NAME
btf          a kernel without BTF
e2e          the end-to-end cases that need no servers; on a host that has time to spare

Prints the output of the tests, and for table.py lines "=row=<tab>NAME<tab>CELL". A cell is "yes",
what is used instead, or the reason why not; one that begins with "FAILED" fails the run. Tests
repeat less ($SEEP_SLOW): an emulated machine is some 20 times slower. $SEEP_BUILD is where they are
built (build/).
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("SEEP_BUILD", "build")
SEEP = str(BUILD / "seep")
TESTS = BUILD / "tests"
WORKLOADS = BUILD / "tests/workloads"
CGROUP = pathlib.Path("/sys/fs/cgroup/seep-vm")
STATE = "/run/seep-vm"
SOCKET = f"{STATE}.sock"
UNIT_TESTS = ("unit/reach",)  # of what the kernel tells of a process's memory
E2E_GROUPS = "cli", "agent", "leaks"
# bounds, not measures: the host may be busy, and then a guest stands still
PROGRAM_TIMEOUT_S, COMMAND_TIMEOUT_S = 2400, 600
INCIDENT_TIMEOUT_S, SITES_TIMEOUT_S = 900, 600


def row(name, cell):
    print(f"=row=\t{name}\t{cell}", flush=True)


def run(*args, timeout_s=COMMAND_TIMEOUT_S):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=timeout_s, check=False, cwd=ROOT)


def wait_for(probe, timeout_s):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = probe()
        if value:
            return value
        time.sleep(1)
    return None


# ---- what the kernel has -------------------------------------------------------------------

def tell_kernel():
    row("kernel", os.uname().release)
    doctor = json.loads(subprocess.run([SEEP, "doctor", "--json"], capture_output=True, text=True,
                                       timeout=COMMAND_TIMEOUT_S, check=False).stdout)
    for check in doctor["checks"]:
        if check["name"].startswith(("BTF", "event", "ring", "task it", "memory cg")):
            row(check["name"], "yes" if check["level"] == "ok" else f"no: {check['found']}")


def tell_when(began_s):
    row("run on (UTC), for", time.strftime("%F %H:%M, ", time.gmtime(began_s)) +
        f"{(time.time() - began_s) / 60:.0f} min")


# ---- the kernel ring -----------------------------------------------------------------------

def cell_of(output, status):
    """cmocka's lines -> one cell; a test without result died with the program."""
    outcomes = re.findall(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S.*)$", output, re.M)
    begun = set(re.findall(r"^\[ RUN +\] (\S.*)$", output, re.M))
    told = {name: outcome for outcome, name in outcomes if name in begun}
    unfinished = sorted(begun - set(told))
    bad = [name for name, got in told.items() if got == "FAILED"]
    if status == 124 and not bad:
        return f"FAILED: out of time in {', '.join(unfinished)}, {len(told)} had passed"
    bad += unfinished
    if bad or (status and not told):
        return f"FAILED: {', '.join(bad) or f'exit status {status}'}"
    skipped = sum(got == "SKIPPED" for got in told.values())
    passed = len(told) - skipped
    if not passed:
        return f"none of {skipped}"
    return f"{passed} passed" + (f", {skipped} skipped" if skipped else "")


def reasons(output):
    """Why tests were skipped, each reason once."""
    return sorted(set(re.findall(r"^\[ +SKIP +\] (\S.*)$", output, re.M)))


def run_long(*args):
    """(what it prints, status); it is left alone for as long as that takes, within reason."""
    begin = time.monotonic()
    try:
        answer = run(*args, timeout_s=PROGRAM_TIMEOUT_S)
        output, status = answer.stdout, answer.returncode
    except subprocess.TimeoutExpired as late:
        output, status = (late.stdout or b"").decode(errors="replace"), 124
    print(output, f"-- {args[0]}: {time.monotonic() - begin:.0f} s", flush=True)
    return output, status


def native_test(part):
    ring, _, name = part.rpartition("/")
    program = f"{ring or 'kernel'}/test_{name}"
    output, status = run_long(str(TESTS / program))
    row(f"tests/{program}", cell_of(output, status))
    for reason in reasons(output):
        print(f"=skip=\ttest_{name}\t{reason}")


# ---- the end-to-end ring -------------------------------------------------------------------

def end_to_end_ring():
    output, status = run_long("tests/e2e/run.sh", *E2E_GROUPS)
    cases = re.findall(r"^(ok|FAIL|skip) +(.*)$", output, re.M)
    bad = [text.split(":")[0] for outcome, text in cases if outcome == "FAIL"]
    cell = f"{sum(outcome == 'ok' for outcome, _ in cases)} passed"
    skipped = [text for outcome, text in cases if outcome == "skip"]
    if bad or status or not cases:
        cell = f"FAILED: {', '.join(bad) or f'exit status {status}'}, {cell}"
    elif skipped:
        cell += f", {len(skipped)} skipped"
    row(f"tests/e2e ({', '.join(E2E_GROUPS)})", cell)
    for text in skipped:
        print(f"=skip=\te2e\t{text}")


# ---- the agent beside a program that leaks -------------------------------------------------

class Agent:
    def __init__(self, *args):
        self.log = open("/run/seep-vm.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [SEEP, "agent", "--interval", "1s", "--window", "120s", "--listen", "none",
             "--drill-percent", "50", "--state-dir", STATE, "--socket", SOCKET, *args],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for(lambda: self.ask("status") or self.process.poll() is not None,
                 COMMAND_TIMEOUT_S)

    def ask(self, *args):
        answer = subprocess.run([SEEP, *args, "--json", "--socket", SOCKET], capture_output=True,
                                text=True, timeout=COMMAND_TIMEOUT_S, check=False)
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def stop(self):
        self.process.terminate()
        self.process.wait(COMMAND_TIMEOUT_S)
        self.log.seek(0)
        return self.log.read()


def start_leak():
    CGROUP.mkdir(exist_ok=True)
    enter = ["sh", "-c", f'echo $$ >{CGROUP}/cgroup.procs && exec "$@"', "leak"]
    return subprocess.Popen([*enter, str(WORKLOADS / "leak_linear"), "--base", "30M", "--rate",
                             "1.5M"], stdin=subprocess.DEVNULL)


def tell_tables():
    if not shutil.which("bpftool"):
        return
    maps = json.loads(run("bpftool", "-j", "map", "show").stdout or "[]")
    for each in maps:
        if each.get("name") == "seep_procs":
            row("memory of the process table", "on demand" if each["flags"] & 1 else "reserved")


def find_incident(agent, pid):
    named = (agent.ask("leaks", "--all") or {}).get("incidents", [])
    return next((each for each in named if each["object"]["pid"] == pid), None)


def tell_mode(pid):
    """The way of the allocator probes, and whether they name the line."""
    answer = subprocess.run([SEEP, "trace", "-p", str(pid), "-d", "20s", "-o", "json"],
                            capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    print(answer.stdout[-2000:], answer.stderr[-2000:])
    try:
        traced = json.loads(answer.stdout.splitlines()[0])
    except (IndexError, ValueError):
        last = answer.stderr.strip().splitlines()[-1:] or ["nothing said"]
        row("allocator probes", f"FAILED: {last[0]}")
        return
    row("allocator probes", traced["overhead"]["mode"])
    row("`seep trace` names the line", names_leak(traced["sites"]))


def names_leak(sites):
    for site in sites or []:
        for frame in site["frames"]:
            if (frame["file"] or "").endswith("leak_linear.c") and frame["line"]:
                return "yes"
    print(json.dumps(sites))
    return "FAILED: no call site in leak_linear.c"


def sites_of(agent, incident):
    return (agent.ask("show", incident["id"]) or {}).get("sites")


def find_leak():
    leak, agent = start_leak(), Agent()
    try:
        status = agent.ask("status") or {}
        row("events of memory", status.get("probes", {}).get("rss", "FAILED: no agent"))
        row("exact sizes at each poll", status.get("probes", {}).get("poll", "FAILED: no agent"))
        tell_tables()
        tell_mode(leak.pid)
        found = wait_for(lambda: find_incident(agent, leak.pid), INCIDENT_TIMEOUT_S)
        if not found:
            row("the leak becomes an incident, with its cgroup v2 path", "FAILED: not seen")
            return
        cgroup = found["object"]["cgroup"]
        row("the leak becomes an incident, with its cgroup v2 path",
            "yes" if cgroup == f"/{CGROUP.name}" else f"FAILED: cgroup {cgroup}")
        wait_for(lambda: names_leak(sites_of(agent, found)) == "yes", SITES_TIMEOUT_S)
        row("the incident names the line", names_leak(sites_of(agent, found)))
        row("events missed (preempted programs)",
            str((agent.ask("status") or {}).get("dropped", {}).get("events_missed")))
    finally:
        leak.kill()
        leak.wait()
        print(agent.stop())


# A kernel without BTF, as nearly as it can be had: an empty directory hides it.
def without_btf():
    subprocess.run(["mount", "-t", "tmpfs", "none", "/sys/kernel/btf"], check=True)
    leak, agent = start_leak(), Agent()
    try:
        status = agent.ask("status") or {}
        polls = status.get("probes", {}).get("poll")
        found = wait_for(lambda: find_incident(agent, leak.pid), INCIDENT_TIMEOUT_S)
    finally:
        leak.kill()
        leak.wait()
        log = agent.stop()
    print(log)
    said = [line.split("seep: ", 1)[1] for line in log.splitlines() if "BTF" in line]
    row("without BTF the agent says", said[0] if len(said) == 1 else f"FAILED: {said}")
    row("and finds the leak by polling", polls if found else f"FAILED: not seen by {polls}")
    subprocess.run(["umount", "/sys/kernel/btf"], check=True)


def main():
    os.environ["SEEP_SLOW"] = "1"
    tests = sorted(path.name[5:] for path in TESTS.glob("kernel/test_*") if not path.suffix)
    parts = sys.argv[1:] or ["leak", "btf", *tests, *UNIT_TESTS]
    began_s = time.time()
    tell_kernel()
    for part in parts:
        try:
            {"leak": find_leak, "btf": without_btf, "e2e": end_to_end_ring}.get(
                part, lambda name=part: native_test(name))()
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            traceback.print_exc(file=sys.stdout)
            row(part, f"FAILED: {type(error).__name__}: {error}")
    tell_when(began_s)


if __name__ == "__main__":
    main()
