#!/usr/bin/env bats
# vault-hsm, the real binary, with a SoftHSM token of its own for each test. faultmod
# stands between them where something must go wrong on demand.

. "$BATS_TEST_DIRNAME/lib/hsm.sh"
setup() { hsm_setup; }
teardown() { hsm_teardown; }

@test "key init makes two keys of the exact template, and never again" {
	run init
	[ "$status" -eq 0 ]
	[[ $output == *"for grant secrets, generation 1"* ]]
	run p11 -O
	[ "$(grep -c 'Usage: *encrypt, decrypt$' <<<"$output")" -eq 2 ]
	[ "$(grep -c 'sensitive, always sensitive, never extractable, local$' <<<"$output")" -eq 2 ]
	[ "$(grep -c 'AES length 32' <<<"$output")" -eq 2 ]
	run pkcs11-tool --module "$SOFTHSM" --token-label vault -O	# without the PIN
	[[ $output != *"Secret Key"* ]]
	before=$(cat "$D/state/binding")
	run init
	[ "$status" -eq 1 ]
	[[ $output == *"were made before"* ]]
	[ "$before" = "$(cat "$D/state/binding")" ]
	[ "$(objects)" -eq 2 ]
	[ "$(stat -c %a "$D/state/binding")" = 600 ]
}

@test "make, unwrap, rewrap on both lines" {
	init
	start
	await READY
	read -r dek wrap < <("$TOOL" make "$V" 2 $R1)
	[ "$("$TOOL" unwrap "$V" 2 $R1 "$wrap")" = "$dek" ]
	[ "$("$TOOL" unwrap "$G" 2 $R1 "$wrap")" = "$dek" ]
	new=$("$TOOL" rewrap "$V" 2 $R1 "$wrap")
	[ "$new" != "$wrap" ]
	[ "$("$TOOL" unwrap "$V" 2 $R1 "$new")" = "$dek" ]
	read -r dek wrap < <("$TOOL" make "$V" 1 $R2)	# vaultd seals what it is given
	[ "$("$TOOL" unwrap "$G" 1 $R2 "$wrap")" = "$dek" ]
	new=$("$TOOL" rewrap "$V" 1 $R2 "$wrap")	# and rotates what it cannot open
	[ "$("$TOOL" unwrap "$G" 1 $R2 "$new")" = "$dek" ]
}

@test "a taken-over vaultd: no grant is unwrapped, by no trick" {
	init
	start
	await READY
	read -r dek wrap < <("$TOOL" make "$G" 1 $R1)
	run "$TOOL" unwrap "$V" 1 $R1 "$wrap"
	[ "$status" -eq 1 ]
	[[ $output == *"HsmRefused"*"grant key is not allowed on this line"* ]]
	run "$TOOL" unwrap "$V" 2 $R1 "$wrap"		# says it were a release key
	[[ $output == *"HsmRefused"* ]]
	edited=$("$TOOL" edit "$wrap" 1 2)		# purpose byte of the wrap
	run "$TOOL" unwrap "$V" 2 $R1 "$edited"
	[[ $output == *"HsmRefused"*"grant key is not allowed"* ]]
	run "$TOOL" unwrap "$G" 1 $R1 "$edited"
	[[ $output == *"HsmRefused"*"purpose was changed"* ]]
	# the release KEK's id written over the grant KEK's
	id=$(kek release) edited=$("$TOOL" edit "$wrap" 1 2)
	for i in $(seq 0 15); do
		edited=$("$TOOL" edit "$edited" $((2 + i)) "0x$(hex "${id:$i:1}")")
	done
	run "$TOOL" unwrap "$V" 2 $R1 "$edited"
	[[ $output == *"HsmRefused"*"damaged"* ]]
	run "$TOOL" rewrap "$V" 2 $R1 "$edited"
	[[ $output == *"HsmRefused"* ]]
	run "$TOOL" rewrap "$G" 1 $R1 "$wrap"		# egress does not rotate
	[[ $output == *"HsmRefused"*"not allowed on this line"* ]]
	[ "$("$TOOL" unwrap "$G" 1 $R1 "$wrap")" = "$dek" ]
	[[ $("$TOOL" status "$V") == *"unwrapped=1 refused=7"* ]]
}

