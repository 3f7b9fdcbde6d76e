#!/usr/bin/env bats
# A full disk: nothing is released or changed without a line in the log, nothing is lost, what
# needs no disk goes on, and all of it bed_within 10 succeeds by itself.

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19075 BED_VAULTD=$'audit_segment = 64k\nstore_ballast = 512k\nstore_map = 64M'
	bed_prepare
	sed -i '/^store_map = 4G/d' "$BED/etc/vaultd.conf"
	for d in audit store; do
		mkdir -p "$BED/state/vaultd/$d"
		mount -t tmpfs -o size=8m,mode=0700,uid="$(id -u vaultd)" tmpfs "$BED/state/vaultd/$d"
	done
	chown vaultd: "$BED/state/vaultd"
	bed_start
	bed_await
	bed_app
	bed_connect $BED_ALICE --name c
	bed_export
}
teardown_file() {
	[ "$(id -u)" = 0 ] || return 0
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_stop
	umount "$BED/state/vaultd/audit" "$BED/state/vaultd/store"
	bed_down
}
setup() {
	[ "$(id -u)" = 0 ] || skip "needs root: small file systems of its own"
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
}

vault() { ctl $BED_ALICE "$@"; }
fill() { dd if=/dev/zero of="$BED/state/vaultd/$1/filler" bs=4k 2>/dev/null || true; }
free() { rm "$BED/state/vaultd/$1/filler"; }
# Of trouble with the disk, and that it is over.
told() { [ "$(vault events list --type "$1" --type writable | grep -oE "$1|writable" | tail -1)" = writable ] &&
    vault events list --type "$1" | grep -q "$1"; }
succeeds() { vault "$@" >/dev/null 2>&1; }

@test "no room for the audit log: no token, no change; lists, status and refusals go on" {
	fill audit
	# What is left of the segment, and the spare one, are used first.
	for _ in $(seq 400); do
		vault token get c >/dev/null 2>"$BED/log/full" || break
	done
	grep -q 'audit log' "$BED/log/full"
	run vault token get c
	[ "$status" = 6 ]
	[[ $output == *"audit log cannot be written"* && $output == *"operator"* ]]
	run vault connection rename c other
	[ "$status" = 6 ]
	vault --json connection list | grep -q '"name": "c"'
	"$BIN/vaultctl" status | grep -q audit
	sleep 1.1	# of one second there is one line
	run vault folder create shared/x
	[ "$status" = 4 ]
	free audit
	bed_within 10 succeeds token get c
	grep -ah '"action":"vaultd.Folders.Create".*"decision":"deny"' "$BED"/state/vaultd/audit/audit-* | grep -q '"besides":[1-9]'
	"$BIN/vaultctl" audit verify "$BED/state/vaultd/audit" | grep -q '^ok'
	bed_within 10 told audit_unwritable		# row 83
}

@test "no room for the store: tokens are served, a change is refused whole, and heals" {
	fill store
	for i in $(seq 200); do
		printf 'pat-good-%08000d' "$i" | vault connection create openid --auth-type pat --name "p$i" \
		    --var issuer="$ISSUER" >/dev/null 2>"$BED/log/full" || break
	done
	grep -q 'store cannot be written\|StoreUnwritable\|free space' "$BED/log/full"
	run vault connection show "p$i"
	[ "$status" = 3 ]			# not half of it is there
	[ -n "$(vault token get c)" ]
	gen=$(vault --json token get c | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')
	sent=$(bed_count refresh_token:200)
	run vault token get c --refused-generation "$gen"
	[ "$status" != 0 ]
	[ "$(bed_count refresh_token:200)" = "$sent" ]
	free store
	bed_within 10 succeeds connection rename c after
	bed_within 10 succeeds token get after --refused-generation "$gen"
	"$BIN/vaultctl" audit verify "$BED/state/vaultd/audit" | grep -q '^ok'
	bed_within 10 told store_unwritable
}
