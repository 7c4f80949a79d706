# SPDX-License-Identifier: BSD-2-Clause
"""web.py - a small web application: web.py leaky|healthy [--flask].

leaky    keeps about 40 KB of each request for good: the session of every visitor is put into a
         dictionary that nobody ever clears. 10 000 requests take it from 26 MB to over 400 MB.
healthy  keeps the same data in a cache of the 256 least recently used sessions.

The standard library's server, or Flask with --flask. Prints "port N" when it serves.
"""
import argparse
import collections
import http.server
import itertools
import sys
import urllib.parse

SESSION_BYTES = 40_000
CACHE_SIZE = 256

visits = itertools.count()
sessions = {}
cache = collections.OrderedDict()


def new_session(user):
    """What an application collects of a visitor: many small things."""
    items = [f"{user}/{i}" for i in range(200)]
    return {"user": user, "items": items, "page": bytearray(SESSION_BYTES - 200 * 70)}


def leaky(user):
    session = new_session(user)
    sessions[(user, next(visits))] = session
    return len(session["items"])


def healthy(user):
    session = cache.pop(user, None) or new_session(user)
    cache[user] = session
    if len(cache) > CACHE_SIZE:
        cache.popitem(last=False)
    return len(session["items"])


def serve_plain(view):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet per answer

        def do_GET(self):
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            body = str(view(query.get("user", ["nobody"])[0])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("port", server.server_port, flush=True)
    server.serve_forever()


def serve_flask(view):
    import logging

    import flask
    from werkzeug.serving import make_server

    app = flask.Flask("web")
    app.add_url_rule("/", view_func=lambda: str(view(flask.request.args.get("user", "nobody"))))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print("port", server.server_port, flush=True)
    server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description="a web application that leaks, or does not")
    parser.add_argument("kind", choices=["leaky", "healthy"])
    parser.add_argument("--flask", action="store_true")
    args = parser.parse_args()
    view = leaky if args.kind == "leaky" else healthy
    (serve_flask if args.flask else serve_plain)(view)


if __name__ == "__main__":
    sys.exit(main())
