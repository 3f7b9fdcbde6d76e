/*
 * http.c - see http.h. libcurl's easy interface, one fresh handle a request.
 */
#include "egress/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"
#include "common/role.h"
#include "common/wiping.h"
#include "egress/egress.h"
#include "egress/tlskey.h"

struct transfer {
	struct egress			*x;
	const struct http_request	*q;
	struct http_answer		*a;
	bool				 sent, refused, too_long, large;
	struct err			 before;	/* why before_send said no */
	char				 host[256];
	struct tlskey			 tls;
};

/* libcurl holds secrets too: its memory is wiped as ours is. */
void
http_init(void)
{
	tlskey_init();
	must(curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc,
	    strdup, calloc) == 0);
}

void
http_answer_done(struct http_answer *a)
{
	secret_done(&a->body);
}

bool
http_host(const char *url, char *out, size_t cap)
{
	CURLU *u = curl_url();
	char *host = NULL, *user = NULL;
	bool ok = u != NULL && strncmp(url, "https://", 8) == 0 &&
	    curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && strlen(host) < cap;

	for (size_t i = 0; ok && (i == 0 || host[i - 1] != '\0'); i++)
		out[i] = (char)tolower((unsigned char)host[i]);
	curl_free(user);
	curl_free(host);
	curl_url_cleanup(u);
	return ok;
}

void
http_headers(struct http_request *q, char *const *lines, size_t n)
{
	size_t to = 0;

	while (to < HTTP_HEADERS && q->header[to] != NULL)
		to++;
	for (size_t i = 0; i < n && to < HTTP_HEADERS; i++)
		q->header[to++] = lines[i];
}

/* ---- libcurl's callbacks */

/* The address it is about to connect to. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *sa)
{
	struct transfer *t = arg;

	if (purpose != CURLSOCKTYPE_IPCXN || !allow_address(&t->x->allow, &sa->addr)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(sa->family, sa->socktype | SOCK_CLOEXEC, sa->protocol);
}

/* Connected, TLS up, nothing of the request sent yet. */
static int
before_request(void *arg, char *remote, char *local, int rport, int lport)
{
	struct transfer *t = arg;

	(void)remote;
	(void)local;
	(void)rport;
	(void)lport;
	if (t->q->before_send != NULL && t->q->before_send(t->q->arg, &t->before) != 0)
		return CURL_PREREQFUNC_ABORT;
	t->sent = true;
	return CURL_PREREQFUNC_OK;
}

/*
 * No ordinary answer is so long, and secret memory is small: one at a time may be, so that
 * a provider that sends much takes nothing from the others.
 */
static bool
large_take(struct egress *x)
{
	bool no = false;

	return atomic_compare_exchange_strong(&x->large, &no, true);
}

static size_t
body_part(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct err e;

	size_t len = t->a->body.len + size * n;

	if (len > HTTP_LARGE && !t->large)
		t->large = large_take(t->x);
	if (len > HTTP_ANSWER_MAX || (len > HTTP_LARGE && !t->large)) {
		t->too_long = true;
		return 0;
	}
	return secret_append(&t->a->body, p, size * n, &e) == 0 ? size * n : 0;
}

static bool
header_is(const char *line, size_t n, const char *name, char *value, size_t cap)
{
	size_t m = strlen(name);

	if (n <= m || strncasecmp(line, name, m) != 0 || line[m] != ':')
		return false;
	for (line += m + 1, n -= m + 1; n > 0 && (*line == ' ' || *line == '\t'); n--)
		line++;
	while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' '))
		n--;
	snprintf(value, cap, "%.*s", (int)(n < cap ? n : cap - 1), line);
	return true;
}

/* Seconds, or a date (RFC 9110 section 10.2.3); at most an hour. */
static uint32_t
retry_after(const char *v)
{
	char *end;
	long n = strtol(v, &end, 10);

	if (end == v || *end != '\0') {
		time_t at = curl_getdate(v, NULL);

		n = at < 0 ? 0 : (long)(at - (time_t)wall_seconds());
	}
	return n <= 0 ? 1 : n > 3600 ? 3600 : (uint32_t)n;
}

