# SPDX-License-Identifier: BSD-2-Clause
"""cli_cases.py - runs cli.cases: one shell command each, and what it has to print and return."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import cases
import tapes
from harness import SEEP, Skip, check_shape, expect, need_root, run

FILE = pathlib.Path(__file__).with_name("cli.cases")
KEYS = {"NAME", "RUN", "AGENT", "AS", "EXIT", "JSON", "OUT", "ERR", "NOT_OUT", "NEEDS"}
TIMEOUT_S = 30
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def read():
    return cases.read(FILE, KEYS)


def prepare(directory):
    """A copy of the binary that every user may run, and the tapes."""
    directory.mkdir()
    (directory / "bin").mkdir()
    shutil.copy2(SEEP, directory / "bin" / "seep")
    (directory / "bin" / "seep").chmod(0o755)
    tapes.write(directory)


def environment(directory, agent):
    env = {key: value for key, value in os.environ.items()
           if key not in ("COLUMNS", "LINES", "NO_COLOR", "TERM")}
    env["PATH"] = f"{directory / 'bin'}:{env.get('PATH', '/usr/bin:/bin')}"
    env["LC_ALL"] = "C.UTF-8"
    env["SEEP_SOCKET"] = str(agent.socket if agent else directory / "no-agent.sock")
    return env


def command(case):
    shell = ["sh", "-c", case.get("RUN")]
    if case.get("AS") == "nobody" and os.geteuid() == 0:
        return [*NOBODY, *shell]
    return shell


def check_requirements(case, agent):
    if case.get("AGENT") and not agent:
        need_root("a running agent")
        raise Skip("the shared agent did not start")
    needs = case.get("NEEDS")
    if needs and subprocess.run(needs, shell=True, capture_output=True, check=False).returncode:
        raise Skip(f"needs {needs}")


def check_json(text, what):
    _, _, shape = what.rpartition("lines of ")
    for document in text.splitlines() if what != shape else [text]:
        try:
            check_shape(json.loads(document), shape)
        except json.JSONDecodeError as error:
            expect(False, f"no JSON ({error}): {document[:200]!r}")


def check(case, answer):
    seen = f"\nstdout: {answer.stdout[-800:]}\nstderr: {answer.stderr[-800:]}"
    status = int(case.get("EXIT", "0"))
    expect(answer.returncode == status, f"exit {answer.returncode} instead of {status}{seen}")
    for pattern in case.all("OUT"):
        expect(re.search(pattern, answer.stdout, re.M), f"stdout lacks {pattern!r}{seen}")
    for pattern in case.all("ERR"):
        expect(re.search(pattern, answer.stderr, re.M), f"stderr lacks {pattern!r}{seen}")
    for pattern in case.all("NOT_OUT"):
        expect(not re.search(pattern, answer.stdout, re.M), f"stdout holds {pattern!r}{seen}")
    if case.get("JSON"):
        check_json(answer.stdout, case.get("JSON"))


def run_one(case, directory, agent):
    check_requirements(case, agent)
    env = environment(directory, agent if case.get("AGENT") else None)
    check(case, run(command(case), TIMEOUT_S, cwd=directory, env=env))


def run_all(results, directory, agent):
    prepare(directory)
    for case in read():
        with results.case(f"cli: {case.name}"):
            run_one(case, directory, agent)
