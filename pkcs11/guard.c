/*
 * guard.c - see guard.h.
 */
#include "pkcs11/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/bytes.h"
#include "pkcs11/statefile.h"

/* About 40 ms and 16 MiB: a stolen guard file is no quick test for PINs. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 1

void
guard_done(struct guard *g)
{
	if (g->lock >= 0)
		close(g->lock);
	g->lock = -1;
}

/* Slots and labels change; maker, model and serial do not. */
static void
name_for(const CK_TOKEN_INFO *info, char name[64])
{
	unsigned char text[sizeof info->manufacturerID + sizeof info->model +
	    sizeof info->serialNumber], hash[32];
	unsigned n = sizeof hash;
	char hex[17];

	memcpy(text, info->manufacturerID, sizeof info->manufacturerID);
	memcpy(text + sizeof info->manufacturerID, info->model, sizeof info->model);
	memcpy(text + sizeof info->manufacturerID + sizeof info->model, info->serialNumber,
	    sizeof info->serialNumber);
	must(EVP_Digest(text, sizeof text, hash, &n, EVP_sha256(), NULL) == 1);
	hex_encode(hash, 8, hex);
	snprintf(name, 64, "pin-guard-%s", hex);
}

static bool
is_hex(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static bool
parse_pin(const char *line, struct guard_pin *ret)
{
	struct guard_pin p = { 0 };
	char worked[8], trying[8], refused[44];
	int end = 0;

	if (sscanf(line, "pin %64s %7s %7s %43s%n", p.print, worked, trying, refused,
	    &end) != 4 || line[end] != '\0' || !is_hex(p.print, 64))
		return false;
	p.worked = strcmp(worked, "worked") == 0;
	p.trying = strcmp(trying, "trying") == 0;
	if (!p.worked && strcmp(worked, "new") != 0)
		return false;
	if (!p.trying && strcmp(trying, "idle") != 0)
		return false;
	if (strcmp(refused, "-") != 0)
		memcpy(p.refused, refused, sizeof p.refused);
	*ret = p;
	return true;
}

static bool
parse_line(struct guard *g, const char *line, int n, bool *ended)
{
	if (n == 1)
		return strcmp(line, "vaultd-pin-guard 1") == 0;
	if (n == 2)
		return sscanf(line, "salt %32s", g->salt) == 1 && is_hex(g->salt, 32);
	if (strcmp(line, "end") == 0)
		return *ended = true;
	return g->n < GUARD_PINS && parse_pin(line, &g->pin[g->n]) && ++g->n;
}

bool
guard_parse(struct guard *g, char *text)
{
	bool ended = false;
	int n = 0;

	for (char *line = text; *line != '\0';) {
		char *nl = strchr(line, '\n');

		if (nl == NULL || ended)
			return false;
		*nl = '\0';
		if (!parse_line(g, line, ++n, &ended))
			return false;
		line = nl + 1;
	}
	return ended;
}

/* As if there had been no file. */
static void
forget(struct guard *g)
{
	unsigned char salt[16];

	random_bytes(salt, sizeof salt);
	hex_encode(salt, sizeof salt, g->salt);
	g->n = 0;
}

static int
load(struct guard *g, struct err *e)
{
	AUTO(buf) text = { 0 };

	if (statefile_read(g->dir, g->name, &text, e) == 0) {
		if (guard_parse(g, (char *)text.p))
			return 0;
		return err_set(e, V_DENIED, "%s/%s is damaged, so a wrong PIN could be tried "
		    "again: make sure the PIN is right, then run `vault-hsm pin try`",
		    g->dir, g->name);
	}
	if (e->code != V_NOT_FOUND)
		return e->code;
	forget(g);
	return 0;
}

bool
guard_text(const struct guard *g, struct buf *text)
{
	char line[256];

	snprintf(line, sizeof line, "vaultd-pin-guard 1\nsalt %s\n", g->salt);
	buf_add(text, line, strlen(line));
	for (size_t i = 0; i < g->n; i++) {
		const struct guard_pin *p = &g->pin[i];

		snprintf(line, sizeof line, "pin %s %s %s %s\n", p->print,
		    p->worked ? "worked" : "new", p->trying ? "trying" : "idle",
		    p->refused[0] != '\0' ? p->refused : "-");
		buf_add(text, line, strlen(line));
	}
	return buf_add(text, "end\n", 4);
}

static int
save(struct guard *g, struct err *e)
{
	AUTO(buf) text = { 0 };

	if (!guard_text(g, &text))
		return err_set(e, V_LIMIT, "out of memory");
	return statefile_write(g->dir, g->name, buf_slice(&text), false, e);
}

static int
fingerprint(const struct guard *g, const struct secret *pin, char out[65], struct err *e)
{
	unsigned char key[32];

	if (EVP_PBE_scrypt((const char *)pin->p, pin->len, (const unsigned char *)g->salt,
	    strlen(g->salt), SCRYPT_N, SCRYPT_R, SCRYPT_P, 0, key, sizeof key) != 1)
		return err_set(e, V_INTERNAL, "scrypt failed");
	hex_encode(key, sizeof key, out);
	explicit_bzero(key, sizeof key);
	return 0;
}

/* A PIN not seen yet takes the place of one that is not dead: those may be forgotten. */
static int
find_pin(struct guard *g, const char *print, struct err *e)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (strcmp(g->pin[i].print, print) == 0) {
			g->at = i;
			return 0;
		}
	if (g->n == GUARD_PINS)
		for (i = 0; i < g->n && (g->pin[i].refused[0] != '\0' || g->pin[i].trying);)
			i++;
	if (i == GUARD_PINS)
		return err_set(e, V_DENIED, "%d different PINs were refused: make sure the "
		    "next one is right, then run `vault-hsm pin try`", GUARD_PINS);
	if (i == g->n)
		g->n++;
	g->pin[i] = (struct guard_pin){ 0 };
	memcpy(g->pin[i].print, print, sizeof g->pin[i].print);
	g->at = i;
	return 0;
}

