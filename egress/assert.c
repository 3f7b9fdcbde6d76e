/*
 * assert.c - see assert.h. vault-hsm holds every claim here against what was recorded when the
 * key was made.
 */
#include "egress/assert.h"

#include <stdio.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/jwk.h"
#include "egress/egress.h"

int
assert_audience(const struct connector *c, const struct destination *d, char *out, size_t cap,
    struct err *e)
{
	const char *said = c->assertion_audience;

	if (said != NULL && strcmp(said, "token_url") != 0)
		return connector_expand_text(c, said, &d->vars, out, cap, e);
	snprintf(out, cap, "%s", said == NULL && d->issuer[0] != '\0' ? d->issuer : d->token_url);
	return 0;
}

static int
no_key(struct err *e)
{
	return err_name(e, ERR_INVALID_PARAMETER, "this OAuth app has no key to sign assertions "
	    "with: register it with one (--key or --import-key)");
}

/* What every assertion of the app has. */
static int
start(const struct app_secret *app, struct claims *c, struct err *e)
{
	const struct app_key *k = &app->key;
	struct cert_info cert;

	if (k->id[0] == '\0' || k->use != PAIR_ASSERTION)
		return no_key(e);
	*c = (struct claims){ .record = k->record, .alg = k->alg };
	snprintf(c->id, sizeof c->id, "%s", k->id);
	snprintf(c->iss, sizeof c->iss, "%s", app->client_id);
	snprintf(c->aud, sizeof c->aud, "%s", k->audience);
	if (k->header == ASSERTION_KID) {
		snprintf(c->kid, sizeof c->kid, "%s", k->kid);
		return 0;
	}
	if (cert_read((struct slice){ k->certificate.p, k->certificate.len },
		(struct slice){ "", 0 }, &cert, e) != 0)
		return e->code;
	if (k->header == ASSERTION_X5T)
		snprintf(c->x5t, sizeof c->x5t, "%s", cert.x5t);
	else
		snprintf(c->x5t_s256, sizeof c->x5t_s256, "%s", cert.x5t_s256);
	return 0;
}

int
assert_client(struct egress *x, const struct app_secret *app, struct secret *ret, struct err *e)
{
	AUTO_FREE struct claims *c = calloc(1, sizeof *c);

	must(c != NULL);
	if (start(app, c, e) != 0)
		return e->code;
	snprintf(c->sub, sizeof c->sub, "%s", app->client_id);
	return keys_sign_jwt(x, c, ret, e);
}

static int
add_claim(struct claims *c, const char *name, const char *value, struct err *e)
{
	if (c->nextra == CLAIMS_EXTRA || strlen(name) >= sizeof c->extra[0].name ||
	    strlen(value) >= sizeof c->extra[0].value)
		return err_name(e, ERR_INVALID_PARAMETER, "an assertion has room for %d more claims, "
		    "and '%.60s' does not fit", CLAIMS_EXTRA, name);
	snprintf(c->extra[c->nextra].name, sizeof c->extra[0].name, "%s", name);
	snprintf(c->extra[c->nextra].value, sizeof c->extra[0].value, "%s", value);
	c->nextra++;
	return 0;
}

int
assert_grant(struct egress *x, const struct app_secret *app, const char *subject,
    const char *scope, const struct name_value *claims, size_t n, struct secret *ret, struct err *e)
{
	AUTO_FREE struct claims *c = calloc(1, sizeof *c);

	must(c != NULL);
	if (start(app, c, e) != 0)
		return e->code;
	if (*subject == '\0' && strcmp(app->key.subject, PAIR_ANY) == 0)
		return err_name(e, ERR_INVALID_PARAMETER, "for whom? The key of this OAuth app is for "
		    "any subject, so a connection names one");
	snprintf(c->sub, sizeof c->sub, "%s", *subject != '\0' ? subject : app->key.subject);
	if (*scope != '\0' && add_claim(c, "scope", scope, e) != 0)
		return e->code;
	for (size_t i = 0; i < n; i++)
		if (add_claim(c, claims[i].name, claims[i].value, e) != 0)
			return e->code;
	return keys_sign_jwt(x, c, ret, e);
}
