#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# deb.sh - a Debian package of what `make install` installs: deb.sh VERSION DIRECTORY
#
# No debian/ directory and no debhelper: one binary package, for the release it is built on, with
# dpkg's own tools. The service is started when the package is installed, as is usual there. The same
# tree gives the same bytes: times are those of the commit, sizes do not depend on the file system,
# and xz runs in one thread, since more would cut the data in other places.
set -eu
cd "$(dirname "$0")/.."

version=$1-1
out=$2
maintainer="The seep authors <seep@users.noreply.github.com>"
arch=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/root
umask 022
: "${SOURCE_DATE_EPOCH:=$(deploy/epoch.sh)}"
export SOURCE_DATE_EPOCH DPKG_DEB_THREADS_MAX=1

# What the libraries' own packages say they need; dpkg-shlibdeps wants a debian/control to read.
# Of libbpf it sees the functions only, not the options that older ones refuse.
depends() {
	mkdir "$stage/debian"
	printf 'Source: seep\n\nPackage: seep\nArchitecture: any\n' >"$stage/debian/control"
	(cd "$stage" && dpkg-shlibdeps -O root/usr/sbin/seep 2>/dev/null) |
		sed 's/^shlibs:Depends=//; s/libbpf1 ([^)]*)/libbpf1 (>= 1:1.3.0)/'
}

kib_of_files() { find "$1" -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }'; }

control() {
	cat <<-END
		Package: seep
		Version: $version
		Architecture: $arch
		Maintainer: $maintainer
		Installed-Size: $(kib_of_files "$root")
		Depends: $(depends)
		Section: admin
		Priority: optional
		Description: finds slow memory leaks of running programs
		 seep follows the memory of every process and cgroup with eBPF, keeps six hours
		 of it, and decides what leaks and what only warms up, caches or follows its
		 load. Suspects are looked at closer by themselves, down to the line of code
		 that allocates what is never given back.
	END
}

debian_changelog() {
	printf 'seep (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' \
		"$version" "$maintainer" "$(LC_ALL=C date -uRd "@$SOURCE_DATE_EPOCH")"
}

make -s install DESTDIR="$root" PREFIX=/usr
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/sbin/seep"
mkdir -p "$root/lib/systemd"
mv "$root/usr/lib/systemd/system" "$root/lib/systemd/"
rmdir -p --ignore-fail-on-non-empty "$root/usr/lib/systemd"
gzip -9n "$root"/usr/share/man/man*/*
install -Dm644 deploy/debian/copyright "$root/usr/share/doc/seep/copyright"
sed 's/^$/./; s/^/ /' LICENSE.BSD-2-Clause >>"$root/usr/share/doc/seep/copyright"
gzip -9nc CHANGELOG.md >"$root/usr/share/doc/seep/changelog.gz"
debian_changelog | gzip -9nc >"$root/usr/share/doc/seep/changelog.Debian.gz"
install -Dm644 deploy/debian/lintian-overrides "$root/usr/share/lintian/overrides/seep"

mkdir "$root/DEBIAN"
control >"$root/DEBIAN/control"
echo /etc/seep/seep.conf >"$root/DEBIAN/conffiles"
install -m755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$root/DEBIAN/"
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) \
	>"$stage/md5sums"
mv "$stage/md5sums" "$root/DEBIAN/md5sums"
mkdir -p "$out"
dpkg-deb --root-owner-group --build "$root" "$out/seep_${version}_$arch.deb"
