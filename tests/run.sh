#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - runs the test rings and adds them up: tests/run.sh [RING]...
#
#   unit    build/san/tests/unit/*, cmocka, with ASan and UBSan
#   replay  recorded and generated series through the detector
#   fuzz    build/fuzz/*, every parser on its seeds, what was found before, and FUZZ_S (2) seconds
#           of new input
#   arm64   the BPF objects are built for arm64 and all else is compiled, no more (make test-arm64)
#   kernel  build/tests/kernel/*, cmocka, as root: known workloads, exact numbers
#   e2e     the agent and the CLI beside real programs, as root
#   tsan    build/tsan/tests/unit/* and an agent with all its threads under ThreadSanitizer; only
#           when it is named
#
# One line for each program; its output only when something failed, and why something was skipped.
# A program that crashes, times out or reports nothing is one failure. A kernel program that fails
# runs once more, because other load on the machine can make it miss what it measures; the first
# run's failure is shown too. The very last line is
# "N passed, N failed, N skipped"; exits 1 when a test failed or none ran.
set -u
cd "$(dirname "$0")/.." || exit 1

PROGRAM_TIMEOUT_S=${PROGRAM_TIMEOUT_S:-300}
RUNS=1
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
unset SEEP_SOCKET

passed=0 failed=0 skipped=0 broken=""
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
trap 'exit 1' INT TERM HUP

# cmocka's lines -> "passed failed skipped". A result counts once, for the test that is running:
# the summary at the end repeats names. A test without result died, and took the program with it.
count_cmocka() {
	awk '
	/\[ RUN      \]/ { died += running; running = 1; next }
	!running { next }
	/\[       OK \]/ { ok++; running = 0 }
	/\[  FAILED  \]/ { bad++; running = 0 }
	/\[  SKIPPED \]/ { skip++; running = 0 }
	END { print ok + 0, bad + died + running, skip + 0 }' "$1"
}

# What a test said before it was skipped.
skip_reasons() {
	awk '
	/\[ RUN      \]/ { said = ""; next }
	/\[  SKIPPED \]/ && !/listed below/ && said != "" { print "          skip: " said; said = "" }
	!/^\[/ && NF { said = said (said == "" ? "" : " ") $0 }' "$1" | sort | uniq | head -n 5
}

# The last line of a script that counts for itself -> "passed failed skipped".
count_script() {
	tail -n 1 "$1" |
		sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p'
}

# explain STATUS: why a program failed beyond what its tests say
explain() {
	case $1 in
	124 | 137) echo "timed out after $PROGRAM_TIMEOUT_S s" ;;
	*) [ "$1" -gt 128 ] && echo "died of signal $(($1 - 128))" || echo "exit status $1" ;;
	esac
}

# attempt COUNTER COMMAND...: run it once, leaving ok, bad, skip, why and its output in $out
attempt() {
	local counter=$1 status counts
	shift

	{ timeout -k 10 "$PROGRAM_TIMEOUT_S" "$@" </dev/null; } >"$out" 2>&1
	status=$? why=""
	counts=$($counter "$out")
	read -r ok bad skip <<<"${counts:-0 0 0}"
	if [ "$status" -ne 0 ]; then
		why=$(explain "$status")
	elif [ $((ok + bad + skip)) -eq 0 ]; then
		why="reported no test"
	fi
	if [ -n "$why" ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
}

# What failed, in short and then in full.
show_failure() {
	grep -aE '^FAIL|\[  FAILED  \]|^\[  ERROR|ERROR: ' "$out" | sort -u | head -n 20 | sed 's/^/      > /'
	[ -z "$why" ] || echo "      > ($why)"
	sed 's/^/      | /' "$out"
}

# run NAME COUNTER COMMAND...: run it, count it, print its line; once more where RUNS is 2
run() {
	local name=$1 begin=$EPOCHREALTIME ok bad skip why counter=$2
	shift

	attempt "$@"
	if [ "$bad" -ne 0 ] && [ "$RUNS" -eq 2 ]; then
		echo "again $name: $bad failed"
		show_failure
		attempt "$@"
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))

	printf '%-5s %-38s %3d passed %3d failed %3d skipped %8s s\n' \
		"$([ "$bad" -eq 0 ] && echo ok || echo FAIL)" "$name" "$ok" "$bad" "$skip" \
		"$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')"
	if [ "$bad" -ne 0 ]; then
		broken="$broken $name"
		show_failure
	elif [ "$skip" -ne 0 ]; then
		case $counter in
		count_cmocka) skip_reasons "$out" ;;
		*) grep -E '^skip' "$out" | sed 's/^skip */          skip: /' ;;
		esac
	fi
	grep -E '^note  (once more|passed in one)' "$out" | sed 's/^note /          note:/'
}

