# SPDX-License-Identifier: BSD-2-Clause
"""agent_cases.py - what the agent has to survive: SIGKILL, bad state, bad clients, an early end."""
import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import time
import urllib.error
import urllib.request

from harness import WINDOW_S, Agent, expect, run, tail, wait_for

CLIENTS = 100
GAP_S = 3          # of history after a restart, on top of the time that the agent was away
SETTLE_S = 15


def known(agent, pids):
    """Incidents on these processes, open or closed, by process."""
    found = {}
    for incident in agent.incidents("--all"):
        if incident["object"]["pid"] in pids:
            found.setdefault(incident["object"]["pid"], []).append(incident)
    return found


def largest_gap_s(history):
    times = [t_s for t_s, _ in history]
    return max((b - a for a, b in zip(times, times[1:])), default=0)


def check_sigkill(directory, scene):
    """Killed with incidents open and started again: the same incidents, and one history."""
    pids = {program.pid for program in scene.leaking() if not program.forks}
    with Agent(directory, "--no-drill-for", "kind=process") as agent:
        wait_for("two incidents", lambda: len(known(agent, pids)) >= 2, 2 * WINDOW_S, 1)
        before = known(agent, pids)
        agent.stop(signal.SIGKILL)
        killed_s = time.time()
        agent.start()
        away_s = time.time() - killed_s
        check_same(before, known(agent, pids), "right after the restart")
        time.sleep(SETTLE_S)
        check_same(before, known(agent, pids), f"{SETTLE_S} s after the restart")
        for incidents in before.values():
            check_history(agent, incidents[0]["id"], killed_s, away_s)
            check_spared(agent, incidents[0]["id"])


def check_same(before, after, when):
    for pid, incidents in before.items():
        ids = [incident["id"] for incident in after.get(pid, [])]
        expect(ids == [incident["id"] for incident in incidents],
               f"{when}: process {pid} has incidents {ids}")
        expect(after[pid][0]["opened_s"] == incidents[0]["opened_s"],
               f"{when}: opened_s changed")


def check_history(agent, incident_id, killed_s, away_s):
    history = agent.json("incident", "show", incident_id)["history"]
    expect(history and history[0][0] < killed_s, f"{incident_id}: no history before the kill")
    expect(history[-1][0] > killed_s + away_s, f"{incident_id}: no history after the restart")
    gap_s = largest_gap_s(history)
    expect(gap_s <= away_s + GAP_S, f"{incident_id}: a gap of {gap_s} s, away for {away_s:.1f} s")


def check_spared(agent, incident_id):
    """What the configuration spares is reported all the same, and says why it has no call sites."""
    shown = agent.json("incident", "show", incident_id)
    expect(not shown["sites"], f"{incident_id} has call sites: {shown['sites']}")
    expect(any("forbids to probe kind=process" in line for line in shown["not_seen"]),
           f"{incident_id} does not say why it has no call sites: {shown['not_seen']}")


def check_clean_end(directory):
    """The agent sees itself, ends on SIGTERM with 0, and leaves no socket."""
    with Agent(directory) as agent:
        wait_for("polls", lambda: agent.polls() >= 5, 10)
        rows = agent.json("top", "top", "--once", "-n", "5000")["rows"]
        own = [row for row in rows if row["pid"] == agent.pid]
        expect(len(own) == 1 and own[0]["comm"] == "seep", f"its own rows in top: {own}")
        expect(own[0]["rss_bytes"] > 1 << 20, f"its own size: {own[0]['rss_bytes']}")
        expect(oct(agent.socket.stat().st_mode & 0o777) == "0o600", "the socket is not 0600")
        status = agent.stop(signal.SIGTERM)
        expect(status == 0, f"SIGTERM: exit {status}:\n{tail(agent.log)}")
        expect(not agent.socket.exists(), "the socket is left behind")


def check_second_agent(directory):
    """A second agent on the same socket refuses, and the first goes on."""
    with Agent(directory) as agent:
        second = run(agent.command(), 20)
        expect(second.returncode == 1, f"exit {second.returncode}: {second.stderr}")
        expect(str(agent.socket) in second.stderr, f"does not name the socket: {second.stderr}")
        expect(agent.socket.exists() and agent.polls(), "the first agent is gone")


def check_stale_socket(directory):
    """What a killed agent left behind is replaced."""
    with Agent(directory) as agent:
        agent.stop(signal.SIGKILL)
        expect(agent.socket.exists(), "SIGKILL removed the socket?")
        agent.start()
        expect(agent.polls() >= 0, "no answer")


