#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - every figure the README and docs/ claim, printed by the commands that measured them.
#
#	bench/run.sh [--quick]     or     make bench
#
# Timings want a quiet machine and no other agent on it; ratios are of runs taken in turn.
set -eu
cd "$(dirname "$0")/.."

run() {
	echo "== $*"
	"$@"
	echo
}

run build/bench/accuracy "$@"
if [ "$(id -u)" -eq 0 ]; then
	run build/bench/watch "$@"
	run build/bench/scale "$@"
	run build/bench/alloc "$@"
	run build/bench/stacks
	run build/bench/symbols
	run bench/references.py
else
	echo "== the costs of watching are measured as root only: sudo make bench" >&2
fi
