# SPDX-License-Identifier: BSD-2-Clause
"""run.py - the end-to-end ring: the real agent and command line beside real programs.

    tests/e2e/run.sh [GROUP]...

cli         cli.cases: one command each, what it prints and returns
agent       agent_cases.py: SIGKILL, bad state, bad clients
trace       trace_cases.py: `seep trace` finds the line that leaks, in every form
leaks       programs.cases: the leaks, and only they, become incidents
metrics     metrics_cases.py: a leak becomes an alert in real Prometheus and Alertmanager
notify      notify_cases.py: an incident reaches a webhook, Alertmanager and a command
peers       peer_cases.py: `seep trace` on servers and tools from Debian, which do not notice
targets     target_cases.py: `seep trace` of programs that do odd things, of families, beside debuggers
pods        pod_cases.py: a Kubernetes-shaped node and its kubelet; which pod, which workload
sandbox     sandbox_cases.py: who reads files of others has no rights, and may end at any time
faults      fault_cases.py: any call of seep may fail (SEEP_FAULTS=all: at every place)
kill        kill_cases.py: SIGKILL at any moment, KILL_CYCLES times
disk        disk_cases.py: disks that are full, state that is damaged, clocks that jump
story       story_cases.py: a leak and an OOM kill from the beginning to the history
page        page_cases.py: the web page in a real browser
heap        heap_cases.py: `seep heap` counts the objects of real interpreters
deploy      deploy_cases.py: manifests, chart, plugin, unit and package
floods      flood_cases.py: more processes, cgroups and clients than there is room for
hostile     hostile_cases.py: containers whose files, links and names are traps
containers  container_cases.py: the image is built and runs with few permissions
hardening   hardening_cases.py: the binary was compiled and linked to resist

The first four share the waiting for the programs of the scene; the rest runs after them, two groups
at a time. What is watched lives in real time on a machine that may be busy with something else, so
groups with failures run once more, and what passed in either run has passed: it is named. Prints a
line for each case, and as the last line "N passed, N failed, N skipped"; exits 1 when a case failed.
"""
import os
import queue
import signal
import sys
import threading

import agent_cases
import cli_cases
import container_cases
import deploy_cases
import disk_cases
import fault_cases
import flood_cases
import hardening_cases
import heap_cases
import hostile_cases
import kill_cases
import leak_cases
import metrics_cases
import notify_cases
import page_cases
import peer_cases
import pod_cases
import sandbox_cases
import story_cases
import target_cases
import trace_cases
from harness import SEEP, Agent, Results, Tally, scratch_directory, told

SHARED = ("cli", "agent", "trace", "leaks")
AFTER = {  # the longest first; floods last, because they disturb the others
    "containers": container_cases, "pods": pod_cases, "story": story_cases, "page": page_cases, "notify": notify_cases,
    "targets": target_cases, "hostile": hostile_cases, "sandbox": sandbox_cases, "faults": fault_cases,
    "kill": kill_cases, "disk": disk_cases, "peers": peer_cases, "metrics": metrics_cases, "deploy": deploy_cases,
    "heap": heap_cases, "hardening": hardening_cases, "floods": flood_cases,
}
GROUPS = (*SHARED, *AFTER)
LANES = 2


def in_background(target, *args):
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def run_scene(tally, directory, groups):
    """The programs serve two agents at once: one is left alone, the other one is killed."""
    threads = []
    leaks = Results(tally, "leaks")
    with leak_cases.Scene(f"seep-e2e-{os.getpid()}") as scene:
        if "leaks" in groups:
            scene.start(before=True)
        with Agent(directory / "shared", "--drill-targets", "4") as agent:
            if "leaks" in groups:
                scene.start(before=False)
                threads.append(in_background(agent_cases.run_sigkill, leaks, directory / "killed", scene))
            if "cli" in groups:
                threads.append(in_background(cli_cases.run_all, Results(tally, "cli"), directory / "cli", agent))
            if "agent" in groups:
                threads.append(in_background(agent_cases.run_all, Results(tally, "agent"), directory / "agents"))
            if "trace" in groups:
                threads.append(in_background(trace_cases.run_all, Results(tally, "trace"), directory / "traces"))
            if "leaks" in groups:
                leak_cases.run_all(leaks, directory, scene, agent)
            for thread in threads:
                thread.join()


def run_lane(tally, directory, waiting):
    while True:
        try:
            name = waiting.get_nowait()
        except queue.Empty:
            return
        AFTER[name].run_all(Results(tally, name), directory / name)


def run_after(tally, directory, groups):
    waiting = queue.SimpleQueue()
    for name in AFTER:
        if name in groups:
            waiting.put(name)
    lanes = [in_background(run_lane, tally, directory, waiting) for _ in range(LANES)]
    for lane in lanes:
        lane.join()


def run_groups(groups):
    tally = Tally()
    shared = [group for group in groups if group in SHARED]
    with scratch_directory() as directory:
        if not SEEP.exists():
            tally.add("e2e", "FAIL", "e2e", f"{SEEP} is not built")
        elif os.geteuid() != 0:
            tally.add("e2e", "skip", "all but cli", "the agent needs root")
            if "cli" in groups:
                cli_cases.run_all(Results(tally, "cli"), directory / "cli", None)
        else:
            if shared:
                with Results(tally, shared[-1]).case("agent: starts, runs beside everything below, and ends"):
                    run_scene(tally, directory, shared)
            run_after(tally, directory, groups)
    return tally


def main():
    groups = sys.argv[1:] or GROUPS
    if not set(groups) <= set(GROUPS):
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    tally = run_groups(groups)
    again = [group for group in GROUPS if group in tally.failed_groups()]
    if again:
        print(f"note  once more: {' '.join(again)}")
        for name in tally.merge(run_groups(again)):
            print(f"note  passed in one run of two: {name}")
    for name, (outcome, text, _) in tally.failed().items():
        print(told(outcome, name, text))
    print(tally.summary())
    return 1 if tally.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
