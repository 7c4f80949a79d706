# SPDX-License-Identifier: BSD-2-Clause
# seep: build with `make`, see `make help` for the rest.
#
# Everything generated goes below build/ (SAN=1: build/san/, the same under ASan and UBSan;
# SAN=thread: build/tsan/, under TSan).

VERSION := 0.1.0
CC      ?= gcc
CLANG   ?= clang
LLVM_STRIP ?= llvm-strip
# Ubuntu's bpftool is a wrapper that wants the running kernel's own: take the real one
BPFTOOL ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/sbin/bpftool) bpftool)
PREFIX  ?= /usr/local
GO       = go
MUSL_GCC = musl-gcc

ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
OUT  := build$(if $(SAN),/$(if $(filter thread,$(SAN)),tsan,san))

PKGS   := libbpf jansson sqlite3 libmicrohttpd libcurl ncursesw inih zlib libelf libdw liblzma \
	  libseccomp
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -Wno-format-truncation \
	  -Wformat=2 -Wno-format-nonliteral -ffile-prefix-map=$(CURDIR)=. -DSEEP_VERSION='"$(VERSION)"'
ifeq ($(SAN),thread)
CFLAGS  += -fsanitize=thread -fno-omit-frame-pointer
LDFLAGS += -fsanitize=thread
else ifdef SAN
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
else
CFLAGS  += $(HARDENING)
LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
endif
CPPFLAGS += -Iinclude -Iuser -Ibuild/bpf $(PKG_CFLAGS)
LDLIBS   += $(PKG_LIBS) -liberty -lm -lpthread

# What a bug in the agent should cost whoever wants to use it; tests/e2e/hardening_cases.py looks for
# it in the binary. Of each line the first that the compiler knows (FORTIFY_SOURCE: and the C library).
HARDENING = $(eval HARDENING := -fPIE -fstack-protector-strong \
	$(call known,-fstack-clash-protection) \
	$(or $(call known,-fcf-protection=full),$(call known,-mbranch-protection=standard)) \
	-U_FORTIFY_SOURCE $(or $(call known,-D_FORTIFY_SOURCE=3),-D_FORTIFY_SOURCE=2))$(HARDENING)
known = $(shell $(CC) -Werror -O2 -U_FORTIFY_SOURCE $(1) -include features.h -x c -S -o /dev/null \
	/dev/null 2>/dev/null && echo '$(1)')

# asked for once, and only when something is compiled
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

BPFFLAGS := -g -O2 -target bpf -mcpu=v2 -D__TARGET_ARCH_$(ARCH) -Ivmlinux -Iinclude -Ibpf \
	    -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unknown-warning-option \
	    -ffile-prefix-map=$(CURDIR)=.

BPF_SRCS  := $(wildcard bpf/*.bpf.c)
SKELS     := $(BPF_SRCS:bpf/%.bpf.c=build/bpf/%.skel.h)
USER_SRCS := $(filter-out user/main.c,$(wildcard user/*.c user/*/*.c))
PAGE_OBJS := $(patsubst %,$(OUT)/%.o,$(wildcard user/out/page/*))
USER_OBJS := $(USER_SRCS:%.c=$(OUT)/%.o) $(PAGE_OBJS)
LIB       := $(OUT)/libseep.a

UNIT_TESTS   := $(patsubst tests/unit/test_%.c,$(OUT)/tests/unit/test_%,$(wildcard tests/unit/test_*.c))
KERNEL_TESTS := $(patsubst tests/kernel/test_%.c,$(OUT)/tests/kernel/test_%,$(wildcard tests/kernel/test_*.c))
WORKLOADS    := $(patsubst tests/workloads/%.c,build/tests/workloads/%,\
		  $(filter-out %/alloc_mallocx.c,$(wildcard tests/workloads/*.c)))
WORKLOADS    += $(if $(shell command -v $(GO)),$(patsubst tests/workloads/%.go,build/tests/workloads/%,$(wildcard tests/workloads/*.go)))
WORKLOADS    += $(patsubst tests/workloads/%.cc,build/tests/workloads/%,$(wildcard tests/workloads/*.cc))
WORKLOADS    += build/tests/workloads/alloc_new-tcmalloc build/tests/workloads/odd-static
WORKLOADS    += $(patsubst %,build/tests/workloads/alloc_exact-%,static \
		  $(if $(shell command -v $(MUSL_GCC)),musl musl-shared))
JEMALLOC     := $(firstword $(wildcard /usr/lib/*/libjemalloc.a))
WORKLOADS    += $(if $(JEMALLOC),$(patsubst %,build/tests/workloads/%,alloc_exact-jemalloc alloc_exact-je \
		  alloc_mallocx-jemalloc alloc_mallocx-je))
