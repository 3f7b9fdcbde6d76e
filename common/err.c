/*
 * err.c - see err.h.
 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errors.h"

static int set(struct err *e, enum verr code, unsigned id, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));

static int
set(struct err *e, enum verr code, unsigned id, const char *fmt, va_list ap)
{
	e->code = code;
	e->id = (unsigned short)id;
	e->n = 0;
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	return code;
}

int
err_set(struct err *e, enum verr code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(e, code, ERR_NONE, fmt, ap);
	va_end(ap);
	return code;
}

int
err_name(struct err *e, unsigned id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(e, err_row(id)->code, id, fmt, ap);
	va_end(ap);
	return e->code;
}

int
err_parameter(struct err *e, const char *parameter, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(e, err_row(ERR_INVALID_PARAMETER)->code, ERR_INVALID_PARAMETER, fmt, ap);
	va_end(ap);
	err_detail(e, "parameter", "%s", parameter);
	return e->code;
}

int
err_errno(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	set(e, V_IO, ERR_NONE, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(saved));
	return V_IO;
}

static void prefix(struct err *e, const char *between, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
prefix(struct err *e, const char *between, const char *fmt, va_list ap)
{
	char was[sizeof e->text];
	size_t n;

	memcpy(was, e->text, sizeof was);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, "%s%s", between, was);
}

int
err_wrap(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	prefix(e, ": ", fmt, ap);
	va_end(ap);
	return e->code;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	prefix(e, "", fmt, ap);
	va_end(ap);
	return e->code;
}

int
err_rename(struct err *e, unsigned id)
{
	e->code = err_row(id)->code;
	e->id = (unsigned short)id;
	e->n = 0;
	return e->code;
}

void
err_detail(struct err *e, const char *key, const char *fmt, ...)
{
	struct err_detail *d;
	va_list ap;

	if (e->n >= ERR_DETAILS)
		return;
	d = &e->detail[e->n++];
	d->key = key;
	va_start(ap, fmt);
	vsnprintf(d->value, sizeof d->value, fmt, ap);
	va_end(ap);
}

const char *
err_detail_get(const struct err *e, const char *key)
{
	for (unsigned i = 0; i < e->n; i++)
		if (strcmp(e->detail[i].key, key) == 0)
			return e->detail[i].value;
	return NULL;
}

void
must_fail(const char *cond, const char *file, int line)
{
	fprintf(stderr, "<2>broken invariant: %s at %s:%d\n", cond, file, line);
	abort();
}