@test "a wrap opens for its own record only, and a damaged one restarts nothing" {
	init
	start
	await READY
	read -r dek wrap < <("$TOOL" make "$V" 2 $R1)
	run "$TOOL" unwrap "$V" 2 $R2 "$wrap"
	[[ $output == *"HsmRefused"*"another record"* ]]
	run "$TOOL" rewrap "$V" 2 $R2 "$wrap"
	[[ $output == *"HsmRefused"* ]]
	for i in 24 30 40 60 79; do
		run "$TOOL" unwrap "$V" 2 $R1 "$("$TOOL" edit "$wrap" $i 0x5a)"
		[ "$status" -eq 1 ]
	done
	run "$TOOL" unwrap "$V" 2 $R1 "${wrap:0:60}"
	[ "$status" -eq 1 ]
	[ "$("$TOOL" unwrap "$V" 2 $R1 "$wrap")" = "$dek" ]
	[ "$(starts)" -eq 1 ]
}

@test "the default key of pkcs11-tool is refused, and says why" {
	init
	id=$(hex "$(kek grant)")
	p11 --delete-object --type secrkey --id "$id"
	p11 --keygen --key-type aes:32 --id "$id" --label careless
	start
	await MISMATCH
	run "$TOOL" status "$V"
	[[ $output == *"weak key: PRIVATE=0 (anybody can use it without the PIN)"* ]]
	run "$TOOL" make "$V" 2 $R1
	[[ $output == *"HsmUnavailable"* ]]
	sleep 1
	[ "$(starts)" -eq 1 ]		# waits for the operator
	run "$HSM" -c "$D/conf" key status
	[ "$status" -eq 1 ]
	[[ $output == *"state   MISMATCH"* ]]
}

@test "another key under the same ID is refused" {
	init
	mkdir "$D/state2"
	sed "s,^state_dir.*,state_dir = $D/state2," "$D/conf" >"$D/conf2"
	"$HSM" -c "$D/conf2" key init
	mine=$(hex "$(kek release)")
	other=$(hex "$(sed -n 's/^kek \(.*\) release .*/\1/p' "$D/state2/binding")")
	p11 --delete-object --type secrkey --id "$mine"
	p11 --type secrkey --id "$other" --set-id "$mine"
	start
	await MISMATCH
	run "$TOOL" status "$V"
	[[ $output == *"is not the one that was bound"* ]]
	sleep 0.5
	[ "$(starts)" -eq 1 ]
}

@test "a missing key is never made anew; it may come back" {
	init
	cp -r "$D/tokens" "$D/kept"
	p11 --delete-object --type secrkey --id "$(hex "$(kek grant)")"
	ctl
	start
	await MISMATCH
	run "$TOOL" status "$V"
	[[ $output == *"a bound KEK is missing"* ]]
	sleep 1
	[ "$(objects)" -eq 1 ]
	[ "$(calls C_GenerateKey)" -eq 0 ]
	cp -r "$D/kept/." "$D/tokens/"
	await READY 10
}

@test "without a binding: UNBOUND, nothing is made; key init and SIGHUP bring READY" {
	ctl
	start
	await UNBOUND
	run "$TOOL" status "$V"
	[[ $output == *"vault-hsm key init"* ]]
	run "$TOOL" make "$V" 2 $R1
	[[ $output == *"HsmUnavailable"* ]]
	[ "$(objects)" -eq 0 ]
	[ ! -e "$D/calls" ] || [ "$(calls C_Login)" -eq 0 ]
	init
	kill -HUP "$SUP"
	await READY
	n=$(starts)
	kill -HUP "$SUP"	# nothing new: nothing happens
	sleep 0.3
	[ "$(starts)" -eq "$n" ]
	printf 'rubbish' >"$D/state/binding"
	kill -HUP "$SUP"	# and a bad one is not taken
	sleep 0.3
	[ "$(starts)" -eq "$n" ]
	await READY
	grep -q 'reload refused, the old binding stays' "$D/log"
}

