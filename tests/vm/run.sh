#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - seep on other kernels: tests/vm/run.sh [KERNEL...] (default: all that fetch.sh knows)
#
# Fetches the kernels into VM_CACHE ($HOME/.cache/seep-vm), boots each as boot.sh does, two at a
# time, runs guest.py there, and prints one table, feature x kernel; of all kernels it is written to
# docs/kernels.md, too. What the guests said is in VM_CACHE/KERNEL.log. Exits 1 when a cell says
# FAILED or a guest did not come to its end. About 15 minutes a kernel where it is emulated.
set -u
cd "$(dirname "$0")/../.." || exit 1
cache=${VM_CACHE:-$HOME/.cache/seep-vm}
export VM_TIMEOUT_S=${VM_TIMEOUT_S:-2400}
GUESTS=2

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
	echo "run.sh: fetch.sh knows kernels for x86-64 only" >&2
	exit 77
fi

tests/vm/fetch.sh "$cache" || exit 1
if [ $# -eq 0 ]; then
	set -- 5.10 6.1 6.12 6.18 newest
	into=docs/kernels.md
fi

status=0
for kernel; do
	while [ "$(jobs -rp | wc -l)" -ge $GUESTS ]; do
		wait -n
	done
	echo "run.sh: $kernel, see $cache/$kernel.log"
	tests/vm/boot.sh "$cache/$kernel" python3 tests/vm/guest.py >"$cache/$kernel.log" 2>&1 ||
		echo "=row=	the guest came to its end	FAILED: status $?" >>"$cache/$kernel.log" &
done
wait
python3 tests/vm/table.py "$cache" "$@" >"$cache/table.md" || status=1
cat "$cache/table.md"
[ -z "${into:-}" ] || cp "$cache/table.md" "$into"
exit $status