/* What the token itself says. No mode overrides these. */
static int
check_flags(CK_FLAGS flags, struct err *e)
{
	static const struct {
		CK_FLAGS	 flag;
		const char	*text;
	} rows[] = {
		{ CKF_USER_PIN_LOCKED,
		    "the token has locked its user PIN: unlock it with the vendor's tool" },
		{ CKF_USER_PIN_FINAL_TRY,
		    "the token has one PIN try left: log in with the vendor's tool first" },
		{ CKF_USER_PIN_TO_BE_CHANGED,
		    "the token wants its user PIN changed: do that with the vendor's tool" },
		{ CKF_PROTECTED_AUTHENTICATION_PATH,
		    "the token takes its PIN from a keypad only: a service cannot use it" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if ((flags & rows[i].flag) != 0)
			return err_set(e, V_DENIED, "%s", rows[i].text);
	return 0;
}

static int
check_pin(const struct guard_pin *p, CK_FLAGS flags, enum guard_mode mode, struct err *e)
{
	bool low = (flags & CKF_USER_PIN_COUNT_LOW) != 0;

	if (mode == GUARD_FORCED)
		return 0;
	if (p->refused[0] != '\0')
		return err_set(e, V_DENIED, "the token refused this PIN before (%s), and it is "
		    "not tried again: correct the PIN, then reload vault-hsm; if it was the "
		    "token that was wrong, run `vault-hsm pin try`", p->refused);
	if (p->trying && !(p->worked && !low))
		return err_set(e, V_DENIED, "vault-hsm ended during a login with this PIN, "
		    "which may have cost a try: make sure the PIN is right, then run "
		    "`vault-hsm pin try`");
	if (low && !p->worked && mode == GUARD_SERVICE)
		return err_set(e, V_DENIED, "somebody gave the token a wrong PIN, and this "
		    "PIN has not worked yet: make sure it is right, then run "
		    "`vault-hsm pin try`");
	return 0;
}

static int
take_lock(struct guard *g, struct err *e)
{
	char path[320];

	snprintf(path, sizeof path, "%s/pin-guard.lock", g->dir);
	g->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (g->lock < 0)
		return err_errno(e, "%s", path);
	if (flock(g->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ?
	    err_set(e, V_BUSY, "another login of vault-hsm is under way") :
	    err_errno(e, "lock of %s", path);
}

int
guard_enter(struct guard *g, const char *state_dir, const CK_TOKEN_INFO *info,
    const struct secret *pin, enum guard_mode mode, struct err *e)
{
	char print[65];

	*g = (struct guard)GUARD_INIT;
	snprintf(g->dir, sizeof g->dir, "%s", state_dir);
	name_for(info, g->name);
	if (check_flags(info->flags, e) != 0 || take_lock(g, e) != 0)
		return e->code;
	if (load(g, e) != 0) {
		if (mode != GUARD_FORCED || e->code != V_DENIED)
			return e->code;
		forget(g);	/* what was read of it may have no salt */
	}
	if (fingerprint(g, pin, print, e) != 0)
		return e->code;
	if (mode == GUARD_FORCED && g->n == GUARD_PINS)
		g->n = 0;
	if (find_pin(g, print, e) != 0 ||
	    check_pin(&g->pin[g->at], info->flags, mode, e) != 0)
		return e->code;
	g->pin[g->at].refused[0] = '\0';
	g->pin[g->at].trying = true;
	return save(g, e);
}

int
guard_leave(struct guard *g, enum guard_outcome outcome, const char *why, struct err *e)
{
	struct guard_pin *p = &g->pin[g->at];
	int rc;

	p->trying = outcome == GUARD_UNEXPLAINED;
	if (outcome == GUARD_WORKED)
		p->worked = true;
	if (outcome == GUARD_REFUSED)
		snprintf(p->refused, sizeof p->refused, "%.43s", why);
	rc = save(g, e);
	guard_done(g);
	return rc;
}