def check_garbage_state(directory):
    """Every file of the state replaced by noise: the agent starts, says so and works."""
    chance = random.Random(11)
    with Agent(directory) as agent:
        wait_for("polls", lambda: agent.polls() >= 10, 10)
        agent.stop(signal.SIGTERM)
        files = [path for path in agent.state_dir.rglob("*") if path.is_file()]
        expect(files, f"no state is kept in {agent.state_dir}")
        for path in files:
            path.write_bytes(chance.randbytes(max(path.stat().st_size, 5000)))
        agent.start()
        wait_for("polls", lambda: agent.polls() >= 5, 10)
        agent.incidents("--all")
        expect(agent.stop(signal.SIGTERM) == 0, f"SIGTERM:\n{tail(agent.log)}")
        agent.start()
        agent.incidents("--all")


def check_truncated_state(directory):
    """Files cut short, as a full disk leaves them."""
    with Agent(directory) as agent:
        wait_for("polls", lambda: agent.polls() >= 10, 10)
        agent.stop(signal.SIGKILL)
        for path in agent.state_dir.rglob("*"):
            if path.is_file():
                os.truncate(path, path.stat().st_size * 2 // 3)
        agent.start()
        wait_for("polls", lambda: agent.polls() >= 5, 10)
        agent.incidents("--all")


def check_unwritable_state(directory):
    """State that cannot be kept is said: either the agent refuses, or it works and tells."""
    directory.mkdir()
    (directory / "file").write_text("in the way")
    agent = Agent(directory, state_dir=directory / "file" / "state")
    agent.launch()
    try:
        wait_for("the agent answers or ends", lambda: agent.process.poll() is not None or
                 (agent.socket.exists() and agent.ask("status").returncode == 0), 20, 0.2)
        if agent.process.poll() is None:
            wait_for("polls", lambda: agent.polls() >= 5, 10)
        else:
            expect(agent.process.returncode == 1, f"exit {agent.process.returncode}")
        expect(str(agent.state_dir) in tail(agent.log), f"does not say so:\n{tail(agent.log)}")
    finally:
        agent.stop(signal.SIGKILL)


def connect(agent):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(5)
    client.connect(str(agent.socket))
    return client


def converse(agent, request):
    """Sends it and reads whatever comes until the agent closes."""
    with connect(agent) as client:
        with contextlib.suppress(OSError):
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(OSError):
            while chunk := client.recv(65536):
                answer += chunk
        return answer


# Not requests: never answered with "ok".
NONSENSE = [
    b"", b"\n", b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"[]\n", b"null\n", b'{"v":1}\n',
    b'{"v":99,"cmd":"status"}\n', b'{"v":1,"cmd":17}\n', b'{"v":1,"cmd":"no such"}\n',
    b'{"v":1,"cmd":"show","id":{"a":1}}\n', b'{"v":1,"cmd":"show","id":"\\u0000"}\n',
    b'{"v":1,"cmd":"show","id":"' + b"x" * 3000 + b'"}\n', b"x" * 100_000,
    b"[" * 4000 + b"\n", b'{"v":1,"cmd":"\xff\xfe"}\n', b'{"v":1,"cmd":"status"',
]
# Requests with odd members: answered one way or the other.
ODD = [
    b'{"v":1,"cmd":"top","n":-1}\n', b'{"v":1,"cmd":"top","n":1e300,"by":[]}\n',
    b'{"v":1,"cmd":"leaks","all":"yes","since_s":-1e308}\n', b'{"v":1,"cmd":"status","x":{}}\n',
]


def check_hostile_requests(directory):
    """Nonsense gets an error or a closed connection, never the agent down."""
    chance = random.Random(5)
    with Agent(directory) as agent:
        noise = [chance.randbytes(chance.randrange(1, 5000)) for _ in range(50)]
        for request in NONSENSE + ODD + noise:
            answer = converse(agent, request)
            expect(request in ODD or b'"ok":true' not in answer,
                   f"{request[:60]!r} is answered with {answer[:100]!r}")
            expect(agent.process.poll() is None, f"{request[:60]!r} ended it:\n{tail(agent.log)}")
        expect(agent.polls() > 0, "no polls")


def check_hostile_crowd(directory):
    """A hundred clients that say nothing, half a request, or do not read: the tick goes on."""
    with Agent(directory) as agent, contextlib.ExitStack() as stack:
        started, first = time.monotonic(), agent.polls()
        for i in range(CLIENTS):
            with contextlib.suppress(OSError):  # turned away is fine
                client = stack.enter_context(connect(agent))
                client.setblocking(False)
                client.send([b"", b'{"v":1,"cm', b'{"v":1,"cmd":"record"}\n'][i % 3])
        time.sleep(3)
        stack.close()
        polls = wait_for("an answer", lambda: agent.ask("status").returncode == 0 and agent.polls(),
                         20)
        elapsed_s = time.monotonic() - started
        expect(polls - first >= elapsed_s * 5 * 0.5,
               f"only {polls - first} polls of 200 ms in {elapsed_s:.1f} s")


def check_slow_client(directory):
    """A client that never finishes its request is dropped, and others are served meanwhile."""
    with Agent(directory) as agent, connect(agent) as slow:
        slow.settimeout(30)
        slow.sendall(b'{"v":1,')
        begin = time.monotonic()
        expect(agent.ask("status").returncode == 0, "others are not served")
        expect(time.monotonic() - begin < 5, "others wait")
        with contextlib.suppress(ConnectionError):
            while slow.recv(4096):
                pass
        expect(time.monotonic() - begin < 25, "still connected")


def fetch(port, path, method="GET"):
    """Status, type and text of a page; errors too."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def check_pipeline(port, count):
    """Requests that come at once are answered one after the other, not one a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        request = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        client.sendall(request * count)
        got, end = b"", time.monotonic() + 10
        while got.count(b"HTTP/1.1 200") < count and time.monotonic() < end:
            got += client.recv(65536)
    expect(got.count(b"HTTP/1.1 200") == count, f"{got.count(b'HTTP/1.1 200')} of {count} answers")


def check_http(directory):
    """Port 0 picks a port and logs it; health, metrics, and nothing else, read-only."""
    with Agent(directory, "--listen", "127.0.0.1:0") as agent:
        port = re.search(r"HTTP on .* port (\d+)", agent.log.read_text())[1]
        wait_for("a poll", lambda: fetch(port, "/readyz")[0] == 200, SETTLE_S)
        expect(fetch(port, "/healthz")[0] == 200, "/healthz is not 200")
        status, kind, text = fetch(port, "/metrics")
        expect(status == 200 and kind.startswith("text/plain; version=0.0.4"), f"{status} {kind}")
        polls = re.search(r"^seep_polls_total (\d+)$", text, re.M)
        expect(polls and int(polls[1]) > 0, "no polls in /metrics")
        expect(fetch(port, "/../etc/passwd")[0] == 404, "an unknown path is not 404")
        expect(fetch(port, "/metrics", "POST")[0] == 405, "POST is not 405")
        check_pipeline(port, 30)
        taken = Agent(directory / "other", "--listen", f"127.0.0.1:{port}")
        with taken:
            expect("going on without HTTP" in taken.log.read_text(), "a taken port is not told")


def check_privileges(directory):
    """Every thread keeps only what the work needs, and nothing can be gained again."""
    needed = {39, 38, 19, 2, 40}  # BPF, PERFMON, SYS_PTRACE, DAC_READ_SEARCH, CHECKPOINT_RESTORE
    with Agent(directory, "--kubelet", "https://127.0.0.1:1") as agent:
        wait_for("a poll", lambda: agent.polls() >= 1, SETTLE_S)
        for path in pathlib.Path(f"/proc/{agent.pid}/task").glob("*/status"):
            status = dict(line.split(":", 1) for line in path.read_text().splitlines())
            effective = int(status["CapEff"], 16)
            kept = {bit for bit in range(64) if effective >> bit & 1}
            expect(kept <= needed, f"{path}: keeps {sorted(kept - needed)}")
            expect(status["NoNewPrivs"].strip() == "1", f"{path}: can gain privileges")


CASES = {
    "privileges are dropped after the start": check_privileges,
    "health and metrics over HTTP": check_http,
    "its own process is in its table, and SIGTERM leaves no socket": check_clean_end,
    "a second agent refuses": check_second_agent,
    "the socket of a killed agent is replaced": check_stale_socket,
    "state that is noise": check_garbage_state,
    "state that is cut short": check_truncated_state,
    "state that cannot be written": check_unwritable_state,
    "hostile requests": check_hostile_requests,
    "a crowd of hostile clients": check_hostile_crowd,
    "a client that never finishes": check_slow_client,
}


def run_all(results, directory):
    directory.mkdir()
    for i, (name, check) in enumerate(CASES.items()):
        with results.case(f"agent: {name}"):
            check(directory / str(i))


def run_sigkill(results, directory, scene):
    with results.case("agent: SIGKILL in the middle loses no incident and no history"):
        check_sigkill(directory, scene)
