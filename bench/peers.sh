#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# peers.sh - prints the command that runs bcc's memleak here, fetching it first: bench/peers.sh
#
# Debian 12 has no libbpf-tools. Debian 13's binary runs on it with Debian 13's loader and libraries
# unpacked beside it; nothing is installed. The packages (5 MB, and 10 MB of index, once) come from
# Debian, checked by apt, into ${SEEP_PEERS:-~/.cache/seep-peers}. With libbpf-tools installed that
# is used. What cannot be had: exit status 1, and the reason on standard error.
set -eu

cache=${SEEP_PEERS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/seep-peers}
mirror=${SEEP_PEERS_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
packages="libbpf-tools libc6 libelf1t64 zlib1g libzstd1"

die() { echo "peers: $*" >&2; exit 1; }

# A private apt: its own sources, lists and cache, and no word about what is installed.
apt() {
	apt-get -qq -o Dir::State="$cache/apt" -o Dir::State::Lists="$cache/apt/lists" \
		-o Dir::State::Status="$cache/apt/status" -o Dir::Cache="$cache/apt/cache" \
		-o Dir::Etc::SourceList="$cache/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Acquire::Languages=none -o APT::Sandbox::User=root "$@" >&2
}

fetch() {
	if ! command -v apt-get >/dev/null || [ ! -e $keyring ]; then
		die "no memleak-libbpf, and it can be fetched on Debian only"
	fi
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial" "$cache/new"
	: >"$cache/apt/status"
	echo "deb [signed-by=$keyring] $mirror trixie main" >"$cache/apt/sources.list"
	apt update || die "no network: $mirror cannot be reached"
	# shellcheck disable=SC2086
	(cd "$cache/new" && apt download $packages) || die "cannot fetch $packages"
	for package in "$cache"/new/*.deb; do
		dpkg-deb -x "$package" "$cache/new/root"
	done
	rm -rf "$cache/trixie"
	mv "$cache/new/root" "$cache/trixie"
	rm -rf "$cache/new" "$cache/apt"
}

if command -v memleak-libbpf; then
	exit 0
fi
tool=$cache/trixie/usr/sbin/memleak-libbpf
[ "$(uname -m)" = x86_64 ] || [ -x "$tool" ] || die "memleak-libbpf is fetched for x86-64 only"
[ -x "$tool" ] || fetch
libraries=$cache/trixie/usr/lib/x86_64-linux-gnu
echo "$libraries/ld-linux-x86-64.so.2 --library-path $libraries $tool"
