/*
 * egress.c - see egress.h.
 */
#include "vaultd/egress.h"

#include <stdlib.h>

#include "common/auto.h"
#include "common/log.h"
#include "vaultd/line.h"
#include "vaultd/schedule.h"
#include "vaultd/vault.h"

struct egress {
	struct vault	*vault;
	struct line	*line;
	struct id	 said;		/* the vault's id in the last hello */
};

bool
egress_is_up(const struct egress *x)
{
	return line_is_up(x->line);
}

void
egress_call(struct egress *x, enum egress_op op, const struct msg *body, int ms,
    void (*done)(void *arg, int rc, struct slice body, struct err *e), void *arg)
{
	line_call(x->line, (uint16_t)op, body, ms, done, arg);
}

static void
forgotten(void *arg, int rc, struct slice body, struct err *e)
{
	(void)arg;
	(void)rc;
	(void)body;
	(void)e;
}

/* Egress lists the answers it still keeps: those without an intent were committed, and
 * only their drop was lost. */
static void
drop_committed(struct egress *x, struct slice body)
{
	struct msg m;
	uint32_t n;

	msg_read(&m, body);
	msg_get_u32(&m);
	n = msg_get_u32(&m);
	while (n-- > 0 && !m.failed) {
		AUTO(msg) q = { 0 };
		struct id id = msg_get_id(&m);
		struct slice value;
		struct err e;

		if (m.failed || store_get(x->vault->store, TABLE_INTENT,
			id_key(&id), &value, NULL, &e) != V_NOT_FOUND)
			continue;
		msg_put_id(&q, &id);
		egress_call(x, EGRESS_DROP, &q, EGRESS_SHORT_MS, forgotten, NULL);
	}
}

static void say_hello(struct egress *x);

static void
greeted(void *arg, int rc, struct slice body, struct err *e)
{
	struct egress *x = arg;

	if (rc != 0) {
		log_error("vault-egress refused hello: %s", e->text);
		return;
	}
	if (!id_equal(&x->said, &x->vault->id)) {	/* it became known meanwhile */
		say_hello(x);
		return;
	}
	line_ready(x->line);
	drop_committed(x, body);
	log_info("vault-egress is up");
	schedule_poke(x->vault->schedule);
}

static void
say_hello(struct egress *x)
{
	AUTO(msg) m = { 0 };
	struct hello h = { .epoch = x->vault->epoch, .vault = x->vault->id };

	x->said = x->vault->id;
	hello_put(&m, &h);
	line_call_first(x->line, EGRESS_HELLO, &m, EGRESS_SHORT_MS, greeted, x);
}

static void
up(void *arg)
{
	say_hello(arg);
}

static void
down(void *arg)
{
	(void)arg;
	log_warn("the line to vault-egress is down");
}

/* A hello under way is followed by another one when it is answered. */
void
egress_greet(struct egress *x)
{
	if (line_is_up(x->line) && !id_equal(&x->said, &x->vault->id))
		say_hello(x);
}

int
egress_new(struct vault *v, struct egress **ret, struct err *e)
{
	struct egress *x = calloc(1, sizeof *x);
	struct line_conf conf = {
		.path = v->conf.egress_socket, .what = "vault-egress",
		.unavailable = ERR_EGRESS_UNAVAILABLE, .on_up = up, .on_down = down, .arg = x,
	};

	if (x == NULL)
		return err_set(e, V_LIMIT, "out of memory");
	x->vault = v;
	if ((x->line = line_new(v->base, &conf)) == NULL) {
		free(x);
		return err_set(e, V_LIMIT, "out of memory");
	}
	*ret = x;
	return 0;
}
