# SPDX-License-Identifier: BSD-2-Clause
"""load.py - steady requests to a web server on this machine: load.py PORT [--rate R] [--for S].

Opens one connection, sends R requests a second for S seconds (and no faster to catch up) as one
of --users visitors, and prints how many were answered. Ends early, with 1, when the server does.
"""
import argparse
import http.client
import random
import sys
import time


def run(port, rate, seconds, users):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    chance = random.Random(1)
    answered = 0
    end = time.monotonic() + seconds
    due = time.monotonic()
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        connection.request("GET", f"/?user=visitor-{chance.randrange(users)}")
        connection.getresponse().read()
        answered += 1
        due = max(due + 1 / rate, time.monotonic() - 0.1)
    return answered


def main():
    parser = argparse.ArgumentParser(description="steady load on a local web server")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    parser.add_argument("--for", dest="seconds", type=float, default=60)
    parser.add_argument("--users", type=int, default=1000)
    args = parser.parse_args()
    try:
        print(run(args.port, min(args.rate, 1000), args.seconds, args.users), "answered")
    except (OSError, http.client.HTTPException) as error:
        print(f"load.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