skip_all() {
	printf '%-5s %-38s %s\n' skip "$1" "$2"
	skipped=$((skipped + 1))
}

# run_cmocka RING DIRECTORY: the programs of a ring, by their sources: stale binaries stay out
run_cmocka() {
	local source name

	for source in "tests/$1"/test_*.c; do
		[ -e "$source" ] || continue
		name=$(basename "$source" .c)
		case " ${UNIT_SKIPPED:-} " in
		*" ${name#test_} "*) skip_all "$1/${name#test_}" "cannot run under an emulator" ;;
		*) run "$1/${name#test_}" count_cmocka "$2/$name" ;;
		esac
	done
}

# tests/arm64/run.sh has these two elsewhere
ring_unit() { run_cmocka unit "${UNIT_TESTS:-build/san/tests/unit}"; }

ring_replay() {
	local bin=${REPLAY_BIN:-}

	run replay count_script env SEEP="${bin:-build}/seep" GEN="${bin:-build/tests/replay}/gen" \
		ACCURACY="${bin:-build/bench}/accuracy" tests/replay/run.sh
}

# Inputs that were found to be new are kept below build/ and used again.
fuzz_one() {
	local name=$1 grown=build/fuzz/corpus/$1 seeds="" dir

	mkdir -p "$grown"
	for dir in tests/fuzz/seeds/$1 build/fuzz/seeds/$1; do
		[ ! -d "$dir" ] || seeds="$seeds $dir"
	done
	# shellcheck disable=SC2086
	if ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 "build/fuzz/$name" -timeout=10 \
		-rss_limit_mb=2048 -max_len=65536 -max_total_time="${FUZZ_S:-2}" \
		-artifact_prefix="build/fuzz/$name-" "$grown" $seeds; then
		echo "1 passed, 0 failed, 0 skipped"
	else
		echo "0 passed, 1 failed, 0 skipped"
	fi
}

ring_fuzz() {
	local source name

	PROGRAM_TIMEOUT_S=$((${FUZZ_S:-2} + 120))
	FUZZ_TMP=$(mktemp -d /dev/shm/seep-fuzz-XXXXXX) || return
	export FUZZ_TMP
	export -f fuzz_one
	for source in tests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		if [ -x "build/fuzz/$name" ]; then
			run "fuzz/${name#fuzz_}" count_script bash -c "fuzz_one $name"
		else
			skip_all "fuzz/${name#fuzz_}" "clang's fuzzer runtime is missing (libclang-rt-dev)"
		fi
	done
	PROGRAM_TIMEOUT_S=300
	rm -rf "$FUZZ_TMP"
}

ring_arm64() {
	if ! command -v aarch64-linux-gnu-gcc >/dev/null; then
		skip_all arm64 "no cross compiler (make deps-arm64)"
	elif ! tests/arm64/root.sh "${ARM64_ROOT:=$HOME/.cache/seep-arm64/root}" check; then
		skip_all arm64 "nothing to compile against in $ARM64_ROOT (make deps-arm64)"
	else
		run arm64 count_script sh -c \
			'make arm64-syntax && echo "1 passed, 0 failed, 0 skipped"'
	fi
}

ring_kernel() {
	if [ "$(id -u)" -ne 0 ]; then
		skip_all kernel "loading BPF programs needs root"
		return
	fi
	RUNS=2
	run_cmocka kernel build/tests/kernel
	RUNS=1
}

# Tests fork while they have threads, which TSan allows only if it is told to.
ring_tsan() {
	export TSAN_OPTIONS=${TSAN_OPTIONS:-die_after_fork=0 second_deadlock_stack=1}
	run_cmocka unit build/tsan/tests/unit
	PROGRAM_TIMEOUT_S=1200
	run tsan count_script env SEEP_BINARY=build/tsan/seep PYTHONDONTWRITEBYTECODE=1 \
		python3 tests/e2e/tsan.py
	PROGRAM_TIMEOUT_S=300
}

# runs what failed once more by itself
ring_e2e() { PROGRAM_TIMEOUT_S=2400 run e2e count_script tests/e2e/run.sh; }

[ $# -gt 0 ] || set -- unit replay fuzz arm64 kernel e2e
for ring; do
	case $ring in
	unit | replay | fuzz | arm64 | kernel | e2e | tsan) "ring_$ring" ;;
	*)
		sed -n '4,14s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
	esac
done

[ $((passed + failed)) -gt 0 ] || echo "no test ran" >&2
[ -z "$broken" ] || echo "failed:$broken"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
