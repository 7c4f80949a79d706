# SPDX-License-Identifier: BSD-2-Clause
"""leak_cases.py - runs programs.cases: leaking and healthy programs side by side, one agent.

The leaks, and only they, become incidents, on the right process in the right cgroup; an incident
closes when its leak stops or its process ends; and what was recorded replays to the same verdicts.
"""
import json
import pathlib
import shlex
import subprocess
import sys
import time

import cases
from harness import (PATIENCE, ROOT, Cgroups, Failure, Program, Skip, check_shape, expect, run,
                     wait_for)

FILE = pathlib.Path(__file__).with_name("programs.cases")
KEYS = {"NAME", "RUN", "LOAD", "LIMIT", "BEFORE", "FORKS", "NEEDS", "EXPECT", "CALLS", "LOST", "SITES", "OBJECTS",
        "THEN"}
LEAK_TIMEOUT_S = 150   # 2.5 windows: for so long a new process has to be surer
SITES_TIMEOUT_S = 180  # suspects take turns
CLOSE_TIMEOUT_S = 150  # 2.5 windows after the growth stopped
QUIET_S = 150          # how long the healthy ones are watched at least
LOAD_S = 400


class Scene:
    """The programs, their servers' load and their cgroups."""

    def __init__(self, name):
        self.cases = cases.read(FILE, KEYS)
        self.cgroups = Cgroups(name)
        self.programs = {}
        self.loads = []
        self.absent = {}
        self.began_s = time.monotonic()

    def start(self, before):
        """Starts the programs that come before the agent, or the others."""
        for case in self.cases:
            if bool(case.get("BEFORE")) != before:
                continue
            try:
                self.start_one(case)
            except (Skip, Failure, OSError) as reason:
                self.absent[case.name] = reason

    def start_one(self, case):
        needs = case.get("NEEDS")
        if needs and subprocess.run(needs, shell=True, capture_output=True, check=False).returncode:
            raise Skip(f"needs {needs}")
        if case.get("LOAD") and PATIENCE > 1:
            raise Skip("an emulated machine cannot bear its load")
        cgroup = self.cgroups.make(f"p{len(self.programs)}", int(case.get("LIMIT", "0")) << 20)
        if case.get("FORKS") and not cgroup:
            raise Skip(f"no cgroup can be made: {self.cgroups.why_not}")
        program = Program(case.name, shlex.split(case.get("RUN")), cgroup,
                          self.cgroups.name_of(cgroup) if cgroup else None,
                          bool(case.get("FORKS")))
        self.programs[case.name] = program
        if case.get("LOAD"):
            self.start_load(program.start_server(), case.get("LOAD"))
        else:
            program.start()

    def start_load(self, port, rate):
        load = Program(f"load on {port}", [sys.executable, "tests/workloads/load.py", str(port),
                                           "--rate", rate, "--for", str(LOAD_S)])
        load.start()
        self.loads.append(load)

    def stop(self):
        for program in [*self.loads, *self.programs.values()]:
            program.kill()
        self.cgroups.remove()

    def program(self, case):
        """The running program of a case."""
        if case.name in self.absent:
            raise self.absent[case.name]
        return self.programs[case.name]

    def leaks(self):
        return [case for case in self.cases if case.get("EXPECT") == "leak"]

    def quiet(self):
        return [case for case in self.cases if case.get("EXPECT") == "quiet"]

    def leaking(self):
        """The programs that leak and did start."""
        return [self.programs[case.name] for case in self.leaks() if case.name in self.programs]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def incidents_of(program, incidents):
    return [incident for incident in incidents if program.owns(incident)]


def await_leaks(agent, scene):
    """Waits until every leak has its incident, or until that is overdue."""
    end = scene.began_s + LEAK_TIMEOUT_S * PATIENCE
    while time.monotonic() < end:
        seen = agent.incidents("--all")
        if all(incidents_of(program, seen) for program in scene.leaking()):
            return
        time.sleep(1)


def check_found(case, scene, agent):
    program = scene.program(case)
    expect(program.process.poll() is None, f"the program ended ({program.process.returncode})")
    found = incidents_of(program, agent.incidents("--all"))
    expect(len(found) == 1, f"{len(found)} incidents on process {program.pid}")
    incident, named = found[0], found[0]["object"]
    expect(incident["state"] == "open", f"the incident is {incident['state']}")
    expect(incident["verdict"]["verdict"] == "leak", f"verdict {incident['verdict']}")
    expect(incident["verdict"]["growth_bytes"] > 0 and
           incident["verdict"]["slope_bytes_per_hour"] > 0, f"no growth: {incident['verdict']}")
    expect(incident["verdict"]["evidence"], "no evidence")
    comm = pathlib.Path(f"/proc/{program.pid}/comm").read_text(encoding="utf-8").strip()
    expect(named["comm"] == comm, f"named '{named['comm']}' instead of '{comm}'")
    if program.cgroup_name:
        expect(named["cgroup"] == program.cgroup_name,
               f"in '{named['cgroup']}' instead of '{program.cgroup_name}'")
    if case.get("LIMIT") and program.cgroup:
        check_limit(incident["verdict"], int(case.get("LIMIT")) << 20)
    check_details(agent, incident)


