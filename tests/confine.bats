#!/usr/bin/env bats
# Confinement, from inside the running roles: each is made to ask for what it must not have
# (tests/inject), and goes on serving.

why_not() {
	[ "$(id -u)" = 0 ] || echo 'attaching to a role takes root'
	[ -x "$BUILD/tests/inject" ] || echo 'inject knows x86_64 only'
}
setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ -z "$(why_not)" ] || return 0
	bed_new
	bed_users
	bed_token
	bed_tls
	bed_conf
	bed_keys >"$BED/log/keys"
	bed_example_policy
	CANARY=of-the-launcher bed_start
	bed_await
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ -z "${BED:-}" ] || bed_down
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ -z "$(why_not)" ] || skip "$(why_not)"
}

roles='vaultd vault-hsm vault-egress'
inject() { "$BUILD/tests/inject" "$@"; }
answers() {	# ROLE OUTCOME CALL [ARGUMENT...]
	local role=$1 want=$2 got
	shift 2
	got=$(inject "$(bed_pid "$role")" "$@") || return 1
	[ "$got" = "$want" ] || { echo "$role: $*: $got, expected $want"; return 1; }
}
allows() {	# ROLE CALL [ARGUMENT...]: a descriptor, closed again
	local role=$1 fd
	shift
	fd=$(inject "$(bed_pid "$role")" "$@") || return 1
	case $fd in
	*[!0-9]*) echo "$role: $*: $fd"; return 1 ;;
	esac
	answers "$role" 0 close "$fd"
}
tasks() { ls "/proc/$(bed_pid "$1")/task"; }

@test "no new privileges, a filter, no capabilities: in every thread of every role" {
	for role in $roles; do
		for tid in $(tasks $role); do
			s=/proc/$(bed_pid $role)/task/$tid/status
			grep -Eq '^NoNewPrivs:.1$' "$s"
			grep -Eq '^Seccomp:.2$' "$s"
			[ "$(grep -Ec '^Cap(Eff|Prm|Inh|Amb):.0+$' "$s")" = 4 ]
			[ "$(awk '/^Uid:/ {print $2 $3 $4 $5}' "$s")" = "$(id -u $role | awk '{print $1 $1 $1 $1}')" ]
		done
	done
}

@test "no dumps: core limit 0, and the kernel treats memory as root's" {
	for role in $roles; do
		pid=$(bed_pid $role)
		grep -Eq '^Max core file size +0 +0 ' "/proc/$pid/limits"
		[ "$(stat -c %U "/proc/$pid/mem")" = root ]
		run bed_as "$role" cat "/proc/$pid/environ"
		[ "$status" != 0 ]
	done
}

@test "nothing of the environment and no descriptor of the launcher reaches a role" {
	for role in $roles; do
		pid=$(bed_pid $role)
		[ "$(tr '\0' '\n' <"/proc/$pid/environ" | grep -c CANARY)" = 0 ]
	done
	# Each holds its own listeners: nobody the other's.
	inode() { ss -Hxl src "$BED/run/$1" | awk '{print $6}'; }
	holds() { ls -l "/proc/$(bed_pid "$1")/fd" | grep -c "socket:\[$(inode "$2")\]" || true; }
	[ "$(holds vaultd vaultd.sock)" = 1 ]
	[ "$(holds vaultd egress.sock)$(holds vaultd hsm-from-vaultd.sock)" = 00 ]
	[ "$(holds vault-egress egress.sock)" = 1 ]
	[ "$(holds vault-egress vaultd.sock)$(holds vault-egress hsm-from-egress.sock)" = 00 ]
	[ "$(holds vault-hsm hsm-from-vaultd.sock)$(holds vault-hsm hsm-from-egress.sock)" = 11 ]
	[ "$(holds vault-hsm vaultd.sock)$(holds vault-hsm egress.sock)" = 00 ]
}

@test "nobody can execute, trace, or reach into another process" {
	for role in $roles; do
		answers $role EPERM execve @/bin/true 0 0
		answers $role EPERM execveat AT_FDCWD @/bin/true 0 0 0
		answers $role EPERM ptrace PTRACE_TRACEME 0 0 0
		answers $role EPERM process_vm_readv $$ 0 0 0 0 0
		answers $role EPERM process_vm_writev $$ 0 0 0 0 0
		answers $role EPERM pidfd_getfd 0 0 0
	done
}

@test "nobody can reach the dark corners of the kernel" {
	for role in $roles; do
		answers $role EPERM io_uring_setup 1 0
		answers $role EPERM bpf 0 0 0
		answers $role EPERM userfaultfd 0
		answers $role EPERM keyctl 0 -1 0
		answers $role EPERM perf_event_open 0 0 0 0 0
		answers $role EPERM mount @none @/tmp @tmpfs 0 0
		answers $role EPERM finit_module -1 @ 0
		answers $role EPERM kexec_load 0 0 0 0
		answers $role EPERM unshare CLONE_NEWUSER
		answers $role EPERM clone CLONE_NEWUSER 0 0 0 0
		answers $role ENOSYS clone3 0 0
		answers $role EPERM setuid 0
	done
}

