# SPDX-License-Identifier: BSD-2-Clause
"""servers.py - what seep talks to: real Prometheus and Alertmanager, and a receiver of our own.

All on free ports of the loopback, with everything they write in a directory of the test.
"""
import contextlib
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import urllib.request

from harness import LEASH, Skip, expect, tail, wait_for


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed (make deps-peers)")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http_port(agent):
    return int(re.search(r"HTTP on .* port (\d+)", agent.log.read_text())[1])


def get(port, path, accept="*/*"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


class Receiver(http.server.ThreadingHTTPServer):
    """A local HTTP server that keeps what it was sent; `answer` may be replaced."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts = []
        self.answer = lambda request: request.reply(200)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"

    def bodies(self):
        return [json.loads(body) for _, _, body in list(self.posts)]

    def handle_error(self, request, client_address):
        """Clients that hang up are part of the tests."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.posts.append((self.path, dict(self.headers), body))
        self.server.answer(self)

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Quiet."""


class Server:
    """A server of Debian's on a free port of the loopback, in a directory of its own."""

    def __init__(self, directory, *command):
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*LEASH, *map(str, command)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=directory)

    def await_ready(self, port):
        def ready():
            expect(self.process.poll() is None, f"ended:\n{tail(self.log)}")
            with contextlib.suppress(OSError):
                return get(port, "/-/ready")
        wait_for(f"{self.process.args[3]} is ready", ready, 60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def alertmanager(directory, hook):
    port = free_port()
    config = directory / "alertmanager.json"
    directory.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({
        "route": {"receiver": "hook", "group_wait": "1s", "group_interval": "1s",
                  "group_by": ["..."]},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": hook, "send_resolved": True}]}],
    }))
    server = Server(directory, shutil.which("prometheus-alertmanager"),
                    f"--config.file={config}", f"--storage.path={directory}/data",
                    f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
    server.port = port
    return server
