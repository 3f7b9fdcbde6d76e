/*
 * reload.c - see reload.h.
 */
#include "vaultd/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/errors.h"
#include "common/log.h"
#include "vaultd/audit_line.h"
#include "vaultd/notice.h"
#include "vaultd/names.h"
#include "vaultd/vault.h"
#include "vaultd/warnings.h"

struct reload {
	struct vault	*vault;
	struct policy	*policy;
	struct faults	 faults;
	struct err	 err;
	int		 rc;
	void		(*done)(void *arg, int rc, const struct err *e);
	void		*arg;
};

static int
load(struct vault *v, struct faults *faults, struct policy **ret, struct err *e)
{
	const char **ids = catalogue_ids(&v->catalogue);
	struct policy_reading how = { .connectors = ids, .nconnectors = v->catalogue.n,
		.check_owner = v->conf.check_policy_owner, .faults = faults };
	char more[900];
	int rc = ids == NULL ? err_set(e, V_LIMIT, "out of memory") :
	    policy_load(v->conf.policy_dir, &how, ret, e);

	free(ids);
	if (faults->n > 1) {
		snprintf(more, sizeof more, " (and %zu more; `vaultctl policy check %.700s/*.json` says "
		    "all)", faults->n - 1, v->conf.policy_dir);
		str_put(e->text, sizeof e->text, strlen(e->text), more);
	}
	return rc;
}

/* One alone is what the caller says of the whole. */
static void
log_faults(const struct faults *f)
{
	for (size_t i = 0; f->n > 1 && i < f->n; i++)
		log_error("policy: %s:%d:%d: %s", f->v[i].file, f->v[i].line, f->v[i].column,
		    f->v[i].message);
}

int
policy_start(struct vault *v, struct err *e)
{
	struct faults faults = { 0 };
	int rc = load(v, &faults, &v->policy, e);

	log_faults(&faults);
	faults_done(&faults);
	if (rc != 0)
		return rc;
	warnings_log_files(v);
	log_info("policy loaded hash=%.16s", policy_hash(v->policy));
	return 0;
}

/* In the look-up thread: catalogue and config do not change while the daemon runs. */
static void
work(void *arg)
{
	struct reload *r = arg;

	r->rc = load(r->vault, &r->faults, &r->policy, &r->err);
}

static void
audit(struct reload *r)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return;
	j->reserve = true;
	audit_line_system(&j->line, r->vault, "policy.load", NULL, NULL,
	    r->rc != 0 ? &r->err : NULL);
	j->done = job_free;
	journal_submit(r->vault->journal, j);
}

static void
loaded(void *arg)
{
	struct reload *r = arg;
	struct vault *v = r->vault;

	v->reloading = false;
	if (r->rc == 0) {
		policy_unref(v->policy);
		v->policy = r->policy;
		v->policy_error[0] = '\0';
		names_flush(v->names);
		warnings_log_files(v);
		warnings_log_store(v);
		log_info("policy reloaded hash=%.16s", policy_hash(v->policy));
	} else {
		snprintf(v->policy_error, sizeof v->policy_error, "%s", r->err.text);
		log_faults(&r->faults);
		log_error("policy not reloaded, the last good set stays: %s", r->err.text);
	}
	notice_of_vault(v, r->rc == 0 ? NOTICE_POLICY_CHANGED : NOTICE_POLICY_FAILED, ERR_NONE,
	    r->rc == 0 ? "" : r->err.text);
	faults_done(&r->faults);
	audit(r);
	if (r->done != NULL)
		r->done(r->arg, r->rc, &r->err);
	free(r);
}

void
policy_reload(struct vault *v, void (*done)(void *arg, int rc, const struct err *e),
    void *arg)
{
	struct reload *r = v->reloading ? NULL : calloc(1, sizeof *r);
	struct err e;

	if (r == NULL) {
		err_name(&e, ERR_BUSY, "a reload is under way");
		if (done != NULL)
			done(arg, (int)e.code, &e);
		return;
	}
	v->reloading = true;
	*r = (struct reload){ .vault = v, .done = done, .arg = arg };
	names_run(v->names, work, loaded, r);
}
