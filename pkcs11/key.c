/*
 * key.c - see key.h.
 */
#include "pkcs11/key.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/role.h"
#include "pkcs11/ckr.h"
#include "pkcs11/hsm.h"
#include "pkcs11/pair.h"

struct command {
	const char	*noun, *verb;
	enum guard_mode	 mode;
	/* ARG: the one more word that a command with `arg` takes; else NULL. */
	int		(*run)(struct hsm *h, const char *arg, FILE *out, struct err *e);
	bool		 arg;
};

/* ---- key init */

static int
check_unbound(struct hsm *h, struct err *e)
{
	char vault[ID_TEXT];
	struct binding b;

	if (binding_load(h->conf.state_dir, &b, e) == V_NOT_FOUND)
		return 0;
	if (e->code == V_IO)
		return e->code;
	if (e->code == V_CORRUPT)
		return err_wrap(e, "there is a binding already");
	id_text(&b.vault, vault);
	return err_set(e, V_CONFLICT, "%s/binding exists: the KEKs of vault %s were made "
	    "before, and everything sealed needs them; nothing was changed",
	    h->conf.state_dir, vault);
}

static int
make_kek(struct hsm *h, enum purpose purpose, struct err *e)
{
	struct binding_kek *b = &h->binding.kek[h->binding.n];
	char vault[ID_TEXT], label[80];
	unsigned char id[KEK_ID_LEN / 2];
	CK_OBJECT_HANDLE key;
	struct mech_key mk;
	const struct mech_row *row;

	random_bytes(id, sizeof id);
	hex_encode(id, sizeof id, b->id);
	b->purpose = purpose;
	b->generation = 1;
	b->current = true;
	h->binding.n++;		/* from here on undo() looks for it */
	id_text(&h->binding.vault, vault);
	snprintf(label, sizeof label, "vault-%s-%s-%u", vault, purpose_name(purpose),
	    b->generation);
	if (kek_make(&h->module, b->id, label, &key, e) != 0 ||
	    kek_find(&h->module, b->id, &key, e) != 0 ||
	    kek_check(&h->module, key, b->id, h->conf.allow_weak, e) != 0)
		return e->code;
	mk = (struct mech_key){ h->module.session, key, b->id, purpose };
	if (mech_pick(&h->module, &mk, &row, e) != 0)
		return e->code;
	return kek_kcv_make(&h->module, row, key, b, e);
}

/*
 * Takes back the keys of this run, which nothing was ever sealed under. A failure of
 * C_GenerateKey may have made its key all the same, so all of them are looked for.
 */
static void
undo(struct hsm *h, FILE *out)
{
	for (size_t i = 0; i < h->binding.n; i++) {
		const char *id = h->binding.kek[i].id;
		CK_OBJECT_HANDLE key;
		struct err e;
		CK_RV rv;

		if (module_sessions(&h->module, &e) != 0 ||
		    kek_find(&h->module, id, &key, &e) != 0) {
			if (e.code != V_NOT_FOUND)
				fprintf(out, "left    key with ID %s, if it was made: %s\n", id,
				    e.text);
			continue;
		}
		rv = module_call(&h->module, call_ms, C_DestroyObject, h->module.session, key);
		if (rv == CKR_OK)
			fprintf(out, "removed unused key with ID %s\n", id);
		else
			fprintf(out, "left    unused key with ID %s: %s\n", id,
			    ckr_text(rv).s);
	}
}