static size_t
header_line(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	char v[128];

	n *= size;
	if (header_is(p, n, "content-type", v, sizeof v)) {
		snprintf(t->a->content_type, sizeof t->a->content_type, "%s", v);
	} else if (header_is(p, n, "retry-after", v, sizeof v)) {
		t->a->retry_after_s = retry_after(v);
	} else if (header_is(p, n, "date", v, sizeof v)) {
		time_t at = curl_getdate(v, NULL);

		if (at >= 0)
			t->a->skew_s = (int32_t)(at - (time_t)wall_seconds());
	}
	return n;
}

static CURLcode
use_certificate(CURL *c, void *ssl_ctx, void *arg)
{
	struct transfer *t = arg;

	(void)c;
	return tlskey_use(&t->tls, ssl_ctx, &t->before) == 0 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* ---- what went wrong */

/*
 * TLS alerts about certificates speak of ours: the client's. With TLS 1.3 they come after the
 * request went out, but before the peer looked at it (RFC 8446 section 4.4.2).
 */
static enum err_id
alert(const char *why)
{
	static const struct { const char *words; enum err_id id; } alerts[] = {
		{ "alert certificate expired", ERR_CERT_EXPIRED },
		{ "alert certificate required", ERR_CERT_REJECTED },
		{ "alert bad certificate", ERR_CERT_REJECTED },
		{ "alert certificate unknown", ERR_CERT_REJECTED },
		{ "alert certificate revoked", ERR_CERT_REJECTED },
		{ "alert unsupported certificate", ERR_CERT_REJECTED },
		{ "alert unknown ca", ERR_CERT_REJECTED },
	};

	for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
		if (strcasestr(why, alerts[i].words) != NULL)
			return alerts[i].id;
	return ERR_NONE;
}

static enum err_id
unreachable(const struct transfer *t, CURLcode rc)
{
	bool proxy = t->x->conf.proxy[0] != '\0';

	if (t->refused)
		return ERR_HOST_NOT_ALLOWED;
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return ERR_UNREACHABLE_DNS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return ERR_TLS_UNTRUSTED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
		return ERR_UNREACHABLE_TLS;
	default:	/* whatever else fails before TLS is up fails at the proxy */
		return proxy ? ERR_UNREACHABLE_PROXY : ERR_UNREACHABLE_CONNECT;
	}
}

/* " (through proxy HOST:PORT)", without what else its URL may hold, or nothing. */
static void
put_proxy(const char *url, char *out, size_t cap)
{
	const char *host = strstr(url, "://"), *at;
	size_t n;

	*out = '\0';
	if (*url == '\0')
		return;
	host = host == NULL ? url : host + 3;
	n = strcspn(host, "/");
	if ((at = memrchr(host, '@', n)) != NULL) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	snprintf(out, cap, " (through proxy %.*s)", (int)(n < 100 ? n : 100), host);
}

static void
failed(struct transfer *t, CURLcode rc, const char *text)
{
	struct http_answer *a = t->a;
	const char *why = *text != '\0' ? text : curl_easy_strerror(rc);
	char proxy[128];

	put_proxy(t->x->conf.proxy, proxy, sizeof proxy);

	if (t->tls.err.code != 0)		/* no signature: the handshake ended there */
		t->before = t->tls.err;
	if (t->before.code != 0) {
		a->phase = PHASE_NOT_SENT;
		a->err = t->before;
		return;
	}
	if (alert(why) != ERR_NONE) {
		a->phase = t->sent ? PHASE_REJECTED : PHASE_NOT_SENT;
		err_name(&a->err, alert(why), "%s%s: %.180s", t->host, proxy, why);
	} else if (!t->sent) {
		a->phase = PHASE_NOT_SENT;
		err_name(&a->err, unreachable(t, rc), t->refused ?
		    "%s%s resolves to an address that is not allowed (private, loopback or reserved)" :
		    "%s%s: %.180s", t->host, proxy, why);
	} else {
		a->phase = PHASE_AMBIGUOUS;
		err_name(&a->err, t->too_long ? ERR_BAD_ANSWER : ERR_OUTCOME_UNKNOWN,
		    "%s%s: %.180s", t->host, proxy,
		    t->too_long ? "the answer is too long" : why);
	}
	err_detail(&a->err, "host", "%s", t->host);
	secret_wipe(&a->body);
}

