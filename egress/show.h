/*
 * show.h - secrets as a provider's API wants to see them: headers and query parameters.
 */
#pragma once

#include "connectors/catalogue.h"
#include "egress/http.h"

struct shown {
	size_t		 n;
	struct {
		const char	*name;		/* of the connector */
		struct secret	 value;
	} header[EX_SECRETS];
	const char	*query;			/* name of a parameter; NULL = none */
	struct secret	 value;			/* its value, as it is */
};
void shown_done(struct shown *v);

/* Exactly those that C asks for, and such as fit into a header. Errors: ERR_INVALID_PARAMETER
 * naming the one that does not. */
int secrets_check(const struct connector *c, enum auth_type t, const struct ex_secrets *s,
    struct err *e);

/* Of checked secrets. */
int shown_make(const struct connector *c, enum auth_type t, const struct ex_secrets *s,
    struct shown *ret, struct err *e);

/* What is sealed under release: `"headers":[{"name":"..","value":".."}],"query":[..],"secrets":{..}`. */
int shown_fragment(const struct shown *v, const struct ex_secrets *s, struct secret *ret,
    struct err *e);
/* The secrets out of it, by name. V_CORRUPT: it holds none. */
int fragment_secrets(const struct secret *fragment, struct ex_secrets *ret, struct err *e);