def check_sites(case, scene, agent):
    """The agent has looked into the allocator by itself, and the incident names the code."""
    program = scene.program(case)
    incident_id = incidents_of(program, agent.incidents())[0]["id"]

    def frames():
        sites = agent.json("incident", "show", incident_id)["sites"]
        return [frame for site in sites for frame in site["frames"]
                if frame["function"] == case.get("CALLS")]

    frame = wait_for(f"a call site with {case.get('CALLS')}()", frames, SITES_TIMEOUT_S, 1)[0]
    expect(frame["file"] and frame["line"], f"no source line: {frame}")
    if case.get("LOST"):
        check_lost(incident_id, agent)


def check_lost(incident_id, agent):
    """Nothing in the program refers to its blocks, which is told."""
    def references():
        incident = agent.json("incident", "show", incident_id)
        told = incident["sites"][0]["references"] or {"unreferenced": 0}
        return told["unreferenced"] and incident["explanation"]

    explanation = wait_for("blocks that are referred to from nowhere", references,
                           SITES_TIMEOUT_S, 1)
    expect("Nothing in its memory refers to" in explanation, explanation)


def check_any_sites(case, scene, agent):
    """There are call sites, and no frame of them says nothing at all."""
    incident_id = incidents_of(scene.program(case), agent.incidents())[0]["id"]
    sites = wait_for("call sites", lambda: agent.json("incident", "show", incident_id)["sites"],
                     SITES_TIMEOUT_S, 1)
    for frame in (frame for site in sites for frame in site["frames"]):
        expect(frame["function"] or frame["module"], f"a frame without a name: {frame}")


def check_objects(case, scene, agent):
    """Which types of the runtime's objects pile up."""
    incident_id = incidents_of(scene.program(case), agent.incidents())[0]["id"]

    def types():
        objects = agent.json("incident", "show", incident_id)["objects"]
        return objects and objects["types"]

    grown = wait_for("types of objects", types, SITES_TIMEOUT_S, 1)
    expect(all(one["added_bytes"] > 0 for one in grown), f"types that did not grow: {grown}")
    expect("Which objects pile up" in agent.ask("show", incident_id).stdout, "seep show does not say it")


def check_limit(verdict, limit_bytes):
    expect(verdict["limit_bytes"] and verdict["limit_bytes"] <= limit_bytes,
           f"limit_bytes {verdict['limit_bytes']} instead of {limit_bytes}")
    expect(verdict["time_to_limit_s"] is not None, "no time_to_limit_s")
    low, high = verdict["time_to_limit_ci_s"]
    expect(low is not None and low <= verdict["time_to_limit_s"], f"interval [{low}, {high}]")


def check_details(agent, incident):
    """`seep show` tells the whole story, in JSON and in words."""
    shown = agent.json("incident", "show", incident["id"])
    expect(shown["id"] == incident["id"], f"shows {shown['id']}")
    expect(len(shown["history"]) >= 5, f"history of {len(shown['history'])} points")
    times = [t_s for t_s, _ in shown["history"]]
    expect(times == sorted(set(times)), "history is not in order")
    sizes = [size for _, size in shown["history"]]
    expect(max(sizes) > sizes[0], "history does not grow")
    expect(1 <= len(shown["top"]) <= 10, f"{len(shown['top'])} rows of top")
    expect(shown["explanation"], "no explanation")
    words = agent.ask("show", incident["id"])
    expect(words.returncode == 0 and str(incident["object"]["comm"]) in words.stdout,
           f"seep show: {words.returncode}: {words.stdout}{words.stderr}")


def check_lists(scene, agent):
    """`leaks` in words and with --exit-code, and `top`, know of the leaks too."""
    open_ids = [incident["id"] for incident in agent.incidents()]
    words = agent.ask("leaks")
    for incident_id in open_ids:
        expect(incident_id in words.stdout, f"'{incident_id}' is not in:\n{words.stdout}")
    expect(agent.ask("leaks", "--exit-code").returncode == 3, "--exit-code does not give 3")
    verdicts = {row["pid"]: row["verdict"]
                for row in agent.json("top", "top", "--once", "-n", "5000")["rows"]}
    for program in scene.leaking():
        said = {verdicts.get(pid) for pid in program.pids()}
        expect("leak" in said, f"top says {said} of {program.name}")


