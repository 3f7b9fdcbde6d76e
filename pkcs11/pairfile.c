/*
 * pairfile.c - see pairfile.h.
 */
#include "pkcs11/pairfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/auto.h"
#include "pkcs11/statefile.h"

#define PREFIX	"pair-"
#define NAME	(sizeof PREFIX + PAIR_ID)

bool
pair_id_ok(const char *id)
{
	return strlen(id) == KEK_ID_LEN && strspn(id, "0123456789abcdef") == KEK_ID_LEN;
}

bool
pair_text_ok(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static void
name_of(const char *id, char out[NAME])
{
	snprintf(out, NAME, PREFIX "%s", id);
}

/* ---- text */

static bool
parse_key(const char *line, struct pair_file *p)
{
	char id[20], kind[8], use[16], origin[16], made[16];
	int end = 0;

	if (sscanf(line, "key %19s %7s %15s %15s %15[0-9]%n", id, kind, use, origin, made,
	    &end) != 5 || line[end] != '\0')
		return false;
	p->public.made = strtoll(made, NULL, 10);
	p->public.imported = strcmp(origin, "imported") == 0;
	if (!pair_id_ok(id) || !pair_kind_parse(kind, &p->public.kind) ||
	    !pair_use_parse(use, &p->public.use) ||
	    (!p->public.imported && strcmp(origin, "generated") != 0))
		return false;
	memcpy(p->id, id, sizeof p->id);
	return true;
}

static bool
unhex(const char *text, unsigned char *out, size_t cap, size_t *ret_len)
{
	size_t n = strlen(text);

	if (n == 0 || n % 2 != 0 || n / 2 > cap || strspn(text, "0123456789abcdef") != n)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		char two[3] = { text[i], text[i + 1], '\0' };

		out[i / 2] = (unsigned char)strtoul(two, NULL, 16);
	}
	*ret_len = n / 2;
	return true;
}

static bool
take_text(const char *line, const char *word, char *out, size_t cap)
{
	size_t n = strlen(word);

	if (strncmp(line, word, n) != 0 || !pair_text_ok(line) || strlen(line + n) >= cap)
		return false;
	snprintf(out, cap, "%s", line + n);
	return true;
}

/* Which line is next: the order is fixed, only audiences vary in number. */
enum step { HEAD, KEY, RECORD, ISSUER, SUBJECT, AUDIENCE, PUBLIC, END, DONE };

static bool
parse_line(const char *l, enum step *s, struct pair_file *p)
{
	struct pair_rule *r = &p->rule;

	if (*s == AUDIENCE) {
		if (r->naud < PAIR_AUDIENCES &&
		    take_text(l, "audience ", r->aud[r->naud], PAIR_TEXT)) {
			r->naud++;
			return true;
		}
		*s = PUBLIC;
		return take_text(l, "endpoint ", r->endpoint, PAIR_TEXT);
	}
	switch ((*s)++) {
	case HEAD:
		return strcmp(l, "vaultd-pair 1") == 0;
	case KEY:
		return parse_key(l, p);
	case RECORD:
		return strncmp(l, "record ", 7) == 0 && id_parse(l + 7, &p->record) &&
		    !id_is_null(&p->record);
	case ISSUER:
		return take_text(l, "issuer ", r->iss, PAIR_TEXT);
	case SUBJECT:
		return take_text(l, "subject ", r->sub, PAIR_TEXT);
	case PUBLIC:
		return strncmp(l, "public ", 7) == 0 && unhex(l + 7, p->public.spki,
		    sizeof p->public.spki, &p->public.spki_len);
	case END:
		return strcmp(l, "end") == 0;
	default:
		return false;
	}
}

