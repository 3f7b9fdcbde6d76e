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
endbr() { [ "$(uname -m)" != x86_64 ] || objdump -d "$1" | grep -q endbr64; }

@test "position independent, read-only relocations, no executable stack" {
	each pie && each relro && each noexec
}
@test "stack protector, FORTIFY, indirect branch tracking" {
	each protector && each fortify && each endbr
}
@test "vaultd links neither libcurl nor p11-kit" {
	! needed "$BUILD/bin/vaultd" | grep -E 'curl|p11-kit'
	needed "$BUILD/bin/vaultd" | grep -q lmdb
}
@test "vault-hsm links neither LMDB nor libcurl nor jansson" {
	! needed "$BUILD/bin/vault-hsm" | grep -E 'lmdb|curl|jansson|event'
	needed "$BUILD/bin/vault-hsm" | grep -q p11-kit
}
@test "vault-egress links neither LMDB nor p11-kit" {
	! needed "$BUILD/bin/vault-egress" | grep -E 'lmdb|p11-kit'
	needed "$BUILD/bin/vault-egress" | grep -q curl
}
@test "vault-launch links none of them" {
	! needed "$BUILD/bin/vault-launch" | grep -E 'lmdb|p11-kit|curl|jansson'
}
@test "libvaultd exports its interface alone, and depends on libc and jansson" {
	run bash -c "nm -D --defined-only '$BUILD/lib/libvaultd.so.1' | sed 's/.* //; s/@.*//' | grep -v '^VAULTD_1$' | sort"
	[ "$output" = "$(grep -o '	vaultd_[a-z_]*' "$BED_ROOT/client/libvaultd.map" | tr -d '\t' | sort)" ]
	[ "$(needed "$BUILD/lib/libvaultd.so.1" | grep -v '^libc\.' | grep -v jansson)" = '' ]
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
