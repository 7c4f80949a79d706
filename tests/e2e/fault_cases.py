# SPDX-License-Identifier: BSD-2-Clause
"""fault_cases.py - one call of seep fails: an allocation, a write, an open, a bpf(2), a connect...

The binary with the sanitizers runs under tests/faults/inject.c. Each case first collects the places
that such calls come from and then lets them fail, one at a time: all of them with SEEP_FAULTS=all,
N in each case with SEEP_FAULTS=N, else a seeded sample. After each: no signal, no report of a
sanitizer (leaks are found at the end of the process), no hang; either the work was done or a
message says why not; and in the end the incident is known, and the agent is well again.
"""
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import faults
from faults import CLASSES, PROC, Fault, Injector, check_report, describe
from harness import LEASH, ROOT, Agent, Failure, check_shape, expect, run, tail, wait_for
from kill_cases import changed_code, check_known, incidents_on
from servers import http_port

TRIED = os.environ.get("SEEP_FAULTS", "")  # "all", or how many in each case
ALL = TRIED == "all"
WANTED = os.environ.get("SEEP_FAULTS_CASE", "")
SEED = os.environ.get("SEEP_FAULTS_SEED", "7")
WINDOW_S = 12
TICK_S = .1
LEAK = ROOT / "build/tests/workloads/leak_linear"
ANSWER_S = 60
COMMAND_S = 120
LOOK_S = 20     # a busy machine may take longer for a closer look: then there is none
SLOW_S = 3      # a place that is not come by again in this time is left out
SAMPLE = {"ticks": 30, "proc": 10, "requests": 30, "start": 6, "command": 2, "trace": 3}
if TRIED.isdigit():
    SAMPLE = dict.fromkeys(SAMPLE, int(TRIED))


class Figures:
    """What was tried, over all cases: printed at the end."""

    def __init__(self):
        self.tried = {}

    def count(self, case, fault, found):
        line = self.tried.setdefault((case, fault.kind), [0, 0])
        line[0] = max(line[0], len(found[fault.kind]))
        line[1] += 1

    def text(self):
        cases = {}
        for (case, kind), (places, tried) in self.tried.items():
            cases.setdefault(case, []).append(f"{kind} {tried}/{places}")
        return "\n".join(f"{case}: {', '.join(kinds)} (failures/places)"
                         for case, kinds in cases.items())


FIGURES = Figures()


class Findings:
    """Failures of one case: the others are tried all the same, all are told at the end."""

    def __init__(self):
        self.found = []

    @contextlib.contextmanager
    def of(self, fault, injector):
        try:
            yield
        except (Failure, ValueError, KeyError, subprocess.TimeoutExpired) as failure:
            self.found.append(f"{describe(fault)}: {failure}\n{injector.where()}")
            if TRIED:
                print(self.found[-1], flush=True)

    def tell(self):
        expect(not self.found, f"{len(self.found)} findings\n" + "\n\n".join(self.found[:40]))


def every_fault(found, errnos, prefix=""):
    """By class, of the places that were found."""
    return {kind: [Fault(kind, err, place, 0, prefix) for place in places
                   for err in errnos[kind]]
            for kind, places in found.items() if places and kind in errnos}


def choose(case, found, errnos, prefix=""):
    """The faults to try: as many of each class, as far as there are."""
    every = list(every_fault(found, errnos, prefix).values())
    if ALL:
        return [fault for some in every for fault in some]
    chance = random.Random(f"{case} {SEED}")
    chance.shuffle(every)
    rounds = itertools.zip_longest(*(chance.sample(some, len(some)) for some in every))
    return [fault for turn in rounds for fault in turn if fault][:SAMPLE[case]]


