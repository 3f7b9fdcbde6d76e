/*
 * scopes.c - see scopes.h.
 */
#include "vaultd/scopes.h"

#include <stdio.h>
#include <string.h>

#include "common/errors.h"
#include "common/scope.h"

struct chosen {
	char		*text;
	size_t		 cap;
	struct err	*e;
};

static int
add(struct chosen *to, const char *word)
{
	if (!scope_valid(word))
		return err_name(to->e, ERR_INVALID_PARAMETER, "'%.60s' is not one scope", word);
	if (!scope_add(to->text, to->cap, word))
		return err_name(to->e, ERR_INVALID_PARAMETER, "the scopes are too many");
	return 0;
}

static int
add_all(struct chosen *to, const char *const *v, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add(to, v[i]);
	return rc;
}

/* Each word of TEXT. */
static int
add_words(struct chosen *to, const char *text)
{
	char words[EX_SCOPE], *at = words, *word;
	int rc = 0;

	snprintf(words, sizeof words, "%s", text);
	while (rc == 0 && (word = strsep(&at, " ")) != NULL)
		if (*word != '\0')
			rc = add(to, word);
	return rc;
}

/* A connector's, with the variables of the app in them. */
static int
add_templates(struct chosen *to, const struct scopes_from *from, char *const *v, size_t n)
{
	static const struct ex_vars none;
	char text[EX_URL];

	for (size_t i = 0; i < n; i++)
		if (connector_expand_text(from->connector, v[i], from->app != NULL ?
			&from->app->vars : &none, text, sizeof text, to->e) != 0 ||
		    add(to, text) != 0)
			return to->e->code;
	return 0;
}

int
scopes_choose(const struct scopes_from *from, char *ret, size_t cap, struct err *e)
{
	const struct connector *k = from->connector;
	struct chosen to = { ret, cap, e };

	*ret = '\0';
	if (add_templates(&to, from, k->scopes_mandatory, k->nmandatory) != 0)
		return e->code;
	if (from->asked != NULL && from->asked->n > 0)
		return add_all(&to, from->asked->v, from->asked->n);
	if (from->policy != NULL && from->policy->scopes != NULL)
		return add_all(&to, from->policy->scopes, from->policy->nscopes);
	if (from->app != NULL && from->app->scope[0] != '\0')
		return add_words(&to, from->app->scope);
	return add_templates(&to, from, k->scopes_default, k->ndefault);
}
