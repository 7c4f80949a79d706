# SPDX-License-Identifier: BSD-2-Clause
"""kubelet.py - an HTTPS server that answers /pods as a kubelet would, or as none should.

The first part of the path says how: /good/pods, /slow/pods... so that one server serves every
agent. Its certificate is signed by an authority that openssl makes for the run.
"""
import contextlib
import http.server
import json
import ssl
import threading
import time

from harness import expect, run

BODY_BOUND = 64 << 20  # as the agent has it


def make_certificates(directory):
    """ca.pem, key.pem and cert.pem for 127.0.0.1, and other-ca.pem that signed nothing of it."""
    def openssl(*args):
        done = run(["openssl", *args], cwd=directory)
        expect(done.returncode == 0, f"openssl {args[0]}: {done.stderr}")

    for name in ("ca", "other-ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}-key.pem",
                "-out", f"{name}.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=kubelet", "-keyout", "key.pem", "-out", "csr.pem")
    (directory / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-days", "2",
            "-extfile", "san", "-out", "cert.pem")


def pod(namespace, name, uid, owner=None, labels=None, containers=(), annotations=None):
    """As the API has it; containers are (name, id, limit or None)."""
    kind, owner_name = owner or (None, None)
    return {
        "metadata": {
            "name": name, "namespace": namespace, "uid": uid, "labels": labels or {},
            "annotations": annotations or {}, "creationTimestamp": "2026-11-21T10:00:00Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": owner_name,
                                 "uid": uid[::-1], "controller": True,
                                 "blockOwnerDeletion": True}] if owner else [],
        },
        "spec": {
            "nodeName": "node-1", "restartPolicy": "Always",
            "containers": [{"name": container, "image": f"registry.example/{container}:1.2",
                            "resources": {"limits": {"memory": limit}} if limit else {}}
                           for container, _, limit in containers],
        },
        "status": {
            "phase": "Running", "podIP": "10.1.2.3",
            "containerStatuses": [{
                "name": container, "ready": True, "restartCount": 0,
                "image": f"registry.example/{container}:1.2",
                "imageID": f"registry.example/{container}@sha256:{'5e' * 32}",
                "containerID": f"containerd://{identity}",
                "state": {"running": {"startedAt": "2026-11-21T10:00:01Z"}},
            } for container, identity, _ in containers],
        },
    }


class Server(http.server.ThreadingHTTPServer):
    """Clients that do not trust it, or leave, are no news."""
    daemon_threads = True

    def handle_error(self, *_):
        pass


class Kubelet:
    """Serves until it is stopped; `pods` and `tokens` may change meanwhile."""

    def __init__(self, directory, tokens):
        directory.mkdir(parents=True, exist_ok=True)
        make_certificates(directory)
        self.directory = directory
        self.tokens = set(tokens)
        self.pods = []
        self.asked = []        # (mode, token) of each request
        self.stopping = threading.Event()
        self.server = Server(("127.0.0.1", 0), self.handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def handler(self):
        kubelet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One request."""
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # the name is the library's
                with contextlib.suppress(OSError):
                    kubelet.answer(self)
                self.close_connection = True

            def log_message(self, *_):
                pass

        return Handler

    def url(self, mode):
        return f"https://127.0.0.1:{self.server.server_port}/{mode}"

    def stop(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        mode = request.path.split("/")[1]
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        self.asked.append((mode, token))
        if request.path != f"/{mode}/pods" or kind != "Bearer" or token not in self.tokens:
            send(request, 401, b"Unauthorized")
        elif mode == "forbidden":
            send(request, 403, b"Forbidden (user=system:serviceaccount:x, verb=get, resource=nodes)")
        else:
            getattr(self, f"answer_{mode}")(request)

    def pod_list(self):
        return json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {},
                           "items": self.pods}).encode()

    def answer_good(self, request):
        send(request, 200, self.pod_list())

    def answer_trickle(self, request):
        """All of it, in pieces of a few bytes."""
        send_head(request, 200, None)
        body = self.pod_list()
        for i in range(0, len(body), 7):
            request.wfile.write(body[i:i + 7])
        request.wfile.flush()

    def answer_slow(self, request):
        """The head and nothing more."""
        send_head(request, 200, 1000)
        request.wfile.flush()
        self.stopping.wait(120)

    def answer_garbage(self, request):
        send(request, 200, b"\x00\xff<html>it works</html>" * 1000)

    def answer_torn(self, request):
        """Ends in the middle, as if it were whole."""
        send(request, 200, self.pod_list()[:-40])

    def answer_huge(self, request):
        """A list that never ends."""
        send_head(request, 200, None)
        request.wfile.write(b'{"items":[')
        item = json.dumps(pod("x", "y", "not-a-uid")).encode() + b","
        for _ in range(2 * BODY_BOUND // (len(item) * 100)):
            request.wfile.write(item * 100)

    def answer_fat(self, request):
        """One pod that never ends."""
        send_head(request, 200, None)
        request.wfile.write(b'{"items":[{"metadata":{"uid":"')
        for _ in range(200):
            request.wfile.write(b"x" * (1 << 16))

    def answer_redirect(self, request):
        request.send_response(302)
        request.send_header("Location", self.url("good") + "/pods")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def answer_lying(self, request):
        """Pods of the right uids with other names, terminal codes, and things of no type."""
        lies = []
        for true in self.pods:
            lie = json.loads(json.dumps(true))
            lie["metadata"]["name"] = "evil\x1b[2J" + "n" * 5000
            lie["metadata"]["labels"] = {"k\x1b[31m": "v\nv", "n": 7, "x" * 999: "y" * 999}
            lie["metadata"]["ownerReferences"] = [{"kind": 7, "name": [], "controller": True}]
            lie["status"]["containerStatuses"].append(None)
            lie["spec"]["containers"] = {"not": "a list"}
            lies.append(lie)
        send(request, 200, json.dumps({"items": [None, 7, [], "x", {}][4:] + lies}).encode())


def send_head(request, status, length):
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    if length is not None:
        request.send_header("Content-Length", str(length))
    else:
        request.send_header("Connection", "close")
    request.end_headers()


def send(request, status, body):
    send_head(request, status, len(body))
    request.wfile.write(body)


def wait_until_asked(kubelet, mode, token, timeout_s):
    end = time.monotonic() + timeout_s
    while (mode, token) not in kubelet.asked:
        expect(time.monotonic() < end, f"the kubelet was not asked with '{token}'")
        time.sleep(0.1)
