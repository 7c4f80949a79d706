# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP server to be recorded: server.py PORT healthy|leak|cache|session|session-leak.

leak: keeps every request in a list. cache: keeps them in a bounded table. session: keeps what
each request made for ten seconds, so that memory follows the load; session-leak does so too and
loses a part of it.
"""
import collections
import http.server
import sys
import time

SEEN = []
CACHE = collections.OrderedDict()
SESSIONS = collections.deque()
MODE = sys.argv[2]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self):
        body = ("%s " % self.path).encode() * 600
        if MODE == "leak":
            SEEN.append((self.path, body))
        elif MODE == "cache":
            CACHE[hash(self.path) % 100000] = body
            while len(CACHE) > 2000:
                CACHE.popitem(last=False)
        elif MODE.startswith("session"):
            SESSIONS.append((time.monotonic() + 10, bytearray(40000)))
            while SESSIONS[0][0] < time.monotonic():
                SESSIONS.popleft()
            if MODE == "session-leak":
                SEEN.append(bytearray(9000))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