@test "a wrong PIN is tried once, over many restarts" {
	init
	pin 11111111
	ctl
	start
	await BLOCKED
	[ "$(calls C_Login)" -eq 1 ]
	for i in $(seq 12); do
		end_it
		sleep 0.08
	done
	await BLOCKED
	kill -HUP "$SUP"
	sleep 0.3
	await BLOCKED
	[ "$(starts)" -ge 12 ]
	[ "$(calls C_Login)" -eq 1 ]
	run "$TOOL" status "$V"
	[[ $output == *"refused this PIN before (CKR_PIN_INCORRECT)"* ]]
	run "$HSM" -c "$D/conf" key status
	[[ $output == *"BLOCKED"* ]]
	[ "$(calls C_Login)" -eq 1 ]
	pin $PIN
	kill -HUP "$SUP"
	await READY
	[ "$(calls C_Login)" -eq 2 ]
	pin 11111111		# a PIN known to be wrong stays dead
	again
	await BLOCKED
	[ "$(calls C_Login)" -eq 2 ]
}

@test "PIN files with LF, CR LF and nothing at the end are the same PIN" {
	init
	ctl
	for end in '\n' '\r\n' ''; do
		(umask 077; printf "$PIN$end" >"$D/pin")
		run "$HSM" -c "$D/conf" key status
		[ "$status" -eq 0 ]
	done
	(umask 077; printf "$PIN\n\n" >"$D/pin")
	run "$HSM" -c "$D/conf" key status
	[ "$status" -eq 1 ]
	chmod 644 "$D/pin"
	run "$HSM" -c "$D/conf" key status
	[[ $output == *"read by others"* ]]
}

@test "killed during the login: an unknown PIN is not tried again, a known one is" {
	init
	rm "$D"/state/pin-guard-*	# forgets that the PIN worked
	ctl 'rule C_Login hang'
	start
	for _ in $(seq 50); do [ "$(calls C_Login)" = 1 ] && break; sleep 0.05; done
	kill -9 "$(cat "$D/run/pid")"
	await BLOCKED
	run "$TOOL" status "$V"
	[[ $output == *"vault-hsm pin try"* ]]
	ctl
	kill -HUP "$SUP"
	sleep 0.3
	await BLOCKED
	[ "$(calls C_Login)" -eq 1 ]
	run "$HSM" -c "$D/conf" pin try
	[ "$status" -eq 0 ]
	kill -HUP "$SUP"
	await READY
	# now it is known to work: a kill costs nothing but the restart
	ctl 'rule C_Login hang'
	again
	sleep 0.5
	ctl
	kill -9 "$(cat "$D/run/pid")"
	await READY
	# unless the token says that tries were lost
	ctl 'rule C_Login kill' 'rule C_GetTokenInfo flags=0x10000'
	again
	await BLOCKED
}

@test "an error of C_Login that may hide a wrong PIN counts, one that cannot does not" {
	init
	rm "$D"/state/pin-guard-*
	ctl 'rule C_Login rv=TOKEN_NOT_PRESENT'
	start
	await ABSENT
	ctl
	await READY
	rm "$D"/state/pin-guard-*
	rm "$D/calls"
	ctl 'rule C_Login rv=DEVICE_ERROR'
	again
	await BLOCKED
	[ "$(calls C_Login)" -eq 1 ]
}

@test "the token's own flags stop a login before it happens" {
	init
	for flag in 0x20000 0x40000 0x80000; do
		rm -f "$D/calls"
		ctl "rule C_GetTokenInfo flags=$flag"
		run "$HSM" -c "$D/conf" key status
		[ "$status" -eq 1 ]
		[[ $output == *BLOCKED* ]]
		[ "$(calls C_Login)" -eq 0 ]
	done
	rm "$D"/state/pin-guard-*	# low count and a PIN that never worked
	ctl 'rule C_GetTokenInfo flags=0x10000'
	start
	await BLOCKED
	[ "$(calls C_Login)" -eq 0 ]
}

@test "hung calls end by the process's own timer, within the deadline" {
	init
	conf "$FAULTMOD" 'call_seconds = 1s' 'init_seconds = 1s' 'login_seconds = 1s'
	start
	await READY
	read -r dek wrap < <("$TOOL" make "$V" 2 $R1)
	ctl 'rule C_Decrypt hang'
	sleep 0.1
	t=$(date +%s%N)
	run "$TOOL" unwrap "$V" 2 $R1 "$wrap"
	ms=$((($(date +%s%N) - t) / 1000000))
	[[ $output == *"HsmUnavailable"* ]]
	[ "$ms" -lt 2500 ]
	ctl
	await READY 10
	[ "$("$TOOL" unwrap "$V" 2 $R1 "$wrap")" = "$dek" ]
	grep -q '^-9$' "$D/run/ends"
	grep -q 'call=C_Decrypt' "$D/log"
	for fn in C_Initialize C_OpenSession C_FindObjects C_EncryptInit C_GetTokenInfo; do
		n=$(starts)
		ctl "rule $fn hang"
		again
		for _ in $(seq 60); do [ "$(starts)" -gt $((n + 1)) ] && break; sleep 0.1; done
		ctl
		await READY 10
		grep -q "call=$fn" "$D/log"
	done
}

