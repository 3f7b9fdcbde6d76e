#!/usr/bin/env bats
# The order of things, as the kernel sees it: what must be on stable storage before it is said.
# A SIGKILL cannot show it, for the page cache survives; the calls themselves can.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19073
	bed_up
	bed_app
	bed_connect $BED_ALICE --name c
	ctl $BED_ALICE token get c >/dev/null
	bed_export
}
teardown_file() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; bed_down; }
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	[ "$(id -u)" = 0 ] || skip "only root may trace another process"
}

watched() {		# ROLE CALLS COMMAND...: $BED/seen gets the calls of ROLE, in order
	local role=$1 calls=$2 tracer
	shift 2
	strace -f -yy -s 24 -e "trace=$calls" -o "$BED/seen" -p "$(bed_pid "$role")" 2>"$BED/strace" 3>&- &
	tracer=$!
	for _ in $(seq 100); do
		grep -q attached "$BED/strace" && break
		sleep 0.05
	done
	sleep 0.2
	"$@"
	sleep 0.2
	kill -INT $tracer
	wait $tracer || true
}
line_of() { grep -nm1 -E "$1" "$BED/seen" | cut -d: -f1; }	# PATTERN
before() {		# FIRST SECOND: both are there, in this order
	local a b
	a=$(line_of "$1") b=$(line_of "$2")
	[ -n "$a" ] && [ -n "$b" ] && [ "$a" -lt "$b" ] || { cat "$BED/seen"; return 1; }
}
between() {		# FIRST SECOND THIRD: a second one after the first and before the third
	awk -v a="$1" -v b="$2" -v c="$3" '$0 ~ a { at = 1 } at && $0 ~ b { good = 1 }
	    at && $0 ~ c { exit !good } END { if (!good) exit 1 }' "$BED/seen" || { cat "$BED/seen"; return 1; }
}
ANSWER='sendmsg[(][0-9]*<UNIX-STREAM.*(parameters|error)'
LINE='pwritev2[(].*audit-.*RWF_DSYNC'

@test "a token leaves when its audit line is on the disk" {
	watched vaultd pwritev2,sendmsg ctl $BED_ALICE token get c >/dev/null
	before "$LINE" "$ANSWER"
}

@test "a change is said to be made when its line and then the store are" {
	watched vaultd pwritev2,fdatasync,msync,sendmsg,pwrite64,pwritev \
	    ctl $BED_ALICE connection rename c d >/dev/null
	before "$LINE" "$ANSWER"
	# Not the first one: the store is told of the log's last line every second.
	between "$LINE" 'fdatasync[(].*data[.]mdb' "$ANSWER"
}

@test "a refresh token leaves when the file for its answer is; the answer is said when it is kept" {
	gen=$(ctl $BED_ALICE --json token get d | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	watched vault-egress fsync,fdatasync,write,sendto,sendmsg \
	    ctl $BED_ALICE token get d --refused-generation "$gen" >/dev/null
	# The last bytes to the provider are the request: both syncs of the file come before.
	sent=$(grep -nE '(sendto|write|sendmsg)\([0-9]*<TCP' "$BED/seen" | tail -1 | cut -d: -f1)
	made=$(grep -nE 'f(data)?sync\([0-9]*<.*spool' "$BED/seen" | head -1 | cut -d: -f1)
	kept=$(grep -nE 'f(data)?sync\([0-9]*<.*spool' "$BED/seen" | tail -1 | cut -d: -f1)
	told=$(grep -nE '(sendto|write|sendmsg)\([0-9]*<UNIX-STREAM' "$BED/seen" | tail -1 | cut -d: -f1)
	[ -n "$made" ] && [ "$made" -lt "$sent" ] && [ "$sent" -lt "$kept" ] && [ "$kept" -lt "$told" ] ||
	    { echo "$made $sent $kept $told"; cat "$BED/seen"; return 1; }
}
