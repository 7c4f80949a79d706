#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# train.sh - makes user/detect/score_table.h again.
#
#	train.sh SCRATCH RECORDINGS > user/detect/score_table.h
#
# RECORDINGS is a folder with machines.csv.gz and pods.csv.gz and their .labels.json, which are not
# in the repository. Learned from are the tune half of them, the tune split of the generated corpus,
# and extra_shapes.py; what the tables of docs/accuracy.md are measured on is left out. With KEEP=1
# the features of an earlier run in SCRATCH are used. Needs python3-sklearn.
set -eu

scratch=$1 recordings=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
python="${PYTHON:-/usr/bin/python3}"
export OMP_NUM_THREADS=1

series() { # everything to learn from, in the layout of series.py
	"$scratch/gen_series" 3 0 1800 "$scratch/gen.bin"
	"$scratch/gen_series" 3 1 500 "$scratch/wide.bin"
	"$python" "$here/extra_shapes.py" 1 40 "$scratch/extra.bin"
	"$python" "$here/extra_shapes.py" 2 160 "$scratch/crowd.bin" crowd crowdleak
	"$python" "$here/extra_shapes.py" 2 120 "$scratch/week.bin" week weekleak
	for set in machines pods; do
		"$python" "$here/series.py" "$recordings/$set.csv.gz" "$recordings/$set.labels.json" \
			"$scratch/$set.bin" "$scratch/${set}_report.bin"
		rm "$scratch/${set}_report.bin"
		"$python" "$here/series.py" --copies 8 --seed 1 "$scratch/$set.bin" \
			"$scratch/${set}_copies.bin"
	done
}

features() {
	for bin in "$scratch"/*.bin; do
		case $bin in
		*/machines* | */pods*) step=900 ;;
		*) step=1800 ;;
		esac
		"$scratch/dump_features" "$bin" "${bin%.bin}.feat" $step
	done
}

mkdir -p "$scratch"
cc -O2 -I"$root/tests/replay" "$here/gen_series.c" "$root"/tests/replay/shapes*.c -lm \
	-o "$scratch/gen_series"
cc -O2 -I"$root/user/detect" "$here/dump_features.c" "$root"/user/detect/[!d]*.c -lm \
	-o "$scratch/dump_features"
[ -n "${KEEP:-}" ] || { series && features; } >&2
"$python" "$here/train_score.py" "$scratch"
