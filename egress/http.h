/*
 * http.h - one HTTPS request, in a worker thread. Never repeated, never redirected, never
 * on a kept connection: a POST that libcurl sends again by itself spends a token twice.
 */
#pragma once

#include "common/exchange.h"

struct app_key;
struct egress;

#define HTTP_ANSWER_MAX	(1u << 20)
#define HTTP_LARGE	(64u << 10)	/* one answer at a time may be longer */
#define HTTP_HEADERS	12

struct http_request {
	const char	*method;		/* "GET", "POST", "DELETE" */
	const char	*url;			/* one with a token in it: in locked memory */
	const struct secret *body;		/* NULL = none */
	const char	*content_type;
	/* Header lines; those with secrets are in locked memory. */
	const struct secret *authorization;	/* value of Authorization, or NULL */
	const char	*authorization_name;	/* of another header than that; NULL */
	const char	*header[HTTP_HEADERS];	/* "Name: value", NULL ended */
	const struct app_key *tls;		/* shows itself with its certificate; NULL */
	unsigned	 timeout_s;
	/* Just before the first byte goes out; not 0: nothing is sent. */
	int		(*before_send)(void *arg, struct err *e);
	void		*arg;
};

struct http_answer {
	enum phase	 phase;		/* NOT_SENT, AMBIGUOUS, or ANSWERED (any status) */
	struct err	 err;		/* unless ANSWERED */
	unsigned	 status;
	char		 content_type[128];
	uint32_t	 retry_after_s;
	int32_t		 skew_s;
	struct secret	 body;
};
void http_answer_done(struct http_answer *a);

/* Fills RET; what went wrong is in it. */
void http_send(struct egress *x, const struct http_request *q, struct http_answer *ret);

/* Adds N lines behind those there are; they are borrowed. */
void http_headers(struct http_request *q, char *const *lines, size_t n);

/* The host of an https URL, in lower case, into OUT. FALSE: none, or a user in front of it. */
bool http_host(const char *url, char *out, size_t cap);
/* Once per process. */
void http_init(void);
