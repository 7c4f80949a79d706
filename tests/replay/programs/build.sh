#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# build.sh - compiles a tree of generated C files again and again, to be recorded as a whole.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
for i in $(seq 1 40); do
	{
		echo "#include <stdio.h>"
		echo "#include <stdlib.h>"
		for f in $(seq 1 $((i * 6 % 90 + 20))); do
			echo "int f_${i}_$f(int n) { int s = 0; for (int k = 0; k < n; k++) s += k * $f ^ n; return s; }"
		done
	} >"$dir/$i.c"
done
while :; do
	for i in $(seq 1 40); do
		nice gcc -O2 -c "$dir/$i.c" -o "$dir/$i.o"
	done
	sleep 2
done