static int
key_init(struct hsm *h, const char *arg, FILE *out, struct err *e)
{
	char vault[ID_TEXT];

	(void)arg;
	if (check_unbound(h, e) != 0 || hsm_reach(h, e) != 0)
		return e->code;
	h->binding = (struct binding){ .vault = id_new() };
	if (make_kek(h, PURPOSE_GRANT, e) != 0 || make_kek(h, PURPOSE_RELEASE, e) != 0 ||
	    binding_create(h->conf.state_dir, &h->binding, e) != 0) {
		undo(h, out);
		return e->code;
	}
	id_text(&h->binding.vault, vault);
	fprintf(out, "token   %s (%s %s, serial %s)\n", h->module.label, h->module.maker,
	    h->module.model, h->module.serial);
	fprintf(out, "vault   %s\n", vault);
	for (size_t i = 0; i < h->binding.n; i++)
		fprintf(out, "made    KEK %s for %s secrets, generation %u\n",
		    h->binding.kek[i].id, purpose_name(h->binding.kek[i].purpose),
		    h->binding.kek[i].generation);
	fprintf(out, "wrote   %s/binding\n", h->conf.state_dir);
	fprintf(out, "next    back up the token as its vendor says: without these keys "
	    "nothing can be opened\n        then start vault-hsm, or reload it when it "
	    "runs: systemctl reload vault-hsm\n");
	return 0;
}

/* ---- key status, pin try */

static int
key_status(struct hsm *h, const char *arg, FILE *out, struct err *e)
{
	int rc = hsm_start(h, e);
	char vault[ID_TEXT];

	(void)arg;
	fprintf(out, "state   %s\n", key_state_name(h->state));
	if (h->module.label[0] != '\0')
		fprintf(out, "token   %s (%s %s, serial %s)\n", h->module.label,
		    h->module.maker, h->module.model, h->module.serial);
	if (h->binding.n == 0)
		return rc;
	id_text(&h->binding.vault, vault);
	fprintf(out, "vault   %s\n", vault);
	for (size_t i = 0; i < h->binding.n; i++) {
		const struct binding_kek *b = &h->binding.kek[i];

		fprintf(out, "KEK     %s for %s secrets, generation %u, %s%s%s\n", b->id,
		    purpose_name(b->purpose), b->generation,
		    b->current ? "current" : "previous",
		    h->kek[i].row != NULL ? ", " : "",
		    h->kek[i].row != NULL ? h->kek[i].row->name : "");
	}
	return rc;
}

static int
pin_try(struct hsm *h, const char *arg, FILE *out, struct err *e)
{
	(void)arg;
	if (hsm_reach(h, e) != 0)
		return e->code;
	fprintf(out, "token   %s (%s %s, serial %s)\n", h->module.label, h->module.maker,
	    h->module.model, h->module.serial);
	fprintf(out, "the PIN works; reload vault-hsm: systemctl reload vault-hsm\n");
	return 0;
}

/* ---- pair list, pair destroy: those whose app is gone, and of apps that are in a backup alone */

struct listing {
	struct hsm	*h;
	FILE		*out;
};

static int
list_one(void *arg, const struct pair_file *p, const struct err *bad)
{
	struct listing *l = arg;
	CK_OBJECT_HANDLE key;
	char record[ID_TEXT];
	struct err e = { 0 };

	if (bad->code != 0) {
		fprintf(l->out, "%s damaged: %s\n", p->id, bad->text);
		return 0;
	}
	id_text(&p->record, record);
	fprintf(l->out, "%s app %s %s %s, %s, for %s at %s%s%s\n", p->id, record,
	    pair_kind_name(p->public.kind), pair_use_name(p->public.use),
	    p->public.imported ? "imported" : "generated",
	    p->rule.iss[0] != '\0' ? p->rule.iss : "a client", p->rule.endpoint,
	    pair_find(&l->h->module, p, &key, &e) == 0 ? "" : "; not usable: ", e.text);
	return 0;
}

static int
pair_list(struct hsm *h, const char *arg, FILE *out, struct err *e)
{
	struct listing l = { h, out };

	(void)arg;
	if (hsm_reach(h, e) != 0)
		return e->code;
	return pairfile_walk(h->conf.state_dir, list_one, &l, e);
}