@test "a command whose module hangs says so and ends" {
	conf "$FAULTMOD" 'call_seconds = 1s' 'init_seconds = 1s'
	ctl 'rule C_GetSlotList hang'
	run timeout 10 "$HSM" -c "$D/conf" key init
	[ "$status" -eq 1 ]
	[[ $output == *"did not come back from C_GetSlotList in time"* ]]
}

@test "a module that crashes at every start: status is answered at once, backoff grows" {
	init
	ctl 'rule C_Initialize crash'
	start
	sleep 3
	await ABSENT 3
	run "$TOOL" status "$V"
	[[ $output == *"did not come back from C_Initialize"* ]]
	t=$(date +%s%N)
	run "$TOOL" make "$V" 2 $R1
	[[ $output == *"HsmUnavailable"* ]]
	[ $((($(date +%s%N) - t) / 1000000)) -lt 300 ]
	[ "$(calls C_Initialize)" -lt 8 ]
	ctl
	await READY 10
}

@test "starts without any token, and finds it when it comes" {
	init
	mv "$D/tokens" "$D/away"
	mkdir "$D/tokens"
	start
	await ABSENT
	run "$TOOL" status "$V"
	[[ $output == *"state=ABSENT"*"attach it, or correct the URI"* ]]
	[[ $output == *"keks=2"* ]]
	run "$TOOL" make "$V" 2 $R1
	[[ $output == *"HsmUnavailable"* ]]
	rmdir "$D/tokens"
	mv "$D/away" "$D/tokens"
	await READY 10
}

@test "the token goes away under a running vault-hsm and comes back" {
	init
	start
	await READY
	read -r dek wrap < <("$TOOL" make "$V" 2 $R1)
	mv "$D/tokens" "$D/away"
	await ABSENT 12
	run "$TOOL" unwrap "$V" 2 $R1 "$wrap"
	[[ $output == *"HsmUnavailable"* ]]
	mv "$D/away" "$D/tokens"
	await READY 15
	[ "$("$TOOL" unwrap "$V" 2 $R1 "$wrap")" = "$dek" ]
}

@test "every code at every call of the path: no wrong key, and READY again" {
	init
	start
	await READY
	read -r dek wrap < <("$TOOL" make "$V" 2 $R1)
	for fn in C_EncryptInit C_Encrypt C_DecryptInit C_Decrypt; do
		for code in DEVICE_ERROR GENERAL_ERROR SESSION_HANDLE_INVALID 0x80000384 \
		    KEY_HANDLE_INVALID ENCRYPTED_DATA_INVALID USER_NOT_LOGGED_IN OPERATION_ACTIVE; do
			for how in rv rvafter; do
				ctl "rule $fn $how=$code count=1"
				read -r dek2 wrap2 < <("$TOOL" make "$V" 2 $R2)
				await READY
				[ "$("$TOOL" unwrap "$V" 2 $R1 "$wrap")" = "$dek" ]
				[ "$("$TOOL" unwrap "$V" 2 $R2 "$wrap2")" = "$dek2" ]
			done
		done
	done
	[ "$(starts)" -eq 1 ]		# one fault is not worth a restart
	for code in DEVICE_REMOVED CRYPTOKI_NOT_INITIALIZED; do
		ctl "rule C_Decrypt gone=$code count=1"
		run "$TOOL" unwrap "$V" 2 $R1 "$wrap"
		[[ $output == *"HsmUnavailable"* ]]
		ctl
		await READY
		[ "$("$TOOL" unwrap "$V" 2 $R1 "$wrap")" = "$dek" ]
	done
	[ "$(starts)" -eq 3 ]
	[ "$(grep -c PIN_INCORRECT "$D/log")" -eq 0 ]
}

@test "a mechanism that repeats itself fails the self-test" {
	init
	ctl 'rule C_Encrypt sameiv'
	start
	await MISMATCH
	run "$TOOL" status "$V"
	[[ $output == *"same bytes twice"* ]]
}

