/*
 * metadata.c - EGRESS_DISCOVER: what an issuer's metadata says, for who writes a connector file.
 * Nothing is kept, and no secret goes there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/json.h"
#include "egress/discovery.h"
#include "egress/egress.h"
#include "egress/http.h"
#include "egress/ops.h"

#define WORDS_MAX	64
#define WORD_MAX	128

struct asking {
	char	issuer[EX_URL];
};

/* RFC 8414 section 2: what a connector is made of. URLs were looked at by discovery_parse(). */
static const char *const lists[] = { "scopes_supported", "grant_types_supported",
	"token_endpoint_auth_methods_supported", "code_challenge_methods_supported", NULL };
static const char *const flags[] = { "require_pushed_authorization_requests",
	"authorization_response_iss_parameter_supported", NULL };

/* Words of visible ASCII, the first ones. */
static json_t *
words(const json_t *v)
{
	json_t *a = json_array(), *item;
	size_t i;

	json_array_foreach((json_t *)v, i, item) {
		const char *s = json_string_value(item);
		size_t n = 0;

		while (s != NULL && s[n] > 0x20 && s[n] < 0x7f)
			n++;
		if (s != NULL && n > 0 && s[n] == '\0' && n < WORD_MAX && json_array_size(a) < WORDS_MAX)
			json_array_append_new(a, json_string(s));
	}
	return a;
}

static void
put_url(json_t *o, const char *name, const char *url)
{
	if (url[0] != '\0')
		json_object_set_new(o, name, json_string(url));
}

static json_t *
metadata_of(const struct destination *d, struct slice text)
{
	struct err e;
	json_auto_t *all = json_parse(text, HTTP_ANSWER_MAX, &e);
	json_t *o = json_object();

	put_url(o, "issuer", d->issuer);
	put_url(o, "authorization_url", d->authorization_url);
	put_url(o, "token_url", d->token_url);
	put_url(o, "revocation_url", d->revocation_url);
	put_url(o, "par_url", d->par_url);
	put_url(o, "device_url", d->device_url);
	put_url(o, "introspection_url", d->introspection_url);
	put_url(o, "userinfo_url", d->probe_url);
	for (size_t i = 0; lists[i] != NULL; i++)
		json_object_set_new(o, lists[i], words(json_object_get(all, lists[i])));
	for (size_t i = 0; flags[i] != NULL; i++)
		json_object_set_new(o, flags[i],
		    json_boolean(json_is_true(json_object_get(all, flags[i]))));
	return o;
}

static int
discover_perform(struct job *j, struct err *e)
{
	const struct asking *s = j->state;
	struct destination d = { 0 };
	AUTO(secret) text = { 0 };
	json_auto_t *o = NULL;
	char *out;
	bool iss;

	snprintf(d.issuer, sizeof d.issuer, "%s", s->issuer);
	if (discovery_fetch(j->x, s->issuer, &text, e) != 0 ||
	    discovery_parse((struct slice){ text.p, text.len }, &d, &iss, e) != 0)
		return e->code;
	o = metadata_of(&d, (struct slice){ text.p, text.len });
	if ((out = json_dumps(o, JSON_COMPACT)) == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	msg_put_str(&j->answer, out);
	free(out);
	return 0;
}

int
discover_prepare(struct job *j, struct err *e)
{
	struct asking *s = calloc(1, sizeof *s);
	struct msg m;

	must(s != NULL);
	j->state = s;
	j->done_state = free;
	j->perform = discover_perform;
	msg_read(&m, (struct slice){ j->body.p, j->body.len });
	msg_get_str(&m, s->issuer, sizeof s->issuer);
	if (msg_end(&m, "issuer", e) != 0)
		return e->code;
	if (!http_host(s->issuer, j->host, sizeof j->host) || strpbrk(s->issuer, "?# ") != NULL)
		return err_parameter(e, "issuer", "an issuer is a plain https URL");
	return 0;
}
