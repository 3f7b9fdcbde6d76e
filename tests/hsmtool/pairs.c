/*
 * pairs.c - key pairs of connections, as vault-egress asks for them.
 *
 *	hsmtool pair SOCKET RECORD KIND USE ISS SUB AUD [PEM-FILE]	-> "ID"
 *	hsmtool public SOCKET RECORD ID			-> "KIND USE ORIGIN SPKI"
 *	hsmtool destroy SOCKET RECORD ID
 *	hsmtool jwt SOCKET RECORD ID ALG ISS SUB AUD [NAME=VALUE...]	-> JWS
 *	hsmtool tls SOCKET RECORD ID SCHEME FILE	-> signature of FILE in hex
 *	hsmtool certify SOCKET RECORD ID CN DAYS	-> PEM; 0 days: a request
 */
#include <stdio.h>
#include <string.h>

#include "common/auto.h"
#include "common/jwk.h"
#include "common/signing.h"
#include "tests/hsmtool/hsmtool.h"

static int
read_file(const char *path, struct secret *ret, struct err *e)
{
	FILE *f = fopen(path, "r");
	char b[4096];
	size_t n;
	int rc = f == NULL ? err_errno(e, "%s", path) : 0;

	while (rc == 0 && (n = fread(b, 1, sizeof b, f)) > 0)
		rc = secret_append(ret, b, n, e);
	if (f != NULL)
		fclose(f);
	return rc;
}

static int
pair(struct keyline *k, int argc, char **argv, struct err *e)
{
	AUTO(pair_make) q = { .record = record(argv[0]), .kind = PAIR_RSA };
	struct pair_public p;

	if (!pair_kind_parse(argv[1], &q.kind) || !pair_use_parse(argv[2], &q.use))
		return err_set(e, V_INVALID, "usage: KIND is rsa or ec, USE assertion or tls");
	pair_id_new(q.id);
	if (getenv("PAIR_ID") != NULL)		/* one that the token may know already */
		snprintf(q.id, sizeof q.id, "%s", getenv("PAIR_ID"));
	snprintf(q.rule.iss, sizeof q.rule.iss, "%s", argv[3]);
	snprintf(q.rule.sub, sizeof q.rule.sub, "%s", argv[4]);
	q.rule.naud = *argv[5] != '\0';
	snprintf(q.rule.aud[0], sizeof q.rule.aud[0], "%s", argv[5]);
	if ((argc > 6 && read_file(argv[6], &q.pem, e) != 0) ||
	    keyline_pair_make(k, &q, &p, e) != 0)
		return e->code;
	puts(q.id);
	return 0;
}

static int
public(struct keyline *k, int argc, char **argv, struct err *e)
{
	struct id id = record(argv[0]);
	struct pair_public p;

	(void)argc;
	if (keyline_pair_public(k, argv[1], &id, &p, e) != 0)
		return e->code;
	printf("%s %s %s ", pair_kind_name(p.kind), pair_use_name(p.use),
	    p.imported ? "imported" : "generated");
	print_hex(p.spki, p.spki_len, "\n");
	return 0;
}

static int
destroy(struct keyline *k, int argc, char **argv, struct err *e)
{
	struct id id = record(argv[0]);

	(void)argc;
	return keyline_pair_destroy(k, argv[1], &id, e);
}

static int
jwt(struct keyline *k, int argc, char **argv, struct err *e)
{
	static struct claims c;
	AUTO(secret) out = { 0 };

	c.record = record(argv[0]);
	snprintf(c.id, sizeof c.id, "%s", argv[1]);
	if (!jws_alg_parse(argv[2], &c.alg))
		return err_set(e, V_INVALID, "usage: ALG is RS256, PS256 or ES256");
	snprintf(c.kid, sizeof c.kid, "k1");
	snprintf(c.iss, sizeof c.iss, "%s", argv[3]);
	snprintf(c.sub, sizeof c.sub, "%s", argv[4]);
	snprintf(c.aud, sizeof c.aud, "%s", argv[5]);
	for (int i = 6; i < argc && c.nextra < CLAIMS_EXTRA; i++, c.nextra++) {
		snprintf(c.extra[c.nextra].name, 64, "%.*s", (int)strcspn(argv[i], "="), argv[i]);
		snprintf(c.extra[c.nextra].value, 2048, "%s", argv[i] + strcspn(argv[i], "=") + 1);
	}
	if (keyline_sign_jwt(k, &c, &out, e) != 0)
		return e->code;
	printf("%.*s\n", (int)out.len, (const char *)out.p);
	return 0;
}

static int
tls(struct keyline *k, int argc, char **argv, struct err *e)
{
	struct id id = record(argv[0]);
	AUTO(secret) in = { 0 }, out = { 0 };

	(void)argc;
	if (read_file(argv[3], &in, e) != 0 ||
	    keyline_sign_tls(k, argv[1], &id, (enum tls_scheme)strtoul(argv[2], NULL, 0),
		(struct slice){ in.p, in.len }, &out, e) != 0)
		return e->code;
	print_hex(out.p, out.len, "\n");
	return 0;
}

static int
certify(struct keyline *k, int argc, char **argv, struct err *e)
{
	struct certify q = { .record = record(argv[0]), .days = (uint32_t)atoi(argv[3]) };
	AUTO(secret) der = { 0 };
	AUTO(buf) pem = { 0 };

	(void)argc;
	q.request = q.days == 0;
	snprintf(q.id, sizeof q.id, "%s", argv[1]);
	snprintf(q.common_name, sizeof q.common_name, "%s", argv[2]);
	if (keyline_certify(k, &q, &der, e) != 0)
		return e->code;
	must(pem_of(q.request ? "CERTIFICATE REQUEST" : "CERTIFICATE",
	    (struct slice){ der.p, der.len }, &pem));
	printf("%.*s", (int)pem.len, (const char *)pem.p);
	return 0;
}

static const struct {
	const char	*name;
	int		 least;
	int		(*run)(struct keyline *k, int argc, char **argv, struct err *e);
} commands[] = {
	{ "pair", 6, pair }, { "public", 2, public }, { "destroy", 2, destroy }, { "jwt", 6, jwt },
	{ "tls", 4, tls }, { "certify", 4, certify },
};

int
pair_command(struct keyline *k, const char *op, int argc, char **argv)
{
	struct err e;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, op) == 0 && argc >= commands[i].least)
			return commands[i].run(k, argc, argv, &e) == 0 ? 0 : say(&e);
	fprintf(stderr, "usage: see the top of pairs.c\n");
	return 2;
}
