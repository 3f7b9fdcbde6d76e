/*
 * binding.c - see binding.h.
 */
#include "pkcs11/binding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "pkcs11/statefile.h"

#define NAME "binding"

const char *
purpose_name(enum purpose p)
{
	return p == PURPOSE_GRANT ? "grant" : "release";
}

static bool
kek_equal(const struct binding_kek *a, const struct binding_kek *b)
{
	return strcmp(a->id, b->id) == 0 && a->purpose == b->purpose &&
	    a->generation == b->generation && a->current == b->current &&
	    a->kcv_len == b->kcv_len && memcmp(a->kcv, b->kcv, a->kcv_len) == 0;
}

bool
binding_equal(const struct binding *a, const struct binding *b)
{
	if (a->n != b->n || !id_equal(&a->vault, &b->vault))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!kek_equal(&a->kek[i], &b->kek[i]))
			return false;
	return true;
}

static bool
unhex(const char *text, unsigned char *out, size_t cap, size_t *ret_len)
{
	size_t n = strlen(text);

	if (n % 2 != 0 || n / 2 > cap || strspn(text, "0123456789abcdef") != n)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		char two[3] = { text[i], text[i + 1], '\0' };

		out[i / 2] = (unsigned char)strtoul(two, NULL, 16);
	}
	*ret_len = n / 2;
	return true;
}

static bool
kek_id_ok(const char *id)
{
	return strlen(id) == KEK_ID_LEN && strspn(id, "0123456789abcdef") == KEK_ID_LEN;
}

static bool
parse_kek(const char *line, struct binding_kek *ret)
{
	char id[20], purpose[12], number[12], use[12], kcv[2 * WRAP_MAX + 1];
	unsigned long generation;
	int end = 0;
	struct binding_kek k = { 0 };

	/* Digits, not %u: that takes -1 for four thousand million. */
	if (sscanf(line, "kek %19s %11s %9[0-9] %11s %512s%n", id, purpose, number, use, kcv,
	    &end) != 5 || line[end] != '\0')
		return false;
	generation = strtoul(number, NULL, 10);
	if (!kek_id_ok(id) || generation == 0 ||
	    !unhex(kcv, k.kcv, sizeof k.kcv, &k.kcv_len) || k.kcv_len == 0)
		return false;
	if (strcmp(purpose, "grant") == 0)
		k.purpose = PURPOSE_GRANT;
	else if (strcmp(purpose, "release") == 0)
		k.purpose = PURPOSE_RELEASE;
	else
		return false;
	k.current = strcmp(use, "current") == 0;
	if (!k.current && strcmp(use, "previous") != 0)
		return false;
	memcpy(k.id, id, sizeof k.id);
	k.generation = (uint32_t)generation;
	*ret = k;
	return true;
}

/* One current key for each purpose, and no key twice. */
static int
check_whole(const struct binding *b, struct err *e)
{
	unsigned current[3] = { 0 };

	for (size_t i = 0; i < b->n; i++) {
		current[b->kek[i].purpose] += b->kek[i].current;
		for (size_t j = 0; j < i; j++)
			if (strcmp(b->kek[i].id, b->kek[j].id) == 0)
				return err_set(e, V_CORRUPT, "KEK %s stands twice",
				    b->kek[i].id);
	}
	if (current[PURPOSE_GRANT] != 1 || current[PURPOSE_RELEASE] != 1)
		return err_set(e, V_CORRUPT, "not exactly one current KEK per purpose");
	return 0;
}

static bool
parse_line(const char *line, int n, struct binding *b, bool *ended)
{
	if (n == 1)
		return strcmp(line, "vaultd-binding 1") == 0;
	if (n == 2)
		return strncmp(line, "vault ", 6) == 0 && id_parse(line + 6, &b->vault) &&
		    !id_is_null(&b->vault);
	if (strcmp(line, "end") == 0)
		return *ended = true;
	return b->n < KEY_KEKS && parse_kek(line, &b->kek[b->n]) && ++b->n;
}

int
binding_parse(char *text, struct binding *ret, struct err *e)
{
	struct binding b = { 0 };
	bool ended = false;
	int n = 0;

	for (char *line = text; *line != '\0';) {
		char *nl = strchr(line, '\n');

		n++;
		if (nl == NULL || ended)
			return err_set(e, V_CORRUPT, "line %d is cut or too much", n);
		*nl = '\0';
		if (!parse_line(line, n, &b, &ended))
			return err_set(e, V_CORRUPT, "line %d is not what it must be", n);
		line = nl + 1;
	}
	if (!ended)
		return err_set(e, V_CORRUPT, "the file is cut: no line `end`");
	if (check_whole(&b, e) != 0)
		return e->code;
	*ret = b;
	return 0;
}

int
binding_load(const char *state_dir, struct binding *ret, struct err *e)
{
	AUTO(buf) text = { 0 };

	if (statefile_read(state_dir, NAME, &text, e) != 0)
		return e->code;
	if (binding_parse((char *)text.p, ret, e) != 0)
		return err_wrap(e, "%s/%s", state_dir, NAME);
	return 0;
}

static bool
add_line(struct buf *out, const struct binding_kek *k)
{
	char line[2 * WRAP_MAX + 128], hex[2 * WRAP_MAX + 1];
	int n;

	hex_encode(k->kcv, k->kcv_len, hex);
	n = snprintf(line, sizeof line, "kek %s %s %u %s %s\n", k->id,
	    purpose_name(k->purpose), k->generation, k->current ? "current" : "previous",
	    hex);
	return n > 0 && (size_t)n < sizeof line && buf_add(out, line, (size_t)n);
}

bool
binding_text(const struct binding *b, struct buf *text)
{
	char head[80], vault[ID_TEXT];
	int n;

	id_text(&b->vault, vault);
	n = snprintf(head, sizeof head, "vaultd-binding 1\nvault %s\n", vault);
	buf_add(text, head, (size_t)n);
	for (size_t i = 0; i < b->n; i++)
		add_line(text, &b->kek[i]);
	return buf_add(text, "end\n", 4);
}

int
binding_create(const char *state_dir, const struct binding *b, struct err *e)
{
	AUTO(buf) text = { 0 };

	if (check_whole(b, e) != 0)
		return e->code;
	if (!binding_text(b, &text))
		return err_set(e, V_LIMIT, "out of memory");
	return statefile_write(state_dir, NAME, buf_slice(&text), true, e);
}
