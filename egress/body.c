/*
 * body.c - see body.h.
 */
#include "egress/body.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"

#define FORM_NAME	128
#define FORM_MEMBERS	256

static int
hex(int c)
{
	return isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes N bytes at P into OUT, which has room for N; how many they are then. */
static size_t
decode(const char *p, size_t n, char *out)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			out[m++] = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			out[m++] = p[i] == '+' ? ' ' : p[i];
		}
	}
	return m;
}

/* NULL: holds a NUL or is not UTF-8. */
static json_t *
form_value(const char *p, size_t n)
{
	char *out = malloc(n + 1);
	json_t *v = NULL;
	size_t m;

	if (out == NULL)
		return NULL;
	m = decode(p, n, out);
	if (memchr(out, '\0', m) == NULL)
		v = json_stringn(out, m);
	explicit_bzero(out, n + 1);
	free(out);
	return v;
}

/* One NAME=VALUE of N bytes into O. */
static bool
form_member(json_t *o, const char *p, size_t n)
{
	const char *eq = memchr(p, '=', n);
	size_t k = eq == NULL ? 0 : (size_t)(eq - p);
	char name[FORM_NAME];

	if (k == 0 || k >= sizeof name)
		return false;
	k = decode(p, k, name);
	name[k] = '\0';
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-[]") ==
	    k && json_object_get(o, name) == NULL &&
	    json_object_set_new(o, name, form_value(eq + 1, n - (size_t)(eq + 1 - p))) == 0;
}

/* NULL: not a form. Browsers' rule that a bare name is one too would make a form of any text. */
static json_t *
form_parse(const char *p, size_t len)
{
	const char *end = p + len;
	json_t *o = json_object();

	while (len > 0 && isspace((unsigned char)end[-1]))
		end--, len--;
	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		size_t n = (size_t)((amp == NULL ? end : amp) - p);

		if (json_object_size(o) >= FORM_MEMBERS || !form_member(o, p, n)) {
			json_decref(o);
			return NULL;
		}
		p += n + 1;
	}
	return o;
}

/* Past a byte order mark and white space. */
static struct slice
start_of(struct slice body)
{
	const char *p = body.len > 0 ? body.p : "";
	size_t i = body.len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (i < body.len && isspace((unsigned char)p[i]))
		i++;
	return (struct slice){ p + i, body.len - i };
}

bool
body_is_page(struct slice body, const char *content_type)
{
	struct slice s = start_of(body);

	return strncasecmp(content_type, "text/html", 9) == 0 ||
	    strncasecmp(content_type, "application/xhtml", 17) == 0 ||
	    (s.len > 0 && *(const char *)s.p == '<');
}

json_t *
body_parse(struct slice body, const char *content_type, struct err *e)
{
	struct slice s = start_of(body);
	char first = s.len > 0 ? *(const char *)s.p : '\0';
	json_t *o = NULL;

	if (body.len > ANSWER_MAX)
		err_set(e, V_CORRUPT, "an answer of more than 1 MiB");
	else if (s.len == 0)
		err_set(e, V_CORRUPT, "an empty answer");
	else if (first == '{' || first == '[')
		o = json_parse(s, ANSWER_MAX, e);
	else if (body_is_page(body, content_type))
		err_set(e, V_CORRUPT, "a web page instead of an answer");
	else if ((o = form_parse(s.p, s.len)) == NULL)
		err_set(e, V_CORRUPT, "neither JSON nor a form");
	if (o == NULL)
		e->code = V_CORRUPT;	/* a limit of ours is one of theirs */
	else if (!json_is_object(o)) {
		json_decref(o);
		o = NULL;
		err_set(e, V_CORRUPT, "not an object");
	}
	return o;
}
