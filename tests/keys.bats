#!/usr/bin/env bats
# OAuth apps that sign: private_key_jwt and mutual TLS with the key in the HSM, made there or
# brought in, what of it is registered, and what becomes of it.

setup_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	export AT_TTL=300 BED_PORT=19420
	bed_prepare
	sed -i 's/"auth_types": \[/&"oauth2_client_credentials", "jwt_bearer", /; s/"id"/"grant_params": ["sub"], &/' "$BED/connectors/openid.json"
	cp "$BED/connectors/openid.json" "$BED/openid.json"
	bed_start
	bed_await
	bed_export
}
teardown_file() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	bed_down
}
setup() {
	. "$BATS_TEST_DIRNAME/lib/bed.sh"
	A=app$BATS_TEST_NUMBER
	T=$BED/files.$BATS_TEST_NUMBER	# vaultctl of another user reads there
	mkdir -p "$T"
	chmod 755 "$T"
	bed_ctl clear '{}'
}

admin() { chmod -R a+rX "$T"; ctl $BED_ADMIN "$@"; }
quietly() { "$@" >"$T/quiet" 2>&1; }
member() { python3 -c 'import json, sys
v = json.load(sys.stdin)
for k in sys.argv[1].split("."): v = v[int(k)] if k.isdigit() else v[k]
print(v)' "$1"; }
# An app at the vault: APP AUTH [OPTION...]
app() {
	admin --json app add "$1" openid --client-id "$1" --owner tests --purpose tests --var issuer="$ISSUER" --scope openid \
	    --scope offline_access --client-auth "$2" "${@:3}" >"$T/app"
	URI=$(member app.redirect_uri <"$T/app")
}
# And at the provider: APP METHOD [MEMBER...]
registered() {
	bed_ctl client "{\"client_id\":\"$1\",\"redirect_uris\":[\"$URI\"],\"token_endpoint_auth_method\":\"$2\",
	    \"jwks\":$(admin app key "$1" --jwks)${3:+,$3}}" >/dev/null
}
use_app() {		# APP: the one that the policy names
	bed_example_policy
	sed -i "s/\"acme\"/\"$1\"/; s/\"auth_types\": \[/&\"oauth2_client_credentials\", \"jwt_bearer\", /" \
	    "$BED/etc/policy.d/story.json"
	admin policy reload >/dev/null
}
renew() {		# CONNECTION: as if the API had refused its token
	ctl $BED_ALICE token get "$1" --refused-generation \
	    "$(ctl $BED_ALICE --json token get "$1" | sed -n 's/.*"generation": \([0-9]*\).*/\1/p')"
}
connects() {		# APP: signs in, and renews the token afterwards
	use_app "$1"
	bed_connect $BED_ALICE --name "$1"
	first=$(ctl $BED_ALICE token get "$1")
	bed_works "$first"
	second=$(renew "$1")
	[ "$second" != "$first" ]
	bed_works "$second"
}
pairs() { ls "$BED"/state/vault-hsm/pair-* 2>/dev/null | wc -l; }

@test "row 21: private_key_jwt with a key made in the HSM: RS256, PS256, ES256" {
	for case in rsa:RS256 rsa:PS256 ec:ES256; do
		a=$A-${case#*:}
		app $a private_key_jwt --key ${case%:*} --algorithm ${case#*:}
		[ "$(member app.key_kind <"$T/app")" = ${case%:*} ]
		registered $a private_key_jwt "\"token_endpoint_auth_signing_alg\":\"${case#*:}\""
		connects $a
	done
}

@test "row 21: a key from a file: it is in the token, and in no file, log or spool of the vault" {
	for type in RSA:RS256 EC:ES256; do
		a=$A-${type%:*}
		quietly openssl genpkey -algorithm ${type%:*} $([ ${type%:*} = EC ] && echo -pkeyopt ec_paramgen_curve:P-256) -out "$T/key.pem"
		app $a private_key_jwt --import-key "$T/key.pem" --kid my-key
		registered $a private_key_jwt "\"token_endpoint_auth_signing_alg\":\"${type#*:}\""
		[ "$(admin --json app key $a | member key.kid)" = my-key ]
		[ "$(admin --json app key $a | member key.imported)" = True ]
		diff <(admin app key $a --pem) <(openssl pkey -in "$T/key.pem" -pubout)
		connects $a
		# Its lines, and its bytes, are nowhere but in the token's own files.
		grep -v -- ----- "$T/key.pem" | head -3 >"$T/lines"
		not grep -rqF -f "$T/lines" "$BED/state" "$BED/log" "$BED/run"
		python3 - "$T/key.pem" "$BED/state" "$BED/log" <<-'P'
			import base64, os, sys
			der = base64.b64decode(''.join(l for l in open(sys.argv[1]) if '-----' not in l))
			for top in sys.argv[2:]:
			    for d, _, files in os.walk(top):
			        for f in files:
			            t = open(os.path.join(d, f), 'rb').read() if os.path.isfile(os.path.join(d, f)) else b''
			            # behind what is public: the number of an EC key, of RSA all from the exponent on
			            for at in (36, 44) if len(der) < 200 else range(len(der) // 2, len(der) - 24, 24):
			                assert der[at:at + 24] not in t and der[at:at + 24].hex().encode() not in t, (d, f)
		P
	done
}

@test "row 21: mutual TLS with a certificate that the key signed itself; the token is bound to it" {
	for kind in ec rsa; do
		a=$A-$kind
		app $a tls_client_auth --key $kind
		admin app key $a --certificate >"$T/cert.pem"
		der=$(openssl x509 -in "$T/cert.pem" -outform DER | base64 -w0)
		jwk=$(admin app key $a --jwk | python3 -c "import json,sys; k=json.load(sys.stdin); k['x5c']=['$der']; del k['alg']; print(json.dumps(k))")
		bed_ctl client "{\"client_id\":\"$a\",\"redirect_uris\":[\"$URI\"],\"token_endpoint_auth_method\":\"self_signed_tls_client_auth\",
		    \"tls_client_certificate_bound_access_tokens\":true,\"jwks\":{\"keys\":[$jwk]}}"
		connects $a
		bound=$(curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" -H "Authorization: Bearer $second" "$ISSUER/api/whoami" | member bound)
		[ "$bound" = "$(admin --json app key $a | member key.x5t_s256)" ]
		[ "$bound" = "$(openssl x509 -in "$T/cert.pem" -outform DER | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=')" ]
		# Egress went where the provider's metadata says that it asks for certificates.
		[ "$(admin --json app show $a | member app.token_url)" != "$ISSUER/token" ]
	done
}

@test "row 21: mutual TLS with a certificate of an authority, by a request that the key signed" {
	app $A tls_client_auth --key ec
	admin app key $A --csr --common-name "vault of acme" >"$T/req.pem"
	openssl req -in "$T/req.pem" -verify -noout
	quietly openssl x509 -req -in "$T/req.pem" -CA "$BED/tls/ca.pem" -CAkey "$BED/tls/ca.key" -CAcreateserial -days 40 -out "$T/cert.pem"
	bed_ctl client "{\"client_id\":\"$A\",\"redirect_uris\":[\"$URI\"],\"token_endpoint_auth_method\":\"tls_client_auth\",
	    \"tls_client_auth_subject_dn\":\"CN=vault of acme\"}"
	# Before: the provider does not know the certificate that the key has.
	use_app $A
	run bed_connect $BED_ALICE --name before
	[ "$status" -ne 0 ]
	admin app set-certificate $A --certificate "$T/cert.pem"
	[ "$(admin --json app show $A | member app.certificate_expires)" = "$(date +%s -d "$(openssl x509 -in "$T/cert.pem" -noout -enddate | cut -d= -f2)")" ]
	[ "$(admin --json app key $A | member key.certificate_issuer)" = 'CN=vaultd test CA' ]
	connects $A
	# One of another key, one that is over, one that is none.
	quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 5 -subj /CN=other -keyout "$T/k" -out "$T/other.pem"
	run admin app set-certificate $A --certificate "$T/other.pem"
	[ "$status" -ne 0 ]
	[[ $output == *"for another key"* ]]
	quietly openssl x509 -req -in "$T/req.pem" -CA "$BED/tls/ca.pem" -CAkey "$BED/tls/ca.key" -CAcreateserial -days -1 -out "$T/over.pem"
	run admin app set-certificate $A --certificate "$T/over.pem"
	[[ $output == *"not valid any more"* ]]
	run admin app set-certificate $A --certificate "$T/req.pem"
	[[ $output == *"no certificate in PEM"* ]]
	bed_works "$(renew $A)"
}

@test "row 21: mutual TLS under TLS 1.2, EC and RSA" {
	old=$(bed_ctl tls12 | member mtls)
	for kind in ec rsa; do
		a=$A-$kind
		bed_ctl fault "{\"path\":\"/.well-known/openid-configuration\",\"kind\":\"rewrite\",\"set\":{\"mtls_endpoint_aliases\":{\"token_endpoint\":\"$old/token\"}}}"
		app $a tls_client_auth --key $kind
		[ "$(member app.token_url <"$T/app")" = "$old/token" ]
		admin app key $a --csr --common-name "$a" >"$T/req.pem"
		quietly openssl x509 -req -in "$T/req.pem" -CA "$BED/tls/ca.pem" -CAkey "$BED/tls/ca.key" -CAcreateserial -days 40 -out "$T/cert.pem"
		admin app set-certificate $a --certificate "$T/cert.pem"
		bed_ctl client "{\"client_id\":\"$a\",\"redirect_uris\":[\"$URI\"],\"token_endpoint_auth_method\":\"tls_client_auth\",
		    \"tls_client_auth_subject_dn\":\"CN=$a\"}"
		connects $a
	done
}

@test "row 21: a key and its certificate brought in together, for mutual TLS" {
	quietly openssl req -newkey rsa:2048 -nodes -subj "/CN=$A" -keyout "$T/key.pem" -out "$T/req.pem"
	quietly openssl x509 -req -in "$T/req.pem" -CA "$BED/tls/ca.pem" -CAkey "$BED/tls/ca.key" -CAcreateserial -days 40 -out "$T/cert.pem"
	n=$(pairs)
	# Another key's certificate: nothing is made of it.
	quietly openssl genpkey -algorithm RSA -out "$T/other.pem"
	run app $A tls_client_auth --import-key "$T/other.pem" --certificate "$T/cert.pem"
	[ "$status" -ne 0 ]
	[ "$(pairs)" = "$n" ]
	app $A tls_client_auth --import-key "$T/key.pem" --certificate "$T/cert.pem"
	bed_ctl client "{\"client_id\":\"$A\",\"redirect_uris\":[\"$URI\"],\"token_endpoint_auth_method\":\"tls_client_auth\",
	    \"tls_client_auth_subject_dn\":\"CN=$A\"}"
	connects $A
}

@test "row 21: the connector says how assertions name their key, for whom they are, and by which algorithm" {
	app $A private_key_jwt --key rsa
	registered $A private_key_jwt '"token_endpoint_auth_signing_alg":"RS256"'
	connects $A
	[ "$(bed_ctl stats | member assertion.aud)" = "$ISSUER" ]
	[ "$(bed_ctl stats | member assertion.kid)" = "$(admin app key $A --jwk | member kid)" ]
	[ "$(bed_ctl stats | member assertion.sub)" = $A ]
	# Another kind of provider, which knows the key by its certificate and wants PS256.
	python3 - "$BED/connectors/openid.json" <<-'P'
		import json, sys
		c = json.load(open(sys.argv[1]))
		c.update(assertion_header="x5t_s256", assertion_audience="token_url", assertion_alg="PS256")
		json.dump(c, open(sys.argv[1], "w"))
	P
	bed_kill vault-egress
	bed_within 10 bed_await
	a=$A-x5t
	app $a private_key_jwt --key rsa --certificate-days 90
	registered $a private_key_jwt '"token_endpoint_auth_signing_alg":"PS256"'
	connects $a
	bed_ctl stats >"$T/stats"
	[ "$(member assertion.aud <"$T/stats")" = "$ISSUER/token" ]
	[ "$(member assertion.alg <"$T/stats")" = PS256 ]
	admin app key $a --certificate >"$T/cert.pem"
	[ "$(member 'assertion.x5t#S256' <"$T/stats")" = "$(openssl x509 -in "$T/cert.pem" -outform DER | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=')" ]
	not member assertion.kid <"$T/stats" 2>/dev/null
	openssl x509 -in "$T/cert.pem" -noout -checkend $((89 * 86400))
	not openssl x509 -in "$T/cert.pem" -noout -checkend $((91 * 86400))
	# Its key is an EC one: that cannot be.
	run app $a-ec private_key_jwt --key ec
	[ "$status" -ne 0 ]
	cp "$BED/openid.json" "$BED/connectors/"
	bed_kill vault-egress
	bed_within 10 bed_await
}

create() {		# NAME TYPE VARIABLES
	ctl $BED_ALICE --json call vaultd.Connections.Create "{\"connector\":\"openid\",\"name\":\"$1\",
	    \"auth_type\":\"$2\",\"variables\":$3,\"scopes\":[\"api:read\"]}"
}
whoami() { curl -sS --noproxy '*' --cacert "$BED/tls/ca.pem" -H "Authorization: Bearer $1" "$ISSUER/api/whoami"; }

@test "row 20, row 21: client credentials, the client shown by private_key_jwt" {
	app $A private_key_jwt --key ec
	registered $A private_key_jwt '"grant_types":["client_credentials"],"redirect_uris":[],"response_types":[],"token_endpoint_auth_signing_alg":"ES256"'
	use_app $A
	create $A oauth2_client_credentials '{}'
	[ "$(whoami "$(ctl $BED_ALICE token get $A)" | member client_id)" = $A ]
	first=$(ctl $BED_ALICE token get $A)
	[ "$(renew $A)" != "$first" ]
}

@test "row 21: JWT bearer, for whom the key was made and for nobody else" {
	grants='"grant_types":["urn:ietf:params:oauth:grant-type:jwt-bearer"],"redirect_uris":[],"response_types":[]'
	app $A none --key ec --subject alice
	registered $A none "$grants"
	use_app $A
	create $A jwt_bearer '{}'
	bed_works "$(ctl $BED_ALICE token get $A)"
	[ "$(bed_ctl stats | member grant_assertion.sub)" = alice ]
	first=$(ctl $BED_ALICE token get $A)
	second=$(renew $A)
	[ "$second" != "$first" ]
	bed_works "$second"
	run create $A-bob jwt_bearer '{"sub":"bob"}'
	[ "$status" -ne 0 ]
	[[ $output == *"its sub is not what was recorded"* ]]
	# A key for anybody: each connection says for whom.
	a=$A-any
	app $a none --key rsa --subject '*'
	registered $a none "$grants"
	use_app $a
	run create $a-none jwt_bearer '{}'
	[ "$status" -ne 0 ]
	create $a jwt_bearer '{"sub":"bob"}'
	[ "$(whoami "$(ctl $BED_ALICE token get $a)" | member sub)" = bob ]
}

@test "what does not fit is said before a key is made, and a deleted app takes its key along" {
	n=$(pairs)
	said() { run app "$@"; echo "$output"; [ "$status" -ne 0 ]; }
	said $A private_key_jwt
	[[ $output == *"needs a key"* ]]
	said $A private_key_jwt --key dsa
	[[ $output == *"rsa ec import"* ]]
	said $A private_key_jwt --key ec --algorithm RS256
	said $A private_key_jwt --key rsa --algorithm HS256
	said $A private_key_jwt --key ec --subject somebody
	[[ $output == *"the subject is the client id"* ]]
	said $A tls_client_auth --key ec --subject somebody
	printf 'x' >"$T/x"
	said $A private_key_jwt --import-key "$T/x"
	[[ $output == *"no PEM file"* ]]
	printf -- '-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n' >"$T/x"
	said $A private_key_jwt --import-key "$T/x"
	[[ $output == *"no private key in PEM"* ]]
	[ "$(pairs)" = "$n" ]
	app $A private_key_jwt --key ec
	[ "$(pairs)" = $((n + 1)) ]
	run admin app set-secret $A </dev/null
	[ "$status" -ne 0 ]
	id=$(admin --json app key $A | member key.id)
	admin app delete $A
	gone() { [ ! -e "$BED/state/vault-hsm/pair-$id" ]; }
	bed_within 10 gone
	[ "$(pairs)" = "$n" ]
	# One that names nobody's app.
	run admin app key $A
	[ "$status" -ne 0 ]
}

@test "the HSM is away: nothing is sent, and afterwards it goes on" {
	app $A private_key_jwt --key ec
	registered $A private_key_jwt '"token_endpoint_auth_signing_alg":"ES256"'
	connects $A
	mv "$BED/token" "$BED/token.away"
	bed_kill vault-hsm
	n=$(bed_count refresh_token:200)
	run renew $A
	[ "$(bed_count refresh_token:200)" = "$n" ]
	mv "$BED/token.away" "$BED/token"
	renewed() { t=$(renew $A 2>/dev/null) && [ "$t" != "$second" ]; }
	bed_within 60 renewed
	bed_works "$t"
}
