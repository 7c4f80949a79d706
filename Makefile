# SPDX-License-Identifier: BSD-2-Clause
# seep: build with `make`, see `make help` for the rest.
#
# Everything generated goes below build/ (SAN=1: build/san/, the same under ASan and UBSan).

VERSION := 0.1.0
CC      ?= gcc
CLANG   ?= clang
# Ubuntu's bpftool is a wrapper that wants the running kernel's own: take the real one
BPFTOOL ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/sbin/bpftool) bpftool)
PREFIX  ?= /usr/local

ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
OUT  := build$(if $(SAN),/san)

PKGS   := libbpf jansson sqlite3 libmicrohttpd libcurl ncursesw inih zlib libelf libdw liblzma
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -Wno-format-truncation \
	  -ffile-prefix-map=$(CURDIR)=. -fstack-protector-strong -DSEEP_VERSION='"$(VERSION)"'
ifdef SAN
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
else
CFLAGS  += -D_FORTIFY_SOURCE=2
LDFLAGS += -Wl,-z,relro,-z,now
endif
CPPFLAGS += -Iinclude -Iuser -Ibuild/bpf $(PKG_CFLAGS)
LDLIBS   += $(PKG_LIBS) -liberty -lm -lpthread

# asked for once, and only when something is compiled
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

BPFFLAGS := -g -O2 -target bpf -mcpu=v2 -D__TARGET_ARCH_$(ARCH) -Ivmlinux -Iinclude -Ibpf \
	    -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unknown-warning-option

BPF_SRCS  := $(wildcard bpf/*.bpf.c)
SKELS     := $(BPF_SRCS:bpf/%.bpf.c=build/bpf/%.skel.h)
USER_SRCS := $(filter-out user/main.c,$(wildcard user/*.c user/*/*.c))
PAGE_OBJS := $(patsubst %,$(OUT)/%.o,$(wildcard user/out/page/*))
USER_OBJS := $(USER_SRCS:%.c=$(OUT)/%.o) $(PAGE_OBJS)
LIB       := $(OUT)/libseep.a

UNIT_TESTS   := $(patsubst tests/unit/test_%.c,$(OUT)/tests/unit/test_%,$(wildcard tests/unit/test_*.c))
KERNEL_TESTS := $(patsubst tests/kernel/test_%.c,$(OUT)/tests/kernel/test_%,$(wildcard tests/kernel/test_*.c))
WORKLOADS    := $(patsubst tests/workloads/%.c,build/tests/workloads/%,$(wildcard tests/workloads/*.c))
WORKLOADS    += $(if $(shell command -v go),$(patsubst tests/workloads/%.go,build/tests/workloads/%,$(wildcard tests/workloads/*.go)))
WORKLOADS    += $(patsubst tests/workloads/%.cc,build/tests/workloads/%,$(wildcard tests/workloads/*.cc))
WORKLOADS    += build/tests/workloads/alloc_new-tcmalloc
WORKLOADS    += $(patsubst %,build/tests/workloads/alloc_exact-%,static \
		  $(if $(shell command -v musl-gcc),musl musl-shared))
BENCHES      := $(patsubst bench/%.c,build/bench/%,$(filter-out bench/anchors.c,$(wildcard bench/*.c)))

Q := $(if $(V),,@)
msg = @printf '  %-8s %s\n' $(1) $(2)

.PHONY: all
all: $(OUT)/seep

$(OUT)/seep: $(OUT)/user/main.o $(LIB)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(LIB): $(USER_OBJS)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

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
	$(Q)GOTOOLCHAIN=local go build -trimpath -o $@ $<

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

# the same program with other C libraries in it
build/tests/workloads/%-static: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g -Wall -Wextra -Werror -pthread -static $< -o $@

build/tests/workloads/%-musl: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)musl-gcc -O1 -g -Wall -Wextra -Werror -pthread -static $< -o $@

build/tests/workloads/%-musl-shared: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)musl-gcc -O1 -g -Wall -Wextra -Werror -pthread $< -o $@

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

build/fuzz/libseep.a: $(USER_SRCS:%.c=build/fuzz/obj/%.o)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

build/fuzz/fuzz_%: build/fuzz/obj/tests/fuzz/fuzz_%.o build/fuzz/libseep.a
	$(call msg,FUZZER,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined $^ $(LDLIBS) -o $@

# Binary seeds are made, text ones stand in tests/fuzz/seeds.
build/fuzz/seeds/fuzz_elf/tiny: tests/fuzz/seed.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -nostdlib -static -O1 -g -fno-stack-protector $< -o $@

build/fuzz/seeds/fuzz_cfi/tiny: build/fuzz/seeds/fuzz_elf/tiny
	$(Q)mkdir -p $(@D)
	$(Q)printf '\000' >$@ && objcopy -O binary -j .eh_frame $< $@.raw && cat $@.raw >>$@ && rm $@.raw

# Empty where clang's runtime for it is not installed: the ring says so.
.PHONY: fuzzers fuzz
fuzzers: $(if $(wildcard $(shell $(CLANG) -print-runtime-dir)/libclang_rt.fuzzer-*.a),$(FUZZERS) \
	build/fuzz/seeds/fuzz_elf/tiny build/fuzz/seeds/fuzz_cfi/tiny)

fuzz: fuzzers
	$(Q)FUZZ_S=$(or $(FUZZ_S),1800) tests/run.sh fuzz

# All rings; what cannot run says why. The native rings run under ASan and UBSan.
.PHONY: test
test: all
	$(Q)$(MAKE) --no-print-directory SAN=1 unit-tests
	$(Q)$(MAKE) --no-print-directory kernel-tests workloads benches replay-gen fuzzers faults
	$(Q)tests/run.sh

# The long forms: a failure at every place that a call comes from, and hundreds of SIGKILLs.
.PHONY: test-faults test-kill
test-faults: all workloads faults
	$(Q)SEEP_FAULTS=all tests/e2e/run.sh faults

test-kill: all workloads
	$(Q)KILL_CYCLES=$(or $(KILL_CYCLES),200) tests/e2e/run.sh kill

# Kernels other than this one, in virtual machines; writes docs/kernels.md.
.PHONY: test-vm
test-vm: all
	$(Q)$(MAKE) --no-print-directory kernel-tests workloads
	$(Q)tests/vm/run.sh

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

# ---- for people ---------------------------------------------------------------------------

.PHONY: deps deps-peers deps-k8s run demo install deb image test-k8s clean help format
deps:
	$(Q)deploy/deps.sh

deps-peers deps-k8s:
	$(Q)deploy/deps.sh $(@:deps-%=%)

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
	@echo 'make test-faults  every call that may fail fails once, for hours (as root)'
	@echo 'make test-kill    SIGKILL under load, KILL_CYCLES=200 times (as root)'
	@echo 'make fuzz      every fuzzer for FUZZ_S=1800 seconds'
	@echo 'make bench     print every figure the README claims'
	@echo 'make test-k8s  seep on a real Kubernetes of one node; make deps-k8s installs what that needs'
	@echo 'make deb       a Debian package in build/'
	@echo 'make image     the container image (docker, podman or buildah)'
	@echo 'make install   DESTDIR= PREFIX=$(PREFIX)'
	@echo 'make clean'

-include $(shell find build -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
