#!/usr/bin/env bats
# The binaries: built hard, and linked with what their role may see and nothing else.

setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; }
needed() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }
each() { for p in vaultd vault-hsm vault-egress vault-launch vaultctl; do "$1" "$BUILD/bin/$p" || { echo "$p"; return 1; }; done; }

pie() { readelf -h "$1" | grep -q 'Type:.*DYN'; }
relro() { readelf -lW "$1" | grep -q GNU_RELRO && readelf -dW "$1" | grep -Eq 'BIND_NOW|FLAGS.*NOW'; }
noexec() { readelf -lW "$1" | grep GNU_STACK | grep -qv 'RWE'; }
protector() { readelf -sW "$1" | grep -q __stack_chk_fail; }
fortify() { readelf -sW "$1" | grep -Eq '__(snprintf|vsnprintf|memcpy|read|printf|fprintf)_chk'; }
# The note that would say so is lost with the start files of the C library: main itself.
endbr() { [ "$(uname -m)" != x86_64 ] || objdump -d --disassemble="${2:-main}" "$1" | grep -q endbr64; }
only() {	# PROGRAM LIBRARY...: what it names, libc apart
	local p=$1
	shift
	[ "$(needed "$BUILD/bin/$p" | sed 's/^lib//; s/[-.][0-9.]*so.*//; s/\.so.*//' | grep -v '^c$' | sort)" = \
	    "$(printf '%s\n' "$@" | grep . | sort)" ] || { echo "$p: $(needed "$BUILD/bin/$p")"; return 1; }
}
none() {	# PROGRAM PATTERN: nor what that names
	if ldd "$BUILD/bin/$1" | grep -E "$2"; then return 1; fi
}

@test "position independent, read-only relocations, no executable stack" {
	each pie
	each relro
	each noexec
}
@test "stack protector, FORTIFY, indirect branch tracking" {
	each protector
	each fortify
	each endbr
}
@test "libvaultd is built as hard, and can be loaded by programs that are" {
	so=$BUILD/lib/libvaultd.so.1
	relro "$so"
	noexec "$so"
	protector "$so"
	fortify "$so"
	[ "$(readelf -dW "$so" | grep -c TEXTREL)" = 0 ]
	[ "$(readelf -dW "$so" | grep -c 'R.*PATH')" = 0 ]
	[ "$(uname -m)" != x86_64 ] || objdump -d --disassemble=vaultd_open "$so" | grep -q endbr64
}
@test "clang builds them as hard" {
	[ -x "$BUILD/clang/bin/vaultd" ] || skip "there is no clang build (make check makes one)"
	BUILD=$BUILD/clang
	each pie
	each relro
	each noexec
	each protector
	each fortify
	each endbr
}
@test "vaultd links neither libcurl nor p11-kit, not even through others" {
	only vaultd lmdb event_core event_pthreads jansson crypto seccomp
	none vaultd 'curl|p11-kit|ssl'
}
@test "vault-hsm links neither LMDB nor libcurl nor jansson, not even through others" {
	only vault-hsm p11-kit crypto seccomp
	none vault-hsm 'lmdb|curl|jansson|event|ssl'
}
@test "vault-egress links neither LMDB nor p11-kit itself" {
	only vault-egress curl ssl event_core event_pthreads jansson crypto seccomp
	none vault-egress lmdb
}
@test "vault-launch links none of them" {
	only vault-launch
}
@test "libvaultd exports its interface alone, and depends on libc alone" {
	run bash -c "nm -D --defined-only '$BUILD/lib/libvaultd.so.1' | sed 's/.* //; s/@.*//' | grep -v '^VAULTD_1$' | sort"
	[ "$output" = "$(grep -o '	vaultd_[a-z_]*' "$BED_ROOT/client/libvaultd.map" | tr -d '\t' | sort)" ]
	[ "$(needed "$BUILD/lib/libvaultd.so.1" | grep -v '^libc\.')" = '' ]
	for f in $output; do grep -q "$f(" "$BED_ROOT/client/vaultd.h"; done
}
@test "a program of five lines builds against what is installed" {
	D=$(mktemp -d)
	make -C "$BED_ROOT" BUILD="$BUILD" install DESTDIR="$D" >/dev/null
	pc=$(find "$D" -name libvaultd.pc)
	[ -n "$pc" ]
	inc=$(dirname "$(find "$D" -name vaultd.h)") lib=$(dirname "$(find "$D" -name libvaultd.so)")
	gcc -Wall -Werror -I"$inc" "$BED_ROOT/client/example/get-token.c" -L"$lib" -lvaultd -o "$D/get-token"
	for f in vaultd.service vault-hsm.service vault-egress.service vault-hsm-vaultd.socket vault-hsm-egress.socket; do
		find "$D" -name "$f" | grep -q .
	done
	rm -rf "$D"
}
