/*
 * json.c - see json.h: parsing with our bounds, and quoting.
 */
#include "common/json.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/errors.h"

/* ---- the wiping allocator */

static void
wiping_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void
json_wiping_allocator(void)
{
	json_set_alloc_funcs(malloc, wiping_free);
}

/* ---- parsing */

/* jansson recurses to 2048 levels; depth and \u0000 are checked on the text first. */
static int
check_text(struct slice text, int *line, int *column, const char **why)
{
	const char *p = text.p;
	int depth = 0;
	bool string = false;

	*line = 1;
	*column = 0;
	for (size_t i = 0; i < text.len; i++) {
		(*column)++;
		if (p[i] == '\n') {
			(*line)++;
			*column = 0;
		}
		if (string && p[i] == '\\') {
			if (text.len - i >= 6 && memcmp(p + i + 1, "u0000", 5) == 0) {
				*why = "\\u0000 in a string";
				return V_INVALID;
			}
			i++;
			(*column)++;
		} else if (p[i] == '"') {
			string = !string;
		} else if (!string && (p[i] == '{' || p[i] == '[')) {
			if (++depth > JSON_DEPTH_MAX) {
				*why = "nested too deep";
				return V_LIMIT;
			}
		} else if (!string && (p[i] == '}' || p[i] == ']')) {
			depth--;
		}
	}
	return 0;
}

/* jansson quotes what it stumbled over; that may be a secret. Its first words do. */
static void
parse_text(const json_error_t *je, char *out, size_t cap)
{
	const char *near = strstr(je->text, " near ");

	snprintf(out, cap, "%.*s",
	    near != NULL ? (int)(near - je->text) : (int)strlen(je->text), je->text);
}

json_t *
json_parse(struct slice text, size_t max, struct err *e)
{
	json_error_t je;
	int line, column;
	const char *why = "";
	json_t *o;
	char what[160];

	if (text.len > max) {
		err_set(e, V_LIMIT, "JSON of %zu bytes is over the limit of %zu", text.len, max);
		return NULL;
	}
	if (check_text(text, &line, &column, &why) != 0) {
		err_set(e, V_INVALID, "%d:%d: %s", line, column, why);
		return NULL;
	}
	o = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &je);
	if (o == NULL) {
		parse_text(&je, what, sizeof what);
		err_set(e, V_INVALID, "%d:%d: %s", je.line, je.column, what);
	}
	return o;
}

static int
read_all(const char *path, size_t max, struct buf *ret, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, V_INVALID, "%s is not a regular file", path);
	while (ret->len <= max) {
		void *room = buf_room(ret, 65536);

		if (room == NULL)
			return err_set(e, V_LIMIT, "out of memory");
		if ((n = read(fd, room, 65536)) < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "%s", path);
		if (n == 0)
			return 0;
		ret->len += (size_t)n;
	}
	return err_set(e, V_LIMIT, "%s is longer than %zu bytes", path, max);
}

json_t *
json_parse_file(const char *path, size_t max, struct buf *ret_text, struct err *e)
{
	AUTO(buf) text = { 0 };
	json_t *o;

	if (read_all(path, max, &text, e) != 0)
		return NULL;
	o = json_parse(buf_slice(&text), max, e);
	if (o == NULL)
		err_prefix(e, "%s:", path);
	else if (ret_text != NULL)
		*ret_text = buf_take(&text);
	return o;
}

int
json_err_at(struct err *e, unsigned id, const char *file, struct slice text,
    const char *pointer, bool key, const char *fmt, ...)
{
	char what[sizeof e->text];
	int line = 1, column = 1;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	json_where(text, pointer, key, &line, &column);
	return err_name(e, id, "%s:%d:%d: %s", file, line, column, what);
}

/* ---- quoting */

/* Length of the UTF-8 sequence at P, 0 = not one (overlong, surrogate, too high). */
static size_t
utf8_len(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
	    p[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* The escape of a byte, or NULL when it stands for itself. */
static const char *
escape(unsigned char c, char tmp[8])
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	}
	if (c >= 0x20 && c != 0x7f)
		return NULL;
	snprintf(tmp, 8, "\\u%04x", c);
	return tmp;
}

typedef bool put_fn(void *to, const void *p, size_t n);

static bool
quote(put_fn *put, void *to, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t from = 0, i = 0, n;
	char tmp[8];

	if (!put(to, "\"", 1))
		return false;
	while (i < len) {
		const char *esc = escape(p[i], tmp);

		if (esc == NULL) {
			if ((n = utf8_len(p + i, len - i)) == 0)
				return false;
			i += n;
			continue;
		}
		if (!put(to, p + from, i - from) || !put(to, esc, strlen(esc)))
			return false;
		from = ++i;
	}
	return put(to, p + from, i - from) && put(to, "\"", 1);
}

static bool
put_buf(void *to, const void *p, size_t n)
{
	return buf_add(to, p, n);
}

static bool
put_secret(void *to, const void *p, size_t n)
{
	struct err e;

	return secret_append(to, p, n, &e) == 0;
}

bool
json_quote(struct buf *out, const char *s, size_t len)
{
	size_t was = out->len;

	if (quote(put_buf, out, s, len))
		return true;
	out->len = was;
	return false;
}

int
json_quote_secret(struct secret *out, const char *s, size_t len, struct err *e)
{
	size_t was = out->len;

	if (quote(put_secret, out, s, len))
		return 0;
	out->len = was;
	return err_set(e, V_INVALID, "a secret is not UTF-8, or too long");
}
