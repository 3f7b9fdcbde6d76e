/*
 * ops.c - see ops.h.
 */
#include "egress/ops.h"

#include "common/errors.h"
#include "common/exchange.h"
#include "egress/egress.h"

static const struct {
	enum egress_op	op;
	int		(*prepare)(struct job *j, struct err *e);
} ops[] = {
	{ EGRESS_SEAL_APP, seal_app_prepare },
	{ EGRESS_BEGIN, begin_prepare },
	{ EGRESS_EXCHANGE, exchange_prepare },
	{ EGRESS_ATTEMPT, attempt_prepare },
	{ EGRESS_DROP, drop_prepare },
	{ EGRESS_REVOKE, revoke_prepare },
	{ EGRESS_CREATE, create_prepare },
	{ EGRESS_INTROSPECT, introspect_prepare },
	{ EGRESS_APP_KEY, app_key_prepare },
	{ EGRESS_APP_FORGET, app_forget_prepare },
	{ EGRESS_DISCOVER, discover_prepare },
	{ EGRESS_RESEAL, reseal_prepare },
	{ EGRESS_TEST_APP, test_app_prepare },
	{ EGRESS_CHECK, check_prepare },
};

/* So that EGRESS_ATTEMPT can see it the moment it was taken. */
static int
note_attempt(struct job *j, struct err *e)
{
	struct exchange q = { 0 };
	int rc;

	if (j->op != EGRESS_EXCHANGE)
		return 0;
	rc = exchange_get((struct slice){ j->body.p, j->body.len }, &q, e);
	if (rc == 0 && work_has(j->x->work, &q.attempt))
		rc = err_name(e, ERR_CONFLICT, "this attempt is under way already");
	j->attempt = q.attempt;
	exchange_done(&q);
	return rc;
}

int
ops_start(struct job *j, struct err *e)
{
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		if (ops[i].op != j->op)
			continue;
		if (note_attempt(j, e) != 0)
			return e->code;
		j->prepare = ops[i].prepare;
		return work_submit(j->x->work, j, e);
	}
	return err_set(e, V_INVALID, "vault-egress has no op %u", j->op);
}
