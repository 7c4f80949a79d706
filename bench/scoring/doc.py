#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""doc.py - measures docs/accuracy.md again: doc.py [FILE.md] [WORD..]

A fenced block that begins with "$ COMMAND" gets what COMMAND prints, run from the top of the tree.
A command that fails leaves its block as it was, and is named. With WORDs only commands that contain
one of them are run. $RECORDINGS is for recordings that are not in the tree.
"""
import re
import subprocess
import sys

BLOCK = re.compile(r"(```\n\$ (.+?)\n)(.*?)(```\n)", re.S)


def renew(match, words):
    head, command, old, tail = match.groups()
    if words and not any(w in command for w in words):
        return match.group(0)
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, universal_newlines=True)
    if not done.stdout or done.returncode:
        print("left as it was (%d): %s" % (done.returncode, command), file=sys.stderr)
        return match.group(0)
    return head + done.stdout.strip("\n") + "\n" + tail


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "docs/accuracy.md"
    with open(path) as f:
        text = f.read()
    text = BLOCK.sub(lambda m: renew(m, sys.argv[2:]), text)
    with open(path, "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
