# SPDX-License-Identifier: BSD-2-Clause
"""peer_cases.py - `seep trace` on real programs as Debian ships them: they notice nothing but time.

Each program runs from its package, unmodified, in a directory of its own and on a port of its
own. It works all the time, and each piece of its work is checked: before, while seep attaches,
samples, traces everything and leaves, and afterwards. What is traced must have names, or at least
file, offset and build-id, and whatever was lost must have been counted.
"""
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from harness import LEASH, SEEP, Failure, Skip, check_shape, expect, need_root, wait_for
from trace_cases import trace_json

DEBIAN_PATH = "/usr/bin:/usr/sbin:/bin"
SAMPLED_S = 2
ATTACH_TIMEOUT_S = 60
SETTLE_S = 1
EXACT_PIECES = 3
EXACT_TRIES = 3
WORK_TIMEOUT_S = 60
SLACK_BYTES = 4096  # what an idle program does while the last of it is read
WHOLE_SHARE = 0.95  # of the samples; the bench asks for more, over more of them


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def need_program(name, package):
    path = shutil.which(name, path=DEBIAN_PATH)
    if not path:
        raise Skip(f"no {name} (package {package}, see make deps-peers)")
    return path


class Peer:
    """A program under work. work(n) does piece number n, and raises unless its result is right."""

    def __init__(self, directory):
        self.directory = directory
        self.process = None

    def start(self, *command, **streams):
        streams.setdefault("stdin", subprocess.DEVNULL)
        streams.setdefault("stdout", subprocess.DEVNULL)
        self.process = subprocess.Popen([*LEASH, *command], stderr=subprocess.DEVNULL,
                                        cwd=self.directory, **streams)

    def pid(self):
        """Of the process that does the work."""
        return self.process.pid

    def ready(self):
        """Wait until it serves."""

    def work(self, number):
        raise NotImplementedError

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Shell(Peer):
    """A program that reads commands and writes results: every piece ends with a line of its own."""
    END = "piece done"

    def begin(self, *command):
        self.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            expect(line, f"{self.process.args[-1]} ended after {lines}")
            if line.strip() == self.END:
                return lines
            lines.append(line.strip())


class Sqlite(Shell):
    ROWS = 3000
    JOB = f"""CREATE TABLE IF NOT EXISTS kept(piece INT, text TEXT);
CREATE TEMP TABLE t(a TEXT, b INT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
    INSERT INTO t SELECT printf('row %%d', i), i * 7919 %% 1009 FROM n;
INSERT INTO kept SELECT %(number)d, group_concat(a) FROM t GROUP BY b;
CREATE INDEX x ON t(b);
SELECT count(*), sum(b), max(length(a)) FROM t WHERE b < 500;
SELECT count(*), sum(length(text)) FROM kept WHERE piece = %(number)d;
DROP TABLE t;
SELECT '{Shell.END}';
"""

    def __init__(self, directory):
        super().__init__(directory)
        self.begin(need_program("sqlite3", "sqlite3"), "-batch", ":memory:")

    def work(self, number):
        low = [b for b in (i * 7919 % 1009 for i in range(1, self.ROWS + 1)) if b < 500]
        text = sum(len(f"row {i},") for i in range(1, self.ROWS + 1)) - 1009
        found = self.ask(self.JOB % {"number": number})
        right = [f"{len(low)}|{sum(low)}|8", f"1009|{text}"]
        expect(found == right, f"sqlite3 answers {found}, not {right}")


class Python(Shell):
    """The interpreter, with a script that keeps what it makes for a while."""
    KEPT = 50  # as in the script
    SCRIPT = """\
import sys
kept = {}
for line in sys.stdin:
    number = int(line)
    kept.pop(number - 50, None)
    kept[number] = [bytes([i % 256]) * (600 + i) for i in range(500)] + [str(i) for i in range(999)]
    print(sum(map(len, kept[number])), sum(part[0] for part in kept[number][:500]), len(kept))
    print('piece done', flush=True)
"""

    def __init__(self, directory):
        super().__init__(directory)
        (directory / "keeper.py").write_text(self.SCRIPT, encoding="utf-8")
        self.begin(need_program("python3", "python3"), "keeper.py")
        self.cnt = 0

    def work(self, number):
        self.cnt += 1
        length = sum(600 + i for i in range(500)) + sum(len(str(i)) for i in range(999))
        first = sum(i % 256 for i in range(500))
        found = self.ask(f"{number}\n")
        expect(found == [f"{length} {first} {min(self.cnt, self.KEPT)}"], f"python3 answers {found}")


