#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# build.sh - the images that tests run, with podman: build.sh [NAME]
#
#	localhost/seep-base:bookworm   what debian:bookworm-slim is, by debootstrap: no registry needed
#	localhost/seep-deps:test       and what building seep needs: deploy/Dockerfile's first stage
#	localhost/seep:test            deploy/Dockerfile
#	localhost/seep-work:test       a program that leaks, and some that do not (static, busybox)
#
# NAME is base, deps, seep or work; default all. podman's store is the cache: the first two are
# made once (about three minutes), after that only sources are compiled again.
set -eu
cd "$(dirname "$0")/../.."

export CONTAINERS_CONF="$PWD/tests/images/containers.conf"
base=localhost/seep-base:bookworm

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

build_base() {
	! podman image exists $base || return 0
	# shellcheck disable=SC2016 # apt-get's own names
	mirror=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI) $(CODENAME)' \
		'Created-By: Packages' | awk '$1 == "main" && $3 == "bookworm" { print $2; exit }')
	debootstrap --variant=minbase bookworm "$scratch/root" \
		"${mirror:-http://deb.debian.org/debian}" >"$scratch/log" 2>&1 || {
		tail "$scratch/log" >&2
		return 1
	}
	rm -rf "$scratch"/root/var/cache/apt/archives/*.deb "$scratch"/root/var/lib/apt/lists/*
	tar -C "$scratch/root" -c . | podman import -q - $base
}

build() {
	podman build -q --network=host --build-arg BASE=$base -f deploy/Dockerfile "$@" .
}

build_deps() {
	build_base
	build --target deps -t localhost/seep-deps:test
}

build_seep() {
	build_deps
	build -t localhost/seep:test
}

build_work() {
	mkdir -p "$scratch/image/bin" "$scratch/image/tmp"
	cp /bin/busybox "$scratch/image/bin/"
	for applet in sh sleep cat true; do
		ln -s busybox "$scratch/image/bin/$applet"
	done
	for program in leak_linear steady; do
		gcc -O1 -g -pthread -static "tests/workloads/$program.c" -o "$scratch/image/bin/$program"
	done
	tar -C "$scratch/image" -c . | podman import -q --change 'CMD ["/bin/sleep", "1000000"]' \
		--change 'LABEL stage=seep-build' - localhost/seep-work:test
}

for name in "${@:-all}"; do
	case $name in
	base | deps | seep | work) "build_$name" ;;
	all) build_seep; build_work ;;
	*) sed -n '4,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
done
# what these replaced, and the stage that was only for building
podman image prune -f --filter label=stage=seep-build >/dev/null