@test "tokens that take no copy, or dislike parts of the template, work as well" {
	ctl 'rule C_CopyObject rv=FUNCTION_NOT_SUPPORTED' \
	    'rule C_GenerateKey rv=ATTRIBUTE_TYPE_INVALID count=1'
	run init
	[[ $output == *"weak key: SIGN=1"* ]]	# SoftHSM's default, found by reading back
	[[ $output == *"removed unused key"* ]]
	[ "$(objects)" -eq 0 ]
	[ ! -e "$D/state/binding" ]
	ctl 'rule C_GenerateKey rv=ATTRIBUTE_TYPE_INVALID count=1' \
	    'rule C_CopyObject rv=FUNCTION_NOT_SUPPORTED'
	conf "$FAULTMOD" 'allow_weak_key_attributes = yes'
	run init
	[ "$status" -eq 0 ]
	[[ $output == *"weak KEK is used because"* ]]
	ctl 'rule C_CopyObject rv=FUNCTION_NOT_SUPPORTED'
	start
	await READY
	read -r dek wrap < <("$TOOL" make "$V" 2 $R1)
	[ "$("$TOOL" unwrap "$V" 2 $R1 "$wrap")" = "$dek" ]
}

@test "key init that fails half way leaves nothing behind" {
	ctl 'rule C_GenerateKey rv=DEVICE_MEMORY skip=1'
	run init
	[ "$status" -eq 1 ]
	[ "$(objects)" -eq 0 ]
	ctl 'rule C_GenerateKey rvafter=DEVICE_ERROR skip=1'	# made, and reported as failed
	run init
	[ "$status" -eq 1 ]
	[ "$(objects)" -eq 0 ]
	ctl
	init
	[ "$(objects)" -eq 2 ]
}

@test "half a question, garbage and a closed line cost nobody else anything" {
	init
	start
	await READY
	"$TOOL" half "$V" 3 3>&- &
	half=$!
	t=$(date +%s%N)
	"$TOOL" make "$G" 2 $R1
	"$TOOL" make "$V" 2 $R1
	[ $((($(date +%s%N) - t) / 1000000)) -lt 500 ]
	"$TOOL" garbage "$V"
	"$TOOL" garbage "$G"
	"$TOOL" make "$V" 2 $R1
	kill $half
	[ "$(starts)" -eq 1 ]
}

@test "the PIN and data keys are in no log and no file of the state directory" {
	conf "$FAULTMOD" 'log_level = debug'
	init
	start
	await READY
	read -r dek wrap < <("$TOOL" make "$V" 2 $R1)
	"$TOOL" unwrap "$V" 2 $R1 "$wrap"
	run grep -raE "$PIN|$dek" "$D/state" "$D/log" "$D/run"
	[ "$status" -ne 0 ]
}

@test "the operator's commands as root make files for the owner of the state directory" {
	[ "$(id -u)" -eq 0 ] || { echo "# not run: needs root" >&3; return 0; }
	chmod 755 "$D"
	chown -R nobody "$D/state" "$D/tokens" "$D/softhsm2.conf"
	conf "$SOFTHSM"
	init
	[ "$(stat -c %U "$D/state/binding")" = nobody ]
	[ "$(find "$D/tokens" "$D/state" ! -user nobody | wc -l)" -eq 0 ]
}

@test "configuration errors name file, line and what to do" {
	conf "$FAULTMOD" 'colour = red'
	run "$HSM" -c "$D/conf" -n
	[ "$status" -eq 78 ]
	[[ $output == *"$D/conf:"*"unknown key 'colour'"* ]]
	conf /bin/nothing
	run "$HSM" -c "$D/conf" -n
	[[ $output == *"/bin/nothing"* ]]
	conf "$FAULTMOD"
	sed -i 's/^token = .*/token = pkcs11:token=vault?pin-value=4711/' "$D/conf"
	run "$HSM" -c "$D/conf" -n
	[[ $output == *"must not carry a PIN"* ]]
	[[ $output != *4711* ]]
	conf /bin/true
	run "$HSM" -c "$D/conf" key status
	[[ $output == *"no PKCS#11 module"* ]] || [[ $output == *"key init"* ]]
	run "$HSM" -c "$D/conf"
	[ "$status" -eq 78 ]
	[[ $output == *"LISTEN_FDS"* ]]
}
