#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - seep on other kernels: tests/vm/run.sh [KERNEL...] (default: all that fetch.sh knows)
#
# Fetches the kernels into VM_CACHE ($HOME/.cache/seep-vm), boots each as boot.sh does, VM_GUESTS (2)
# at a time, runs guest.py there, and prints one table, feature x kernel; of all kernels it is
# written to docs/kernels.md, too. What the guests said is in VM_CACHE/KERNEL.log. An arm64 kernel is
# left out where there is no root file system for it (`make deps-arm64`). Exits 1 when a cell says
# FAILED or a guest did not come to its end. VM_PARTS are parts of guest.py, VM_NICE (19) is for the
# guests. They take ten to thirty minutes of CPU time each, and as long as the machine leaves
# them; on a busy one VM_TIMEOUT_S (5400) may be too short.
set -u
cd "$(dirname "$0")/../.." || exit 1
cache=${VM_CACHE:-$HOME/.cache/seep-vm}
export VM_ROOT=${ARM64_ROOT:-$HOME/.cache/seep-arm64/root}
export VM_TIMEOUT_S=${VM_TIMEOUT_S:-5400}
all="5.10 6.1 6.12 6.18 newest 6.1-arm64"

# the kernel ring, and the unit tests that qemu-user is no kernel for (see tests/arm64/run.sh)
ARM64_PARTS="leak btf unit/cfi_libdw unit/elf_file unit/maps unit/notify unit/proc_scan
unit/reach unit/symbolizer unit/targets unit/unwind unit/who anon bounds cgroup foreign growth layout life load
members poller alloc"

missing() {
	local what=""

	command -v qemu-system-x86_64 >/dev/null || what+=" qemu-system-x86"
	[ -e /usr/lib/qemu/virtiofsd ] || [ -e /usr/libexec/virtiofsd ] ||
		command -v virtiofsd >/dev/null || what+=" qemu-system-common"
	command -v busybox >/dev/null || what+=" busybox-static"
	command -v mke2fs >/dev/null || what+=" e2fsprogs"
	[ -z "$what" ] || echo "$what"
}

if what=$(missing) && [ -n "$what" ]; then
	echo "run.sh: missing:$what; as root: apt-get install$what" >&2
	exit 77
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "run.sh: virtiofsd shares this machine's files with the guests and needs root" >&2
	exit 77
fi
if [ "$(uname -m)" != x86_64 ]; then
	echo "run.sh: fetch.sh knows kernels for x86-64 hosts only" >&2
	exit 77
fi

# is_possible KERNEL: an arm64 guest needs more than the others
is_possible() {
	case $1 in
	*-arm64)
		[ -x build/arm64/build/seep ] && [ -e "$VM_ROOT/bin/busybox" ] &&
			command -v qemu-system-aarch64 >/dev/null
		;;
	esac
}

# boot KERNEL: run guest.py there
boot() {
	local log=$cache/$1.log

	# shellcheck disable=SC2086
	case $1 in
	*-arm64)
		tests/vm/boot.sh "$cache/$1" env SEEP_BUILD=build/arm64/build \
			python3 tests/vm/guest.py ${VM_PARTS:-$ARM64_PARTS}
		;;
	*) tests/vm/boot.sh "$cache/$1" python3 tests/vm/guest.py ${VM_PARTS:-} ;;
	esac >"$log" 2>&1 || echo "=row=	the guest came to its end	FAILED: status $?" >>"$log"
}

into=/dev/null
if [ $# -eq 0 ]; then
	for kernel in $all; do
		if is_possible "$kernel"; then
			set -- "$@" "$kernel"
		else
			echo "run.sh: no $kernel without its cross build and root (make deps-arm64 arm64)"
		fi
	done
	[ -n "${VM_PARTS:-}" ] || into=docs/kernels.md
fi
tests/vm/fetch.sh "$cache" "$@" || exit 1

status=0
for kernel; do
	while [ "$(jobs -rp | wc -l)" -ge "${VM_GUESTS:-2}" ]; do
		wait -n
	done
	echo "run.sh: $kernel, see $cache/$kernel.log"
	boot "$kernel" &
done
wait
python3 tests/vm/table.py "$cache" "$@" >"$cache/table.md" || status=1
cat "$cache/table.md"
cp "$cache/table.md" "$into"
exit $status
