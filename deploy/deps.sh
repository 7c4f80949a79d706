#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# deps.sh - install what building and testing seep needs and this machine lacks:
# deps.sh [build|peers|k8s|vm|arm64|lint]
#
# With `build` only what building needs, as in an image. With `peers` also the servers and programs
# that seep is tested beside, with `k8s` what `make test-k8s` needs, with `vm` what `make test-vm`
# boots other kernels with, with `arm64` the cross compiler and emulators of `make test-arm64`, with
# `lint` the tools of `make lint`; they are not for a machine that only runs seep, and tests whose
# peer is missing are skipped. Services are not started.
#
# Debian 12 and 13, Ubuntu 24.04. Nothing is done, said or downloaded when nothing is missing, and
# only then root is not needed. Debian 12's libbpf and bpftool are too old: there they come from
# bookworm-backports, and if no source on the machine offers that suite, exactly one file is added,
# $BACKPORTS_LIST. No other source and no pin is touched.
set -eu

LIBBPF_MIN=1.3
BPFTOOL_MIN=7.2
BACKPORTS_LIST=/etc/apt/sources.list.d/seep-backports.list

BUILD="gcc g++ libc6-dev make clang llvm pkgconf zlib1g-dev libjansson-dev libsqlite3-dev
	libncurses-dev libinih-dev libmicrohttpd-dev uthash-dev liblzma-dev libiberty-dev
	libcurl4-openssl-dev libseccomp-dev ca-certificates"
BPF="bpftool libbpf-dev libelf-dev libdw-dev"
TEST="libcmocka-dev python3 python3-flask procps curl util-linux xz-utils
	libjemalloc-dev libgoogle-perftools-dev libmimalloc-dev musl-tools"

PEERS="libclang-rt-dev prometheus prometheus-alertmanager sqlite3 redis-server memcached nginx heaptrack
	podman runc conmon debootstrap busybox-static golang-go python3-yaml dpkg-dev systemd
	chromium chromium-driver fonts-inter"
K8S="golang-1.19-go golang-github-modern-go-reflect2-dev etcd-server containerd runc podman
	debootstrap busybox-static containernetworking-plugins iproute2 openssl"
LINT="clang-tidy cppcheck shellcheck"
VM="qemu-system-x86 qemu-system-common busybox-static e2fsprogs"
ARM64="gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user-static qemu-system-arm"

say() { echo "deps: $*" >&2; }
die() { say "$@"; exit 1; }

# installed PACKAGE [MIN_VERSION]
installed() {
	version=$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$1" 2>/dev/null) || return 1
	case $version in
	?i*) ;;
	*) return 1 ;;
	esac
	version=${version#???}
	[ -z "${2:-}" ] || dpkg --compare-versions "${version#*:}" ge "$2"
}

# missing PACKAGE... : those of them that are not installed
missing() {
	for package; do
		case $package in
		libbpf-dev) installed "$package" $LIBBPF_MIN || echo "$package" ;;
		bpftool) installed "$package" $BPFTOOL_MIN || echo "$package" ;;
		*) installed "$package" || echo "$package" ;;
		esac
	done
}

# Node.js may come from anywhere: only its command counts.
missing_node() { command -v node >/dev/null 2>&1 || echo nodejs; }

# So may kubectl.
missing_kubectl() { command -v kubectl >/dev/null 2>&1 || echo kubernetes-client; }

apt() {
	RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
		-o Acquire::Retries=3 "$@" </dev/null >"$log" 2>&1
}

install_packages() {
	apt install -y --no-install-recommends "$@" && return
	tail -n 15 "$log" >&2
	die "cannot install: ${lacking% } (apt-get says why above; is there a network?)"
}

# suite_uris SUITE: where this machine's sources, however they are written, have its "main".
suite_uris() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(COMPONENT) $(REPO_URI) $(RELEASE) $(CODENAME)' \
		'Created-By: Packages' |
		awk -v suite="$1" '$1 == "main" && ($3 == suite || $4 == suite) { print $2 }'
}

add_backports() {
	[ -z "$(suite_uris bookworm-backports)" ] || return 0
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	mirror=$(suite_uris bookworm | head -n 1)
	[ -n "$mirror" ] || die "no source of this machine offers bookworm main:" \
		"configure bookworm-backports by hand"
	signed=''
	[ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
	cat >"$BACKPORTS_LIST" <<-END
		# Added by seep's deploy/deps.sh for libbpf-dev and bpftool. Nothing is installed from
		# here unless asked for by name of the suite.
		deb $signed$mirror bookworm-backports main
	END
	say "added $BACKPORTS_LIST"
	apt update || die "cannot read what it offers: $(tail -n 3 "$log")"
}

check_libbpf() {
	pkg-config --atleast-version="$LIBBPF_MIN" libbpf ||
		die "libbpf $(pkg-config --modversion libbpf 2>/dev/null || echo "(none)") is found by" \
			"pkg-config, $LIBBPF_MIN or newer is needed (PKG_CONFIG_PATH may point elsewhere)"
}

command -v dpkg-query >/dev/null 2>&1 ||
	die "this is for Debian and Ubuntu; elsewhere install: $BUILD $BPF $TEST nodejs"

# shellcheck source=/dev/null
. /etc/os-release
release=${ID:-unknown}-${VERSION_ID:-}

# Ubuntu's bpftool is a wrapper that looks for the running kernel's; the real one is in here.
[ "$release" != ubuntu-24.04 ] || BPF="linux-tools-generic libbpf-dev libelf-dev libdw-dev"

# It was in qemu-system-common.
[ "$release" = debian-12 ] || VM="$VM virtiofsd"

# wanted WHAT: the packages beside $BPF, as far as this machine lacks them
# shellcheck disable=SC2086
wanted() {
	missing $BUILD
	[ "$1" != build ] || return 0
	missing $TEST
	missing_node
	[ "$1" != peers ] || missing $PEERS
	[ "$1" != k8s ] || { missing $K8S; missing_kubectl; }
	[ "$1" != lint ] || missing $LINT
	[ "$1" != vm ] || missing $VM
	[ "$1" != arm64 ] || missing $ARM64
}

# shellcheck disable=SC2086
lacking_bpf=$(missing $BPF | tr '\n' ' ')
lacking_rest=$(wanted "${1:-all}" | tr '\n' ' ')
lacking=${lacking_bpf}${lacking_rest}
if [ -z "$lacking" ]; then
	check_libbpf
	exit 0
fi

case $release in
debian-12 | debian-13 | ubuntu-24.04) ;;
*) say "'$release' is not tested; trying the names of Debian's packages" ;;
esac
[ "$(id -u)" -eq 0 ] || die "missing: ${lacking% }; install with: sudo make deps"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
say "installing ${lacking% }"
apt update || say "apt-get update failed (no network?), trying with the lists at hand"

# shellcheck disable=SC2086
if [ -n "$lacking_bpf" ]; then
	if [ "$release" = debian-12 ]; then
		# only now: before its lists were read once, apt does not tell what a source offers
		add_backports
		install_packages -t bookworm-backports $lacking_bpf
	else
		install_packages $lacking_bpf
	fi
fi
# shellcheck disable=SC2086
[ -z "$lacking_rest" ] || install_packages $lacking_rest
check_libbpf
say "done"
