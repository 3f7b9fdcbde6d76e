/*
 * msg.c - see msg.h.
 */
#include "common/msg.h"

#include <stdlib.h>

#include "common/errors.h"

void
msg_done(struct msg *m)
{
	buf_done(&m->b);
	secret_done(&m->s);
	*m = (struct msg){ 0 };
}

void
msg_secret(struct msg *m)
{
	must(m->b.len == 0);
	m->locked = true;
}

void
msg_put_raw(struct msg *m, const void *p, size_t n)
{
	struct err e;

	if (m->failed)
		return;
	if (m->locked)
		m->failed = secret_append(&m->s, p, n, &e) != 0;
	else
		m->failed = !buf_add(&m->b, p, n);
}

static void
put_int(struct msg *m, uint64_t v, unsigned bytes)
{
	unsigned char b[8];

	for (unsigned i = 0; i < bytes; i++)
		b[i] = (unsigned char)(v >> 8 * (bytes - 1 - i));
	msg_put_raw(m, b, bytes);
}

void
msg_put_u8(struct msg *m, uint8_t v)
{
	put_int(m, v, 1);
}

void
msg_put_u16(struct msg *m, uint16_t v)
{
	put_int(m, v, 2);
}

void
msg_put_u32(struct msg *m, uint32_t v)
{
	put_int(m, v, 4);
}

void
msg_put_u64(struct msg *m, uint64_t v)
{
	put_int(m, v, 8);
}

void
msg_put_bytes(struct msg *m, const void *p, size_t n)
{
	if (n > UINT32_MAX) {
		m->failed = true;
		return;
	}
	msg_put_u32(m, (uint32_t)n);
	msg_put_raw(m, p, n);
}

void
msg_put_slice(struct msg *m, struct slice s)
{
	msg_put_bytes(m, s.p, s.len);
}

void
msg_put_str(struct msg *m, const char *s)
{
	msg_put_bytes(m, s, s == NULL ? 0 : strlen(s));
}

void
msg_put_id(struct msg *m, const struct id *id)
{
	msg_put_raw(m, id->b, sizeof id->b);
}

void
msg_put_secret(struct msg *m, const struct secret *s)
{
	must(m->locked);
	msg_put_bytes(m, s->p, s->len);
}

bool
msg_ok(const struct msg *m)
{
	return !m->failed;
}

struct slice
msg_slice(const struct msg *m)
{
	return m->locked ? (struct slice){ m->s.p, m->s.len } : buf_slice(&m->b);
}

void
msg_read(struct msg *m, struct slice in)
{
	*m = (struct msg){ .in = in };
}

struct slice
msg_get_raw(struct msg *m, size_t n)
{
	struct slice s = { NULL, 0 };

	if (m->failed || n > m->in.len - m->pos) {
		m->failed = true;
		return s;
	}
	s = (struct slice){ (const unsigned char *)m->in.p + m->pos, n };
	m->pos += n;
	return s;
}

static uint64_t
get_int(struct msg *m, unsigned bytes)
{
	struct slice s = msg_get_raw(m, bytes);
	unsigned char b[8] = { 0 };
	uint64_t v;

	if (s.len > 0)
		memcpy(b + sizeof b - bytes, s.p, bytes);
	memcpy(&v, b, sizeof v);
	return be64toh(v);
}

uint8_t
msg_get_u8(struct msg *m)
{
	return (uint8_t)get_int(m, 1);
}

uint16_t
msg_get_u16(struct msg *m)
{
	return (uint16_t)get_int(m, 2);
}

uint32_t
msg_get_u32(struct msg *m)
{
	return (uint32_t)get_int(m, 4);
}

uint64_t
msg_get_u64(struct msg *m)
{
	return get_int(m, 8);
}

struct slice
msg_get_slice(struct msg *m)
{
	return msg_get_raw(m, msg_get_u32(m));
}

struct id
msg_get_id(struct msg *m)
{
	struct slice s = msg_get_raw(m, sizeof(struct id));
	struct id id = { { 0 } };

	if (s.len == sizeof id.b)
		memcpy(id.b, s.p, sizeof id.b);
	return id;
}

void
msg_get_str(struct msg *m, char *out, size_t cap)
{
	struct slice s = msg_get_slice(m);

	out[0] = '\0';
	if (s.len >= cap || (s.len > 0 && memchr(s.p, '\0', s.len) != NULL)) {
		m->failed = true;
		return;
	}
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
}

int
msg_get_secret(struct msg *m, struct secret *ret, struct err *e)
{
	struct slice s = msg_get_slice(m);

	if (m->failed)
		return err_set(e, V_CORRUPT, "message ends inside a secret");
	return secret_set(ret, s.p, s.len, e);
}

int
msg_end(struct msg *m, const char *what, struct err *e)
{
	if (m->failed)
		return err_set(e, V_CORRUPT, "%s is shorter than it says, or damaged", what);
	if (m->pos != m->in.len)
		return err_set(e, V_CORRUPT, "%s has %zu bytes too many", what,
		    m->in.len - m->pos);
	return 0;
}

/* Detail keys are literals on both sides: those that may cross are listed. */
static const char *const detail_keys[] = {
	"parameter", "state", "connection", "provider_code", "provider_text",
	"http_status", "phase", "host", "expected", "got", "redirect_uri", "permission",
	"folder", "policy_file", "rule", "policy", "level", "retry_after", "method",
	"interface",
};
#define NKEYS (sizeof detail_keys / sizeof *detail_keys)

void
msg_put_err(struct msg *m, const struct err *e)
{
	msg_put_u8(m, (uint8_t)e->code);
	msg_put_u16(m, e->id);
	msg_put_str(m, e->text);
	msg_put_u8(m, e->n);
	for (unsigned i = 0; i < e->n; i++) {
		msg_put_str(m, e->detail[i].key);
		msg_put_str(m, e->detail[i].value);
	}
}

void
msg_get_err(struct msg *m, struct err *ret)
{
	unsigned code = msg_get_u8(m), id = msg_get_u16(m), n;
	char text[sizeof ret->text], key[32], value[sizeof ret->detail[0].value];

	msg_get_str(m, text, sizeof text);
	n = msg_get_u8(m);
	if (code > V_INTERNAL || id >= ERR_MAX || n > ERR_DETAILS)
		m->failed = true;
	if (m->failed)
		return;
	if (id != ERR_NONE)
		err_name(ret, id, "%s", text);
	else
		err_set(ret, code, "%s", text);
	while (n-- > 0 && !m->failed) {
		msg_get_str(m, key, sizeof key);
		msg_get_str(m, value, sizeof value);
		for (size_t i = 0; i < NKEYS; i++)
			if (strcmp(key, detail_keys[i]) == 0)
				err_detail(ret, detail_keys[i], "%s", value);
	}
}