int
pairfile_parse(char *text, struct pair_file *ret, struct err *e)
{
	enum step step = HEAD;
	int n = 0;

	memset(ret, 0, sizeof *ret);
	for (char *line = text; *line != '\0';) {
		char *nl = strchr(line, '\n');

		n++;
		if (nl == NULL)
			return err_set(e, V_CORRUPT, "line %d is cut", n);
		*nl = '\0';
		if (!parse_line(line, &step, ret))
			return err_set(e, V_CORRUPT, "line %d is not what it must be", n);
		line = nl + 1;
	}
	return step == DONE ? 0 : err_set(e, V_CORRUPT, "the file is cut: no line `end`");
}

static void
add(struct buf *out, const char *word, const char *text)
{
	buf_add_str(out, word);
	buf_add_str(out, text);
	buf_add(out, "\n", 1);
}

bool
pairfile_text(const struct pair_file *p, struct buf *out)
{
	char line[120], record[ID_TEXT], hex[2 * PAIR_SPKI + 1];

	id_text(&p->record, record);
	hex_encode(p->public.spki, p->public.spki_len, hex);
	snprintf(line, sizeof line, "vaultd-pair 1\nkey %s %s %s %s %lld", p->id,
	    pair_kind_name(p->public.kind), pair_use_name(p->public.use),
	    p->public.imported ? "imported" : "generated", (long long)p->public.made);
	add(out, "", line);
	add(out, "record ", record);
	add(out, "issuer ", p->rule.iss);
	add(out, "subject ", p->rule.sub);
	for (size_t i = 0; i < p->rule.naud; i++)
		add(out, "audience ", p->rule.aud[i]);
	add(out, "endpoint ", p->rule.endpoint);
	add(out, "public ", hex);
	add(out, "end", "");
	return !out->failed;
}

/* ---- files */

int
pairfile_load(const char *state_dir, const char *id, struct pair_file *ret, struct err *e)
{
	AUTO(buf) text = { 0 };
	char name[NAME];

	if (!pair_id_ok(id))
		return err_set(e, V_NOT_FOUND, "there is no key pair of that name");
	name_of(id, name);
	if (statefile_read(state_dir, name, &text, e) != 0)
		return e->code;
	if (pairfile_parse((char *)text.p, ret, e) != 0)
		return err_wrap(e, "%s/%s", state_dir, name);
	if (strcmp(ret->id, id) != 0)
		return err_set(e, V_CORRUPT, "%s/%s is the file of another key", state_dir, name);
	return 0;
}

int
pairfile_create(const char *state_dir, const struct pair_file *p, struct err *e)
{
	AUTO(buf) text = { 0 };
	char name[NAME];

	name_of(p->id, name);
	if (!pairfile_text(p, &text))
		return err_set(e, V_LIMIT, "out of memory");
	return statefile_write(state_dir, name, buf_slice(&text), true, e);
}

int
pairfile_remove(const char *state_dir, const char *id, struct err *e)
{
	AUTO_CLOSE int d = open(state_dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	char name[NAME];

	if (!pair_id_ok(id))
		return 0;
	name_of(id, name);
	if (d < 0 || (unlinkat(d, name, 0) != 0 && errno != ENOENT) || fsync(d) != 0)
		return err_errno(e, "removing %s/%s", state_dir, name);
	return 0;
}

int
pairfile_walk(const char *state_dir, int (*each)(void *arg, const struct pair_file *p,
    const struct err *bad), void *arg, struct err *e)
{
	DIR *d = opendir(state_dir);
	struct dirent *at;
	int rc = 0;

	if (d == NULL)
		return err_errno(e, "state directory %s", state_dir);
	while (rc == 0 && (at = readdir(d)) != NULL) {
		const char *id = at->d_name + sizeof PREFIX - 1;
		struct pair_file p;
		struct err bad = { 0 };

		if (strncmp(at->d_name, PREFIX, sizeof PREFIX - 1) != 0 || !pair_id_ok(id))
			continue;
		if (pairfile_load(state_dir, id, &p, &bad) != 0)
			snprintf(p.id, sizeof p.id, "%s", id);
		rc = each(arg, &p, &bad);
	}
	closedir(d);
	return rc;
}
