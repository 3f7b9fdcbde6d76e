/*
 * ctl_audit.c - vaultctl audit ...: the log is files, read where they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"
#include "common/auditlog.h"

static bool
hash_of(const char *hex, unsigned char out[32])
{
	struct id a, b;
	char half[33];

	if (strlen(hex) != 64)
		return false;
	snprintf(half, sizeof half, "%.32s", hex);
	if (!id_parse(half, &a) || !id_parse(hex + 32, &b))
		return false;
	memcpy(out, a.b, 16);
	memcpy(out + 16, b.b, 16);
	return true;
}

/* The directory given, or the vault's; then HEAD, unless NULL, is what the vault says its
 * last line is. */
static char *
directory(struct ctl *c, struct audit_head *head, const struct audit_head **use)
{
	json_t *r;
	char *dir;

	if (c->nargs > 0)
		return strdup(c->arg[0]);
	if ((r = ctl_call(c, "vaultd.Audit.Head", NULL)) == NULL)
		return NULL;
	dir = strdup(ctl_text(r, "directory"));
	if (head != NULL && hash_of(ctl_text(r, "hash"), head->hash)) {
		head->seq = (uint64_t)json_integer_value(json_object_get(r, "sequence"));
		*use = head;
	}
	json_decref(r);
	return dir;
}

/* SEQUENCE:HASH as `vaultctl audit head` printed it earlier. */
static int
noted_head(struct ctl *c, struct audit_head *ret, const struct audit_head **use)
{
	const char *text = ctl_option(c, "head");
	char *colon;

	*use = NULL;
	if (text == NULL)
		return 0;
	ret->seq = strtoull(text, &colon, 10);
	if (*colon != ':' || !hash_of(colon + 1, ret->hash))
		return ctl_fail(c, EX_USE, "--head is SEQUENCE:HASH, as `vaultctl audit head` printed "
		    "it");
	*use = ret;
	return 0;
}

static int
print_report(struct ctl *c, const struct audit_report *r)
{
	bool ok = r->fault == AUDIT_OK;
	char hash[65];

	hex_encode(r->head.hash, 32, hash);
	if (c->json) {
		json_t *o = json_pack("{s:b, s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "ok", (int)ok, "fault",
		    audit_fault_name(r->fault), "lines", (json_int_t)r->lines, "sequence",
		    (json_int_t)r->head.seq, "hash", hash, "text", r->text, "file", r->file, "vouches_until", r->last_time);

		ctl_dump(o);
		json_decref(o);
	} else if (ok) {
		printf("ok: %llu lines, %llu to %llu, unbroken\nhead: %llu:%s\n"
		    "This cannot vouch for lines behind the last one, of %s:\n"
		    "note the head elsewhere, and pass it later with --head, to see that none was\n"
		    "cut off.\n",
		    (unsigned long long)r->lines, (unsigned long long)r->first_seq,
		    (unsigned long long)r->head.seq, (unsigned long long)r->head.seq, hash,
		    r->last_time);
	} else {
		printf("%s: %s\ngood up to line %llu (%s)\n", audit_fault_name(r->fault), r->text,
		    (unsigned long long)r->head.seq, r->last_time);
	}
	return ok ? EX_OK : EX_FAILED;
}

static int
verify(struct ctl *c)
{
	struct audit_head noted;
	const struct audit_head *use;
	struct audit_report r;
	struct err e;
	char *dir;
	int rc = noted_head(c, &noted, &use);

	if (rc != 0)
		return rc;
	if ((dir = directory(c, use == NULL ? &noted : NULL, &use)) == NULL)
		return c->status;
	rc = audit_verify(dir, use, NULL, NULL, &r, &e);
	if (rc == 0 && r.fault == AUDIT_OK && r.lines == 0)
		rc = err_set(&e, V_NOT_FOUND, "%s holds no line of an audit log: another "
		    "directory, or all was removed", dir);
	free(dir);
	if (rc == V_NOT_FOUND)
		return ctl_fail(c, EX_FAILED, "%s", e.text);
	if (rc != 0)
		return ctl_fail(c, EX_FAILED, "%s (the log is readable by vaultd's user and root)",
		    e.text);
	return print_report(c, &r);
}