class Server(Peer):
    def __init__(self, directory):
        super().__init__(directory)
        self.port = free_port()
        self.file = None

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), WORK_TIMEOUT_S)
        self.file = connection.makefile("rwb")

    def can_connect(self):
        with contextlib.suppress(OSError):
            self.connect()
            return True
        expect(self.process.poll() is None, f"{self.process.args} has ended")
        return False

    def ready(self):
        wait_for("the server answers", self.can_connect, 20, .1)

    def send(self, data):
        self.file.write(data)
        self.file.flush()

    def expect_line(self, right):
        line = self.file.readline()
        expect(line == right, f"{line!r} instead of {right!r}")


class Redis(Server):
    KEYS = 300

    def __init__(self, directory):
        super().__init__(directory)
        self.start(need_program("redis-server", "redis-server"), "--port", str(self.port),
                   "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self.pieces = set()

    def work(self, number):
        self.pieces.add(number)
        keys = [b"k%d:%d" % (number, i) for i in range(self.KEYS)]
        self.send(b"".join(b"SET %s %s\r\n" % (key, key * 8) for key in keys))
        for _ in keys:
            self.expect_line(b"+OK\r\n")
        self.send(b"".join(b"GET %s\r\n" % key for key in keys) + b"DBSIZE\r\n")
        for key in keys:
            self.expect_line(b"$%d\r\n" % (8 * len(key)))
            self.expect_line(key * 8 + b"\r\n")
        self.expect_line(b":%d\r\n" % (len(self.pieces) * self.KEYS))


class Memcached(Server):
    """It takes its memory in pages of 1 MiB: the values are large enough to make it do so."""
    VALUES = 20

    def __init__(self, directory):
        super().__init__(directory)
        self.start(need_program("memcached", "memcached"), "-u", "root", "-l", "127.0.0.1",
                   "-p", str(self.port), "-U", "0", "-m", "1000", "-t", "2")

    def work(self, number):
        keys = [b"k%d-%d" % (number, i) for i in range(self.VALUES)]
        values = {key: (key + b" ") * (4000 + number % 7) for key in keys}
        self.send(b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value)
                           for key, value in values.items()))
        for _ in keys:
            self.expect_line(b"STORED\r\n")
        self.send(b"get " + b" ".join(keys) + b"\r\n")
        for key, value in values.items():
            self.expect_line(b"VALUE %s 0 %d\r\n" % (key, len(value)))
            self.expect_line(value + b"\r\n")
        self.expect_line(b"END\r\n")


class Nginx(Server):
    """Connections stay open, so that something is still owned when the trace ends."""
    CONFIG = """daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events { worker_connections 4000; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    keepalive_timeout 600s;
    keepalive_requests 100000;
    server { listen 127.0.0.1:%d; root .; gzip on; gzip_min_length 1; gzip_types *; }
}
"""
    PAGE = b"a page that is the same each time\n" * 400
    PER_PIECE = 20
    OPEN_MAX = 500

    def __init__(self, directory):
        super().__init__(directory)
        path = need_program("nginx", "nginx")
        (directory / "nginx.conf").write_text(self.CONFIG % self.port, encoding="utf-8")
        (directory / "page.txt").write_bytes(self.PAGE)
        directory.chmod(0o755)  # its worker is another user
        self.start(path, "-p", str(directory), "-c", "nginx.conf", "-e", "error.log")
        self.connections = []

    def pid(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="utf-8") as file:
            return int(file.read().split()[0])

    def work(self, number):
        for _ in range(self.PER_PIECE):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, WORK_TIMEOUT_S)
            connection.request("GET", "/page.txt")
            answer = connection.getresponse()
            page = answer.read()
            expect(answer.status == 200 and page == self.PAGE,
                   f"nginx answers {answer.status} and {len(page)} bytes")
            self.connections.append(connection)
        while len(self.connections) > self.OPEN_MAX:
            self.connections.pop(0).close()


class Work:
    """Keeps a peer busy with one piece after the other, until the block ends."""

    def __init__(self, peer):
        self.peer = peer
        self.done = 0
        self.error = None
        self.over = threading.Event()
        self.thread = None

    def run(self):
        try:
            while not self.over.is_set():
                self.peer.work(self.done)
                self.done += 1
        except Exception as error:  # told where the test waits
            self.error = error

    def resume(self):
        self.over.clear()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def pause(self):
        """Returns when the piece at hand is done."""
        self.over.set()
        self.thread.join(WORK_TIMEOUT_S)
        expect(not self.thread.is_alive(), f"piece {self.done} does not end")
        self.check()

    def more(self, count):
        """Wait for so many more pieces."""
        wanted = self.done + count
        wait_for("more work is done", lambda: self.error or self.done >= wanted, WORK_TIMEOUT_S,
                 .05)
        self.check()

    def check(self):
        if self.error:
            raise Failure(f"piece {self.done}: {self.error}")

    def __enter__(self):
        self.resume()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(WORK_TIMEOUT_S)


