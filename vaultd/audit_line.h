/*
 * audit_line.h - what an audit line says. The journal adds sequence, chain and commit
 * number in front (auditlog.h); nothing here ever holds a secret.
 */
#pragma once

#include "vaultd/request.h"

/* `"t":"2026-..."`, with which every line begins. */
void audit_line_time(struct buf *out);

/* EVENT: "call" (decided in one turn), "begin" or "end" (a helper was asked). */
void audit_line_request(struct buf *out, const struct request *r, const char *event);

/* An exchange with a provider; TRACE as attempt_trace() says. */
void audit_line_attempt(struct buf *out, const struct vault *v, const char *action,
    const char *trace, const struct id *id, const struct err *e);

/* What the vault does by itself: refresh, recovery, start, reload. OBJECT, ID, E may be
 * NULL; E NULL is outcome ok. */
void audit_line_system(struct buf *out, const struct vault *v, const char *action,
    const char *object, const struct id *id, const struct err *e);
