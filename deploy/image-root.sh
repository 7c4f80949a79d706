#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# image-root.sh - the root directory of the agent's image: image-root.sh SEEP DIRECTORY
#
# Copies the program, what it is linked to, the descriptions of common terminals and the
# UTF-8 locale (for `seep top`), and the certificates of public authorities if there are any. For vulnerability scanners each
# package that a file came from is noted in var/lib/dpkg/status.d, as distroless images do.
set -eu

seep=$1
root=$2

# put FILE: the same path below the root, a link's target included
put() {
	[ ! -e "$root$1" ] || return 0
	mkdir -p "$root$(dirname "$1")"
	cp -L "$1" "$root$1"
	note_package "$1" || note_package "$(readlink -f "$1")" || true
}

# dpkg knows /lib/x where the file system says /usr/lib/x, and the other way round
note_package() {
	package=$(dpkg-query -S "$1" 2>/dev/null || dpkg-query -S "${1#/usr}" 2>/dev/null) || return 1
	package=${package%%:*}
	mkdir -p "$root/var/lib/dpkg/status.d"
	dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
}

libraries() { ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^\t\(\/[^ ]*\) .*/\1/p'; }

for dir in proc sys dev etc run/seep tmp var/lib/seep; do
	mkdir -p "$root/$dir"
done
chmod 1777 "$root/tmp"
install -Dsm755 "$seep" "$root/usr/sbin/seep"
for library in $(libraries "$seep"); do
	put "$library"
done
for terminal in x/xterm x/xterm-256color s/screen s/screen-256color t/tmux t/tmux-256color \
	l/linux v/vt100 d/dumb; do
	[ ! -e "/lib/terminfo/$terminal" ] || put "/lib/terminfo/$terminal"
done
mkdir -p "$root/usr/lib/locale"
cp -r /usr/lib/locale/C.* "$root/usr/lib/locale/"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
	put /etc/ssl/certs/ca-certificates.crt
fi
put /etc/os-release