BENCHES      := $(patsubst bench/%.c,build/bench/%,$(filter-out bench/anchors.c,$(wildcard bench/*.c)))

Q := $(if $(V),,@)
msg = @printf '  %-8s %s\n' $(1) $(2)

.PHONY: all
all: $(OUT)/seep

$(OUT)/seep: $(OUT)/user/main.o $(LIB)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -Wl,-Map=$@.map $^ $(LDLIBS) -o $@

$(LIB): $(USER_OBJS)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(OUT)/%.o: %.c | $(SKELS)
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# a file as it is becomes the bytes between two symbols: _binary_user_out_page_NAME_{start,end}
$(PAGE_OBJS): $(OUT)/%.o: %
	$(call msg,EMBED,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LD) -r -b binary -z noexecstack -o $@ $<

build/%.bpf.o: %.bpf.c $(wildcard bpf/*.h include/seep/*.h vmlinux/*.h vmlinux/*/*.h)
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -c $< -o $@
	$(Q)$(LLVM_STRIP) -g $@ # of DWARF, which nobody reads; BTF stays

# compare and swap (5.12); what else it needs is newer
build/bpf/growth.bpf.o: BPFFLAGS += -mcpu=v3

build/%.skel.h: build/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf > $@.tmp && mv $@.tmp $@

# ---- tests --------------------------------------------------------------------------------

$(OUT)/tests/unit/%: tests/unit/%.c $(LIB)
	$(call msg,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP $< $(LIB) -lcmocka $(LDLIBS) -o $@

$(OUT)/tests/kernel/test_%: $(OUT)/tests/kernel/test_%.o $(OUT)/tests/kernel/support.o $(LIB)
	$(call msg,TEST,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -lcmocka $(LDLIBS) -o $@

build/tests/workloads/%: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g -ffile-prefix-map=$(CURDIR)=. -Wall -Wextra -Werror -pthread $< -o $@

build/tests/workloads/%: tests/workloads/%.go
	$(call msg,GO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)GOTOOLCHAIN=local $(GO) build -trimpath -o $@ $<

build/tests/workloads/%: tests/workloads/%.cc
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -O1 -g -std=c++17 -ffile-prefix-map=$(CURDIR)=. -Wall -Wextra -Werror -pthread $< -o $@

# an allocator in the program itself
build/tests/workloads/%-tcmalloc: tests/workloads/%.cc
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -O1 -g -std=c++17 -Wall -Wextra -Werror -pthread $< \
		$(shell $(CXX) -print-file-name=libtcmalloc_minimal.a) -o $@

build/tests/workloads/%-jemalloc: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g -Wall -Wextra -Werror -pthread $< $(JEMALLOC) -lstdc++ -lm -ldl -o $@

# what --with-jemalloc-prefix=je_ makes: the same code under other names, and no operators
JE_NAMES := malloc calloc realloc free posix_memalign aligned_alloc memalign valloc mallocx rallocx \
	    xallocx dallocx sdallocx

build/tests/workloads/libje.a: $(JEMALLOC)
	$(Q)mkdir -p $(@D)
	$(Q)cp $< $@.tmp && $(AR) d $@.tmp jemalloc_cpp.o
	$(Q)objcopy $(foreach name,$(JE_NAMES),--redefine-sym $(name)=je_$(name)) $@.tmp && mv $@.tmp $@

build/tests/workloads/%-je: tests/workloads/%.c build/tests/workloads/libje.a
	$(call msg,WORKLOAD,$@)
	$(Q)$(CC) -O1 -g -Wall -Wextra -Werror -pthread $(foreach name,$(JE_NAMES),-D$(name)=je_$(name)) \
		$^ -lm -ldl -o $@

# the same program with other C libraries in it
build/tests/workloads/%-static: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g -Wall -Wextra -Werror -pthread -static -DIS_STATIC $< -o $@

build/tests/workloads/%-musl: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_GCC) -O1 -g -Wall -Wextra -Werror -pthread -static $< -o $@

build/tests/workloads/%-musl-shared: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_GCC) -O1 -g -Wall -Wextra -Werror -pthread $< -o $@

# calls that fail, for tests/e2e/fault_cases.py: goes before the sanitizers' own library
build/tests/faults/inject.so: tests/faults/inject.c
	$(call msg,FAULTS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fno-omit-frame-pointer -fPIC \
		-shared $< -o $@

.PHONY: unit-tests kernel-tests workloads benches faults
faults: build/tests/faults/inject.so
	$(Q)$(MAKE) --no-print-directory SAN=1 build/san/seep
unit-tests: $(UNIT_TESTS)
kernel-tests: $(KERNEL_TESTS)
workloads: $(WORKLOADS)
benches: $(BENCHES)

# Coverage-guided fuzzers of every parser: clang's libFuzzer, under ASan and UBSan.
FUZZERS    := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FLAGS := -g -O1 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter \
	      -DSEEP_VERSION='"$(VERSION)"' -fsanitize=fuzzer-no-link,address,undefined \
	      -fno-sanitize-recover=undefined

build/fuzz/obj/%.o: %.c | $(SKELS)
	$(call msg,FUZZ-CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) -MMD -MP -c $< -o $@

build/fuzz/libseep.a: $(USER_SRCS:%.c=build/fuzz/obj/%.o) $(PAGE_OBJS)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

build/fuzz/fuzz_%: build/fuzz/obj/tests/fuzz/fuzz_%.o build/fuzz/libseep.a
	$(call msg,FUZZER,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined $^ -lcmocka $(LDLIBS) -o $@

# Binary seeds are made, text ones stand in tests/fuzz/seeds.
build/fuzz/seeds/fuzz_elf/tiny: tests/fuzz/seed.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -nostdlib -static -O1 -g -fno-stack-protector $< -o $@

build/fuzz/seeds/fuzz_cfi/tiny: build/fuzz/seeds/fuzz_elf/tiny
	$(Q)mkdir -p $(@D)
	$(Q)printf '\000' >$@ && objcopy -O binary -j .eh_frame $< $@.raw && cat $@.raw >>$@ && rm $@.raw

build/fuzz/seeds/fuzz_lines/tiny: build/fuzz/seeds/fuzz_elf/tiny
	$(Q)mkdir -p $(@D) && cp $< $@

build/fuzz/seeds/fuzz_line_table/tiny: build/fuzz/seeds/fuzz_elf/tiny
	$(Q)mkdir -p $(@D) && objcopy -O binary -j .debug_line $< $@

build/fuzz/seeds/fuzz_line_table/dwarf4: tests/fuzz/seed.c
	$(Q)mkdir -p $(@D) && $(CC) -nostdlib -static -O1 -gdwarf-4 -fno-stack-protector $< -o $@.elf
	$(Q)objcopy -O binary -j .debug_line $@.elf $@ && rm $@.elf

build/fuzz/seeds/fuzz_code/tiny: build/fuzz/seeds/fuzz_elf/tiny
	$(Q)mkdir -p $(@D) && objcopy -O binary -j .text $< $@

# the expression of a PLT's frames, behind 16 bytes of registers
build/fuzz/seeds/fuzz_expression/plt:
	$(Q)mkdir -p $(@D) && printf '0123456789abcdef\167\010\200\000\077\032\073\052\063\044\042' >$@

FUZZ_SEEDS := $(addprefix build/fuzz/seeds/,fuzz_elf/tiny fuzz_cfi/tiny fuzz_lines/tiny \
	      fuzz_line_table/tiny fuzz_line_table/dwarf4 fuzz_code/tiny fuzz_expression/plt)

# Empty where clang's runtime for it is not installed: the ring says so.
.PHONY: fuzzers fuzz
fuzzers: $(if $(wildcard $(shell $(CLANG) -print-runtime-dir)/libclang_rt.fuzzer-*.a),$(FUZZERS) \
	$(FUZZ_SEEDS))

fuzz: fuzzers
	$(Q)FUZZ_S=$(or $(FUZZ_S),1800) tests/run.sh fuzz

# All rings; what cannot run says why. The native rings run under ASan and UBSan.
.PHONY: test
test: all
	$(Q)$(MAKE) --no-print-directory SAN=1 unit-tests
	$(Q)$(MAKE) --no-print-directory kernel-tests workloads benches replay-gen fuzzers faults
	$(Q)tests/run.sh

# Data races: what has threads, and an agent that uses them all, under ThreadSanitizer.
.PHONY: test-tsan
test-tsan: all workloads
	$(Q)$(MAKE) --no-print-directory SAN=thread all unit-tests
	$(Q)tests/run.sh tsan

# Static analysis, see the script; the tools come by make deps-lint.
.PHONY: lint
lint: $(SKELS)
	$(Q)LINT_CFLAGS="$(CPPFLAGS) -std=gnu11 -D_GNU_SOURCE -DSEEP_VERSION=\"$(VERSION)\"" \
		LINT_BPFFLAGS="$(BPFFLAGS)" tests/lint.sh $(LINT)

# Probes that come and go 1000 times in a program that does nothing but allocate.
.PHONY: test-attach
test-attach: workloads build/tests/kernel/test_targets
	$(Q)SEEP_ATTACH_CYCLES=$(or $(ATTACH_CYCLES),1000) build/tests/kernel/test_targets
# The long forms: a failure at every place that a call comes from, and hundreds of SIGKILLs.
.PHONY: test-faults test-kill
test-faults: all workloads faults
	$(Q)SEEP_FAULTS=all tests/e2e/run.sh faults

test-kill: all workloads
	$(Q)KILL_CYCLES=$(or $(KILL_CYCLES),200) tests/e2e/run.sh kill

# Kernels other than this one, in virtual machines; writes docs/kernels.md.
.PHONY: test-vm
test-vm: all
	$(Q)$(MAKE) --no-print-directory kernel-tests workloads build/tests/unit/test_reach
	$(Q)tests/vm/run.sh

# ---- arm64 --------------------------------------------------------------------------------
#
# The same tree, built by the cross compiler in build/arm64/ (links to the sources) against an arm64
# root file system of Debian's packages.

ARM64_ROOT ?= $(HOME)/.cache/seep-arm64/root
ARM64_LIBS := $(ARM64_ROOT)/usr/lib/aarch64-linux-gnu
ARM64_MAKE  = PKG_CONFIG_SYSROOT_DIR=$(ARM64_ROOT) \
	      PKG_CONFIG_LIBDIR=$(ARM64_LIBS)/pkgconfig:$(ARM64_ROOT)/usr/share/pkgconfig \
	      $(MAKE) --no-print-directory -C build/arm64 ARCH=arm64 GO= MUSL_GCC= JEMALLOC= \
	      CC="$(ARM64_CCACHE) aarch64-linux-gnu-gcc --sysroot=$(ARM64_ROOT)" \
	      CXX="$(ARM64_CCACHE) aarch64-linux-gnu-g++ --sysroot=$(ARM64_ROOT)" \
	      AR=aarch64-linux-gnu-ar LD=aarch64-linux-gnu-ld
export ARM64_ROOT

.PHONY: arm64 arm64-syntax test-arm64 skeletons
build/arm64/Makefile: Makefile
	$(Q)mkdir -p build/arm64
	$(Q)for name in bench bpf deploy docs include tests user vmlinux; do \
		ln -sfn ../../$$name build/arm64/$$name; \
	done
	$(Q)ln -sfn ../../Makefile $@

skeletons: $(SKELS)

arm64: build/arm64/Makefile
	+$(Q)$(ARM64_MAKE) all unit-tests kernel-tests workloads replay-gen build/bench/accuracy

# BPF objects, and the syntax and types of all else: no more than that fits into `make test`
arm64-syntax: build/arm64/Makefile
	+$(Q)$(ARM64_MAKE) skeletons syntax

.PHONY: syntax
syntax: $(SKELS)
	$(Q)printf '%s\n' user/main.c $(USER_SRCS) $(wildcard tests/unit/*.c tests/kernel/*.c) | \
		xargs -P 2 -n 16 $(CC) $(CPPFLAGS) $(CFLAGS) -fsyntax-only

test-arm64: arm64
	$(Q)tests/arm64/run.sh

# ---- benches ------------------------------------------------------------------------------

REPLAY_OBJS := $(patsubst %.c,build/%.o,$(filter-out tests/replay/gen.c,$(wildcard tests/replay/*.c)))

.PHONY: replay-gen
replay-gen: $(if $(wildcard tests/replay/gen.c),build/tests/replay/gen)

build/tests/replay/gen: build/tests/replay/gen.o $(REPLAY_OBJS) build/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

build/bench/accuracy: build/bench/accuracy.o build/bench/anchors.o \
		$(patsubst %.c,build/%.o,$(wildcard bench/scoring/*.c)) $(REPLAY_OBJS) build/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

OVERHEAD_OBJS := $(patsubst %.c,build/%.o,$(filter-out %.bpf.c,$(wildcard bench/overhead/*.c)))

$(OVERHEAD_OBJS): CPPFLAGS += -Ibuild/bench/overhead
$(OVERHEAD_OBJS): | build/bench/overhead/peers.skel.h

build/bench/watch: build/bench/watch.o $(OVERHEAD_OBJS) build/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

CLOSER_OBJS := $(patsubst %.c,build/%.o,$(wildcard bench/closer/*.c))

build/bench/alloc: build/bench/alloc.o $(CLOSER_OBJS) build/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

build/bench/scale: build/bench/scale.o build/bench/overhead/loads.o \
		build/bench/overhead/agent_run.o build/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

build/bench/%: build/bench/%.o build/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

build/bench/closer/%.o: CPPFLAGS += -Ibench

.PHONY: bench
bench: all benches workloads replay-gen
	$(Q)bench/run.sh

# The agent under hours of ticks, compressed: does it stay as it is? SOAK_FOR=30m
.PHONY: soak
soak: all workloads
	$(Q)bench/soak.py --for $(or $(SOAK_FOR),30m)

# ---- for people ---------------------------------------------------------------------------

.PHONY: deps deps-peers deps-k8s deps-vm deps-arm64 deps-lint run demo install deb release sbom image test-k8s clean \
	help format
deps:
	$(Q)deploy/deps.sh

deps-peers deps-k8s deps-vm deps-lint:
	$(Q)deploy/deps.sh $(@:deps-%=%)

deps-arm64:
	$(Q)deploy/deps.sh arm64
	$(Q)tests/arm64/root.sh $(ARM64_ROOT)

run: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)deploy/run.sh

demo: deps
	$(Q)$(MAKE) --no-print-directory all workloads
	$(Q)deploy/demo.sh

install: all
	install -Dm755 build/seep $(DESTDIR)$(PREFIX)/sbin/seep
	install -Dm644 deploy/completions/seep.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/seep
	for page in docs/man/*.[18]; do \
		install -Dm644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; \
	done
	install -Dm755 deploy/kubectl-seep $(DESTDIR)$(PREFIX)/bin/kubectl-seep
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/sbin/seep|$(PREFIX)/sbin/seep|' deploy/systemd/seep.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/seep.service
	[ -e $(DESTDIR)/etc/seep/seep.conf ] || \
		install -Dm644 deploy/seep.conf $(DESTDIR)/etc/seep/seep.conf
	install -d -m700 $(DESTDIR)/var/lib/seep

# a package for the Debian or Ubuntu it is built on
DEB_DIR ?= build
deb: all
	$(Q)deploy/deb.sh $(VERSION) $(DEB_DIR)

# All that is published, into RELEASE_DIR, and the same bytes from the same commit; the list of what
# is in the binary alone: make sbom.
RELEASE_DIR ?= build/release
release: all
	+$(Q)deploy/release.sh $(VERSION) $(RELEASE_DIR)

sbom: all
	$(Q)SOURCE_DATE_EPOCH=$(or $(SOURCE_DATE_EPOCH),$$(deploy/epoch.sh)) \
		deploy/sbom.py build/seep $(VERSION) >build/seep.cdx.json
	@echo build/seep.cdx.json

# the agent's container image, with whichever of these builders there is
IMAGE   ?= localhost/seep:$(VERSION)
BUILDER ?= $(firstword $(foreach tool,docker podman buildah,$(if $(shell command -v $(tool)),$(tool))))
image:
	$(Q)$(or $(BUILDER),$(error no docker, podman or buildah here)) build $(IMAGE_ARGS) \
		-f deploy/Dockerfile -t $(IMAGE) .

# seep on a real Kubernetes of one node, built from Debian's source package at the first run
test-k8s: all
	$(Q)PYTHONDONTWRITEBYTECODE=1 python3 tests/k8s/run.py

clean:
	rm -rf build

format:
	clang-format -i $(filter-out %.skel.h,$(wildcard bpf/*.[ch] user/*.[ch] user/*/*.[ch] tests/*/*.[ch] bench/*.[ch]))

help:
	@echo 'make           build build/seep (needs only packages, no running BTF kernel)'
	@echo 'make deps      install what is missing (Debian 12/13, Ubuntu 24.04; as root)'
	@echo 'make deps-peers  and the servers that only tests and benches need beside seep'
	@echo 'make run       deps, build, start the agent and show `seep top` (as root)'
	@echo 'make demo      one minute: a leaking program among healthy ones (as root)'
	@echo 'make test      all test rings; the last line counts them (as root for all of them)'
	@echo 'make test-vm   the kernel tests and a leak on other kernels, in virtual machines (as root)'
	@echo 'make test-arm64  cross-built, under qemu-user; make deps-arm64 installs what that needs'
	@echo 'make test-attach  probes come and go ATTACH_CYCLES=1000 times in a busy program (as root)'
	@echo 'make test-faults  every call that may fail fails once, for hours (as root)'
	@echo 'make test-kill    SIGKILL under load, KILL_CYCLES=200 times (as root)'
	@echo 'make fuzz      every fuzzer for FUZZ_S=1800 seconds'
	@echo 'make test-tsan the parts with threads, and an agent, under ThreadSanitizer (as root)'
	@echo 'make lint      clang-tidy, cppcheck, gcc -fanalyzer, shellcheck; make deps-lint installs them'
	@echo 'make bench     print every figure the README claims'
	@echo 'make soak      the agent under hours of ticks in half an hour (SOAK_FOR=30m; as root)'
	@echo 'make test-k8s  seep on a real Kubernetes of one node; make deps-k8s installs what that needs'
	@echo 'make deb       a Debian package in build/'
	@echo 'make release   archives, package, image root, SBOM and sums in build/release, reproducibly'
	@echo 'make sbom      what the binary consists of, as CycloneDX JSON'
	@echo 'make image     the container image (docker, podman or buildah)'
	@echo 'make install   DESTDIR= PREFIX=$(PREFIX)'
	@echo 'make clean'

-include $(shell find build -name arm64 -prune -o -name '*.d' -print 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
