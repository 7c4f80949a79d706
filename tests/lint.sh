#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lint.sh - static analysis, without a finding: tests/lint.sh [tidy] [cppcheck] [analyzer] [shell]
#
#   tidy      clang-tidy over user/ and bpf/, with the checks of .clang-tidy
#   cppcheck  over user/; what it says beside the point is in tests/cppcheck.suppressions, and what
#             it has to know of macros in tests/cppcheck.cfg
#   analyzer  gcc -fanalyzer over user/
#   shell     shellcheck over every script
#
# `make lint` gives it the flags that the compiler gets, LINT_CFLAGS and LINT_BPFFLAGS. What a tool
# says wrongly is silenced where it stands, with the reason. A tool that is not installed (make
# deps-lint) is skipped, and said to be. Takes minutes: it is no part of `make test`.
# shellcheck disable=SC2317 # part() calls what it is told to
set -u
cd "$(dirname "$0")/.." || exit 1

JOBS=$(nproc)
failed=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

# each COMMAND FILE...: run it once for each file, JOBS at a time; all of them are tried
each() {
	local command=$1
	shift
	printf '%s\0' "$@" | xargs -0 -P "$JOBS" -I '{}' bash -c "$command" lint '{}'
}

# part NAME TOOL FUNCTION: its line, and what it found
part() {
	if ! command -v "$2" >/dev/null; then
		echo "skip  $1: $2 is not installed (make deps-lint)"
		return
	fi
	if "$3" >"$out" 2>&1; then
		echo "ok    $1"
	else
		echo "FAIL  $1"
		sed 's/^/      | /' "$out"
		failed=1
	fi
}

# Deleting from a hash table of uthash while walking over it, as its manual says to, looks to the
# analyzer like a use of what was freed, and its hash function like one of what was never written.
UTHASH=-clang-analyzer-unix.Malloc,-clang-analyzer-core.UndefinedBinaryOperatorResult

tidy() {
	local checks=""
	if grep -q '<uthash.h>' "$1"; then
		checks=--checks=$UTHASH
	elif grep -q '\.skel\.h"' "$1"; then # what bpftool generates loses memory when memory is short
		checks=--checks=-clang-analyzer-unix.Malloc
	fi
	# shellcheck disable=SC2086
	clang-tidy --quiet $checks "$1" -- $2 2>/dev/null
}

run_tidy() {
	export LINT_CFLAGS LINT_BPFFLAGS UTHASH
	export -f tidy
	# shellcheck disable=SC2016
	each 'tidy "$1" "$LINT_CFLAGS"' user/*.c user/*/*.c &&
		each 'tidy "$1" "$LINT_BPFFLAGS"' bpf/*.bpf.c
}

run_cppcheck() {
	cppcheck -j "$JOBS" --quiet --error-exitcode=1 --std=c11 --inline-suppr \
		--enable=warning,performance,portability --library=posix,gnu,tests/cppcheck.cfg \
		--suppressions-list=tests/cppcheck.suppressions \
		-D_GNU_SOURCE -DSEEP_VERSION='""' -D__x86_64__ -Iinclude -Iuser user
}

# It takes each array that grows inside a struct for lost; LeakSanitizer watches that in every test.
run_analyzer() {
	export LINT_CFLAGS
	# shellcheck disable=SC2016
	each 'gcc $LINT_CFLAGS -O1 -fanalyzer -Wno-analyzer-malloc-leak -Werror -c "$1" -o /dev/null' user/*.c user/*/*.c
}

# By their first line; a few have no suffix.
scripts() {
	git ls-files | while read -r file; do
		head -n 1 "$file" | grep -qE '^#!/bin/(ba)?sh' && echo "$file"
	done
}

run_shellcheck() {
	local files
	mapfile -t files < <(scripts)
	shellcheck "${files[@]}"
}

[ $# -gt 0 ] || set -- tidy cppcheck analyzer shell
for name; do
	case $name in
	tidy) part tidy clang-tidy run_tidy ;;
	cppcheck) part cppcheck cppcheck run_cppcheck ;;
	analyzer) part analyzer gcc run_analyzer ;;
	shell) part shell shellcheck run_shellcheck ;;
	*)
		sed -n '4,16s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
	esac
done
exit "$failed"