static int
pair_destroy_one(struct hsm *h, const char *arg, FILE *out, struct err *e)
{
	struct pair_file p;
	CK_OBJECT_HANDLE key;
	int rc;

	if (pairfile_load(h->conf.state_dir, arg, &p, e) != 0 || hsm_reach(h, e) != 0)
		return e->code;
	rc = pair_find(&h->module, &p, &key, e);
	if (rc == 0)
		rc = pair_destroy(&h->module, &p, key, e);
	if (rc != 0 && rc != V_NOT_FOUND)
		return rc;
	if (pairfile_remove(h->conf.state_dir, p.id, e) != 0)
		return e->code;
	fprintf(out, rc == 0 ? "destroyed key pair %s\n" :
	    "forgot  key pair %s: the token does not have it, and nothing will use it\n", p.id);
	return 0;
}

static const struct command commands[] = {
	{ "key", "init", GUARD_OPERATOR, key_init, false },
	{ "key", "status", GUARD_OPERATOR, key_status, false },
	{ "pin", "try", GUARD_FORCED, pin_try, false },
	{ "pair", "list", GUARD_OPERATOR, pair_list, false },
	{ "pair", "destroy", GUARD_OPERATOR, pair_destroy_one, true },
};

/* ---- around them */

/*
 * The daemon must be able to read what we make, here and in a token of files: as root we
 * become the user the state directory belongs to.
 */
static int
become_owner(const struct hsm_conf *c, struct err *e)
{
	struct passwd *pw;
	struct stat st;

	if (stat(c->state_dir, &st) != 0)
		return err_errno(e, "state_dir %s", c->state_dir);
	if (geteuid() == st.st_uid)
		return 0;
	if (geteuid() != 0)
		return err_set(e, V_DENIED, "%s belongs to uid %u: run this as root or as that "
		    "user", c->state_dir, (unsigned)st.st_uid);
	pw = getpwuid(st.st_uid);
	if ((pw != NULL ? initgroups(pw->pw_name, st.st_gid) : setgroups(0, NULL)) != 0 ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) != 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) != 0)
		return err_errno(e, "becoming uid %u", (unsigned)st.st_uid);
	return 0;
}

/* The module may print: our own output gets a descriptor that it does not know. */
static FILE *
own_stdout(struct err *e)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (out == NULL || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0) {
		err_errno(e, "standard output");
		return NULL;
	}
	close(null);
	return out;
}

static int
run(const struct command *c, const char *arg, struct hsm *h, struct err *e)
{
	FILE *out = own_stdout(e);
	int rc;

	if (out == NULL)
		return e->code;
	/* The PIN is read while we still may; without one we go on to what needs none. */
	if (secret_arena_init(h->conf.secret_memory, h->conf.secret_mlock_only, e) != 0 ||
	    login_pin(&h->conf, &h->pin, e) != 0 || become_owner(&h->conf, e) != 0 ||
	    role_harden(NULL, e) != 0 || config_module_env(&h->conf, e) != 0)
		return e->code;
	h->mode = c->mode;
	rc = c->run(h, arg, out, e);
	secret_done(&h->pin);
	if (fflush(out) != 0 && rc == 0)
		rc = err_errno(e, "standard output");
	return rc;
}

int
key_command(struct hsm_conf *conf, int argc, char **argv)
{
	struct hsm h = { .conf = *conf, .state = KEY_STARTING };
	struct err e;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *c = &commands[i];

		if (argc != 2 + c->arg || strcmp(argv[0], c->noun) != 0 ||
		    strcmp(argv[1], c->verb) != 0)
			continue;
		if (run(c, c->arg ? argv[2] : NULL, &h, &e) == 0)
			return 0;
		fprintf(stderr, "vault-hsm %s %s: %s\n", c->noun, c->verb, e.text);
		return 1;
	}
	fprintf(stderr, "vault-hsm: unknown command; there is `key init`, `key status`, `pin "
	    "try`, `pair list` and `pair destroy ID`\n");
	return 2;
}