class FaultyAgent(Agent):
    """The agent with the sanitizers and the library in it."""

    def __init__(self, directory, *options, state_dir=None):
        super().__init__(directory, "--window", f"{WINDOW_S}s", "--interval",
                         f"{int(TICK_S * 1000)}ms", "--listen", "127.0.0.1:0", *options,
                         state_dir=state_dir)
        self.injector = Injector(self.directory / "faults")

    def command(self):
        args = super().command()
        return [*LEASH, "env", *self.injector.assignments(), str(faults.SEEP),
                *args[len(LEASH) + 1:]]

    def ask(self, *args):
        """With sanitizers, on a busy machine: patiently."""
        for _ in range(5):
            answer = super().ask(*args)
            if "did not answer in time" not in answer.stderr:
                break
        return answer

    def stop(self, signo=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signo)
        return self.process.wait(timeout=COMMAND_S)

    def end(self):
        """It drains and ends well, and the sanitizers have nothing to say."""
        self.injector.idle()
        status = self.stop(signal.SIGTERM)
        check_report(self.log.read_text(errors="replace"), "at the end")
        expect(status == 0, f"SIGTERM: exit {status}:\n{tail(self.log)}")

    def check_alive(self, fault):
        if self.process.poll() is not None:
            text = self.log.read_text(errors="replace")
            check_report(text, describe(fault))
            raise Failure(f"{describe(fault)}: the agent ended with {self.process.returncode}:\n"
                          f"{self.injector.where()}\n{tail(self.log)}")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def health(self):
        status = self.json("status", "status")
        return status["health"] if status["health"] == "ok" else status["problems"]


def collect(injector, kinds, exercise, prefix=""):
    """The places of each class."""
    injector.watch(kinds, prefix)
    exercise()
    injector.idle()
    return injector.places()


def every_class(*without):
    return {kind: errs for kind, (_, errs) in CLASSES.items() if kind not in without}


