/*
 * ctl_app_key.c - the key of an OAuth app that signs: how it comes into the HSM, and what of it
 * the provider is given.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"

#define FILE_MAX 16384

/* The whole of it, on the heap, to be wiped by vaultd_free(). NULL: said why. */
static char *
read_pem(const struct ctl *c, const char *file)
{
	FILE *f = fopen(file, "re");
	char *text = f == NULL ? NULL : calloc(1, FILE_MAX + 1);
	size_t n = 0;

	if (text != NULL) {
		setvbuf(f, NULL, _IONBF, 0);		/* no copy that nobody wipes */
		n = fread(text, 1, FILE_MAX, f);
	}
	if (f == NULL)
		ctl_fail(c, EX_FAILED, "%s: %s", file, strerror(errno));
	else
		fclose(f);
	if (text != NULL && (n == 0 || n == FILE_MAX || strstr(text, "-----BEGIN ") == NULL)) {
		ctl_fail(c, EX_USE, "%s: no PEM file (-----BEGIN ...)", file);
		vaultd_free(text);
		return NULL;
	}
	return text;
}

/* The file that OPTION names as MEMBER of P. FALSE: said why. */
static int
add_file(struct ctl *c, json_t *p, const char *option, const char *member)
{
	const char *file = ctl_option(c, option);
	char *text;

	if (file == NULL)
		return 0;
	if ((text = read_pem(c, file)) == NULL)
		return EX_USE;
	ctl_set(p, member, text);
	vaultd_free(text);
	return 0;
}

int
ctl_app_key_options(struct ctl *c, json_t *p)
{
	bool import = ctl_option(c, "import-key") != NULL;
	long long days = 0;
	int rc;

	if (import && ctl_option(c, "key") != NULL)
		return ctl_fail(c, EX_USE, "--key makes a key, --import-key brings one: one of them");
	ctl_set(p, "key", import ? "import" : ctl_option(c, "key"));
	ctl_set(p, "kid", ctl_option(c, "kid"));
	ctl_set(p, "algorithm", ctl_option(c, "algorithm"));
	ctl_set(p, "subject", ctl_option(c, "subject"));
	if ((rc = ctl_number(c, "certificate-days", 1, &days)) != 0)
		return rc;
	if (days > 0)
		json_object_set_new(p, "certificate_days", json_integer(days));
	if ((rc = add_file(c, p, "certificate", "certificate")) != 0)
		return rc;
	return add_file(c, p, "import-key", "key_pem");
}

/* ---- app key */

static const char *const fields[] = { "kind", "kind", "use", "use", "algorithm", "algorithm", "kid",
	"key id (kid)", "imported", "imported", "created", "created", "audience", "audience (aud)",
	"subject", "subject (sub)", "certificate_subject", "certificate of", "certificate_issuer",
	"issued by", "certificate_expires", "certificate ends", "x5t", "x5t", "x5t_s256", "x5t#S256",
	"id", "id", NULL };

static void
dump_jwks(json_t *key)
{
	json_t *set = json_pack("{s:[O]}", "keys", json_object_get(key, "jwk"));

	ctl_dump(set);
	json_decref(set);
}

/* One thing alone, as a file wants it. */
static int
print_one(struct ctl *c, json_t *key)
{
	static const struct { const char *option, *member; } rows[] = { { "pem", "public_key" },
		{ "certificate", "certificate" }, { "csr", "certificate_request" } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (ctl_option(c, rows[i].option) == NULL)
			continue;
		if (*ctl_text(key, rows[i].member) == '\0')
			return ctl_fail(c, EX_FAILED, "this key has no certificate: vaultctl app "
			    "set-certificate");
		fputs(ctl_text(key, rows[i].member), stdout);
		return EX_OK;
	}
	if (ctl_option(c, "jwk") != NULL)
		ctl_dump(json_object_get(key, "jwk"));
	else
		dump_jwks(key);
	return EX_OK;
}

static void
print_all(json_t *key)
{
	ctl_fields(key, fields);
	printf("\nRegister one of these at the provider:\n\n");
	dump_jwks(key);
	printf("\n%s", ctl_text(key, "public_key"));
	if (*ctl_text(key, "certificate") != '\0')
		printf("\n%s", ctl_text(key, "certificate"));
	if (*ctl_text(key, "certificate_request") != '\0')
		printf("\n%s", ctl_text(key, "certificate_request"));
}

int
ctl_app_key(struct ctl *c)
{
	static const char *const one[] = { "csr", "pem", "jwk", "jwks", "certificate" };
	json_t *p = json_pack("{s:s}", "app", c->arg[0]), *r;
	unsigned n = 0;
	int rc = EX_OK;

	for (size_t i = 0; i < sizeof one / sizeof *one; i++)
		n += ctl_option(c, one[i]) != NULL;
	if (n > 1) {
		json_decref(p);
		return ctl_fail(c, EX_USE, "one of --csr, --pem, --jwk, --jwks, --certificate");
	}
	if (ctl_option(c, "csr") != NULL)
		json_object_set_new(p, "request", json_true());
	ctl_set(p, "common_name", ctl_option(c, "common-name"));
	if ((r = ctl_call(c, "vaultd.Apps.Key", p)) == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else if (n == 1)
		rc = print_one(c, json_object_get(r, "key"));
	else
		print_all(json_object_get(r, "key"));
	json_decref(r);
	return rc;
}

/* ---- app set-certificate */

int
ctl_app_set_certificate(struct ctl *c)
{
	json_t *p, *r;
	int rc;

	if (ctl_option(c, "certificate") == NULL)
		return ctl_fail(c, EX_USE, "--certificate FILE is required");
	p = json_pack("{s:s}", "app", c->arg[0]);
	if ((rc = add_file(c, p, "certificate", "certificate")) != 0) {
		json_decref(p);
		return rc;
	}
	if ((r = ctl_call(c, "vaultd.Apps.SetCertificate", p)) == NULL)
		return c->status;
	if (c->json)
		ctl_dump(r);
	else
		ctl_say(stdout, "the certificate of app %s is stored\n", c->arg[0]);
	json_decref(r);
	return EX_OK;
}