@test "vaultd has no network, whatever the family" {
	allows vaultd socket AF_UNIX SOCK_STREAM 0
	for family in AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_VSOCK; do
		answers vaultd EPERM socket $family SOCK_STREAM 0
	done
	for tid in $(tasks vaultd); do
		[ "$(inject "$tid" socket AF_INET SOCK_STREAM 0)" = EPERM ]
	done
}

@test "vault-egress has the Internet and what a look-up needs, no more" {
	allows vault-egress socket AF_INET SOCK_STREAM 0
	allows vault-egress socket AF_INET6 SOCK_STREAM 0
	allows vault-egress socket AF_NETLINK SOCK_RAW NETLINK_ROUTE
	answers vault-egress EPERM socket AF_NETLINK SOCK_RAW NETLINK_AUDIT
	answers vault-egress EPERM socket AF_PACKET SOCK_RAW 0
	answers vault-egress EPERM socket AF_VSOCK SOCK_STREAM 0
}

@test "vaultd and vault-egress make no code, no dump, and signal nobody" {
	for role in vaultd vault-egress; do
		answers $role EPERM mmap 0 4096 RWX MAP_ANONYMOUS -1 0
		answers $role EPERM memfd_create @x 0
		answers $role EPERM prctl PR_SET_DUMPABLE 1 0 0 0
		answers $role EPERM kill $$ 0
		answers $role EPERM prlimit64 $$ 4 0 0
	done
}

@test "files: each role its own directories, in every thread" {
	grep -q 'landlock=[1-9]' "$BED/log/vault" || skip "this kernel has no Landlock"
	mkdir -p "$BED/elsewhere"
	chmod 777 "$BED/elsewhere"
	echo x >"$BED/elsewhere/readable"
	chmod 644 "$BED/elsewhere/readable"
	for role in $roles; do
		allows $role openat AT_FDCWD "@$BED/state/$role" O_RDONLY 0
		for tid in $(tasks $role); do
			[ "$(inject "$tid" openat AT_FDCWD "@$BED/elsewhere/new" O_CREAT 0600)" = EACCES ]
		done
	done
	for role in $roles; do
		for tid in $(tasks $role); do
			[ "$(inject "$tid" openat AT_FDCWD "@$BED/elsewhere/readable" O_RDONLY 0)" = EACCES ]
		done
		answers $role EACCES openat AT_FDCWD @/usr/bin/env O_RDONLY 0
	done
	[ ! -e "$BED/elsewhere/new" ]
	# Configuration may be read where it must be, and never written.
	allows vaultd openat AT_FDCWD "@$BED/etc/policy.d/story.json" O_RDONLY 0
	answers vaultd EACCES openat AT_FDCWD "@$BED/etc/policy.d/new.json" O_CREAT 0600
	answers vault-egress EACCES openat AT_FDCWD "@$BED/connectors/new.json" O_CREAT 0600
}

@test "the module reads its token and its libraries, and nothing else of the machine" {
	grep -q 'landlock_abi=[1-9]' "$BED/log/vault" || skip "this kernel has no Landlock"
	for path in /etc/passwd /etc/vaultd "$BED/etc/vaultd.conf" "$BED/etc/softhsm2.conf" \
	    "$BED/connectors/github.json" /proc/self/status / /etc /var /home; do
		[ ! -e "$path" ] || answers vault-hsm EACCES openat AT_FDCWD "@$path" O_RDONLY 0
	done
	for path in "$BED/token" "$BED/etc/hsm-pin" /usr/lib "$(dirname "$SOFTHSM_MODULE")"; do
		allows vault-hsm openat AT_FDCWD "@$path" O_RDONLY 0
	done
	answers vault-hsm EACCES openat AT_FDCWD "@$BED/etc/hsm-pin" O_WRONLY 0
	allows vault-hsm openat AT_FDCWD "@$BED/token/made" O_CREAT 0600
}

@test "no role reaches the state, the token or the PIN of another" {
	for role in $roles; do
		for other in $roles; do
			[ $role = $other ] ||
			    answers $role EACCES openat AT_FDCWD "@$BED/state/$other" O_RDONLY 0
		done
	done
	for role in vaultd vault-egress; do
		answers $role EACCES openat AT_FDCWD "@$BED/etc/hsm-pin" O_RDONLY 0
	done
}

@test "each line belongs to the role that asks: the others cannot connect" {
	connects() { bed_as "$1" socat -u OPEN:/dev/null "UNIX-CONNECT:$BED/run/$2" 2>/dev/null; }
	refused() { run connects "$@"; [ "$status" != 0 ]; }
	connects vaultd hsm-from-vaultd.sock
	connects vaultd egress.sock
	connects vault-egress hsm-from-egress.sock
	refused vaultd hsm-from-egress.sock
	refused vault-egress hsm-from-vaultd.sock
	refused vault-egress egress.sock
	refused vault-hsm egress.sock
	refused nobody hsm-from-vaultd.sock
	refused nobody egress.sock
	connects nobody vaultd.sock
}

@test "after all that the same processes serve" {
	[ "$(grep -c 'was ended by signal' "$BED/log/vault")" = 0 ]
	for role in $roles; do kill -0 "$(bed_pid $role)"; done
	bed_await
	"$BIN/vaultctl" status >/dev/null
}
