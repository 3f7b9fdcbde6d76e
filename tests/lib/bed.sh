# bed.sh - a private vault for a test, the demo or `make run`: token, provider, policy,
# configuration, and the roles under vault-launch. Sourced by bash; everything lives in
# $BED (a directory of its own) and ends with bed_down.

. "$(dirname "${BASH_SOURCE[0]}")/not.sh"
BED_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$BED_ROOT/build}
case $BUILD in /*) ;; *) BUILD=$BED_ROOT/$BUILD ;; esac
# The programs of the vault there is, or those that were built.
BIN=$BUILD/bin
[ ! -d "${BED:-/nonexistent}/bin" ] || BIN=$BED/bin
IDP=$BED_ROOT/tests/idp
NODE=$IDP/node_modules/.bin/node
SOFTHSM_MODULE=${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}

bed_new() {	# makes $BED
	BED=${1:-$(mktemp -d /tmp/vaultd-test.XXXXXX)}
	mkdir -p "$BED"/{etc/policy.d,state,run,tls,log,connectors,bin}
	chmod 755 "$BED" "$BED"/{etc,etc/policy.d,state,run,connectors,bin}
	# Users of the test must be able to reach the programs, wherever the tree is.
	cp "$BUILD"/bin/* "$BED/bin/"
	chmod 755 "$BED"/bin/*
	BIN=$BED/bin
	cp "$BED_ROOT"/connectors/*.json "$BED/connectors/"
	chmod 644 "$BED"/connectors/*.json
	export VAULTD_SOCKET=$BED/run/vaultd.sock
}

# As root each role has a system user of its own.
bed_users() {
	[ "$(id -u)" = 0 ] || return 0
	local u
	for u in vaultd vault-hsm vault-egress; do
		id "$u" >/dev/null 2>&1 ||
		    useradd --system --user-group --no-create-home --home-dir /nonexistent \
			--shell /usr/sbin/nologin "$u"
	done
}

bed_own() {	# USER PATH...: give to a role's user, when root
	[ "$(id -u)" = 0 ] || return 0
	local u=$1
	shift
	chown -R "$u:" "$@"
}

bed_token() {	# a SoftHSM2 token of its own
	local pin
	pin=$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
	mkdir -p "$BED/token"
	printf '%s\n' "directories.tokendir = $BED/token" 'objectstore.backend = file' \
	    'objectstore.umask = 0077' 'log.level = ERROR' 'slots.removable = false' \
	    >"$BED/etc/softhsm2.conf"
	SOFTHSM2_CONF=$BED/etc/softhsm2.conf softhsm2-util --init-token --free --label vault \
	    --so-pin "so$pin" --pin "$pin" >/dev/null
	(umask 077; printf '%s\n' "$pin" >"$BED/etc/hsm-pin")
	BED_PIN=$pin
	bed_own vault-hsm "$BED/token" "$BED/etc/hsm-pin"
}

bed_tls() {	# a certificate authority, and the provider's certificate
	(
		cd "$BED/tls"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		    -subj '/CN=vaultd test CA' -keyout ca.key -out ca.pem
		printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n' >ext
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		    -subj '/CN=localhost' -keyout server.key -out server.csr
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
		    -extfile ext -out server.pem
	) >/dev/null 2>&1
	chmod 755 "$BED/tls"
	chmod 644 "$BED/tls/ca.pem"
}

bed_provider() {	# starts the provider; $ISSUER
	HOST=127.0.0.1 PORT=0 TLS_DIR=$BED/tls AT_TTL=${AT_TTL:-60} "$NODE" "$IDP/server.mjs" \
	    >"$BED/log/provider" 2>&1 3>&- &
	BED_PROVIDER=$!
	local i
	for i in $(seq 200); do
		ISSUER=$(sed -n 's/^listening //p' "$BED/log/provider")
		[ -n "$ISSUER" ] && return 0
		kill -0 "$BED_PROVIDER" 2>/dev/null || break
		sleep 0.1
	done
	cat "$BED/log/provider" >&2
	return 1
}

bed_ctl() {	# PATH [JSON]: the provider's control
	if [ $# -gt 1 ]; then
		curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" -d "$2" "$ISSUER/__ctl/$1"
	else
		curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" "$ISSUER/__ctl/$1"
	fi
}

bed_client() {	# ID SECRET REDIRECT_URI: an OAuth app at the provider
	bed_ctl client "{\"client_id\":\"$1\",\"client_secret\":\"$2\",\"redirect_uris\":[\"$3\"]}" \
	    >/dev/null
}

bed_conf() {	# configuration of all roles; more lines: BED_VAULTD, BED_HSM, BED_EGRESS
	printf '%s\n' "state_dir = $BED/state/vaultd" "policy_dir = $BED/etc/policy.d" \
	    "connector_dir = $BED/connectors" "hsm_socket = $BED/run/hsm-from-vaultd.sock" \
	    "egress_socket = $BED/run/egress.sock" \
	    "redirect_base = http://127.0.0.1:${BED_PORT:-8976}/callback" "secret_memory = 2M" \
	    "store_map = 4G" ${BED_VAULTD:+"$BED_VAULTD"} >"$BED/etc/vaultd.conf"
	printf '%s\n' "state_dir = $BED/state/vault-hsm" "module_path = $SOFTHSM_MODULE" \
	    'token = pkcs11:token=vault' "pin_file = $BED/etc/hsm-pin" \
	    "module_env = SOFTHSM2_CONF=$BED/etc/softhsm2.conf" "module_paths = $BED/token" \
	    ${BED_HSM:+"$BED_HSM"} >"$BED/etc/vault-hsm.conf"
	printf '%s\n' "state_dir = $BED/state/vault-egress" "connector_dir = $BED/connectors" \
	    "hsm_socket = $BED/run/hsm-from-egress.sock" "ca_file = $BED/tls/ca.pem" \
	    'allow_address = 127.0.0.1' 'secret_memory = 3M' ${BED_EGRESS:+"$BED_EGRESS"} \
	    >"$BED/etc/vault-egress.conf"
	printf '%s\n' "bin_dir = $BIN" "conf_dir = $BED/etc" "run_dir = $BED/run" \
	    "state_dir = $BED/state" >"$BED/etc/vault-launch.conf"
	chmod 644 "$BED"/etc/*.conf
}

bed_keys() {	# vault-hsm key init, as its own user
	mkdir -p "$BED/state/vault-hsm"
	bed_own vault-hsm "$BED/state/vault-hsm"
	bed_as vault-hsm "$BIN/vault-hsm" -c "$BED/etc/vault-hsm.conf" key init
}

bed_as() {	# USER COMMAND...: as a system user when root, else as we are
	local u=$1
	shift
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid "$u" --regid "$(id -g "$u")" --init-groups -- "$@"
	else
		"$@"
	fi
}

bed_policy() {	# NAME: standard input becomes a policy file
	cat >"$BED/etc/policy.d/$1.json"
	chmod 644 "$BED/etc/policy.d/$1.json"
}

bed_start() {	# the roles, in the background
	"$BIN/vault-launch" -c "$BED/etc/vault-launch.conf" >>"$BED/log/vault" 2>&1 3>&- &
	BED_LAUNCH=$!
}

bed_await() {	# until the HSM is ready and egress is up
	local i
	for i in $(seq 150); do
		if timeout 5 "$BIN/vaultctl" --json status 2>/dev/null | grep -q '"state": *"READY"' &&
		    timeout 5 "$BIN/vaultctl" --json status 2>/dev/null | grep -q '"egress": *"up"'; then
			return 0
		fi
		kill -0 "$BED_LAUNCH" 2>/dev/null || break
		sleep 0.1
	done
	tail -40 "$BED/log/vault" >&2
	return 1
}

bed_pid() { cat "$BED/run/$1.pid"; }	# ROLE

bed_kill() { kill -9 "$(bed_pid "$1")"; }	# ROLE: no warning

bed_stop() {
	[ -z "${BED_LAUNCH:-}" ] && return 0
	kill "$BED_LAUNCH" 2>/dev/null
	wait "$BED_LAUNCH" 2>/dev/null
	BED_LAUNCH=
}

bed_down() {
	bed_stop
	if [ -n "${BED_PROVIDER:-}" ]; then
		kill "$BED_PROVIDER" 2>/dev/null
		wait "$BED_PROVIDER" 2>/dev/null
	fi
	[ -n "${BED_KEEP:-}" ] || rm -rf "$BED"
}

bed_consent() {	# URL [OPTION...]: the person in front of the browser
	NODE_EXTRA_CA_CERTS=$BED/tls/ca.pem "$NODE" "$IDP/authorize.mjs" "$@"
}

# ---- people. As root each is a uid of its own; else all are the one user there is.

BED_ADMIN=4700 BED_ALICE=4701 BED_BOB=4702

bed_uid() {	# UID COMMAND...
	local uid=$1
	shift
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid "$uid" --regid "$uid" --clear-groups -- \
		    env HOME=/nonexistent "$@"
	else
		"$@"
	fi
}
ctl() {		# UID COMMAND...: vaultctl as somebody
	local uid=$1
	shift
	bed_uid "$uid" "$BIN/vaultctl" "$@"
}
bed_subject() {	# UID: as policy files name it
	[ "$(id -u)" = 0 ] && echo "uid:$1" || echo "uid:$(id -u)"
}

bed_example_policy() {	# the policy of the story: own app by default, shared folders closed
	bed_policy story <<P
{
  "policies": {
    "story": {
      "shared": {
        "connection_create": "deny",
        "folder_create": "deny",
        "subfolder_create": "deny",
        "except": ["role:folder-admin", "role:governance-admin"]
      },
      "personal": { "workspace": "allow" },
      "connectors": {
        "openid": {
          "enabled": true,
          "auth_types": ["oauth2_code", "pat"],
          "byoa": { "mode": "required", "app_ref": "acme" }
        }
      }
    }
  },
  "grants": [
    { "role": "governance-admin", "to": ["$(bed_subject $BED_ADMIN)"] },
    { "role": "automation-user", "to": ["everyone"], "folder": "shared/**" }
  ],
  "assign": { "tenant": "story" }
}
P
}

bed_prepare() {	# all of it, but nothing runs except the provider; $ISSUER
	bed_new "${1:-}"
	bed_users
	bed_token
	bed_tls
	bed_provider
	bed_conf
	bed_keys >"$BED/log/keys"
	bed_example_policy
}

bed_up() {	# ready to use
	bed_prepare "${1:-}"
	bed_start
	bed_await
}

bed_export() {	# from setup_file to its tests, which source this file again
	export BED ISSUER BED_LAUNCH BED_PROVIDER BED_PIN VAULTD_SOCKET
}

bed_within() {	# SECONDS COMMAND...: becomes true in that time
	local i n=$(($1 * 20))
	shift
	for i in $(seq $n); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

bed_works() {	# TOKEN: the provider's API takes it
	curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" -H "Authorization: Bearer $1" \
	    "$ISSUER/api/whoami" | grep -q '"sub":"alice"'
}

bed_count() {	# NAME: how often the provider saw that, such as reuse_detected
	bed_ctl stats | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" | grep . || echo 0
}

bed_silent_about_tokens() {	# the provider does not say whether a refresh token is spent
	bed_ctl fault '{"path":"/token/introspection","kind":"status","status":404,"count":9999}' >/dev/null
}

bed_shown() {	# CONNECTION MEMBER: a text of alice's connection
	ctl $BED_ALICE --json connection show "$1" | sed -n "s/.*\"$2\": \"\(.*\)\",*$/\1/p"
}

# With characters that look otherwise in a URL.
BED_SECRET='client-secret/+%&=5ad3c0de'

bed_pages() {	# UID METHOD LIMIT MEMBER [PARAMETERS]: MEMBER of what is on all pages, one a line
	local after='' n
	for n in $(seq 200); do
		ctl "$1" --json call "$2" "{\"limit\":$3${after:+,\"after\":\"$after\"}${5:+,$5}}" >"$BED/log/page" || return
		[ "$(grep -c "^ *\"$4\": " "$BED/log/page")" -le "$3" ] || return
		sed -n "s/^ *\"$4\": \"\(.*\)\",*$/\1/p" "$BED/log/page"
		after=$(sed -n 's/^ *"next": "\(.*\)",*$/\1/p' "$BED/log/page")
		[ -n "$after" ] || return 0
	done
	return 1
}

bed_app() {	# the organisation's own OAuth app, at the vault and at the provider
	local uri
	printf '%s\n' "$BED_SECRET" | ctl $BED_ADMIN --json app add acme openid \
	    --client-id acme-vault --owner "team tools" --purpose "the tests" \
	    --var issuer="$ISSUER" --scope openid \
	    --scope offline_access --scope api:read >"$BED/log/app"
	uri=$(sed -n 's/.*"redirect_uri": "\(.*\)".*/\1/p' "$BED/log/app")
	bed_client acme-vault "$BED_SECRET" "$uri"
}

bed_connect() {	# UID [CONNECTOR] [OPTION of vaultctl connect...]: signs in as alice, consents
	local uid=$1 connector=openid url i pid
	shift
	case ${1:-} in "" | --*) ;; *) connector=$1; shift ;; esac
	rm -f "$BED/log/connect.$uid.err"	# the address of the last one is not this one's
	ctl "$uid" connect "$connector" --no-browser "$@" >"$BED/log/connect.$uid" \
	    2>"$BED/log/connect.$uid.err" </dev/null 3>&- &
	pid=$!
	for i in $(seq 100); do
		url=$(grep -m1 '^https://' "$BED/log/connect.$uid.err" 2>/dev/null || true)
		[ -n "$url" ] && break
		kill -0 $pid 2>/dev/null || break
		sleep 0.05
	done
	if [ -z "$url" ] || ! bed_consent "$url" ${BED_CONSENT:-} >"$BED/log/browser" 2>&1 ||
	    grep -q '^browser: 400' "$BED/log/browser"; then
		kill $pid 2>/dev/null		# nothing will come
	fi
	wait $pid
}
