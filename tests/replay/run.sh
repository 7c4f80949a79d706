#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - replays recordings of real programs and a fixed slice of the synthetic corpus.
#
# Every leaking program must be found and every healthy one left alone; on the slice precision and
# recall have floors; the same tape compressed in time must get the same alarms. Everything goes
# through `seep replay`, and through the detector library when there is no such binary yet.
# Prints a line for each case and "N passed, N failed, N skipped"; exits 1 when one failed.
#
#	VERBOSE=1 SEEP=build/seep GEN=build/tests/replay/gen tests/replay/run.sh
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
SEEP=${SEEP:-$root/build/seep}
GEN=${GEN:-$root/build/tests/replay/gen}
ACCURACY=${ACCURACY:-$root/build/bench/accuracy}
CC=${CC:-cc}

# The slice: drawn once, never looked at while tuning. Floors are a little under what is reached.
SLICE_SEED=424242
SLICE_COUNT=300
FLOOR_PRECISION=0.93
FLOOR_RECALL=0.93
COMPRESS=360 # 6 h -> 60 s

passed=0
failed=0
skipped=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

ok()
{
	passed=$((passed + 1))
	echo "ok    $*"
}

fail()
{
	failed=$((failed + 1))
	echo "FAIL  $*"
}

skip()
{
	skipped=$((skipped + 1))
	echo "skip  $*"
}

# What recordings/NAME.known names as beyond the detector so far is skipped, with its reason there,
# as long as it is wrong; docs/accuracy.md tells of each.
wrong() # what why
{
	if [ -n "$2" ]; then
		skip "$1; known: $2"
	else
		fail "$1"
	fi
}

# A tool is taken as built; otherwise it is compiled for this run.
need_gen()
{
	[ -x "$GEN" ] && return 0
	GEN=$tmp/gen
	$CC -std=c11 -D_GNU_SOURCE -O2 -o "$GEN" "$here/gen.c" "$here"/shapes*.c \
		"$here/strangers.c" "$here/guests.c" -lz -lm
}

# 0 when `seep replay` can be used.
has_replay()
{
	[ -x "$SEEP" ] && "$SEEP" replay --help >/dev/null 2>&1
}

# Both ways end in lines "name shape leak|healthy opened,opened,..|-": alarms of one series.
alarms_by_replay() # csv labels window
{
	"$SEEP" replay --json --window "$3" "$1" >"$tmp/out.json" || return 1
	awk '
	function field(line, key,    p) {
		p = index(line, "\"" key "\":")
		if (!p)
			return ""
		line = substr(line, p + length(key) + 3)
		sub(/^ */, "", line)
		if (line ~ /^"/)
			return substr(line, 2, index(substr(line, 2), "\"") - 1)
		sub(/[,}\]].*/, "", line)
		return line
	}
	FNR == NR {
		if (match($0, /"[^"]+" *: *\{/)) {
			name = substr($0, RSTART + 1)
			sub(/".*/, "", name)
			leak[name] = field($0, "leak") == "true" ? "leak" : "healthy"
			shape[name] = field($0, "shape")
		}
		next
	}
	{
		name = field($0, "series")
		list = ""
		rest = $0
		sub(/"final".*/, "", rest)
		while ((p = index(rest, "\"opened_s\":")) > 0) {
			rest = substr(rest, p + 11)
			value = rest
			sub(/[,}\]].*/, "", value)
			list = list (list == "" ? "" : ",") value
		}
		print name, shape[name] == "" ? "-" : shape[name], leak[name], list == "" ? "-" : list
	}' "$2" "$tmp/out.json"
}

alarms_by_library() # csv labels window
{
	"$ACCURACY" --list --as-labelled --half all --window "${3%s}" "$1" "$2"
}

alarms()
{
	if has_replay; then
		alarms_by_replay "$@"
	else
		alarms_by_library "$@"
	fi
}

