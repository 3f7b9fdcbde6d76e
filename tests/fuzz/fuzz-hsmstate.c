/*
 * fuzz-hsmstate.c - state files of vault-hsm: the binding, the PIN guard, key pairs. What is read is
 * written and read again the same. First byte picks the file.
 */
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "pkcs11/binding.h"
#include "pkcs11/guard.h"
#include "pkcs11/pairfile.h"
#include "pkcs11/statefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
binding(char *text)
{
	AUTO(buf) again = { 0 };
	struct binding a, b;
	unsigned current = 0;
	struct err e;

	if (binding_parse(text, &a, &e) != 0) {
		must(e.code == V_CORRUPT);
		return;
	}
	must(a.n <= KEY_KEKS && !id_is_null(&a.vault));
	for (size_t i = 0; i < a.n; i++) {
		must(strlen(a.kek[i].id) == KEK_ID_LEN && a.kek[i].kcv_len <= WRAP_MAX);
		current += a.kek[i].current;
	}
	must(current == 2);
	must(binding_text(&a, &again) && buf_add(&again, "", 1));
	must(binding_parse((char *)again.p, &b, &e) == 0 && binding_equal(&a, &b));
}

static void
guard(char *text)
{
	struct guard a = GUARD_INIT, b = GUARD_INIT;
	AUTO(buf) again = { 0 };

	if (!guard_parse(&a, text))
		return;
	must(a.n <= GUARD_PINS && strnlen(a.salt, sizeof a.salt) < sizeof a.salt);
	must(guard_text(&a, &again) && again.len <= STATEFILE_MAX && buf_add(&again, "", 1));
	must(guard_parse(&b, (char *)again.p) && a.n == b.n && strcmp(a.salt, b.salt) == 0);
	for (size_t i = 0; i < a.n; i++) {
		must(strcmp(a.pin[i].print, b.pin[i].print) == 0);
		must(strcmp(a.pin[i].refused, b.pin[i].refused) == 0);
		must(a.pin[i].worked == b.pin[i].worked && a.pin[i].trying == b.pin[i].trying);
	}
}

static void
pair(char *text)
{
	static struct pair_file a, b;
	AUTO(buf) again = { 0 };
	struct err e;

	if (pairfile_parse(text, &a, &e) != 0) {
		must(e.code == V_CORRUPT);
		return;
	}
	must(pair_id_ok(a.id) && !id_is_null(&a.record) && a.public.spki_len > 0);
	must(a.rule.naud <= PAIR_AUDIENCES && pair_text_ok(a.rule.iss));
	must(pairfile_text(&a, &again) && again.len <= STATEFILE_MAX && buf_add(&again, "", 1));
	must(pairfile_parse((char *)again.p, &b, &e) == 0 && memcmp(&a, &b, sizeof a) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text;

	if (n == 0)
		return 0;
	text = malloc(n);
	memcpy(text, p + 1, n - 1);
	text[n - 1] = '\0';
	switch (p[0] % 3) {
	case 0:
		binding(text);
		break;
	case 1:
		guard(text);
		break;
	default:
		pair(text);
	}
	free(text);
	return 0;
}
