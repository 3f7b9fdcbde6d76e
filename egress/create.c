/*
 * create.c - EGRESS_CREATE: a connection that nobody signs in for. A static secret is tried at the
 * provider and sealed; of the others the first token is bought, and what buys the next is sealed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/auto.h"
#include "common/errors.h"
#include "egress/account.h"
#include "egress/egress.h"
#include "egress/exchange.h"
#include "egress/http.h"
#include "egress/ops.h"

static int
find(struct job *j, const struct create *q, const struct connector **ret, struct err *e)
{
	*ret = q->version == 0 ? catalogue_find(&j->x->catalogue, q->connector) :
	    catalogue_pinned(&j->x->catalogue, q->connector, q->version);
	if (*ret == NULL)
		return err_name(e, ERR_CONNECTOR_UNKNOWN, "connector '%s' is not in the catalogue of "
		    "vault-egress", q->connector);
	if ((*ret)->auth_types & q->auth_type)
		return secrets_check(*ret, q->auth_type, &q->secrets, e);
	return err_name(e, ERR_AUTH_TYPE_NOT_ALLOWED, "connector '%s' has no %s", (*ret)->id,
	    auth_type_name(q->auth_type));
}

/* ---- static types */

struct standing {
	struct create		 q;
	const struct connector	*c;
	struct destination	 d;
};

static void
standing_free(void *p)
{
	struct standing *s = p;

	create_done(&s->q);
	free(s);
}

/* What callers of this type get. */
static int
make_fragment(const struct standing *s, const struct shown *v, struct secret *ret, struct err *e)
{
	return s->q.auth_type == AUTH_PAT ?
	    fragment_make(&s->q.secrets.v[0].value, s->c->pat_token_type, "", ret, e) :
	    shown_fragment(v, &s->q.secrets, ret, e);
}

static int
show_and_probe(struct job *j, const struct standing *s, bool ask, struct shown *v,
    struct exchange_result *res, struct err *e)
{
	if (shown_make(s->c, s->q.auth_type, &s->q.secrets, v, e) != 0)
		return e->code;
	return !ask ? 0 : shown_probe(j->x, s->c, &s->d, v, res->account, sizeof res->account, e);
}

static int
standing_perform(struct job *j, struct err *e)
{
	struct standing *s = j->state;
	struct exchange_result res = { .phase = PHASE_ANSWERED };
	const struct create *q = &s->q;
	AUTO(secret) text = { 0 }, dek = { 0 };
	AUTO(shown) v = { 0 };
	bool ask = connector_probes(s->c, q->auth_type);
	int rc = q->auth_type == AUTH_PAT ? !ask ? 0 : token_probe(j->x, s->c, &s->d, &q->secrets.v[0].value,
	    res.account, sizeof res.account, e) : show_and_probe(j, s, ask, &v, &res, e);

	if (rc == 0)
		rc = make_fragment(s, &v, &text, e);
	if (rc == 0)
		rc = keys_make(j->x, PURPOSE_RELEASE, &q->connection, &dek, &res.release_wrap, e);
	if (rc == 0)
		rc = keys_seal(j->x, PURPOSE_RELEASE, &q->connection, q->release_version, &dek,
		    (struct slice){ text.p, text.len }, &res.release_blob, e);
	if (!connector_fill(s->d.api_base, &res.captured, res.api_base, sizeof res.api_base))
		res.api_base[0] = '\0';
	if (rc == 0)
		exchange_result_put(&j->answer, &res);
	exchange_result_done(&res);
	return rc;
}

static int
prepare_standing(struct job *j, struct create *q, const struct connector *c, struct err *e)
{
	struct standing *s = calloc(1, sizeof *s);

	must(s != NULL);
	j->state = s;
	j->done_state = standing_free;
	j->perform = standing_perform;
	s->c = c;
	s->q = *q;
	q->secrets.n = 0;	/* moved */
	if (destination_expand(c, &s->q.vars, "x", &s->d, e) != 0)
		return e->code;
	if (s->d.probe_url[0] != '\0')
		http_host(s->d.probe_url, j->host, sizeof j->host);
	return 0;
}

/* ---- grants */

static int
check_params(const struct connector *c, const struct ex_vars *v, struct err *e)
{
	for (size_t i = 0; i < v->n; i++) {
		size_t k = 0;

		while (k < c->ngrant_params && strcmp(c->grant_params[k], v->v[i].name) != 0)
			k++;
		if (k < c->ngrant_params)
			continue;
		err_name(e, ERR_INVALID_PARAMETER, "'%.60s' is not one of the `grant_params` of connector "
		    "'%s'; what stands in its URLs was given to the OAuth app", v->v[i].name, c->id);
		err_detail(e, "parameter", "variables.%s", v->v[i].name);
		return e->code;
	}
	return 0;
}

static int
take_grant(struct create *q, struct grant_secret *g, struct err *e)
{
	const struct secret *name = ex_secret(&q->secrets, "username");
	const struct secret *word = ex_secret(&q->secrets, "password");

	g->kind = exchange_renews(q->auth_type);
	g->params = q->vars;
	if (name == NULL)
		return 0;
	if (name->len >= sizeof g->username)
		return err_parameter(e, "secrets.username",
		    "the user name is too long: 255 bytes is the most");
	snprintf(g->username, sizeof g->username, "%.*s", (int)name->len, (const char *)name->p);
	return secret_copy(&g->password, word, e);
}

static int
open_app(struct job *j, const struct create *q, struct flight *f, struct err *e)
{
	AUTO(secret) plain = { 0 };

	if (keys_open(j->x, PURPOSE_GRANT, &q->app, &plain, e) != 0 ||
	    app_secret_get(&plain, &f->app, e) != 0)
		return e->code;
	f->d = f->grant.d = f->app.d;
	if (strcmp(f->d.connector, q->connector) != 0)
		return err_name(e, ERR_RECORD_CORRUPT, "the OAuth app is sealed for another connector");
	return 0;
}

static int
prepare_grant(struct job *j, struct create *q, const struct connector *c, struct err *e)
{
	struct flight *f = flight_new(j);

	f->kind = exchange_renews(q->auth_type);
	f->first = true;
	f->connection = q->connection;
	f->grant_version = q->grant_version;
	f->release_version = q->release_version;
	snprintf(f->scope, sizeof f->scope, "%s", q->scope);
	if (check_params(c, &q->vars, e) != 0 || open_app(j, q, f, e) != 0 ||
	    take_grant(q, &f->grant, e) != 0 ||
	    exchange_keys(j->x, (struct slice){ NULL, 0 }, f, e) != 0)
		return e->code;
	return exchange_ready(j, f, e);
}

int
create_prepare(struct job *j, struct err *e)
{
	struct create q = { 0 };
	const struct connector *c;
	unsigned flags;
	int rc;

	if (create_get((struct slice){ j->body.p, j->body.len }, &q, e) != 0)
		return e->code;
	flags = auth_type_flags(q.auth_type);
	rc = find(j, &q, &c, e);
	if (rc == 0 && (flags & AUTH_NEEDS_USER || flags == 0))
		rc = err_name(e, ERR_AUTH_TYPE_NOT_ALLOWED, "a connection of type %s needs a sign-in",
		    auth_type_name(q.auth_type));
	if (rc == 0)
		rc = flags & AUTH_STATIC ? prepare_standing(j, &q, c, e) : prepare_grant(j, &q, c, e);
	create_done(&q);
	return rc;
}