# Adds the verdict on a line: found (leak, at or after the onset), missed, false, quiet.
judge() # labels
{
	awk '
	FNR == NR {
		if (match($0, /"[^"]+" *: *\{/)) {
			name = substr($0, RSTART + 1)
			sub(/".*/, "", name)
			if (match($0, /"onset_s" *: */))
				onset[name] = substr($0, RSTART + RLENGTH) + 0
		}
		next
	}
	{
		found = bad = 0
		first = "-"
		n = $4 == "-" ? 0 : split($4, at, ",")
		for (i = 1; i <= n; i++) {
			if ($3 == "leak" && at[i] + 0 >= onset[$1]) {
				found = 1
			} else {
				bad++
			}
			if (first == "-")
				first = sprintf("%.1f", at[i])
		}
		verdict = bad ? "false" : $3 != "leak" ? "quiet" : found ? "found" : "missed"
		print $1, $2, $3, verdict, first, found, bad
	}' "$1" -
}

replay_recordings()
{
	csv=$here/recordings/$1.csv.gz
	labels=$here/recordings/$1.labels.json

	if ! alarms "$csv" "$labels" 60s >"$tmp/alarms" || ! [ -s "$tmp/alarms" ]; then
		fail "$1: could not be replayed"
		return
	fi
	judge "$labels" <"$tmp/alarms" >"$tmp/judged"
	known=$here/recordings/$1.known
	[ -e "$known" ] || known=/dev/null
	while read -r name _ kind verdict first _ _; do
		why=$(sed -n "s/^$name: //p" "$known")
		case $verdict in
		found) ok "$1/$name: leak found, alarm at $first s" ;;
		quiet) ok "$1/$name: healthy, quiet" ;;
		missed) wrong "$1/$name: leak not found" "$why" ;;
		*) wrong "$1/$name: $kind, but an alarm on healthy memory at $first s" "$why" ;;
		esac
	done <"$tmp/judged"
}

floor() # what value bar
{
	if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a >= b) }'; then
		ok "synthetic: $1 $2, floor $3"
	else
		fail "synthetic: $1 $2, floor $3"
	fi
}

# The corpus is a number only as long as the same seed gives the same bytes, and the splits differ.
check_generator()
{
	for split in tune report; do
		for i in 1 2; do
			"$GEN" --seed 3 --count 12 --days 1 --split $split -o "$tmp/$split$i.csv" \
				--labels "$tmp/$split.json"
		done
	done
	if cmp -s "$tmp/tune1.csv" "$tmp/tune2.csv" && cmp -s "$tmp/report1.csv" "$tmp/report2.csv" &&
		! cmp -s "$tmp/tune1.csv" "$tmp/report1.csv"; then
		ok "generator: the same seed gives the same series, the splits differ"
	else
		fail "generator: the same seed gives different series, or the splits do not differ"
	fi
}

replay_slice()
{
	"$GEN" --seed $SLICE_SEED --count $SLICE_COUNT --days 1 --split report \
		-o "$tmp/slice.csv" --labels "$tmp/slice.json" || { fail "synthetic: gen"; return; }
	alarms "$tmp/slice.csv" "$tmp/slice.json" 21600s | judge "$tmp/slice.json" >"$tmp/judged"
	if ! [ -s "$tmp/judged" ]; then
		fail "synthetic: could not be replayed"
		return
	fi
	awk '{ tp += $3 == "leak" && $6; fn += $3 == "leak" && !$6; fp += $7 > 0 }
		END { printf "%.3f %.3f\n", tp / (tp + fp + 1e-9), tp / (tp + fn + 1e-9) }' \
		"$tmp/judged" >"$tmp/quality"
	read -r precision recall <"$tmp/quality"
	floor "precision of $SLICE_COUNT series" "$precision" $FLOOR_PRECISION
	floor "recall" "$recall" $FLOOR_RECALL
	[ -z "${VERBOSE:-}" ] || awk '$4 == "missed" || $4 == "false" { print "      " $0 }' "$tmp/judged"
}

# 6 h of a tape, or the same in 60 s with a window of 60 s: the same alarms.
replay_compressed()
{
	if ! has_replay; then
		skip "compressed: needs seep replay"
		return
	fi
	"$GEN" --seed $SLICE_SEED --count 40 --days 1 --split tune -o "$tmp/c1.csv" \
		--labels "$tmp/c1.json"
	awk -F, -v OFS=, -v by=$COMPRESS 'NR > 1 { $2 = sprintf("%.9f", $2 / by) } 1' "$tmp/c1.csv" \
		>"$tmp/c2.csv"
	alarms "$tmp/c1.csv" "$tmp/c1.json" 21600s |
		awk '{ print $1, $4 == "-" ? 0 : split($4, a, ",") }' >"$tmp/r1"
	alarms "$tmp/c2.csv" "$tmp/c1.json" 60s |
		awk '{ print $1, $4 == "-" ? 0 : split($4, a, ",") }' >"$tmp/r2"
	if [ -s "$tmp/r1" ] && cmp -s "$tmp/r1" "$tmp/r2"; then
		ok "compressed: 40 series get the same alarms $COMPRESS times faster"
	else
		fail "compressed: alarms differ: $(diff "$tmp/r1" "$tmp/r2" | grep -c '^>') of 40 series"
	fi
}

if ! has_replay && ! [ -x "$ACCURACY" ]; then
	skip "all: neither $SEEP nor $ACCURACY is built"
else
	for f in "$here"/recordings/*.csv.gz; do
		[ -e "$f" ] && replay_recordings "$(basename "$f" .csv.gz)"
	done
	if need_gen; then
		check_generator
		replay_slice
		replay_compressed
	else
		fail "synthetic: the generator does not build"
	fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
