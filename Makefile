# vaultd. `make help` lists the targets.
include config.mk
.DEFAULT_GOAL := help
.PHONY: help all deps deps-test run demo check check-long check-unit bench fuzz asan lint man install clean tests

help:		## this list
	@awk -F':.*## *' '/^[a-z][a-z-]*:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

# ---- sources: a wildcard where a folder is one program, a list where it is not
src = $(filter-out $(1)/test-%.c $(1)/main.c,$(wildcard $(1)/*.c))
JSON_SRC     := common/json.c common/json_where.c common/jsonpath.c
COMMON_SRC   := $(filter-out $(JSON_SRC),$(call src,common))
CATALOGUE_SRC := $(call src,connectors)
POLICY_SRC   := $(call src,policy)
VAULTD_SRC   := $(call src,vaultd)
HSM_SRC      := $(call src,pkcs11)
EGRESS_SRC   := $(call src,egress)
LAUNCH_SRC   := $(call src,launch)
LIB_SRC      := $(wildcard client/lib*.c)
CTL_SRC      := $(filter-out $(LIB_SRC),$(call src,client))
TEST_SRC     := $(wildcard common/test-*.c vaultd/test-*.c pkcs11/test-*.c egress/test-*.c \
		  launch/test-*.c policy/test-*.c client/test-*.c connectors/test-*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

PROGRAMS := $(addprefix $(BUILD)/bin/,vaultd vault-hsm vault-egress vault-launch vaultctl)
LIBVAULTD := $(BUILD)/lib/libvaultd.so.1 $(BUILD)/lib/libvaultd.a
A := $(BUILD)/lib

all: $(PROGRAMS) $(LIBVAULTD)	## build everything into build/

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC    $<'
	@$(CC) $(CPPFLAGS_) $(CFLAGS_) $(P11_CFLAGS) -c -o $@ $<

define archive
$(A)/$(1).a: $(call obj,$(2))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$(AR) rcs $$@ $$^
endef
$(eval $(call archive,common,$(COMMON_SRC)))
$(eval $(call archive,json,$(JSON_SRC)))
$(eval $(call archive,catalogue,$(CATALOGUE_SRC)))
$(eval $(call archive,policy,$(POLICY_SRC)))
$(eval $(call archive,vaultd,$(VAULTD_SRC)))
$(eval $(call archive,pkcs11,$(HSM_SRC)))
$(eval $(call archive,egress,$(EGRESS_SRC)))
$(eval $(call archive,launch,$(LAUNCH_SRC)))
$(eval $(call archive,client,$(CTL_SRC)))

# ---- what each program may link: a role links only what it may see (tests/hardening.bats)
COMMON_LIBS := $(LIB_CRYPTO) $(LIB_SECCOMP) -lpthread
ARCH_vaultd  := vaultd policy catalogue json common
LIBS_vaultd  := -llmdb $(LIB_EVENT) $(LIB_JSON) $(COMMON_LIBS)
ARCH_pkcs11  := pkcs11 common
LIBS_pkcs11  := -lp11-kit $(COMMON_LIBS)
ARCH_egress  := egress catalogue json common
LIBS_egress  := -lcurl -lssl $(LIB_EVENT) $(LIB_JSON) $(COMMON_LIBS)
ARCH_launch  := launch common
LIBS_launch  := $(COMMON_LIBS)
ARCH_client  := client libvaultd policy catalogue json common
LIBS_client  := $(LIB_JSON) $(COMMON_LIBS)
ARCH_common  := common
LIBS_common  := $(COMMON_LIBS)
ARCH_policy  := policy json common
LIBS_policy  := $(LIB_JSON) $(COMMON_LIBS)
ARCH_connectors := catalogue json common
LIBS_connectors := $(LIB_JSON) $(COMMON_LIBS)
archs = $(foreach a,$(ARCH_$(1)),$(A)/$(a).a)

define program
$(BUILD)/bin/$(1): $(BUILD)/$(2)/main.o $(call archs,$(2))
	@mkdir -p $$(@D)
	@echo '  LINK  $$@'
	@$$(CC) $$(LDFLAGS_) -o $$@ $$^ $$(LIBS_$(2))
endef
$(eval $(call program,vaultd,vaultd))
$(eval $(call program,vault-hsm,pkcs11))
$(eval $(call program,vault-egress,egress))
$(eval $(call program,vault-launch,launch))
$(eval $(call program,vaultctl,client))

# ---- libvaultd: position independent, only the symbols of client/libvaultd.map
LIBOBJ := $(patsubst %.c,$(BUILD)/pic/%.o,$(LIB_SRC))
$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	@echo '  PIC   $<'
	@$(CC) $(CPPFLAGS_) $(CFLAGS_) -fPIC -fvisibility=hidden -c -o $@ $<
$(A)/libvaultd.a: $(LIBOBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(A)/libvaultd.so.1: $(LIBOBJ) client/libvaultd.map
	@mkdir -p $(@D)
	$(CC) -shared $(filter-out -pie,$(LDFLAGS_)) -Wl,-soname,libvaultd.so.1 \
	    -Wl,--version-script=client/libvaultd.map -o $@ $(LIBOBJ)
	ln -sf libvaultd.so.1 $(A)/libvaultd.so

# ---- the IDL is compiled into the daemon
IDL := $(sort $(wildcard docs/*.varlink))
$(BUILD)/gen/idl.h: $(IDL) Makefile
	@mkdir -p $(@D)
	@for f in $(IDL); do n=$$(basename $$f .varlink | tr . _); \
	    printf 'static const char idl_%s[] =\n' $$n; \
	    sed 's/\\/\\\\/g; s/"/\\"/g; s/^/\t"/; s/$$/\\n"/' $$f; echo '	;'; done >$@
	@{ echo 'static const struct { const char *name, *text; } idl[] = {'; \
	    for f in $(IDL); do b=$$(basename $$f .varlink); \
	    echo "	{ \"$$b\", idl_$$(echo $$b | tr . _) },"; done; echo '};'; } >>$@
$(BUILD)/vaultd/varlink.o: $(BUILD)/gen/idl.h

# ---- unit tests: one program each, beside what they test
TESTS := $(patsubst %.c,$(BUILD)/tests/%,$(TEST_SRC))
define unit
$(BUILD)/tests/$(1)/test-%: $(1)/test-%.c tests/unit.h $(call archs,$(1))
	@mkdir -p $$(@D)
	@echo '  TEST  $$@'
	@$$(CC) $$(CPPFLAGS_) $$(CFLAGS_) $$(P11_CFLAGS) $$(LDFLAGS_) -o $$@ $$< $(call archs,$(1)) \
	    $$(LIBS_$(1)) -lcmocka
endef
$(foreach d,common vaultd pkcs11 egress launch policy client connectors,$(eval $(call unit,$(d))))

# ---- what scenarios need besides: players and fault injectors
TOOLS := $(BUILD)/tests/hsmtool $(BUILD)/tests/faultmod.so $(BUILD)/tests/memscan \
	 $(if $(filter x86_64,$(shell uname -m)),$(BUILD)/tests/inject $(BUILD)/tests/stepkill)
$(BUILD)/tests/hsmtool: $(wildcard tests/hsmtool/*.[ch]) $(A)/common.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_) $(filter-out -MMD -MP,$(CFLAGS_)) $(LDFLAGS_) -o $@ $(filter %.c,$^) $(A)/common.a $(LIBS_common)
$(BUILD)/tests/faultmod.so: tests/faultmod/faultmod.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu17 $(OPT) $(WARN) $(P11_CFLAGS) -fPIC -fvisibility=hidden \
	    -shared -o $@ $<

$(BUILD)/tests/memscan: tests/memscan/memscan.c
	@mkdir -p $(@D)
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(OPT) -Wall -Wextra -o $@ $<

$(BUILD)/tests/inject: tests/inject/inject.c
	@mkdir -p $(@D)
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(OPT) $(WARN) -o $@ $< $(LIB_SECCOMP)

$(BUILD)/tests/stepkill: tests/stepkill/stepkill.c
	@mkdir -p $(@D)
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(OPT) $(WARN) -o $@ $<

tests: $(TESTS) $(TOOLS)
	@:
check-unit: all $(TESTS)	## unit tests alone
	CMOCKA_MESSAGE_OUTPUT=TAP prove -j2 --exec '' $(TESTS)

clean:		## remove build/
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -path $(BUILD)/bed -prune -o -name '*.d' -print 2>/dev/null)

# ---- setting up, running
deps:		## install the Debian packages that building and running need
	@./setup.sh run
deps-test:
	@./setup.sh test
run:		## a vault and a local OAuth provider in the foreground
	@./setup.sh run
	@$(MAKE) --no-print-directory all $(BUILD)/example/get-token
	@BUILD=$(BUILD) exec tests/run-vault.sh
demo:		## the whole story, unattended; ends with "demo: ok"
	@./setup.sh run
	@$(MAKE) --no-print-directory all $(BUILD)/example/get-token
	@BUILD=$(BUILD) exec tests/demo.sh

$(BUILD)/example/get-token: client/example/get-token.c client/vaultd.h $(A)/libvaultd.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	@$(CC) $(CPPFLAGS_) -Iclient $(CFLAGS_) $(LDFLAGS_) -o $@ $< $(A)/libvaultd.a

# ---- tests
SCENARIOS := $(sort $(wildcard tests/*.bats))
export BUILD
PROVE := prove -j2 --timer
# Only its last line when it went well, all of it when not.
demo = BUILD=$(1) tests/demo.sh >$(1)/demo.log 2>&1 || { cat $(1)/demo.log; exit 1; }; tail -1 $(1)/demo.log

check:		## everything that must hold: both compilers, lint, unit tests, scenarios, fuzzers
	@./setup.sh test
	@$(MAKE) --no-print-directory -j2 all tests $(BUILD)/example/get-token
	@$(MAKE) --no-print-directory -j2 CC=clang BUILD=$(BUILD)/clang all
	@$(MAKE) --no-print-directory lint
	CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) --exec '' $(TESTS)
	$(PROVE) --exec 'bats --tap' $(SCENARIOS)
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=3
	@BUILD=$(BUILD) tests/crash.sh 50
	@BUILD=$(BUILD) tests/steps.sh 1 0 4
	@$(MAKE) --no-print-directory $(BUILD)/bench/load && BUILD=$(BUILD) tests/herd.sh 300
	@$(call demo,$(BUILD))
check-long: check	## and what takes long: 500 crash cycles, sanitizers, a real systemd
	@BUILD=$(BUILD) tests/crash.sh 500
	@BUILD=$(BUILD) tests/steps.sh
	@BUILD=$(BUILD) tests/steps.sh 20 10000
	@BUILD=$(BUILD) tests/herd.sh 100000
	@$(MAKE) --no-print-directory asan
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=60
	@BUILD=$(BUILD) tests/bed/boot-vault.sh
# All scenarios on sanitized roles, but those about the binaries, what is installed, the documents and
# the units, and the search of memory (a sanitizer's shadow is terabytes). Their filter denies ptrace, so leaks
# are for the unit tests.
ASAN_SCENARIOS := $(filter-out tests/hardening.bats tests/client.bats tests/docs.bats tests/units.bats \
		  tests/secrets.bats,$(SCENARIOS))
asan:		## unit tests and scenarios under ASan and UBSan
	@./setup.sh test
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/asan SANITIZE=address,undefined OPT='-O1 -g' \
	    all tests $(BUILD)/asan/example/get-token
	ASAN_OPTIONS=detect_leaks=1 CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) --exec '' \
	    $(patsubst $(BUILD)/%,$(BUILD)/asan/%,$(TESTS))
	ASAN_OPTIONS=detect_leaks=0 BUILD=$(abspath $(BUILD)/asan) $(PROVE) --exec 'bats --tap' \
	    $(ASAN_SCENARIOS)
	@ASAN_OPTIONS=detect_leaks=0; export ASAN_OPTIONS; $(call demo,$(BUILD)/asan)

# Fuzzers: libFuzzer, each with the archives it needs, over the corpus in tests/fuzz/corpus.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
FUZZ_SRC := $(JSON_SRC) $(COMMON_SRC) $(CATALOGUE_SRC) $(POLICY_SRC) $(LIB_SRC) $(HSM_SRC) \
	    $(wildcard vaultd/record*.c) vaultd/fields.c vaultd/varlink.c vaultd/quick.c \
	    $(addprefix egress/,reply.c body.c lifetime.c capture.c claims.c diagnose.c \
	    diagnose_table.c redact.c) egress/discovery.c egress/http.c egress/allow.c egress/flight.c egress/tlskey.c tests/fuzz/nokeys.c \
	    egress/spool.c egress/destination.c client/callback.c client/loopback.c
FUZZ_LIBS := -Wl,--as-needed $(LIBS_egress) $(LIBS_pkcs11)
FUZZ_OBJ := $(patsubst %.c,$(BUILD)/fuzz/%.o,$(FUZZ_SRC))
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
$(BUILD)/fuzz/%.o: %.c $(BUILD)/gen/idl.h
	@mkdir -p $(@D)
	@clang $(CPPFLAGS_) -std=gnu17 -O1 -g $(P11_CFLAGS) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/fuzz/lib.a: $(FUZZ_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^
$(BUILD)/fuzz/fuzz-%: tests/fuzz/fuzz-%.c $(BUILD)/fuzz/lib.a
	@echo '  FUZZ  $@'
	@clang $(CPPFLAGS_) -std=gnu17 -O1 -g $(P11_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -o $@ $< $(BUILD)/fuzz/lib.a $(FUZZ_LIBS)
fuzz:		## run every fuzzer for FUZZ_SECONDS (60)
	@./setup.sh test
	@$(MAKE) --no-print-directory -j2 $(addprefix $(BUILD)/fuzz/,$(FUZZERS))
	@for f in $(FUZZERS); do c=tests/fuzz/corpus/$${f#fuzz-}; w=$$(mktemp -d); \
	    echo "fuzz: $$f for $(FUZZ_SECONDS) s"; \
	    ASAN_OPTIONS=detect_leaks=0 $(BUILD)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -max_len=8192 \
		-artifact_prefix=$(BUILD)/fuzz/ $$w $$( [ -d $$c ] && echo $$c ) \
		$$( [ $$f = fuzz-reply ] && echo tests/fixtures/answers ) >$$w.log 2>&1 \
		|| { tail -40 $$w.log; rm -rf $$w $$w.log; exit 1; }; rm -rf $$w $$w.log; done
	@echo 'fuzz: ok'

# Suppressed: what it takes wrongly for a fault (getrandom fills the id; a warning goes into the
# policy's list; reply() looks at the answer only when there is one).
CPPCHECK := cppcheck --quiet --error-exitcode=1 --enable=warning,portability \
	    --suppress=nullPointerRedundantCheck --suppress=uninitvar:common/bytes.c \
	    --suppress=memleak:policy/load_json.c --suppress=ctunullpointer:common/msg.c \
	    '-Djson_array_foreach(a,i,v)=for(i=0;(v=json_array_get(a,i));i++)' \
	    '-Djson_object_foreach(o,k,v)=for(;;)' -I. -D_GNU_SOURCE
lint:		## manual pages, shell, tabs, and what the compilers' analysers say
	@mandoc -Tlint -W warning docs/man/* && echo 'lint: manual pages ok'
	@for f in setup.sh tests/*.sh tests/lib/*.sh client/*.bash; do bash -n $$f || exit 1; done
	@! grep -nP '^ {8}' $$(git ls-files '*.c' '*.h') || { echo 'lint: spaces for tabs'; exit 1; }
	@! grep -nE '^[[:space:]]+\[+ .*\]+ && \[' tests/*.bats | grep -v '||' | grep -vE '&& \[ -f' || \
	    { echo 'lint: the first half of such a line fails no test'; exit 1; }
	@! grep -nE '^[[:space:]]+! ' tests/*.bats | grep -v '||' || \
	    { echo 'lint: such a line fails no test: use `not`'; exit 1; }
	@if command -v cppcheck >/dev/null; then $(CPPCHECK) $$(git ls-files '*.c' | grep -v '^tests/'); \
	    else echo 'lint: cppcheck is not installed'; fi
	@echo 'lint: ok'
man:		## format the manual pages into build/man
	@mkdir -p $(BUILD)/man
	@for f in docs/man/*; do mandoc -Tutf8 $$f >$(BUILD)/man/$$(basename $$f).txt || exit 1; done
	@ls $(BUILD)/man
bench:		## figures, one a line, also in build/bench.tsv
	@./setup.sh test
	@$(MAKE) --no-print-directory -j2 all $(BUILD)/bench/load $(BUILD)/bench/echo $(BUILD)/bench/due
	@BUILD=$(BUILD) tests/bench/bench.sh
$(BUILD)/bench/due: tests/bench/due.c $(call archs,vaultd)
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_) $(filter-out -MMD -MP,$(CFLAGS_)) $(LDFLAGS_) -o $@ $< $(call archs,vaultd) $(LIBS_vaultd)
$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@$(CC) -O2 -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -o $@ $< -levent_core

# ---- installing
install: all	## into DESTDIR: programs, library, units, manual, examples
	install -d $(addprefix $(DESTDIR),$(SBINDIR) $(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR) \
	    $(UNITDIR) $(SYSUSERSDIR) $(TMPFILESDIR) $(DATADIR)/vaultd/connectors \
	    $(DATADIR)/vaultd/varlink $(DATADIR)/vaultd/examples $(DATADIR)/vaultd/drop-ins \
	    $(DATADIR)/bash-completion/completions \
	    $(SYSCONFDIR)/vaultd/policy.d $(MANDIR)/man1 $(MANDIR)/man3 $(MANDIR)/man5 $(MANDIR)/man8)
	install -m 755 $(addprefix $(BUILD)/bin/,vaultd vault-hsm vault-egress vault-launch) $(DESTDIR)$(SBINDIR)
	install -m 755 $(BUILD)/bin/vaultctl $(DESTDIR)$(BINDIR)
	install -m 644 $(A)/libvaultd.so.1 $(A)/libvaultd.a $(DESTDIR)$(LIBDIR)
	ln -sf libvaultd.so.1 $(DESTDIR)$(LIBDIR)/libvaultd.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
	    client/libvaultd.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/libvaultd.pc
	install -m 644 client/vaultd.h $(DESTDIR)$(INCLUDEDIR)
	install -d $(DESTDIR)$(DATADIR)/vaultd/connectors/old
	for f in connectors/*.json $(wildcard connectors/old/*.json); do \
	    sed 's|"\.\./docs/|"../|' $$f >$(DESTDIR)$(DATADIR)/vaultd/$$f && \
	    chmod 644 $(DESTDIR)$(DATADIR)/vaultd/$$f || exit 1; done
	install -m 644 docs/*.varlink $(DESTDIR)$(DATADIR)/vaultd/varlink
	install -m 644 docs/*.schema.json $(DESTDIR)$(DATADIR)/vaultd
	install -m 644 policy/examples/*.json $(DESTDIR)$(DATADIR)/vaultd/examples
	install -m 644 client/vaultctl.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/vaultctl
	for f in docs/man/*.[1358]; do install -m 644 $$f $(DESTDIR)$(MANDIR)/man$${f##*.}; done
	install -m 644 systemd/*.service systemd/*.socket $(DESTDIR)$(UNITDIR)
	install -m 644 systemd/drop-ins/*.conf $(DESTDIR)$(DATADIR)/vaultd/drop-ins
	install -m 644 systemd/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/vaultd.conf
	install -m 644 systemd/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/vaultd.conf
	for r in vaultd vault-hsm vault-egress vault-launch; do \
	    [ -e $(DESTDIR)$(SYSCONFDIR)/vaultd/$$r.conf ] || \
	    $(BUILD)/bin/$$r -h | sed '1,/^$$/d; /^Configuration /,/^$$/d; s/^\([a-z]\)/#\1/' \
	    >$(DESTDIR)$(SYSCONFDIR)/vaultd/$$r.conf; done
	[ -n "$$(ls $(DESTDIR)$(SYSCONFDIR)/vaultd/policy.d)" ] || \
	    install -m 644 policy/examples/strict.json $(DESTDIR)$(SYSCONFDIR)/vaultd/policy.d/tenant.json
