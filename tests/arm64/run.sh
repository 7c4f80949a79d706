#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - the native rings of `make arm64` under qemu-user: unit tests, and the replays.
#
# BPF, and what asks the kernel about processes, files or signals in ways that qemu-user does not
# know, runs in the arm64 guest of `make test-vm`. The last line is "N passed, N failed, N skipped";
# 77 where this machine has not got what is needed.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=${ARM64_ROOT:-$HOME/.cache/seep-arm64/root}
bin=$PWD/build/arm64/emulated

for tool in qemu-aarch64-static aarch64-linux-gnu-gcc; do
	command -v $tool >/dev/null || { echo "run.sh: no $tool (make deps-arm64)" >&2; exit 77; }
done
tests/arm64/root.sh "$root" check || { echo "run.sh: no $root (make deps-arm64)" >&2; exit 77; }

# There is no ptrace, openat2 or true /proc under qemu-user; compilers make files for the host.
export UNIT_SKIPPED="cfi_libdw elf_file maps notify proc_scan symbolizer targets unwind who"

# The emulator is named: whether this kernel starts it by itself is another machine's business.
rm -rf "$bin" && mkdir -p "$bin"
for program in build/arm64/build/tests/unit/test_* build/arm64/build/seep \
	build/arm64/build/tests/replay/gen build/arm64/build/bench/accuracy; do
	case $program in *.d | *.o) continue ;; esac
	cat >"$bin/$(basename "$program")" <<-END
		#!/bin/sh
		exec qemu-aarch64-static -L '$root' '$PWD/$program' "\$@"
	END
done
chmod +x "$bin"/*

export PROGRAM_TIMEOUT_S=1800
UNIT_TESTS=$bin REPLAY_BIN=$bin exec tests/run.sh unit replay
