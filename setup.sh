#!/bin/bash
# setup.sh - what the machine must have. `setup.sh build|run|test`: installs the Debian
# packages that are missing (as root), or says which line to type (as anybody else).
set -euo pipefail
cd "$(dirname "$0")"

missing=()
# NAME:CHECK - package and the command that shows it is there
need() {
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || missing+=("$package")
}
pc() { need "$1" pkg-config --exists "$2"; }
file() { need "$1" test -e "$2"; }

need_build() {
	need gcc command -v gcc
	need libc6-dev test -e /usr/include/stdio.h
	need make command -v make
	need pkg-config command -v pkg-config
	file liblmdb-dev /usr/include/lmdb.h
	pc libevent-dev libevent
	pc libjansson-dev jansson
	file libcurl4-openssl-dev "/usr/include/$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)/curl/curl.h"
	pc libseccomp-dev libseccomp
	pc libp11-kit-dev p11-kit-1
	pc libssl-dev libcrypto
}
need_run() {
	need_build
	need softhsm2 command -v softhsm2-util
	need openssl command -v openssl
	need curl command -v curl
	file ca-certificates /etc/ssl/certs/ca-certificates.crt
	if ! command -v npm >/dev/null 2>&1; then
		need nodejs command -v node
		missing+=(npm)
	fi
}
need_test() {
	need_run
	need clang command -v clang
	need bats command -v bats
	need perl command -v prove
	need opensc command -v pkcs11-tool
	need mandoc command -v mandoc
	need cppcheck command -v cppcheck
	need strace command -v strace
	need binutils command -v readelf
	file libcmocka-dev /usr/include/cmocka.h
	need python3 command -v python3
	# A validator that is not ours says whether the schemas editors use fit the files.
	need python3-jsonschema python3 -c 'import jsonschema'
	file libclang-rt-14-dev /usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a
	need redis-server command -v redis-server
	need socat command -v socat
	need iproute2 command -v ss
	need systemd command -v systemd-analyze
}

need_"${1:-build}"
if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "setup: packages are missing; as root: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	echo "setup: installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update >/dev/null
	apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi
# The test provider needs a newer Node.js than Debian 12 has: npm brings it.
if [ "${1:-build}" != build ] && [ ! -e tests/idp/node_modules/oidc-provider ]; then
	echo "setup: installing the test provider (npm)"
	(cd tests/idp && npm ci --no-audit --no-fund --silent >/dev/null)
fi