static int
head(struct ctl *c)
{
	json_t *r = ctl_call(c, "vaultd.Audit.Head", NULL);

	if (r == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		printf("%lld:%s\n", (long long)json_integer_value(json_object_get(r, "sequence")),
		    ctl_text(r, "hash"));
	json_decref(r);
	return EX_OK;
}

/* Reads the whole log, and every line is checked; EACH sees the good ones. */
static int
read_log(struct ctl *c, bool (*each)(void *arg, uint64_t seq, struct slice line), void *arg)
{
	struct audit_report r;
	struct err e;
	char *dir = directory(c, NULL, NULL);
	int rc;

	if (dir == NULL)
		return c->status;
	rc = audit_verify(dir, NULL, each, arg, &r, &e);
	free(dir);
	if (rc != 0)
		return ctl_fail(c, EX_FAILED, "%s (the log is readable by vaultd's user and root)",
		    e.text);
	return r.fault == AUDIT_OK ? EX_OK : ctl_fail(c, EX_FAILED, "%s", r.text);
}

static bool
print_line(void *arg, uint64_t seq, struct slice line)
{
	(void)arg;
	(void)seq;
	printf("%.*s\n", (int)line.len, (const char *)line.p);
	return true;
}

static int
cat(struct ctl *c)
{
	return read_log(c, print_line, NULL);
}

/* The last N lines, in a ring. */
struct tail {
	char	*line[1000];
	size_t	 n, next;
};

static bool
keep_line(void *arg, uint64_t seq, struct slice line)
{
	struct tail *t = arg;

	(void)seq;
	free(t->line[t->next]);
	t->line[t->next] = strndup(line.p, line.len);
	t->next = (t->next + 1) % t->n;
	return true;
}

static int
tail(struct ctl *c)
{
	struct tail t = { 0 };
	long long n;
	int rc;

	if (ctl_number(c, "lines", 1, &n) != 0)
		return EX_USE;
	if (n > 1000)
		return ctl_fail(c, EX_USE, "--lines is at most 1000; `vaultctl audit cat` prints all");
	t.n = n == 0 ? 10 : (size_t)n;
	rc = read_log(c, keep_line, &t);
	for (size_t i = 0; i < t.n; i++) {
		char *line = t.line[(t.next + i) % t.n];

		if (line != NULL)
			printf("%s\n", line);
		free(line);
	}
	return rc;
}

const struct command commands_audit[] = {
	{ "audit verify", "[DIRECTORY]", 0, 1, "head=",
	    "find any edit, removal, reordering or truncation",
	    "Reads the files, so it is for root, vaultd's own user, or a copy. Without\n"
	    "DIRECTORY it is the log of the running vault, which must reach the line that\n"
	    "the vault wrote last.\n"
	    "  --head SEQUENCE:HASH   the log must reach this line, noted earlier\n\n"
	    "  vaultctl audit verify /var/lib/vaultd/audit\n", verify },
	{ "audit head", "", 0, 0, "", "sequence and hash of the last line, to note elsewhere",
	    "  vaultctl audit head >>/mnt/elsewhere/heads\n", head },
	{ "audit tail", "[DIRECTORY]", 0, 1, "lines=", "print the log's last lines",
	    "  --lines N              how many; default 10, at most 1000\n\n"
	    "  vaultctl audit tail --lines 3 | jq .\n", tail },
	{ "audit cat", "[DIRECTORY]", 0, 1, "", "print the log's lines",
	    "The log is checked on the way; exit status 1 when it is broken.\n\n"
	    "  vaultctl audit cat | grep '\"decision\":\"deny\"'\n", cat },
	{ 0 },
};
