/*
 * ctl_check.c - vaultctl policy check, connector check: the readers of the roles, without a
 * vault. All that is wrong is said, in text on standard error or as a JSON array on standard
 * output.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl.h"
#include "common/fault.h"
#include "connectors/catalogue.h"
#include "policy/policy.h"

#define CONNECTORS "/usr/share/vaultd/connectors"	/* as in vaultd.conf(5) */

/* ---- what is wrong */

static json_t *
fault_json(const struct fault *f)
{
	return json_pack("{s:s, s:i, s:i, s:s, s:o}", "file", f->file, "line", f->line, "column",
	    f->column, "message", f->message, "suggestion",
	    f->suggestion[0] == '\0' ? json_null() : json_string(f->suggestion));
}

static void
print_json(const struct faults *f)
{
	json_t *a = json_array();

	for (size_t i = 0; i < f->n; i++)
		json_array_append_new(a, fault_json(&f->v[i]));
	ctl_dump(a);
	json_decref(a);
}

static void
print_text(const struct faults *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].line > 0)
			ctl_say(stderr, "%s:%d:%d: %s\n", f->v[i].file, f->v[i].line,
			    f->v[i].column, f->v[i].message);
		else
			ctl_say(stderr, "%s: %s\n", f->v[i].file, f->v[i].message);
	if (f->more)
		ctl_say(stderr, "and more: only the first %d are shown\n", FAULTS_MAX);
}

/* Says them and lets them go. */
static int
report(struct ctl *c, struct faults *f)
{
	int status = f->n > 0 ? EX_FAILED : EX_OK;

	if (c->json)
		print_json(f);
	else
		print_text(f);
	faults_done(f);
	return status;
}

/* ---- policy */

/* What the ids in policy files are held against. FALSE: --connectors cannot be read. */
static bool
load_connectors(const struct ctl *c, struct catalogue *ret)
{
	const char *dir = ctl_option(c, "connectors");
	struct err e;

	if (dir != NULL) {
		if (catalogue_load(dir, ret, &e) == 0)
			return true;
		ctl_fail(c, EX_FAILED, "--connectors: %s", e.text);
		return false;
	}
	if (access(CONNECTORS, F_OK) != 0)
		err_errno(&e, CONNECTORS);
	else if (catalogue_load(CONNECTORS, ret, &e) == 0)
		return true;
	ctl_say(stderr, "note: names of connectors were not checked: %s; --connectors DIRECTORY "
	    "says where they are\n", e.text);
	return true;
}

static void
print_good(struct ctl *c, struct policy *p)
{
	const struct policy_warning *w;
	size_t n = policy_warnings(p, &w);

	for (size_t i = 0; i < n; i++)
		ctl_say(stderr, "warning: %s\n", w[i].text);
	if (!c->json)
		printf("ok: %d file%s, hash %.16s\n", c->nargs, c->nargs == 1 ? "" : "s",
		    policy_hash(p));
	policy_unref(p);
}

int
ctl_check_policy(struct ctl *c)
{
	struct catalogue k = { 0 };
	struct faults faults = { 0 };
	struct policy_reading how = { .faults = &faults };
	struct policy *p;
	struct err e;

	if (!load_connectors(c, &k))
		return EX_FAILED;
	how.nconnectors = k.n;
	how.connectors = k.v == NULL ? NULL : catalogue_ids(&k);
	if (policy_load_files(c->arg, (size_t)c->nargs, &how, &p, &e) == 0)
		print_good(c, p);
	else if (faults.n == 0)
		faults_add(&faults, "", &e);
	free((void *)how.connectors);
	catalogue_done(&k);
	return report(c, &faults);
}

/* ---- connectors */

int
ctl_check_connectors(struct ctl *c)
{
	struct faults faults = { 0 };
	struct connector k;
	struct err e;

	for (int i = 0; i < c->nargs; i++) {
		if (connector_load(c->arg[i], &k, &e) != 0) {
			faults_add(&faults, c->arg[i], &e);
			continue;
		}
		if (!c->json)
			ctl_say(stdout, "%s: ok: %s, version %u%s%s\n", c->arg[i], k.id, k.version,
			    k.unverified != NULL ? "; unverified: " : "",
			    k.unverified != NULL ? k.unverified : "");
		connector_done(&k);
	}
	return report(c, &faults);
}
