#!/usr/bin/env bats
# Providers behind a company's proxy: all that vault-egress sends goes through it, and when it does
# not let us through, that is what is said.

PROXY=19085

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19084 BED_EGRESS="proxy = http://127.0.0.1:$PROXY"
	bed_up
	proxy
	bed_app
	bed_connect $BED_ALICE --name c
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	proxy_ends
	bed_down
}
setup() { . "$BATS_TEST_DIRNAME/lib/bed.sh"; }

proxy_ends() {
	[ -s "$BED/proxy.pid" ] || return 0
	kill "$(cat "$BED/proxy.pid")" 2>/dev/null || true
	bed_within 10 proxy_is_gone
	rm "$BED/proxy.pid"
}
proxy_is_gone() { ! kill -0 "$(cat "$BED/proxy.pid")" 2>/dev/null; }
proxy() {		# [VARIABLE=VALUE]: another one than before
	proxy_ends
	env PORT=$PROXY "$@" "$NODE" "$IDP/proxy.mjs" >"$BED/log/proxy" 3>&- 2>&1 &
	echo $! >"$BED/proxy.pid"
	bed_within 10 grep -q '^listening' "$BED/log/proxy"
}
tunnels() { grep -c "^CONNECT ${ISSUER#https://}\$" "$BED/log/proxy"; }
vault() { ctl $BED_ALICE "$@"; }
field() { vault --json token get c | sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p"; }
renew() { vault token get c --refused-generation "$(field generation)"; }
renews() { renew >/dev/null 2>&1; }
refused_by_the_proxy() {	# ERROR WORDS: nothing is sent, and it is said where it stopped
	local ok
	ok=$(bed_count 'refresh_token:200')
	run vault --json token get c --refused-generation "$(field generation)"
	[ "$status" = 6 ] && [[ $output == *"\"error\": \"vaultd.Tokens.$1\""* && $output == *"proxy 127.0.0.1:$PROXY"* && $output == *$2* ]] ||
	    { echo "$output"; return 1; }
	[ "$(bed_count 'refresh_token:200')" = "$ok" ]
	bed_works "$(field access_token)"	# the living one is served
}

@test "discovery, sign-in, refresh and revocation go through it" {
	n=$(tunnels)
	[ "$n" -ge 2 ]		# discovery when the app was added, then the code
	bed_works "$(renew)"
	[ "$(tunnels)" = $((n + 1)) ]
	bed_connect $BED_ALICE --name gone
	n=$(tunnels) revoked=$(bed_count revoked)
	vault connection delete gone >/dev/null
	[ "$(bed_count revoked)" -gt "$revoked" ]
	[ "$(tunnels)" -gt "$n" ]
}

@test "the proxy is down: nothing goes past it, the error names it, and it heals" {
	proxy_ends
	refused_by_the_proxy UnreachableProxy "onnect"
	for _ in $(seq 40); do		# asking often is not what is wrong
		run renew
		[ "$status" = 6 ] && [[ $output == *"proxy 127.0.0.1:$PROXY"* ]] || { echo "$output"; return 1; }
	done
	proxy
	bed_within 20 renews
	[ "$(tunnels)" -ge 1 ]
	bed_works "$(field access_token)"
}

@test "the proxy says no: its answer is told as the proxy's, not as the provider's" {
	for code in 403 407 502; do
		proxy DENY=$code
		refused_by_the_proxy UnreachableProxy "$code"
		[ "$(tunnels)" -ge 1 ]
		proxy
		bed_within 20 renews
	done
}
