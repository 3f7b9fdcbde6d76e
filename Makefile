# vaultd. `make help` lists the targets.
include config.mk
.DEFAULT_GOAL := help
.PHONY: help all deps deps-check run demo check check-long check-unit bench fuzz asan lint man install clean

help:		## this list
	@awk -F':.*## *' '/^[a-z][a-z-]*:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

# ---- sources: a wildcard where a folder is one program, a list where it is not
src = $(filter-out $(1)/test-%.c $(1)/main.c,$(wildcard $(1)/*.c))
JSON_SRC     := common/json.c common/json_where.c
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
LIBS_egress  := -lcurl $(LIB_EVENT) $(LIB_JSON) $(COMMON_LIBS)
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
	    -Wl,--version-script=client/libvaultd.map -o $@ $(LIBOBJ) $(LIB_JSON)
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
TOOLS := $(BUILD)/tests/hsmtool $(BUILD)/tests/faultmod.so
$(BUILD)/tests/hsmtool: tests/hsmtool/hsmtool.c $(A)/common.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_) $(CFLAGS_) $(LDFLAGS_) -o $@ $< $(A)/common.a $(LIBS_common)
$(BUILD)/tests/faultmod.so: tests/faultmod/faultmod.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu17 $(OPT) $(WARN) $(P11_CFLAGS) -fPIC -fvisibility=hidden \
	    -shared -o $@ $<

tests: $(TESTS) $(TOOLS)
	@:
check-unit: all $(TESTS)	## unit tests alone
	CMOCKA_MESSAGE_OUTPUT=TAP prove -j2 --exec '' $(TESTS)

clean:		## remove build/
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- setting up, running
deps:		## install the Debian packages that building and running need
	@./setup.sh run
deps-test:
	@./setup.sh test
run:		## a vault and a local OAuth provider in the foreground
	@./setup.sh run
	@$(MAKE) --no-print-directory all $(BUILD)/example/get-token
	@BUILD=$(BUILD) tests/run-vault.sh
demo:		## the whole story, unattended; ends with "demo: ok"
	@./setup.sh run
	@$(MAKE) --no-print-directory all $(BUILD)/example/get-token
	@BUILD=$(BUILD) tests/demo.sh

$(BUILD)/example/get-token: client/example/get-token.c client/vaultd.h $(A)/libvaultd.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	@$(CC) $(CPPFLAGS_) -Iclient $(CFLAGS_) $(LDFLAGS_) -o $@ $< $(A)/libvaultd.a $(LIB_JSON)
