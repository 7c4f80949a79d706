#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# root.sh - an arm64 root file system of Debian's packages: tests/arm64/root.sh DIRECTORY [check]
#
# What `make arm64` compiles and links against, what qemu-user finds libraries in, and what the arm64
# guest of tests/vm runs on. The packages are downloaded through apt with lists, sources and a status
# of its own beside DIRECTORY, and only unpacked: no script of theirs is run, nothing is installed, and
# this machine's dpkg hears of no other architecture. Nothing is done where DIRECTORY
# is complete; `check` only says, by its status, whether it is.
set -eu
root=$1
apt=$root.apt

BUILD="libc6-dev linux-libc-dev libstdc++-12-dev zlib1g-dev libjansson-dev libsqlite3-dev
	libncurses-dev libinih-dev libmicrohttpd-dev uthash-dev liblzma-dev libiberty-dev
	libcurl4-openssl-dev libseccomp-dev libelf-dev libdw-dev libcmocka-dev libgoogle-perftools-dev"
RUN="bash dash coreutils busybox-static util-linux mount iproute2 procps grep sed gawk python3-minimal python3
	libjemalloc2 libmimalloc2.0 bpftool/bookworm-backports"

[ "$(cat "$root/complete" 2>/dev/null)" != "$BUILD $RUN" ] || exit 0
[ "${2:-}" != check ] || exit 1

apt_here() {
	apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
		-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" \
		-o Dir::Cache="$apt/cache" -o APT::Default-Release= -o APT::Sandbox::User=root "$@"
}

rm -rf "$root"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$root"
: >"$apt/status"
for suite in bookworm bookworm-backports; do
	echo "deb http://deb.debian.org/debian $suite main"
done >"$apt/sources.list"
apt_here update
# shellcheck disable=SC2086
apt_here install -y --download-only --no-install-recommends $BUILD $RUN \
	libbpf-dev/bookworm-backports libbpf1/bookworm-backports

for deb in "$apt"/cache/archives/*.deb; do
	dpkg -x "$deb" "$root"
done
# links that are absolute would lead out of it
find "$root/usr/lib" -type l -lname '/*' | while read -r link; do
	ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$root$(readlink "$link")")" "$link"
done
mkdir -p "$root"/{proc,sys,dev,run,tmp,root,var/tmp,etc,ro,rw}
[ -e "$root/etc/passwd" ] || echo 'root:x:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
[ -e "$root/etc/group" ] || echo 'root:x:0:' >"$root/etc/group"
# shellcheck disable=SC2012 # names of packages' programs
[ -e "$root/usr/bin/python3" ] || ln -s "$(basename "$(ls "$root"/usr/bin/python3.?* | head -n 1)")" \
	"$root/usr/bin/python3"
rm -rf "$apt/cache"
echo "$BUILD $RUN" >"$root/complete"
