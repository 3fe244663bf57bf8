# SPDX-License-Identifier: GPL-2.0
#
# pvhv: "make help" tells the targets. Kbuild describes the module itself.

# The kernel to build for: the running one if its headers are here, else the
# newest that is installed.
KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(shell ls -d /lib/modules/*/build 2>/dev/null | sort -rV))
# Its name as uname -r tells it (Debian's kernel.release says another).
KVER = $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
# Objects of each kernel apart, and nothing but sources in the source tree.
BUILD ?= $(CURDIR)/build/$(KVER)
# The command and its man page go to PREFIX; all else has one place only where it
# is looked for. DESTDIR stands before every name, for packages.
PREFIX ?= /usr
DEST := $(if $(DESTDIR),$(abspath $(DESTDIR)))
LIBDIR := $(DEST)/usr/lib
TESTING := tools/testing/pvhv
HOSTVM := $(TESTING)/hostvm

# Use all CPUs unless the caller's own -j says otherwise.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

all: module

help:
	@echo  'For everybody:'
	@echo  '  demo          boot a Linux guest under pvhv.ko inside a host VM:'
	@echo  '                an interactive shell with a terminal, else a scripted session'
	@echo  '  demo-debian   Debian 12 from a disk image in such a guest, to a login prompt'
	@echo  '  check         the tests (an hour and more from scratch); those that are skipped are'
	@echo  '                named; ends with "N passed, N failed, N skipped"'
	@echo  '  check-quick   those that take a few minutes, once there are kernels'
	@echo  '  check-long    those, too, that are left out for their length'
	@echo  '  check TESTS="NAME..."   some; $(TESTING)/check --list names them'
	@echo  '  install, uninstall   modules, command, man page, guest kernel, udev rule;'
	@echo  '                DESTDIR=, PREFIX= (now: $(PREFIX)), KDIR= as below'
	@echo  'For developers:'
	@echo  '  all, module   pvhv.ko for the kernel of KDIR= (now: $(KDIR))'
	@echo  '                in build/KERNEL/; W=1 and C=2 as in the kernel'
	@echo  '  module-debug  the same for the debug host kernel'
	@echo  '  module-kcsan  the same for the host kernel that looks for data races'
	@echo  '  tools         the pvhv command'
	@echo  '  guest         the guest kernel, in build/guest/'
	@echo  '  rootfs        a Debian 12 root file system, build/rootfs.img'
	@echo  '  debug-kernel  the debug host kernel (KASAN, lockdep, ...)'
	@echo  '  docs          man pages and documentation, no warning allowed'
	@echo  '  bench         pvhv against native, in instructions;'
	@echo  '                PEERS="native xen kvm": against these, with rows of two CPUs'
	@echo  '  check-bochs   the second judge of the world switch (slow)'
	@echo  '  setup         install the Debian packages that are missing'
	@echo  '  clean         remove build/ and the tools; caches stay in'
	@echo  '                $${XDG_CACHE_HOME:-~/.cache}/pvhv and can always be deleted'
	@echo  'Run any command in the host VM:  $(HOSTVM) [OPTION]... -- COMMAND'

# Every target that needs packages installs what is missing, which takes
# 40 ms when there is nothing to do.
setup:
	@scripts/setup

# KDIR is looked up by the second make, when the headers are there.
module: setup
	@+$(MAKE) --no-print-directory __module

__module:
	@test -n "$(KVER)" || { echo "pvhv: no kernel headers in KDIR=$(KDIR)" >&2; exit 1; }
	@mkdir -p $(BUILD)
	@scripts/sync-sources $(BUILD)
	+@flock $(BUILD)/.lock $(MAKE) --no-print-directory $(JOBS) -C $(KDIR) M=$(BUILD) modules

module-debug: setup
	@dir=$$(scripts/build-debug-kernel) && \
		$(MAKE) --no-print-directory __module KDIR=$$dir/build

module-kcsan: setup
	@dir=$$(scripts/build-debug-kernel kcsan) && \
		$(MAKE) --no-print-directory __module KDIR=$$dir/build

tools: setup
	+@if [ -e tools/pvhv/Makefile ]; then $(MAKE) --no-print-directory -C tools/pvhv; \
	else echo "pvhv: tools/pvhv is not there yet" >&2; fi

guest: setup
	@scripts/build-guest

rootfs: setup
	@scripts/build-rootfs

debug-kernel: setup
	@scripts/build-debug-kernel

docs:
	@scripts/setup base docs
	@scripts/build-docs

demo: setup
	@$(TESTING)/demo

demo-debian: setup
	@$(TESTING)/demo --debian

bench: module tools guest
	@$(TESTING)/bench/$(if $(PEERS),peers $(PEERS) pvhv,run)

# Builds what it needs itself, each as a test.
check: setup
	@$(TESTING)/check $(TESTS)

check-long: setup
	@$(TESTING)/check --long $(TESTS)

check-quick: setup
	@$(TESTING)/check --quick $(TESTS)

check-bochs: module guest
	@scripts/setup base bochs
	@$(TESTING)/bochs/run
	@$(TESTING)/bochs/run --cpus 2 smp smpcrash meanwhile

# Debian's headers have another release's name in them, no System.map, without which
# the kernel's Makefile does not call depmod, and no key to sign modules with.
MODINST = KERNELRELEASE=$(KVER) INSTALL_MOD_PATH=$(DEST) INSTALL_MOD_DIR=extra \
	cmd_depmod=true quiet_cmd_depmod= \
	$(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)

install: module tools guest
	@+$(MAKE) --no-print-directory __install

kernelversion:
	@echo $(KVER)

__install:
	@+$(MAKE) --no-print-directory -C tools/pvhv install DESTDIR=$(DEST) PREFIX=$(PREFIX)
	@+$(MAKE) --no-print-directory -C $(KDIR) M=$(BUILD) $(MODINST) modules_install
	install -D -m 644 build/guest/vmlinux $(LIBDIR)/pvhv/vmlinux-guest
	install -D -m 644 tools/pvhv/60-pvhv.rules $(LIBDIR)/udev/rules.d/60-pvhv.rules
	$(if $(DEST),,depmod $(KVER))

uninstall:
	@+$(MAKE) --no-print-directory -C tools/pvhv uninstall DESTDIR=$(DEST) PREFIX=$(PREFIX)
	rm -f $(foreach m,pvhv pvhv-blkback pvhv-netback,$(DEST)/lib/modules/$(KVER)/extra/$(m).ko)
	rm -f $(LIBDIR)/pvhv/vmlinux-guest $(LIBDIR)/udev/rules.d/60-pvhv.rules
	@rmdir --ignore-fail-on-non-empty $(LIBDIR)/pvhv 2>/dev/null || true
	$(if $(DEST),,depmod $(KVER))

clean:
	rm -rf build
	@if [ -e tools/pvhv/Makefile ]; then $(MAKE) --no-print-directory -C tools/pvhv clean; fi

.PHONY: all help setup module __module module-debug module-kcsan tools guest rootfs debug-kernel docs \
	demo demo-debian bench check check-long check-quick check-bochs install __install uninstall \
	kernelversion clean
