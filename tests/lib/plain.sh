# plain.sh - a vault whose provider is tests/idp/plain.mjs, and many connections at it. Sourced after
# bed.sh. RATE, LIFETIME: of the provider. Alice owns the connections b0000000, b0000001, ...

LOAD=$BUILD/bench/load

plain_provider() {	# [NAME]: starts one; $ISSUER, $BED_PROVIDER
	local out=$BED/log/plain${1:-} i
	TLS_DIR=$BED/tls RATE=${RATE:-0} LIFETIME=${LIFETIME:-3600} "$NODE" "$IDP/plain.mjs" >"$out" 2>&1 3>&- &
	BED_PROVIDER=$!
	for i in $(seq 200); do
		ISSUER=$(sed -n 's/^listening //p' "$out")
		[ -z "$ISSUER" ] || return 0
		sleep 0.1
	done
	cat "$out" >&2
	return 1
}

plain_connector() {	# ID [MEMBERS]
	cat >"$BED/connectors/$1.json" <<C
{ "id": "$1", "name": "$1", "version": 1, "auth_types": ["oauth2_password", "oauth2_client_credentials", "pat"],
  "token_url": "{issuer}/token", "variables": { "issuer": { "url": true } }, "client_auth": "basic",
  "refresh": "rotating", "revoke": "none"${2:+, $2} }
C
	chmod 644 "$BED/connectors/$1.json"
}

plain_policy() {
	bed_policy plain <<P
{ "policies": { "p": { "connectors": { "*": { "enabled": true,
    "auth_types": ["oauth2_password", "oauth2_client_credentials", "pat"] } } } },
  "grants": [ { "role": "governance-admin", "to": ["$(bed_subject $BED_ADMIN)"] } ],
  "assign": { "tenant": "p" } }
P
}

plain_app() {	# CONNECTOR ISSUER
	echo "secret-of-$1" | ctl $BED_ADMIN app add "app-$1" "$1" --client-id "client-$1" --var issuer="$2" \
	    --owner tests --purpose tests >/dev/null
}

plain_up() {	# a vault with the connector "plain"
	bed_new
	bed_users
	bed_token
	bed_tls
	plain_provider
	plain_connector plain
	bed_conf
	sed -i 's/^secret_memory = 2M/secret_memory = 7M/' "$BED/etc/vaultd.conf"
	bed_keys >"$BED/log/keys"
	rm -f "$BED/etc/policy.d/story.json"
	plain_policy
	bed_start
	bed_await
	plain_app plain "$ISSUER"
}

plain_ctl() {	# PATH [JSON]
	bed_ctl "$@"
}
plain_stat() { plain_ctl stats | sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" | grep . || echo 0; }	# NAME

plain_fill() {	# FROM TO [CLIENTS [CONNECTOR]]: connections by password, each an account of its own
	cp "$LOAD" "$BED/bin/load"
	bed_uid $BED_ALICE "$BED/bin/load" -s "$VAULTD_SOCKET" -m fill -c "${3:-4}" -n "$1" -k "$2" \
	    -j "{\"method\":\"vaultd.Connections.Create\",\"parameters\":{\"connector\":\"${4:-plain}\",\"auth_type\":\"oauth2_password\",\"app\":\"app-${4:-plain}\",\"name\":\"b@\",\"secrets\":{\"username\":\"u@\",\"password\":\"word\"}}}"
}

plain_states() {	# how many connections are in which state
	ctl $BED_ALICE --json connection list | sed -n 's/^ *"state": "\(.*\)",$/\1/p' | sort | uniq -c
}
