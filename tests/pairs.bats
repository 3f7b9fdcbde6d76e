#!/usr/bin/env bats
# Key pairs of connections on the lines of vault-hsm: who may ask, what a key signs, what it
# refuses to sign, what becomes of it when the token fails.

bats_require_minimum_version 1.5.0
. "$BATS_TEST_DIRNAME/lib/hsm.sh"
NODE=$BATS_TEST_DIRNAME/idp/node_modules/.bin/node
ISS=https://as.example.test
setup() {
	hsm_setup
	init >/dev/null
	start
	await READY
}
teardown() { hsm_teardown; }

pair() { "$TOOL" pair "$G" "$@"; }		# RECORD KIND USE ISS SUB AUD [PEM]
assertion() { pair $R1 "$1" assertion client-1 client-1 $ISS "${@:2}"; }
unhex() { python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'; }
spki() {		# ID: the public key as PEM in $D/pub
	"$TOOL" public "$G" $R1 "$1" | cut -d' ' -f4 | tr -d '\n' | unhex |
	    openssl pkey -pubin -inform DER -out "$D/pub"
}
jwt() { "$TOOL" jwt "$G" $R1 "$@"; }		# ID ALG ISS SUB AUD [NAME=VALUE]
verified() { "$NODE" "$BATS_TEST_DIRNAME/idp/verify.mjs" "$1" "$D/pub"; }
member() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
privates() { p11 -O | grep -c '^Private Key' || true; }
refused() { run "$@"; [ "$status" -eq 1 ]; [[ $output == *HsmRefused* ]]; }
tbs13() { printf '%64s%s\0%s' '' "${1:-TLS 1.3, client CertificateVerify}" 0123456789abcdef0123456789abcdef >"$D/tbs"; }

@test "row 21: RS256, PS256 and ES256 by keys of the token, as another implementation checks them" {
	for case in rsa:RS256 rsa:PS256 ec:ES256; do
		id=$(assertion ${case%:*})
		spki $id
		now=$(date +%s)
		jwt $id ${case#*:} client-1 client-1 $ISS 'scope=a "b\" c' | verified ${case#*:} >"$D/claims"
		[ "$(member iss <"$D/claims")" = client-1 ]
		[ "$(member sub <"$D/claims")" = client-1 ]
		[ "$(member aud <"$D/claims")" = $ISS ]
		[ "$(member kid <"$D/claims")" = k1 ]
		[ "$(member scope <"$D/claims")" = 'a "b\" c' ]
		iat=$(member iat <"$D/claims") exp=$(member exp <"$D/claims")
		[ $((exp - iat)) -le 60 ]
		[ $iat -lt $now ]
		[ $exp -gt $now ]
	done
	[ "$(jwt $id ES256 client-1 client-1 $ISS | verified ES256 | member jti)" != "$(member jti <"$D/claims")" ]
}

@test "row 21: the keys can sign, and nothing else: never leave, never be used without the PIN" {
	assertion rsa
	assertion ec
	run p11 -O
	[ "$(grep -c 'Usage: *sign$' <<<"$output")" -eq 2 ]
	[ "$(grep -c 'sensitive, always sensitive, never extractable, local$' <<<"$output")" -eq 4 ]
	[ "$(grep -c "label: *vault-app-$R1-assertion" <<<"$output")" -eq 2 ]
	run pkcs11-tool --module "$SOFTHSM" --token-label vault -O
	[[ $output != *"Private Key"* ]]
	[ "$(stat -c %a "$D"/state/pair-* | sort -u)" = 600 ]
}

@test "an assertion that says anything else than was recorded is not signed" {
	id=$(assertion rsa)
	refused jwt $id RS256 client-2 client-1 $ISS
	[[ $output == *"its iss is not what was recorded"* ]]
	refused jwt $id RS256 client-1 admin $ISS
	[[ $output == *"its sub is not"* ]]
	refused jwt $id RS256 client-1 client-1 https://evil.example.test
	[[ $output == *"its aud is not"* ]]
	refused jwt $id RS256 client-1 client-1 $ISS/
	refused jwt $id RS256 client-1 client-1 ''
	refused jwt $id ES256 client-1 client-1 $ISS
	for name in iss sub aud exp iat nbf jti '' 'a"b'; do
		refused jwt $id RS256 client-1 client-1 $ISS "$name=x"
	done
	refused jwt $id RS256 client-1 client-1 $ISS a=1 a=2
	run jwt $id RS256 client-1 client-1 $ISS "a=$(printf '\377')"
	[ "$status" -eq 1 ]
	jwt $id RS256 client-1 client-1 $ISS a=1
	# A key that was made for any subject: its issuer and audience are still the recorded ones.
	id=$(pair $R1 ec assertion client-1 '*' $ISS)
	jwt $id ES256 client-1 somebody@example.test $ISS
	refused jwt $id ES256 client-2 somebody@example.test $ISS
	refused jwt $id ES256 client-1 '' $ISS
}

@test "only the line of vault-egress: that of vaultd makes, sees and signs nothing" {
	id=$(assertion ec)
	refused "$TOOL" pair "$V" $R1 ec assertion client-1 client-1 $ISS
	refused "$TOOL" public "$V" $R1 $id
	refused "$TOOL" jwt "$V" $R1 $id ES256 client-1 client-1 $ISS
	refused "$TOOL" certify "$V" $R1 $id x 10
	refused "$TOOL" destroy "$V" $R1 $id
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$D/k.pem"
	refused "$TOOL" pair "$V" $R1 ec assertion client-1 client-1 $ISS "$D/k.pem"
	# And a key is that of one record.
	refused "$TOOL" jwt "$G" $R2 $id ES256 client-1 client-1 $ISS
	refused "$TOOL" public "$G" $R2 $id
	refused "$TOOL" destroy "$G" $R2 $id
	jwt $id ES256 client-1 client-1 $ISS
	grep -q 'request refused line=from-vaultd op=generate' "$D/log"
}

@test "row 21: a key from outside signs like its file, is in the token alone, and cannot leave it" {
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$D/rsa.pem"
	openssl rsa -in "$D/rsa.pem" -traditional -out "$D/rsa1.pem"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$D/ec.pem"
	for case in rsa:RS256 rsa1:RS256 ec:ES256; do
		id=$(assertion rsa "$D/${case%:*}.pem")
		spki $id
		diff "$D/pub" <(openssl pkey -in "$D/${case%:*}.pem" -pubout)
		jwt $id ${case#*:} client-1 client-1 $ISS | verified ${case#*:} >/dev/null
		"$TOOL" public "$G" $R1 $id | grep -q ' imported '
	done
	run p11 -O
	[ "$(grep -c 'Access: *sensitive$' <<<"$output")" -eq 3 ]
	d=$(openssl rsa -in "$D/rsa.pem" -noout -text | sed -n '/privateExponent/,/prime1/p' | tr -dc '0-9a-f' | cut -c 40-80)
	[ -n "$d" ]
	not grep -rq "$d" "$D/state" "$D/log"
}

@test "what is no key, or not one we take, is said; nothing is left in the token" {
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$D/small.pem"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$D/p384.pem"
	openssl genpkey -algorithm ED25519 -out "$D/ed.pem"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x -out "$D/enc.pem"
	openssl pkey -in "$D/p384.pem" -pubout -out "$D/public.pem"
	printf 'nonsense' >"$D/junk.pem"
	for case in 'small:1024 bits' 'p384:curve' 'ed:type' 'enc:encrypted' 'public:no private key' 'junk:no private key'; do
		run assertion rsa "$D/${case%%:*}.pem"
		[ "$status" -eq 1 ]
		[[ $output == *InvalidParameter* ]]
		[[ $output == *"${case#*:}"* ]]
	done
	run pair $R1 rsa assertion '' client-1 $ISS
	[ "$status" -eq 1 ]
	run pair $R1 rsa assertion client-1 client-1 ''
	[ "$status" -eq 1 ]
	run pair $R1 rsa assertion "$(printf 'a\nb')" client-1 $ISS
	[ "$status" -eq 1 ]
	[ "$(privates)" -eq 0 ]
	[ -z "$(ls "$D"/state/pair-* 2>/dev/null)" ]
}

@test "a key for TLS signs what a TLS client proves itself with, and no assertion; and the other way" {
	id=$(pair $R1 ec tls '' '' '')
	tbs13
	spki $id
	"$TOOL" tls "$G" $R1 $id 0x0403 "$D/tbs" | unhex >"$D/sig"
	openssl dgst -sha256 -verify "$D/pub" -signature "$D/sig" "$D/tbs"
	refused jwt $id ES256 client-1 client-1 $ISS
	refused "$TOOL" tls "$G" $R1 $id 0x0401 "$D/tbs"
	for text in 'TLS 1.3, server CertificateVerify' 'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0'; do
		tbs13 "$text"
		refused "$TOOL" tls "$G" $R1 $id 0x0403 "$D/tbs"
	done
	printf 'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0' >"$D/tbs"
	refused "$TOOL" tls "$G" $R1 $id 0x0403 "$D/tbs"
	printf '0123456789abcdef0123456789abcdef' >"$D/tbs"		# a digest
	refused "$TOOL" tls "$G" $R1 $id 0x0403 "$D/tbs"
	# TLS 1.2: hello, hello, request, done, key exchange; and the same without its end
	printf '\1\0\0\1x\2\0\0\1x\15\0\0\1x\16\0\0\0\20\0\0\1x' >"$D/tbs"
	"$TOOL" tls "$G" $R1 $id 0x0403 "$D/tbs"
	printf '\1\0\0\1x\2\0\0\1x\15\0\0\1x\16\0\0\0' >"$D/tbs"
	refused "$TOOL" tls "$G" $R1 $id 0x0403 "$D/tbs"
	tbs13
	refused "$TOOL" tls "$G" $R1 $(assertion ec) 0x0403 "$D/tbs"
	id=$(pair $R1 rsa tls '' '' '')
	spki $id
	"$TOOL" tls "$G" $R1 $id 0x0804 "$D/tbs" | unhex >"$D/sig"
	openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -verify "$D/pub" -signature "$D/sig" "$D/tbs"
}

@test "a certificate and a request for one, signed by the key itself" {
	for kind in rsa ec; do
		id=$(pair $R1 $kind tls '' '' '')
		spki $id
		"$TOOL" certify "$G" $R1 $id 'vault of acme' 30 >"$D/cert"
		openssl verify -CAfile "$D/cert" "$D/cert"
		diff "$D/pub" <(openssl x509 -in "$D/cert" -noout -pubkey)
		[ "$(openssl x509 -in "$D/cert" -noout -subject)" = 'subject=CN = vault of acme' ]
		openssl x509 -in "$D/cert" -noout -checkend $((29 * 86400))
		not openssl x509 -in "$D/cert" -noout -checkend $((31 * 86400))
		"$TOOL" certify "$G" $R1 $id 'vault of acme' 0 >"$D/req"
		openssl req -in "$D/req" -verify -noout
		diff "$D/pub" <(openssl req -in "$D/req" -noout -pubkey)
	done
	run "$TOOL" certify "$G" $R1 $id '' 30
	[ "$status" -eq 1 ]
	run "$TOOL" certify "$G" $R1 $id x 99999
	[ "$status" -eq 1 ]
}

@test "destroyed: out of the token, and nothing is signed any more; once more is no error" {
	id=$(assertion ec)
	[ "$(privates)" -eq 1 ]
	"$TOOL" destroy "$G" $R1 $id
	[ "$(privates)" -eq 0 ]
	[ ! -e "$D/state/pair-$id" ]
	refused jwt $id ES256 client-1 client-1 $ISS
	"$TOOL" destroy "$G" $R1 $id
}

@test "quota: so many in the token, so many for a record" {
	for i in 1 2 3 4; do assertion ec; done
	run assertion ec
	[ "$status" -eq 1 ]
	[[ $output == *LimitExceeded* ]]
	[[ $output == *"has 4 key pairs already"* ]]
	kill -TERM $SUP
	wait $SUP || true
	conf "$FAULTMOD" 'connection_keys = 5'
	start
	await READY
	pair $R2 ec assertion client-1 client-1 $ISS
	run pair $R2 ec assertion client-1 client-1 $ISS
	[[ $output == *"raise connection_keys"* ]]
	[ "$(privates)" -eq 5 ]
}

@test "they survive a restart, and are told apart from another key with their ID" {
	id=$(assertion ec)
	spki $id
	again
	await READY
	jwt $id ES256 client-1 client-1 $ISS | verified ES256 >/dev/null
	p11 --delete-object --type privkey --id "$(hex $id)" >/dev/null
	p11 --keypairgen --key-type EC:prime256v1 --id "$(hex $id)" --label impostor >/dev/null
	again
	await READY
	refused jwt $id ES256 client-1 client-1 $ISS
	[[ $output == *"not the one that was made"* ]]
	# What is not ours is not destroyed with ours, nor cleared away for a new one.
	"$TOOL" destroy "$G" $R1 $id
	[ ! -e "$D/state/pair-$id" ]
	[ "$(privates)" -eq 1 ]
	export PAIR_ID=$id
	refused assertion ec
	[[ $output == *"not the vault's"* ]]
	[ "$(privates)" -eq 1 ]
	p11 --delete-object --type privkey --id "$(hex $id)" >/dev/null
	again
	await READY
	[ "$(assertion ec)" = $id ]
}

@test "the token fails while a key is made: nothing is left, and the vault goes on" {
	for rule in 'C_GenerateKeyPair rv=DEVICE_ERROR count=1' 'C_GenerateKeyPair rvafter=FUNCTION_FAILED count=1' \
	    'C_Sign rv=GENERAL_ERROR count=1' 'C_SignInit rv=KEY_FUNCTION_NOT_PERMITTED count=1'; do
		ctl "rule $rule"
		refused assertion ec
		[ "$(privates)" -eq 0 ]
		await READY
	done
	# A token that refuses to leave out what a key must not do makes none that we take.
	ctl 'rule C_GenerateKeyPair rv=TEMPLATE_INCONSISTENT count=1'
	refused assertion rsa
	[[ $output == *"weak key: DECRYPT=1"* ]]
	ctl 'rule C_CreateObject rv=TEMPLATE_INCONSISTENT count=9'
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$D/ec.pem"
	refused assertion ec "$D/ec.pem"
	[[ $output == *"takes no key from outside"* ]]
	# The process dies with the key made and not yet written down: asked again, it is made anew.
	[ "$(privates)" -eq 0 ]
	ctl 'rule C_SignInit kill count=1'
	run assertion ec
	ctl
	await READY
	assertion ec
}

@test "the token fails while a key signs: once more on a fresh session, and no wrong signature leaves" {
	id=$(assertion ec)
	spki $id
	for rule in 'C_Sign rv=DEVICE_ERROR' 'C_SignInit rv=SESSION_HANDLE_INVALID' 'C_FindObjectsInit rv=OPERATION_ACTIVE' \
	    'C_Sign rv=KEY_HANDLE_INVALID'; do
		ctl "rule $rule count=1"
		jwt $id ES256 client-1 client-1 $ISS | verified ES256 >/dev/null
	done
	ctl 'rule C_Sign rv=DEVICE_ERROR count=2'
	refused jwt $id ES256 client-1 client-1 $ISS
	ctl 'rule C_Sign hang count=1'
	run jwt $id ES256 client-1 client-1 $ISS
	ctl
	await READY 20
	jwt $id ES256 client-1 client-1 $ISS | verified ES256 >/dev/null
}

@test "the operator lists the pairs, and destroys one that nobody uses" {
	a=$(assertion ec) b=$(pair $R2 rsa tls '' '' '')
	run "$HSM" -c "$D/conf" pair list
	[ "$status" -eq 0 ]
	[[ $output == *"$a app $R1 ec assertion, generated, for client-1"* ]]
	[[ $output == *"$b app $R2 rsa tls"* ]]
	"$HSM" -c "$D/conf" pair destroy $a
	[ "$(privates)" -eq 1 ]
	refused jwt $a ES256 client-1 client-1 $ISS
	p11 --delete-object --type privkey --id "$(hex $b)" >/dev/null
	"$HSM" -c "$D/conf" pair list | grep -q "$b.*not usable"
	"$HSM" -c "$D/conf" pair destroy $b | grep -q forgot
	run "$HSM" -c "$D/conf" pair destroy $b
	[ "$status" -eq 1 ]
	run "$HSM" -c "$D/conf" pair destroy
	[ "$status" -eq 2 ]
}
