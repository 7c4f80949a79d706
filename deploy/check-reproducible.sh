#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# check-reproducible.sh - builds the release of the commit that is checked out twice and compares.
#
# Two clones in directories of different names and depths, at different times, with another umask,
# time zone, locale, home and number of jobs. Exits 1, and names the files, when any byte differs.
# Takes two full builds; nothing is left behind but what is printed.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build DIRECTORY JOBS: a clone and its release; the environment is the caller's
build() {
	git clone -q --no-hardlinks . "$1"
	# a checkout has the time of now: files of all ages must make no difference
	find "$1" -type f -not -path '*/.git/*' -exec touch -d "@$((RANDOM * 40000))" {} +
	env -u SOURCE_DATE_EPOCH CCACHE_DISABLE=1 make -s -C "$1" -j"$2" release >/dev/null
}

(umask 022 && TZ=UTC LC_ALL=C HOME=/nonexistent build "$work/a" 2)
(umask 077 && TZ=Asia/Kathmandu LC_ALL=C.UTF-8 LANG=C.UTF-8 build "$work/b/elsewhere/and/deeper" 1)

cd "$work"
diff -r a/build/release b/elsewhere/and/deeper/build/release
cat a/build/release/SHA256SUMS
echo "the same bytes twice"
