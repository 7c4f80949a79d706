#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# boot.sh - run a command under another kernel: tests/vm/boot.sh KERNEL-DIRECTORY COMMAND...
#
# QEMU, by default emulated (a guest's programs run some 20 times slower; VM_ACCEL=kvm where that
# works). The guest sees this machine's root file system through virtiofs, read-only, below an
# overlay in memory, and runs COMMAND as root in this directory with cgroup v2, bpffs and debugfs
# mounted, and a disk of its own on /var/tmp: files on an overlay in memory are none to the kernel's
# counters. What it prints comes out here, its status is ours; 124 after VM_TIMEOUT_S (1800).
#
# A directory of arm64 kernels has "arm64" at the end of its name: then the root file system is
# VM_ROOT (of tests/arm64/root.sh) with this directory in it.
set -eu
kernel=$(cd "$1" && pwd)
shift
here=$PWD
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

# mem=: what the guest's memory and virtiofsd share
case $kernel in
*arm64)
	root=${VM_ROOT:?is not set: the arm64 root file system}
	qemu="qemu-system-aarch64 -M virt,accel=${VM_ACCEL:-tcg},memory-backend=mem -cpu neoverse-n1"
	console=ttyAMA0
	;;
*)
	root=/
	qemu="qemu-system-x86_64 -M q35,accel=${VM_ACCEL:-tcg},memory-backend=mem -cpu max"
	console=ttyS0
	;;
esac

# ---- the initial file system: just enough to find the real one ----------------------------

modules="virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci fuse virtiofs
overlay virtio_blk crc16 crc32c_generic mbcache jbd2 ext4"

make_initramfs() {
	local name found

	mkdir -p "$work/initramfs"/{bin,modules,proc,sys,dev,ro,rw,new}
	cp "$root/bin/busybox" "$work/initramfs/bin/busybox"
	for name in $modules; do
		found=$(find "$kernel/modules" -name "$name.ko*" | head -n 1)
		case $found in
		*.xz) xz -dc "$found" >"$work/initramfs/modules/$name.ko" ;;
		*.zst) zstd -qdc "$found" >"$work/initramfs/modules/$name.ko" ;;
		*.ko) cp "$found" "$work/initramfs/modules/" ;;
		esac
	done
	cat >"$work/initramfs/init" <<-END
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
		for name in ${modules//$'\n'/ } ${modules//$'\n'/ }; do # twice: kernels differ in who needs whom
			[ ! -e /modules/\$name.ko ] || insmod /modules/\$name.ko 2>/dev/null
		done
		mount -t virtiofs -o ro root /ro && mount -t tmpfs -o size=2G none /rw || poweroff -f
		mkdir /rw/upper /rw/work
		mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work none /new
		mkdir -p /new/run && mount -t tmpfs none /new/run && cp /guest /new/run/guest
		umount /proc /sys
		mount --move /dev /new/dev
		exec switch_root /new /bin/bash /run/guest
	END
	chmod +x "$work/initramfs/init"
}

# What runs in the real root. The words of the command are quoted for its shell.
make_guest() {
	cat >"$work/initramfs/guest" <<-END
		mount -t proc none /proc; mount -t sysfs none /sys
		mount -t devpts none /dev/pts 2>/dev/null || mkdir -p /dev/pts && mount -t devpts none /dev/pts
		mkdir -p /dev/shm && mount -t tmpfs none /dev/shm
		mount -t cgroup2 none /sys/fs/cgroup && echo +memory >/sys/fs/cgroup/cgroup.subtree_control
		mount -t bpf none /sys/fs/bpf; mount -t debugfs none /sys/kernel/debug
		mount -t ext4 /dev/vda /var/tmp || echo "boot.sh: no disk on /var/tmp"
		ip link set lo up 2>/dev/null || ifconfig lo up
		export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
		cd ${here@Q} && ${*@Q} </dev/null >/dev/$console 2>&1
		echo "status \$?" >/dev/vdb
		sync; echo o >/proc/sysrq-trigger; sleep 60
	END
}

make_initramfs
make_guest "$@"
(cd "$work/initramfs" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"

# ---- the machine --------------------------------------------------------------------------

# shellcheck disable=SC2012 # the names of two known files
virtiofsd=$(command -v virtiofsd || ls /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd 2>/dev/null |
	head -n 1)
# shellcheck disable=SC2317 # run by the bash below
share() {
	if [ "$root" != / ]; then # in a mount namespace of its own
		mkdir -p "$root$here" && mount --bind "$here" "$root$here"
	fi
	exec "$virtiofsd" --socket-path="$work/fs.sock" -o source="$root" -o sandbox=chroot \
		-o cache=always --rlimit-nofile=0
}
export -f share
export root here work virtiofsd
unshare -m bash -c share >"$work/virtiofsd.log" 2>&1 &
for _ in $(seq 100); do
	[ ! -S "$work/fs.sock" ] || break
	sleep 0.1
done

truncate -s 1G "$work/disk" && mke2fs -q -t ext4 -F "$work/disk"
truncate -s 4K "$work/status"
# shellcheck disable=SC2086
nice -n "${VM_NICE:-19}" timeout "${VM_TIMEOUT_S:-1800}" $qemu -smp 2 -m 3G \
	-object memory-backend-memfd,id=mem,size=3G,share=on -kernel "$kernel/vmlinuz" \
	-initrd "$work/initrd" \
	-append "console=$console quiet loglevel=3 panic=-1 no_timer_check random.trust_cpu=on mitigations=off" \
	-chardev "socket,id=fs,path=$work/fs.sock" -device vhost-user-fs-pci,chardev=fs,tag=root \
	-drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" \
	-drive "file=$work/status,if=virtio,format=raw,cache=unsafe" \
	-display none -monitor none -no-reboot -serial stdio </dev/null | sed -u 's/\r$//'
[ "${PIPESTATUS[0]}" -ne 124 ] || exit 124

status=$(sed -n 's/^status \([0-9]*\).*/\1/p' "$work/status" | head -n 1)
if [ -z "$status" ]; then
	echo "boot.sh: the guest gave no status" >&2
	tail -n 5 "$work/virtiofsd.log" >&2
	exit 125
fi
exit "$status"
