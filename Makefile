# trivet - one Makefile, no recursion.
#
#   make          the daemons and the command, in build/
#   make check    what needs no root and no network: unit, simulation, configuration
#   make test     everything (as root)
#   make demo     a pair of nodes in namespaces, a failure, the move (as root)
#
# Cores (no loop, no socket, no clock) go into libcore.a; unit, simulation and
# fuzz programs link that and nothing else of ours.  Shells go into libshell.a.

VERSION  := 0.1.0
B        ?= build
SANITIZE ?=
prefix   ?= /usr
DESTDIR  ?=

PKGS   := libuv jansson libmnl libcap libpcre2-8
CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror
override CPPFLAGS += -D_GNU_SOURCE -DTRIVET_VERSION='"$(VERSION)"' -I.
override CFLAGS   += -std=gnu11 $(WARN) -fno-strict-aliasing -pthread
ifneq ($(SANITIZE),)
override CFLAGS   += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
override LDFLAGS  += -fsanitize=$(SANITIZE)
endif
override LDFLAGS  += -pthread
CORE_LIBS  := -ljansson -lpcre2-8 # what the cores use of others' code
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm
# The C library's own, for SRV records.
LIBS_proxyd := -lresolv
override CPPFLAGS += $(PKG_CFLAGS)

# Of a build, and of what runs one program for each file.
JOBS  := $(shell nproc)
comma := ,
ifeq ($(V),)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
else
say = @:
endif

