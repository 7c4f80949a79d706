#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# build.sh - a Kubernetes to test against, built from Debian's source package: build.sh BIN_DIR
#
# Leaves kube-apiserver, kube-controller-manager, kube-scheduler and kubelet in BIN_DIR, and keeps
# source, work tree and Go's cache beside it (about 3 GB; four minutes on two cores). Nothing is
# done when the binaries are there. Debian has no packages of the server side, only their source
# (1.20.2), which needs three things mended:
#
#  - pkg/generated/openapi is not in the tarball: the generator is built first and run;
#  - the vendored reflect2 1.0.1 reads Go's maps by hand and dies with Go 1.18 and newer: Debian's
#    1.0.2 (golang-github-modern-go-reflect2-dev) is put over it;
#  - the version is stamped into the vendored package, or the server calls itself v0.0.0-master.
set -eu

bin=${1:?usage: build.sh BIN_DIR}
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)
cache=$(dirname "$bin")
version=1.20.2
parts="kube-apiserver kube-controller-manager kube-scheduler kubelet"
reflect2=/usr/share/gocode/src/github.com/modern-go/reflect2
tree=$cache/gopath/src/k8s.io/kubernetes

say() { echo "k8s build: $*" >&2; }
die() { say "$@"; exit 1; }

built() {
	for part in $parts; do
		[ -x "$bin/$part" ] || return 1
	done
}

# A source list of its own, so that the machine's stay as they are.
fetch() {
	mkdir -p "$cache/apt/lists/partial" "$cache/src"
	[ ! -e "$cache/src/.done" ] || return 0
	# shellcheck disable=SC2016 # apt-get's own names
	mirror=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI) $(CODENAME)' \
		'Created-By: Packages' | awk '$1 == "main" && $3 == "bookworm" { print $2; exit }')
	echo "deb-src ${mirror:-http://deb.debian.org/debian} bookworm main" >"$cache/apt/sources.list"
	set -- -qq -o Dir::Etc::sourcelist="$cache/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$cache/apt/lists" -o Debug::NoLocking=1 -o APT::Sandbox::User=root
	say "fetching the source package"
	apt-get "$@" update
	(cd "$cache/src" && apt-get "$@" source --download-only kubernetes)
	: >"$cache/src/.done"
}

unpack() {
	[ ! -e "$tree/.mended" ] || return 0
	rm -rf "$tree"
	mkdir -p "$tree"
	tar xzf "$cache"/src/kubernetes_*.orig.tar.gz -C "$tree" --strip-components=1
	rm -f "$tree"/vendor/github.com/modern-go/reflect2/*
	cp "$reflect2"/*.go "$reflect2"/*.s "$tree/vendor/github.com/modern-go/reflect2/"
	: >"$tree/.mended"
}

go_build() { (cd "$tree" && go build -p 2 "$@"); }

generate_openapi() {
	[ ! -e "$tree/pkg/generated/openapi/zz_generated.openapi.go" ] || return 0
	say "generating pkg/generated/openapi"
	go_build -o "$cache/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
	dirs=$(cd "$tree" && grep -rl --include=*.go '+k8s:openapi-gen=true' pkg staging/src |
		sed 's|/[^/]*$||; s|^staging/src/|vendor/|; s|^|k8s.io/kubernetes/|' |
		grep -v -e sample-apiserver -e code-generator -e /test | sort -u | paste -sd,)
	(cd "$tree" && "$cache/openapi-gen" --logtostderr -i "$dirs" -O zz_generated.openapi \
		-p k8s.io/kubernetes/pkg/generated/openapi -h hack/boilerplate/boilerplate.generatego.txt \
		-r "$cache/openapi.violations" --output-base "$cache/gopath/src")
}

build() {
	stamp=k8s.io/kubernetes/vendor/k8s.io/component-base/version
	for part in $parts; do
		say "building $part $version"
		go_build -ldflags "-s -w -X $stamp.gitVersion=v$version -X $stamp.gitMajor=1
			-X $stamp.gitMinor=20" -o "$bin/$part.new" "./cmd/$part"
		mv "$bin/$part.new" "$bin/$part"
	done
}

! built || exit 0
PATH=/usr/lib/go-1.19/bin:$PATH
command -v go >/dev/null || die "needs Go 1.19 (golang-1.19-go)"
[ -e "$reflect2/reflect2.go" ] || die "needs golang-github-modern-go-reflect2-dev"
export GOPATH="$cache/gopath" GOCACHE="$cache/gocache" GO111MODULE=off CGO_ENABLED=0 GOFLAGS=
fetch
unpack
generate_openapi
build
