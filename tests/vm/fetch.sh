#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fetch.sh - download and unpack kernels of the matrix: tests/vm/fetch.sh DIRECTORY [KERNEL...]
#
# Debian's cloud kernels, through apt with lists and sources of its own below DIRECTORY: nothing of
# this machine's apt is touched and nothing is installed. Each ends as DIRECTORY/VERSION/{vmlinuz,
# modules/}; what is there already is not fetched again, so a new ABI needs an empty directory.
set -eu
dir=$(mkdir -p "$1" && cd "$1" && pwd)
shift

# NAME SUITE VERSION: of what the suite has the newest that begins like this, for the architecture
# at the end of the name
kernels="5.10 bullseye-security 5.10.
6.1 bookworm-security 6.1.
6.12 trixie-security 6.12.
6.18 trixie-backports 6.18.
newest trixie-backports 
6.1-arm64 bookworm-security 6.1."

apt_here() {
	apt-get -qq -o Dir::Etc::sourcelist="$dir/apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::State::lists="$dir/apt/lists" -o Dir::Cache="$dir/apt/cache" \
		-o APT::Default-Release= -o APT::Architecture="$arch" -o APT::Architectures="$arch" "$@"
}

cache_here() {
	apt-cache -o Dir::Etc::sourcelist="$dir/apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::State::lists="$dir/apt/lists" -o Dir::Cache="$dir/apt/cache" \
		-o APT::Architecture="$arch" -o APT::Architectures="$arch" "$@"
}

# use_suite SUITE: forget the others, so that names cannot be mixed up
use_suite() {
	local url=http://deb.debian.org/debian

	case $1 in *-security) url=http://deb.debian.org/debian-security ;; esac
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
	echo "deb $url $1 main" >"$dir/apt/sources.list"
	apt_here update
}

# packages_of VERSION: the image, and what newer kernels split off it
packages_of() {
	local image

	image=$(cache_here pkgnames linux-image-"$1" | grep -E '^linux-image-[0-9].*-cloud-'"$arch"'$' |
		sort -V | tail -n 1)
	[ -n "$image" ] || return 1
	cache_here pkgnames | grep -xF -e "$image" -e "linux-binary${image#linux-image}" \
		-e "linux-modules${image#linux-image}"
}

# fetch NAME SUITE VERSION
fetch() {
	local into=$dir/$1 packages arch=amd64

	case $1 in *-arm64) arch=arm64 ;; esac
	[ ! -e "$into/vmlinuz" ] || return 0
	use_suite "$2"
	packages=$(packages_of "$3") || { echo "fetch: no kernel $1 in $2" >&2; return 1; }
	rm -rf "$into.tmp" && mkdir -p "$into.tmp/deb"
	# shellcheck disable=SC2086
	(cd "$into.tmp/deb" && apt_here -o APT::Sandbox::User=root download $packages)
	for deb in "$into.tmp"/deb/*.deb; do
		dpkg -x "$deb" "$into.tmp/root"
	done
	mv "$(find "$into.tmp/root" -name 'vmlinuz*' -type f | head -n 1)" "$into.tmp/vmlinuz"
	mv "$(dirname "$(find "$into.tmp/root" -path "*/modules/*/kernel" -type d | head -n 1)")" \
		"$into.tmp/modules"
	rm -rf "$into.tmp/root" "$into.tmp/deb"
	mv "$into.tmp" "$into"
	echo "fetch: $1 is ${packages%%$'\n'*}"
}

status=0
while read -r name suite version; do
	case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
	fetch "$name" "$suite" "$version" || status=1
done <<<"$kernels"
exit $status
