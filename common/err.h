/*
 * err.h - how a failure travels from where it is recognised to the one place that
 * reports it.
 *
 * A function that can fail returns 0 or an enum verr class and takes a struct err as
 * its last argument. The class is for the direct caller (is this a condition I
 * handle?); the row is for the person at the end (see errors.h). Nothing here
 * allocates: reporting a failure cannot fail.
 */
#pragma once

#include <stddef.h>

enum verr {
	V_INVALID = 1,	/* the input is wrong and will stay wrong */
	V_NOT_FOUND,
	V_DENIED,
	V_CONFLICT,	/* somebody else was faster, or the name is taken */
	V_STATE,	/* the object is not in a state that allows this */
	V_BUSY,		/* a bound is reached; later it works */
	V_LIMIT,	/* a size is exceeded */
	V_UNAVAILABLE,	/* a helper, the token, a provider is away */
	V_TIMEOUT,
	V_CORRUPT,	/* stored or received bytes are not what they must be */
	V_IO,		/* the kernel refused: errno is in the text */
	V_PROVIDER,	/* the provider said no */
	V_INTERNAL,
};


#define ERR_DETAILS 16

struct err_detail {
	const char	*key;		/* a literal */
	char		 value[120];	/* cut, never with a secret in it */
};

struct err {
	enum verr		 code;
	unsigned short		 id;	/* enum err_id; 0: only a class */
	unsigned char		 n;
	char			 text[320];
	struct err_detail	 detail[ERR_DETAILS];
};

/* No error, without touching the texts: a struct err is large. */
static inline void
err_clear(struct err *e)
{
	e->code = 0;
	e->id = 0;
	e->n = 0;
	e->text[0] = '\0';
}

/* Sets class and text; forgets what was there. Returns code. */
int err_set(struct err *e, enum verr code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets a named error of the wire (errors.h); the class comes from its row. */
int err_name(struct err *e, unsigned id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ERR_INVALID_PARAMETER, about PARAMETER of the call. Returns the class. */
int err_parameter(struct err *e, const char *parameter, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Like err_set(V_IO) with ": strerror(errno)" appended. */
int err_errno(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "what we were doing: what was said"; keeps class, row and details. Returns the class. */
int err_wrap(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* FMT in front of the text, with nothing between. Returns the class. */
int err_prefix(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What was said becomes the error ID; details go. Returns the class. */
int err_rename(struct err *e, unsigned id);

/* Adds a key-value pair for the client; what is one too many is dropped. KEY is a literal. */
void err_detail(struct err *e, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of a detail, or NULL. Borrowed from E. */
const char *err_detail_get(const struct err *e, const char *key);

/* For broken invariants of our own only: input can never reach it. Aborts. */
#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))
void must_fail(const char *cond, const char *file, int line) __attribute__((noreturn));