/* ---- the request */

static struct curl_slist *
add_header(struct curl_slist *l, const char *line)
{
	struct curl_slist *more = curl_slist_append(l, line);

	must(more != NULL);
	return more;
}

/* Without it the provider would say that the client's secret is wrong: no request goes then. */
static int
add_authorization(const struct http_request *q, struct curl_slist **l, struct err *e)
{
	const char *name = q->authorization_name != NULL ? q->authorization_name : "Authorization";
	AUTO(secret) line = { 0 };

	if (q->authorization == NULL)
		return 0;
	if (secret_set(&line, name, strlen(name), e) != 0 || secret_append(&line, ": ", 2, e) != 0 ||
	    secret_append(&line, q->authorization->p, q->authorization->len, e) != 0 ||
	    secret_append(&line, "", 1, e) != 0)
		return e->code;
	*l = add_header(*l, (const char *)line.p);
	return 0;
}

static int
headers_of(const struct http_request *q, struct curl_slist **ret, struct err *e)
{
	struct curl_slist *l = add_header(NULL, "Expect:");
	char text[200];
	bool accept = false;

	for (int i = 0; i < HTTP_HEADERS && q->header[i] != NULL; i++) {
		l = add_header(l, q->header[i]);
		accept |= strncasecmp(q->header[i], "accept:", 7) == 0;
	}
	if (!accept)
		l = add_header(l, "Accept: application/json");
	if (q->content_type != NULL) {
		snprintf(text, sizeof text, "Content-Type: %.150s", q->content_type);
		l = add_header(l, text);
	} else if (q->body != NULL) {
		/* libcurl would call it a form, which some providers refuse (Dropbox). */
		l = add_header(l, "Content-Type:");
	}
	*ret = l;
	return add_authorization(q, ret, e);
}

static void
set_security(CURL *c, const struct egress *x)
{
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_PROXY, x->conf.proxy);	/* "" = none, not even by env */
	curl_easy_setopt(c, CURLOPT_NOPROXY, "");
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "vaultd/" VERSION);	/* some refuse none */
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	if (x->conf.ca_file[0] != '\0')
		curl_easy_setopt(c, CURLOPT_CAINFO, x->conf.ca_file);
}

static void
set_request(CURL *c, struct transfer *t, struct curl_slist *headers)
{
	const struct http_request *q = t->q;

	curl_easy_setopt(c, CURLOPT_URL, q->url);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 15L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)q->timeout_s);
	if (q->body != NULL) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body->len);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS,
		    q->body->len > 0 ? (const char *)q->body->p : "");
	}
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, before_request);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, body_part);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, header_line);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	if (q->tls != NULL) {
		t->tls = (struct tlskey){ .x = t->x, .key = q->tls };
		curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, use_certificate);
		curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, t);
	}
}

void
http_send(struct egress *x, const struct http_request *q, struct http_answer *ret)
{
	struct transfer t = { .x = x, .q = q, .a = ret };
	char text[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	CURL *c;
	CURLcode rc;
	long status = 0;

	if (!http_host(q->url, t.host, sizeof t.host) || !allow_host(&x->allow, t.host)) {
		ret->phase = PHASE_NOT_SENT;
		err_name(&ret->err, ERR_HOST_NOT_ALLOWED, "host '%.120s' is not in allow_host",
		    t.host);
		return;
	}
	if ((c = curl_easy_init()) == NULL)
		err_set(&ret->err, V_LIMIT, "out of memory");
	if (c == NULL || headers_of(q, &headers, &ret->err) != 0) {
		ret->phase = PHASE_NOT_SENT;
		curl_easy_cleanup(c);
		curl_slist_free_all(headers);
		return;
	}
	set_security(c, x);
	set_request(c, &t, headers);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, text);
	rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	if (t.large)
		atomic_store(&x->large, false);
	if (rc == CURLE_OK) {
		ret->phase = PHASE_ANSWERED;
		ret->status = (unsigned)status;
	} else {
		failed(&t, rc, text);
	}
}
