/*
 * audit_line.c - see audit_line.h. Written by hand rather than dumped from a tree: a
 * line is part of every token read.
 */
#include "vaultd/audit_line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/errors.h"
#include "common/json.h"
#include "common/role.h"
#include "vaultd/conn.h"
#include "vaultd/vault.h"

#define LINE_USUAL 768	/* bytes that hold most lines: one allocation */

static void
put_quoted(struct buf *out, const char *key, const char *value)
{
	buf_add_str(out, ",\"");
	buf_add_str(out, key);
	buf_add_str(out, "\":");
	if (!json_quote(out, value, strlen(value)))
		buf_add_str(out, "\"(not UTF-8)\"");
}

/* For values that need no escaping. */
static void
put_plain(struct buf *out, const char *key, const char *value)
{
	buf_add_str(out, ",\"");
	buf_add_str(out, key);
	buf_add_str(out, "\":\"");
	buf_add_str(out, value);
	buf_add_str(out, "\"");
}

static void
put_number(struct buf *out, const char *key, unsigned long long n)
{
	buf_add_str(out, ",\"");
	buf_add_str(out, key);
	buf_add_str(out, "\":");
	buf_add_uint(out, n, 1);
}

void
audit_line_time(struct buf *out)
{
	static _Thread_local time_t second;
	static _Thread_local char date[24];
	long long now = wall_usec();
	struct tm tm;

	if (second != (time_t)(now / 1000000)) {
		second = (time_t)(now / 1000000);
		gmtime_r(&second, &tm);
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	}
	buf_add_str(out, "\"t\":\"");
	buf_add_str(out, date);
	buf_add_str(out, ".");
	buf_add_uint(out, (uint64_t)(now % 1000000), 6);
	buf_add_str(out, "Z\"");
}

static void
put_decision(struct buf *out, const struct request *r)
{
	const struct policy_decision *d = &r->decision;
	char rule[sizeof d->file + sizeof d->rule + 2];
	size_t n;

	put_plain(out, "decision", d->allow ? "allow" : "deny");
	n = str_put(rule, sizeof rule, 0, d->file);
	n = str_put(rule, sizeof rule, n, "#");
	str_put(rule, sizeof rule, n, d->rule);
	put_quoted(out, "rule", rule);
	put_plain(out, "level", d->level);
	if (d->policy[0] != '\0')
		put_quoted(out, "policy", d->policy);
}

static void
put_outcome(struct buf *out, const struct err *e)
{
	if (e == NULL || e->code == 0) {
		put_plain(out, "outcome", "ok");
		return;
	}
	put_plain(out, "outcome", err_row_of(e)->name);
	put_quoted(out, "message", e->text);
}

static void
put_object(struct buf *out, const char *object, const struct id *id)
{
	char text[ID_TEXT];

	if (object != NULL && *object != '\0')
		put_quoted(out, "object", object);
	if (id != NULL && !id_is_null(id)) {
		id_text(id, text);
		put_plain(out, "id", text);
	}
}

void
audit_line_request(struct buf *out, const struct request *r, const char *event)
{
	buf_room(out, LINE_USUAL);
	audit_line_time(out);
	put_plain(out, "event", event);
	put_plain(out, "trace", r->trace);
	put_number(out, "uid", r->conn->peer.uid);
	if (r->conn->peer.unit[0] != '\0')
		put_quoted(out, "unit", r->conn->peer.unit);
	put_plain(out, "action", r->verb->method);
	put_object(out, r->object_name, &r->object_id);
	if (r->object.connector != NULL)
		put_quoted(out, "connector", r->object.connector);
	if (r->decided)
		put_decision(out, r);
	put_plain(out, "policy_hash", r->policy_hash);
	if (strcmp(event, "begin") != 0)
		put_outcome(out, &r->err);
	if (r->besides > 0)
		put_number(out, "besides", r->besides);
	buf_add_str(out, "}\n");
}

void
audit_line_attempt(struct buf *out, const struct vault *v, const char *action, const char *trace,
    const struct id *id, const struct err *e)
{
	audit_line_time(out);
	put_plain(out, "event", "system");
	put_plain(out, "trace", trace);
	put_plain(out, "action", action);
	put_object(out, NULL, id);
	if (v->policy != NULL)
		put_plain(out, "policy_hash", policy_hash(v->policy));
	put_outcome(out, e);
	buf_add_str(out, "}\n");
}

void
audit_line_system(struct buf *out, const struct vault *v, const char *action,
    const char *object, const struct id *id, const struct err *e)
{
	audit_line_time(out);
	put_plain(out, "event", "system");
	put_plain(out, "action", action);
	put_object(out, object, id);
	if (v->policy != NULL)
		put_plain(out, "policy_hash", policy_hash(v->policy));
	put_outcome(out, e);
	buf_add_str(out, "}\n");
}