def check_frame(frame):
    seen = f"a frame without a name: {frame}"
    expect(frame["function"] or (frame["module"] and frame["module"] != "?"), seen)
    if not frame["function"] and frame["module"].startswith("/"):
        expect(frame["build_id"] and frame["offset"], seen)


def check_traced(traced, pid):
    expect(traced["pid"] == pid and not traced["ended"], f"{pid} ended, or was not traced")
    expect(traced["overhead"]["hits"] > 0, f"no probe was hit: {traced}")
    for site in traced["sites"]:
        expect(site["frames"], f"a site without frames: {site}")
        for frame in site["frames"]:
            check_frame(frame)


def check_exact(traced):
    """With every allocation taken nothing is estimated: what is not lost must add up."""
    expect(traced["sites"], "nothing is outstanding")
    samples = sum(site["samples"] for site in traced["sites"])
    whole = sum(site["samples"] for site in traced["sites"] if site["whole"])
    expect(whole >= WHOLE_SHARE * samples, f"{whole} of {samples} stacks are whole")
    expect(sum(site["outstanding_bytes"] for site in traced["sites"]) ==
           traced["outstanding_bytes"], "the sites do not add up")
    lost = traced["allocated_bytes"] - traced["freed_bytes"] - traced["outstanding_bytes"]
    expect(abs(lost) <= SLACK_BYTES or traced["dropped"],
           f"{lost} bytes are lost, and nothing was dropped")


def uprobe_links(tracer):
    """What the tracer has attached by now, of any kind that holds uprobes."""
    links = set()
    for info in pathlib.Path(f"/proc/{tracer.pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            if re.search(r"^link_type:\t(uprobe_multi|perf)", info.read_text(), re.M):
                links.add(info.name)
    expect(tracer.poll() is None, "the tracer has ended")
    return links


def await_attached(tracer):
    """Until there are probes, and no more of them come."""
    seen = wait_for("probes are attached", lambda: uprobe_links(tracer), ATTACH_TIMEOUT_S, .1)
    while True:
        time.sleep(SETTLE_S)
        now = uprobe_links(tracer)
        if now == seen:
            return
        seen = now


def trace_exactly(peer, work):
    """Every allocation of some pieces of work. The end comes in a quiet moment, to add up."""
    command = [str(SEEP), "trace", "-p", str(peer.pid()), "-d", "10m", "--json", "--top", "0",
               "--sample", "all"]
    with subprocess.Popen([*LEASH, *command], stdout=subprocess.PIPE, text=True) as tracer:
        try:
            await_attached(tracer)
            work.more(EXACT_PIECES)
            work.pause()
            tracer.send_signal(signal.SIGINT)
            out, _ = tracer.communicate(timeout=ATTACH_TIMEOUT_S)
        finally:
            tracer.kill()
    expect(tracer.returncode == 0, f"exit {tracer.returncode}")
    return check_shape(json.loads(out), "trace")


def check_exact_traces(peer, work):
    """A server does something of its own now and then, and a busy machine attaches late: what is
    lost is lost each time, what met with bad luck is not."""
    for tries_left in reversed(range(EXACT_TRIES)):
        exact = trace_exactly(peer, work)
        work.resume()
        try:
            check_traced(exact, peer.pid())
            check_exact(exact)
            return
        except Failure:
            if not tries_left:
                raise


def check_peer(make, directory):
    directory.mkdir()
    peer = make(directory)
    try:
        peer.ready()
        with Work(peer) as work:
            work.more(1)
            sampled, = trace_json("-p", peer.pid(), "-d", f"{SAMPLED_S}s", "--top", 0)
            work.more(1)
            check_exact_traces(peer, work)
            work.more(2)
        expect(peer.process.poll() is None, "it did not survive")
        check_traced(sampled, peer.pid())
    finally:
        peer.stop()


PEERS = {"sqlite3": Sqlite, "redis-server": Redis, "memcached": Memcached, "nginx": Nginx,
         "python3": Python}


def run_all(results, directory):
    directory.mkdir()
    directory.chmod(0o755)
    for name, make in PEERS.items():
        with results.case(f"peers: {name} works on while it is traced"):
            need_root("tracing")
            check_peer(make, directory / name)
