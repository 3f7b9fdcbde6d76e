#!/usr/bin/env bats
# A program of somebody else's: built against what `make install` put there, from the documents'
# own examples to the letter, and run against a vault.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19086
	bed_up
	bed_app
	# Under the names that the examples ask for.
	bed_connect $BED_ALICE --name work
	bed_connect $BED_ALICE --name github
	D=$BED/installed
	make -C "$BED_ROOT" BUILD="$BUILD" install DESTDIR="$D" >"$BED/log/install" 2>&1
	chmod 755 "$BED"
	export D
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	P=$BED/program$BATS_TEST_NUMBER
	LIBS=$(dirname "$(find "$D" -name libvaultd.so.1)")
}

pc() {			# as on the machine it is installed on, which is below $D
	PKG_CONFIG_SYSROOT_DIR=$D PKG_CONFIG_LIBDIR=$LIBS/pkgconfig PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
	    PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config "$@" libvaultd
}
build() { cc -Wall -Wextra -Werror "$P.c" $(pc --cflags --libs) -o "$P"; }	# as the documents say
run_as() { bed_uid "$1" env LD_LIBRARY_PATH="$LIBS" "${@:2}"; }
indented() { sed -n "/^    #include <stdio.h>/,/^    }/s/^    //p" "$1"; }	# the program in a text

@test "README's program, to the letter" {
	indented "$BED_ROOT/README.md" >"$P.c"
	grep -q '^#include <vaultd.h>' "$P.c"
	build
	[ "$(run_as $BED_ALICE "$P")" = "Bearer $(ctl $BED_ALICE token get work)" ]
	bed_works "$(run_as $BED_ALICE "$P" | sed 's/^Bearer //')"
	# It is the installed library that it runs with.
	LD_LIBRARY_PATH=$LIBS ldd "$P" | grep -q "libvaultd.so.1 => $LIBS/"
}

@test "and what it says when there is no vault, or nothing to see" {
	indented "$BED_ROOT/README.md" >"$P.c"
	build
	run run_as $BED_ALICE env VAULTD_SOCKET="$BED/run/none.sock" "$P"
	[[ $output == *"$BED/run/none.sock"* ]]
	[ "$(id -u)" = 0 ] || skip "only root has more than one user here"
	run run_as $BED_BOB "$P"
	[[ $output == *"no connection 'work' that you may see"*"connection list"* ]]
}

@test "the example in the tree, with the line in its own head" {
	cp "$BED_ROOT/client/example/get-token.c" "$P.c"
	grep -qF 'cc get-token.c $(pkg-config --cflags --libs libvaultd) -o get-token' "$P.c"
	build
	bed_works "$(run_as $BED_ALICE "$P" github | sed 's/^Bearer //')"
	run run_as $BED_ALICE "$P" nothing
	[ "$status" = 1 ]
}

@test "the examples of vaultd.h and libvaultd(3), with the least around them" {
	{
		printf '#include <err.h>\n#include <stdio.h>\n#include <vaultd.h>\n'
		printf 'static void use(const char *t) { printf("%%s\\n", t); }\nint\nmain(void)\n{\n'
		sed -n '/^ \*	struct vaultd \*v;/,/^ \*	vaultd_close/s/^ \*//p' "$D"/usr/include/vaultd.h
		printf '}\n'
	} >"$P.c"
	build
	bed_works "$(run_as $BED_ALICE "$P")"
	# An API that says 401 to the first token: the second is another one.
	{
		printf '#include <err.h>\n#include <stdio.h>\n#include <vaultd.h>\n'
		printf 'static int n;\nstatic int ask_api(const char *t) { printf("%%s\\n", t); return n++ == 0 ? 401 : 200; }\n'
		printf 'int\nmain(void)\n{\n'
		sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$(find "$D" -name libvaultd.3)" | grep -v '^\.\|^A token'
		printf '}\n'
	} >"$P.c"
	build
	run_as $BED_ALICE "$P" >"$BED/log/two"
	[ "$(sort -u "$BED/log/two" | wc -l)" = 2 ]
	bed_works "$(tail -1 "$BED/log/two")"
}

@test "linked statically it needs nothing of ours to run" {
	cp "$BED_ROOT/client/example/get-token.c" "$P.c"
	rm -rf "$BED/static" && mkdir "$BED/static" && cp "$LIBS/libvaultd.a" "$BED/static"
	cc -Wall -Werror "$P.c" $(pc --cflags) -L"$BED/static" $(pc --static --libs-only-l) -o "$P"
	[ "$(ldd "$P" | grep -c vaultd)" = 0 ]
	bed_works "$(bed_uid $BED_ALICE "$P" work | sed 's/^Bearer //')"
}

@test "whoever has a newer minor version keeps the name that programs were linked with" {
	[ "$(readelf -d "$LIBS/libvaultd.so.1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')" = libvaultd.so.1 ]
	[ "$(readlink "$LIBS/libvaultd.so")" = libvaultd.so.1 ]
	[ "$(pc --modversion)" = "$(sed -n 's/^VERSION *:\{0,1\}= *//p' "$BED_ROOT/config.mk")" ]
	readelf -V "$LIBS/libvaultd.so.1" | grep -q VAULTD_1
}
