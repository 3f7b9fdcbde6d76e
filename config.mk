# Paths and flags; override on the command line or in the environment of a package.

PREFIX     ?= /usr
SBINDIR    ?= $(PREFIX)/sbin
BINDIR     ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/vaultd
LIBDIR     ?= $(PREFIX)/lib/$(shell $(CC) -print-multiarch 2>/dev/null)
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
SYSCONFDIR ?= /etc
UNITDIR    ?= /lib/systemd/system
SYSUSERSDIR ?= /usr/lib/sysusers.d
TMPFILESDIR ?= /usr/lib/tmpfiles.d

VERSION    := 0.1.0
BUILD      ?= build

# What every object gets. SANITIZE=address,undefined builds a sanitized tree.
WARN       := -Wall -Wextra -Wshadow -Werror -Wformat=2 -Wstrict-prototypes \
	      -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
HARDEN     := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
LINKHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
OPT        ?= -O2 -g
ifdef SANITIZE
SAN        := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN     := -fPIE
else
HARDEN     += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
CPPFLAGS_  := -I. -I$(BUILD)/gen -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(CPPFLAGS)
CFLAGS_    := -std=gnu17 $(OPT) $(WARN) $(HARDEN) $(SAN) -MMD -MP $(CFLAGS)
LDFLAGS_   := $(LINKHARDEN) $(SAN) $(LDFLAGS)

PKG        := pkg-config
P11_CFLAGS := $(shell $(PKG) --cflags p11-kit-1 2>/dev/null)
LIB_CRYPTO := -lcrypto
LIB_JSON   := -ljansson
LIB_EVENT  := -levent_core -levent_pthreads
LIB_SECCOMP := -lseccomp