# ---- what is a core: everything in common/conf, and these ----
CORE_SRC := $(wildcard common/conf/*.c) \
	$(wildcard $(addprefix common/,addr.c brake.c cksum.c message.c regex.c sha256.c text.c rng.c)) \
	$(wildcard $(addprefix common/runner/,protocol.c secure.c output.c exec_error.c)) \
	$(wildcard $(addprefix ipc/,varlink.c idl.c idl_check.c mirror.c)) \
	$(wildcard $(addprefix vrrpd/,event.c agenda.c fsm.c fsm_role.c fsm_backup.c fsm_master.c deaf.c packet.c hmac.c proof.c owed.c filter.c announce.c announce_plan.c lease.c owned.c priority.c group.c adopt.c record.c)) \
	$(wildcard $(addprefix checkd/,verdict.c cmdline.c admin.c flap.c histogram.c plan.c http.c request.c response.c expect.c dns.c smtp.c number.c proc.c)) \
	$(wildcard $(addprefix proxyd/,crowd.c pool.c pick.c flow.c bulk.c wheel.c parcel.c parcel_kinds.c parcel_fields.c)) \
	$(wildcard proxyd/balance*.c $(addprefix proxyd/,answer.c crc32.c facts.c clienthello.c proxyproto.c rate.c)) \
	$(wildcard $(addprefix ctl/,supervise.c table.c node.c page.c why.c pair.c whatif.c diagnose.c diagnose_nft.c))

# ---- the rest of common and ipc are shells that daemons share ----
RUNNER_MAIN := $(wildcard $(addprefix common/runner/,main.c serve.c job.c run.c exec.c book.c pipes.c cred.c host.c))
SHELL_SRC   := $(filter-out $(CORE_SRC) $(RUNNER_MAIN),$(wildcard common/*.c common/runner/*.c ipc/*.c))
# What only some need and is loaded when they do: libcurl and the 30 libraries behind it.
MODULE_SRC  := checkd/probe_http_curl.c
MODULES     := probe_http.so
PROGRAMS    := vrrpd checkd proxyd trivet trivet-runner
SRC_vrrpd   := $(filter-out $(CORE_SRC),$(wildcard vrrpd/*.c))
SRC_checkd  := $(filter-out $(CORE_SRC) $(MODULE_SRC),$(wildcard checkd/*.c))
SRC_proxyd  := $(filter-out $(CORE_SRC),$(wildcard proxyd/*.c))
SRC_trivet  := $(filter-out $(CORE_SRC),$(wildcard ctl/*.c))
SRC_trivet-runner := $(wildcard $(RUNNER_MAIN))

UNIT_SRC := $(wildcard tests/unit/*_test.c)
SIM_SRC  := $(wildcard tests/sim/*.c)
CONF_SRC := $(wildcard tests/config/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
UNIT     := $(UNIT_SRC:%.c=$(B)/%)
FUZZ     := $(FUZZ_SRC:%.c=$(B)/%)
C_FILES  := $(wildcard common/*.[ch] common/*/*.[ch] ipc/*.[ch] vrrpd/*.[ch] checkd/*.[ch] \
	proxyd/*.[ch] ctl/*.[ch] tests/unit/*.[ch] tests/sim/*.[ch] tests/config/*.[ch] tests/fuzz/*.[ch] \
	tests/net/*.c tests/bench/*.c)

.PHONY: all programs deps check check-unit check-sim check-config purity test test-net test-san lint arrows format \
	install deb deb-again deb-next test-systemd test-systemd-only demo clean
.DEFAULT_GOAL := all

all: $(PROGRAMS:%=$(B)/%) $(MODULES:%=$(B)/%) $(B)/trivet-sync

$(B)/trivet-sync: ctl/trivet-sync.sh
	$(Q)install -D -m 755 $< $@

$(B)/obj/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libcore.a: $(CORE_SRC:%.c=$(B)/obj/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/libshell.a: $(SHELL_SRC:%.c=$(B)/obj/%.o) $(B)/obj/ipc/model.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The interface texts as a table of {name, text}: one source for daemons, tests and tools.
MODEL := $(sort $(wildcard ipc/model/*.varlink))
$(B)/obj/ipc/model.c: ipc/embed.awk $(MODEL)
	$(call say,EMBED,$@)
	@mkdir -p $(@D)
	$(Q)awk -f ipc/embed.awk $(MODEL) > $@.tmp && mv $@.tmp $@
$(B)/obj/ipc/model.o: $(B)/obj/ipc/model.c
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

define program
$(B)/$(1): $$(SRC_$(1):%.c=$(B)/obj/%.o) $(B)/libshell.a $(B)/libcore.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(PKG_LIBS) $$(LIBS_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# No undefined symbol, so that nothing of the program's is taken for granted: loading fails whole
# or not at all.  (The sanitizers' own stay open until the program that loads it brings them.)
$(MODULE_SRC:%.c=$(B)/obj/%.o): override CFLAGS += -fPIC
$(B)/probe_http.so: $(B)/obj/checkd/probe_http_curl.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared $(if $(SANITIZE),,-Wl$(comma)-z$(comma)defs) -o $@ $^ \
		$(shell pkg-config --libs libuv libcurl 2>/dev/null)

# ---- tests without root or network ----
check: check-unit check-sim check-config purity

$(UNIT): $(B)/%: $(B)/obj/%.o $(B)/libcore.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS) -lcmocka
# All that tests execute: make it with -j, and then run them one kind after the other.
programs: all $(UNIT) $(B)/tests/sim/sim $(B)/tests/config/conf_run $(B)/tests/net/busd
check-unit: $(UNIT)
	$(Q)for t in $(UNIT); do $$t || exit 1; done

SIM_SEEDS ?= 2000
$(B)/tests/sim/sim: $(SIM_SRC:%.c=$(B)/obj/%.o) $(B)/libcore.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)
check-sim: $(B)/tests/sim/sim
	$(Q)$< --seeds $(SIM_SEEDS) && $< tests/sim/*.sim

$(B)/tests/config/conf_run: $(CONF_SRC:%.c=$(B)/obj/%.o) $(B)/libcore.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)
check-config: $(B)/tests/config/conf_run
	$(Q)$< tests/config

# What slips past the linker: libc's own doors.
IMPURE := uv_\w+|mnl_\w+|cap_\w+|log_\w+|sd_\w+|socket|send(to|msg)?|recv(from|msg)?|clock_gettime|gettimeofday|time|s?rand(om)?|v?f?printf|fopen|open|read|write
purity: $(B)/libcore.a
	@! nm -u $< | grep -wE 'U ($(IMPURE))(@.*)?' || { echo 'purity: a core reaches outside'; exit 1; }
	@echo 'purity: libcore.a keeps to itself'

# $(call pytest,DIRECTORY,OPTIONS).  With SECOND_LOOK=N, up to N tests that fail are named and run
# again, one by one and without the OPTIONS; they fail there or not.
SECOND_LOOK ?= 0
define pytest
$(Q)export TRIVET_BUILD=$(B) cache=$(abspath $(B))/pytest/$(1); \
	run() { /usr/bin/python3 -m pytest -q -o cache_dir=$$cache $(PYTEST_ARGS) "$$@" tests/$(1); }; \
	run $(2) || { failed=$$(grep -c '"' $$cache/v/cache/lastfailed) && \
	[ $$failed -le $(SECOND_LOOK) ] && echo "$$failed failed; now one by one" && \
	run --last-failed --last-failed-no-failures=none; }
endef

# ---- tests with real daemons and real peers in network namespaces (root) ----
# The bus without a daemon around it: a toy that serves, watches and calls (test_bus.py).
$(B)/tests/net/busd: $(B)/obj/tests/net/busd.o $(B)/libshell.a $(B)/libcore.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
# Most of a network test is waiting for a protocol's timers, so many run side by side.
TEST_JOBS ?= 10
test-net: all $(B)/tests/net/busd
	$(call pytest,net,-n $(TEST_JOBS))

# ---- side by side with the peers, as a table (root) ----
BENCH_ENDS := $(B)/tests/bench/load $(B)/tests/bench/bulk
$(BENCH_ENDS): $(B)/tests/bench/%: $(B)/obj/tests/bench/%.o $(B)/obj/tests/bench/ends.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^
.PHONY: bench-proxy
bench-proxy: all $(BENCH_ENDS)
	$(Q)TRIVET_BUILD=$(B) /usr/bin/python3 -B tests/bench/proxy.py $(BENCH_ARGS)

# An hour of mixed load and changes through proxyd under the sanitizers; SOAK_ARGS="600 --seed 7":
# ten minutes of those choices; SOAK_SANITIZE=thread: races between threads.  Half of one processor.
SOAK_SANITIZE ?= address,undefined
SOAK_B := $(B)-$(if $(filter thread,$(SOAK_SANITIZE)),tsan,san)
.PHONY: soak-proxy
soak-proxy:
	$(MAKE) all B=$(SOAK_B) SANITIZE=$(SOAK_SANITIZE) CFLAGS="-O1 -g"
	$(Q)TRIVET_BUILD=$(SOAK_B) /usr/bin/python3 -B tests/bench/soak_proxy.py $(SOAK_ARGS)

# An hour; BENCH_ARGS="--runs 1" takes a quarter of it.
.PHONY: bench-vrrp bench-vrrp-many
bench-vrrp: all
	$(Q)TRIVET_BUILD=$(B) /usr/bin/python3 -B tests/bench/vrrp.py $(BENCH_ARGS)
	$(Q)TRIVET_BUILD=$(B) /usr/bin/python3 -B tests/bench/vrrp_many.py
# BENCH_ARGS="--soak 1000000": descriptors and memory over a million adverts.
bench-vrrp-many: all
	$(Q)TRIVET_BUILD=$(B) /usr/bin/python3 -B tests/bench/vrrp_many.py $(BENCH_ARGS)

# ---- numbers, beside what people use now; as root, minutes, on a quiet machine ----
.PHONY: bench-check
bench-check: all
	$(Q)TRIVET_BUILD=$(B) /usr/bin/python3 tests/bench/check.py $(BENCH_ARGS)

# On two machines in containers, from the packages.
.PHONY: bench-restart
bench-restart: deb
	$(MAKE) deb-next
	TRIVET_DEBS=$(abspath $(DEB)) TRIVET_DEBS_NEXT=$(abspath $(B)/deb-next) TRIVET_BUILD=$(B) \
		/usr/bin/python3 -B tests/bench/restart.py $(BENCH_ARGS)

# ---- what this tree needs from Debian 12 ----
DEPS_BUILD := gcc libc6-dev make pkg-config libuv1-dev libjansson-dev libmnl-dev libcap-dev \
	libsystemd-dev libpcre2-dev libcurl4-openssl-dev
DEPS_TEST  := libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-pytest-rerunfailures \
	python3-scapy tshark tcpdump iproute2 iputils-ping \
	nftables procps psmisc rsync curl socat keepalived nginx-light libnginx-mod-stream haproxy frr openssl dnsmasq-base
DEPS_HOUSE := git clang clang-format libclang-rt-dev cppcheck mandoc debhelper dpkg-dev fakeroot \
	lintian blhc apparmor dh-apparmor systemd systemd-container mmdebstrap dbus logrotate zsh
deps:
	packaging/install-deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_HOUSE)
	systemd-sysusers $(CURDIR)/packaging/sysusers.conf

# ---- fuzzing: libFuzzer, from the corpus beside each target ----
# The short run guards what is known, so it is the same each time; to search, give it time and
# FUZZ_SEED=0, which is another seed in each run.
FUZZ_SECONDS      ?= 15
FUZZ_SECONDS_LONG ?= 60 # what reads the segment, and what reads people's files
FUZZ_LONG         := packet conf
FUZZ_SEED         ?= 1
FUZZ_RUN     := $(FUZZ:%=%-run)
.PHONY: fuzz fuzz-run $(FUZZ_RUN)
fuzz:
	$(MAKE) -j$(JOBS) fuzz-run CC=clang B=$(B)-fuzz SANITIZE=fuzzer-no-link,address,undefined \
		CFLAGS="-O1 -g"
$(FUZZ): $(B)/%: $(B)/obj/%.o $(B)/libcore.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(CORE_LIBS)
fuzz-run: $(FUZZ_RUN)
# What is found new goes into the build directory; only what found a bug is added to the tree.
$(FUZZ_RUN): name = $(patsubst %_fuzz-run,%,$(@F))
$(FUZZ_RUN): %-run: %
	$(Q)mkdir -p $(B)/corpus/$(name)
	$(Q)$< -max_total_time=$(if $(filter $(name),$(FUZZ_LONG)),$(FUZZ_SECONDS_LONG),$(FUZZ_SECONDS)) -seed=$(FUZZ_SEED) -timeout=10 -rss_limit_mb=2048 \
		-verbosity=0 -print_final_stats=1 -artifact_prefix=$(B)/ $(B)/corpus/$(name) \
		tests/fuzz/corpus/$(name) > $<.log 2>&1 || { tail -50 $<.log; exit 1; }
	@echo "fuzz $(name): $$(sed -n 's/^stat::number_of_executed_units: *//p' $<.log) runs, nothing found"

# ---- everything ----
test: deps
	$(MAKE) -j$(JOBS) programs
	$(MAKE) check
	$(MAKE) test-net

# ---- a pair of nodes in namespaces, a failure, the move (root) ----
# A second make, as in test: what pkg-config knows is asked when make starts.
demo: deps
	$(MAKE) -j$(JOBS) all
	@TRIVET_BUILD=$(B) /usr/bin/python3 -B tests/demo/demo.py

# The same, built with the sanitizers: daemons in the network tests too.
SAN := B=$(B)-san SANITIZE=address,undefined CFLAGS="-O1 -g"
test-san:
	$(MAKE) -j$(JOBS) programs $(SAN)
	$(MAKE) check test-net $(SAN) SIM_SEEDS=300 TEST_JOBS=8 TRIVET_BUILD=$(abspath $(B)-san) \
		TRIVET_PATIENCE=$(or $(TRIVET_PATIENCE),3)

# The arrows of the house: daemon -> ipc -> common; daemons never include each other; ctl includes
# their cores only (the what-if table runs the real election).
against = grep -HnE '\#include "($(2))/' $(wildcard $(1)/*.[ch] $(1)/*/*.[ch])
arrows:
	@! $(call against,common,ipc|vrrpd|checkd|proxyd|ctl)
	@! $(call against,ipc,vrrpd|checkd|proxyd|ctl)
	@! $(call against,vrrpd,checkd|proxyd|ctl)
	@! $(call against,checkd,vrrpd|proxyd|ctl)
	@! $(call against,proxyd,vrrpd|checkd|ctl)
	@! $(call against,ctl,vrrpd|checkd|proxyd) | grep -vF $(patsubst %.c,-e '"%.h"',$(CORE_SRC))
	@echo 'arrows: every include points the right way'

# What clang says comes of its front end: it reads everything and makes nothing of it.
lint: arrows
	printf '%s\n' $(C_FILES) | xargs -P$(JOBS) -n40 clang-format --dry-run -Werror
	printf '%s\n' $(filter-out tests/%,$(filter %.c,$(C_FILES))) | \
		xargs -P$(JOBS) -n20 clang -fsyntax-only $(CPPFLAGS) $(CFLAGS)
	mandoc -Tlint -Wwarning $(wildcard */*.[1578])
	cppcheck -j $(JOBS) --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr \
		--suppress=normalCheckLevelMaxBranches -D_GNU_SOURCE -I. \
		-I/usr/include/$(shell gcc -print-multiarch) --suppress=internalAstError --suppress=unknownMacro \
		$(filter-out tests/%,$(filter %.c,$(C_FILES)))

format:
	clang-format -i $(C_FILES)

# ---- installing, with and without Debian ----
UNITDIR     ?= $(prefix)/lib/systemd/system
TMPFILESDIR ?= $(prefix)/lib/tmpfiles.d
SYSUSERSDIR ?= $(prefix)/lib/sysusers.d
SYSCTLDIR   ?= $(prefix)/lib/sysctl.d
CATALOGDIR  ?= $(prefix)/lib/systemd/catalog
BASHDIR     ?= $(prefix)/share/bash-completion/completions
ZSHDIR      ?= $(prefix)/share/zsh/vendor-completions
MODULEDIR   := $(prefix)/lib/trivet
EXAMPLESDIR ?= $(prefix)/share/doc/trivet/examples
LOGROTATEDIR ?= /etc/logrotate.d
SBIN     := vrrpd checkd proxyd trivet-runner
UNITS    := $(wildcard packaging/systemd/*)
EXAMPLES := $(shell test -d packaging/examples && find packaging/examples -type f)
MAN      := $(wildcard */*.[1578] */*/*.[158])
put = install -D -m $(1) $(2) $(DESTDIR)$(3)
install: all
	$(Q)$(foreach p,$(SBIN),$(call put,755,$(B)/$(p),$(prefix)/sbin/$(p)) &&) \
	$(call put,755,$(B)/trivet,$(prefix)/bin/trivet) && \
	$(call put,755,$(B)/trivet-sync,$(MODULEDIR)/trivet-sync)
	$(Q)$(foreach m,$(MODULES),$(call put,644,$(B)/$(m),$(MODULEDIR)/$(m)) &&) :
	$(Q)$(foreach u,$(UNITS),$(call put,644,$(u),$(UNITDIR)/$(notdir $(u))) &&) \
	sed -i 's|^ExecStart=/usr/\(s*bin\)/|ExecStart=$(prefix)/\1/|' $(DESTDIR)$(UNITDIR)/trivet-*.service
	$(Q)$(call put,644,packaging/tmpfiles.conf,$(TMPFILESDIR)/trivet.conf)
	$(Q)$(call put,644,packaging/sysusers.conf,$(SYSUSERSDIR)/trivet.conf)
	$(Q)$(call put,644,packaging/sysctl.conf,$(SYSCTLDIR)/50-trivet.conf)
	$(Q)$(call put,644,packaging/trivet.catalog,$(CATALOGDIR)/trivet.catalog)
	$(Q)$(call put,644,packaging/completions/trivet.bash,$(BASHDIR)/trivet)
	$(Q)$(call put,644,packaging/completions/trivet.zsh,$(ZSHDIR)/_trivet)
	$(Q)$(call put,644,packaging/logrotate.conf,$(LOGROTATEDIR)/trivet-proxyd)
	$(Q)$(foreach m,$(MAN),$(call put,644,$(m),$(prefix)/share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) &&) :
	$(Q)$(foreach e,$(EXAMPLES),$(call put,$(if $(findstring .sh,$(e)),755,644),$(e),$(EXAMPLESDIR)/$(e:packaging/examples/%=%)) &&) :
	$(Q)test -e $(DESTDIR)/etc/trivet/trivet.conf || $(call put,640,packaging/trivet.conf,/etc/trivet/trivet.conf)

# From what git tracks, in build/deb: the checkout is not written to.
DEB := $(B)/deb
DEB_TREE := $(DEB)/trivet-$(VERSION)
deb:
	rm -rf $(DEB) && mkdir -p $(DEB_TREE)
	git ls-files -z | tar --null -T - -cf - | tar -C $(DEB_TREE) -xf -
	mv $(DEB_TREE)/packaging/debian $(DEB_TREE)/debian
	cd $(DEB_TREE) && DEB_BUILD_OPTIONS="nocheck parallel=$$(nproc)" dpkg-buildpackage -us -uc -b > ../build.log 2>&1 || \
		{ tail -40 ../build.log; exit 1; }
	lintian --fail-on error,warning $(DEB)/*.changes
	blhc --bindnow $(DEB)/build.log
	@ls $(DEB)/*.deb

# The same again elsewhere, in another time zone and with another umask: no byte differs.
deb-again:
	rm -rf $(B)/deb-again && mkdir -p $(B)/deb-again/elsewhere
	cp -a $(DEB_TREE) $(B)/deb-again/elsewhere/
	cd $(B)/deb-again/elsewhere/trivet-$(VERSION) && umask 027 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 \
		DEB_BUILD_OPTIONS="nocheck parallel=$$(nproc)" dpkg-buildpackage -us -uc -b > ../build.log 2>&1 || \
		{ tail -40 ../build.log; exit 1; }
	for deb in $(DEB)/*.deb; do cmp $$deb $(B)/deb-again/elsewhere/$$(basename $$deb) || exit 1; done
	@echo 'reproducible: both builds gave the same packages'

# A version to upgrade to, from the same objects: its own number, and one more field in what a
# proxyd hands over, so that the records of the two differ.  Nobody keeps it: no debugging symbols,
# nothing compressed.
NEXT := $(VERSION)+next
deb-next:
	rm -rf $(B)/deb-next && mkdir -p $(B)/deb-next
	cp -a $(DEB_TREE) $(B)/deb-next/
	cd $(B)/deb-next/trivet-$(VERSION) && \
		sed -i 's/^VERSION .*/VERSION := $(NEXT)/' Makefile && \
		sed -i '1s/($(VERSION))/($(NEXT))/' debian/changelog && \
		sed -i '/^static const struct parcel_field session_fields/a ONE(95, T_U64, parcel_session, began_us),' proxyd/parcel_kinds.c && \
		rm -f debian/files && touch $$(grep -rl --include='*.[ch]' TRIVET_VERSION checkd common ctl ipc) && \
		DPKG_DEB_COMPRESSOR_TYPE=none \
		DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$$(nproc)" \
		dpkg-buildpackage -us -uc -b -nc > ../build.log 2>&1 || { tail -40 ../build.log; exit 1; }
	@ls $(B)/deb-next/*.deb

# The packages in a container with a real systemd (root); TRIVET_SUITE=trixie for that one's.
test-systemd-only: export TRIVET_DEBS = $(abspath $(DEB))
test-systemd-only: export TRIVET_DEBS_NEXT = $(abspath $(B)/deb-next)
# The machines' root is fetched while the packages are compiled; two files of tests, each with
# machines of its own, run side by side (most of their time is waiting for timers), the longest first.
test-systemd:
	$(MAKE) -j2 deb lab-base
	$(MAKE) deb-next
	$(MAKE) test-systemd-only
# With the packages as they are.
test-systemd-only:
	$(call pytest,systemd,-n 2 --dist loadfile)
.PHONY: lab-base
lab-base:
	/usr/bin/python3 -B tests/systemd/container.py

# Debian's own tests of packages: what is left after a purge (piuparts), debian/tests in a
# machine of its own (autopkgtest).  Not in .ci/run: minutes, and the mirror's.
.PHONY: test-debian
test-debian: deb
	packaging/install-deps piuparts autopkgtest
	TRIVET_DEBS=$(abspath $(DEB)) /usr/bin/python3 -B tests/systemd/debian.py

clean:
	rm -rf $(B) $(B)-san $(B)-tsan $(B)-fuzz

-include $(shell test -d $(B)/obj && find $(B)/obj -type f -name '*.d')