@contextlib.contextmanager
def leaking(rate="4M"):
    with subprocess.Popen([*LEASH, str(LEAK), "--base", "2M", "--rate", rate],
                          stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


class Scene:
    """A program that leaks, its incident, and the state of the agent that found it."""

    def __init__(self, program, agent):
        self.program, self.agent = program, agent
        self.incident = await_incident(agent, program.pid)
        self.incident_id = self.incident["id"]
        with contextlib.suppress(Failure):  # better with call sites, but it goes without
            wait_for("a closer look",
                     lambda: agent.json("incident", "show", self.incident_id)["sites"], LOOK_S, .3)

    def copy_state(self, to):
        """As SIGKILL left it."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.agent.state_dir, to)

    def faulty(self, directory, *options):
        """An agent that takes the state up."""
        self.copy_state(directory / "state")
        return FaultyAgent(directory, *options, state_dir=directory / "state")


def await_incident(agent, pid):
    return wait_for("an incident", lambda: incidents_on(agent, pid), 120, .3)[-1]


# ---- the agent while it runs ------------------------------------------------------------------

def recurring(injector, errnos, prefix):
    """What is come by again and again; all of it takes longer."""
    if ALL:
        return collect(injector, errnos, lambda: time.sleep(10), prefix)
    once = collect(injector, errnos, lambda: time.sleep(.7), prefix)
    again = collect(injector, errnos, lambda: time.sleep(.7), prefix)
    return {kind: sorted(set(places) & set(again[kind])) for kind, places in once.items()}


def strike_ticks(agent, case, errnos, prefix):
    """Each fault in a tick, the threads of the closer look, or whatever else runs."""
    found = recurring(agent.injector, errnos, prefix)
    expect(any(found.values()), "no call was seen")
    for fault in choose(case, found, errnos, prefix):
        agent.injector.arm(fault)
        struck = agent.injector.wait_failed(SLOW_S if ALL else 1)
        agent.injector.idle()
        agent.check_alive(fault)
        if struck:
            FIGURES.count(case, fault, found)


def check_ticks(directory, scene, case, errnos, prefix=""):
    directory.mkdir()
    with scene.faulty(directory, "--drill-targets", "2") as agent:
        with contextlib.suppress(Failure):
            wait_for("a closer look", lambda: agent.json("status", "status")["targets"], LOOK_S, .3)
        strike_ticks(agent, case, errnos, prefix)
        check_recovered(agent, scene)
        agent.end()


def check_recovered(agent, scene):
    """Polls go on, the incident is known, and nothing is wrong any more."""
    polls = agent.polls()
    wait_for("polls go on", lambda: agent.polls() > polls + 5, ANSWER_S)
    check_known(incidents_on(agent, scene.program.pid), scene.incident)
    health = "?"
    end = time.monotonic() + ANSWER_S
    while health != "ok":
        health = agent.health()
        expect(time.monotonic() < end, f"it is not well again: {health}")
        time.sleep(.1)


def check_ticking(directory, scene):
    check_ticks(directory, scene, "ticks", every_class("socket"))


def check_proc(directory, scene):
    """A file of /proc vanishes, or becomes another's, between two looks at it."""
    check_ticks(directory, scene, "proc", PROC, "/proc")


# ---- requests ---------------------------------------------------------------------------------

REQUESTS = [("top", "--once"), ("leaks", "--all"), ("status",), ("inspect",), ("mutes",),
            ("show", "ID"), ("drill", "status"), ("record",)]
PAGES = ["/", "/metrics", "/healthz", "/api/top?n=5", "/api/leaks?all=1", "/api/status",
         "/api/incident/ID", "/overview.js"]
SHAPED = {"top": "top", "leaks": "leaks", "status": "status", "inspect": "inspect",
          "show": "incident"}


def ask_once(agent, incident_id, request):
    """Exit status 0 means a whole answer, every other one a reason."""
    args = [incident_id if word == "ID" else word for word in request]
    options = [] if request[0] == "record" else ["--json"]
    answer = agent.ask(*args, *options)
    if answer.returncode:
        expect(answer.stderr.strip().count("\n") == 0 and answer.stderr.startswith("seep"),
               f"{request}: exit {answer.returncode}, said: {answer.stderr!r}")
    elif request[0] in SHAPED:
        check_shape(json.loads(answer.stdout), SHAPED[request[0]])
    elif request[0] == "record":
        expect(answer.stdout.startswith("series,t_s,bytes"), f"recorded: {answer.stdout[:200]}")
    else:
        json.loads(answer.stdout)


def get_once(agent, incident_id, path):
    """The page, an error, or a connection that is closed."""
    client = http.client.HTTPConnection("127.0.0.1", http_port(agent), timeout=ANSWER_S)
    with contextlib.closing(client):
        try:
            client.request("GET", path.replace("ID", incident_id))
            answer = client.getresponse()
            body = answer.read()
        except (ConnectionError, http.client.HTTPException):
            return
    expect(answer.status in (200, 404, 500, 503), f"{path}: {answer.status} {body[:200]}")
    if answer.status == 200 and path.startswith("/api/"):
        name = path.split("/")[2].split("?")[0]
        check_shape(json.loads(body), name)
    if path == "/metrics" and answer.status == 200:
        expect(b"seep_polls_total" in body, f"half of the metrics: {body[-200:]}")


def ask_all(agent, incident_id):
    for request in REQUESTS:
        ask_once(agent, incident_id, request)
    for path in PAGES:
        get_once(agent, incident_id, path)


def check_requests(directory, scene):
    """A tick an hour: what is seen is what requests do, and descriptors can be counted."""
    directory.mkdir()
    with scene.faulty(directory, "--interval", "1h", "--window", "40d") as agent:
        wait_for("a poll", lambda: agent.polls() >= 1, ANSWER_S, .1)
        strike_requests(agent, scene.incident_id)
        agent.end()


def strike_requests(agent, incident_id):
    asks = [lambda one=one: ask_once(agent, incident_id, one) for one in REQUESTS]
    asks += [lambda one=one: get_once(agent, incident_id, one) for one in PAGES]
    ask_all(agent, incident_id)
    descriptors = agent.descriptors()
    errnos = every_class("bpf", "thread", "sync")
    findings = Findings()
    for ask, fault, found in jobs_of(agent.injector, asks, errnos):
        agent.injector.arm(fault)
        with findings.of(fault, agent.injector):
            ask()
        agent.check_alive(fault)
        if agent.injector["failed"]:
            FIGURES.count("requests", fault, found)
        agent.injector.idle()
    findings.tell()
    ask_all(agent, incident_id)
    wait_for(f"{descriptors} descriptors, as before",
             lambda: agent.descriptors() <= descriptors, ANSWER_S, .2)


def jobs_of(injector, asks, errnos):
    """(request, fault, what was found): all, or as many of each class."""
    jobs = {}
    for ask in asks:
        found = collect(injector, errnos, ask)
        for kind, some in every_fault(found, errnos).items():
            jobs.setdefault(kind, []).extend((ask, fault, found) for fault in some)
    if ALL:
        return [job for some in jobs.values() for job in some]
    chance = random.Random(f"requests {SEED}")
    share = -(-SAMPLE["requests"] // max(len(jobs), 1))
    return [job for some in jobs.values() for job in chance.sample(some, min(share, len(some)))]


# ---- commands: a process for each fault -------------------------------------------------------

def injected(injector, args, timeout_s=COMMAND_S, **options):
    """A seep with the sanitizers, to its end."""
    return run([*LEASH, "env", *injector.assignments(), faults.SEEP, *args], timeout_s, **options)


def check_end(answer, is_whole):
    """Done, or not done and said why; nothing for the sanitizers."""
    check_report(answer.stderr, f"exit {answer.returncode}")
    expect(answer.returncode in (0, 1, 2, 4, 5), f"exit {answer.returncode}: {answer.stderr}")
    if answer.returncode == 0:
        is_whole(answer)
    else:
        expect(re.search(r"^(seep|Usage|/\S+:\d+:)", answer.stderr, re.M),
               f"exit {answer.returncode}, said: {answer.stderr!r}")


def shaped(name):
    def is_whole(answer):
        for line in answer.stdout.splitlines():
            check_shape(json.loads(line), name)
        expect(answer.stdout, "nothing is printed")
    return is_whole


def said(*words):
    def is_whole(answer):
        for word in words:
            expect(word in answer.stdout, f"'{word}' is missing in {answer.stdout[-500:]!r}")
    return is_whole


def strike_command(case, directory, args, is_whole, findings):
    """All the places of a command, or a sample."""
    directory.mkdir(parents=True, exist_ok=True)
    injector = Injector(directory / "faults")

    def exercise():
        answer = injected(injector, args)
        expect(answer.returncode == 0, f"{args}: exit {answer.returncode}: {answer.stderr}")
        is_whole(answer)

    errnos = every_class()
    found = collect(injector, errnos, exercise)
    for fault in choose(case, found, errnos):
        injector.arm(fault)
        with findings.of(fault, injector):
            check_end(injected(injector, args), is_whole)
        FIGURES.count(f"{case} {args[0]}", fault, found)
    injector.close()


def check_commands(directory, scene):
    """Every command: whole, or a reason."""
    directory.mkdir()
    one, tape, copy = scene.incident_id, directory / "tape.csv", directory / "copy.csv"
    expect(scene.agent.ask("record", "-O", tape).returncode == 0, "nothing to replay")
    rows = len(tape.read_text().splitlines())

    def is_recorded(_):
        expect(len(copy.read_text().splitlines()) > rows / 2, "half of the tape")

    socket = ("--socket", scene.agent.socket)
    commands = [
        (("top", "--once", "--json", *socket), shaped("top")),
        (("top", "--once", *socket), said("PID")),
        (("leaks", "--json", *socket), shaped("leaks")),
        (("leaks", *socket), said(one)),
        (("show", one, "--json", *socket), shaped("incident")),
        (("show", one, *socket), said(one, "Timeline")),
        (("status", "--json", *socket), shaped("status")),
        (("status", *socket), said("polls")),
        (("inspect", "--json", *socket), shaped("inspect")),
        (("doctor", "--json"), shaped("doctor")),
        (("record", "-O", copy, *socket), is_recorded),
        (("replay", tape, "--json"), shaped("replay")),
        (("export", "--state-dir", scene.agent.state_dir), shaped("incident")),
    ]
    if not TRIED:
        commands = random.Random(f"commands {SEED}").sample(commands, 4)
    findings = Findings()
    for i, (args, is_whole) in enumerate(commands):
        strike_command("command", directory / str(i), args, is_whole, findings)
    findings.tell()


# ---- the agent's start ------------------------------------------------------------------------

def live_and_end(agent):
    """Starts it; a few polls, then SIGTERM. An agent that cannot start says so and ends."""
    agent.log.write_bytes(b"")
    agent.launch()

    def settled():
        if agent.process.poll() is not None:
            return True
        return agent.socket.exists() and agent.ask("status").returncode == 0 and \
            agent.polls() >= 3

    wait_for("the agent polls or ends", settled, COMMAND_S, .05)
    status = agent.stop(signal.SIGTERM)
    text = agent.log.read_text(errors="replace")
    check_report(text, f"exit {status}")
    expect(status in (0, 1, 5), f"exit {status}:\n{text[-2000:]}")
    if status:
        expect(re.search(r"seep: error: .*'.+'|seep: error: cannot start: .+: .+|^seep", text),
               f"exit {status}, said: {text[-2000:]}")


def incidents_kept(state_dir):
    """As an agent of tomorrow will read them."""
    answer = run([faults.ROOT / "build/seep", "export", "--state-dir", state_dir])
    expect(answer.returncode == 0, f"export: {answer.stderr}")
    return [json.loads(line) for line in answer.stdout.splitlines()]


def check_start(directory, scene):
    """Over a state with an open incident: it starts, or says why not, and loses nothing of it."""
    agent = scene.faulty(directory)

    def start():
        scene.copy_state(agent.state_dir)
        live_and_end(agent)

    errnos = every_class()
    found = collect(agent.injector, errnos, start)
    expect(not agent.process.returncode, f"no failure, and yet:\n{tail(agent.log)}")
    findings = Findings()
    for fault in choose("start", found, errnos):
        agent.injector.arm(fault)
        with findings.of(fault, agent.injector):
            start()
            check_known(incidents_kept(agent.state_dir), scene.incident)
        FIGURES.count("start", fault, found)
    findings.tell()


# ---- seep trace -------------------------------------------------------------------------------

def check_trace(directory, scene):
    """`seep trace` of a program that does not notice."""
    program, findings = scene.program, Findings()
    strike_command("trace", directory, ("trace", "-p", program.pid, "-d", "300ms", "--sample", "4K",
                                        "--json"), shaped("trace"), findings)
    expect(program.poll() is None, "the program has ended")
    wait_for("its code is its own", lambda: not changed_code(program.pid), ANSWER_S, .1)
    findings.tell()


BESIDE = {"in a command": check_commands}  # a healthy agent, which is killed then
AFTER = {
    "in seep trace": check_trace,
    "in a tick, a save and a closer look": check_ticking,
    "files of /proc vanish or change owner": check_proc,
    "in a request": check_requests,
    "in the agent's start": check_start,
}


def run_cases(results, directory, cases, scene):
    directory.mkdir()
    for i, (name, check) in enumerate(cases.items()):
        if WANTED in name:
            with results.case(f"faults: {name}"):
                check(directory / str(i), scene)


def run_all(results, directory):
    directory.mkdir()
    if not faults.LIBRARY.exists() or not faults.SEEP.exists():
        results.add("skip", "faults", f"{faults.LIBRARY} or {faults.SEEP} is not built")
        return
    scene = None
    with leaking() as program:
        with results.case("faults: a leak is found"), \
             Agent(directory / "first", "--window", f"{WINDOW_S}s", "--interval", "100ms") as agent:
            scene = Scene(program, agent)
            run_cases(results, directory / "beside", BESIDE, scene)
        if scene:
            run_cases(results, directory / "after", AFTER, scene)
    print(FIGURES.text(), flush=True)
