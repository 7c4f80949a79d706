#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - the agent in the background and `seep top` in front of it, until top is left.
#
#	deploy/run.sh [AGENT-OPTIONS]     or     make run ARGS="--interval 10s --window 6h"
#
# Without options the window is ten minutes, not the agent's six hours: whoever tries it out wants
# to see a leak named in minutes. That history is kept apart from a production agent's.
#
# The agent's log goes to build/agent.log. If an agent already answers, top is shown on that one and
# it is left alone; the one that is started here ends with this script, however that ends. Without
# a terminal the table is printed every few seconds instead.
set -eu
cd "$(dirname "$0")/.."

seep=build/seep
log=build/agent.log
every_s=5
agent='' front=''

# Nothing is left running: the trap is for signals and ends, the leash for SIGKILL.
cleanup() {
	status=$?
	trap - EXIT
	trap '' INT TERM HUP
	for pid in $front $agent; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in $front $agent; do
		wait "$pid" 2>/dev/null || true
	done
	[ -z "$agent" ] || echo "The agent is stopped; its log is $log." >&2
	exit $status
}

# The socket that the options name, as the agent will understand them.
find_socket() {
	while [ $# -gt 0 ]; do
		case $1 in
		--socket=*) SEEP_SOCKET=${1#*=} ;;
		--socket) SEEP_SOCKET=${2:-} ;;
		esac
		shift
	done
	export SEEP_SOCKET="${SEEP_SOCKET:-/run/seep/seep.sock}"
}

answers() { $seep status >/dev/null 2>&1; }

start_agent() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "run.sh: no agent answers, and starting one needs root: sudo make run" >&2
		exit 5
	fi
	setpriv --pdeathsig TERM $seep agent --socket "$SEEP_SOCKET" "$@" </dev/null >"$log" 2>&1 &
	agent=$!
	until answers; do
		if ! kill -0 "$agent" 2>/dev/null; then
			code=0
			wait "$agent" || code=$?
			agent=
			cat "$log" >&2
			exit $code
		fi
		sleep 0.2
	done
}

# In the background of this shell, so that a signal to it is acted on at once.
in_front() {
	setpriv --pdeathsig TERM "$@" <&3 3<&- &
	front=$!
	code=0
	wait "$front" || code=$?
	front=
	return $code
}

show_top() {
	if [ -t 0 ] && [ -t 1 ]; then
		in_front $seep top
		return
	fi
	while in_front $seep top --once; do
		echo
		in_front sleep $every_s
	done
}

# shellcheck disable=SC2086
set -- ${ARGS:-} "$@"
if [ $# -eq 0 ]; then
	echo "Trying it out: a poll each second, a window of ten minutes." >&2
	set -- --interval 1s --window 10m --state-dir /var/lib/seep/try
fi
find_socket "$@"
exec 3<&0
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
answers || start_agent "$@"
show_top
