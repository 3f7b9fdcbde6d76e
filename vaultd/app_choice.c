/*
 * app_choice.c - see app_choice.h.
 */
#include "vaultd/app_choice.h"

#include <string.h>

#include "common/errors.h"
#include "vaultd/objects.h"

void
app_about(const struct policy *p, const struct policy_subject *s, const struct app *app,
    struct policy_object *o, struct policy_byoa *ret)
{
	policy_byoa(p, s, app->connector, ret);
	o->app = app->name;
	o->byoa = ret->app_ref == NULL || strcmp(ret->app_ref, app->name) != 0;
}

int
app_is_locked_out(const struct policy_byoa *byoa, const char *app, const char *connector,
    struct err *e)
{
	if (!byoa->locked || byoa->app_ref == NULL || strcmp(app, byoa->app_ref) == 0)
		return 0;
	return err_name(e, ERR_APP_FORBIDDEN, "the policy locks connector '%s' to the OAuth app '%s'",
	    connector, byoa->app_ref);
}

int
app_choose(struct request *r, const char *connector, const char *named,
    const struct policy_byoa *byoa, struct app *ret, struct err *e)
{
	const char *name = named != NULL ? named : byoa->app_ref;

	if (name == NULL)
		return err_name(e, ERR_APP_REQUIRED, "connector '%s' needs an OAuth app: the policy "
		    "names no default and you named none", connector);
	if (app_is_locked_out(byoa, name, connector, e) != 0)
		return e->code;
	if (object_find_app(r->vault, name, ret, NULL, e) != 0)
		return e->id == ERR_NOT_FOUND && named == NULL ? err_name(e, ERR_APP_REQUIRED,
		    "the policy's default OAuth app '%s' is not registered yet", name) :
		    (int)e->code;
	if (strcmp(ret->connector, connector) != 0)
		return err_name(e, ERR_INVALID_PARAMETER, "OAuth app '%s' is for connector '%s'",
		    ret->name, ret->connector);
	return 0;
}
