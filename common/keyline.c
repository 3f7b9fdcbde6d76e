/*
 * keyline.c - see keyline.h.
 */
#include "common/keyline.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/auto.h"
#include "common/errors.h"

const char *
key_state_name(enum key_state s)
{
	static const char *const names[KEY_STATE_MAX] = { "ABSENT", "STARTING", "UNBOUND",
		"READY", "SUSPECT", "BLOCKED", "MISMATCH" };

	return s < KEY_STATE_MAX ? names[s] : "UNKNOWN";
}

void
key_status_put(struct msg *m, const struct key_status *s)
{
	msg_put_u8(m, (uint8_t)s->state);
	msg_put_id(m, &s->vault);
	msg_put_str(m, s->text);
	msg_put_str(m, s->token);
	msg_put_u32(m, s->mechanism);
	msg_put_u64(m, s->made);
	msg_put_u64(m, s->unwrapped);
	msg_put_u64(m, s->refused);
	msg_put_u64(m, s->uptime_ms);
	msg_put_u8(m, (uint8_t)s->n);
	for (size_t i = 0; i < s->n; i++) {
		msg_put_str(m, s->kek[i].id);
		msg_put_u8(m, (uint8_t)s->kek[i].purpose);
		msg_put_u32(m, s->kek[i].generation);
		msg_put_u8(m, s->kek[i].current);
	}
}

int
key_status_get(struct slice body, struct key_status *ret, struct err *e)
{
	struct key_status s = { 0 };
	struct msg m;

	msg_read(&m, body);
	s.state = msg_get_u8(&m);
	s.vault = msg_get_id(&m);
	msg_get_str(&m, s.text, sizeof s.text);
	msg_get_str(&m, s.token, sizeof s.token);
	s.mechanism = msg_get_u32(&m);
	s.made = msg_get_u64(&m);
	s.unwrapped = msg_get_u64(&m);
	s.refused = msg_get_u64(&m);
	s.uptime_ms = msg_get_u64(&m);
	s.n = msg_get_u8(&m);
	if (s.n > KEY_KEKS || s.state >= KEY_STATE_MAX)
		return err_set(e, V_CORRUPT, "status of vault-hsm is out of range");
	for (size_t i = 0; i < s.n; i++) {
		msg_get_str(&m, s.kek[i].id, sizeof s.kek[i].id);
		s.kek[i].purpose = msg_get_u8(&m);
		s.kek[i].generation = msg_get_u32(&m);
		s.kek[i].current = msg_get_u8(&m) != 0;
	}
	if (msg_end(&m, "status of vault-hsm", e) != 0)
		return e->code;
	*ret = s;
	return 0;
}

void
key_make_put(struct msg *m, enum purpose purpose, const struct id *record)
{
	msg_put_u8(m, (uint8_t)purpose);
	msg_put_id(m, record);
}

int
key_make_get(struct slice body, struct secret *ret_dek, struct buf *ret_wrap, struct err *e)
{
	AUTO(secret) dek = { 0 };
	struct slice wrap;
	struct msg m;

	msg_read(&m, body);
	if (msg_get_secret(&m, &dek, e) != 0)
		return e->code;
	wrap = msg_get_slice(&m);
	if (msg_end(&m, "new key", e) != 0)
		return e->code;
	if (dek.len != DEK_LEN || wrap.len == 0 || wrap.len > WRAP_MAX)
		return err_set(e, V_CORRUPT, "new key has the wrong length");
	if (!buf_add(ret_wrap, wrap.p, wrap.len))
		return err_set(e, V_LIMIT, "out of memory");
	*ret_dek = secret_take(&dek);
	return 0;
}

void
key_unwrap_put(struct msg *m, enum purpose purpose, const struct id *record,
    struct slice wrap)
{
	key_make_put(m, purpose, record);
	msg_put_slice(m, wrap);
}

int
key_unwrap_get(struct slice body, struct secret *ret_dek, struct err *e)
{
	AUTO(secret) dek = { 0 };
	struct msg m;

	msg_read(&m, body);
	if (msg_get_secret(&m, &dek, e) != 0 || msg_end(&m, "unwrapped key", e) != 0)
		return e->code;
	if (dek.len != DEK_LEN)
		return err_set(e, V_CORRUPT, "unwrapped key has the wrong length");
	*ret_dek = secret_take(&dek);
	return 0;
}

void
keyline_init(struct keyline *k, const char *path)
{
	*k = (struct keyline){ .fd = -1 };
	snprintf(k->path, sizeof k->path, "%s", path);
}

void
keyline_done(struct keyline *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

static int
connect_line(struct keyline *k, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (k->fd >= 0)
		return 0;
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", k->path);
	k->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (k->fd >= 0 && connect(k->fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return 0;
	err_name(e, ERR_HSM_UNAVAILABLE, "vault-hsm does not answer at %s: %s", k->path,
	    strerror(errno));
	keyline_done(k);
	return e->code;
}

static int
ask(struct keyline *k, enum key_op op, const struct msg *body, int ms,
    struct secret *ret, struct frame *answer, struct err *e)
{
	struct frame q = { .id = ++k->next_id, .op = (uint16_t)op,
		.deadline_ms = (uint32_t)ms, .body = msg_slice(body) };

	if (frame_send(k->fd, &q, ms, e) != 0 ||
	    frame_recv(k->fd, ret, answer, ms, e) != 0)
		return e->code;
	if (answer->id != q.id)
		return err_set(e, V_CORRUPT, "vault-hsm answered another question");
	return 0;
}

int
keyline_call(struct keyline *k, enum key_op op, const struct msg *body, int ms,
    struct secret *ret, struct slice *ret_body, struct err *e)
{
	struct frame answer;
	struct msg m;
	bool fresh = k->fd < 0;

	if (connect_line(k, e) != 0)
		return e->code;
	if (ask(k, op, body, ms, ret, &answer, e) != 0) {
		enum verr was = e->code;

		/* A kept line may be dead since vault-hsm was restarted: wrap and unwrap
		 * have no side effects, so once more on a new one is safe. */
		keyline_done(k);
		if (!fresh && was == V_UNAVAILABLE)
			return keyline_call(k, op, body, ms, ret, ret_body, e);
		return err_name(e, ERR_HSM_UNAVAILABLE, "vault-hsm did not answer");
	}
	if (answer.op == FRAME_OK) {
		*ret_body = answer.body;
		return 0;
	}
	msg_read(&m, answer.body);
	msg_get_err(&m, e);
	if (m.failed)
		return err_set(e, V_CORRUPT, "vault-hsm sent an unreadable error");
	return e->code;
}

int
keyline_make(struct keyline *k, enum purpose purpose, const struct id *record,
    struct secret *ret_dek, struct buf *ret_wrap, struct err *e)
{
	AUTO(msg) q = { 0 };
	AUTO(secret) in = { 0 };
	struct slice body;

	key_make_put(&q, purpose, record);
	if (keyline_call(k, KEY_MAKE, &q, 10000, &in, &body, e) != 0)
		return e->code;
	return key_make_get(body, ret_dek, ret_wrap, e);
}

int
keyline_unwrap(struct keyline *k, enum purpose purpose, const struct id *record,
    struct slice wrap, struct secret *ret_dek, struct err *e)
{
	AUTO(msg) q = { 0 };
	AUTO(secret) in = { 0 };
	struct slice body;

	key_unwrap_put(&q, purpose, record, wrap);
	if (keyline_call(k, KEY_UNWRAP, &q, 10000, &in, &body, e) != 0)
		return e->code;
	return key_unwrap_get(body, ret_dek, e);
}