def check_one_each(scene, agent):
    """The cgroup of a leaking process is not a second incident."""
    groups = {program.cgroup_name: program for program in scene.leaking()
              if program.cgroup_name and not program.forks}
    for incident in agent.incidents("--all"):
        named = incident["object"]
        program = groups.get(named["cgroup"])
        expect(named["pid"] is not None or not program,
               f"{named['cgroup']} is an incident, too: {program and program.name}")


def check_replay(scene, agent, directory):
    """The recorded window, replayed, gives the limited leak and the sawtooth their verdicts."""
    tape = directory / "record.csv"
    answer = agent.ask("record", "-O", str(tape))
    expect(answer.returncode == 0, f"record: {answer.stderr}")
    replayed = run([ROOT / "build/seep", "replay", "--window", "60s", "--json", tape])
    expect(replayed.returncode == 0, f"replay: {replayed.stderr}")
    series = [check_shape(json.loads(line), "replay") for line in replayed.stdout.splitlines()]
    leaking = [one["series"] for one in series if one["verdict"] == "leak"]
    for case in scene.cases:
        if case.name not in scene.programs:
            continue
        found = [name for name in leaking if name.endswith(f"[{scene.programs[case.name].pid}]")]
        if case.get("EXPECT") == "quiet":
            expect(not found, f"replay calls {case.name} a leak: {found}")
        elif case.get("LIMIT"):
            expect(found, f"replay does not find {case.name} among {leaking}")


def check_closes(case, scene, agent):
    program = scene.program(case)
    expect(incidents_of(program, agent.incidents("--all")), "it never had an incident")

    def closed():
        still_open = incidents_of(program, agent.incidents())
        return not still_open and incidents_of(program, agent.incidents("--all"))

    incident = wait_for("the incident closes", closed, CLOSE_TIMEOUT_S, 1)[0]
    expect(incident["state"] == "closed" and incident["closed_s"] is not None,
           f"state {incident['state']}, closed_s {incident['closed_s']}")
    expect(incident["closed_s"] >= incident["opened_s"], "closed before it was opened")
    agent.json("incident", "show", incident["id"])


def check_quiet(case, scene, agent):
    program = scene.program(case)
    for incident in agent.incidents("--all"):
        named = incident["object"]
        mine = program.owns(incident) or (
            program.cgroup_name and named["cgroup"] == program.cgroup_name)
        expect(not mine, f"an incident on {named['comm']}[{named['pid']}] in {named['cgroup']}: "
               f"{json.dumps(incident['verdict'])}")


def note_others(scene, agent):
    """Other programs of this machine may leak: not our business, but worth a line."""
    programs = scene.programs.values()
    groups = {program.cgroup_name for program in programs}
    for incident in agent.incidents("--all"):
        named = incident["object"]
        if not any(program.owns(incident) for program in programs) and \
                named["cgroup"] not in groups:
            print(f"note  also an incident: {named['comm']}[{named['pid']}] in {named['cgroup']}")


def run_all(results, directory, scene, agent):
    await_leaks(agent, scene)
    for case in scene.leaks():
        with results.case(f"leaks: {case.name} is found"):
            check_found(case, scene, agent)
    # before the call sites, which may take minutes: one leak ends, and is forgotten by then
    with results.case("leaks: every view knows of them"):
        check_lists(scene, agent)
    for case in scene.leaks():
        if case.get("CALLS"):
            with results.case(f"leaks: {case.name} is named with its line"):
                check_sites(case, scene, agent)
        if case.get("SITES"):
            with results.case(f"leaks: {case.name} has call sites"):
                check_any_sites(case, scene, agent)
        if case.get("OBJECTS"):
            with results.case(f"leaks: {case.name} has objects that pile up"):
                check_objects(case, scene, agent)
    with results.case("leaks: one leak is one incident"):
        check_one_each(scene, agent)
    with results.case("leaks: the record replays to the same verdicts"):
        check_replay(scene, agent, directory)
    for case in scene.leaks():
        if case.get("THEN") == "kill" and case.name in scene.programs:
            scene.programs[case.name].kill()
    for case in scene.leaks():
        if case.get("THEN"):
            with results.case(f"leaks: {case.name} ({case.get('THEN')}): the incident closes"):
                check_closes(case, scene, agent)
    time.sleep(max(0, scene.began_s + QUIET_S - time.monotonic()))
    for case in scene.quiet():
        with results.case(f"quiet: {case.name}"):
            check_quiet(case, scene, agent)
    note_others(scene, agent)
