#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# release.sh - everything that a release is, into one directory: release.sh VERSION DIRECTORY
#
#   seep-VERSION.tar.gz             the sources, from the commit that is checked out
#   seep-VERSION-linux-ARCH.tar.gz  what `make install` installs, stripped
#   seep_VERSION-1_ARCH.deb         for the Debian or Ubuntu it is built on
#   seep-VERSION-ARCH-image.tar.gz  the root file system of the container image
#   seep-VERSION-ARCH.cdx.json      what is in the binary, and what it needs (CycloneDX)
#   SHA256SUMS
#
# The same commit on a machine with the same packages gives the same bytes, wherever and whenever:
# deploy/check-reproducible.sh tries it. Times in archives are those of the commit.
set -eu
cd "$(dirname "$0")/.."

version=$1
out=$2
machine=$(uname -m)
name=seep-$version
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
umask 022
export TZ=UTC LC_ALL=C

: "${SOURCE_DATE_EPOCH:=$(deploy/epoch.sh)}"
export SOURCE_DATE_EPOCH

# pack DIRECTORY FILE: its content, in an order and with owners and times of nobody's machine
pack() {
	tar --create --directory "$1" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
		--mtime="@$SOURCE_DATE_EPOCH" . | gzip -9n >"$2"
}

[ -z "$(git status --porcelain --untracked-files=no)" ] ||
	echo "release: there are changes that are not committed; they are in the binaries only" >&2

mkdir -p "$out"
git -c tar.umask=0022 archive --format=tar --prefix="$name/" HEAD | gzip -9n >"$out/$name.tar.gz"

make -s install DESTDIR="$stage/root"
strip --strip-unneeded "$stage/root/usr/local/sbin/seep"
pack "$stage/root" "$out/$name-linux-$machine.tar.gz"

deploy/deb.sh "$version" "$out" >/dev/null

deploy/image-root.sh build/seep "$stage/image"
pack "$stage/image" "$out/$name-$machine-image.tar.gz"

deploy/sbom.py build/seep "$version" >"$out/$name-$machine.cdx.json"

(cd "$out" && sha256sum "$name"* seep_*.deb | tee SHA256SUMS)
