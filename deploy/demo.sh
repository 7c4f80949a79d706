#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# demo.sh - one minute: a program that leaks beside four that do not, and what seep says of them.
#
# The agent runs with a window of 30 s instead of 6 h and keeps its state in a temporary directory.
# Exits 0 only when the leaking program, and none of the others, was named.
set -eu
cd "$(dirname "$0")/.."

seep=build/seep
programs=build/tests/workloads
length_s=50
every_s=5
limit=400M

if [ "$(id -u)" -ne 0 ]; then
	echo "demo.sh: the agent needs root: sudo make demo" >&2
	exit 5
fi
dir=$(mktemp -d)
export SEEP_SOCKET="$dir/seep.sock"
group='' pids='' healthy=''

cleanup() {
	status=$?
	trap - EXIT
	trap '' INT TERM HUP
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in $pids; do
		wait "$pid" 2>/dev/null || true
	done
	[ -z "$group" ] || rmdir "$group" 2>/dev/null || true
	rm -rf "$dir"
	exit $status
}

# A cgroup with a memory limit for the leak, as a container would have; without one it still works.
make_group() {
	for try in /sys/fs/cgroup/memory:memory.limit_in_bytes /sys/fs/cgroup:memory.max; do
		group=${try%%:*}/seep-demo-$$
		mkdir "$group" 2>/dev/null || continue
		if { echo $limit >"$group/${try#*:}"; } 2>/dev/null; then
			return
		fi
		rmdir "$group"
	done
	group=
}

start_agent() {
	setpriv --pdeathsig KILL $seep agent --interval 100ms --window 30s --listen none \
		--state-dir "$dir/state" --socket "$SEEP_SOCKET" \
		</dev/null >"$dir/agent.log" 2>&1 &
	pids="$pids $!"
	until $seep status >/dev/null 2>&1; do
		if ! kill -0 $! 2>/dev/null; then
			cat "$dir/agent.log" >&2
			exit 1
		fi
		sleep 0.2
	done
}

start() { # NAME OPTIONS...
	name=$1
	shift
	setpriv --pdeathsig KILL $programs/"$name" "$@" </dev/null &
	pids="$pids $!"
}

# The same, born in the group.
start_limited() {
	if [ -z "$group" ]; then
		start "$@"
		return
	fi
	name=$1
	shift
	# shellcheck disable=SC2016
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
		setpriv --pdeathsig KILL $programs/"$name" "$@" </dev/null &
	pids="$pids $!"
}

start_programs() {
	start_limited leak_linear --base 30M --rate 1.5M
	leaker=$!
	for one in "steady --base 40M" "sawtooth --floor 20M --tooth 40M --period 3" \
		"bounded_cache --entries 3000 --ops 2000" "warm_up --to 80M --tau 3"; do
		# shellcheck disable=SC2086
		start $one
		healthy="$healthy $!"
	done
}

# "ID PID" of every incident so far.
incidents() {
	$seep leaks --all --json | grep -oE '"(id|pid)": ?("[^"]*"|[0-9]+|null)' |
		awk -F '[ :"]+' '$2 == "id" { id = $3 } $2 == "pid" { print id, $3 }'
}

incident_of() { incidents | awk -v pid="$1" '$2 == pid { print $1; exit }'; }

progress() { # SECONDS
	sizes=
	for pid in $leaker $healthy; do
		sizes="$sizes$(ps -o comm=,rss= -p "$pid" |
			awk '{ printf "  %s %d MiB", $1, $2 / 1024 }')"
	done
	said="no leak seen yet"
	[ -z "$(incident_of "$leaker")" ] || said="leak found"
	printf '%3d s%s  -> %s\n' "$1" "$sizes" "$said"
}

judge() {
	id=$(incident_of "$leaker")
	if [ -z "$id" ]; then
		echo "demo.sh: the leak was not found" >&2
		exit 1
	fi
	for pid in $healthy; do
		if [ -n "$(incident_of "$pid")" ]; then
			echo "demo.sh: a healthy program was named: $(ps -o comm= -p "$pid")" >&2
			exit 1
		fi
	done
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
make_group
start_agent
start_programs
echo "One program leaks 1.5 MiB/s, four do not. The agent watches everything, window 30 s."
elapsed=0
while [ $elapsed -lt $length_s ]; do
	sleep $every_s &
	wait $!
	elapsed=$((elapsed + every_s))
	progress $elapsed
done
printf '\n$ seep leaks\n'
$seep leaks
judge
printf '\n$ seep show %s\n' "$id"
$seep show "$id"
